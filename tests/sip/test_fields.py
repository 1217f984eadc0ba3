from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.errors import ProtocolError
from callgate.sip.fields import NameAddress, Via, read_parameters, read_uri, split_list, stamped, uri_host

SENDER = (ip_address("192.168.1.10"), 5062)


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("a, b,c", ["a", "b", "c"]),
        ("", []),
        (" , ,a", ["a"]),
        ('"x, y" <sip:a,b@c>, <sip:d>', ['"x, y" <sip:a,b@c>', "<sip:d>"]),
        (r'"x\", y", z', [r'"x\", y"', "z"]),
    ],
)
def test_lists_are_split_at_commas_that_separate(value: str, elements: list[str]) -> None:
    assert split_list(value, "X") == elements


@pytest.mark.parametrize("value", ['"a', "<a", 'a, "b\\"'])
def test_a_list_with_an_open_end_is_refused(value: str) -> None:
    with pytest.raises(ProtocolError, match="does not end"):
        split_list(value, "X")


@given(st.lists(st.text(st.characters(exclude_characters='",<>\\ \t'), min_size=1)))
def test_a_list_comes_back(elements: list[str]) -> None:
    assert split_list(",".join(elements), "X") == elements


def test_parameters_are_read() -> None:
    read = read_parameters(r'; Tag = "a\"b" ;lr;X=1;tag=2', "X")
    assert read == {"tag": 'a"b', "lr": None, "x": "1"}


@pytest.mark.parametrize(
    ("value", "uri", "name", "tag"),
    [
        ("<sip:a@b>;tag=1", "sip:a@b", "", "1"),
        ("sip:a@b;tag=1", "sip:a@b", "", "1"),
        ('"A;B" <sip:a@b;lr>;tag=1', "sip:a@b;lr", "A;B", "1"),
        ("Bob Smith <sip:b@my_host>", "sip:b@my_host", "Bob Smith", None),
    ],
)
def test_addresses_are_read(value: str, uri: str, name: str, tag: str | None) -> None:
    read = NameAddress.read(value, "From")
    assert (read.uri, read.name, read.tag) == (uri, name, tag)


@pytest.mark.parametrize("uri", ["mailto:a@b", "sip:", "sip:a@b:99999", "sip:a@ b", "x" * 5000])
def test_uris_that_are_not_sip_are_refused(uri: str) -> None:
    with pytest.raises(ProtocolError):
        read_uri(uri, "Contact")


def test_headers_of_a_uri_are_left_out() -> None:
    assert str(read_uri("sip:a@b:5070?Replaces=x", "Contact")) == "sip:a@b:5070"


@pytest.mark.parametrize(
    ("via", "hop"),
    [
        ("SIP/2.0/UDP 192.168.1.10:5070;branch=z", (SENDER[0], 5070)),
        ("SIP/2.0/UDP 192.168.1.10;branch=z", (SENDER[0], 5060)),
        ("SIP/2.0/UDP 192.168.1.10:5070;rport;branch=z", SENDER),
        ("SIP/2.0/UDP 198.51.100.9:5070;branch=z;maddr=224.0.1.75", (SENDER[0], 5070)),
        ("SIP/2.0/UDP 198.51.100.9:0;branch=z", (SENDER[0], 5060)),
    ],
)
def test_a_response_goes_to_where_the_request_came_from(via: str, hop: object) -> None:
    """RFC 3261 18.2.2 and RFC 3581: the source's address; its port if it asked for that, else the one it named."""
    assert Via.read(via).response_hop(SENDER) == hop


@pytest.mark.parametrize(
    ("via", "result"),
    [
        ("SIP/2.0/UDP 192.168.1.10;branch=z", "SIP/2.0/UDP 192.168.1.10;branch=z"),
        ("SIP/2.0/UDP pbx;branch=z", "SIP/2.0/UDP pbx;branch=z;received=192.168.1.10"),
        ("SIP/2.0/UDP pbx;rport;branch=z", "SIP/2.0/UDP pbx;rport=5062;branch=z;received=192.168.1.10"),
        (
            "SIP/2.0/UDP 192.168.1.10;branch=z;rport, SIP/2.0/UDP x;rport",
            "SIP/2.0/UDP 192.168.1.10;branch=z;rport=5062;received=192.168.1.10, SIP/2.0/UDP x;rport",
        ),
        ("SIP/2.0/UDP x;rportal=1;RPORT", "SIP/2.0/UDP x;rportal=1;RPORT=5062;received=192.168.1.10"),
    ],
)
def test_the_server_stamps_the_topmost_via(via: str, result: str) -> None:
    assert stamped(via, SENDER) == result


def test_a_zone_does_not_go_into_a_uri() -> None:
    assert uri_host(ip_address("fe80::1%eth0")) == "[fe80::1]"
    assert uri_host(ip_address("192.0.2.1")) == "192.0.2.1"
