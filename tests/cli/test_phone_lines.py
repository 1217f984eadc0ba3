"""What `callgate phone` prints of an attempt: no more than was seen."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from callgate.cli.phone_lines import as_text
from callgate.endpoint.attempt import Attempt, AudioCount, CallRecord, Ending, RegistrationTerms
from callgate.endpoint.network import TransportAddress

PBX = TransportAddress(ip_address("192.168.1.10"), 16390)
TERMS = RegistrationTerms(interval_seconds=30, protocol_version=17)


def told(attempt: Attempt) -> list[str]:
    return as_text(attempt, "192.168.1.10:2000, SCCP over TCP", verbose=False).splitlines()


def call(sent: int, received: int, echoed: int) -> Attempt:
    audio = AudioCount(sent=sent, received=received, echoed=echoed)
    record = CallRecord(number="600", audio=audio, far_end=PBX, codec="PCMU", seconds=2.0)
    return Attempt(ending=record.ending, text="called", registration=TERMS, call=record)


@pytest.mark.parametrize(
    ("attempt", "head"),
    [
        (call(100, 100, 99), "done: call with 600, 2.0 s, audio both ways"),
        (
            call(100, 100, 0),
            "done: call with 600, 2.0 s, audio came, but none of ours back: whether it arrived is open",
        ),
        (call(100, 0, 0), "one-way: call with 600, 2.0 s, audio one way only"),
        (call(0, 0, 0), "no-audio: call with 600, 2.0 s, no audio at either end"),
    ],
)
def test_call_is_told_by_what_came_back(attempt: Attempt, head: str) -> None:
    lines = told(attempt)
    assert lines[0] == head
    assert lines[1] == "  registration: protocol version 17, keepalive every 30 s"


def test_registration_that_may_still_stand_is_told() -> None:
    text = "registered for 60 s; the registrar did not confirm that it took the registration back"
    attempt = Attempt(ending=Ending.DONE, text=text, milliseconds=4, source=PBX)
    assert told(attempt) == [
        "done: registered in 4 ms; the registrar did not confirm that it took the registration back",
        "  from 192.168.1.10:16390 to 192.168.1.10:2000, SCCP over TCP",
    ]


def test_failure_is_told_in_its_own_words() -> None:
    attempt = Attempt(ending=Ending.REJECTED, text="403 Forbidden; go away")
    assert told(attempt) == ["rejected: 403 Forbidden; go away"]
