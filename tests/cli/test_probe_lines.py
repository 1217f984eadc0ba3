"""What a run of probes adds up to: shown and not shown, learnt and not learnt."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from callgate.cli.probe_lines import Account, as_object, as_text
from callgate.endpoint.exchange import Closed, Contact, Observation, Transport
from callgate.endpoint.probe.question import ProbedService, Question
from callgate.endpoint.probe.result import Result, result_of
from callgate.endpoint.probe.scanner import Prediction, Replay
from callgate.endpoint.probe.target import parse_target

SCCP = ProbedService("sccp", "sccp", Transport.TCP, range(2000, 2001))
OPEN = (Contact.CONNECTED, "")
REFUSED = (Contact.REFUSED, "ECONNREFUSED")
NOBODY = (Contact.NO_ROUTE, "EHOSTUNREACH")
NO_ROUTE = (Contact.NO_ROUTE, "ENETUNREACH")
FAILED = (Contact.ERROR, "EMFILE")


def result(target: str, seen: tuple[Contact, str], address: str = "192.0.2.1", replay: Replay | None = None) -> Result:
    question = Question(parse_target(target), ip_address(address), 2000, SCCP)
    exchange = question.exchange()
    observation = Observation(
        key=exchange.key,
        source=None,
        contact=seen[0],
        detail=seen[1],
        closed=Closed.OPEN if seen is OPEN else None,
        milliseconds=7,
    )
    made = result_of(question, exchange, observation)
    return (
        made
        if replay is None
        else Result(**{**{name: getattr(made, name) for name in made.__slots__}, "replay": replay})
    )


def account(*results: Result, show_all: bool = False) -> tuple[Account, list[bool]]:
    made = Account(show_all=show_all)
    return made, [made.take(one) for one in results]


@pytest.mark.parametrize(
    ("target", "seen", "undetermined"),
    [
        ("192.0.2.1", [OPEN], False),
        ("192.0.2.1", [REFUSED], False),
        ("192.0.2.1", [REFUSED, NO_ROUTE], True),
        ("192.0.2.1", [NOBODY], True),
        ("192.0.2.1", [FAILED], True),
        ("192.0.2.0/24", [REFUSED, NOBODY], False),
        ("192.0.2.0/24", [NOBODY, OPEN, NOBODY], False),
        ("192.0.2.0/24", [NOBODY, NOBODY], True),
        ("192.0.2.0/24", [REFUSED, NO_ROUTE], True),
        ("192.0.2.0/24", [REFUSED, FAILED], True),
    ],
)
def test_nothing_learnt_of_a_target_makes_the_run_undetermined(
    target: str, seen: list[tuple[Contact, str]], undetermined: bool
) -> None:
    made, _ = account(*(result(target, one) for one in seen))
    assert made.undetermined is undetermined


def test_one_network_learnt_does_not_speak_for_another() -> None:
    made, _ = account(result("192.0.2.0/24", REFUSED), result("198.51.100.0/24", NOBODY))
    assert made.undetermined


def test_of_a_network_open_ports_are_shown_and_the_rest_counted() -> None:
    made, shown = account(
        result("192.0.2.0/24", OPEN), result("192.0.2.0/24", REFUSED), result("192.0.2.9", REFUSED, "192.0.2.9")
    )
    assert shown == [True, False, True]
    assert made.found_open
    assert list(made.lines(3, 1.25)) == [
        "not shown of 192.0.2.0/24: 1 refused",
        "3 asked in 1.2 s: 1 silent, 2 refused",
    ]


def test_all_can_be_shown() -> None:
    made, shown = account(result("192.0.2.0/24", REFUSED), show_all=True)
    assert shown == [True]
    assert list(made.lines(1, 0)) == ["1 asked in 0.0 s: 1 refused"]


def test_a_run_that_was_broken_off_says_how_far_it_came() -> None:
    made, _ = account(result("192.0.2.1", REFUSED))
    assert list(made.lines(5000, 2.0)) == ["1 of 5,000 asked in 2.0 s: 1 refused"]
    assert list(account()[0].lines(5, 0)) == ["0 of 5 asked in 0.0 s: nothing learnt"]


def replayed(reported: bool | None, *, registered: bool = False) -> Replay:
    left = "unregistered" if registered else ""
    return Replay(Prediction(reported, "why"), registered=registered, left=left, milliseconds=1)


@pytest.mark.parametrize(
    ("reported", "verdict"), [(True, "would report it"), (False, "would not report it"), (None, "cannot be predicted")]
)
def test_the_prediction_stands_beside_our_own_finding(reported: bool | None, verdict: str) -> None:
    one = result("192.0.2.1", OPEN, replay=replayed(reported))
    lines = as_text(one).splitlines()
    assert lines[0].endswith("connected, then silence for 2 s; whether SCCP is there: inconclusive")
    assert lines[1] == f'    plugin 22877, "Skinny Server Detection", {verdict}: why'
    warned = any('"not reported" is not "not there"' in line for line in lines)
    assert warned is (reported is False)
    assert account(one)[0].undetermined is (reported is None)


def test_a_registration_is_told_in_both_forms() -> None:
    one = result("192.0.2.1", OPEN, replay=replayed(True, registered=True))
    assert "    auto-registration is on: SEP6E6573737573 was registered; unregistered\n" in as_text(one)
    assert '"registered": true, "left": "unregistered"' in as_object(one)
