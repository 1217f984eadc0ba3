from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from callgate.baseline.site import load_waivers
from callgate.baseline.waiver import Waiver

Write = Callable[..., Path]
Mistakes = Callable[[str], list[str]]

PARTS = {
    "control": "EXP-01",
    "host": "pbx1",
    "reason": "moves in May",
    "owner": "Voice team",
    "ticket": "CHG-4711",
    "expires": "2026-12-31",
}


def waiver(**parts: object) -> Waiver:
    return Waiver.model_validate({**PARTS, **parts})


@pytest.mark.parametrize(
    ("written", "end"),
    [
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2028-02-28", datetime(2028, 2, 29, tzinfo=UTC)),
        ("2026-12-31T18:00:00Z", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        ("2026-12-31 18:00Z", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        ("2026-12-31T18:00:00+02:00", datetime(2026, 12, 31, 16, tzinfo=UTC)),
        ("2026-12-31T22:30:00-05:30", datetime(2027, 1, 1, 4, tzinfo=UTC)),
    ],
)
def test_a_waiver_ends_in_utc(written: str, end: datetime) -> None:
    expires = waiver(expires=written).expires
    assert expires == end
    assert expires.tzinfo is UTC


@pytest.mark.parametrize(
    "written",
    [
        "2026-12-31T18:00:00",
        "2026-12-31 18:00",
        "2026-13-01",
        "2026-02-29",
        "2026-12-31T25:00:00Z",
        "2026-12-31T18:00:00 Z",
        "2026-12-31T18:00:00+2",
        "20261231",
        "2026-W53-5",
        "31.12.2026",
        "12/31/2026",
        "2026-12",
        "never",
        "",
        "9999-12-31",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:00:00-10:00",
        "\uff12\uff10\uff12\uff16-12-31",
        20261231,
        None,
        True,
        ["2026-12-31"],
        datetime(2026, 12, 31),
        date(2026, 12, 31),
    ],
)
def test_another_form_of_end_is_refused(written: object) -> None:
    with pytest.raises(
        ValidationError, match="a day like 2026-12-31 or a UTC time like 2026-12-31T18:00:00Z is expected"
    ):
        waiver(expires=written)


@given(st.dates(max_value=date(9999, 12, 30)))
def test_a_day_counts_to_its_end(day: date) -> None:
    expires = waiver(expires=day.isoformat()).expires
    assert expires > datetime(day.year, day.month, day.day, 23, 59, 59, 999999, tzinfo=UTC)
    assert expires == datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)),
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_a_time_with_its_zone_is_that_moment(moment: datetime, zone: timezone) -> None:
    local = moment.replace(microsecond=0, tzinfo=zone)
    expires = waiver(expires=local.isoformat()).expires
    assert (expires, expires.utcoffset()) == (local, timedelta(0))
    assert waiver(expires=local).expires == local


@pytest.mark.parametrize(
    ("pattern", "uri", "name", "applies"),
    [
        ("pbx1", "ssh://pbx1", "pbx1", True),
        ("pbx1", "ssh://pbx10", "pbx10", False),
        ("pbx*", "ssh://pbx10", "pbx10", True),
        ("ssh://*@lab-*", "ssh://root@lab-7", "lab-7", True),
        ("ssh://*@lab-*", "docker://lab-7", "lab-7", False),
        ("pbx[12]", "ssh://pbx2", "pbx2", True),
        ("*", "local://", "gate", True),
        ("PBX1", "ssh://pbx1", "pbx1", False),
    ],
)
def test_a_waiver_is_for_the_hosts_its_pattern_matches(pattern: str, uri: str, name: str, applies: bool) -> None:
    assert waiver(host=pattern).applies_to("EXP-01", uri, name, "sccp") == applies


@pytest.mark.parametrize(
    ("named", "asked", "applies"),
    [
        (None, "sccp", True),
        (None, None, True),
        ("sccp", "sccp", True),
        ("sccp", "sccp-tls", False),
        ("sccp", None, False),
    ],
)
def test_a_waiver_is_for_its_service_or_for_all(named: str | None, asked: str | None, applies: bool) -> None:
    assert waiver(service=named).applies_to("EXP-01", "local://", "pbx1", asked) == applies


def test_a_waiver_is_for_its_control_alone() -> None:
    assert waiver().applies_to("EXP-01", "local://", "pbx1", "sccp")
    assert not waiver().applies_to("LSN-02", "local://", "pbx1", "sccp")


def test_a_waiver_says_what_it_speaks_of_and_why() -> None:
    assert waiver().subject == "EXP-01 on pbx1"
    assert waiver(service="sccp").subject == "EXP-01 on pbx1 (sccp)"
    assert waiver(ticket=4711).words == "moves in May (Voice team, 4711, until 2027-01-01 00:00 UTC)"


@pytest.mark.parametrize("ticket", ["0123", "4.10", "CHG-1", "12:30", "2026-01-01"])
def test_a_ticket_stays_as_it_is_written(write: Write, ticket: str) -> None:
    text = "waivers:\n  - {control: EXP-01, host: x, reason: r, owner: o, expires: 2026-12-31, ticket: %s}\n"
    assert [one.ticket for one in load_waivers(write(text % ticket))] == [ticket]


@pytest.mark.parametrize("key", sorted(PARTS))
def test_no_part_may_be_left_out_or_empty(waiver_mistakes: Mistakes, key: str) -> None:
    rest = "".join(f"    {name}: {value}\n" for name, value in PARTS.items() if name != key)
    assert waiver_mistakes(f"waivers:\n  -\n{rest}") == [f"3: waivers.0.{key}: is missing"]
    assert len(waiver_mistakes(f"waivers:\n  - {key}:\n{rest}")) == 1
    assert len(waiver_mistakes(f"waivers:\n  - {key}: ''\n{rest}")) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1: the file is empty; keys and values are expected"),
        ("waivers:\n", "1: waivers: nothing stands here: a list is expected"),
        ("waiver: []\n", "1: waiver: unknown key; did you mean waivers?"),
        ("waivers: []\ntrusted: [10.0.0.0/8]\n", "2: trusted: unknown key; known: waivers"),
    ],
)
def test_a_waiver_file_holds_waivers_alone(waiver_mistakes: Mistakes, text: str, told: str) -> None:
    assert told in waiver_mistakes(text)


def test_a_waiver_file_may_hold_none(write: Write) -> None:
    assert load_waivers(write("waivers: []\n")) == ()
