"""What a host's saved rules are once they are loaded: its boot, in a fresh set of namespaces of our own.

The files come from a host that nobody vouches for. They are loaded by this machine's own tools in a root that holds
programs alone (see `callgate.lab.boot_room`): an `include` finds nothing of this machine, nothing that came with the
files is executed, and everything is bounded. Costs about 0.2 s, with firewalld 2 s; the same input is loaded once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from callgate.errors import NotDetermined
from callgate.lab.availability import NAMESPACES, USER_NAMESPACE, find_tool, search_path
from callgate.lab.boot_firewalld import plan_firewalld
from callgate.lab.boot_nftables import plan_nftables
from callgate.lab.boot_said import complaint
from callgate.lab.boot_saved import plan_ipset, plan_saved
from callgate.lab.boot_steps import Plan, Step, job_steps, plan_dumps
from callgate.lab.boot_ufw import plan_ufw
from callgate.lab.holder import isolated_python

FILES_LIMIT: Final = 2000
"""Files of a host that are loaded at most."""
SIZE_LIMIT: Final = 8 << 20
"""Bytes they may have together."""
NAME_LIMIT: Final = 255
PLACES_LIMIT: Final = 1 << 22
"""Places or members that a set, or a table of hashlimit, may ask for: the kernel takes their memory."""
INTERFACES_LIMIT: Final = 200

_PROGRAM: Final = Path(__file__).with_name("boot_room.py")
_DIRECTORIES: Final = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
_COVERED: Final = ("/usr/local", "/usr/share", "/usr/src", "/usr/include", "/usr/games")
_LOADERS: Final[dict[str, Callable[[Plan], None]]] = {
    "ipset": plan_ipset,
    "nftables": plan_nftables,
    "iptables-persistent": lambda plan: plan_saved(plan, "iptables-persistent"),
    "iptables-services": lambda plan: plan_saved(plan, "iptables-services"),
    "ufw": plan_ufw,
    "firewalld": plan_firewalld,
    "callgate": lambda plan: plan_saved(plan, "callgate"),
}
_READ_BY_TOOLS: Final = re.compile(
    r"etc/(?:iptables/|sysconfig/ip6?tables|sysconfig/ipset|ipset\.conf$|firewalld/|callgate/)"
)
"""What may lie in the /etc of tools other than nft(8): nothing there that another program takes for its own."""
_SYSTEMS_OWN: Final = re.compile(
    r"etc/(?:ld\.so\.|nsswitch\.conf|hosts|host\.conf|resolv\.conf|gai\.conf|networks|protocols|services|passwd|group"
    r"|shadow|gshadow|iproute2/|alternatives/|xtables/)"
)
_PLACES: Final = re.compile(
    r"\b(?:(?:hash|htable-)?size|maxelem)[\s\"=:]+(?:value=\")?(0x[0-9a-f]{1,30}|[0-9]{1,30})", re.IGNORECASE
)
_INTERFACE: Final = re.compile(r"[^\s/:%\x00-\x1f\x7f]{1,15}")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The kernel's rules after a boot."""

    texts: Mapping[str, str]
    """Dumps under the names of the bundle: `nft.json`, `nft.txt`, `iptables-save.txt`, `ip6tables-save.txt`, the
    legacy ones where there are legacy tables, `ipset-save.txt` where sets could be made."""
    complaints: Mapping[str, str]
    """File (`etc/iptables/rules.v4`) or loader (`firewalld`) to what its tool said when it did not load it."""


def load_at_boot(
    files: Mapping[str, str], loaders: Sequence[str], *, interfaces: Sequence[str] = (), legacy: bool = False
) -> Loaded:
    """Load `files` (path below `etc/` to text) as `loaders` do at boot, in their order, and read the kernel's rules.

    `interfaces` are the host's, which rules and zones name; they stand, without addresses. `legacy` is the back end
    of iptables where no file names one. Raises NotDetermined, with what is missing, where namespaces or a program
    are not to be had, where a loader's files are not there or are shell code, and for files out of all bounds.
    """
    names = tuple(dict.fromkeys(name for name in interfaces if name != "lo"))
    return _load(tuple(sorted(files.items())), tuple(loaders), names, legacy)


def boot_unavailable() -> str | None:
    """None when files of nftables and iptables can be loaded here; else one line that names what is missing."""
    try:
        load_at_boot({"etc/nftables.conf": ""}, ["nftables"])
    except NotDetermined as error:
        return str(error)
    return None


@lru_cache(maxsize=64)
def _load(
    files: tuple[tuple[str, str], ...], loaders: tuple[str, ...], interfaces: tuple[str, ...], legacy: bool
) -> Loaded:
    check_files(dict(files))
    plan = Plan(dict(files), lambda name: find_in_room(name), legacy)
    plan_links(plan, interfaces)
    for loader in loaders:
        if loader not in _LOADERS:
            raise NotDetermined(f"what {loader[:40]} loads at boot cannot be loaded outside of its host")
        _LOADERS[loader](plan)
    plan_dumps(plan, sets="ipset" in loaders or "firewalld" in loaders)
    results = run_plan(plan)
    complaints: dict[str, str] = {}
    texts: dict[str, str] = {}
    for step, result in zip(plan.steps, results, strict=True):
        if result is None:
            continue
        if step.dump.endswith("_names"):
            continue
        if step.dump:
            texts[step.dump] = _dumped(step, result)
        elif (words := complaint(step, result)) is not None:
            before = complaints.get(step.about)
            complaints[step.about] = words if before is None or words in before else f"{before}\n{words}"
    return Loaded(MappingProxyType(texts), MappingProxyType(complaints))


