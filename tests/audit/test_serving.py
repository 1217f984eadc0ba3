"""What the attempts of test phones prove, control by control: each passes on one host and fails on another.

"Everything blocked" never passes: being refused counts only where the same phone gets service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from callgate.audit.auditor import Side
from callgate.audit.target import Target
from callgate.audit.trials import serving
from callgate.audit.trials.conversation import Guarded, nobody_like
from callgate.audit.trials.handshake import Handshake
from callgate.audit.trials.places import Place
from callgate.audit.trials.serving import Judgement
from callgate.audit.trials.trial import Trial
from callgate.audit.trials.trials import Trials
from callgate.baseline.service import CATALOGUE
from callgate.baseline.trial_phone import TrialPhone
from callgate.endpoint.attempt import Attempt, AudioCount, CallRecord, Ending, RegistrationTerms
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sip_phone import Refusal, Reply
from callgate.errors import NotDetermined

from .conftest import SERVING_HOST

Host = Callable[..., Target]
DESK = {"name": "desk", "device": "SEP001122334455", "dials": "600", "unknown": "SEPCA11DEADBEEF"}
HALL = {"name": "hall", "application": "sip", "user": "4711"}
SOURCES = {
    ("trusted", 4): "192.168.1.50",
    ("trusted", 6): "fd00:1::50",
    ("stranger", 4): "203.0.113.66",
    ("stranger", 6): "2001:db8:66::66",
}
PBX: dict[tuple[Side, int], str] = {
    ("trusted", 4): "192.168.1.10",
    ("trusted", 6): "fd00:1::10",
    ("stranger", 4): "203.0.113.10",
    ("stranger", 6): "2001:db8:66::10",
}
SERVICES = {"sccp": CATALOGUE["sccp"], "sip": CATALOGUE["sip-udp"]}
LOST = (Ending.REFUSED, Ending.UNREACHABLE, Ending.NO_REPLY, Ending.SILENT, Ending.CLOSED, Ending.RESET)
NOTHING_LEARNT = (Ending.NO_ROUTE, Ending.FAILED_HERE)
OTHER_WAYS = [one for one in Ending if one is not Ending.DONE]


def trial(
    phone: TrialPhone,
    side: Side,
    ending: Ending,
    *,
    family: int = 4,
    interval: int = 60,
    source: str | None = None,
    to: str | None = None,
    audio: AudioCount | None = None,
    heard: int | None = None,
    itself: bool = False,
    granted: bool | None = None,
) -> Trial:
    taken = ending is Ending.DONE if granted is None else granted
    terms = RegistrationTerms(interval_seconds=interval) if taken else None
    sent_from = TransportAddress(ip_address(source or SOURCES[side, family]), 40000)
    return Trial(
        phone=phone,
        service=SERVICES[phone.application],
        place=side,
        side=side,
        address=ip_address(to or PBX[side, family]),
        attempt=Attempt(
            ending=ending,
            text="seen",
            source=sent_from,
            registration=terms,
            call=None if audio is None else CallRecord(number="600", audio=audio),
        ),
        heard=heard,
        itself=itself,
    )


def trials(target: Target, *found: Trial, failures: dict[str, str] | None = None, **more: Iterable[Any]) -> Trials:
    """Attempts that were made, as if by the phones of the target's site."""
    places = [Place(side, side, None, ()) for side in ("trusted", "stranger")]
    made = Trials(target, places)
    made._failures.update(failures or {})
    held: dict[str, Any] = {
        "registrations": tuple(one for one in found if one.side == "trusted"),
        "strangers": tuple(one for one in found if one.side == "stranger"),
        **dict.fromkeys(("after_strangers", "after_unknown", "after_guarded"), ()),
        **{key: tuple(value) for key, value in more.items()},
    }
    vars(made).update(held)
    return made


