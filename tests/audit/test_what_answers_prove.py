"""What the probes of a host prove, case by case: silence is never taken for a closed door by itself."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.audit.answers import Answers, Measurement
from callgate.audit.auditor import Side
from callgate.audit.phones import must_answer, not_answered
from callgate.audit.target import Target
from callgate.baseline.service import CATALOGUE
from callgate.endpoint.answer import Answer, Finding
from callgate.errors import NotDetermined

from .conftest import QUIET_HOST, bundle, target_of

SCCP, SIP_UDP = CATALOGUE["sccp"], CATALOGUE["sip-udp"]
Host = Callable[..., Target]
LISTENING = b'tcp LISTEN 0 128 *:2000 *:* users:(("pbx",pid=1,fd=3))\nudp UNCONN 0 0 0.0.0.0:5060 0.0.0.0:*\n'
RULES = b"*filter\n:INPUT DROP [0:0]\n-A INPUT -s 192.168.1.0/24 -j ACCEPT\nCOMMIT\n"
PROTECTED = {"ss.txt": LISTENING, "iptables-save.txt": RULES}


def measured(
    side: Side, answer: Answer, *, service: str = "sccp", to: str = "203.0.113.10", source: str | None = None
) -> Measurement:
    sent_from = source or {"trusted": "192.168.1.50", "stranger": "198.51.100.7"}[side]
    port = CATALOGUE[service].port[0]
    return Measurement(side, side, service, ip_address(to), port, ip_address(sent_from), Finding(answer, "seen"))


def answers(target: Target, *seen: Measurement, failures: dict[str, str] | None = None) -> Answers:
    return Answers(target, seen, [("stranger", "stranger"), ("trusted", "trusted")], failures or {})


def test_refusal_is_a_closed_door(host: Host) -> None:
    assert "turned away" in answers(host(PROTECTED), measured("stranger", Answer.REFUSED)).turned_away(SCCP)


@pytest.mark.parametrize("silence", [Answer.FILTERED, Answer.UNREACHABLE])
def test_silence_counts_where_the_same_service_answered_a_phone(host: Host, silence: Answer) -> None:
    target = host(PROTECTED)
    paired = answers(target, measured("stranger", silence), measured("trusted", Answer.ANSWERS, to="192.168.1.10"))
    assert paired.turned_away(SCCP)
    with pytest.raises(NotDetermined, match="proves nothing"):
        answers(target, measured("stranger", silence)).turned_away(SCCP)


@pytest.mark.parametrize("answer", [one for one in Answer if one is not Answer.ANSWERS])
def test_silence_does_not_count_where_the_phone_got_less_than_an_answer(host: Host, answer: Answer) -> None:
    pair = measured("stranger", Answer.FILTERED), measured("trusted", answer)
    with pytest.raises(NotDetermined):
        answers(host(PROTECTED), *pair).turned_away(SCCP)


def test_answer_over_ipv4_says_nothing_of_silence_over_ipv6(host: Host) -> None:
    seen = answers(
        host(PROTECTED),
        measured("stranger", Answer.REFUSED),
        measured("stranger", Answer.FILTERED, to="2001:db8:66::10", source="2001:db8:99::7"),
        measured("trusted", Answer.ANSWERS),
    )
    with pytest.raises(NotDetermined, match="2001:db8:66::10"):
        seen.turned_away(SCCP)


def test_answer_of_one_service_says_nothing_of_another(host: Host) -> None:
    seen = measured("stranger", Answer.NO_REPLY, service="sip-udp"), measured("trusted", Answer.ANSWERS)
    with pytest.raises(NotDetermined):
        answers(host(PROTECTED), *seen).turned_away(SIP_UDP)


def test_silence_counts_where_nothing_listens_nor_is_translated(host: Host) -> None:
    quiet = {"iptables-save.txt": RULES}
    silent = measured("stranger", Answer.FILTERED)
    assert answers(host(quiet), silent).turned_away(SCCP)
    forwarding = {**quiet, "sysctl.txt": b"net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 0\n"}
    nat = b"*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j REDIRECT --to-ports 99\nCOMMIT\n"
    for changed in (forwarding, {**quiet, "iptables-save.txt": RULES + nat}):
        with pytest.raises(NotDetermined):
            answers(host(changed), silent).turned_away(SCCP)


@pytest.mark.parametrize(
    "rule", ["-s 198.51.100.7/32", "-s 198.51.100.0/24", "-m iprange --src-range 198.51.100.1-198.51.100.9"]
)
def test_rule_about_the_strangers_own_source_makes_it_speak_for_nobody_else(host: Host, rule: str) -> None:
    rules = RULES.replace(b"COMMIT", f"-A INPUT {rule} -j DROP\nCOMMIT".encode())
    seen = measured("stranger", Answer.REFUSED), measured("trusted", Answer.ANSWERS)
    with pytest.raises(NotDetermined, match="rule about this very source"):
        answers(host({**PROTECTED, "iptables-save.txt": rules}), *seen).turned_away(SCCP)


def test_rules_that_cannot_be_read_cannot_exclude_a_ban(host: Host) -> None:
    target = host({**PROTECTED, "nft.json": None})
    with pytest.raises(NotDetermined, match=r"nft\.json"):
        answers(target, measured("stranger", Answer.REFUSED)).turned_away(SCCP)


def test_vantage_without_a_way_proves_nothing(host: Host) -> None:
    with pytest.raises(NotDetermined, match="has a way"):
        answers(host(PROTECTED), measured("stranger", Answer.NO_ROUTE)).turned_away(SCCP)
    # Another address of the same family was reached: that one tells.
    both = measured("stranger", Answer.NO_ROUTE, to="192.168.1.10"), measured("stranger", Answer.REFUSED)
    assert answers(host(PROTECTED), *both).turned_away(SCCP)


WITH_IPV6 = QUIET_HOST["ip-addr.json"].replace(
    b'"scope": "global"}]}]', b'"scope": "global"}, {"local": "2001:db8:66::10", "prefixlen": 64, "scope": "global"}]}]'
)


def test_family_no_stranger_probed_is_not_determined(host: Host) -> None:
    assert b"2001:db8:66::10" in WITH_IPV6
    seen = measured("stranger", Answer.REFUSED), measured("trusted", Answer.ANSWERS)
    with pytest.raises(NotDetermined, match="the host has IPv6 addresses"):
        answers(host({**PROTECTED, "ip-addr.json": WITH_IPV6}), *seen).turned_away(SCCP)
    # SIP over UDP listens on IPv4 alone.
    quiet = answers(
        host({**PROTECTED, "ip-addr.json": WITH_IPV6}), measured("stranger", Answer.REFUSED, service="sip-udp")
    )
    assert quiet.turned_away(SIP_UDP)


@pytest.mark.parametrize("answer", [Answer.FILTERED, Answer.UNREACHABLE, Answer.REFUSED])
def test_private_address_far_from_the_vantage_may_be_another_hosts(host: Host, answer: Answer) -> None:
    far = measured("stranger", answer, to="192.168.1.10"), measured("trusted", Answer.ANSWERS, to="192.168.1.10")
    with pytest.raises(NotDetermined, match="may be another host's"):
        answers(host(PROTECTED), *far).turned_away(SCCP)
    # Somebody who knows the place named it, or the stranger is a neighbour.
    named = host(PROTECTED, hosts={"pbx1": {"addresses": ["192.168.1.10"]}})
    assert answers(named, *far).turned_away(SCCP)
    office = {**PROTECTED, "ip-addr.json": QUIET_HOST["ip-addr.json"].replace(b"203.0.113.10", b"10.5.0.10")}
    for source, neighbour in (("10.5.0.66", True), ("10.6.0.66", False)):
        near = answers(host(office), measured("stranger", answer, to="10.5.0.10", source=source), far[1])
        if neighbour:
            assert near.turned_away(SCCP)
        else:
            with pytest.raises(NotDetermined, match="may be another host's"):
                near.turned_away(SCCP)


def test_address_that_is_not_the_hosts_proves_nothing(host: Host) -> None:
    with pytest.raises(NotDetermined, match="may be another host's"):
        answers(host(PROTECTED), measured("stranger", Answer.REFUSED, to="203.0.113.99")).turned_away(SCCP)


def test_unusable_vantage_is_a_doubt_even_where_another_was_refused(host: Host) -> None:
    seen = answers(host(PROTECTED), measured("stranger", Answer.REFUSED), failures={"stranger": "cannot be reached"})
    with pytest.raises(NotDetermined, match="cannot be reached"):
        seen.turned_away(SCCP)


def test_no_probe_at_all_proves_nothing(host: Host) -> None:
    with pytest.raises(NotDetermined, match="no stranger's vantage"):
        answers(host(PROTECTED)).turned_away(SCCP)


@given(st.lists(st.sampled_from(list(Answer)), min_size=1, max_size=4), st.sampled_from(list(Answer)))
def test_turned_away_is_never_said_when_a_stranger_was_let_in_or_a_probe_failed(
    strangers: list[Answer], phone: Answer
) -> None:
    target = target_of(bundle({**QUIET_HOST, **PROTECTED}))
    seen = answers(target, *(measured("stranger", one) for one in strangers), measured("trusted", phone))
    bad = {Answer.ANSWERS, Answer.SILENT, Answer.INCONCLUSIVE}
    unpaired = phone is not Answer.ANSWERS and set(strangers) - {Answer.REFUSED, Answer.NO_ROUTE}
    if bad & set(strangers) or unpaired or set(strangers) == {Answer.NO_ROUTE}:
        with pytest.raises(NotDetermined):
            seen.turned_away(SCCP)
    else:
        assert seen.turned_away(SCCP)


def test_phones_are_owed_an_answer_in_the_families_they_have(host: Host) -> None:
    assert must_answer(host(PROTECTED), SCCP) == {4}  # the host has no IPv6 address
    assert must_answer(host(PROTECTED, trusted=["fd00:1::/64"]), SCCP) == frozenset()
    assert must_answer(host(), SCCP) == frozenset()
    assert must_answer(host(expected=["sccp"]), SCCP) == {4}


@pytest.mark.parametrize(
    ("answer", "locked_out", "doubtful"),
    [
        (Answer.ANSWERS, 0, 0),
        (Answer.SILENT, 0, 1),
        (Answer.REFUSED, 1, 0),
        (Answer.FILTERED, 1, 0),
        (Answer.UNREACHABLE, 1, 0),
        (Answer.NO_REPLY, 1, 0),
        (Answer.NO_ROUTE, 0, 1),
        (Answer.INCONCLUSIVE, 0, 1),
    ],
)
def test_phone_without_an_answer_is_locked_out_or_in_doubt(
    host: Host, answer: Answer, locked_out: int, doubtful: int
) -> None:
    found = not_answered(SCCP, answers(host(PROTECTED), measured("trusted", answer)), frozenset({4}))
    assert (len(found[0]), len(found[1])) == (locked_out, doubtful)


def test_one_answered_address_is_enough_for_a_phone(host: Host) -> None:
    seen = measured("trusted", Answer.FILTERED), measured("trusted", Answer.ANSWERS, to="192.168.1.10")
    assert not_answered(SCCP, answers(host(PROTECTED), *seen), frozenset({4})) == ([], [])


def test_family_nobody_probed_is_in_doubt(host: Host) -> None:
    seen = answers(host(PROTECTED), measured("trusted", Answer.ANSWERS))
    assert not_answered(SCCP, seen, frozenset({4, 6}))[1] == ["no trusted vantage probed it over IPv6"]
