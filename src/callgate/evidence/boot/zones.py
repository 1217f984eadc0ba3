"""firewalld's zones as `firewall-cmd --list-all-zones` prints them: what runtime and permanent settings differ in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from callgate.errors import EvidenceError

Zones = Mapping[str, Mapping[str, frozenset[str]]]
"""Zone to setting (`ports`, `rich rules` ...) to its values."""

_ZONE: Final = re.compile(r"(?P<name>[^\s:][^\s]*)(?P<active> \(.*\))?")
_SETTING: Final = re.compile(r"  (?P<key>[a-z][a-z -]*):(?: (?P<values>.*))?")
_OF_LINES: Final = ("rich rules",)
_ONE_VALUE: Final = ("target", "icmp-block-inversion", "forward", "masquerade", "ingress-priority", "egress-priority")


def read_zones(text: str, file: str) -> Zones:
    """Read a listing. Raises EvidenceError, with the line, where it is none."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    zone: dict[str, frozenset[str]] | None = None
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if setting := _SETTING.fullmatch(line):
            if zone is None:
                raise EvidenceError(file, f"belongs to no zone: {line[:80]!r}", number)
            key = setting["key"]
            values = (setting["values"] or "").strip()
            whole = key in _ONE_VALUE or key in _OF_LINES
            zone[key] = frozenset(([values] if values else []) if whole else values.split())
        elif line.startswith("\t") and zone is not None and key:
            zone[key] |= {line.strip()}
        elif named := _ZONE.fullmatch(line):
            zone, key = found.setdefault(named["name"], {}), ""
        else:
            raise EvidenceError(file, f"is not understood: {line[:80]!r}", number)
    return found


def differences(runtime: Zones, permanent: Zones) -> tuple[str, ...]:
    """In words, what the two differ in; which interfaces a zone has is left out, as the default zone takes any."""
    said: list[str] = []
    for zone in sorted(runtime.keys() | permanent.keys()):
        now, saved = runtime.get(zone, {}), permanent.get(zone, {})
        for key in sorted((now.keys() | saved.keys()) - {"interfaces"}):
            gone = sorted(now.get(key, frozenset()) - saved.get(key, frozenset()))
            said += [f"zone {zone} has {key} {one} now, and not in the permanent settings" for one in gone]
            come = sorted(saved.get(key, frozenset()) - now.get(key, frozenset()))
            said += [f"zone {zone} has {key} {one} in the permanent settings, and not now" for one in come]
    return tuple(said)


def bound_now(runtime: Zones, permanent: Zones, default: str) -> tuple[tuple[str, str], ...]:
    """Interfaces with the zone they are bound to now, where the permanent settings do not bind them so.

    The default zone takes those that nothing binds.
    """
    saved = {interface: zone for zone, values in permanent.items() for interface in values.get("interfaces", ())}
    return tuple(
        (interface, zone)
        for zone, values in sorted(runtime.items())
        for interface in sorted(values.get("interfaces", ()))
        if saved.get(interface, default) != zone
    )
