"""From evidence to a remedy that is proven: what is needed, a recipe in one format, and the proof."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Final

from callgate.audit.target import Target
from callgate.baseline.service import Service
from callgate.change.remedy.foreseen import foreseen_target
from callgate.change.remedy.gate import FILES, gate_format, without_gate
from callgate.change.remedy.lasting import lasting_needs
from callgate.change.remedy.need import Need
from callgate.change.remedy.proof import prove
from callgate.change.remedy.recipe import Format, Recipe, Refused
from callgate.change.remedy.untracked import unanswerable
from callgate.errors import NotDetermined

_GATES: Final[tuple[Format, ...]] = ("nft", "iptables")
_DEFAULT: Final = '"${1:-apply}"'


@dataclass(frozen=True, slots=True)
class Remedy:
    """A remedy that the engine proved on this host."""

    recipe: Recipe
    needs: tuple[Need, ...]
    notes: tuple[str, ...]
    """What it leaves undone, and what the proof took for granted."""


def remedy(target: Target, form: Format, services: Sequence[Service] | None = None) -> Remedy | None:
    """The smallest change in one format that closes what is open and opens what is owed; None where nothing is wrong.

    `services`: those to be judged; None: all of the plan. Raises Refused where the format has no effective remedy, and
    NotDetermined where the evidence does not tell.
    """
    found = lasting_needs(target, services)
    if not found:
        return None
    if cut_off := tuple(unanswerable(target, found)):
        raise Refused("\n".join(("no effective remedy in any format:", *dict.fromkeys(cut_off))))
    bare, found = _bare(target, form, found)
    recipe = _format(form)(bare, found)
    proof = prove(target, recipe, services)
    if not proof:
        reasons = (*proof.reasons, *_instead(target, form, services))
        raise Refused("\n".join((f"no effective remedy in format {form}:", *reasons)))
    return Remedy(recipe, found, (*recipe.notes, *proof.notes))


def _instead(target: Target, form: Format, services: Sequence[Service] | None) -> Iterator[str]:
    """The gates that are proven where another format is not."""
    if form in _GATES:
        return
    for other in _GATES:
        with suppress(Refused, NotDetermined):
            if remedy(target, other, services):
                yield f"use --format {other}, which is proven here"


def rollback(target: Target, form: Format) -> Recipe | None:
    """What takes a remedy of this format out again; None where the host neither has one nor needs one.

    Raises Refused and NotDetermined as `remedy` does.
    """
    bare, found = _bare(target, form, lasting_needs(target))
    if not found and bare is not target:
        raise Refused("nothing would be wrong without the remedy: roll it back by the script that it came with")
    if not found and form in _GATES:
        return None
    # The managers' scripts note on the host what they added, and take that away whatever is needed now.
    recipe = _format(form)(bare, found)
    if _DEFAULT not in recipe.script:
        raise Refused(f"format {form} has its rollback within: the header of what is printed says how to ask for it")
    return replace(recipe, script=recipe.script.replace(_DEFAULT, _DEFAULT.replace("apply", "rollback")))


def _bare(target: Target, form: Format, found: tuple[Need, ...]) -> tuple[Target, tuple[Need, ...]]:
    """The host without the gate of an earlier remedy, which a new one replaces, and all that it needs then."""
    ruleset = target.evidence.policy.ruleset
    there = gate_format(ruleset)
    if there is None or form not in _GATES:
        return target, found
    if there != form:
        raise Refused(f"a remedy of format {there} is in place: use --format {there}, or roll that one back first")
    bare = foreseen_target(target, without_gate(ruleset), dict.fromkeys(FILES))
    return bare, lasting_needs(bare)


def _format(form: Format) -> Callable[[Target, tuple[Need, ...]], Recipe]:
    recipe: Callable[[Target, tuple[Need, ...]], Recipe] = import_module(f"callgate.change.remedy.{form}").recipe
    return recipe