def check_files(files: Mapping[str, str]) -> None:
    """Raise NotDetermined for files that are not below etc/, stand in each other's way, or ask for too much."""
    if len(files) > FILES_LIMIT:
        raise NotDetermined(f"more than {FILES_LIMIT} boot files")
    try:
        size = sum(len(text.encode("utf-8", "surrogateescape")) for text in files.values())
    except UnicodeEncodeError as error:
        raise NotDetermined("a boot file is no text") from error
    if size > SIZE_LIMIT:
        raise NotDetermined(f"the boot files have more than {SIZE_LIMIT} bytes together")
    for name, text in files.items():
        parts = name.split("/")
        plain = len(parts) > 1 and parts[0] == "etc" and not {"", ".", ".."} & set(parts) and name.isprintable()
        if not plain or len(name.encode("utf-8", "surrogatepass")) > NAME_LIMIT:
            raise NotDetermined(f"not the name of a file below etc/: {name[:80]!r}")
        for above in range(2, len(parts)):
            if "/".join(parts[:above]) in files:
                raise NotDetermined(f"{'/'.join(parts[:above])[:80]!r} is both a file and a directory")
        for match in _PLACES.finditer(text):
            if int(match[1], 0 if match[1][:2].lower() == "0x" else 10) > PLACES_LIMIT:
                raise NotDetermined(f"{name[:80]} asks for a table of {match[1]} places: not loaded here")


def find_in_room(name: str) -> str | None:
    """The path of a program below /usr; what is in /usr/local stays out of the room."""
    return shutil.which(name, path=os.pathsep.join(_DIRECTORIES))


def plan_links(plan: Plan, interfaces: Sequence[str]) -> None:
    """The first step: the loopback, and interfaces of these names. Raises NotDetermined for what is no name."""
    if len(interfaces) > INTERFACES_LIMIT:
        raise NotDetermined(f"more than {INTERFACES_LIMIT} interfaces")
    for name in interfaces:
        if not _INTERFACE.fullmatch(name) or name in (".", ".."):
            raise NotDetermined(f"not the name of an interface: {name[:40]!r}")
    lines = ["link set lo up"]
    # A veth pair needs no module that the lab does not need as well.
    lines += [f"link add name {name} type veth peer name cgpeer{n}" for n, name in enumerate(interfaces)]
    lines += [f"link set {name} up" for name in interfaces]
    plan.own["run/links"] = "".join(f"{line}\n" for line in lines)
    plan.add(Step("", (plan.program("ip", "iproute2"), "-batch", "-"), stdin="run/links"))


def run_plan(plan: Plan) -> list[dict[str, Any] | None]:
    """Have the steps done in fresh namespaces; None for one that was not to run. Raises NotDetermined."""
    if find_tool("unshare") is None:
        raise NotDetermined("what loads at boot is not determined here: unshare not found (Debian package util-linux)")
    seconds = sum(step.seconds for step in plan.steps)
    job = {
        "files": {name: text for name, text in plan.files.items() if _READ_BY_TOOLS.match(name)} | plan.own,
        "included": {name: text for name, text in plan.files.items() if not _SYSTEMS_OWN.match(name)},
        "links": _alternatives(plan),
        "covered": [path for path in _COVERED if not any(one.argv[0].startswith(path) for one in plan.steps)],
        "steps": list(job_steps(plan.steps)),
        "seconds": int(seconds) + 5,
    }
    within = () if os.geteuid() == 0 else USER_NAMESPACE
    command = ["unshare", *within, *NAMESPACES, "--ipc", "--fork", "--kill-child", "--"]
    process = subprocess.Popen(
        [*command, *isolated_python(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": search_path(), "LC_ALL": "C"},
        start_new_session=True,
    )
    with process:
        try:
            out, err = process.communicate(json.dumps(job).encode("ascii"), timeout=seconds + 20)
        except BaseException as error:
            process.kill()  # --kill-child takes the first process along, and the kernel the rest
            if isinstance(error, subprocess.TimeoutExpired):
                raise NotDetermined("what loads at boot is not determined: the tools did not end in time") from error
            raise
    if process.returncode != 0 or not out:
        words = err.decode("utf-8", "backslashreplace").strip().splitlines() or [f"it ended with {process.returncode}"]
        raise NotDetermined(f"what loads at boot is not determined: no namespaces of our own here: {words[-1][:200]}")
    results: list[dict[str, Any] | None] = json.loads(out)
    if results[0] is None or results[0]["code"] != 0:
        said = "" if results[0] is None else str(results[0]["err"]).strip()[:200]
        raise NotDetermined(f"what loads at boot is not determined: interfaces like the host's cannot be made: {said}")
    return results


def _alternatives(plan: Plan) -> dict[str, str]:
    """Where iptables is a link into /etc/alternatives: the links there."""
    backend = "legacy" if plan.legacy else "nft"
    links = {}
    for tool in ("iptables", "ip6tables", "ebtables"):
        for end in ("", "-restore", "-save"):
            if (path := find_in_room(f"{tool}-{backend}{end}")) is not None:
                links[f"etc/alternatives/{tool}{end}"] = path
    return links


def _dumped(step: Step, result: dict[str, Any]) -> str:
    if result["code"] != 0 or result["large"]:
        why = "printed too much" if result["large"] else str(result["err"]).strip()[:200] or "did not end in time"
        raise NotDetermined(f"the rules that boot loads cannot be read back: {Path(step.argv[0]).name}: {why}")
    return str(result["out"])
