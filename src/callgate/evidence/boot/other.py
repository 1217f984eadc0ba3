"""What else loads rules at boot: scripts, units and managers whose files are not weighed."""

from __future__ import annotations

import re
from typing import Final

from callgate.errors import EvidenceError
from callgate.evidence.boot.units import Units
from callgate.evidence.bundle import Bundle

OTHERS: Final = "boot-others.txt"
MANAGERS: Final = (
    "shorewall", "shorewall6", "shorewall-lite", "ferm", "firehol", "fireqos", "apf", "apf-firewall", "bfd",
    "arno-iptables-firewall", "uif", "vuurmuur", "ipfire", "firewall", "iptables-restore", "ip6tables-restore",
    "ebtables", "netscript", "crowdsec-firewall-bouncer", "sshguard", "nftables-persistent", "opensnitch",
)  # fmt: skip
"""Units of managers whose rules are not read, and of programs that add rules of their own."""
_LINE: Final = re.compile(r"(?P<file>/[^:]{1,300}):(?P<line>\d{1,9}):(?P<text>.*)")
_SYSTEMD: Final = re.compile(
    r"/(?:etc|usr/lib|usr/local/lib)/systemd/system/(?P<unit>[^/]+)\.service(?P<drop_in>\.d/[^/]+\.conf)?"
)
_RC_LINK: Final = re.compile(r"/etc/rc[2-5S]\.d/S\d\d(?P<name>\S+)")
_WEIGHED: Final = (
    *("nftables", "netfilter-persistent", "iptables-persistent", "iptables", "ip6tables", "ipset", "firewalld", "ufw"),
    *("csf", "lfd", "callgate-gate"),
)
"""Units whose files and commands are weighed with their managers."""
_MOST: Final = 8


def other_loaders(bundle: Bundle, units: Units) -> list[str]:
    """In words, what may change rules at boot beside the managers. Raises EvidenceError for a damaged list."""
    found = [
        f"{name}.service starts at boot: which rules it loads is not weighed"
        for name in MANAGERS
        if units.told and units.unit(name).enabled
    ]
    if bundle.by_hand and OTHERS not in bundle:
        return found
    for number, line in enumerate(bundle.text(OTHERS).splitlines(), 1):
        named = _LINE.fullmatch(line)
        if named is None:
            raise EvidenceError(OTHERS, f"is not understood: {line[:80]!r}", number)
        if _idle(named["file"], units):
            continue
        found.append(f"{named['file']}:{named['line']} may change rules at boot: {named['text'].strip()[:120]!r}")
    if len(found) > _MOST:
        found[_MOST:] = [f"and {len(found) - _MOST} more places"]
    return found


def _idle(file: str, units: Units) -> bool:
    """Whether it is run by nothing at boot, or weighed with its manager."""
    if link := _RC_LINK.fullmatch(file):
        # systemd runs a script of System V only where no unit of its own has that name.
        state = (units.states or {}).get(link["name"])
        return link["name"] in _WEIGHED or state not in (None, "generated")
    if (own := _SYSTEMD.fullmatch(file)) is None:
        return False
    name = own["unit"]
    if name in _WEIGHED:
        return True  # its drop-ins too
    if "@" in name:
        return False  # its instances are units of their own
    return units.told and units.unit(name).enabled is False
