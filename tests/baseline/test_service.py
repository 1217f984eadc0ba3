from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from callgate.baseline.service import CATALOGUE, JUDGED_BY_DEFAULT, Ports, ServiceName
from callgate.evidence.listener import Listener, Transport

PORTS: TypeAdapter[Ports] = TypeAdapter(Ports)
NAME: TypeAdapter[ServiceName] = TypeAdapter(ServiceName)

# The design's list of services and their ports.
DESIGNED = {
    "sccp": "2000/tcp",
    "sccp-tls": "2443/tcp",
    "sip-udp": "5060/udp",
    "sip-tcp": "5060/tcp",
    "sip-tls": "5061/tcp",
    "h323": "1720/tcp",
    "mgcp-udp": "2427/udp",
    "mgcp-tcp": "2428/tcp",
    "tftp": "69/udp",
    "phone-configuration": "6970-6972/tcp",
    "capf": "3804/tcp",
    "tvs": "2445/tcp",
    "cti": "2748/tcp",
    "rtp": "16384-32767/udp",
}


def listener(transport: Transport, port: int) -> Listener:
    return Listener(transport=transport, socket_family=4, address=ip_address("192.168.1.2"), port=port)


def test_the_catalogue_has_the_ports_of_the_design() -> None:
    assert {name: service.ports for name, service in CATALOGUE.items()} == DESIGNED


def test_sccp_and_sip_are_judged_when_nobody_says_otherwise() -> None:
    assert JUDGED_BY_DEFAULT == ("sccp", "sccp-tls", "sip-udp", "sip-tcp", "sip-tls")
    assert {CATALOGUE[name].application for name in JUDGED_BY_DEFAULT} == {"sccp", "sip"}


def test_a_service_is_called_what_the_catalogue_calls_it() -> None:
    assert all(service.name == name and service.title for name, service in CATALOGUE.items())
    assert len({service.title for service in CATALOGUE.values()}) == len(CATALOGUE)


def test_tls_is_what_the_names_say() -> None:
    assert {name for name, service in CATALOGUE.items() if service.tls} == {"sccp-tls", "sip-tls"}


def test_no_two_services_share_a_port() -> None:
    taken = [(service.transport, port) for service in CATALOGUE.values() for port in service.port]
    assert len(taken) == len(set(taken))


@pytest.mark.parametrize(
    ("written", "ports"),
    [
        (1, range(1, 2)),
        (65535, range(65535, 65536)),
        ("5060", range(5060, 5061)),
        ("6970-6972", range(6970, 6973)),
        ("5060-5060", range(5060, 5061)),
        ("1-65535", range(1, 65536)),
        ("02000", range(2000, 2001)),
        (range(10, 20), range(10, 20)),
    ],
)
def test_a_port_or_an_ascending_range_is_taken(written: object, ports: range) -> None:
    assert PORTS.validate_python(written) == ports


@pytest.mark.parametrize("written", [0, "0", 65536, 70000, "6972-6970", "0-10", "65000-70000", "99999"])
def test_a_port_out_of_bounds_is_refused(written: object) -> None:
    with pytest.raises(ValidationError, match="a port lies between 1 and 65535, and a range ascends"):
        PORTS.validate_python(written)


@pytest.mark.parametrize(
    "written",
    [
        True,
        False,
        None,
        2000.0,
        -1,
        "",
        "-1",
        "1-",
        "1-2-3",
        " 5060",
        "5060\n",
        "5060/tcp",
        "sip",
        "٢٠٠٠",
        [2000],
        {},
        "1" * 40,
    ],
)
def test_what_is_no_port_is_refused(written: object) -> None:
    with pytest.raises(ValidationError, match="a port or a range like 6970-6972 is expected"):
        PORTS.validate_python(written)


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_ports_are_written_as_they_are_read(one: int, other: int) -> None:
    first, last = sorted((one, other))
    ports = PORTS.validate_python(f"{first}-{last}")
    assert ports == range(first, last + 1)
    assert PORTS.validate_python(PORTS.dump_python(ports)) == ports


@given(st.sampled_from(sorted(CATALOGUE)), st.sampled_from(["tcp", "udp"]), st.integers(1, 65535))
def test_a_service_claims_its_own_transport_and_ports_alone(name: str, transport: Transport, port: int) -> None:
    service = CATALOGUE[name]
    ports, _, own_transport = DESIGNED[name].partition("/")
    first, _, last = ports.partition("-")
    assert service.claims(listener(transport, port)) == (
        transport == own_transport and int(first) <= port <= int(last or first)
    )


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_a_service_claims_the_edges_of_its_ports(name: str) -> None:
    service = CATALOGUE[name]
    assert service.claims(listener(service.transport, service.port[0]))
    assert service.claims(listener(service.transport, service.port[-1]))
    assert not service.claims(listener(service.transport, service.port[0] - 1))
    assert not service.claims(listener(service.transport, service.port[-1] + 1))
    assert not service.claims(listener("udp" if service.transport == "tcp" else "tcp", service.port[0]))


@pytest.mark.parametrize("name", ["sip", "sip-udp", "h323", "a1-b2-3"])
def test_a_service_name_is_small_letters_digits_and_dashes(name: str) -> None:
    assert NAME.validate_python(name) == name


@pytest.mark.parametrize("name", ["", "SIP", "sip udp", "sip_udp", "-sip", "sip-", "sip--udp", "1sip", "sip\n"])
def test_another_form_of_service_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="a service name like sip-udp is expected"):
        NAME.validate_python(name)