@pytest.fixture
def pbx(host: Host) -> Callable[..., tuple[Target, TrialPhone]]:
    """A host that serves SCCP over IPv4 to phones, with one test phone."""

    def make(phone: Mapping[str, object] = DESK, **site: object) -> tuple[Target, TrialPhone]:
        target = host(SERVING_HOST, **{"trusted": ["192.168.1.0/24"], "test_phones": [phone], **site})
        return target, target.plan.site.test_phones[0]

    return make


Pbx = Callable[..., tuple[Target, TrialPhone]]


def verdict(judged: Judgement) -> str:
    """As the check settles it."""
    if judged.failed:
        return "fail"
    return "error" if judged.doubtful or not judged.seen else "pass"


# SVC-01: phones register from every trusted network.


def test_phone_that_registers_from_the_only_trusted_network_passes(pbx: Pbx) -> None:
    target, desk = pbx()
    made = trials(target, trial(desk, "trusted", Ending.DONE))
    assert verdict(serving.registering(made, every_network=True)) == "pass"


@pytest.mark.parametrize("ending", OTHER_WAYS)
def test_phone_that_does_not_register_fails_or_is_in_doubt(pbx: Pbx, ending: Ending) -> None:
    target, desk = pbx()
    judged = serving.registering(trials(target, trial(desk, "trusted", ending)), every_network=False)
    assert verdict(judged) == ("error" if ending in NOTHING_LEARNT else "fail")


def test_one_address_of_a_family_that_takes_the_phone_is_enough(pbx: Pbx) -> None:
    target, desk = pbx()
    refused = trial(desk, "trusted", Ending.REFUSED, to="203.0.113.10")
    made = trials(target, refused, trial(desk, "trusted", Ending.DONE))
    assert verdict(serving.registering(made, every_network=True)) == "pass"


def test_trusted_network_without_a_vantage_is_in_doubt(pbx: Pbx) -> None:
    target, desk = pbx(trusted=["192.168.1.0/24", "10.2.0.0/16"])
    made = trials(target, trial(desk, "trusted", Ending.DONE))
    judged = serving.registering(made, every_network=True)
    assert verdict(judged) == "error"
    assert judged.doubtful == ["desk: no vantage registers from 10.2.0.0/16"]
    assert verdict(serving.registering(made, every_network=False)) == "pass"


def test_no_attempt_at_all_is_no_pass(pbx: Pbx) -> None:
    target, _ = pbx()
    assert verdict(serving.registering(trials(target), every_network=False)) == "error"


def test_vantage_that_could_not_be_used_is_in_doubt(pbx: Pbx) -> None:
    target, desk = pbx()
    made = trials(target, trial(desk, "trusted", Ending.DONE), failures={"trusted": "no shell"})
    assert verdict(serving.registering(made, every_network=True)) == "error"


# SVC-02: calls with audio both ways.


@pytest.mark.parametrize("ending", list(Ending))
def test_call_passes_only_with_audio_both_ways(pbx: Pbx, ending: Ending) -> None:
    target, desk = pbx()
    called = trial(desk, "trusted", ending, audio=AudioCount(sent=50, received=50, echoed=50))
    made = trials(target, trial(desk, "trusted", Ending.DONE), calls=[called])
    expected = {Ending.DONE: "pass", Ending.NO_ROUTE: "error", Ending.FAILED_HERE: "error"}.get(ending, "fail")
    assert verdict(serving.calling(made)) == expected


@pytest.mark.parametrize(
    ("echoed", "heard", "itself", "expected"),
    [
        (50, None, False, "pass"),  # an echo extension
        (0, 48, False, "pass"),  # another test phone counted it; its echo was transcoded
        (0, None, False, "error"),  # music comes whatever was sent
        (0, 0, False, "fail"),  # another test phone heard nothing: what came was music
        (50, None, True, "fail"),  # our own packets, sent to ourselves
    ],
)
def test_what_was_sent_must_be_known_to_have_arrived(
    pbx: Pbx, echoed: int, heard: int | None, itself: bool, expected: str
) -> None:
    target, desk = pbx()
    audio = AudioCount(sent=50, received=50, echoed=echoed)
    called = trial(desk, "trusted", Ending.DONE, audio=audio, heard=heard, itself=itself)
    judged = serving.calling(trials(target, trial(desk, "trusted", Ending.DONE), calls=[called]))
    assert verdict(judged) == expected, judged


