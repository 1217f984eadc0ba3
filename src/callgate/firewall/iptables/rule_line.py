"""One rule of an iptables dump: its words become steps."""

from __future__ import annotations

from collections.abc import Container
from typing import Literal, NamedTuple

from callgate.firewall.iptables.address import addresses
from callgate.firewall.iptables.doubt import later_fragment
from callgate.firewall.iptables.option import Match, Option, Surroundings, Target, Use, one_number, shared
from callgate.firewall.iptables.parse import Loaded, ParsedRule
from callgate.firewall.iptables.protocol import protocol_number
from callgate.firewall.iptables.words import shown, split_words
from callgate.firewall.rule import (
    ALWAYS,
    NEVER,
    Condition,
    Every,
    Family,
    Interface,
    InterfaceName,
    Opaque,
    Step,
)


class Spec(NamedTuple):
    """What a rule's words say: the steps, and what the reader of the dump must know beside them."""

    steps: tuple[Step, ...]
    tracks: bool = False
    """Whether the rule makes the kernel track connections."""
    sources: bool = False
    destinations: bool = False
    """Whether -s and -d were among the words."""
    skipped: bool = False
    """Whether the rule is for the other family (-4, -6)."""


class RuleReader:
    """Reads the rules of one table."""

    def __init__(self, around: Surroundings, chains: Container[str]) -> None:
        self._around = around
        self._chains = chains

    def read(self, text: str) -> Spec:
        """The steps of a rule's words (without `-A CHAIN`). Raises ValueError when they are malformed."""
        rule = ParsedRule(split_words(text), self._chains)
        families: set[Family] = {6 if name == "-6" else 4 for name in rule.given if name in ("-4", "-6")}
        if families and self._around.family not in families:
            return Spec((), skipped=True)
        tracks = any(self._tracks(loaded) for loaded in rule.loaded)
        return Spec(self._steps(rule), tracks, "-s" in rule.given, "-d" in rule.given)

    def _steps(self, rule: ParsedRule) -> tuple[Step, ...]:
        conditions = [*self._header(rule)]
        target = rule.target.name if rule.target is not None else None
        steps: list[Step] = []
        for loaded in rule.loaded:
            if loaded is rule.target:
                continue
            use = Use(loaded.name, tuple(loaded.options), rule.protocol, target, self._around)
            if loaded.known is None or loaded.strange or not isinstance(loaded.known, Match):
                conditions.append(use.unknown(" ".join(loaded.strange)[:60] or "not known here"))
            else:
                conditions.append(loaded.known.read(use))
        for condition in conditions:
            steps.extend(map(shared, condition.conditions if isinstance(condition, Every) else (condition,)))
        return (*steps, *self._action(rule))

    def _header(self, rule: ParsedRule) -> list[Condition]:
        """What is asked of the IP header and the interfaces."""
        conditions: list[Condition | None] = []
        given, family = rule.given, self._around.family
        if "-s" in given:
            conditions.append(addresses("source", family, given["-s"].value, given["-s"].negated))
        if "-d" in given:
            conditions.append(addresses("destination", family, given["-d"].value, given["-d"].negated))
        if "-i" in given:
            conditions.append(interface("iif", given["-i"]))
        if "-o" in given:
            conditions.append(interface("oif", given["-o"]))
        if "-p" in given:
            protocol = protocol_number(given["-p"].value)
            if protocol:
                conditions.append(one_number("protocol", protocol, given["-p"].negated))
            elif given["-p"].negated:
                raise ValueError("! -p all never matches")
        if "-f" in given:
            if family == 6:
                raise ValueError("-f is not of IPv6")
            conditions.append(later_fragment(given["-f"].negated))
        return [condition for condition in conditions if condition is not None and condition != ALWAYS]

    def _action(self, rule: ParsedRule) -> tuple[Step, ...]:
        if rule.chain is not None:
            return (rule.chain,)
        if rule.target is None:
            return ()
        known = rule.target.known
        if not isinstance(known, Target):
            return (Opaque(f"-j {rule.target.name[:60]}"),)
        if rule.target.strange and not known.harmless:
            return (Opaque(f"-j {rule.target.name} {rule.target.strange[0]}"[:120]),)
        use = Use(rule.target.name, tuple(rule.target.options), rule.protocol, rule.target.name, self._around)
        return known.act(use)

    def _tracks(self, loaded: Loaded) -> bool:
        if isinstance(loaded.known, Match):
            return loaded.known.tracks
        if loaded.known is None:
            return False
        return loaded.known.tracks(Use(loaded.name, tuple(loaded.options), None, None, self._around))


def interface(side: Literal["iif", "oif"], option: Option) -> Condition | None:
    """-i and -o: a name, or with `+` at its end a prefix; `+` alone is every interface and none."""
    name = option.value
    if not 0 < len(name) < 16:
        raise ValueError(f"{shown(name)} is not an interface name")
    if name == "+":
        return NEVER if option.negated else None
    wanted = InterfaceName(name[:-1], prefix=True) if name.endswith("+") else InterfaceName(name)
    return Interface(side, (wanted,), option.negated)
