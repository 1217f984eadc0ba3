"""How `callgate diff` says what changed: as JSON, as text, and in one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from callgate.change.comparison import Comparison
from callgate.change.flips import Flip, worsened
from callgate.change.shift import Kind, Shift
from callgate.firewall.sources import cidrs, in_words
from callgate.report.outcome import Verdict
from callgate.report.visible import one_line

_KINDS: Final[tuple[tuple[Kind, str], ...]] = (
    ("access", "who reaches other listeners"),
    ("listeners", "listeners"),
    ("translations", "translations"),
    ("sysctls", "kernel parameters"),
    ("network", "addresses and routes"),
    ("persistence", "what loads at boot"),
)
_SHOWN: Final = 400
_MOST: Final = 40
"""How many lines of one kind are shown."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything one run of the command found."""

    before: str
    after: str
    found: Comparison
    flips: tuple[Flip, ...] | None
    """None where the controls' verdicts were not compared."""
    undetermined: tuple[str, ...] = ()
    """Beside what the comparison itself could not tell."""

    @property
    def regression(self) -> bool | None:
        """Whether something got worse, in access or in a control's verdict; None when that is not known."""
        unknown = self.undetermined or self.found.unknown_at_boot
        told = {self.found.regression, worsened(self.flips or ()), None if unknown else False}
        return True if True in told else None if None in told else False

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        found = self.found
        return {
            "before": self.before,
            "after": self.after,
            "gained": [_row(shift) for shift in found.gained],
            "lost": [_row(shift) for shift in found.lost],
            "controls": [
                {
                    "control": flip.control,
                    "case": flip.case,
                    "service": flip.service,
                    "before": flip.before,
                    "after": flip.after,
                }
                for flip in self.flips or ()
            ],
            **{kind: [{"text": change.text, **change.data} for change in found.of(kind)] for kind, _ in _KINDS},
            "doubtful": [_row(shift) for shift in found.doubtful],
            "notes": list(found.notes),
            "undetermined": [*found.undetermined, *self.undetermined, *found.unknown_at_boot],
            "widened": found.widened,
            "locked_out": found.locked_out,
            "reasons": list(found.reasons),
            "same_rules": found.same_rules,
            "regression": self.regression,
        }


def _row(shift: Shift) -> dict[str, Any]:
    family, interface = shift.entrance
    return {
        "service": shift.service,
        "family": family,
        "interface": interface,
        "sources": [text for text, _ in cidrs(family, shift.surely)],
        "doubtful": [text for text, _ in cidrs(family, shift.perhaps)],
        "rules": list(shift.rules),
        "offered": shift.offered,
        "example": shift.example,
    }


def as_text(outcome: Outcome) -> str:
    """For people: a section for each kind of change, the verdict last."""
    return "\n".join(_lines(outcome))


def verdict(outcome: Outcome) -> str:
    """The verdict in one line."""
    found, flipped = outcome.found, outcome.flips or ()
    if outcome.regression:
        said = ["strangers gained access"] if found.widened else []
        said += ["phones lost access"] if found.locked_out else []
        worse = dict.fromkeys(flip.control for flip in flipped if flip.regression)
        said += [f"{', '.join(worse)} passed and now {'fails' if len(worse) == 1 else 'fail'}"] if worse else []
        return f"regression: {'; '.join(said)}"
    if outcome.regression is None:
        unsure = [*found.undetermined, *outcome.undetermined, *found.unknown_at_boot]
        unsure += [f"{_named(flip)} is {flip.after or 'not assessed'}" for flip in flipped if flip.regression is None]
        unsure += ["it rests on something the evidence does not tell"] if not unsure else []
        more = f" (and {len(unsure) - 1} more)" if len(unsure) > 1 else ""
        return f"not determined whether it is a regression: {one_line(unsure[0], _SHOWN)}{more}"
    if not found.nothing or flipped:
        return "no regression"
    return "no change" if found.same_rules else "no change: the rules are written otherwise, and let in the same"


def _lines(outcome: Outcome) -> Iterator[str]:
    found = outcome.found
    yield f"{one_line(outcome.before, _SHOWN)} -> {one_line(outcome.after, _SHOWN)}"
    yield from _section("gained access", _shifts(found.gained, "through", "no rule forbids it"))
    yield from _section("lost access", _shifts(found.lost, "by", ""))
    for kind, title in _KINDS:
        yield from _section(title, (change.text for change in found.of(kind)))
    if outcome.flips is None:
        yield "controls: not compared"
    else:
        yield from _section("controls", map(_flip, outcome.flips))
    for title, lines in (
        ("why", found.reasons),
        ("in doubt before and after, and so not compared", _doubts(found.doubtful)),
        ("not determined", (*found.undetermined, *outcome.undetermined, *found.unknown_at_boot)),
        ("to know", found.notes),
    ):
        if lines:
            yield from _section(title, lines)
    yield verdict(outcome)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    told = list(lines)
    yield f"{title}:" if told else f"{title}: no change"
    for line in told[:_MOST]:
        yield f"  {one_line(line, _SHOWN * 2)}"
    if len(told) > _MOST:
        yield f"  and {len(told) - _MOST} more"


def _shifts(shifts: Iterable[Shift], by: str, otherwise: str) -> Iterator[str]:
    """A line for each set of sources, with the interfaces it is the same on."""
    alike: dict[tuple[object, ...], list[Shift]] = {}
    for one in shifts:
        key = (one.service, one.entrance.family, one.surely, one.perhaps, one.rules, one.offered)
        alike.setdefault(key, []).append(one)
    for same in alike.values():
        first = same[0]
        family = first.entrance.family
        who = in_words(family, first.surely) if first.surely else ""
        if first.perhaps:
            who += f"{'; ' if who else ''}perhaps {in_words(family, first.perhaps)}"
        where = ", ".join(one.entrance.interface for one in same)
        example = f"; {first.example}" if first.example else ""
        rules = f", {by} {' and '.join(first.rules[:4])}" if first.rules else f", {otherwise}" if otherwise else ""
        nothing = "" if first.offered else " (nothing offers it)"
        yield f"{first.service} IPv{family} on {where}: {who}{nothing}{example}{rules}"


def _doubts(shifts: Iterable[Shift]) -> list[str]:
    alike: dict[tuple[str, int], dict[str, None]] = {}
    for one in shifts:
        alike.setdefault((one.service, one.entrance.family), {})[one.entrance.interface] = None
    return [f"{service} IPv{family} on {', '.join(names)}" for (service, family), names in alike.items()]


def _flip(flip: Flip) -> str:
    then, now = flip.before or "not assessed", flip.after or "not assessed"
    # Of what holds, the evidence is all there is to say.
    message = "" if flip.after is Verdict.PASS else " ".join(flip.message.strip().splitlines()[:2])
    return f"{_named(flip)}: {then} -> {now}{f': {message}' if message else ''}"


def _named(flip: Flip) -> str:
    """The control, with the service or other parameter it was asked for."""
    asked = flip.case.partition("[")[2].removesuffix("]")
    return f"{flip.control} ({asked})" if asked else flip.control
