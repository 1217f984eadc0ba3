from __future__ import annotations

from ipaddress import ip_address

import pytest

from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sip_phone import Account, Patience

SERVER = TransportAddress(ip_address("fd00:1::10"), 5060)


def test_the_password_is_shown_in_no_text() -> None:
    account = Account(user="1001", password="open-sesame")
    assert "open-sesame" not in f"{account!r} {account} {account.credentials!r}"


def test_the_address_of_record_is_at_the_domain_or_the_server() -> None:
    assert Account(user="1001").uri_at(SERVER) == "sip:1001@[fd00:1::10]"
    assert Account(user="1001", domain="pbx.lab").uri_at(SERVER) == "sip:1001@pbx.lab"


@pytest.mark.parametrize(
    ("user", "escaped"), [("*43#", "*43%23"), ("a b", "a%20b"), ("a@b", "a%40b"), ("\u00fc", "%C3%BC")]
)
def test_what_a_uri_cannot_hold_is_escaped(user: str, escaped: str) -> None:
    assert Account(user=user, domain="d").uri_at(SERVER) == f"sip:{escaped}@d"


def test_credentials_may_have_a_name_of_their_own() -> None:
    credentials = Account(user="1001", password="p", auth_user="phone").credentials
    assert credentials is not None
    assert credentials.user == "phone"
    assert Account(user="1001").credentials is None


@pytest.mark.parametrize(
    "fields",
    [
        {"user": ""},
        {"user": "a\r\nVia: b"},
        {"user": 129 * "a"},
        {"user": "a", "auth_user": "b\0"},
        {"user": "a", "password": "b\n"},
        {"user": "a", "domain": "a b"},
        {"user": "a", "domain": "a;transport=tcp"},
        {"user": "a", "domain": ""},
    ],
)
def test_what_cannot_be_sent_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Account(**fields)


@pytest.mark.parametrize("name", ["connect", "answer", "ring", "call", "leave"])
def test_patience_has_an_end(name: str) -> None:
    for value in (0.0, -1.0, 3601.0):
        with pytest.raises(ValueError, match=name):
            Patience(**{name: value})