def test_phone_that_could_not_call_because_it_never_registered_is_in_doubt(pbx: Pbx) -> None:
    target, desk = pbx()
    made = trials(target, trial(desk, "trusted", Ending.REFUSED), calls=[])
    assert verdict(serving.calling(made)) == "error"


# SVC-03: the same phone as a stranger.


@pytest.mark.parametrize("ending", list(Ending))
def test_stranger_is_turned_away_where_the_phone_is_served(pbx: Pbx, ending: Ending) -> None:
    target, desk = pbx()
    made = trials(target, trial(desk, "trusted", Ending.DONE), trial(desk, "stranger", ending))
    expected = "fail" if ending.let_in else "pass" if ending.kept_out else "error"
    assert verdict(serving.strangers_turned_away(made)) == expected


@pytest.mark.parametrize("inside", OTHER_WAYS)
@pytest.mark.parametrize("outside", [one for one in Ending if one.kept_out])
def test_everything_blocked_never_passes(pbx: Pbx, inside: Ending, outside: Ending) -> None:
    target, desk = pbx()
    made = trials(target, trial(desk, "trusted", inside), trial(desk, "stranger", outside))
    assert verdict(serving.strangers_turned_away(made)) == "error"


def test_one_open_address_is_enough_to_fail(pbx: Pbx) -> None:
    target, desk = pbx()
    made = trials(
        target,
        trial(desk, "trusted", Ending.DONE),
        trial(desk, "stranger", Ending.NO_REPLY),
        trial(desk, "stranger", Ending.REJECTED, to="192.168.1.10"),
    )
    assert verdict(serving.strangers_turned_away(made)) == "fail"


def test_silence_at_a_private_address_elsewhere_proves_nothing(pbx: Pbx) -> None:
    target, desk = pbx()
    far = trial(desk, "stranger", Ending.NO_REPLY, to="192.168.1.10", source="198.51.100.7")
    judged = serving.strangers_turned_away(trials(target, trial(desk, "trusted", Ending.DONE), far))
    assert verdict(judged) == "error"


def test_service_over_ipv6_needs_a_stranger_over_ipv6(pbx: Pbx) -> None:
    target, desk = pbx(trusted=["192.168.1.0/24", "fd00:1::/64"])
    served = (trial(desk, "trusted", Ending.DONE), trial(desk, "trusted", Ending.DONE, family=6))
    made = trials(target, *served, trial(desk, "stranger", Ending.REFUSED))
    judged = serving.strangers_turned_away(made)
    assert verdict(judged) == "error"
    assert "IPv6" in judged.doubtful[0]


def test_stranger_must_be_seen_turned_away_in_a_family_that_only_strangers_have(host: Host) -> None:
    """The server listens on IPv6 too, where no phone is: nobody would notice that it is open there."""
    addresses = SERVING_HOST["ip-addr.json"].replace(
        b'"addr_info": [{"local": "203.0.113.10"',
        b'"addr_info": [{"local": "2001:db8:66::10", "prefixlen": 64, "scope": "global"}, {"local": "203.0.113.10"',
    )
    target = host({**SERVING_HOST, "ip-addr.json": addresses}, trusted=["192.168.1.0/24"], test_phones=[DESK])
    desk = target.plan.site.test_phones[0]
    served = (trial(desk, "trusted", Ending.DONE), trial(desk, "stranger", Ending.NO_REPLY))
    judged = serving.strangers_turned_away(trials(target, *served, trial(desk, "stranger", Ending.NO_ROUTE, family=6)))
    assert verdict(judged) == "error"
    assert "IPv6" in judged.doubtful[0]
    away = trial(desk, "stranger", Ending.NO_REPLY, family=6)
    assert verdict(serving.strangers_turned_away(trials(target, *served, away))) == "pass"


