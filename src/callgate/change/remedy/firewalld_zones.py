"""firewalld as a host's evidence shows it: its back end, its zones, and which packets each of them gets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from callgate.audit.target import Target
from callgate.change.remedy.recipe import Refused
from callgate.evidence.bundle import Bundle
from callgate.firewall.dumps import SAVES
from callgate.firewall.host import EVERYONE
from callgate.firewall.intervals import Intervals
from callgate.firewall.iptables.save import written_by
from callgate.firewall.rule import ChainName, Family, Goto, Interface, Jump, Rule, Ruleset, Within

ZONE: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
"""What a zone's name may be to be written into a script (firewalld allows 17 characters)."""
_NATIVE: Final = ("nft", "inet", "firewalld")
_FAMILY_NAMES: Final[dict[Family, Literal["ip", "ip6"]]] = {4: "ip", 6: "ip6"}
_SECTION = re.compile(r"(\S+?)(?: \([a-z, ]+\))?")


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One rule that hands packets to a zone."""

    zone: str
    interfaces: Interface | None
    sources: Intervals
    final: bool
    """Whether a packet that meets it surely goes to no other zone."""

    def takes(self, interface: str) -> bool:
        """Whether it is for packets that come in by this interface."""
        if self.interfaces is None:
            return True
        met = any(
            interface.startswith(one.name) if one.prefix else interface == one.name for one in self.interfaces.names
        )
        return met != self.interfaces.negated


@dataclass(frozen=True, slots=True)
class Firewalld:
    """A firewalld whose rules are in the kernel."""

    ruleset: Ruleset
    native: bool
    """Whether the nftables back end wrote them, and not iptables."""
    xt: Literal["nft", "legacy"]
    """The back end of the host's iptables, which direct rules go through."""
    runtime: str | None
    """What `firewall-cmd --list-all-zones` printed, if the evidence has it."""

    def chain(self, family: Family, zone: str, part: str) -> ChainName:
        """One of a zone's own chains: `pre`, `log`, `deny`, `allow` or `post`."""
        if self.native:
            return ChainName("nft", "inet", "firewalld", f"filter_IN_{zone}_{part}")
        return ChainName(self.xt, _FAMILY_NAMES[family], "filter", f"IN_{zone}_{part}")

    def zones_of(self, family: Family, interface: str, members: Intervals) -> Iterator[tuple[str, Intervals]]:
        """The zones that packets of these sources are handed to, with the sources each may get."""
        left = members
        for dispatch in self.dispatches(family):
            if dispatch.takes(interface) and (part := left & dispatch.sources):
                yield dispatch.zone, part
                if dispatch.final:
                    left -= part
            if not left:
                return

    def dispatches(self, family: Family) -> Iterator[Dispatch]:
        """The rules that hand packets to zones, in their order."""
        prefix = "filter_" if self.native else ""
        for suffix in ("INPUT_ZONES_SOURCE", "INPUT_ZONES"):
            if self.native:
                name = ChainName("nft", "inet", "firewalld", f"{prefix}{suffix}")
            else:
                name = ChainName(self.xt, _FAMILY_NAMES[family], "filter", suffix)
            if name in self.ruleset.chains:
                for rule in self.ruleset.chains[name].rules:
                    yield from _dispatch(rule, family, f"{prefix}IN_", suffix == "INPUT_ZONES")


def _dispatch(rule: Rule, family: Family, prefix: str, last: bool) -> Iterator[Dispatch]:
    to = next((step.chain for step in rule.steps if isinstance(step, Goto | Jump)), "")
    if not to.startswith(prefix):
        return
    interfaces: Interface | None = None
    sources, final = EVERYONE[family], last
    for step in rule.steps:
        if isinstance(step, Interface) and step.side == "iif":
            interfaces = step
        elif isinstance(step, Within) and step.field in ("saddr4", "saddr6") and step.mask is None:
            if not step.field.endswith(str(family)):
                return
            sources &= EVERYONE[family] - step.values if step.negated else step.values
        elif not isinstance(step, Goto | Jump | Within) or step.__class__ is Jump:
            final = False
    yield Dispatch(to.removeprefix(prefix), interfaces, sources, final)


def firewalld_of(target: Target) -> Firewalld:
    """The firewalld of a host. Raises Refused where none guards it, EvidenceError for damaged evidence."""
    ruleset = target.evidence.policy.ruleset
    bundle = target.evidence.bundle
    xt = backend_of(bundle)
    runtime = bundle.text("firewalld-runtime.txt") if "firewalld-runtime.txt" in bundle else None
    names = ruleset.chains
    if ChainName(*_NATIVE, "filter_INPUT") in names:
        return Firewalld(ruleset, True, xt, runtime)
    for backend in (xt, "nft", "legacy"):
        if ChainName(backend, "ip", "filter", "INPUT_ZONES") in names:
            return Firewalld(ruleset, False, backend, runtime)
    raise Refused(
        "firewalld does not guard this host: its rules are not in the kernel; the format nft or iptables may do"
    )


def backend_of(bundle: Bundle) -> Literal["nft", "legacy"]:
    """Which back end the host's `iptables` has, as the header of its dump says; nf_tables where none does."""
    for file, _ in SAVES:
        if file in bundle and (writer := written_by(bundle.text(file))) is not None:
            return writer
    return "nft"


def rich_rules(listing: str | None, zone: str) -> tuple[str, ...] | None:
    """The rich rules of a zone in what `--list-all-zones` printed; None where that is not known."""
    lines = section(listing, zone)
    if lines is None:
        return None
    return tuple(line.strip() for line in lines if line.startswith(("\trule ", "\t\trule ")))


def section(listing: str | None, zone: str) -> tuple[str, ...] | None:
    """The lines about one zone in what `--list-all-zones` printed, without its name."""
    found: list[str] | None = None
    for line in (listing or "").splitlines():
        if line and not line[0].isspace():
            if found is not None:
                break
            named = _SECTION.fullmatch(line.rstrip())
            if named is not None and named[1] == zone:
                found = []
        elif found is not None and line.strip():
            found.append(line)
    return None if found is None else tuple(found)


def checked(zones: Sequence[str]) -> None:
    """Raise Refused for a zone whose name does not go into a script as it is."""
    odd = next((zone for zone in zones if not ZONE.fullmatch(zone)), None)
    if odd is not None:
        raise Refused(f"firewalld's zone {ascii(odd)[:60]} has a name that no zone can have")
