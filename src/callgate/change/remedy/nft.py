"""The remedy in nftables: a table that drops strangers, and accepts at the head of native chains that refuse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from callgate.audit.target import Target
from callgate.change.remedy.foreseen import read_tables, with_chain_rules, with_tables
from callgate.change.remedy.gate import MARK, TABLE, disjoint, gate_of, is_iptables
from callgate.change.remedy.need import Need
from callgate.change.remedy.nft_gate import Body, table_entries, table_text
from callgate.change.remedy.nft_text import (
    ACCEPT,
    DESTINATION_TRANSLATED,
    DISCOVERY,
    came_in_by,
    in_networks,
    rule_json,
    rule_text,
    sent_to_port,
    to_ports,
)
from callgate.change.remedy.opening import Accept, accepts, manager_of, met, not_opened, owned_by
from callgate.change.remedy.recipe import Recipe, Refused
from callgate.change.remedy.script import UNIT, WRITTEN, Work, by_shell, files_left, gate_script, here
from callgate.evidence.stream import FileState
from callgate.firewall.rule import BaseChain, ChainName, Ruleset

_FILE: Final = "gate.nft"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]{0,63}")


def recipe(target: Target, needs: tuple[Need, ...]) -> Recipe:
    """The remedy for these needs; the target's ruleset must be without a gate of ours.

    Raises Refused where the host has no nftables, or only accepts are needed and none can be made.
    """
    _require_nft(target)
    closing = any(need.action == "close" for need in needs)
    opened, left = accepts(target, needs)
    inserted, more = _insertions(opened)
    notes = not_opened([*left, *more])
    if not closing and not inserted:
        raise Refused("\n".join(notes) or "there is nothing to do")
    ruleset, text = target.evidence.policy.ruleset, WRITTEN
    does: list[str] = []
    if closing:
        gate = gate_of(target, needs)
        ruleset = with_tables(ruleset, read_tables(list(table_entries(gate))))
        text += table_text(gate)
        does += gate.in_words(f"table inet {TABLE}")
    for name, bodies in inserted.items():
        ruleset = _with_bodies(ruleset, name, bodies)
        text += _insertion(name, bodies)
        does.append(f"accepts at the head of chain {name}: {'; '.join(map(rule_text, bodies))}")
    cleared = list(_clearing(inserted))
    load = by_shell(f"nft -f /etc/callgate/{_FILE}")
    commands = (
        *(f"ExecStartPre=-{line}" for line in cleared),
        f"ExecStart={load}",
        *(f"ExecReload=-{line}" for line in cleared),
        f"ExecReload={load}",
    )
    work = Work(
        tools=("nft", "awk"),
        files=(_FILE,),
        commands=commands,
        functions=_functions(text, tuple(inserted), closing=closing),
        does=(*does, *(f"not done: {note}" for note in notes)),
    )
    return Recipe(
        "nft",
        gate_script(target, "nft", needs, work),
        ruleset,
        files=files_left({_FILE: text}, commands),
        units=(UNIT,),
        opens=met(needs, [*left, *more]),
        notes=notes,
    )


def _require_nft(target: Target) -> None:
    manifest = target.evidence.bundle.manifest
    record = manifest.files.get("nft.json") if manifest else None
    if record is not None and record.state is FileState.TOOL_MISSING:
        raise Refused("the host has no nft: use --format iptables")


def _insertions(opened: Iterable[Accept]) -> tuple[dict[ChainName, list[Body]], list[tuple[Need, str]]]:
    """The rules to insert, by chain; and the needs that cannot be met, with the reason."""
    found: dict[ChainName, list[Accept]] = {}
    left: dict[int, tuple[Need, str]] = {}
    for one in (opened := tuple(opened)):
        if reason := _not_here(one.base):
            left[id(one.need)] = (one.need, reason)
    for one in opened:
        # An accept in one chain is none while another still refuses.
        if id(one.need) not in left:
            found.setdefault(one.base.chain.name, []).append(one)
    return {name: list(_accepting(some)) for name, some in found.items()}, list(left.values())


def _not_here(base: BaseChain) -> str | None:
    """Why a chain is not edited by this format."""
    name = base.chain.name
    if owner := manager_of(base):
        return owned_by(owner)
    if is_iptables(name):
        return owned_by("iptables")
    if not (_NAME.fullmatch(name.table) and _NAME.fullmatch(name.chain)):
        return "the chain that refuses has a name that cannot be written"
    return None


def _accepting(some: Sequence[Accept]) -> Iterator[Body]:
    """The fewest accepts for one chain: ports of one transport, from the same networks, make one rule."""
    groups: dict[tuple[object, ...], list[Accept]] = {}
    for one in some:
        key = (one.need.interface, one.need.networks, one.need.service.transport)
        groups.setdefault(key, []).append(one)
    discovered: set[str | None] = set()
    for members in groups.values():
        need, hook = members[0].need, members[0].base.hook
        ports = disjoint((one.need.service.port[0], one.need.service.port[-1]) for one in members)
        first = () if need.interface is None else (came_in_by([need.interface]),)
        if any(one.need.discovery for one in members) and hook == "input" and need.interface not in discovered:
            discovered.add(need.interface)
            yield (*first, DISCOVERY, ACCEPT)
        first = (*first, in_networks(need.family, "saddr", need.networks))
        transport = need.service.transport
        if hook == "input":
            yield (*first, to_ports(transport, ports), ACCEPT)
        else:
            # Of what goes through, only what was sent to the service here: not transit.
            for span in ports:
                yield (*first, DESTINATION_TRANSLATED, *sent_to_port(transport, span), ACCEPT)


def _with_bodies(ruleset: Ruleset, name: ChainName, bodies: Sequence[Body]) -> Ruleset:
    entries = [
        {"table": {"family": name.family, "name": name.table}},
        {"chain": {"family": name.family, "table": name.table, "name": name.chain}},
        *(rule_json(name.family, name.table, name.chain, body) for body in bodies),
    ]
    read = read_tables(entries)
    rules = [
        replace(rule, text=rule_text(body, marked=True))
        for rule, body in zip(read.chains[name].rules, bodies, strict=True)
    ]
    return with_chain_rules(ruleset, name, rules, tracked=read.tracked)


def _insertion(name: ChainName, bodies: Sequence[Body]) -> str:
    """Insertions at the head, the last one first. Table and chain are declared: at boot they may not be there."""
    where = f"{name.family} {name.table} {name.chain}"
    lines = [f"add table {name.family} {name.table}", f"add chain {where}"]
    lines += [f"insert rule {where} {rule_text(body, marked=True)}" for body in reversed(bodies)]
    return "\n".join(lines) + "\n"


def _clearing(inserted: Mapping[ChainName, object]) -> Iterator[str]:
    """What the unit does before it loads the file again: a rule inserted twice would stand twice."""
    for name in inserted:
        where = f"{name.family} {name.table} {name.chain}"
        handles = f"nft -a list chain {where} | sed -n 's/.* comment \"{MARK}\" # handle \\([0-9]*\\)$/\\1/p'"
        yield by_shell(f"for h in $({handles}); do nft delete rule {where} handle $h; done")


def _functions(text: str, chains: Sequence[ChainName], *, closing: bool) -> str:
    present = [f"nft list table inet {TABLE} >/dev/null 2>&1"] if closing else []
    present += [f"marked | grep -q '^delete rule {name.family} {name.table} {name.chain} '" for name in chains]
    return f"""\
{here("gate_text", text)}
write_gate() {{ gate_text >"$1/{_FILE}"; }}

# Rules of an earlier run in others' chains, as commands that take them out.
marked() {{
    {{ nft -a -t list ruleset 2>/dev/null || nft -a list ruleset; }} | awk '
        /^table / {{ family = $2; table = $3 }}
        /^\tchain / {{ chain = $2 }}
        / comment "{MARK}" # handle [0-9]+$/ {{
            if (table != "{TABLE}") print "delete rule", family, table, chain, "handle", $NF
        }}'
}}

# What is there of an earlier run goes in the same transaction as the new file comes.
earlier_run() {{
    marked
    if nft list table inet {TABLE} >/dev/null 2>&1; then echo 'delete table inet {TABLE}'; fi
}}
# A file that cannot be read leaves what is there.
both() {{ new=$(cat "$1/{_FILE}") && {{ earlier_run; printf '%s\n' "$new"; }}; }}
check() {{ rules=$(both "$1") && printf '%s\n' "$rules" | nft -c -f -; }}
load() {{ rules=$(both "$1") && printf '%s\n' "$rules" | nft -f -; }}
unload() {{ earlier_run | nft -f -; }}
loaded() {{ {" && ".join(present)}; }}
"""
