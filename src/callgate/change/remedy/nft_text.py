"""nftables rules in two forms side by side: nft(8)'s language, and the JSON that `nft -j list ruleset` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from callgate.change.remedy.gate import MARK, Span
from callgate.evidence.interfaces import Network
from callgate.firewall.rule import Family

Json = dict[str, Any]
_HEADER: Final[dict[Family, str]] = {4: "ip", 6: "ip6"}


@dataclass(frozen=True, slots=True)
class Written:
    """One condition or statement, in both forms."""

    text: str
    json: Json


ACCEPT: Final = Written("accept", {"accept": None})
DROP: Final = Written("drop", {"drop": None})
A_REPLY: Final = Written("ct direction reply", {"match": {"op": "==", "left": {"ct": {"key": "direction"}}, "right": "reply"}})  # fmt: skip  # noqa: E501
DESTINATION_TRANSLATED: Final = Written("ct status dnat", {"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}})  # fmt: skip  # noqa: E501
DISCOVERY: Final = Written(
    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }",
    {
        "match": {
            "op": "==",
            "left": {"payload": {"protocol": "icmpv6", "field": "type"}},
            "right": {"set": ["nd-neighbor-solicit", "nd-neighbor-advert"]},
        }
    },
)


def came_in_by(names: Sequence[str]) -> Written:
    """Packets that came in by one of the interfaces."""
    right: Any = names[0] if len(names) == 1 else {"set": sorted(names)}
    shown = _set([f'"{name}"' for name in sorted(names)])
    return Written(f"iifname {shown}", _equals({"meta": {"key": "iifname"}}, right))


def of_family(family: Family) -> Written:
    """Packets of one family."""
    return Written(f"meta nfproto ipv{family}", _equals({"meta": {"key": "nfproto"}}, f"ipv{family}"))


def in_set(family: Family, side: str, name: str) -> Written:
    """The source (`saddr`) or destination (`daddr`) is in a named set."""
    left = {"payload": {"protocol": _HEADER[family], "field": side}}
    return Written(f"{_HEADER[family]} {side} @{name}", _equals(left, f"@{name}"))


def in_networks(family: Family, side: str, networks: Sequence[Network]) -> Written:
    """The source or destination is in one of the networks."""
    left = {"payload": {"protocol": _HEADER[family], "field": side}}
    values = [network_json(one) for one in networks]
    right = values[0] if len(values) == 1 else {"set": values}
    shown = _set([network_text(one) for one in networks])
    return Written(f"{_HEADER[family]} {side} {shown}", _equals(left, right))


def to_ports(transport: str, ports: Sequence[Span]) -> Written:
    """The transport, and the ports that packets arrive at."""
    values = [_port_json(one) for one in ports]
    right = values[0] if len(values) == 1 else {"set": values}
    left = {"payload": {"protocol": transport, "field": "dport"}}
    return Written(f"{transport} dport {_set([_port_text(one) for one in ports])}", _equals(left, right))


def sent_to_port(transport: str, port: Span) -> tuple[Written, Written]:
    """The transport, and the port that packets were sent to before translation.

    One port or range a rule: nft 1.0.6 lists a set of these as `0x7d0 [invalid type]`, which it cannot read again.
    """
    return (
        Written(f"meta l4proto {transport}", _equals({"meta": {"key": "l4proto"}}, transport)),
        Written(
            f"ct original proto-dst {_port_text(port)}",
            _equals({"ct": {"key": "proto-dst", "dir": "original"}}, _port_json(port)),
        ),
    )


def rule_text(parts: Iterable[Written], *, marked: bool = False) -> str:
    """A rule in nft's language."""
    return " ".join(part.text for part in parts) + (f' comment "{MARK}"' if marked else "")


def rule_json(family: str, table: str, chain: str, parts: Iterable[Written]) -> Json:
    """A rule as `nft -j` lists it."""
    return {"rule": {"family": family, "table": table, "chain": chain, "expr": [part.json for part in parts]}}


def network_text(network: Network) -> str:
    """A network as nft lists it: a single address without its length."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def network_json(network: Network) -> Any:
    """A network as `nft -j` lists it."""
    if network.num_addresses == 1:
        return str(network.network_address)
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


def _port_text(span: Span) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"


def _port_json(span: Span) -> Any:
    return span[0] if span[0] == span[1] else {"range": list(span)}


def _equals(left: Json, right: Any) -> Json:
    return {"match": {"op": "==", "left": left, "right": right}}


def _set(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{{ {', '.join(texts)} }}"
