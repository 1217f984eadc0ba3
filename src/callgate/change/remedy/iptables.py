"""The remedy in iptables: a chain in table mangle that drops strangers, and one in table filter that accepts.

Managers, Docker and fail2ban work in table filter: what is dropped in mangle, before it, no order of theirs undoes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from callgate.audit.target import Target
from callgate.change.remedy.foreseen import with_restored
from callgate.change.remedy.gate import CHAINS, Drop, Gate, Span, disjoint, gate_of, is_iptables
from callgate.change.remedy.need import WHERE, Need, Where
from callgate.change.remedy.opening import Accept, accepts, flushed_by, manager_of, met, not_opened, owned_by
from callgate.change.remedy.recipe import Recipe, Refused
from callgate.change.remedy.script import UNIT, WRITTEN, Work, by_shell, files_left, gate_script, here
from callgate.evidence.stream import FileState
from callgate.firewall.iptables.save import written_by
from callgate.firewall.rule import FAMILIES, Family, Ruleset

Backend = Literal["nft", "legacy"]
_FILES: Final[dict[Family, str]] = {4: "gate.v4", 6: "gate.v6"}
_TOOLS: Final[dict[Family, str]] = {4: "iptables", 6: "ip6tables"}
_SAVES: Final[dict[Family, str]] = {4: "iptables-save.txt", 6: "ip6tables-save.txt"}
_DROPPING: Final[dict[Where, str]] = {"input": CHAINS[0], "forward": CHAINS[1]}
_ACCEPTING: Final[dict[Where, str]] = {"input": CHAINS[2], "forward": CHAINS[3]}
_HOOKS: Final[dict[Where, str]] = {"input": "INPUT", "forward": "FORWARD"}
_HEADER: Final[dict[Family, str]] = {4: "ip", 6: "ip6"}
_LISTED: Final = 15
"""How many ports multiport takes; a range counts as two."""
_OURS: Final = " ".join(
    f"{table}:{_HOOKS[where]}:{names[where]}"
    for table, names in (("mangle", _DROPPING), ("filter", _ACCEPTING))
    for where in WHERE
)
_SHARED: Final = f"""\
# The file for a tool, with each jump that stands already taken out before it is put in front again.
anew() {{
    table=
    while IFS= read -r line; do
        case "$line" in
            '*'*) table=${{line#?}} ;;
            '-I '*)
                # shellcheck disable=SC2086
                if "$1" -w -t "$table" -C ${{line#-I }} 2>/dev/null; then printf '%s\\n' "-D ${{line#-I }}"; fi
                ;;
        esac
        printf '%s\\n' "$line"
    done <"$(file_of "$1" "$2")"
}}
file_of() {{ case "$1" in ip6*) printf %s "$2/gate.v6" ;; *) printf %s "$2/gate.v4" ;; esac; }}

# A file that cannot be read leaves what is there.
into() {{
    [ -r "$(file_of "$1" "$2")" ] || return 1
    anew "$1" "$2" | "$1-restore" -w --noflush && leave "$1" "$(file_of "$1" "$2")"
}}

