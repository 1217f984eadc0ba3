"""The words of one iptables rule, sorted into options of the rule, of its matches and of its target.

As in iptables, an option belongs to the match or target loaded last that has one of this name, and `-p tcp` brings
the tcp match along when an option asks for it. Malformed words raise ValueError.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final

from callgate.firewall.iptables.match import ALIASES, BY_PROTOCOL, match_named
from callgate.firewall.iptables.option import Arity, Match, Option, Target
from callgate.firewall.iptables.protocol import protocol_number
from callgate.firewall.iptables.target import TARGETS
from callgate.firewall.iptables.words import Quoted, shown
from callgate.firewall.rule import Goto, Jump

_GENERAL: Final[dict[str, Arity]] = {
    alias: Arity(names.split()[0], words)
    for names, words in (
        ("-p --protocol --proto", 1), ("-s --source --src", 1), ("-d --destination --dst", 1),
        ("-i --in-interface", 1), ("-o --out-interface", 1), ("-m --match", 1), ("-j --jump", 1), ("-g --goto", 1),
        ("-f --fragment --fragments", 0), ("-c --set-counters", 2), ("-4 --ipv4", 0), ("-6 --ipv6", 0),
        ("-v --verbose", 0), ("-n --numeric", 0),
    )
    for alias in names.split()
}  # fmt: skip
_NEGATABLE: Final = frozenset(("-p", "-s", "-d", "-i", "-o", "-f"))


@dataclass(slots=True)
class Loaded:
    """A match or target of the rule, and the options it was given."""

    name: str
    known: Match | Target | None
    options: list[Option] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    """Options that are not known, with their words."""


class ParsedRule:
    """What the words of a rule say, before anybody asks what it means."""

    def __init__(self, words: list[str], chains: Container[str]) -> None:
        self.given: dict[str, Option] = {}
        """The options of the rule itself by their short names, like `-s`."""
        self.loaded: list[Loaded] = []
        """Its matches and its target, in the order of loading."""
        self.target: Loaded | None = None
        self.chain: Jump | Goto | None = None
        self._chains = chains
        self._words = words
        self._at = 0
        while self._at < len(self._words):
            self._next_option()

    @property
    def protocol(self) -> int | None:
        """The protocol that -p demands; None when there is none, or it is negated."""
        given = self.given.get("-p")
        if given is None or given.negated:
            return None
        return protocol_number(given.value) or None

    def _next_option(self) -> None:
        word = self._take()
        negated = word == "!"
        if negated:
            if self._at >= len(self._words):
                raise ValueError("! with nothing behind it")
            word = self._take()
        if len(word) < 2 or word[0] != "-":
            raise ValueError(f"{shown(word)} stands where an option is expected")
        if word[1] != "-":
            if len(word) > 2:  # -ptcp
                self._words.insert(self._at, word[2:])
                word = word[:2]
        elif "=" in word:  # --dport=80
            word, _, value = word.partition("=")
            self._words.insert(self._at, value)
        name = word[2:]
        for loaded in reversed(self.loaded):
            if loaded.known is None:
                break
            if word[1] == "-" and name in loaded.known.options:
                self._give(loaded, loaded.known.options[name], negated)
                return
        general = _GENERAL.get(word)
        if general is not None:
            self._general(general, negated)
        elif word[1] != "-":
            raise ValueError(f"option {shown(word)} is not known")
        else:
            self._unfamiliar(name, negated)

    def _take(self) -> str:
        self._at += 1
        return self._words[self._at - 1]

    def _values(self, option: str, count: int) -> tuple[str, ...]:
        if self._at + count > len(self._words):
            raise ValueError(f"{shown(option)} lacks its value")
        self._at += count
        return tuple(self._words[self._at - count : self._at])

    def _old_negation(self, negated: bool, count: int) -> bool:
        """A `!` behind the option, as iptables before 1.4.3 printed it."""
        if count and self._at + count < len(self._words) and self._words[self._at] == "!":
            if isinstance(self._words[self._at], Quoted):
                return negated
            if negated:
                raise ValueError("! twice")
            self._at += 1
            return True
        return negated

    def _give(self, loaded: Loaded, arity: Arity, negated: bool) -> None:
        negated = self._old_negation(negated, arity.words)
        option = Option(arity.name, negated, self._values(arity.name, arity.words))
        repeats = not isinstance(loaded.known, Match) or loaded.known.repeats
        if not repeats and any(each.name == option.name for each in loaded.options):
            raise ValueError(f"--{option.name} twice")
        loaded.options.append(option)

    def _general(self, arity: Arity, negated: bool) -> None:
        name = arity.name
        if name in _NEGATABLE:
            negated = self._old_negation(negated, arity.words)
        if negated and name not in _NEGATABLE:
            raise ValueError(f"! cannot stand before {name}")
        values = self._values(name, arity.words)
        if name == "-m":
            self.loaded.append(Loaded(values[0], match_named(values[0])))
            return
        if name in self.given or (name in ("-j", "-g") and self.given.keys() & {"-j", "-g"}):
            raise ValueError(f"{name} twice")
        self.given[name] = Option(name, negated, values)
        if name == "-j":
            self._jump(values[0])
        elif name == "-g":
            if values[0] not in self._chains:
                raise ValueError(f"goes to chain {shown(values[0])}, which is not declared")
            self.chain = Goto(values[0])

    def _jump(self, name: str) -> None:
        if name in self._chains:
            self.chain = Jump(name)
            return
        if name not in TARGETS and name.upper() != name:
            raise ValueError(f"jumps to chain {shown(name)}, which is not declared")
        self.target = Loaded(name, TARGETS.get(name))
        self.loaded.append(self.target)

    def _unfamiliar(self, name: str, negated: bool) -> None:
        """An option that no loaded match has under just this name."""
        newest = self.loaded[-1] if self.loaded else None
        if newest is None or newest.known is not None:
            implied = self._implied()
            if implied is not None and implied.known is not None and name in implied.known.options:
                self.loaded.insert(len(self.loaded) - (newest is self.target and newest is not None), implied)
                self._give(implied, implied.known.options[name], negated)
                return
            if self._abbreviated(name, negated):
                return
        if newest is None:
            raise ValueError(f"option {shown('--' + name)} is not known")
        words = ["! " * negated + "--" + name]
        while self._at < len(self._words) and not self._at_option():
            words.append(self._take())
        newest.strange.append(" ".join(words))

    def _at_option(self) -> bool:
        word = self._words[self._at]
        if isinstance(word, Quoted):
            return False
        return word == "!" or (len(word) > 1 and word[0] == "-" and not word[1].isdigit())

    def _implied(self) -> Loaded | None:
        """The match that the protocol brings along, unless it is loaded already."""
        name = BY_PROTOCOL.get(self.protocol or 0)
        if name is None or any(ALIASES.get(each.name, each.name) == name for each in self.loaded):
            return None
        return Loaded(name, match_named(name))

    def _abbreviated(self, name: str, negated: bool) -> bool:
        """Options may be cut short where only one begins so (getopt_long)."""
        found: dict[Arity, Loaded | None] = {
            arity: None for alias, arity in _GENERAL.items() if alias.startswith(f"--{name}")
        }
        candidates = [*self.loaded]
        implied = self._implied()
        if implied is not None:
            candidates.append(implied)
        for loaded in candidates:
            if loaded.known is not None:
                for alias, arity in loaded.known.options.items():
                    if alias.startswith(name):
                        found[arity] = loaded
        if len(found) != 1 or not name:
            return False
        ((arity, owner),) = found.items()
        if owner is None:
            self._general(arity, negated)
            return True
        if owner is implied:
            self.loaded.insert(0, owner)
        self._give(owner, arity, negated)
        return True
