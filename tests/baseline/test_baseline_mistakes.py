from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from callgate.baseline.library import load_baseline
from callgate.errors import FileMistakes

Write = Callable[..., Path]
Mistakes = Callable[[str], list[str]]

HEAD = "id: ours\ntitle: Ours\nextends: [voip-core]\n"
NEW = "title: New, severity: low, rationale: R., remedy: D."
PARAMETERS = """\
controls:
  - id: A-1
    title: First
    severity: high
    rationale: Because.
    remedy: Do.
    parameters: {limit: 3, ratio: 0.5, words: [a], strict: true, note: text, map: {a: 1}, open: }
"""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("controls: {id: A-1}", "controls: a list is expected"),
        ("controls: [A-1]", "controls.0: 'A-1': keys and values are expected"),
        ("controls: [{severity: low}]", "controls.0.id: is missing"),
        ("controls: [{id: lsn-01}]", "controls.0.id: 'lsn-01': a control id like LSN-01 is expected"),
        (
            "controls: [{id: EXP-01, severity: urgent}]",
            "controls.0.severity: 'urgent': 'critical', 'high', 'medium' or 'low' is expected",
        ),
        ("controls: [{id: EXP-01, title: ''}]", "controls.0.title: '': is empty; text is expected"),
        ("controls: [{id: EXP-01, rationale: ' '}]", "controls.0.rationale: ' ': is empty; text is expected"),
        ("controls: [{id: EXP-01, remedy: [a]}]", "controls.0.remedy: text is expected"),
        ("controls: [{id: EXP-01, enabled: maybe}]", "controls.0.enabled: 'maybe': true or false is expected"),
        ("controls: [{id: EXP-01, references: [SC-7]}]", "controls.0.references: keys and values are expected"),
        (
            "controls: [{id: EXP-01, references: {cis-8.1: 4.4}}]",
            "controls.0.references.cis-8.1: 4.4: a list is expected",
        ),
        (
            "controls: [{id: EXP-01, parameters: }]",
            "controls.0.parameters: nothing stands here: keys and values are expected",
        ),
        ("controls: [{id: EXP-01, severty: low}]", "controls.0.severty: unknown key; did you mean severity?"),
        ("contols: []", "contols: unknown key; did you mean controls?"),
        ("judged_from: afar", "judged_from: 'afar': 'inside' or 'outside' is expected"),
        ("services: sccp", "services: 'sccp': a list is expected"),
        ("services: [sccp, sip-upd]", "services.1: no service is called 'sip-upd'; did you mean sip-udp?"),
        ("services: [SCCP]", "services.0: 'SCCP': a service name like sip-udp is expected"),
        ("controls: [{id: EXP-01}, {id: EXP-01}]", "controls.1.id: EXP-01 stands here twice"),
        (
            "controls: [{id: OWN-1, enabled: false}]",
            "controls.0.id: OWN-1 is switched off, but no extended baseline has it",
        ),
        (
            "controls: [{id: OWN-1, title: New}]",
            "controls.0.id: no extended baseline has OWN-1: it needs severity, rationale, remedy",
        ),
        (
            "controls: [{id: EXP-01, parameters: {limit: 3}}]",
            "controls.0.parameters.limit: EXP-01 has no such parameter; known: demanded",
        ),
        (
            "controls: [{id: LSN-04, parameters: {acounted: []}}]",
            "controls.0.parameters.acounted: LSN-04 has no such parameter; did you mean accounted?",
        ),
        (
            "controls: [{id: LSN-04, parameters: {accounted: 22/tcp}}]",
            "controls.0.parameters.accounted: '22/tcp': a list is expected",
        ),
        (
            "controls: [{id: LSN-04, parameters: {accounted: [{port: 22/tcp}, {port: 22/tcp, proces: x}]}}]",
            "controls.0.parameters.accounted.1.proces: unknown key; did you mean process?",
        ),
        (
            "controls: [{id: LSN-04, parameters: {accounted: [{port: 22}]}}]",
            "controls.0.parameters.accounted.0.port: 22: a port with its transport, like 22/tcp, is expected",
        ),
        (
            "controls: [{id: SVC-08, parameters: {sip_expires: [300, 10]}}]",
            "controls.0.parameters.sip_expires: the least comes first, like [10, 300]",
        ),
        (
            "controls: [{id: SVC-08, parameters: {sccp_keepalive: [300]}}]",
            "controls.0.parameters.sccp_keepalive: two numbers are expected, the least first, like [10, 300]",
        ),
        (
            "controls: [{id: SVC-07, parameters: {days: soon}}]",
            "controls.0.parameters.days: 'soon': Input should be a valid integer",
        ),
    ],
)
def test_a_mistake_is_one_line_with_what_was_expected(baseline_mistakes: Mistakes, line: str, told: str) -> None:
    assert baseline_mistakes(f"{HEAD}{line}\n# the rest is right\n") == [f"4: {told}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title: t\nextends: [voip-core]\n", "1: id: is missing"),
        ("id: ours\nextends: [voip-core]\n", "1: title: is missing"),
        (
            "id: Ours\ntitle: t\nextends: [voip-core]\n",
            "1: id: 'Ours': an id in small letters like voip-core is expected",
        ),
        ("id: ours\ntitle: t\nextends: voip-core\n", "3: extends: 'voip-core': a list is expected"),
        (
            "title: t\nextends: [voip-core]\nid: voip-core\n",
            "3: id: 'voip-core' is the id of a baseline that this one extends",
        ),
        (
            "id: ours\ntitle: t\nextends:\n  - voip-cor\n",
            "4: extends.0: no baseline is called 'voip-cor'; did you mean voip-core?; a file ends in .yaml",
        ),
        ("id: ours\ntitle: t\n", "1: no control is left here; an audit needs at least one"),
        (
            "id: ours\ntitle: t\nextends: [cisco-call-manager]\ncontrols:\n"
            "  - {id: ANS-01, enabled: false}\n  - {id: ANS-02, enabled: false}\n"
            + "".join(f"  - {{id: SVC-0{number}, enabled: false}}\n" for number in range(1, 9)),
            "1: no control is left here; an audit needs at least one",
        ),
    ],
)
def test_what_a_baseline_is_and_extends_is_checked(baseline_mistakes: Mistakes, text: str, told: str) -> None:
    assert baseline_mistakes(text) == [told]


