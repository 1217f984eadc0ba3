from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from callgate.baseline.library import Baseline, load_baseline
from callgate.errors import FileMistakes

Write = Callable[..., Path]

BASE = """\
id: base
title: The base
services: [sccp]
controls:
  - id: A-1
    title: First
    severity: high
    rationale: Because.
    remedy: Do.
    references: {cis-8.1: ["4.4"], pci-dss-4: [1.3.1]}
    parameters: {limit: 3, words: [a], strict: true, note: text, map: {a: 1}, open: }
  - {id: B-1, title: Second, severity: low, rationale: Because., remedy: Do.}
"""


@pytest.fixture
def family(write: Write) -> Callable[..., Baseline]:
    """The last of several baselines, given as `name="text"`; each is `name.yaml`, beside `base.yaml`."""

    def load(**texts: str) -> Baseline:
        write(BASE, "base.yaml")
        for name, text in texts.items():
            path = write(f"id: {name}\ntitle: {name}\n{text}", f"{name}.yaml")
        return load_baseline(str(path))

    return load


def told(load: Callable[[], object]) -> list[str]:
    with pytest.raises(FileMistakes) as raised:
        load()
    return [f"{one.path.name}:{one.line}: {one.text}" for one in raised.value.mistakes]


def test_a_baseline_has_all_it_inherits(family: Callable[..., Baseline]) -> None:
    ours = family(ours="extends: [base.yaml]\nservices: [tftp, sccp]\n")
    assert (ours.id, ours.title, ours.chain) == ("ours", "ours", ("base", "ours"))
    assert ours.services == ("sccp", "tftp")
    assert list(ours.controls) == ["A-1", "B-1"]
    assert ours.controls["A-1"].parameters["limit"] == 3


def test_an_entry_changes_what_it_names_and_nothing_else(family: Callable[..., Baseline]) -> None:
    before = family(ours="extends: [base.yaml]\n").controls["A-1"]
    text = "extends: [base.yaml]\ncontrols:\n  - {id: A-1, severity: low, parameters: {limit: 9, words: []}}\n"
    after = family(ours=text).controls["A-1"]
    assert after == before.model_copy(
        update={"severity": after.severity, "parameters": {**before.parameters, "limit": 9, "words": []}}
    )
    assert after.severity == "low"


def test_references_are_replaced_whole_and_keep_their_digits(family: Callable[..., Baseline]) -> None:
    text = "extends: [base.yaml]\ncontrols:\n  - {id: A-1, references: {cis-8.1: [4.10, 3.10, 4.4]}}\n"
    assert family(ours=text).controls["A-1"].references == {"cis-8.1": ("4.10", "3.10", "4.4")}


def test_a_control_switched_off_is_gone_and_may_come_back_whole(family: Callable[..., Baseline]) -> None:
    off = "extends: [base.yaml]\ncontrols:\n  - {id: A-1, enabled: false}\n"
    assert list(family(less=off).controls) == ["B-1"]
    again = "{id: A-1, title: Again, severity: low, rationale: R., remedy: D.}"
    back = family(less=off, back=f"extends: [./less.yaml]\ncontrols: [{again}]\n")
    assert back.controls["A-1"].title == "Again"
    assert back.controls["A-1"].parameters == {}


def test_a_shipped_name_a_relative_path_and_an_absolute_one_are_extended(write: Write) -> None:
    far = write(BASE, "deep/down/base.yaml")
    for number, name in enumerate(["voip-core", "../down/base.yaml", "./base.yaml", "base.yaml", str(far)]):
        ours = write(f"id: ours-{number}\ntitle: t\nextends: ['{name}']\n", f"deep/down/ours-{number}.yaml")
        assert len(load_baseline(str(ours)).chain) == 2


def test_judged_from_outside_is_inherited_unless_said_otherwise(family: Callable[..., Baseline]) -> None:
    assert family(ours="extends: [base.yaml]\n").judged_from == "inside"
    outside = "extends: [base.yaml]\njudged_from: outside\n"
    assert family(out=outside, ours="extends: [base.yaml, out.yaml]\n").judged_from == "outside"
    assert family(out=outside, ours="extends: [out.yaml]\njudged_from: inside\n").judged_from == "inside"


CHANGE = "extends: [base.yaml]\ncontrols:\n  - {id: A-1, severity: critical, parameters: {limit: 1}}\n"


@pytest.mark.parametrize("order", ["changed.yaml, plain.yaml", "plain.yaml, changed.yaml"])
def test_a_change_outlives_a_sibling_that_leaves_the_control_alone(family: Callable[..., Baseline], order: str) -> None:
    ours = family(plain="extends: [base.yaml]\n", changed=CHANGE, ours=f"extends: [{order}]\n")
    assert ours.controls["A-1"].severity == "critical"
    assert ours.controls["A-1"].parameters["limit"] == 1
    assert ours.chain[0] == "base"
    assert sorted(ours.chain) == ["base", "changed", "ours", "plain"]


