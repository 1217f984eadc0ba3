"""The steps of one rule while it is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from callgate.firewall.nftables.key import Key
from callgate.firewall.nftables.match import Scope
from callgate.firewall.nftables.set_elements import branches, pairs
from callgate.firewall.nftables.value import Json, MalformedJsonError, mapping
from callgate.firewall.rule import ACTIONS, ALWAYS, Action, Choose, Condition, FieldName, Opaque, SetMark

NOTHING: Final = Choose(())
"""What `continue` does in a verdict map that is the last statement: no more of this rule."""
UNCHANGED: Final = SetMark("mark", keep=0xFFFFFFFF)
"""What it does elsewhere: the mark stays as it is, and the rule goes on."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """An action that writes a field of the packet which matters only if some rule looks at it."""

    field: FieldName
    why: str


@dataclass(slots=True, eq=False)
class Steps:
    """Conditions and actions in the order the kernel takes them."""

    scope: Scope
    steps: list[Condition | Action | Rewrite] = field(default_factory=list)
    rewrites: bool = False
    """Whether a step waits for what other rules look at."""
    _since: int = 0

    def demand(self, conditions: Iterable[Condition]) -> None:
        """The rule ends here unless they hold."""
        steps = self.steps
        for condition in conditions:
            for one in steps[self._since :]:
                if one is condition:
                    break
            else:
                if condition != ALWAYS:
                    steps.append(condition)

    def need(self, expression: Json) -> Key:
        """What an expression looks at; the rule ends here where nft's own conditions for it do not hold."""
        needs, key = self.scope.key(expression)
        self.demand(needs)
        return key

    def act(self, action: Action | Rewrite) -> None:
        """The rule does this, if it comes so far."""
        self.steps.append(action)
        self.rewrites = self.rewrites or isinstance(action, Rewrite)
        self._since = len(self.steps)

    def choose(self, content: Json) -> tuple[list[tuple[Condition, Json]], str | None]:
        """The data of a map (`{"key": ..., "data": ...}`) by condition, and why they are not all, if traffic adds some.

        Raises MalformedJsonError.
        """
        content = mapping(content, "a map")
        if not {"key", "data"} <= content.keys():
            raise MalformedJsonError("a map without key or data")
        key = self.need(content["key"])
        data, doubt = content["data"], None
        if type(data) is dict and "set" in data:
            found = branches(key, pairs(data["set"]), None)
        else:
            named = self.scope.named(data)
            found = named.branches(key)
            doubt = named.doubt
        return [(self.scope.share(one), datum) for one, datum in found], doubt

    def decide(self, chosen: list[tuple[Condition, Action]]) -> None:
        """The first branch that holds acts."""
        self.act(Choose(tuple(chosen)))

    def finished(self, looked_at: frozenset[FieldName] = frozenset()) -> tuple[Condition | Action, ...]:
        """The steps, without conditions that nothing follows, and without writes to fields no rule looks at."""
        steps: list[Any] = self.steps
        if self.rewrites:
            steps = [
                Opaque(step.why) if isinstance(step, Rewrite) else step
                for step in steps
                if not isinstance(step, Rewrite) or step.field in looked_at
            ]
        while steps and not isinstance(steps[-1], ACTIONS):
            steps.pop()
        if any(isinstance(step, Choose) for step in steps[:-1]):
            steps = [*(_going_on(step) if isinstance(step, Choose) else step for step in steps[:-1]), steps[-1]]
        return tuple(steps)


def _going_on(choose: Choose) -> Choose:
    """A verdict map that statements follow: `continue` in it goes on with them."""
    return Choose(tuple((one, UNCHANGED if action == NOTHING else action) for one, action in choose.branches))
