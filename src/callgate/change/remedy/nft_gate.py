"""The gate in nftables: a table of our own, in nft's language and as `nft -j` lists it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from callgate.change.remedy.gate import PRIORITY, TABLE, Drop, Gate
from callgate.change.remedy.need import WHERE, Where
from callgate.change.remedy.nft_text import (
    A_REPLY,
    ACCEPT,
    DESTINATION_TRANSLATED,
    DROP,
    Json,
    Written,
    came_in_by,
    in_networks,
    in_set,
    network_json,
    network_text,
    of_family,
    rule_json,
    rule_text,
    sent_to_port,
    to_ports,
)
from callgate.firewall.rule import Family

Body = tuple[Written, ...]
_SET_TYPES: Final[dict[Family, str]] = {4: "ipv4_addr", 6: "ipv6_addr"}


def table_text(gate: Gate) -> str:
    """The table as a file for `nft -f`, which may be loaded any number of times; replaced in one transaction."""
    lines = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    for family in _with_sets(gate):
        elements = ", ".join(network_text(network) for network in gate.trusted_of(family))
        lines += [
            f"\tset {_set(family)} {{",
            f"\t\ttype {_SET_TYPES[family]}",
            "\t\tflags interval",
            f"\t\telements = {{ {elements} }}",
            "\t}",
        ]
    for where in _hooks(gate):
        lines += [f"\tchain {where} {{", f"\t\ttype filter hook {where} priority {PRIORITY}; policy accept;"]
        lines += [f"\t\t{rule_text(body)}" for body in _bodies(gate, where)]
        lines.append("\t}")
    return "\n".join([*lines, "}", ""])


def table_entries(gate: Gate) -> Iterator[Json]:
    """The same table as `nft -j list ruleset` lists it."""
    of_table = {"family": "inet", "table": TABLE}
    yield {"table": {"family": "inet", "name": TABLE}}
    for family in _with_sets(gate):
        elements = [network_json(network) for network in gate.trusted_of(family)]
        kind = {"type": _SET_TYPES[family], "flags": ["interval"], "elem": elements}
        yield {"set": {**of_table, "name": _set(family), **kind}}
    for where in _hooks(gate):
        base = {"type": "filter", "hook": where, "prio": PRIORITY, "policy": "accept"}
        yield {"chain": {**of_table, "name": where, **base}}
    for where in _hooks(gate):
        for body in _bodies(gate, where):
            yield rule_json("inet", TABLE, where, body)


def _hooks(gate: Gate) -> tuple[Where, ...]:
    return tuple(where for where in WHERE if gate.drops[where])


def _with_sets(gate: Gate) -> tuple[Family, ...]:
    return tuple(family for family in gate.families if gate.trusted_of(family))


def _set(family: Family) -> str:
    return f"trusted{family}"


def _bodies(gate: Gate, where: Where) -> Iterator[Body]:
    if where == "input":
        yield came_in_by(["lo"]), ACCEPT
    if gate.spared:
        yield came_in_by(gate.spared), ACCEPT
    trusted = [(in_set(family, "saddr", _set(family)), ACCEPT) for family in _with_sets(gate)]
    first = gate.before_replies(where)
    if first:
        yield from trusted
        for drop in first:
            yield from _dropping(drop)
    # Flows that this side began may go on; those that strangers began end here, however old they are.
    yield A_REPLY, ACCEPT
    if not first:
        yield from trusted
    for drop in gate.drops[where]:
        if drop not in first:
            yield from _dropping(drop)


def _dropping(drop: Drop) -> Iterator[Body]:
    first: list[Written] = []
    if drop.into:
        first.append(in_networks(drop.families[0], "daddr", drop.into))
    elif len(drop.families) == 1:
        first.append(of_family(drop.families[0]))
    if drop.translated:
        first.append(DESTINATION_TRANSLATED)
    for wanted in _wanted(drop):
        yield (*first, *wanted, DROP)


def _wanted(drop: Drop) -> Sequence[Body]:
    if drop.original:
        return [sent_to_port(drop.transport, span) for span in drop.ports]
    return [(to_ports(drop.transport, drop.ports),)]
