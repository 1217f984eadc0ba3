"""Matches of the transport layer: tcp, udp, sctp, dccp, multiport, icmp, esp, ah."""

from __future__ import annotations

from typing import Final

from callgate.firewall.intervals import Intervals
from callgate.firewall.iptables.option import Match, Option, Use, every, negate, one_number, options, span
from callgate.firewall.iptables.protocol import ICMP, PORTED, icmp_type, port_range
from callgate.firewall.iptables.words import shown
from callgate.firewall.rule import Condition, Every, FieldName, Not, Some, Within

_FLAGS: Final = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0}
_SYN_MASK: Final = 1 | 2 | 4 | 16
_PORT_FIELDS: Final[dict[str, FieldName]] = {"sport": "sport", "dport": "dport"}
_PORT_OPTIONS: Final = "sport|source-port dport|destination-port"
_MULTIPORT_FIELDS: Final[dict[str, tuple[FieldName, ...]]] = {
    "sports": ("sport",), "dports": ("dport",), "ports": ("sport", "dport"),
}  # fmt: skip
_MULTIPORT_MOST: Final = 65536


def _ports(option: Option) -> Condition:
    return span(_PORT_FIELDS[option.name], *port_range(option.value), option.negated)


def _flags(option: Option) -> Condition:
    masks = []
    for names in option.values:
        mask = 0
        for name in names.split(","):
            if name.upper() not in _FLAGS:
                raise ValueError(f"TCP flag {shown(name)} is not known")
            mask |= _FLAGS[name.upper()]
        masks.append(mask)
    return one_number("tcp_flags", masks[1], option.negated, masks[0])


def _tcp(use: Use) -> Condition:
    if use.protocol != 6:
        return use.unknown("without -p tcp")
    conditions: list[Condition] = []
    for option in use.options:
        if option.name == "syn":
            conditions.append(one_number("tcp_flags", 2, option.negated, _SYN_MASK))
        elif option.name == "tcp-flags":
            conditions.append(_flags(option))
        elif option.name in _PORT_FIELDS:
            conditions.append(_ports(option))
        else:
            conditions.append(Use(use.name, (option,), 6, use.target, use.around).unknown())
    return every(conditions)


def _ported(use: Use) -> Condition:
    """udp, udplite, sctp, dccp: ports are modelled, chunk and packet types are not."""
    if use.protocol not in PORTED:
        return use.unknown(f"without -p {use.name}")
    odd = tuple(option for option in use.options if option.name not in _PORT_FIELDS)
    conditions = [_ports(option) for option in use.options if option not in odd]
    if odd:
        conditions.append(Use(use.name, odd, use.protocol, use.target, use.around).unknown())
    return every(conditions)


def _multiport(use: Use) -> Condition:
    if use.protocol not in PORTED:
        return use.unknown("without a -p that has ports")
    conditions: list[Condition] = []
    for option in use.options:
        texts = option.value.split(",")
        if len(texts) > _MULTIPORT_MOST:
            raise ValueError("too many ports")
        ports = Intervals.of(map(port_range, texts))
        sides: list[Condition] = [Within(field, ports, option.negated) for field in _MULTIPORT_FIELDS[option.name]]
        if len(sides) == 1:
            conditions.append(sides[0])
        else:
            conditions.append(Every(tuple(sides)) if option.negated else Some(tuple(sides)))
    return every(conditions) if conditions else use.unknown("no ports")


def _icmp(use: Use) -> Condition:
    if use.protocol != ICMP[use.family]:
        return use.unknown(f"without -p {use.name}")
    conditions: list[Condition] = []
    for option in use.options:
        kind, code = icmp_type(option.value, use.family)
        holds: Condition = one_number("icmp_type", kind)
        if kind == 255 and use.family == 4:
            holds = Every(())  # the kernel takes type 255 for any
        elif code is not None:
            holds = Every((holds, one_number("icmp_code", code)))
        conditions.append(_contrary(holds) if option.negated else holds)
    return every(conditions)


def _contrary(condition: Condition) -> Condition:
    return negate(condition) if isinstance(condition, Within) else Not(condition)


def _security_header(use: Use) -> Condition:
    """esp and ah: the protocol is what -p says; the security parameter index is not modelled."""
    return use.unknown() if use.options or use.protocol is None else Every(())


MATCHES: Final = {
    "tcp": Match(options(one=f"{_PORT_OPTIONS} tcp-option", flags="syn", two="tcp-flags"), _tcp),
    "udp": Match(options(one=_PORT_OPTIONS), _ported),
    "udplite": Match(options(one=_PORT_OPTIONS), _ported),
    "sctp": Match(options(one=_PORT_OPTIONS, two="chunk-types"), _ported),
    "dccp": Match(options(one=f"{_PORT_OPTIONS} dccp-types dccp-option"), _ported),
    "multiport": Match(options(one="sports|source-ports dports|destination-ports ports"), _multiport),
    "icmp": Match(options(one="icmp-type"), _icmp),
    "icmp6": Match(options(one="icmpv6-type|icmp-type"), _icmp),
    "esp": Match(options(one="espspi"), _security_header),
    "ah": Match(options(one="ahspi ahlen", flags="ahres"), _security_header),
}
