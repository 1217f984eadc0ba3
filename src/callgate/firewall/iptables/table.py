"""One table of an iptables-save dump, while it is read."""

from __future__ import annotations

import re
from typing import Final, Literal

from callgate.firewall.iptables.address import address
from callgate.firewall.iptables.option import Surroundings
from callgate.firewall.iptables.rule_line import RuleReader, Spec
from callgate.firewall.iptables.words import number, shown
from callgate.firewall.rule import BaseChain, Chain, Condition, FieldName, Hook, Kind, Queue, Step

_HOOKS: Final[dict[str, Hook]] = {
    "PREROUTING": "prerouting", "INPUT": "input", "FORWARD": "forward", "OUTPUT": "output",
    "POSTROUTING": "postrouting",
}  # fmt: skip
_DESTINATION_NAT: Final = -100
_SOURCE_NAT: Final = 100
_PRIORITIES: Final[dict[str, dict[str, int]]] = {
    "raw": {"PREROUTING": -300, "OUTPUT": -300},
    "mangle": dict.fromkeys(_HOOKS, -150),
    "nat": {
        "PREROUTING": _DESTINATION_NAT, "OUTPUT": _DESTINATION_NAT, "INPUT": _SOURCE_NAT, "POSTROUTING": _SOURCE_NAT,
    },
    "filter": {"INPUT": 0, "FORWARD": 0, "OUTPUT": 0},
    "security": {"INPUT": 50, "FORWARD": 50, "OUTPUT": 50},
}  # fmt: skip
"""The chains the kernel enters, and their priorities (linux/netfilter_ipv4.h)."""

TABLES: Final = frozenset(_PRIORITIES)

_MOST_RULES: Final = 2_000_000
_LONGEST_INSERTED_INTO: Final = 65536
_FOR_FAMILY: Final = {"-4": 4, "--ipv4": 4, "-6": 6, "--ipv6": 6}
_COUNTERS = re.compile(r"\[\d+:\d+\][ \t]*")


def base_chain(chain: Chain, policy: Kind) -> BaseChain:
    """Where the kernel enters one of its own chains."""
    table, hook = chain.name.table, _HOOKS[chain.name.chain]
    kind: Literal["filter", "nat", "route"] = "filter"
    if table == "nat":
        kind = "nat"
    elif table == "mangle" and hook == "output":
        kind = "route"
    return BaseChain(chain, hook, _PRIORITIES[table][chain.name.chain], kind, policy)


Entry = tuple[tuple[Step, ...], str]
"""A rule's steps, and its text."""


