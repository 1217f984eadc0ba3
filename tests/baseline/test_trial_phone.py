"""Test phones in a site file: what they need, what they must not have, and where they belong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from callgate.baseline.service import CATALOGUE
from callgate.baseline.site import load_site
from callgate.baseline.trial_phone import TrialPhone
from callgate.errors import FileMistakes

Write = Callable[..., Path]


def phone(**values: object) -> TrialPhone:
    return TrialPhone.model_validate({"name": "desk", "device": "SEP001122334455", **values})


def sip(**values: object) -> TrialPhone:
    return TrialPhone.model_validate({"name": "hall", "application": "sip", "user": "4711", **values})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"device": None}, "needs `device`"),
        ({"application": "sip", "device": None}, "needs `user`"),
        ({"application": "sip", "user": "x"}, "sip has no device"),
        ({"user": "x"}, "sccp has no user"),
        ({"password_env": "X"}, "sccp has no password_env"),
        ({"transport": "udp"}, "does not run over UDP"),
        ({"transport": "sctp"}, "Input should be"),
        ({"certificate": "phone.pem"}, "for `transport: tls`"),
        ({"unknown": "SEP001122334455"}, "the phone's own name"),
        ({"unknown": "SEPCA11DEADBEEF00"}, "at most 15 characters"),
        ({"device": "SEP0011223344556"}, "at most 15 characters"),
        ({"device": "SEP\n1"}, "a device name"),
        ({"version": 23}, "less than or equal to 22"),
        ({"version": "11"}, "valid integer"),
        ({"version": True}, "valid integer"),
        ({"dials": "sip:600"}, "a number like 600"),
        ({"password": "secret"}, "Extra inputs"),
    ],
)
def test_wrong_phone_is_refused_with_the_reason(values: dict[str, object], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        phone(**values)


def test_password_comes_from_one_place() -> None:
    with pytest.raises(ValidationError, match="not both"):
        sip(password_env="A", password_file="b")


def test_yaml_numbers_are_numbers_to_dial() -> None:
    assert phone(dials=600, number=1001).dials == "600"


@pytest.mark.parametrize(
    ("one", "service"),
    [
        (phone(), "sccp"),
        (phone(transport="tls"), "sccp-tls"),
        (sip(), "sip-udp"),
        (sip(transport="tcp"), "sip-tcp"),
        (sip(transport="tls"), "sip-tls"),
    ],
)
def test_phone_uses_one_service_of_the_catalogue(one: TrialPhone, service: str) -> None:
    assert [name for name, its in CATALOGUE.items() if one.uses(its)] == [service]


@pytest.mark.parametrize(
    ("pattern", "belongs"),
    [("*", True), ("pbx1", True), ("ssh://*@pbx1", True), ("pbx2", False), ("PBX1", False)],
)
def test_phone_belongs_to_hosts_by_name_or_uri(pattern: str, belongs: bool) -> None:
    assert phone(hosts=pattern).belongs_to("ssh://root@pbx1", "pbx1") is belongs


def test_two_phones_of_one_name_or_device_are_mistakes(write: Write) -> None:
    path = write(
        """\
trusted: [10.0.0.0/8]
test_phones:
  - {name: a, device: SEP1}
  - {name: b, device: SEP1}
  - {name: a, device: SEP2}
  - {name: c, device: SEP1, hosts: other}
"""
    )
    with pytest.raises(FileMistakes) as wrong:
        load_site(path)
    assert [str(mistake).partition(":")[2] for mistake in wrong.value.mistakes] == [
        "4: test_phones.1.name: b is the same device as a: one of them would throw the other out",
        "5: test_phones.2.name: 'a' names two test phones",
    ]
