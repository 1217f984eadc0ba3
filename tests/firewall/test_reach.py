"""Who reaches a service, against brute force over everything a sender may choose; and the ways in that get missed."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.firewall.built import Built, only
from tests.firewall.concrete_packet import Fork, TooManyWaysError
from tests.firewall.oracle import Walk, arrivals
from tests.firewall.policy_strategies import ADDRESSES, INNER4, OWN4, OWN6, Garden, Taste, host_of, ipv4
from tests.firewall.reach_oracle import World, arrived, everybody_listed, packets

from callgate.firewall.host import Host
from callgate.firewall.intervals import NOTHING, Intervals
from callgate.firewall.policy import Policy
from callgate.firewall.question import Question
from callgate.firewall.reach import sources_reaching
from callgate.firewall.rule import (
    ALWAYS,
    Choose,
    Family,
    Goto,
    Interface,
    InterfaceName,
    Jump,
    Not,
    Opaque,
    Return,
    Ruleset,
    SetMark,
    Some,
    Step,
    Translate,
    Tuples,
    Unknown,
    Verdict,
    Within,
)
from callgate.firewall.sources import Entrance

ACCEPT, DROP = Verdict("accept"), Verdict("drop")
PACKETS = 30
EVERYONE = Intervals.single(0, 2**32 - 1)


def world_of(ruleset: Ruleset, host: Host, family: Family, luck: Random, most: int) -> World:
    """Numbers around those the strategies use."""
    walk = Walk(ruleset, host, Fork([]))
    near = {
        number + by for number in ADDRESSES[family] for by in (-1, 0, 1) if 0 <= number + by <= ADDRESSES[family][-1]
    }
    places = sorted(number for number in near if walk.kind(family, number) in ("local", "unicast"))
    ports = (2000, 2001, 53, 5060, 8080, 40000, 0, 52, 54, 1999, 2002, 5059, 5061, 65535)
    return World(
        tuple(luck.sample(places, min(most, len(places)))) + ((OWN4,) if family == 4 else (OWN6,)),
        (2000, *luck.sample(ports, most // 2)),
        tuple(luck.sample(ports, most // 3)),
        (64, luck.choice((1, 255))),
        (2, luck.choice((10, 34, 66, 130))),
    )


def question_of(luck: Random) -> Question:
    listened = luck.choice((None, None, ((4, everybody_listed((OWN4,))), (6, everybody_listed((OWN6,))))))
    behind = luck.choice(((), ((4, Intervals.single(ipv4("172.17.0.0"), ipv4("203.0.113.255"))), (6, NOTHING))))
    transport = luck.choice(("tcp", "udp"))
    return Question(transport, luck.choice(((2000, 2000), (2000, 2001))), addresses=listened, behind=behind)  # type: ignore[arg-type]


def asked(garden: Garden, seed: int, most: int, strictly: bool) -> None:
    """Whoever gets in by some packet of a sampled world is among those the engine says get in."""
    luck = Random(seed)
    ruleset, host = garden.ruleset(), garden.host()
    policy, question = Policy(ruleset, host), question_of(luck)
    families: tuple[Family, ...] = (4, 4, 6)
    family = luck.choice(families)
    found = sources_reaching(policy, question, (family,))
    for interface in ("eth0", "eth1"):
        door = found.doors[Entrance(family, interface)]
        assert not door.surely & door.perhaps
        world = world_of(ruleset, host, family, luck, most)
        for source in luck.sample(ADDRESSES[family], 2):
            every = packets(question, world, family, interface, source)
            for packet in luck.sample(every, min(len(every), PACKETS)):
                if source in (door.surely if strictly else door.any):
                    break
                try:
                    ends = [arrived(question, packet, end) for end in arrivals(ruleset, host, packet)]
                except TooManyWaysError:
                    continue
                assert not (all(ends) if strictly else any(ends)), (question, packet, door)


@settings(max_examples=30)
@given(st.integers(0, 2**48))
def test_nobody_who_may_get_in_is_missing(seed: int) -> None:
    asked(Garden(seed, Taste()), seed, 6, strictly=False)


@settings(max_examples=30)
@given(st.integers(0, 2**48))
def test_who_surely_gets_in_is_not_left_in_doubt(seed: int) -> None:
    asked(Garden(seed, Taste(doubt=False, marks=False, masks=False)), seed, 6, strictly=True)


SCCP = Question("tcp", (2000, 2000))
SIP = Question("udp", (5060, 5060))
NET = Intervals.single(ipv4("203.0.113.0"), ipv4("203.0.113.255"))
STRANGER = ipv4("203.0.113.9")
FROM_NET = Within("saddr4", NET)
OPEN = Built().base("input", "accept")


def test_without_rules_everyone_gets_in_whom_routing_lets_in() -> None:
    door = OPEN.door(SCCP)
    assert not door.perhaps
    for refused in ("127.0.0.1", "224.0.0.1", "0.0.0.0", "255.255.255.255", "198.51.100.10"):
        assert ipv4(refused) not in door.surely
    assert STRANGER in door.surely
    assert ipv4("240.0.0.1") in door.surely


@pytest.mark.parametrize(("strict", "passes"), [("0", True), ("1", False), ("2", False)])
def test_a_broadcast_address_as_source_is_refused_only_where_the_way_back_is_looked_at(
    strict: str, passes: bool
) -> None:
    door = OPEN.door(SCCP, host_of({"net.ipv4.conf.eth1.rp_filter": strict}), "eth1")
    assert (ipv4("192.168.50.255") in door.surely) == passes


def test_strict_reverse_path_filtering_keeps_sources_to_their_interface() -> None:
    host = host_of({"net.ipv4.conf.eth1.rp_filter": "1"})
    net = Intervals.single(ipv4("192.168.50.0"), ipv4("192.168.50.254")) - Intervals.single(INNER4)
    assert OPEN.door(SCCP, host, "eth1").surely == net


def filtered(*steps: Step) -> Built:
    return Built().base("input", "drop", (*steps, ACCEPT))


@pytest.mark.parametrize(
    "built",
    [
        filtered(FROM_NET, only("sport", 5353)),
        filtered(FROM_NET, only("sport", 65535)),
        filtered(FROM_NET, only("ttl", 255)),
        filtered(FROM_NET, only("ttl", 1)),
        filtered(FROM_NET, only("tcp_flags", 0xC2)),
        filtered(FROM_NET, only("tcp_flags", 8, mask=8)),
        filtered(FROM_NET, only("daddr4", INNER4)),
        filtered(FROM_NET, only("sport", 7), only("ttl", 9), only("daddr4", INNER4)),
        filtered(Tuples(("saddr4", "sport"), (((NET.bounds[0], NET.bounds[1] - 1), (9, 9)),))),
        filtered(FROM_NET, only("sport", 0, 65534, negated=True)),
        filtered(FROM_NET, Not(Some((only("sport", 0, 9), only("sport", 11, 65535))))),
        Built().base("input", "drop", (only("mark", 7), ACCEPT)).base(
            "prerouting", "accept", (FROM_NET, only("sport", 500), SetMark("mark", 7)), priority=-150
        ),
        Built().base("input", "drop", (Goto("a"),)).chain("a", (only("sport", 4), Goto("b"))).chain("b", (FROM_NET, ACCEPT)),  # noqa: E501
        filtered(FROM_NET)
        .base("input", "drop", (Jump("a"),), (ACCEPT,))
        .chain("a", (only("ttl", 33), Return()), (DROP,)),
        Built().base("input", "drop", (Choose(((only("sport", 4), Jump("a")), (ALWAYS, DROP))),)).chain("a", (FROM_NET, ACCEPT)),  # noqa: E501
    ],
)  # fmt: skip
def test_what_the_sender_may_choose_is_chosen_for_it(built: Built) -> None:
    door = built.door(SCCP)
    assert door.surely == NET
    assert not door.perhaps


@pytest.mark.parametrize("untold", [only("length", 60), only("dscp", 46), only("sport", 1, mask=3), Unknown("limit")])
def test_what_is_not_told_leaves_doubt_and_not_nobody(untold: Step) -> None:
    door = filtered(FROM_NET, untold).door(SCCP)
    assert door.perhaps == NET
    assert not door.surely


def redirected(*steps: Step, ports: tuple[int, int] | None = (2000, 2000), policy: str = "drop") -> Built:
    """Only what was translated gets in."""
    redirect = Translate("destination", ports=ports, to_itself=True)
    translated = Not(only("orig_dport", 2000)) if ports else Not(only("orig_daddr4", OWN4))
    return (
        Built()
        .base("prerouting", "accept", (*steps, redirect), nat=True)
        .base("input", policy, (FROM_NET, translated, only("dport", 2000), ACCEPT))
    )


@pytest.mark.parametrize(
    "steps",
    [
        (only("dport", 12000),),
        (only("dport", 12000, 12010),),
        (Within("dport", Intervals.of([(1, 1), (12000, 12003), (65535, 65535)])),),
        (Not(only("dport", 0, 60000)),),
        (only("dport", 8, mask=8),),
        (Some((only("dport", 5), only("dport", 6))),),
        (only("daddr4", ipv4("8.8.8.8")), only("dport", 80)),
        (only("daddr4", OWN4, negated=True), only("daddr4", INNER4, negated=True)),
        (only("daddr4", ipv4("8.8.8.0"), mask=0xFFFFFF00),),
        (Tuples(("daddr4", "dport"), (((ipv4("8.8.8.8"),) * 2, (81, 82)),)),),
        (Tuples(("daddr4", "dport"), (((0, OWN4), (0, 65535)), ((OWN4, 2**32 - 1), (0, 9))), negated=True),),
        (only("sport", 99), only("dport", 12000)),
        (Interface("iif", (InterfaceName("eth", True),)), only("dport", 12000)),
    ],
)
def test_original_ports_and_addresses_that_become_the_service_are_found(steps: tuple[Step, ...]) -> None:
    assert redirected(*steps).door(SCCP).any == NET


def test_a_redirection_without_a_port_makes_foreign_addresses_the_host() -> None:
    assert redirected(only("daddr4", ipv4("8.8.8.8")), ports=None).door(SCCP).surely == NET


def test_the_address_looked_for_may_stand_in_the_caller() -> None:
    to = Translate("destination", 4, (OWN4, OWN4), (2000, 2000))
    built = (
        Built()
        .base("prerouting", "accept", (only("daddr4", ipv4("203.0.113.50")), Jump("svc")), nat=True)
        .chain("svc", (only("dport", 8080), to))
        .base("input", "drop", (only("orig_daddr4", ipv4("203.0.113.50")), FROM_NET, ACCEPT))
    )
    assert built.door(SCCP).surely == NET


def test_a_map_leads_to_the_service_from_each_of_its_keys() -> None:
    to = Translate("destination", 4, (OWN4, OWN4), (2000, 2000))
    branches = ((only("dport", 11), Translate("destination", 4, (OWN4, OWN4), (80, 80))), (only("dport", 12), to))
    built = Built().base("prerouting", "accept", (Choose(branches),), nat=True)
    built.base("input", "drop", (FROM_NET, only("orig_dport", 12), ACCEPT))
    assert built.door(SCCP).surely == NET
    assert not built.door(Question("tcp", (80, 80))).any


def test_a_port_translated_away_is_still_the_callers_way_in() -> None:
    away = Translate("destination", to_itself=True, ports=(15060, 15060))
    built = Built().base("prerouting", "accept", (only("dport", 5060), away), nat=True)
    built.base("input", "drop", (only("dport", 15060), FROM_NET, ACCEPT))
    assert built.door(SIP).surely == NET


def test_translation_to_a_container_goes_past_input() -> None:
    to = Translate("destination", 4, (ipv4("172.17.0.2"),) * 2, (2000, 2000))
    built = Built().base("prerouting", "accept", (only("dport", 12000), to), nat=True).base("input", "drop")
    built.base("forward", "drop", (FROM_NET, Interface("oif", (InterfaceName("docker0"),)), ACCEPT))
    assert built.door(SCCP).surely == NET


@pytest.mark.parametrize(("switch", "members"), [("1", NET), ("0", NOTHING)])
def test_translation_to_loopback_needs_route_localnet(switch: str, members: Intervals) -> None:
    to = Translate("destination", 4, (ipv4("127.0.0.1"),) * 2, (2000, 2000))
    built = Built().base("prerouting", "accept", (only("dport", 12000), to), nat=True)
    built.base("input", "drop", (FROM_NET, only("daddr4", ipv4("127.0.0.1")), ACCEPT))
    door = built.door(SCCP, host_of({"net.ipv4.conf.eth0.route_localnet": switch}))
    assert door.any == members


def test_route_localnet_opens_what_listens_on_loopback() -> None:
    listening = Question("tcp", (2000, 2000), addresses=((4, Intervals.single(ipv4("127.0.0.1"))),))
    built = Built().base("input", "drop", (FROM_NET, only("daddr4", 127 << 24, (128 << 24) - 1), ACCEPT))
    assert built.door(listening, host_of({"net.ipv4.conf.eth0.route_localnet": "1"})).surely == NET
    assert not built.door(listening).any


def test_an_action_nobody_knows_may_lead_to_the_service_from_anywhere() -> None:
    built = Built().base("prerouting", "accept", (FROM_NET, only("dport", 8080), Opaque("TPROXY")), priority=-150)
    built.base("input", "drop")
    assert built.door(SCCP).perhaps == NET


def test_networks_behind_are_reached_by_every_route_to_them() -> None:
    behind = Question("tcp", (2000, 2000), behind=((4, Intervals.single(ipv4("172.0.0.0"), ipv4("203.0.113.255"))),))
    built = Built().base("input", "drop")
    built.base("forward", "drop", (Interface("oif", (InterfaceName("docker0"),)), FROM_NET, ACCEPT))
    assert built.door(behind).surely == NET
    assert not built.door(SCCP).any


def test_one_address_behind_is_found() -> None:
    behind = Question("tcp", (2000, 2000), behind=((4, Intervals.single(0, 2**32 - 1)),))
    built = (
        Built().base("input", "drop").base("forward", "drop", (only("daddr4", ipv4("192.168.50.77")), FROM_NET, ACCEPT))
    )
    assert built.door(behind).surely == NET


def test_every_interface_and_family_is_asked_for_itself() -> None:
    by_eth1 = Interface("iif", (InterfaceName("eth1"),))
    built = Built("inet").base("input", "drop", (by_eth1, only("sport", 77), FROM_NET, ACCEPT))
    assert built.door(SCCP, interface="eth1").surely == NET
    assert not built.door(SCCP).any
    six = Built("inet").base("input", "drop", (only("family", 6), only("saddr6", 5, 9), only("ttl", 7), ACCEPT))
    assert six.door(SCCP, family=6).surely == Intervals.single(5, 9)
    assert not six.door(SCCP).any


def test_an_address_it_does_not_listen_on_is_no_way_in() -> None:
    listening = Question("tcp", (2000, 2000), addresses=((4, Intervals.single(INNER4)),))
    assert not filtered(FROM_NET, only("daddr4", OWN4)).door(listening).any
    assert filtered(FROM_NET, only("daddr4", INNER4)).door(listening).surely == NET


def test_a_translation_away_from_thousands_of_addresses_stays_bounded() -> None:
    addresses = Intervals.of((ipv4("11.0.0.0") + 2 * at,) * 2 for at in range(100_000))
    built = redirected(
        Within("daddr4", addresses), Within("dport", Intervals.of((2 * at,) * 2 for at in range(30_000)))
    )
    asked: list[object] = []
    whole = Policy.outcomes

    def counted(policy: Policy, view: object) -> object:
        asked.append(view)
        return whole(policy, view)  # type: ignore[arg-type]

    patch = pytest.MonkeyPatch()
    patch.setattr(Policy, "outcomes", counted)
    try:
        assert built.door(SCCP).any == NET
    finally:
        patch.undo()
    assert len(asked) < 50_000


@pytest.mark.parametrize(
    ("steps", "reached"), [((), False), ((only("protocol", 6),), False), ((only("nexthdr", 6),), True)]
)
def test_an_extension_header_passes_a_rule_that_looks_at_the_next_header_alone(
    steps: tuple[Step, ...], reached: bool
) -> None:
    built = Built("ip6").base("input", "accept", (*steps, Verdict("drop")))
    assert bool(built.door(SCCP, family=6).surely) == reached