# Chains of an earlier run that the file does not have.
leave() {{
    for one in {_OURS}; do
        table=${{one%%:*}} goal=${{one##*:}} chain=${{one#*:}} chain=${{chain%%:*}}
        if grep -q "^:$goal " "$2"; then continue; fi
        while "$1" -w -t "$table" -C "$chain" -j "$goal" 2>/dev/null; do
            "$1" -w -t "$table" -D "$chain" -j "$goal" || return 1
        done
        if "$1" -w -t "$table" -S "$goal" >/dev/null 2>&1; then
            "$1" -w -t "$table" -F "$goal" && "$1" -w -t "$table" -X "$goal" || return 1
        fi
    done
}}

without_rules() {{ [ -z "$("$1" -w -t "$2" -S 2>/dev/null | grep -v '^-P [A-Z]* ACCEPT$')" ]; }}
"""


def recipe(target: Target, needs: tuple[Need, ...]) -> Recipe:
    """The remedy for these needs; the target's ruleset must be without a gate of ours.

    Raises Refused where the host has no iptables, a manager would flush it, or only accepts are needed and none can be
    made.
    """
    ruleset = target.evidence.policy.ruleset
    if manager := flushed_by(ruleset):
        instead = "firewalld or nft" if manager == "firewalld" else "nft"
        raise Refused(f"{manager} flushes all tables of iptables: use --format {instead}")
    closing = any(need.action == "close" for need in needs)
    gate = gate_of(target, needs)
    opened, left = accepts(target, needs)
    backends = {family: _backend(target, family) for family in FAMILIES}
    ours, more = _possible(opened, backends)
    notes = not_opened([*left, *more])
    if not closing and not ours:
        raise Refused("\n".join(notes) or "there is nothing to do")
    texts: dict[Family, str] = {}
    does: list[str] = list(gate.in_words(f"chain {CHAINS[0]} in table mangle")) if closing else []
    for family in FAMILIES:
        mine = [one for one in ours if one.family == family]
        if family not in gate.families and not mine:
            continue
        _require_tool(target, family)
        texts[family] = WRITTEN + "".join(f"{line}\n" for line in _lines(gate, mine, family))
        ruleset = with_restored(ruleset, texts[family], family=family, backend=backends[family])
        does += [f"accepts in table filter (IPv{family}): {line}" for line in _accepting(mine)]
    commands = tuple(_commands(texts))
    work = Work(
        tools=tuple(f"{_TOOLS[family]}{suffix}" for family in texts for suffix in ("", "-save", "-restore")),
        files=tuple(_FILES[family] for family in texts),
        commands=commands,
        functions=_functions(texts, list(_made(texts, target.evidence.policy.ruleset, backends))),
        does=(*does, *(f"not done: {note}" for note in notes)),
    )
    files = files_left({_FILES[family]: text for family, text in texts.items()}, commands)
    return Recipe(
        "iptables",
        gate_script(target, "iptables", needs, work),
        ruleset,
        files=files,
        units=(UNIT,),
        opens=met(needs, [*left, *more]),
        notes=notes,
    )


def _backend(target: Target, family: Family) -> Backend:
    """The back end that the command `iptables` has on the host."""
    bundle = target.evidence.bundle
    texts = [bundle.text(_SAVES[one]) for one in (family, *FAMILIES) if _SAVES[one] in bundle]
    for text in texts:
        if text.strip():
            return written_by(text) or "legacy"
    # The legacy tool prints every table that the kernel has; the other one nothing where there is none of its own.
    tables = {name.backend for name in target.evidence.policy.ruleset.chains if is_iptables(name)}
    return "legacy" if not texts and tables == {"legacy"} else "nft"


def _require_tool(target: Target, family: Family) -> None:
    manifest = target.evidence.bundle.manifest
    record = manifest.files.get(_SAVES[family]) if manifest else None
    if record is not None and record.state is FileState.TOOL_MISSING:
        raise Refused(f"the host has no {_TOOLS[family]}: use --format nft")


def _possible(opened: Sequence[Accept], backends: dict[Family, Backend]) -> tuple[list[Accept], list[tuple[Need, str]]]:
    """The accepts that this format can make; and the needs that it cannot meet, with the reason."""
    left: dict[int, tuple[Need, str]] = {}
    for one in opened:
        name = one.base.chain.name
        if not is_iptables(name):
            left[id(one.need)] = (one.need, owned_by(manager_of(one.base) or "nft"))
        elif name.backend != backends[one.family]:
            left[id(one.need)] = (
                one.need,
                f"a table of iptables-{name.backend} refuses, which is not the host's iptables",
            )
        elif name.table != "filter":
            left[id(one.need)] = (one.need, f"iptables' table {name.table} refuses, which is not for filtering")
    # An accept in one chain is none while another still refuses.
    return [one for one in opened if id(one.need) not in left], list(left.values())


def _lines(gate: Gate, opened: Sequence[Accept], family: Family) -> Iterator[str]:
    """A file for `iptables-restore --noflush`: our chains anew, and jumps to them in front."""
    dropping: list[tuple[Where, list[str]]] = [
        (where, list(_dropping(gate, where, family)))
        for where in WHERE
        if any(family in drop.families for drop in gate.drops[where])
    ]
    if dropping:
        yield "*mangle"
        for where, _ in dropping:
            yield f":{_DROPPING[where]} - [0:0]"
        for where, _ in dropping:
            yield _jump(_HOOKS[where], _DROPPING[where])
        for where, rules in dropping:
            yield from (f"-A {_DROPPING[where]} {rule}" for rule in rules)
        yield "COMMIT"
    accepting = [
        (where, rules)
        for where in WHERE
        if (rules := list(_accepting([one for one in opened if one.base.hook == where])))
    ]
    if accepting:
        yield "*filter"
        for where, _ in accepting:
            yield f":{_ACCEPTING[where]} - [0:0]"
        for where, _ in accepting:
            yield _jump(_HOOKS[where], _ACCEPTING[where])
        for where, rules in accepting:
            yield from (f"-A {_ACCEPTING[where]} {rule}" for rule in rules)
        yield "COMMIT"


def _jump(chain: str, goal: str) -> str:
    return f"-I {chain} -j {goal}"


def _dropping(gate: Gate, where: Where, family: Family) -> Iterator[str]:
    if where == "input":
        yield "-i lo -j RETURN"
    for name in gate.spared:
        yield f"-i {name} -j RETURN"
    trusted = [f"-s {network} -j RETURN" for network in gate.trusted_of(family)]
    drops = [drop for drop in gate.drops[where] if family in drop.families]
    first = [drop for drop in gate.before_replies(where) if drop in drops and family in gate.untracked]
    if first:
        yield from trusted
        for drop in first:
            yield from _drops(drop)
    # Flows that this side began may go on; those that strangers began end here, however old they are.
    yield "-m conntrack --ctdir REPLY -j RETURN"
    if not first:
        yield from trusted
    for drop in drops:
        if drop not in first:
            yield from _drops(drop)


def _drops(drop: Drop) -> Iterator[str]:
    into = [f"-d {network} " for network in drop.into] or [""]
    state = "--ctstate DNAT " if drop.translated else ""
    for network in into:
        if drop.original:
            for span in drop.ports:
                yield f"{network}-p {drop.transport} -m conntrack {state}--ctorigdstport {_port(span)} -j DROP"
        else:
            tracked = f"-m conntrack {state}" if state else ""
            for ports in _few(drop.ports):
                yield f"{network}-p {drop.transport} {tracked}{_to(drop.transport, ports)} -j DROP"


def _accepting(opened: Sequence[Accept]) -> Iterator[str]:
    """The fewest accepts: ports of one transport, from the same networks by the same interface, together."""
    groups: dict[tuple[object, ...], list[Accept]] = {}
    for one in opened:
        key = (one.base.hook, one.need.interface, one.need.networks, one.need.service.transport)
        groups.setdefault(key, []).append(one)
    discovered: set[str | None] = set()
    for members in groups.values():
        need, hook = members[0].need, members[0].base.hook
        came_in = "" if need.interface is None else f"-i {need.interface} "
        if any(one.need.discovery for one in members) and hook == "input" and need.interface not in discovered:
            discovered.add(need.interface)
            for kind in (135, 136):  # neighbour solicitation and advertisement (RFC 4861)
                yield f"{came_in}-p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT"
        transport = need.service.transport
        spans = disjoint((one.need.service.port[0], one.need.service.port[-1]) for one in members)
        for network in need.networks:
            first = f"-s {network} {came_in}-p {transport} "
            if hook == "input":
                for ports in _few(spans):
                    yield f"{first}{_to(transport, ports)} -j ACCEPT"
            else:
                # Of what goes through, only what was sent to the service here: not transit.
                for span in spans:
                    yield f"{first}-m conntrack --ctstate DNAT --ctorigdstport {_port(span)} -j ACCEPT"


def _to(transport: str, ports: Sequence[Span]) -> str:
    if len(ports) == 1:
        return f"-m {transport} --dport {_port(ports[0])}"
    return f"-m multiport --dports {','.join(map(_port, ports))}"


def _port(span: Span) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]}:{span[1]}"


def _few(ports: Sequence[Span]) -> Iterator[tuple[Span, ...]]:
    """Ports in lots that multiport takes."""
    lot: list[Span] = []
    room = _LISTED
    for span in ports:
        size = 1 if span[0] == span[1] else 2
        if size > room:
            yield tuple(lot)
            lot, room = [], _LISTED
        lot.append(span)
        room -= size
    if lot:
        yield tuple(lot)


def _jumps(text: str) -> Iterator[tuple[str, str, str]]:
    """Table, chain and goal of the jumps in a file of ours."""
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("-I "):
            _, chain, _, goal = line.split()
            yield table, chain, goal


def _commands(texts: dict[Family, str]) -> Iterator[str]:
    """The unit's lines: each family is loaded whatever becomes of the other.

    First as if the jumps stood already, and each were taken out and put in front again, in one transaction; where they
    do not stand, that changes nothing, and the file is loaded as it is.
    """
    first = "sed '/^-I /{h;s/^-I/-D/;p;g;}'"
    loads = []
    for family in texts:
        restore, file = f"{_TOOLS[family]}-restore -w --noflush", f"/etc/callgate/{_FILES[family]}"
        loads.append(f"{first} {file} | {restore} 2>/dev/null || {restore} {file} || failed=1")
    command = by_shell("; ".join(["failed=0", *loads, "exit $failed"]))
    yield f"ExecStart={command}"
    yield f"ExecReload={command}"


def _made(texts: dict[Family, str], before: Ruleset, backends: dict[Family, Backend]) -> Iterator[tuple[Family, str]]:
    """The tables that come into being with the first rule in them (nf_tables), and so go with the last."""
    there = {(name.backend, name.family, name.table) for name in before.chains}
    for family, text in texts.items():
        for table in dict.fromkeys(table for table, _, _ in _jumps(text)):
            if backends[family] == "nft" and ("nft", _HEADER[family], table) not in there:
                yield family, table


def _functions(texts: dict[Family, str], made: Sequence[tuple[Family, str]]) -> str:
    """The shell functions; `made`: tables that were not there before, of the nf_tables back end."""
    stands = [
        f"{_TOOLS[family]} -w -t {table} -C {chain} -j {goal} 2>/dev/null"
        for family, text in texts.items()
        for table, chain, goal in _jumps(text)
    ]
    parts = [here(f"text_{_TOOLS[family]}", text) for family, text in texts.items()]
    parts.append(_SHARED)
    writes = " && ".join(f'text_{_TOOLS[family]} >"$1/{_FILES[family]}"' for family in texts)
    check = " && ".join(
        f'anew {_TOOLS[family]} "$1" | {_TOOLS[family]}-restore -w --noflush --test' for family in texts
    )
    load = " && ".join(f'into {_TOOLS[family]} "$1"' for family in texts)
    tidy = [
        f"    without_rules {_TOOLS[family]} {table} && {{ nft delete table {_HEADER[family]} {table} 2>/dev/null ||"
        f" {_TOOLS[family]} -w -t {table} -X; }}"
        for family, table in made
    ]
    parts += [
        f"write_gate() {{ {writes}; }}",
        f"check() {{ {check}; }}",
        f"load() {{ {load}; }}",
        "unload() {",
        # Of both families, whichever an earlier remedy was about.
        "    for tool in iptables ip6tables; do",
        '        if command -v "$tool" >/dev/null 2>&1; then leave "$tool" /dev/null || return 1; fi',
        "    done",
        *(f"{line} || :" for line in tidy),
        "}",
        f"loaded() {{ {' && '.join(stands)}; }}",
    ]
    return "\n".join(parts) + "\n"
