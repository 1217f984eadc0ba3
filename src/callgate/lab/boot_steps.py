"""What a host's boot does with its saved rules, as steps for a room of our own: pure.

Every step is a program of this machine and a file of the host; no shell code of the host is among them. The scripts
that run at a real boot read some files as shell code (`/etc/default/ufw`, `/etc/default/netfilter-persistent`): here
only their plain settings are taken, and one that is not plain is not determined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from callgate.errors import NotDetermined

SECONDS: Final = 10.0
"""What a step may take (usually 0.01)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One program to run. `about` is the file, or else the loader, that its complaint belongs to."""

    about: str
    argv: tuple[str, ...]
    stdin: str = ""
    """A path of the room, without its first slash."""
    bare: bool = False
    """Run where nothing is to be read but programs and the host's files."""
    after: tuple[int, bool] | None = None
    """Run only when the step of that number passed (True) or failed (False)."""
    ready: tuple[str, ...] = ()
    """The step is a server, and this command ends with 0 when it is ready, with `faulty` when it runs all the same."""
    faulty: int = 0
    log: str = ""
    """A file of the room that it writes its complaints to, instead of stderr."""
    env: Mapping[str, str] = field(default_factory=dict)
    dump: str = ""
    """Its output is this file of the bundle."""
    seconds: float = SECONDS

    def as_job(self) -> dict[str, Any]:
        """For `callgate.lab.boot_room`."""
        after = None if self.after is None else {"step": self.after[0], "passed": self.after[1]}
        job: dict[str, Any] = {"argv": self.argv, "seconds": self.seconds, "bare": self.bare, "env": dict(self.env)}
        job |= {"stdin": self.stdin, "after": after, "wanted": bool(self.dump)}
        job |= {"ready": self.ready, "ready_codes": (0, self.faulty)} if self.ready else {}
        return job | ({"log": self.log} if self.log else {})


@dataclass(slots=True)
class Plan:
    """The steps of a boot, and the files they need beside the host's own."""

    files: Mapping[str, str]
    find: Callable[[str], str | None]
    """The path of a program inside of the room, or None."""
    legacy: bool = False
    steps: list[Step] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)

    def program(self, name: str, package: str) -> str:
        """The path of a program; raises NotDetermined when this machine does not have it."""
        path = self.find(name)
        if path is None:
            raise NotDetermined(
                f"what loads at boot is not determined here: {name} not found (Debian package {package})"
            )
        return path

    def add(self, step: Step) -> int:
        """Put a step behind the others; returns its number."""
        self.steps.append(step)
        return len(self.steps) - 1


def plan_dumps(plan: Plan, *, sets: bool) -> None:
    """Read the kernel as the collector does; legacy tables only where the kernel lists some."""
    dumps: list[tuple[str, str, tuple[str, ...], str]] = [
        ("nft.json", "nft", ("-j", "list", "ruleset"), "nftables"),
        ("nft.txt", "nft", ("list", "ruleset"), "nftables"),
    ]
    if plan.find("iptables-nft-save") is not None:
        dumps += [("iptables-save.txt", "iptables-nft-save", ("-c",), "iptables")]
        dumps += [("ip6tables-save.txt", "ip6tables-nft-save", ("-c",), "iptables")]
    if sets and plan.find("ipset") is not None:
        dumps += [("ipset-save.txt", "ipset", ("save",), "ipset")]
    for name, tool, options, package in dumps:
        plan.add(Step("", (plan.program(tool, package), *options), dump=name))
    for tool, names in (("iptables", "ip_tables_names"), ("ip6tables", "ip6_tables_names")):
        listed = plan.add(Step("", (plan.program("grep", "grep"), "-q", ".", f"/proc/net/{names}"), dump=names))
        save = plan.find(f"{tool}-legacy-save") or f"/usr/sbin/{tool}-legacy-save"
        plan.add(Step("", (save, "-c"), after=(listed, True), dump=f"{tool}-legacy-save.txt"))


_SETTING: Final = re.compile(
    r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(\"[^\"$`\\]*\"|'[^']*'|[^\s\"'$`\\;&|<>()]*)(?:[ \t]+#.*)?[ \t]*"
)


def plain_settings(text: str, file: str) -> dict[str, str]:
    """The settings of a file that boot reads as shell code; raises NotDetermined for a line that is no plain one."""
    found: dict[str, str] = {}
    # For a shell, a carriage return is part of the value before it.
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t")
        if not stripped or stripped.startswith("#"):
            continue
        match = _SETTING.fullmatch(stripped)
        if match is None:
            raise NotDetermined(f"{file}:{number}: is shell code, which is not run here: {stripped[:80]!r}")
        value = match[2]
        found[match[1]] = value[1:-1] if value[:1] in ("'", '"') else value
    return found


def job_steps(steps: Sequence[Step]) -> Iterator[dict[str, Any]]:
    """The steps as the room takes them."""
    return (step.as_job() for step in steps)
