"""What lets a source in, and what refuses it: the rules of the later snapshot, and one packet as an example."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.evidence.listener import Listener
from callgate.firewall.host import Host
from callgate.firewall.intervals import Intervals
from callgate.firewall.rule import Family
from callgate.firewall.sources import Door, Entrance
from callgate.firewall.trace import FLAGS, PROTOCOLS, Packet, read_address, write_address

_SENT = re.compile(r"\[?([0-9a-fA-F:.]+?)\]?:([0-9]{1,5})/(?:tcp|udp)")
# Addresses for documentation stand for anybody (RFC 5737, RFC 3849).
_ANYBODY: Final[dict[Family, int]] = {4: read_address("198.51.100.7")[1], 6: read_address("2001:db8:99::7")[1]}
_ASKED: Final = 16
"""Of how many intervals of sources the rules are asked one by one."""
_CALLED_FROM: Final = 40000
_VERDICTS: Final = {"drop": "is dropped", "reject": "is rejected", "unknown": "is perhaps refused"}


def what_lets_in(host: Host, entrance: Entrance, door: Door, members: Intervals) -> tuple[tuple[str, ...], str]:
    """The rules by which these sources get in, and an example of a packet in words."""
    rules: dict[str, None] = {}
    example = ""
    for way in sorted(door.ways, key=lambda one: not one.sure):
        common = way.sources & members
        if not common:
            continue
        source = _somebody(host, entrance, common)
        for asked in (source, *(first for first, _ in list(common)[:_ASKED])):
            exact = way.at(Intervals.single(asked))
            if exact is not None:
                rules.update(dict.fromkeys(exact[1].rules))
                example = example or f"{write_address(entrance.family, asked)} to {exact[1].destination}"
    return tuple(rules), example


def what_refuses(
    target: Target, service: Service, found: Sequence[Listener] | None, entrance: Entrance, then: Door,
    members: Intervals,
) -> tuple[tuple[str, ...], str]:  # fmt: skip
    """What becomes now of a packet of one of these sources that `then` let in: the rules that refuse it, and words.

    The rules are none where no rule is to blame: nothing listens any more, or the interface is gone.
    """
    family, interface = entrance
    host = target.evidence.policy.host
    if interface not in host.interfaces:
        return (), f"the host has no interface {interface}"
    if interface not in host.entrances:
        return (), f"{interface} is down, or part of another interface"
    source, sent = _somebody(host, entrance, members), None
    for way in then.ways:
        if (exact := way.at(Intervals.single(source))) is not None:
            sent = _sent(exact[1].destination)
            break
    if sent is None:
        own = _own_address(host, entrance)
        sent = (own, service.port[0]) if own is not None else None
    if sent is None:
        return (), f"the host has no IPv{family} address"
    destination, port = sent
    shown = write_address(family, destination)
    told = f"{write_address(family, source)} to {f'[{shown}]' if family == 6 else shown}:{port}/{service.transport}"
    packet = Packet(
        interface, family, source, destination, PROTOCOLS[service.transport], _CALLED_FROM, port, FLAGS["syn"]
    )
    traced = target.evidence.policy.trace(packet)
    if traced.verdict != "accept":
        return traced.rules, f"{told} {_VERDICTS[traced.verdict]}"
    if found is not None and not found:
        return (), f"nothing listens on {service.ports}, and {told} leads nowhere"
    if port not in service.port or destination not in host.own(family):
        return (), f"{told} is not led to the service"
    if found and all(listener.device for listener in found):
        return (), f"the socket is bound to {', '.join(sorted({str(listener.device) for listener in found}))}"
    if found and not any(one.address is None or int(one.address) == destination for one in found):
        return (), f"no socket listens on {shown}"
    return (), f"{told} gets in, but its answer, or a call from another source port, does not"


def _somebody(host: Host, entrance: Entrance, members: Intervals) -> int:
    """A member that reads well as an example: a neighbour by that entrance if there is one, else anybody."""
    near = [one for one in host.addresses if (one.family, one.interface) == (entrance.family, entrance.interface)]
    # The subnet's own address is nobody's.
    hosts = [one.network - Intervals.single(one.network.bounds[0]) for one in near]
    for wanted in (*hosts, Intervals.single(_ANYBODY[entrance.family])):
        if common := members & wanted:
            return common.bounds[0]
    first, last = next(iter(members))
    # The first address of a network is no host's.
    return min(first + 1, last) if first & 0xFF == 0 else first


def _sent(destination: str) -> tuple[int, int] | None:
    """Address and port of a way's destination."""
    found = _SENT.match(destination)
    if found is None:
        return None
    try:
        return read_address(found[1])[1], int(found[2])
    except ValueError:
        return None


def _own_address(host: Host, entrance: Entrance) -> int | None:
    """An address of the host, of that interface if it has one."""
    own = [entry for entry in host.addresses if entry.family == entrance.family and entry.interface != host.loopback]
    own.sort(key=lambda entry: (entry.interface != entrance.interface, entry.address >> 118 == 0x3FA))
    return own[0].address if own else None
