from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.evidence.listener import Address, Family, Listener, Process, Transport, union, unmapped


def bound(
    address: str | None = None,
    family: Family = 4,
    *,
    port: int = 2000,
    transport: Transport = "tcp",
    device: str | None = None,
    v6only: bool | None = None,
) -> Listener:
    where = None if address is None else ip_address(address)
    return Listener(transport=transport, socket_family=family, address=where, port=port, device=device, v6only=v6only)


@pytest.mark.parametrize(
    ("listener", "families", "binding"),
    [
        (bound(), {4}, "every IPv4 address"),
        (bound(family=6, v6only=True), {6}, "every IPv6 address"),
        (bound(family=6, v6only=False), {4, 6}, "every IPv4 and IPv6 address"),
        (bound(family=6), {4, 6}, "every IPv6 and, as far as is known, every IPv4 address"),
        (bound("10.0.0.1"), {4}, "10.0.0.1"),
        (bound("10.0.0.1", 6), {4}, "10.0.0.1"),
        (bound("fd00::1", 6), {6}, "fd00::1"),
        (bound(device="eth0"), {4}, "every IPv4 address on eth0 only"),
        (bound("fd00::1", 6, device="eth0"), {6}, "fd00::1 on eth0 only"),
    ],
)
def test_families_and_binding_in_words(listener: Listener, families: set[int], binding: str) -> None:
    assert listener.families == families
    assert listener.binding == binding


@pytest.mark.parametrize(
    ("listener", "loopback"),
    [
        (bound("127.0.0.1"), True),
        (bound("127.255.0.9"), True),
        (bound("::1", 6), True),
        (bound(device="lo"), True),
        (bound(), False),
        (bound(family=6), False),
        (bound("10.0.0.1"), False),
        (bound(device="lo.1"), False),
    ],
)
def test_loopback_is_an_address_of_it_or_its_device(listener: Listener, loopback: bool) -> None:
    assert listener.loopback is loopback


def test_the_endpoint_names_each_process_once() -> None:
    processes = (Process("asterisk", 1), Process("relay", 2), Process("asterisk", 3))
    listener = Listener(transport="udp", socket_family=4, address=None, port=5060, processes=processes)
    assert listener.endpoint == "5060/udp (asterisk, relay)"
    assert bound().endpoint == "2000/tcp"


@pytest.mark.parametrize(
    ("address", "expected"),
    [("::ffff:10.0.0.1", "10.0.0.1"), ("::10.0.0.1", "::10.0.0.1"), ("fd00::1", "fd00::1"), ("10.0.0.1", "10.0.0.1")],
)
def test_a_mapped_address_is_its_ipv4_address(address: str, expected: str) -> None:
    assert unmapped(ip_address(address)) == ip_address(expected)


def test_a_second_socket_of_a_kind_is_not_lost_in_the_first() -> None:
    """ss shows one socket, bound to a device; the kernel two of the kind: the other may be bound to none."""
    on_device, plain = bound(device="eth0"), bound()
    assert union([on_device], [plain]) == (on_device,)
    assert union([on_device], [plain, plain]) == (on_device, plain)
    only_ipv6, unknown = bound(family=6, v6only=True), bound(family=6)
    assert union([only_ipv6], [unknown, unknown]) == (only_ipv6, unknown)


def test_a_mapped_address_is_one_socket_in_either_list() -> None:
    assert union([bound("10.0.0.1", 6)], [bound("10.0.0.1", 4)]) == (bound("10.0.0.1", 6),)


def test_the_star_of_an_old_ss_is_the_kernels_ipv4_wildcard() -> None:
    star = bound(family=6, v6only=False)
    assert union([star], [bound()]) == (star,)
    assert union([star], [bound(), bound(family=6)]) == (star, bound())
    assert union([star, bound(family=6)], [bound(), bound(family=6)]) == (star, bound(family=6))
    assert union([star], [bound(port=2001)]) == (star, bound(port=2001))


def test_ipv6_only_does_not_stand_for_ipv4() -> None:
    six = bound(family=6, v6only=True)
    assert union([six], [bound()]) == (six, bound())
    assert union([bound()], [bound(family=6)]) == (bound(), bound(family=6))


_ADDRESSES: st.SearchStrategy[Address | None] = st.sampled_from(
    [None, None, IPv4Address("10.0.0.1"), IPv6Address("fd00::1")]
)


@st.composite
def listeners(draw: st.DrawFn) -> Listener:
    address = draw(_ADDRESSES)
    family: Family = draw(st.sampled_from([4, 6])) if address is None else (4 if address.version == 4 else 6)
    return Listener(
        transport=draw(st.sampled_from(["tcp", "udp"])),
        socket_family=family,
        address=address,
        port=draw(st.integers(1, 2)),
        device=draw(st.sampled_from([None, "eth0"])),
        v6only=draw(st.sampled_from([None, True, False])) if family == 6 and address is None else None,
    )


def seen_by_the_kernel(listener: Listener) -> Listener:
    return Listener(
        transport=listener.transport,
        socket_family=listener.socket_family,
        address=listener.address,
        port=listener.port,
    )


@given(st.lists(listeners(), max_size=6), st.lists(listeners(), max_size=6))
def test_every_socket_of_either_source_is_there(main: list[Listener], other: list[Listener]) -> None:
    merged = union(main, map(seen_by_the_kernel, other))
    assert merged[: len(main)] == tuple(main)
    for listener in other:
        family = listener.socket_family if listener.address is None else listener.address.version
        assert any(
            family in one.families
            for one in merged
            if (one.transport, one.port, one.address) == (listener.transport, listener.port, listener.address)
        )


@given(st.lists(listeners(), max_size=6), st.data())
def test_what_one_source_lost_the_other_gives_back(sockets: list[Listener], data: st.DataObject) -> None:
    """However much of the main list is cut off, the whole host stays in sight."""
    kept = sockets[: data.draw(st.integers(0, len(sockets)))]
    merged = union(kept, map(seen_by_the_kernel, sockets))
    for family in (4, 6):
        for device in (None, "eth0"):
            expected = Counter(
                (s.transport, s.port, s.address) for s in sockets if family in s.families and s.device in (None, device)
            )
            found = Counter(
                (s.transport, s.port, s.address) for s in merged if family in s.families and s.device in (None, device)
            )
            assert expected <= found


@given(st.lists(listeners(), max_size=6))
def test_sources_that_agree_add_nothing(sockets: list[Listener]) -> None:
    assert union(sockets, map(seen_by_the_kernel, sockets)) == tuple(sockets)
