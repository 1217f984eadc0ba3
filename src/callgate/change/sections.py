"""What else changed between two snapshots: listeners, who reaches them, translations, parameters, the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import Final, TypeVar

from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.change.access import Snapped
from callgate.change.shift import Change
from callgate.change.structure import translations
from callgate.errors import NotDetermined
from callgate.evidence.evidence import Evidence
from callgate.evidence.listener import Listener
from callgate.firewall.difference import apart
from callgate.firewall.rule import FAMILIES, Family
from callgate.firewall.sources import Door, Sources, cidrs, in_words

EPHEMERAL: Final = range(32768, 61000)
"""The ports Linux gives to sockets that name none (ip-sysctl.rst, ip_local_port_range)."""
_IPVS: Final = "proc-net-ip_vs.txt"
Part = TypeVar("Part")
Key = tuple[object, ...]


class Lacking(NotDetermined):
    """One of two snapshots does not tell what the other does."""


def listeners(before: Target, after: Target, services: Iterable[Service]) -> Iterator[Change]:
    """Sockets that appeared and disappeared, and those another process holds now.

    Process ids do not count, nor which port the kernel happened to give a socket that named none. Raises NotDetermined.
    """
    if before.evidence.rules_alone and after.evidence.rules_alone:
        return
    judged = tuple(services)
    then, now = (
        _by_place(_told("before", lambda: before.evidence.listeners)),
        _by_place(_told("after", lambda: after.evidence.listeners)),
    )
    gone = {key: one for key, one in then.items() if key not in now}
    new = {key: one for key, one in now.items() if key not in then}
    for key in _moved(gone, new, judged):
        gone.pop(key, None)
        new.pop(key, None)
    for found, word, verb in ((gone, "gone", "no longer listens"), (new, "new", "listens now")):
        for one in found.values():
            yield Change("listeners", f"{one[0].endpoint} {verb} on {one[0].binding}", {"change": word, **_socket(one)})
    for key, one in now.items():
        old = _holders(then[key]) if key in then else ()
        # A source that does not tell processes, or may not, says nothing of who holds the socket.
        if old and _holders(one) and old != _holders(one):
            said = f"{one[0].port}/{one[0].transport} is held by {', '.join(_holders(one))}, was by {', '.join(old)}"
            yield Change("listeners", said, {"change": "process", "before": list(old), **_socket(one)})


def callers(before: Snapped, after: Snapped) -> Iterator[Change]:
    """Who gained and lost access to listeners that are no judged service and stayed. Raises NotDetermined."""
    then = _told("before", lambda: before.other_access)
    now = _told("after", lambda: after.other_access)
    for key in sorted({*then} & {*now}):
        for word, sources in (("gained", apart(now[key], then[key])), ("lost", apart(then[key], now[key]))):
            if not sources.empty:
                place = f"{key[1]}/{key[0]}"
                said = "; ".join(_in_words(sources))
                yield Change("access", f"{place} {word}: {said}", {"listener": place, "change": word, **_rows(sources)})


def translated(before: Evidence, after: Evidence) -> Iterator[Change]:
    """Translations that are there in one snapshot alone, IPVS's virtual services among them. Raises NotDetermined."""
    then = _told("before", lambda: translations(before.policy.ruleset))
    now = _told("after", lambda: translations(after.policy.ruleset))
    for mine, others, word in ((then, now, "gone"), (now, then, "new")):
        for rule in {id(rule): rule for form, rule in mine.items() if form not in others}.values():
            yield Change(
                "translations", f"{word}: {rule}", {"change": word, "rule": rule.text, "chain": str(rule.chain)}
            )
    served = _told("before", lambda: virtual_services(before))
    serves = _told("after", lambda: virtual_services(after))
    for lines, word in ((served - serves, "gone"), (serves - served, "new")):
        for line in sorted(lines):
            yield Change("translations", f"{word}: virtual service {line}", {"change": word, "virtual service": line})


def virtual_services(evidence: Evidence) -> frozenset[str]:
    """The virtual services of IPVS with their real servers, without counts of connections."""
    if not evidence.balances():
        return frozenset()
    found, service = [], ""
    for line in evidence.bundle.text(_IPVS).splitlines()[1:]:
        words = line.split()
        if words[:1] == ["->"] and words[1:2] != ["RemoteAddress:Port"]:
            found.append(f"{service} {' '.join(words[:4])}")
        elif words and words[0] not in ("Prot", "->"):
            service = " ".join(words)
            found.append(service)
    return frozenset(found)


def parameters(before: Evidence, after: Evidence) -> Iterator[Change]:
    """Kernel parameters that differ, but for those of interfaces that one snapshot alone has. Raises NotDetermined."""
    nothing: dict[str, str] = {}
    then, now = _pair(before, after, "sysctl.txt", lambda one: one.sysctls, nothing)
    for key in sorted({*then} | {*now}):
        old, new = then.get(key), now.get(key)
        if old == new or ((old is None or new is None) and _of_interface(key)):
            continue
        said = f"{key} = {'(not told)' if new is None else new}, was {'(not told)' if old is None else old}"
        yield Change("sysctls", said, {"key": key, "before": old, "after": new})


