"""Each manager of firewall rules: its units, the files it loads at boot, and what keeps it from loading them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from callgate.evidence.boot.files import BootFiles
from callgate.evidence.boot.loader import LoaderName
from callgate.evidence.boot.settings import first_code, settings

NFTABLES_FILES: Final = ("etc/nftables.conf", "etc/sysconfig/nftables.conf")
PLUGINS: Final = "boot-plugins.txt"
_PLUGINS: Final = {
    "10-ipset": "etc/iptables/ipsets",
    "15-ip4tables": "etc/iptables/rules.v4",
    "25-ip6tables": "etc/iptables/rules.v6",
    "40-ipset": "",
}
"""Plugins of Debian's ipset-persistent and iptables-persistent, and what each loads at boot."""
_INCLUDE: Final = re.compile(r'^(?:[^#\n]*[;{}])?[ \t]*include\s+["\'](?P<path>[^"\']*)["\']', re.MULTILINE)
_DEPTH: Final = 2
"""How deep into a folder the collector looks; names that begin with a dot it leaves out, as patterns do."""
_NFT_FOLDERS: Final = ("etc/nftables", "etc/nftables.d")
_UFW_RULES: Final = ("before.rules", "before6.rules", "user.rules", "user6.rules", "after.rules", "after6.rules")
_FIREWALLD_FOLDERS: Final = ("zones", "policies", "services", "ipsets", "icmptypes", "helpers")
_YES: Final = ("yes", "YES")
_TOLD: Final = 100
_NO_AFTER6: Final = """\
*filter
:ufw6-after-input - [0:0]
:ufw6-after-output - [0:0]
:ufw6-after-forward - [0:0]
COMMIT
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What the evidence has of one manager."""

    units: tuple[str, ...]
    """Its unit, by every name it goes by, without `.service`."""
    files: Mapping[str, str] = field(default_factory=dict)
    off: str = ""
    """Why it loads nothing, whatever its unit says."""
    missing: str = ""
    """The file that its unit loads and that is not there."""
    testing: str = ""
    """The testing mode it is in, in words."""
    unknown: tuple[str, ...] = ()
    """What it does beside loading its files, with an effect that is not known."""
    notes: tuple[str, ...] = ()
    """What is taken for granted about its files."""
    unit_of: Mapping[str, str] = field(default_factory=dict)
    """The files that have a unit of their own, and its name."""


def _ipset(files: BootFiles) -> Found:
    # On Debian a plugin of netfilter-persistent loads the sets, on Red Hat a service.
    debian = files.texts(["etc/iptables/ipsets"])
    if debian:
        units = ("netfilter-persistent", "ipset")
        plugins = _plugins(files)
        if plugins is not None and not _loaded_by(plugins, "etc/iptables/ipsets"):
            return Found(units, notes=("no plugin of netfilter-persistent loads /etc/iptables/ipsets",))
        return Found(units, debian)
    return Found(("ipset",), files.texts(["etc/sysconfig/ipset"]))


def _nftables(files: BootFiles) -> Found:
    found = files.texts(NFTABLES_FILES)
    if len(found) == 2:
        both = f"both /{NFTABLES_FILES[0]} and /{NFTABLES_FILES[1]} are there: which one nftables.service loads"
        return Found(("nftables",), found, unknown=(f"{both} is not told",))
    unknown: list[str] = []
    seen: set[str] = set()
    while pending := [path for path in found if path not in seen]:
        for path in pending:
            seen.add(path)
            for include in _INCLUDE.finditer(found[path]):
                line = found[path].count("\n", 0, include.start("path")) + 1
                unknown += _included(files, found, include["path"], f"/{path}:{line}")
    missing = "" if found else f"/{NFTABLES_FILES[0]}"
    return Found(("nftables",), found, missing=missing, unknown=tuple(unknown))


def _included(files: BootFiles, found: dict[str, str], target: str, where: str) -> list[str]:
    """Take in the files below the folders that are collected; what an include names elsewhere is not known."""
    path = target.lstrip("/") if target.startswith("/") else f"etc/{target.removeprefix('./')}"
    folder = next((one for one in _NFT_FOLDERS if path.startswith(f"{one}/")), None)
    if folder is not None and ".." not in path.split("/"):
        there = files.below(folder)
        found.update(there)
        below = path.removeprefix(f"{folder}/").split("/")
        taken = len(below) <= _DEPTH and not any(part.startswith(".") for part in below)
        if path in found or (taken and (there or not files.bundle.by_hand)):
            return []
    return [] if path in found else [f"{where} includes {target[:_TOLD]!r}, which is not in the bundle"]