def test_where_two_siblings_change_the_same_the_later_holds(family: Callable[..., Baseline]) -> None:
    other = "extends: [base.yaml]\ncontrols:\n  - {id: A-1, severity: low, title: Other}\n"
    first = family(changed=CHANGE, other=other, ours="extends: [changed.yaml, other.yaml]\n").controls["A-1"]
    assert (first.severity, first.title, first.parameters["limit"]) == ("low", "Other", 1)
    second = family(changed=CHANGE, other=other, ours="extends: [other.yaml, changed.yaml]\n").controls["A-1"]
    assert (second.severity, second.title, second.parameters["limit"]) == ("critical", "Other", 1)


@pytest.mark.parametrize("order", ["less.yaml, plain.yaml", "plain.yaml, less.yaml"])
def test_a_control_one_sibling_leaves_out_still_holds_for_the_other(
    family: Callable[..., Baseline], order: str
) -> None:
    off = "extends: [base.yaml]\ncontrols:\n  - {id: A-1, enabled: false}\n"
    ours = family(less=off, plain="extends: [base.yaml]\n", ours=f"extends: [{order}]\n")
    assert set(ours.controls) == {"A-1", "B-1"}


def test_two_that_define_the_same_control_are_not_mixed(family: Callable[..., Baseline]) -> None:
    one = "controls: [{id: X-1, title: One, severity: low, rationale: R., remedy: D., parameters: {one: 1}}]\n"
    two = "controls: [{id: X-1, title: Two, severity: high, rationale: R., remedy: D., parameters: {two: 2}}]\n"
    ours = family(one=one, two=two, ours="extends: [one.yaml, two.yaml]\n").controls["X-1"]
    assert (ours.title, ours.parameters) == ("Two", {"two": 2})


def test_a_circle_is_refused_in_the_line_that_closes_it(family: Callable[..., Baseline]) -> None:
    assert told(lambda: family(own="extends:\n  - own.yaml\n")) == [
        "own.yaml:4: extends.0: 'own.yaml' is this very file"
    ]
    assert told(
        lambda: family(a="extends: [b.yaml]\n", c="extends: [a.yaml]\n", b="services: []\nextends: [c.yaml]\n")
    ) == ["a.yaml:3: extends.0: 'b.yaml' extends this baseline in turn"]


def test_a_circle_through_links_is_refused(write: Write) -> None:
    path = write("id: a\ntitle: t\nextends: [link/a.yaml]\n", "one/a.yaml")
    (path.parent / "link").symlink_to(path.parent, target_is_directory=True)
    assert told(lambda: load_baseline(str(path))) == ["a.yaml:3: extends.0: 'link/a.yaml' is this very file"]
    (path.parent / "alias.yaml").symlink_to(path)
    write("id: b\ntitle: t\nextends: [alias.yaml]\n", "one/b.yaml")
    write("id: a\ntitle: t\nextends: [b.yaml]\n", "one/a.yaml")
    assert told(lambda: load_baseline(str(path))) == ["b.yaml:3: extends.0: 'alias.yaml' extends this baseline in turn"]
    (path.parent / "loop.yaml").symlink_to(path.parent / "loop.yaml")
    write("id: c\ntitle: t\nextends: [loop.yaml]\n", "one/c.yaml")
    (mistake,) = told(lambda: load_baseline(str(path.parent / "c.yaml")))
    assert mistake.startswith("c.yaml:3: extends.0: ")
    assert mistake.endswith("loop.yaml: there is no such baseline file")


def test_a_long_row_of_baselines_is_refused(write: Write) -> None:
    for number in range(400):
        path = write(f"id: n{number}\ntitle: t\nextends: [n{number + 1}.yaml]\n", f"n{number}.yaml")
    assert told(lambda: load_baseline(str(path.parent / "n0.yaml"))) == [
        "n19.yaml:3: extends.0: more than 20 baselines extend each other in a row"
    ]


def test_each_file_is_read_once_however_often_it_is_extended(write: Write) -> None:
    write(BASE, "a18.yaml")
    for number in range(18):
        for side in "ab":
            parents = f"a{number + 1}.yaml, {'b' if number < 17 else 'a'}{number + 1}.yaml"
            write(f"id: {side}{number}\ntitle: t\nextends: [{parents}]\n", f"{side}{number}.yaml")
    top = write("id: top\ntitle: t\nextends: [a0.yaml, b0.yaml]\n", "top.yaml")
    start = time.process_time()
    assert len(load_baseline(str(top)).chain) == 2 * 18 + 2
    assert time.process_time() - start < 5


def test_a_path_is_relative_to_the_file_and_not_to_where_one_stands(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(BASE, "etc/base.yaml")
    write("id: ours\ntitle: t\nextends: [./base.yaml]\n", "etc/ours.yaml")
    monkeypatch.chdir(os.sep)
    assert load_baseline(str(write("id: top\ntitle: t\nextends: [../etc/ours.yaml]\n", "sub/top.yaml"))).chain == (
        "base",
        "ours",
        "top",
    )