def network(before: Evidence, after: Evidence) -> Iterator[Change]:
    """Interfaces, addresses and routes that one snapshot alone has, but for those local to a link.

    Raises NotDetermined.
    """
    if before.rules_alone and after.rules_alone:
        return
    pairs = [
        (what, _told("before", partial(ask, before)), _told("after", partial(ask, after)))
        for what, ask in (("interface", _interfaces), ("address", _addresses))
    ]
    for family in FAMILIES:
        told = [
            _told(side, partial(_tells_routes, one, family)) for side, one in (("before", before), ("after", after))
        ]
        if all(told):
            pairs.append(("route", _routes(before, family), _routes(after, family)))
        elif any(told):
            raise Lacking(f"{'after' if told[0] else 'before'}: the routes of IPv{family} are not in the bundle")
    for what, then, now in pairs:
        for found, word in ((then - now, "gone"), (now - then, "new")):
            for one in sorted(found):
                yield Change("network", f"{word}: {what} {one}", {"change": word, what: one})


def _told(side: str, ask: Callable[[], Part]) -> Part:
    try:
        return ask()
    except NotDetermined as error:
        raise Lacking(f"{side}: {error}") from None


def _pair(
    before: Evidence, after: Evidence, file: str, ask: Callable[[Evidence], Part], nothing: Part
) -> tuple[Part, Part]:
    """What both tell; nothing where bundles made by hand both lack the file."""
    if all(one.bundle.by_hand and file not in one.bundle for one in (before, after)):
        return nothing, nothing
    return _told("before", lambda: ask(before)), _told("after", lambda: ask(after))


def _interfaces(evidence: Evidence) -> set[str]:
    return set(evidence.policy.host.entrances)


def _addresses(evidence: Evidence) -> set[str]:
    return {
        f"{entry.address}/{entry.network.prefixlen} on {entry.interface}"
        for entry in evidence.addresses
        if not (entry.address.is_link_local or entry.address.is_loopback)
    }


def _tells_routes(evidence: Evidence, family: Family) -> bool:
    """Whether the routes of a family are told; a bundle made by hand need not. Raises EvidenceError."""
    if not evidence.bundle.by_hand:
        _ = evidence.routes  # sound, or an EvidenceError
        return True
    return evidence.policy.host.told(family) or f"ip{'' if family == 4 else '6'}-route.json" in evidence.bundle


def _routes(evidence: Evidence, family: Family) -> set[str]:
    found = set()
    for route in evidence.policy.host.routes or ():
        if route.family != family or route.table == "local":
            continue
        to = (IPv4Network if family == 4 else IPv6Network)((route.network, route.prefix))
        if not (to.is_link_local or to.is_multicast):
            table = "" if route.table == "main" else f" (table {route.table})"
            found.add(f"{to} by {', '.join(route.interfaces)}{table}")
    return found


def _of_interface(key: str) -> bool:
    parts = key.split(".")
    return parts[:1] == ["net"] and parts[2:3] == ["conf"] and parts[3:4] not in (["all"], ["default"])


def _by_place(found: Iterable[Listener]) -> dict[Key, list[Listener]]:
    """The sockets by where they listen; several of one place (SO_REUSEPORT) are one."""
    places: dict[Key, list[Listener]] = {}
    for one in found:
        family = one.socket_family if one.address is None else 0
        places.setdefault((one.transport, one.port, family, one.address, one.device), []).append(one)
    return places


def _holders(found: Iterable[Listener]) -> tuple[str, ...]:
    return tuple(sorted({process.name for one in found for process in one.processes}))


def _moved(
    gone: Mapping[Key, list[Listener]], new: Mapping[Key, list[Listener]], services: tuple[Service, ...]
) -> set[Key]:
    """Sockets on ports of the kernel's own choice that are gone and as many like them that are new: the same, moved."""

    def alike(key: Key, found: list[Listener]) -> Key | None:
        one = found[0]
        named = any(service.claims(one) for service in services)
        return None if named or one.port not in EPHEMERAL else (key[0], *key[2:], _holders(found))

    moved: set[Key] = set()
    left = Counter(alike(key, found) for key, found in new.items())
    pairs: Counter[Key | None] = Counter()
    for key, found in gone.items():
        kind = alike(key, found)
        if kind is not None and pairs[kind] < left[kind]:
            pairs[kind] += 1
            moved.add(key)
    for key, found in new.items():
        kind = alike(key, found)
        if kind is not None and pairs[kind]:
            pairs[kind] -= 1
            moved.add(key)
    return moved


def _socket(found: list[Listener]) -> dict[str, object]:
    one = found[0]
    return {
        "transport": one.transport,
        "port": one.port,
        "address": str(one.address) if one.address is not None else "*",
        "families": sorted(one.families),
        "device": one.device,
        "processes": list(_holders(found)),
    }


def _in_words(sources: Sources) -> Iterator[str]:
    alike: dict[tuple[Family, Door], list[str]] = {}
    for (family, interface), door in sorted(sources):
        if door.surely or door.perhaps:
            alike.setdefault((family, Door(door.surely, door.perhaps)), []).append(interface)
    for (family, door), interfaces in alike.items():
        said = [in_words(family, door.surely)] if door.surely else []
        said += [f"perhaps {in_words(family, door.perhaps)}"] if door.perhaps else []
        yield f"{' and '.join(said)} on {', '.join(interfaces)} (IPv{family})"


def _rows(sources: Sources) -> dict[str, object]:
    return {
        "entrances": [
            {
                "family": at.family,
                "interface": at.interface,
                "sources": [text for text, _ in cidrs(at.family, door.surely)],
                "doubtful": [text for text, _ in cidrs(at.family, door.perhaps)],
            }
            for at, door in sorted(sources)
            if door.surely or door.perhaps
        ]
    }
