"""What a chain does to a view: one pass over its rules, then one sweep over the peers.

Every rule is decided once for all peers and every view that is alive there (rules that set marks make new ones).
What it does, and to whom, becomes a claim; the sweep walks the addresses in order and follows, for each stretch of
them, the claims in rule order. Chains are summarised once for each view, so a chain reached from a thousand rules
costs one evaluation.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from callgate.firewall.decide import Deciding
from callgate.firewall.host import LAST, Host
from callgate.firewall.intervals import Intervals
from callgate.firewall.outcome import Outcome, OutcomeMap, Outcomes, few
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
    Step,
    Translate,
    Verdict,
)
from callgate.firewall.translation import translated
from callgate.firewall.view import View

VIEWS_A_CHAIN: Final = 64
"""How many different marks one chain is followed with before the mark counts as unknown."""


class _Claim(NamedTuple):
    """What one rule may do to the peers of a stretch that come to it as `origin`.

    A `pass` among the outcomes goes on with the next rule, as what it has become. `through`: so may the origin.
    """

    first: int
    stop: int
    origin: View
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
        self._maps: dict[tuple[ChainName, View], OutcomeMap] = {}

    def summary(self, chain: Chain, view: View) -> OutcomeMap:
        """What the whole chain does; `fall` where it returns to its caller or ends without a verdict."""
        key = (chain.name, view)
        known = self._maps.get(key)
        if known is None:
            known = self._maps[key] = _swept(view, self._claims(chain, view))
        return known

    def _decide(self, view: View) -> Deciding:
        deciding = self._deciding.get(view)
        if deciding is None:
            deciding = self._deciding[view] = Deciding(self._host, view)
        return deciding

    def _claims(self, chain: Chain, start: View) -> list[list[_Claim]]:
        """The claims of each rule that may act, in rule order."""
        alive: dict[View, Deciding] = {start: self._decide(start)}
        followed = {start}
        claims: list[list[_Claim]] = []
        doubted: set[tuple[View, Outcomes]] = set()
        everyone = alive[start].everyone
        end = everyone.bounds[1]
        for rule in chain.rules:
            found: list[_Claim] = []
            dead: list[View] = []
            for view, deciding in alive.items():
                own = list(self._acts(rule, rule.steps, 0, view, view, everyone, everyone, deciding, followed))
                if not own:
                    continue
                first = own[0]
                if first.first == 0 and first.stop == end and len(own) == 1:
                    if not first.through:
                        dead.append(view)
                    else:
                        # The same doubt over everybody again adds nothing.
                        kinds = (view, frozenset(outcome._replace(because=()) for outcome in first.outcomes))
                        if kinds in doubted:
                            continue
                        doubted.add(kinds)
                found += own
            if not found:
                continue
            claims.append(found)
            for view in dead:
                del alive[view]
            for claim in found:
                for outcome in claim.outcomes:
                    if outcome.fate == "pass" and outcome.view is not None and outcome.view not in alive:
                        alive[outcome.view] = self._decide(outcome.view)
            if not alive:
                break
        return claims

    def _acts(
        self,
        rule: Rule,
        steps: tuple[Step, ...],
        number: int,
        origin: View,
        view: View,
        surely: Intervals,
        maybe: Intervals,
        deciding: Deciding,
        followed: set[View],
    ) -> Iterator[_Claim]:
        """The claims of a rule from one of its steps on, for the peers that come so far as `view`."""
        holds, everyone = deciding.holds, deciding.everyone
        for at in range(number, len(steps)):
            one = steps[at]
            if not isinstance(one, ACTIONS):
                also, perhaps = holds(one)
                if surely is everyone:
                    surely = also
                elif also is not everyone:
                    surely &= also
                if perhaps is not everyone:
                    maybe = perhaps if maybe is everyone else maybe & perhaps
                    if not maybe:
                        return
                continue
            if isinstance(one, Choose):
                yield from self._chooses(rule, steps, at, origin, one, view, surely, maybe, deciding, followed)
                return
            if isinstance(one, (SetMark, NoTrack)):
                changed = self._marked(one, view, followed)
                if changed is None:
                    return
                if changed == view:
                    continue
                more = self._decide(changed)
                yield from self._acts(rule, steps, at + 1, origin, changed, surely, maybe, more, followed)
                yield from _claimed(OutcomeMap.constant(Outcome("pass", changed)), surely, maybe, origin)
                return
            yield from self._ends(rule, one, origin, view, surely, maybe)
            return

    def _chooses(
        self,
        rule: Rule,
        steps: tuple[Step, ...],
        at: int,
        origin: View,
        choose: Choose,
        view: View,
        surely: Intervals,
        maybe: Intervals,
        deciding: Deciding,
        followed: set[View],
    ) -> Iterator[_Claim]:
        """The claims of the branches, each of which takes what the ones before it leave."""
        for condition, action in choose.branches:
            also, perhaps = deciding.holds(condition)
            chosen, possible = surely & also, maybe & perhaps
            if possible:
                # The branch, and then the rest of the rule for what it lets go on.
                branch = (action, *steps[at + 1 :])
                yield from self._acts(rule, branch, 0, origin, view, chosen, possible, deciding, followed)
            # A branch that may let its peers pass by leaves that possibility to the ones behind it.
            passes = isinstance(action, (Jump, SetMark, NoTrack, Choose))
            surely, maybe = surely - (perhaps if passes else also), maybe - also
            if not maybe:
                return

    def _ends(
        self, rule: Rule, action: Action, origin: View, view: View, surely: Intervals, maybe: Intervals
    ) -> Iterator[_Claim]:
        """The claims of an action that ends the rule."""
        because = (rule,)
        if isinstance(action, Jump):
            callee = self._chains[rule.chain._replace(chain=action.chain)]
            yield from _claimed(_returning(self.summary(callee, view)), surely, maybe, origin)
            return
        if isinstance(action, Goto):
            goal = self._chains[rule.chain._replace(chain=action.chain)]
            yield from _claimed(self.summary(goal, view), surely, maybe, origin)
            return
        match action:
            case Verdict(kind="accept"):
                outcomes = frozenset({Outcome("accept", view, because)})
            case Verdict(kind=kind):
                outcomes = frozenset({Outcome(kind, view if kind == "reject" else None, because)})
            case Return():
                outcomes = frozenset({Outcome("fall", view)})
            case Queue():
                outcomes = frozenset({Outcome("accept", view, because), Outcome("drop", None, because)})
            case Translate():
                outcomes = frozenset(
                    Outcome("accept" if after is not None else "unknown", after, because)
                    for after in translated(action, view, self._host)
                )
            case _:
                outcomes = frozenset({Outcome("unknown", None, because)})
        for first, stop, through in _stretches(surely, maybe):
            yield _Claim(first, stop, origin, outcomes, through)

    def _marked(self, action: SetMark | NoTrack, view: View, followed: set[View]) -> View | None:
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
        changed = replace(view, mark=value) if action.target == "mark" else replace(view, ctmark=value)
        if changed not in followed and len(followed) >= VIEWS_A_CHAIN:
            return replace(view, mark=None, ctmark=None)
        followed.add(changed)
        return changed


def _returning(summary: OutcomeMap) -> OutcomeMap:
    """What a callee does, seen from the jump: what falls over its end goes on behind it."""
    return summary.then(lambda fate, after: OutcomeMap.constant(Outcome("pass", after)) if fate == "fall" else None)


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


def _claimed(following: OutcomeMap, surely: Intervals, maybe: Intervals, origin: View) -> Iterator[_Claim]:
    """The claims of what follows. Passing as the origin is passing by."""
    passing = Outcome("pass", origin)
    for first, stop, through in _stretches(surely, maybe):
        for start, until, outcomes in following.segments(first, stop):
            if passing in outcomes:
                if rest := outcomes - {passing}:
                    yield _Claim(start, until, origin, rest, True)
            else:
                yield _Claim(start, until, origin, outcomes, through)


def _swept(start: View, claims: list[list[_Claim]]) -> OutcomeMap:
    """For each stretch of peers, what the claims in rule order make of them."""
    end = LAST[start.family] + 1
    starting: dict[int, list[int]] = {0: []}
    ending: dict[int, list[int]] = {}
    held: dict[int, _Claim] = {}
    for at, found in enumerate(claims):
        for number, claim in enumerate(found):
            key = at << 32 | number
            held[key] = claim
            starting.setdefault(claim.first, []).append(key)
            ending.setdefault(claim.stop, []).append(key)
    return OutcomeMap.joined(_walk(start, starting, ending, held, end))


def _walk(
    start: View, starting: dict[int, list[int]], ending: dict[int, list[int]], held: dict[int, _Claim], end: int
) -> Iterator[tuple[int, Outcomes]]:
    active: list[int] = []
    nothing = frozenset({Outcome("fall", start)})
    for point in sorted({*starting, *ending}):
        if point >= end:
            return
        for key in ending.get(point, ()):
            del active[bisect_left(active, key)]
        for key in starting.get(point, ()):
            insort(active, key)
        if not active:
            yield point, nothing
            continue
        first = held[active[0]]
        if first.origin == start and not first.through and not _goes_on(first.outcomes):
            yield point, first.outcomes
        else:
            yield point, _follow(start, active, held)


def _goes_on(outcomes: Outcomes) -> bool:
    return any(outcome.fate == "pass" for outcome in outcomes)


def _follow(start: View, active: list[int], held: dict[int, _Claim]) -> Outcomes:
    """One stretch: the views that are alive there meet the claims rule by rule."""
    gathered: set[Outcome] = set()
    alive, fresh = {start}, set[View]()
    rule = -1
    for key in active:
        if key >> 32 != rule:
            rule = key >> 32
            alive |= fresh
            fresh.clear()
            if not alive:
                break
        claim = held[key]
        if claim.origin not in alive:
            continue
        for outcome in claim.outcomes:
            if outcome.fate != "pass":
                gathered.add(outcome)
            elif outcome.view is not None:
                fresh.add(outcome.view)
        if not claim.through:
            alive.discard(claim.origin)
    gathered.update(Outcome("fall", view) for view in alive | fresh)
    return few(frozenset(gathered))