def test_address_at_which_nothing_could_be_learnt_is_in_doubt(pbx: Pbx) -> None:
    target, desk = pbx()
    away = trial(desk, "stranger", Ending.NO_REPLY)
    endless = trial(desk, "stranger", Ending.FAILED_HERE, to="203.0.113.10")
    judged = serving.strangers_turned_away(trials(target, trial(desk, "trusted", Ending.DONE), away, endless))
    assert verdict(judged) == "error"


@pytest.mark.parametrize(("after", "expected"), [(Ending.DONE, "pass"), (Ending.REFUSED, "error")])
def test_server_that_went_away_meanwhile_turned_nobody_away(pbx: Pbx, after: Ending, expected: str) -> None:
    target, desk = pbx()
    served = (trial(desk, "trusted", Ending.DONE), trial(desk, "stranger", Ending.REFUSED))
    made = trials(target, *served, after_strangers=[trial(desk, "trusted", after)])
    assert verdict(serving.strangers_turned_away(made)) == expected


def test_rule_about_the_vantage_itself_makes_its_silence_worthless(host: Host) -> None:
    rules = SERVING_HOST["iptables-save.txt"].replace(b"COMMIT", b"-A INPUT -s 203.0.113.66/32 -j DROP\nCOMMIT")
    target = host({**SERVING_HOST, "iptables-save.txt": rules}, trusted=["192.168.1.0/24"], test_phones=[DESK])
    desk = target.plan.site.test_phones[0]
    made = trials(target, trial(desk, "trusted", Ending.DONE), trial(desk, "stranger", Ending.NO_REPLY))
    judged = serving.strangers_turned_away(made)
    assert verdict(judged) == "error"
    assert "very source" in judged.doubtful[0]


def test_vantage_on_the_other_side_than_the_site_says_proves_nothing(pbx: Pbx) -> None:
    target, desk = pbx()
    made = Trials(target, ())
    wrong = trial(desk, "stranger", Ending.DONE, source="192.168.1.77")
    right = trial(desk, "stranger", Ending.NO_REPLY)
    unsent = trial(desk, "stranger", Ending.NO_ROUTE, source="192.168.1.77")
    assert made._rightly_placed([wrong, right, unsent]) == (right, unsent)
    assert "is said to be stranger, but sends from 192.168.1.77" in made._failures["stranger"]


# SVC-04: a device that nobody has.


@pytest.mark.parametrize("ending", list(Ending))
def test_unknown_device_passes_only_when_it_is_refused(pbx: Pbx, ending: Ending) -> None:
    target, desk = pbx()
    made = trials(target, trial(desk, "trusted", Ending.DONE), unknown_devices=[trial(desk, "trusted", ending)])
    refused = (Ending.REJECTED, Ending.CLOSED, Ending.RESET)
    expected = "fail" if ending is Ending.DONE else "pass" if ending in refused else "error"
    assert verdict(serving.unknown_refused(made)) == expected


def test_refusal_of_the_unknown_proves_nothing_where_the_known_is_refused_too(pbx: Pbx) -> None:
    target, desk = pbx()
    made = trials(target, trial(desk, "trusted", Ending.REJECTED), unknown_devices=[])
    assert verdict(serving.unknown_refused(made)) == "error"


