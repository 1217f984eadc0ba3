"""A remedy on a host that has one already."""

from __future__ import annotations

import pytest
from tests.change.remedy.recorded import changed, recorded, texts_of

from callgate.change.remedy.foreseen import SeenAs, foreseen_target
from callgate.change.remedy.recipe import Format, Refused
from callgate.change.remedy.remedy import remedy, rollback

FORMATS: tuple[Format, ...] = ("nft", "iptables")


@pytest.mark.parametrize("form", FORMATS)
def test_host_that_is_remedied_needs_none(form: Format) -> None:
    target = recorded("ipt01-given")
    first = remedy(target, form)
    assert first is not None
    assert remedy(foreseen_target(target, first.recipe.ruleset), form) is None


@pytest.mark.parametrize("form", FORMATS)
def test_new_remedy_keeps_closed_what_the_one_before_closed(form: Format) -> None:
    target = recorded("ipt01-given")
    sccp = [service for service in target.plan.services if service.name == "sccp"]
    first = remedy(target, form, sccp)
    assert first is not None
    then = foreseen_target(target, first.recipe.ruleset)
    second = remedy(then, form)
    whole = remedy(target, form)
    assert second is not None
    assert whole is not None
    assert texts_of(second.recipe.ruleset) == texts_of(whole.recipe.ruleset)


def test_other_format_does_not_mix_with_the_one_that_is_there() -> None:
    target = changed("ipt01-given")
    sccp = [service for service in target.plan.services if service.name == "sccp"]
    first = remedy(target, "nft", sccp)
    assert first is not None
    with pytest.raises(Refused, match="a remedy of format nft is in place: use --format nft"):
        remedy(foreseen_target(target, first.recipe.ruleset), "iptables")


@pytest.mark.parametrize("form", FORMATS)
def test_rollback_of_a_host_that_is_remedied_is_the_one_of_its_remedy(form: Format) -> None:
    target = recorded("ipt01-given")
    first = remedy(target, form)
    assert first is not None
    back = rollback(foreseen_target(target, first.recipe.ruleset), form)
    assert back is not None
    assert back.script.endswith('main "${1:-rollback}" </dev/null\n')
    assert back.files == first.recipe.files


def test_host_goes_by_its_own_name_when_it_is_foreseen() -> None:
    target = recorded("ipt01-given")
    again = SeenAs(target, target.evidence)
    assert (again.name, again.uri, again.plan) == (target.name, target.uri, target.plan)
