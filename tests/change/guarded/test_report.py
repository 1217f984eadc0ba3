"""The guard's answers, read back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.change.guarded.report import State, read_report
from callgate.errors import ProtocolError

ANSWER = b"""\
Welcome to pbx1
@guard state rolled-back
@guard folder /run/callgate-change-0a1b2c3d
@guard boot 1c2c529a-e3f5-4c8f-8db2-504c13729036
@guard watchdog dead
@guard remaining -3
@guard reason the apply command ended with 2
@guard apply.code 2
@guard rollback.code 0
@guard begun yes
@guard note table inet firewalld belongs to a running program
@guard log 2025-01-01T00:00:00Z armed
@guard log 2025-01-01T00:00:05Z rolling back
@guard apply.out line 1
@guard apply.out @guard state confirmed
@guard end
"""


def test_every_field_is_read() -> None:
    report = read_report(ANSWER)
    assert report.state is State.ROLLED_BACK
    assert report.folder == "/run/callgate-change-0a1b2c3d"
    assert (report.watchdog, report.remaining, report.begun) == (False, -3, True)
    assert (report.apply_code, report.rollback_code) == (2, 0)
    assert report.reason == "the apply command ended with 2"
    assert [line[-5:] for line in report.log] == ["armed", " back"]
    assert report.notes == ("table inet firewalld belongs to a running program",)


def test_what_a_command_printed_is_never_taken_for_the_guards_own_words() -> None:
    assert read_report(ANSWER).apply_output == "line 1\n@guard state confirmed"


@given(st.integers(0, len(ANSWER) - len("@guard end\n")))
def test_an_answer_that_is_cut_short_is_no_answer(length: int) -> None:
    with pytest.raises(ProtocolError, match="cut short"):
        read_report(ANSWER[:length])


@pytest.mark.parametrize(
    "line", [b"state confirmedly", b"state", b"apply.code 0x2", b"remaining never", b"state armed\n@guard state \xff"]
)
def test_an_answer_that_is_not_understood_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError, match="not understood"):
        read_report(b"@guard state armed\n@guard " + line + b"\n@guard end\n")


@given(st.binary(max_size=300))
def test_whatever_a_host_says_is_a_report_or_a_protocol_error(noise: bytes) -> None:
    for said in (noise, ANSWER + noise, b"@guard " + noise + b"\n@guard end\n"):
        with contextlib.suppress(ProtocolError):
            assert read_report(said).state in State


@pytest.mark.parametrize("state", State)
def test_only_what_may_still_change_has_not_ended(state: State) -> None:
    assert state.ended is (state not in (State.ARMING, State.ARMED, State.ROLLING_BACK))