@pytest.mark.parametrize("ending", [Ending.CLOSED, Ending.RESET, Ending.GARBLED, Ending.SILENT])
def test_unknown_device_that_is_registered_and_then_dropped_was_registered(pbx: Pbx, ending: Ending) -> None:
    """Auto-registration acknowledges, and then has the phone start again."""
    target, desk = pbx()
    dropped = trial(desk, "trusted", ending, granted=True)
    made = trials(target, trial(desk, "trusted", Ending.DONE), unknown_devices=[dropped])
    assert verdict(serving.unknown_refused(made)) == "fail"


def test_unknown_device_is_not_refused_by_a_server_that_then_refuses_all(pbx: Pbx) -> None:
    target, desk = pbx()
    tried = [trial(desk, "trusted", Ending.CLOSED)]
    after = [trial(desk, "trusted", Ending.CLOSED)]
    made = trials(target, trial(desk, "trusted", Ending.DONE), unknown_devices=tried, after_unknown=after)
    assert verdict(serving.unknown_refused(made)) == "error"


# SVC-05 and SVC-06: passwords and users.


def refusal(*statuses: int, ending: Ending = Ending.REJECTED) -> Refusal:
    replies = tuple(Reply(status, "x", ("Via", "To"), (), 0) for status in statuses)
    return Refusal(replies=replies, ending=ending, text=f"{statuses}")


def guarded(target: Target, hall: TrialPhone, known: Refusal, unknown: Refusal) -> Trials:
    before = trial(hall, "trusted", Ending.DONE)
    return trials(target, before, guarded=[(before, Guarded(known, unknown))])


@pytest.mark.parametrize(
    ("known", "unknown", "expected"),
    [
        (refusal(401, 401), refusal(401, 401), "pass"),
        (refusal(401, 403), refusal(403), "pass"),
        (refusal(200, ending=Ending.DONE), refusal(401, 401), "fail"),
        (refusal(401, 200, ending=Ending.DONE), refusal(401, 401), "fail"),
        (refusal(401, 401), refusal(200, ending=Ending.DONE), "fail"),
        (refusal(401, ending=Ending.NO_REPLY), refusal(401, 401), "error"),
        (refusal(401), refusal(401), "error"),  # no wrong password was tried
        (refusal(503), refusal(503), "error"),  # a server in trouble says no to everybody
        (refusal(401, 503), refusal(401, 503), "error"),
        (refusal(403), refusal(403), "error"),  # of whom it asks no password, it may have shut out
        (refusal(401, 429), refusal(401, 401), "error"),
        (refusal(401, 401), refusal(404), "pass"),
        (refusal(ending=Ending.NO_ROUTE), refusal(ending=Ending.NO_ROUTE), "error"),
    ],
)
def test_registration_without_the_password(pbx: Pbx, known: Refusal, unknown: Refusal, expected: str) -> None:
    target, hall = pbx(HALL)
    assert verdict(serving.credentials_demanded(guarded(target, hall, known, unknown))) == expected


@pytest.mark.parametrize(
    ("known", "unknown", "expected"),
    [
        (refusal(401, 403), refusal(401, 403), "pass"),
        (refusal(401, 401), refusal(404), "fail"),
        (refusal(401, 401), refusal(401, 403), "fail"),
        (refusal(200, ending=Ending.DONE), refusal(401, 401), "error"),
        (refusal(ending=Ending.NO_REPLY), refusal(ending=Ending.NO_REPLY), "error"),
        (refusal(503), refusal(503), "error"),
        (refusal(403), refusal(403), "error"),
        (refusal(401), refusal(401), "error"),
    ],
)
def test_known_users_must_not_show(pbx: Pbx, known: Refusal, unknown: Refusal, expected: str) -> None:
    target, hall = pbx(HALL)
    assert verdict(serving.users_hidden(guarded(target, hall, known, unknown))) == expected