class Table:
    """The chains of one table. Every method raises ValueError when the line is malformed."""

    def __init__(self, name: str, around: Surroundings) -> None:
        self.name = name
        self.tracks = False
        self.chains: dict[str, list[Entry]] = {}
        self.policies: dict[str, Kind] = {}
        self._queues: dict[str, str] = {}
        self._declared: set[str] = set()
        self._user_chains: set[str] = set()
        self._around = around
        self._reader = RuleReader(around, self._user_chains)
        self._specs: dict[str, Spec] = {}
        self._count = 0
        family = around.family
        self._source: FieldName = "saddr4" if family == 4 else "saddr6"
        self._destination: FieldName = "daddr4" if family == 4 else "daddr6"

    def take(self, line: str) -> None:
        """A line of the table other than a plain `-A`."""
        if line.startswith("["):
            counters = _COUNTERS.match(line)
            if counters is None:
                raise ValueError("has malformed counters")
            line = line[counters.end() :]
        if line.startswith(":"):
            self._declare(line[1:].split())
            return
        command, rest = _first_word(line)
        if command in _FOR_FAMILY:
            if _FOR_FAMILY[command] != self._around.family:
                return
            command, rest = _first_word(rest)
        if command in ("-A", "--append"):
            self.append(f"-A {rest}", line)
        elif command in ("-I", "--insert"):
            self._insert(rest, line)
        elif command in ("-P", "--policy"):
            words = rest.split()
            if len(words) != 2 or words[0] not in _PRIORITIES[self.name]:
                raise ValueError("is not a policy")
            self._set_policy(words[0], words[1], line)
        elif command in ("-N", "--new-chain", "--new"):
            self._new_chain(rest)
        elif command in ("-F", "--flush"):
            for entries in [self._chain(rest)] if rest else list(self.chains.values()):
                entries.clear()
        elif command not in ("-Z", "--zero"):
            raise ValueError("is not a line of an iptables-save dump")

    def append(self, line: str, text: str | None = None) -> None:
        """A line `-A CHAIN ...`; `text` is what the dump has."""
        if "\t" in line:
            text, line = text or line, line.replace("\t", " ")
        name, _, words = line[3:].partition(" ")
        if not name:
            name, _, words = line[3:].lstrip().partition(" ")
        entries = self.chains.get(name)
        if entries is None:
            entries = self._chain(name)
        self._add(len(entries), entries, words, text or line)

    def _insert(self, rest: str, text: str) -> None:
        name, _, words = rest.replace("\t", " ").partition(" ")
        place, _, behind = words.lstrip(" ").partition(" ")
        position = 1
        if place.isdigit():
            position, words = number(place, _MOST_RULES, "position"), behind
        entries = self._chain(name)
        if len(entries) > _LONGEST_INSERTED_INTO:
            raise ValueError(f"inserts into a chain of more than {_LONGEST_INSERTED_INTO} rules")
        if not 1 <= position <= len(entries) + 1:
            raise ValueError(f"position {position} is not in the chain")
        self._add(position - 1, entries, words, text)

    def _add(self, at: int, entries: list[Entry], words: str, text: str) -> None:
        steps = self._steps(words)
        if steps is not None:
            entries.insert(at, (steps, text.rstrip(" \t")))
        self._count += 1
        if self._count > _MOST_RULES:
            raise ValueError(f"more than {_MOST_RULES} rules")

    def _steps(self, words: str) -> tuple[Step, ...] | None:
        """The steps of a rule; None when it is for the other family.

        Dumps of address lists repeat all but the addresses, so what stands behind these is read once.
        """
        first: list[Condition] = []
        sources = destinations = False
        if words.startswith("-s "):
            text, _, rest = words[3:].partition(" ")
            if _plain(text):
                condition = address(self._source, self._around.family, text)
                words, sources = rest, True
                if condition is not None:
                    first.append(condition)
        if words.startswith("-d "):
            text, _, rest = words[3:].partition(" ")
            if _plain(text):
                condition = address(self._destination, self._around.family, text)
                words, destinations = rest, True
                if condition is not None:
                    first.append(condition)
        spec = self._specs.get(words)
        if spec is None:
            spec = self._specs[words] = self._reader.read(words)
            self.tracks = self.tracks or spec.tracks
        if (sources and spec.sources) or (destinations and spec.destinations):
            raise ValueError("-s or -d twice")
        if spec.skipped:
            return None
        return (*first, *spec.steps) if first else spec.steps

    def _chain(self, name: str) -> list[Entry]:
        """The rules of a chain; the kernel's own chains need no declaration."""
        if name not in self.chains:
            if name not in _PRIORITIES[self.name]:
                raise ValueError(f"chain {shown(name)} is not declared")
            self.chains[name] = []
            self.policies[name] = "accept"
        return self.chains[name]

    def _declare(self, words: list[str]) -> None:
        if not 2 <= len(words) <= 3 or (len(words) == 3 and not _COUNTERS.fullmatch(words[2])):
            raise ValueError("is not a chain's declaration")
        name, policy = words[:2]
        if name in self._declared:
            raise ValueError(f"chain {shown(name)} is declared twice")
        self._declared.add(name)
        if name in _PRIORITIES[self.name]:
            self._chain(name)
            self._set_policy(name, "ACCEPT" if policy == "-" else policy, ":" + " ".join(words))
        elif policy != "-":
            raise ValueError("a chain of one's own has no policy")
        else:
            self._new_chain(name)

    def _new_chain(self, name: str) -> None:
        if not name or len(name.split()) != 1 or name in self.chains or name in _PRIORITIES[self.name]:
            raise ValueError("is not the name of a new chain")
        self.chains[name] = []
        self._user_chains.add(name)
        self._declared.add(name)

    def _set_policy(self, name: str, policy: str, line: str) -> None:
        self._chain(name)
        if policy not in ("ACCEPT", "DROP", "QUEUE"):
            raise ValueError(f"policy {shown(policy)} is not known")
        self.policies[name] = "drop" if policy == "DROP" else "accept"
        self._queues.pop(name, None)
        if policy == "QUEUE":
            self._queues[name] = line

    def close(self) -> None:
        """Give chains whose policy is QUEUE a last rule that queues."""
        for name, line in self._queues.items():
            self.chains[name].append(((Queue(),), line))


def _first_word(line: str) -> tuple[str, str]:
    word, _, rest = line.replace("\t", " ").partition(" ")
    return word, rest.strip(" ")


def _plain(text: str) -> bool:
    """Whether the word behind -s is one address and nothing else."""
    return bool(text) and text[0] != "!" and "," not in text and '"' not in text
