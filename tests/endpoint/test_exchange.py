from __future__ import annotations

import base64
import json
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.endpoint.exchange import (
    MAXIMUM_RECEIVED,
    Closed,
    Contact,
    Exchange,
    IcmpError,
    Observation,
    TlsSession,
    Transport,
    exchanges_to_json,
    observations_from_json,
)
from callgate.errors import NotDetermined

HERE = IPv4Address("127.0.0.1")

SEEN: dict[str, Any] = {
    "key": "a",
    "source": "192.0.2.1",
    "outcome": "connected",
    "detail": "",
    "icmp": None,
    "received": [base64.b64encode(b"hello").decode()],
    "closed": "eof",
    "tls": {"version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "certificate": "MAA="},
    "tls_error": None,
    "milliseconds": 3,
}
"""What the prober prints of one exchange."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("connected"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(sorted(SEEN)) | st.text(max_size=4), inner, max_size=10)
    ),
    max_leaves=20,
)


def exchange(**fields: Any) -> Exchange:
    terms: dict[str, Any] = {"key": "a", "address": HERE, "port": 2000, "transport": Transport.TCP}
    return Exchange(**terms | fields)


def test_an_exchange_is_written_as_the_prober_reads_it() -> None:
    asked = exchange(address=IPv6Address("2001:db8::1"), payload=b"\x00\xff", server_name="pbx.example.net")
    assert json.loads(exchanges_to_json([asked])) == [
        {
            "key": "a",
            "address": "2001:db8::1",
            "port": 2000,
            "transport": "tcp",
            "payload": "AP8=",
            "connect_seconds": 4.0,
            "wait_seconds": 2.0,
            "attempts": 3,
            "server_name": "pbx.example.net",
        }
    ]


@given(st.lists(st.text(max_size=200) | st.text("'{%#}", max_size=9), max_size=5))
def test_the_list_of_exchanges_needs_no_quoting_and_keeps_every_key(keys: list[str]) -> None:
    text = exchanges_to_json([exchange(key=key) for key in keys])
    assert text.isascii()
    assert not any(special in text for special in ("'", "{{", "{%", "{#"))
    assert [asked["key"] for asked in json.loads(text)] == keys


@pytest.mark.parametrize(
    "fields",
    [
        {"key": "k" * 201},
        {"port": 0},
        {"port": 65536},
        {"payload": b"x" * 4097},
        {"connect_seconds": 31.0},
        {"connect_seconds": float("nan")},
        {"wait_seconds": 0.0},
        {"attempts": 0},
        {"attempts": 11},
        {"server_name": ""},
        {"server_name": ".example.net"},
        {"server_name": "a b"},
    ],
)
def test_an_exchange_out_of_bounds_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(fields))} is out of bounds"):
        exchange(**fields)


def test_an_observation_is_read_as_it_is_printed() -> None:
    assert Observation.from_json(SEEN) == Observation(
        key="a",
        source=IPv4Address("192.0.2.1"),
        contact=Contact.CONNECTED,
        received=(b"hello",),
        closed=Closed.EOF,
        tls=TlsSession("TLSv1.3", "TLS_AES_256_GCM_SHA384", b"0\x00"),
        milliseconds=3,
    )


def test_an_icmp_error_is_read_with_its_sender() -> None:
    seen = SEEN | {
        "outcome": "unreachable",
        "icmp": {"type": 1, "code": 1, "from": "2001:db8::2"},
        "source": None,
        "closed": None,
        "tls": None,
        "tls_error": "EOF",
    }
    read = Observation.from_json(seen)
    assert read.icmp == IcmpError(1, 1, IPv6Address("2001:db8::2"))
    assert (read.source, read.closed, read.tls, read.tls_error) == (None, None, None, "EOF")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", 1),
        ("key", "k" * 201),
        ("source", "nowhere"),
        ("source", 2130706433),
        ("outcome", "answered"),
        ("outcome", None),
        ("detail", "\x1b[2J"),
        ("detail", "x" * 301),
        ("detail", None),
        ("icmp", {"type": 3, "code": 10}),
        ("icmp", {"type": 3, "code": 256, "from": "192.0.2.1"}),
        ("icmp", {"type": True, "code": 1, "from": "192.0.2.1"}),
        ("received", ["not base64!"]),
        ("received", "aGVsbG8="),
        ("received", [None]),
        ("received", ["AA=="] * 17),
        ("received", [base64.b64encode(b"x" * (MAXIMUM_RECEIVED + 1)).decode()]),
        ("received", [base64.b64encode(b"x" * 40000).decode()] * 2),
        ("closed", "slammed"),
        ("tls", {"version": "TLSv1.3"}),
        ("tls", {"version": None, "cipher": "", "certificate": None}),
        ("tls", {"version": "", "cipher": "", "certificate": "?"}),
        ("tls_error", 5),
        ("milliseconds", 1.5),
        ("milliseconds", -1),
        ("milliseconds", True),
        ("milliseconds", 10**9),
    ],
)
def test_a_malformed_field_is_not_determined(field: str, value: object) -> None:
    with pytest.raises(NotDetermined, match="malformed") as raised:
        Observation.from_json(SEEN | {field: value})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("field", sorted(SEEN))
def test_a_missing_field_is_not_determined(field: str) -> None:
    with pytest.raises(NotDetermined, match="malformed"):
        Observation.from_json({name: value for name, value in SEEN.items() if name != field})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('[{"milliseconds": ' + "9" * 5000 + "}]", "not JSON"),
        ("{}", "a list of 1"),
        ("[]", "a list of 1"),
        (json.dumps([SEEN, SEEN]), "a list of 1"),
        (json.dumps([SEEN])[:-9], "not JSON"),
        (json.dumps([SEEN | {"key": "b"}]), "do not belong"),
    ],
)
def test_output_that_is_not_the_observations_is_not_determined(text: str | bytes, reason: str) -> None:
    with pytest.raises(NotDetermined, match=reason) as raised:
        observations_from_json(text, [exchange()])
    assert "\n" not in str(raised.value)


@given(JSON)
def test_arbitrary_json_is_an_observation_or_not_determined(value: object) -> None:
    for candidate in (value, SEEN | value if isinstance(value, dict) else value):
        try:
            read = Observation.from_json(candidate)
        except NotDetermined:
            continue
        assert isinstance(candidate, dict)
        assert read.key == candidate["key"]
        assert sum(map(len, read.received)) <= MAXIMUM_RECEIVED


@given(st.binary(max_size=64) | st.text(max_size=64))
def test_arbitrary_output_is_not_determined(text: bytes | str) -> None:
    with pytest.raises(NotDetermined):
        observations_from_json(text, [exchange()])


@pytest.mark.parametrize("address", ["fe80::1%eth0", "::ffff:192.0.2.1"])
def test_every_form_of_address_is_written_and_read(address: str) -> None:
    assert json.loads(exchanges_to_json([exchange(address=ip_address(address))]))[0]["address"] == str(
        ip_address(address)
    )
    assert Observation.from_json(SEEN | {"source": address}).source == ip_address(address)