def test_a_file_to_extend_that_is_not_there_is_named(baseline_mistakes: Mistakes, tmp_path: Path) -> None:
    (told,) = baseline_mistakes("id: ours\ntitle: t\nextends: [./none.yaml]\n")
    assert told == f"3: extends.0: {tmp_path / 'none.yaml'}: there is no such baseline file"
    (told,) = baseline_mistakes(f"id: ours\ntitle: t\nextends: ['{'x' * 300}.yaml']\n")
    assert told.endswith("File name too long")
    (told,) = baseline_mistakes("id: ours\ntitle: t\nextends: [~root/none.yaml]\n")
    assert told == f"3: extends.0: {tmp_path / '~root/none.yaml'}: there is no such baseline file"
    (told,) = baseline_mistakes('id: ours\ntitle: t\nextends: ["a\\n\\e[2Jb.yaml"]\n')
    assert told.endswith("a\\n\\x1b[2Jb.yaml: there is no such baseline file")


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        ("limit: many", "limit: a number like 12 or 0.5 is expected, as the inherited value is one"),
        ("limit: true", "limit: a number like 12 or 0.5 is expected, as the inherited value is one"),
        ("limit: 0x10", "limit: a number like 12 or 0.5 is expected, as the inherited value is one"),
        ("limit: ~", "limit: a number like 12 or 0.5 is expected, as the inherited value is one"),
        ("words: a", "words: a list is expected, as the inherited value is one"),
        ("strict: 1", "strict: true or false is expected, as the inherited value is one"),
        ("note: 5", "note: text is expected, as the inherited value is one"),
        ("map: [a]", "map: a mapping of keys to values is expected, as the inherited value is one"),
        ("limt: 5", "limt: A-1 has no such parameter; did you mean limit?"),
    ],
)
def test_a_parameter_keeps_its_shape(write: Write, parameter: str, told: str) -> None:
    write(f"id: base\ntitle: t\n{PARAMETERS}", "base.yaml")
    text = f"id: ours\ntitle: t\nextends: [base.yaml]\ncontrols:\n  - id: A-1\n    parameters:\n      {parameter}\n"
    with pytest.raises(FileMistakes) as raised:
        load_baseline(str(write(text)))
    assert [f"{one.line}: {one.text}" for one in raised.value.mistakes] == [f"7: controls.0.parameters.{told}"]


