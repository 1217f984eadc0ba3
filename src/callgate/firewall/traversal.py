"""What a chain does to a view: one pass over its rules, then one sweep over the peers.

Every rule is decided once for all peers. What it does, and to whom, becomes a claim; the sweep walks the addresses
in order and takes, for each stretch of them, the first claims in rule order. Chains are summarised once for each
view, so a chain reached from a thousand rules costs one evaluation.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from callgate.firewall.decide import Deciding
from callgate.firewall.host import LAST, Host
from callgate.firewall.intervals import Intervals
from callgate.firewall.outcome import Fate, Outcome, OutcomeMap, Outcomes
from callgate.firewall.rule import (
    ACTIONS,
    Action,
    Chain,
    ChainName,
    Choose,
    Goto,
    Jump,
    NoTrack,
    Queue,
    Return,
    Rule,
    Ruleset,
    SetMark,
    Translate,
    Verdict,
)
from callgate.firewall.translation import translated
from callgate.firewall.view import View

VIEWS_A_CHAIN: Final = 64
"""How many different marks one chain is followed with before the mark counts as unknown."""


_PASSING: Final = OutcomeMap.constant(Outcome("pass"))


class _Claim(NamedTuple):
    """What one rule may do to the peers of a stretch. `through`: they may pass it by as well."""

    first: int
    stop: int
    outcomes: Outcomes
    through: bool


class Traversal:
    """Evaluates the chains of one ruleset on one host."""

    def __init__(self, ruleset: Ruleset, host: Host, marks_read: frozenset[str]) -> None:
        """`marks_read` names the marks that some rule looks at; setting another one changes nothing."""
        self._chains = ruleset.chains
        self._host = host
        self._marks_read = marks_read
        self._deciding: dict[View, Deciding] = {}
        self._maps: dict[tuple[ChainName, int, int, View], OutcomeMap] = {}
        self._marked_views: dict[ChainName, set[View]] = {}

    def summary(self, chain: Chain, view: View) -> OutcomeMap:
        """What the whole chain does; `fall` where it returns to its caller or ends without a verdict."""
        return self._from(chain, 0, 0, view)

    def _from(self, chain: Chain, rule: int, step: int, view: View) -> OutcomeMap:
        """What the chain does from a rule, and a step within it, onwards."""
        key = (chain.name, rule, step, view)
        known = self._maps.get(key)
        if known is None:
            known = self._maps[key] = self._sweep(view, self._claims(chain, rule, step, view))
        return known

    def _settled(self, chain: Chain, view: View) -> View:
        """The view itself, or one whose marks are unknown where the chain has been followed with too many."""
        seen = self._marked_views.setdefault(chain.name, set())
        if view in seen or len(seen) < VIEWS_A_CHAIN:
            seen.add(view)
            return view
        return replace(view, mark=None, ctmark=None)

    def _decide(self, view: View) -> Deciding:
        deciding = self._deciding.get(view)
        if deciding is None:
            deciding = self._deciding[view] = Deciding(self._host, view)
        return deciding

    def _claims(self, chain: Chain, start: int, step: int, view: View) -> list[list[_Claim]]:
        """The claims of each rule that may act, in rule order."""
        deciding = self._decide(view)
        holds, everyone = deciding.holds, deciding.everyone
        claims: list[list[_Claim]] = []
        everybodys: Counter[Outcomes] = Counter()
        rules = chain.rules
        for at in range(start, len(rules)):
            rule = rules[at]
            surely = maybe = everyone
            steps = rule.steps
            for number in range(step, len(steps)):
                one = steps[number]
                if not isinstance(one, ACTIONS):
                    also, perhaps = holds(one)
                    if surely is everyone:
                        surely = also
                    elif also is not everyone:
                        surely &= also
                    if perhaps is not everyone:
                        maybe = perhaps if maybe is everyone else maybe & perhaps
                        if not maybe:
                            break
                    continue
                if surely is everyone and isinstance(one, (SetMark, NoTrack)):
                    # Everybody is changed alike: no branch, only another view from here on.
                    changed = self._marked(one, view)
                    if changed is None:
                        break
                    if changed != view:
                        view = self._settled(chain, changed)
                        deciding = self._decide(view)
                        holds = deciding.holds
                    continue
                found = self._acting(chain, at, number, one, view, surely, maybe)
                if found is None:
                    continue
                if found:
                    first = found[0]
                    whole = len(found) == 1 and first.first == 0 and first.stop == everyone.bounds[1]
                    if whole and first.through:
                        # The same doubt over everybody again adds nothing.
                        kinds = frozenset(outcome._replace(because=()) for outcome in first.outcomes)
                        everybodys[kinds] += 1
                        if everybodys[kinds] > 1:
                            break
                    claims.append(found)
                    if whole and not first.through:
                        return claims
                break
            step = 0
        claims.append([_Claim(0, everyone.bounds[1], frozenset({Outcome("fall", view)}), False)])
        return claims

    def _acting(
        self, chain: Chain, at: int, number: int, action: Action, view: View, surely: Intervals, maybe: Intervals
    ) -> list[_Claim] | None:
        """The claims of one action; None when it changes nothing and the rule goes on."""
        rule = chain.rules[at]
        if isinstance(action, Choose):
            return self._choosing(chain, at, number, action, view, surely, maybe)
        if isinstance(action, (SetMark, NoTrack)):
            marked = self._marked(action, view)
            if marked is None:
                return []
            changed = self._settled(chain, marked)
            if changed == view:
                return None
            following = self._from(chain, at, number + 1, changed)
        elif isinstance(action, Jump):
            callee = self._chains[chain.name._replace(chain=action.chain)]
            following, passing = self._returned(self.summary(callee, view), chain, at, view)
            return list(_claimed(following, surely, maybe, passing))
        elif isinstance(action, Goto):
            following = self.summary(self._chains[chain.name._replace(chain=action.chain)], view)
        else:
            outcomes = self._ending(action, rule, view)
            return [_Claim(first, stop, outcomes, through) for first, stop, through in _stretches(surely, maybe)]
        return list(_claimed(following, surely, maybe, None))

    def _returned(self, summary: OutcomeMap, chain: Chain, at: int, view: View) -> tuple[OutcomeMap, Outcome]:
        """What a callee does, and the outcome that means: back behind the jump as before.

        What comes back changed goes on behind the jump as what it has become.
        """
        if all(after == view for fate, after in summary.kinds if fate == "fall"):
            return summary, Outcome("fall", view)

        def back(fate: Fate, after: View | None) -> OutcomeMap | None:
            if fate != "fall" or after is None:
                return None
            return _PASSING if after == view else self._from(chain, at + 1, 0, after)

        return summary.then(back), Outcome("pass")

    def _choosing(
        self, chain: Chain, at: int, number: int, choose: Choose, view: View, surely: Intervals, maybe: Intervals
    ) -> list[_Claim]:
        """The claims of the branches, each of which takes what the ones before it leave."""
        deciding = self._decide(view)
        claims: list[_Claim] = []
        for condition, action in choose.branches:
            also, perhaps = deciding.holds(condition)
            chosen, possible = surely & also, maybe & perhaps
            if possible:
                found = self._acting(chain, at, number, action, view, chosen, possible)
                if found is None:
                    # The branch changes nothing: the rule goes on with its next step.
                    following = self._from(chain, at, number + 1, view)
                    found = list(_claimed(following, chosen, possible, None))
                claims += found
            # A branch that may let its peers pass by leaves that possibility to the ones behind it.
            passes = isinstance(action, (Jump, SetMark, NoTrack, Choose))
            surely, maybe = surely - (perhaps if passes else also), maybe - also
            if not maybe:
                break
        return claims

    def _marked(self, action: SetMark | NoTrack, view: View) -> View | None:
        """The view with the mark set, or untracked; None when the rule ends here, for want of a flow."""
        if isinstance(action, NoTrack):
            # Too late for a packet that is tracked already.
            return replace(view, state="untracked") if view.state in (None, "invalid") else view
        flowless = view.state in (None, "invalid", "untracked")
        if flowless and action.target == "mark" and action.take:
            return None
        if action.target not in self._marks_read or (flowless and action.target == "ctmark"):
            return view
        own, other = (view.mark, view.ctmark) if action.target == "mark" else (view.ctmark, view.mark)
        value: int | None = None
        if action.why is None and (own is not None or not action.keep) and (other is not None or not action.take):
            value = ((own or 0) & action.keep) ^ ((other or 0) & action.take) ^ action.constant
        return replace(view, mark=value) if action.target == "mark" else replace(view, ctmark=value)

    def _ending(self, action: Action, rule: Rule, view: View) -> Outcomes:
        """The outcomes of an action that ends the traversal of the chain."""
        because = (rule,)
        match action:
            case Verdict(kind="accept"):
                return frozenset({Outcome("accept", view, because)})
            case Verdict(kind=kind):
                return frozenset({Outcome(kind, view if kind == "reject" else None, because)})
            case Return():
                return frozenset({Outcome("fall", view)})
            case Queue():
                return frozenset({Outcome("accept", view, because), Outcome("drop", None, because)})
            case Translate():
                return frozenset(
                    Outcome("accept" if after is not None else "unknown", after, because)
                    for after in translated(action, view, self._host)
                )
            case _:
                return frozenset({Outcome("unknown", None, because)})

    def _sweep(self, view: View, claims: list[list[_Claim]]) -> OutcomeMap:
        """For each stretch of peers, the first claims in rule order."""
        if len(claims) == 1 and len(claims[0]) == 1:
            return OutcomeMap([0], [claims[0][0].outcomes])
        starting: dict[int, list[tuple[int, Outcomes, bool]]] = {}
        ending: dict[int, list[tuple[int, Outcomes, bool]]] = {}
        for at, found in enumerate(claims):
            for number, claim in enumerate(found):
                entry = (at << 24 | number, claim.outcomes, claim.through)
                starting.setdefault(claim.first, []).append(entry)
                ending.setdefault(claim.stop, []).append(entry)
        active: list[int] = []
        held: dict[int, tuple[Outcomes, bool]] = {}
        end = LAST[view.family] + 1
        return OutcomeMap.joined(_walk(starting, ending, active, held, end))


def _walk(
    starting: dict[int, list[tuple[int, Outcomes, bool]]],
    ending: dict[int, list[tuple[int, Outcomes, bool]]],
    active: list[int],
    held: dict[int, tuple[Outcomes, bool]],
    end: int,
) -> Iterator[tuple[int, Outcomes]]:
    for point in sorted({*starting, *ending}):
        if point >= end:
            return
        for number, _, _ in ending.get(point, ()):
            del active[bisect_left(active, number)]
            del held[number]
        for number, outcomes, through in starting.get(point, ()):
            insort(active, number)
            held[number] = (outcomes, through)
        outcomes, through = held[active[0]]
        if through:
            gathered = set(outcomes)
            for number in active[1:]:
                outcomes, through = held[number]
                gathered |= outcomes
                if not through:
                    break
            outcomes = frozenset(gathered)
        yield point, outcomes


def _stretches(surely: Intervals, maybe: Intervals) -> Iterator[tuple[int, int, bool]]:
    """The stretches of `maybe`, each with whether its peers may pass by."""
    if surely.bounds == maybe.bounds:
        for at in range(0, len(maybe.bounds), 2):
            yield maybe.bounds[at], maybe.bounds[at + 1], False
        return
    for first, last in surely:
        yield first, last + 1, False
    for first, last in maybe - surely:
        yield first, last + 1, True


def _claimed(following: OutcomeMap, surely: Intervals, maybe: Intervals, passing: Outcome | None) -> Iterator[_Claim]:
    """The claims of what follows; the outcome `passing` means that the peer is back behind the rule."""
    for first, stop, through in _stretches(surely, maybe):
        for start, until, outcomes in following.segments(first, stop):
            if passing is not None and passing in outcomes:
                rest = outcomes - {passing}
                if rest:
                    yield _Claim(start, until, rest, True)
            else:
                yield _Claim(start, until, outcomes, through)