@pytest.mark.parametrize("judge", [serving.credentials_demanded, serving.users_hidden])
def test_wrong_password_is_tried_at_one_place_and_none_at_the_others(
    pbx: Pbx, judge: Callable[[Trials], Judgement]
) -> None:
    target, hall = pbx(HALL)
    before = trial(hall, "trusted", Ending.DONE)
    full, short = Guarded(refusal(401, 401), refusal(401, 401)), Guarded(refusal(401), refusal(401))
    assert verdict(judge(trials(target, before, guarded=[(before, full), (before, short)]))) == "pass"


@pytest.mark.parametrize("judge", [serving.credentials_demanded, serving.users_hidden])
def test_ban_is_no_refusal(pbx: Pbx, judge: Callable[[Trials], Judgement]) -> None:
    target, hall = pbx(HALL)
    before = trial(hall, "trusted", Ending.DONE)
    got = [(before, Guarded(refusal(401, 401), refusal(401, 401)))]
    made = trials(target, before, guarded=got, after_guarded=[trial(hall, "trusted", Ending.NO_REPLY)])
    judged = judge(made)
    assert verdict(judged) == "error"
    assert "no longer registers" in judged.doubtful[0]


@pytest.mark.parametrize("judge", [serving.credentials_demanded, serving.users_hidden])
def test_refusals_prove_nothing_where_the_right_password_is_refused_too(
    pbx: Pbx, judge: Callable[[Trials], Judgement]
) -> None:
    target, hall = pbx(HALL)
    assert verdict(judge(trials(target, trial(hall, "trusted", Ending.REJECTED), guarded=[]))) == "error"


@pytest.mark.parametrize("user", ["1", "c", "4711", "callgate", "call", "a-very-long-user-name-indeed"])
def test_user_that_nobody_has_is_as_long_as_the_known_one(user: str) -> None:
    assert len(nobody_like(user)) == len(user)
    assert nobody_like(user) != user


def test_user_that_nobody_has_is_none_of_the_others_either() -> None:
    others = list("bcdfghjklmnpqrstvwx")
    assert nobody_like("4", others) == "z"


# SVC-07: TLS.

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def shaken(
    ending: Ending = Ending.DONE, *, days: float | None = 100, to: str = "192.168.1.10", place: str = "trusted"
) -> Handshake:
    not_after = NOW + timedelta(days=days) if days is not None and ending is Ending.DONE else None
    return Handshake(
        service=CATALOGUE["sip-tls"],
        place=place,
        address=ip_address(to),
        ending=ending,
        text="seen",
        not_after=not_after,
    )


@pytest.mark.parametrize("ending", list(Ending))
def test_tls_passes_only_when_the_handshake_is_done(pbx: Pbx, ending: Ending) -> None:
    target, _ = pbx()
    expected = {Ending.DONE: "pass", Ending.NO_ROUTE: "error", Ending.FAILED_HERE: "error"}.get(ending, "fail")
    made = trials(target, handshakes=[shaken(ending)])
    assert verdict(serving.tls_offered(made, now=NOW, days=14)) == expected


@pytest.mark.parametrize(("days", "expected"), [(13.9, "fail"), (14, "pass"), (-1, "fail")])
def test_certificate_must_be_valid_for_a_while(pbx: Pbx, days: float, expected: str) -> None:
    target, _ = pbx()
    assert verdict(serving.tls_offered(trials(target, handshakes=[shaken(days=days)]), now=NOW, days=14)) == expected


def test_certificate_whose_end_cannot_be_read_is_in_doubt(pbx: Pbx) -> None:
    target, _ = pbx()
    made = trials(target, handshakes=[shaken(days=None)])
    assert verdict(serving.tls_offered(made, now=NOW, days=14)) == "error"


@pytest.mark.parametrize(("ending", "expected"), [(Ending.NO_ROUTE, "pass"), (Ending.FAILED_HERE, "error")])
def test_vantage_without_ipv6_beside_one_that_has_it(pbx: Pbx, ending: Ending, expected: str) -> None:
    target, _ = pbx()
    made = trials(
        target, handshakes=[shaken(to="fd00:1::10", place="desk"), shaken(ending, to="fd00:1::10", place="attic")]
    )
    assert verdict(serving.tls_offered(made, now=NOW, days=14)) == expected


