"""Whatever stands in a file, loading it gives a site, a baseline, or mistakes a user can act on; nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from callgate.baseline.library import Baseline, data_dir, load_baseline
from callgate.baseline.schema import schema_text
from callgate.baseline.site import Site, load_site
from callgate.baseline.source import read_source
from callgate.errors import FileMistakes

SCHEMA = Draft202012Validator(json.loads(schema_text("site")))
SiteMistakes = Callable[[str], list[str]]

FULL = """\
trusted: [192.168.1.0/24, "fd00:1::/64"]
tls_only: [sccp]
expected: [sccp, own]
services:
  sip-udp: {port: 5080}
  own: {application: sip, transport: tcp, port: 5070-5072, tls: true, title: Own}
  h323: true
listeners: &listeners
  - {port: 22/tcp, process: sshd, reason: administration}
voice_interfaces: [eth1]
vantages:
  - {name: in, host: "local://", side: trusted}
auditor: none
phones:
  - {name: SEP1, application: sip, address: 192.168.1.7}
hosts:
  "pbx*":
    addresses: [192.168.1.2, "fd00:1::2"]
    expected: [own]
    listeners: *listeners
waivers:
  - control: EXP-01
    host: pbx1
    service: sccp
    reason: moving
    owner: ops
    ticket: 12
    expires: 2026-12-31
"""
SCRAPS = [
    *"[]{},:-?|>&*!%@`'\"#~<=\t\n\r\0\\ ",
    *(
        "- ",
        ": ",
        "? ",
        "[]",
        "{}",
        "{a: 1}",
        "[[a]]",
        "1",
        "0.5",
        "true",
        "~",
        "x",
        "*listeners",
        "&x y",
        "<<: *listeners",
    ),
    *(
        "!!int x",
        "!!binary eA==",
        "!t x",
        "0x1F",
        "2026-01-01",
        "::1",
        "10.0.0.0/8",
        "---\n",
        "...\n",
        "é",
        "\u2028",
        "\ufeff",
    ),
]
PYTHONS_WORDS = re.compile(
    r"\b(tuple|dict|NoneType|None|True|False|pydantic|Input|should|str|int|bool|float|object|instance|Value error)\b"
)


@st.composite
def mutated(draw: st.DrawFn, text: str) -> bytes:
    """A file with a few places overwritten, cut or repeated."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + draw(st.sampled_from([0, 1, 5, 80])))))
        text = text[:start] + draw(st.sampled_from(SCRAPS) | st.just(text[start:end] * 2)) + text[end:]
    raw = text.encode()
    cut = draw(st.integers(0, len(raw)) | st.just(len(raw)))
    return raw[:cut]


def outcome(load: Callable[[Path], object], path: Path, raw: bytes) -> object:
    """What loading a file of these bytes gives; None for mistakes, once they are seen to be such as can be shown."""
    path.write_bytes(raw)
    try:
        return load(path)
    except FileMistakes as error:
        mistakes = error.mistakes
    last = max(1, len(raw.splitlines()))
    for mistake in mistakes:
        assert mistake.path == path
        assert 1 <= mistake.line <= last
        assert mistake.text.isprintable()
        assert len(mistake.text) < 2000
        assert not mistake.text.endswith("known: ")
    assert list(mistakes) == sorted(mistakes, key=lambda mistake: mistake.line)
    return None


def check_site(path: Path, raw: bytes) -> None:
    site = outcome(load_site, path, raw)
    if site is not None:
        assert isinstance(site, Site)
        assert list(SCHEMA.iter_errors(read_source(path).data)) == []  # what the model takes, an editor takes


def test_the_full_site_is_right(site_mistakes: SiteMistakes) -> None:
    assert site_mistakes(FULL) == []


@given(raw=mutated(FULL))
def test_a_mutated_site_is_a_site_or_mistakes_inside_the_file(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    check_site(tmp_path_factory.getbasetemp() / "mutated.yaml", raw)


@given(raw=mutated((data_dir("baselines") / "voip-core.yaml").read_text()))
def test_a_mutated_baseline_is_a_baseline_or_mistakes_inside_the_file(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    baseline = outcome(
        lambda path: load_baseline(str(path)), tmp_path_factory.getbasetemp() / "mutated-baseline.yaml", raw
    )
    assert baseline is None or (isinstance(baseline, Baseline) and baseline.controls)


@given(raw=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_site_or_mistakes_inside_the_file(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    check_site(tmp_path_factory.getbasetemp() / "any.yaml", raw)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70000) | st.sampled_from(["", "x", "sccp", "10.0.0.0/8", "22/tcp"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*Site.model_fields, "name", "port", "sccp", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(data=st.dictionaries(st.sampled_from([*Site.model_fields, "typo"]), _VALUES))
def test_mistakes_speak_of_the_file_and_not_of_python(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "shapes.yaml"
    path.write_text(repr(data).replace("None", "~"))  # plain data in Python's notation is flow YAML
    try:
        load_site(path)
    except FileMistakes as error:
        told = [mistake.text for mistake in error.mistakes]
    else:
        told = []
    assert [text for text in told if PYTHONS_WORDS.search(text)] == []
