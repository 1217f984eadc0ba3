from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.baseline.service import CATALOGUE, JUDGED_BY_DEFAULT, Service
from callgate.baseline.site import AccountedListener, Site, load_site
from callgate.evidence.listener import Listener, Transport

Write = Callable[..., Path]
LoadSite = Callable[[str], Site]

TRUSTED = 'trusted: [192.168.1.0/24, "fd00:1::/64"]\n'


@pytest.fixture
def site(write: Write) -> LoadSite:
    """The site of a file with the usual trusted networks and this text."""
    return lambda text: load_site(write(TRUSTED + text))


def listener(transport: Transport, port: int) -> Listener:
    return Listener(transport=transport, socket_family=4, address=None, port=port)


def judged(site: Site) -> dict[str, Service]:
    return {service.name: service for service in site.judged(JUDGED_BY_DEFAULT)}


def test_trusted_networks_alone_make_a_site(site: LoadSite) -> None:
    made = site("")
    assert made.trusts(ip_address("192.168.1.77"))
    assert made.trusts(ip_address("fd00:1::77"))
    assert not made.trusts(ip_address("192.168.2.77"))
    assert judged(made) == {name: CATALOGUE[name] for name in JUDGED_BY_DEFAULT}
    assert made.expected_on("ssh://pbx1", "pbx1") is None
    assert not any(made.wants_tls(service) for service in CATALOGUE.values())
    assert (made.auditor, made.phones, made.vantages, made.waivers, made.voice_interfaces) == (None, (), (), (), ())


@pytest.mark.parametrize(
    ("written", "applications"),
    [
        ("true", {"sccp", "sip"}),
        ("false", set()),
        ("[]", set()),
        ("[sip]", {"sip"}),
        ("[sccp]", {"sccp"}),
        ("[sip, sccp]", {"sccp", "sip"}),
    ],
)
def test_tls_is_wanted_for_the_protocols_named(site: LoadSite, written: str, applications: set[str]) -> None:
    made = site(f"tls_only: {written}\n")
    assert {service.application for service in CATALOGUE.values() if made.wants_tls(service)} == applications


def test_a_moved_service_keeps_all_but_its_port(site: LoadSite) -> None:
    moved = judged(site("services: {sip-udp: {port: 5080}}\n"))
    assert moved["sip-udp"] == CATALOGUE["sip-udp"].model_copy(update={"port": range(5080, 5081)})
    assert list(moved) == list(JUDGED_BY_DEFAULT)


def test_every_property_of_a_service_can_be_changed(site: LoadSite) -> None:
    text = "services: {sccp: {port: 2000-2002, transport: udp, application: other, tls: true, title: Ours}}\n"
    changed = judged(site(text))["sccp"]
    assert changed == Service(
        name="sccp", title="Ours", application="other", transport="udp", port=range(2000, 2003), tls=True
    )


def test_a_service_is_added_and_another_dropped(site: LoadSite) -> None:
    changed = judged(
        site("services:\n  h323: true\n  sccp: false\n  sip-tls: {judged: false}\n  tftp: {judged: true}\n")
    )
    assert set(changed) == {"sccp-tls", "sip-udp", "sip-tcp", "h323", "tftp"}
    assert changed["h323"] == CATALOGUE["h323"]


def test_a_service_of_the_sites_own_is_judged(site: LoadSite) -> None:
    own = judged(site("services: {sip-wss: {application: sip, transport: tcp, port: 8089, tls: true}}\n"))["sip-wss"]
    assert own == Service(
        name="sip-wss", title="sip-wss", application="sip", transport="tcp", port=range(8089, 8090), tls=True
    )


def test_null_leaves_a_property_as_it_is(site: LoadSite) -> None:
    assert judged(site("services: {sccp: {port: ~, tls: ~, title: ~}}\n"))["sccp"] == CATALOGUE["sccp"]


@given(st.sets(st.sampled_from(sorted(CATALOGUE))), st.dictionaries(st.sampled_from(sorted(CATALOGUE)), st.booleans()))
def test_what_is_judged_is_what_the_baseline_names_as_the_site_switches_it(
    named: set[str], switched: dict[str, bool]
) -> None:
    made = Site.model_validate({"trusted": ["10.0.0.0/8"], "services": switched})
    wanted = (named | {name for name, on in switched.items() if on}) - {name for name, on in switched.items() if not on}
    assert {service.name for service in made.judged(sorted(named))} == wanted


def test_what_is_expected_is_the_hosts_own_list_before_the_sites(site: LoadSite) -> None:
    made = site(
        "expected: [sccp]\n"
        "hosts:\n"
        "  pbx1: {addresses: [192.168.1.2]}\n"
        "  'pbx*': {expected: [sip-tls]}\n"
        "  'ssh://*lab*': {expected: []}\n"
        "  'pbx1*': {expected: [sip-udp]}\n"
    )
    assert made.expected_on("ssh://pbx1", "pbx1") == ("sip-tls",)
    assert made.expected_on("ssh://root@lab-2", "lab-2") == ()
    assert made.expected_on("local://", "gate") == ("sccp",)