@pytest.mark.parametrize(("ending", "expected"), [(Ending.TLS_FAILED, "fail"), (Ending.REFUSED, "pass")])
def test_certificate_must_be_right_at_every_address_where_it_has_a_name(
    pbx: Pbx, ending: Ending, expected: str
) -> None:
    made = [shaken(), shaken(ending, to="203.0.113.10")]
    named, _ = pbx(hosts={"*": {"tls_name": "pbx.example.com"}})
    assert verdict(serving.tls_offered(trials(named, handshakes=made), now=NOW, days=14)) == expected
    unnamed, _ = pbx()
    assert verdict(serving.tls_offered(trials(unnamed, handshakes=made), now=NOW, days=14)) == "pass"


def test_tls_of_a_service_that_was_not_tried_is_in_doubt(pbx: Pbx) -> None:
    """SCCP is spoken here, SIP is not; the handshake of another service does not stand for SCCP's."""
    target, _ = pbx(tls_only=["sccp", "sip"])
    assert [one.name for one in trials(target).tls_services()] == ["sccp-tls"]
    assert verdict(serving.tls_offered(trials(target, handshakes=[shaken()]), now=NOW, days=14)) == "error"


def test_no_handshake_is_no_pass(pbx: Pbx) -> None:
    target, _ = pbx()
    assert verdict(serving.tls_offered(trials(target, handshakes=[]), now=NOW, days=14)) == "error"


# SVC-08: intervals.


@pytest.mark.parametrize(("interval", "expected"), [(9, "fail"), (10, "pass"), (300, "pass"), (301, "fail")])
def test_keepalive_interval_has_bounds(pbx: Pbx, interval: int, expected: str) -> None:
    target, desk = pbx()
    made = trials(target, trial(desk, "trusted", Ending.DONE, interval=interval))
    assert verdict(serving.intervals(made, (10, 300), (60, 3600))) == expected


@pytest.mark.parametrize(("interval", "expected"), [(59, "fail"), (60, "pass"), (3600, "pass"), (3601, "fail")])
def test_registration_interval_has_bounds(pbx: Pbx, interval: int, expected: str) -> None:
    target, hall = pbx(HALL)
    made = trials(target, trial(hall, "trusted", Ending.DONE, interval=interval))
    assert verdict(serving.intervals(made, (10, 300), (60, 3600))) == expected


def test_interval_of_a_phone_that_never_registered_is_not_known(pbx: Pbx) -> None:
    target, desk = pbx()
    assert verdict(serving.intervals(trials(target, trial(desk, "trusted", Ending.REFUSED)), (1, 2), (1, 2))) == "error"


# Which phones, which families.


def test_phone_of_another_host_is_not_this_hosts(pbx: Pbx) -> None:
    target, _ = pbx({**DESK, "hosts": "other"})
    assert trials(target).phones == ()


def test_phone_whose_service_is_not_judged_cannot_be_tried(pbx: Pbx) -> None:
    target, _ = pbx(services={"sccp": False})
    with pytest.raises(NotDetermined, match="desk: no judged service is SCCP over TCP"):
        assert trials(target).phones


@pytest.mark.parametrize(
    ("phone", "trusted", "families"),
    [
        (DESK, ["192.168.1.0/24", "fd00:1::/64"], {4}),  # the host has no IPv6 address
        (HALL, ["192.168.1.0/24"], {4}),  # not offered, but somebody says a phone uses it
        (DESK, ["fd00:1::/64"], set()),
    ],
)
def test_families_that_owe_phones_service(
    pbx: Pbx, phone: Mapping[str, object], trusted: list[str], families: set[int]
) -> None:
    target, one = pbx(phone, trusted=trusted)
    assert trials(target).families(SERVICES[one.application]) == families
