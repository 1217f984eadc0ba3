"""Names to addresses, with a resolver of the test's own."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_address

import pytest

from callgate.endpoint.probe.resolving import MAXIMUM_ADDRESSES, resolve
from callgate.endpoint.probe.target import Address

ZONE = {
    "pbx.example": ["192.0.2.1", "2001:db8::1"],
    "blocked.example": ["0.0.0.0"],
    "mixed.example": ["0.0.0.0", "192.0.2.2"],
    "multicast.example": ["ff02::1"],
    "empty.example": [],
}


def lookup(name: str) -> list[Address]:
    if name not in ZONE:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service\x1b not known")
    return [ip_address(text) for text in ZONE[name]]


def test_every_address_of_a_name_is_given() -> None:
    assert resolve(["pbx.example"], lookup=lookup)["pbx.example"] == (
        ip_address("192.0.2.1"),
        ip_address("2001:db8::1"),
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nope.example", r"the name does not resolve: Name or service\x1b not known"),
        ("blocked.example", "the name resolves to 0.0.0.0: the unspecified address is no host"),
        ("multicast.example", "the name resolves to ff02::1: a multicast address: probes ask hosts one by one"),
        ("empty.example", "the name has no address"),
    ],
)
def test_a_name_without_a_usable_address_says_why(name: str, reason: str) -> None:
    assert resolve([name], lookup=lookup)[name] == reason


def test_an_address_that_is_nobodys_is_left_out() -> None:
    assert resolve(["mixed.example"], lookup=lookup)["mixed.example"] == (ip_address("192.0.2.2"),)


def test_many_names_are_looked_up_once_each() -> None:
    asked: list[str] = []

    def counting(name: str) -> list[Address]:
        asked.append(name)
        return [ip_address("192.0.2.1")]

    names = [f"pbx{number}.example" for number in range(100)]
    assert len(resolve([*names, *names], lookup=counting)) == 100
    assert sorted(asked) == sorted(names)


def test_a_resolver_that_never_answers_does_not_hold_the_others_up() -> None:
    release = threading.Event()

    def stuck(name: str) -> list[Address]:
        if name == "stuck.example":
            release.wait(30)
        return [ip_address("192.0.2.1")]

    found = resolve(["stuck.example", "pbx.example"], within=0.3, lookup=stuck)
    release.set()
    assert found["stuck.example"] == "the name was not resolved within 0.3 s"
    assert found["pbx.example"] == (ip_address("192.0.2.1"),)


def test_of_a_name_with_endless_addresses_some_are_taken() -> None:
    def endless(_: str) -> list[Address]:
        return [ip_address("10.0.0.0") + number for number in range(1, 5000)]

    assert len(resolve(["big.example"], lookup=endless)["big.example"]) == MAXIMUM_ADDRESSES


def test_no_names_need_no_resolver() -> None:
    assert resolve([], lookup=lookup) == {}