@pytest.mark.parametrize(
    "parameter", ["limit: 4.5", "ratio: 1", "words: []", "strict: off", "note: '5'", "map: {}", "open: 5"]
)
def test_a_parameter_of_the_same_shape_is_taken(write: Write, parameter: str) -> None:
    write(f"id: base\ntitle: t\n{PARAMETERS}", "base.yaml")
    text = f"id: ours\ntitle: t\nextends: [base.yaml]\ncontrols: [{{id: A-1, parameters: {{{parameter}}}}}]\n"
    assert load_baseline(str(write(text))).chain == ("base", "ours")


def test_the_mistakes_of_all_files_are_told_at_once_and_each_once(write: Write) -> None:
    write(f"id: base\ntitle: t\nservices: [scp]\ncontrols:\n  - {{id: A-1, {NEW}, remdy: x}}\n", "base.yaml")
    write("id: left\ntitle: t\nextends: [base.yaml]\nservices: []\nservices: []\n", "left.yaml")
    write("id: right\nextends: [base.yaml, none.yaml]\ncontrols: [{id: A-1, enabled: 5}]\n", "right.yaml")
    top = write(
        "id: top\ntitle: t\nextends: [left.yaml, right.yaml]\ncontrols:\n  - {id: B-1, sevrity: low}\n", "top.yaml"
    )
    with pytest.raises(FileMistakes) as raised:
        load_baseline(str(top))
    told = [f"{one.path.name}:{one.line}: {one.text}" for one in raised.value.mistakes]
    assert told == [
        "top.yaml:5: controls.0.sevrity: unknown key; did you mean severity?",
        "left.yaml:5: services: stands here a second time; first in line 4",
        "base.yaml:3: services.0: no service is called 'scp'; did you mean sccp?",
        "base.yaml:5: controls.0.remdy: unknown key; did you mean remedy?",
        "right.yaml:1: title: is missing",
        f"right.yaml:2: extends.1: {top.parent / 'none.yaml'}: there is no such baseline file",
        "right.yaml:3: controls.0.enabled: 5: true or false is expected",
    ]


def test_what_an_entry_lacks_is_not_told_while_an_extended_file_is_wrong(write: Write) -> None:
    write(f"id: base\ntitle: t\ncontrols:\n  - {{id: A-1, {NEW}}}\n  - 5\n", "base.yaml")
    ours = "id: ours\ntitle: t\nextends: [base.yaml]\ncontrols: [{id: A-1, severity: low}, {id: B-1, enabled: false}]\n"
    with pytest.raises(FileMistakes) as raised:
        load_baseline(str(write(ours)))
    assert [f"{one.path.name}:{one.line}" for one in raised.value.mistakes] == ["base.yaml:5"]


def test_a_parameter_of_known_shape_is_checked_whatever_is_wrong_elsewhere(baseline_mistakes: Mistakes) -> None:
    entry = "{id: LSN-04, parameters: {accounted: [{prt: 22/tcp, port: 22/tcp}]}}"
    assert baseline_mistakes(f"id: ours\ntitle: t\nextends: [voip-cor]\ncontrols: [{entry}]\n") == [
        "3: extends.0: no baseline is called 'voip-cor'; did you mean voip-core?; a file ends in .yaml",
        "4: controls.0.parameters.accounted.0.prt: unknown key; did you mean port?",
    ]


def test_an_unreadable_file_to_extend_is_a_mistake_of_that_file(write: Write) -> None:
    write(b"id: \xff", "base.yaml")
    with pytest.raises(FileMistakes) as raised:
        load_baseline(str(write("id: ours\ntitle: t\nextends: [base.yaml]\n")))
    assert [f"{one.path.name}:{one.line}: {one.text}" for one in raised.value.mistakes] == [
        "base.yaml:1: is not UTF-8 text"
    ]