def _plugins(files: BootFiles) -> frozenset[str] | None:
    """The plugins that netfilter-persistent has; None where that was not collected."""
    if PLUGINS not in files.bundle:
        return None
    return frozenset(files.bundle.text(PLUGINS).split())


def _loaded_by(plugins: frozenset[str], path: str) -> bool:
    return path not in _PLUGINS.values() or any(_PLUGINS.get(name) == path for name in plugins)


def _persistent(files: BootFiles) -> Found:
    found = files.texts(["etc/iptables/rules.v4", "etc/iptables/rules.v6"])
    units = ("netfilter-persistent", "iptables-persistent")
    if not found:
        return Found(units)
    found |= files.texts(["etc/default/netfilter-persistent"])
    plugins = _plugins(files)
    if plugins is None:
        return Found(units, found)
    unknown = tuple(
        f"netfilter-persistent has a plugin of its own, {name[:_TOLD]!r}" for name in sorted(plugins - _PLUGINS.keys())
    )
    left = {path: text for path, text in found.items() if _loaded_by(plugins, path)}
    notes = tuple(f"no plugin of netfilter-persistent loads /{path}" for path in found if path not in left)
    return Found(units, left, unknown=unknown, notes=notes)


def _services(files: BootFiles) -> Found:
    saved = ("etc/sysconfig/iptables", "etc/sysconfig/ip6tables")
    found = files.texts(saved)
    found |= files.texts(f"{path}.fallback" for path in saved) if found else {}
    # Each family has a unit of its own, and one of them is easily forgotten.
    unit_of = {path: path.removesuffix(".fallback").rpartition("/")[2] for path in found}
    return Found(("iptables", "ip6tables"), found, unit_of=unit_of)


def _ufw(files: BootFiles) -> Found:
    paths = ("etc/ufw/ufw.conf", "etc/default/ufw", *(f"etc/ufw/{name}" for name in _UFW_RULES))
    found = files.texts(paths)
    if "etc/ufw/ufw.conf" not in found:
        return Found(("ufw",), missing="/etc/ufw/ufw.conf" if found else "")
    set_up = settings(found.get("etc/default/ufw", "")) | settings(found["etc/ufw/ufw.conf"])
    off = "" if set_up.get("ENABLED") in _YES else "/etc/ufw/ufw.conf does not say ENABLED=yes: ufw loads nothing"
    unknown = [
        f"/{path}:{code[0]} is a script: {code[1]!r}"
        for path in ("etc/default/ufw", "etc/ufw/ufw.conf")
        if path in found and (code := first_code(found[path]))
    ]
    notes: tuple[str, ...] = ()
    if "etc/default/ufw" not in found:
        unknown.append("/etc/default/ufw is not in the bundle: ufw's policies are not told")
    if files.bundle.by_hand and "etc/ufw/after6.rules" not in found and "etc/ufw/before6.rules" in found:
        # Bundles made by hand may lack the least important of its files: without it ufw would load no IPv6 at all.
        found["etc/ufw/after6.rules"] = _NO_AFTER6
        notes = ("/etc/ufw/after6.rules is not in the bundle: taken as a file without rules",)
    return Found(("ufw",), found, off=off, unknown=tuple(unknown), notes=notes)


def _firewalld(files: BootFiles) -> Found:
    found = files.texts(["etc/firewalld/firewalld.conf", "etc/firewalld/direct.xml"])
    for folder in _FIREWALLD_FOLDERS:
        below = files.below(f"etc/firewalld/{folder}")
        found.update({path: text for path, text in below.items() if path.endswith(".xml")})
    return Found(("firewalld",), found)


def _csf(files: BootFiles) -> Found:
    found = files.texts(["etc/csf/csf.conf"])
    if not found:
        return Found(("csf",))
    mode = settings(found["etc/csf/csf.conf"]).get("TESTING", "")
    off = "/etc/csf/csf.disable is there" if files.text("etc/csf/csf.disable") is not None else ""
    testing = "CSF is in testing mode (TESTING in /etc/csf/csf.conf): it takes its rules out every few minutes"
    return Found(("csf",), found, off=off, testing="" if mode == "0" else testing)


def _callgate(files: BootFiles) -> Found:
    return Found(("callgate-gate",), files.texts(f"etc/callgate/gate.{kind}" for kind in ("nft", "v4", "v6")))


FOUND: Final[dict[LoaderName, Callable[[BootFiles], Found]]] = {
    "ipset": _ipset,
    "nftables": _nftables,
    "iptables-persistent": _persistent,
    "iptables-services": _services,
    "ufw": _ufw,
    "firewalld": _firewalld,
    "csf": _csf,
    "callgate": _callgate,
}
"""How each manager is looked for."""