@pytest.mark.parametrize(
    ("pattern", "uri", "name", "matches"),
    [
        ("pbx1", "ssh://pbx1", "pbx1", True),
        ("pbx1", "ssh://root@pbx1:2222", "pbx1", True),
        ("pbx?", "ssh://pbx1", "pbx1", True),
        ("pbx[12]", "ssh://pbx3", "pbx3", False),
        ("PBX1", "ssh://pbx1", "pbx1", False),
        ("pbx", "ssh://pbx1", "pbx1", False),
        ("ssh://*", "ssh://pbx1", "pbx1", True),
        ("ssh://*", "docker://pbx1", "pbx1", False),
        ("*", "local://", "anything", True),
        ("10.0.0.1", "ssh://10.0.0.1", "10.0.0.1", True),
    ],
)
def test_a_host_entry_is_for_the_hosts_its_pattern_matches(
    site: LoadSite, pattern: str, uri: str, name: str, matches: bool
) -> None:
    made = site(f"hosts:\n  '{pattern}': {{addresses: [192.168.1.2, 'fd00:1::2']}}\n")
    entries = made.entries(uri, name)
    assert [entry.addresses for entry in entries] == (
        [(ip_address("192.168.1.2"), ip_address("fd00:1::2"))] if matches else []
    )


def test_accounted_listeners_of_host_and_site_count_together(site: LoadSite) -> None:
    made = site(
        "listeners:\n  - {port: 22/tcp, process: sshd, reason: administration}\n"
        "hosts:\n  'pbx*':\n    listeners: [{port: 8088-8090/tcp}]\n"
    )
    assert [(entry.port.port, entry.process) for entry in made.accounted_on("ssh://pbx1", "pbx1")] == [
        (range(8088, 8091), None),
        (range(22, 23), "sshd"),
    ]
    assert [entry.reason for entry in made.accounted_on("ssh://gate", "gate")] == ["administration"]


@given(st.integers(1, 65535), st.integers(0, 100), st.sampled_from(["tcp", "udp"]), st.integers(1, 65535))
def test_an_accounted_listener_covers_its_ports_and_transport(
    first: int, more: int, transport: Transport, port: int
) -> None:
    last = min(first + more, 65535)
    entry = AccountedListener.model_validate({"port": f"{first}-{last}/{transport}"})
    assert entry.covers(listener(transport, port)) == (first <= port <= last)
    assert not entry.covers(listener("udp" if transport == "tcp" else "tcp", port))


def test_vantages_phones_and_interfaces_are_as_written(site: LoadSite) -> None:
    made = site(
        "voice_interfaces: [eth1, bond0.20]\n"
        "auditor: none\n"
        "vantages:\n"
        "  - {name: inside, host: 'local://', side: trusted}\n"
        "  - {name: out, host: 'ssh://x', side: stranger}\n"
        "phones:\n  - {name: SEP001122334455}\n  - {name: 1001, application: sip, address: 'fd00:1::21'}\n"
    )
    assert made.voice_interfaces == ("eth1", "bond0.20")
    assert made.auditor == "none"
    assert [(one.name, one.host, one.side) for one in made.vantages] == [
        ("inside", "local://", "trusted"),
        ("out", "ssh://x", "stranger"),
    ]
    assert [(one.name, one.application, one.address) for one in made.phones] == [
        ("SEP001122334455", "sccp", None),
        ("1001", "sip", ip_address("fd00:1::21")),
    ]


@pytest.mark.parametrize("written", ["0123", "4.10", "12:30", "1e5", "007", "'007'"])
def test_a_name_in_digits_stays_as_it_is_written(site: LoadSite, written: str) -> None:
    (phone,) = site(f"phones: [{{name: {written}}}]\n").phones
    assert phone.name == written.strip("'")


def test_a_waiver_may_name_a_service_of_the_sites_own(site: LoadSite) -> None:
    made = site(
        "services: {own: {application: sip, transport: udp, port: 5090}}\nexpected: [own]\n"
        "waivers:\n  - {control: EXP-01, host: x, service: own, reason: r, owner: o, ticket: 1, expires: 2026-12-31}\n"
    )
    assert [waiver.service for waiver in made.waivers] == ["own"]
    assert made.expected == ("own",)


@pytest.mark.parametrize("section", ["expected", "auditor"])
def test_a_section_that_may_be_left_out_may_be_empty(site: LoadSite, section: str) -> None:
    assert getattr(site(f"{section}:\n"), section) is None


def test_networks_behind_are_the_sites_and_those_of_the_hosts_entries(site: LoadSite) -> None:
    made = site('behind: [10.9.0.0/16]\nhosts: {"gw*": {behind: [10.88.0.0/24, 10.9.0.0/16]}}\n')
    assert [str(network) for network in made.behind_of("ssh://gw1", "gw1")] == ["10.88.0.0/24", "10.9.0.0/16"]
    assert [str(network) for network in made.behind_of("ssh://pbx1", "pbx1")] == ["10.9.0.0/16"]
    assert site("").behind_of("ssh://pbx1", "pbx1") == ()
