from __future__ import annotations

import sys
import time
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.errors import EvidenceError
from callgate.evidence.listener import Address, Family, Listener, Transport, unmapped
from callgate.evidence.proc_net import read_proc_net
from callgate.evidence.ss import read_ss

# As net/ipv4/tcp_ipv4.c, net/ipv6/tcp_ipv6.c, net/ipv4/udp.c and net/ipv6/udp.c print them.
_FOUR = "local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
_SIX = (
    "local_address                         remote_address                        "
    "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
)
HEADERS: dict[tuple[Transport, Family], str] = {
    ("tcp", 4): f"  sl  {_FOUR}\n",
    ("tcp", 6): f"  sl  {_SIX}\n",
    ("udp", 4): f"   sl  {_FOUR} ref pointer drops\n",
    ("udp", 6): f"  sl  {_SIX} ref pointer drops\n",
}
LISTS = list(HEADERS)


def read_all(folder: Path) -> list[Listener]:
    found: list[Listener] = []
    for transport, family in LISTS:
        name = f"proc-net-{transport}{'6' if family == 6 else ''}.txt"
        found += read_proc_net((folder / name).read_text(), transport, family, name)
    return found


def test_the_fifteen_sockets_are_those_that_ss_shows(sockets: Path) -> None:
    seen = [(one.transport, one.port, one.address, one.loopback) for one in read_all(sockets)]
    expected = read_ss((sockets / "ss-H-tulnp.txt").read_text())
    assert sorted(seen, key=str) == sorted(
        [(one.transport, one.port, one.address, one.loopback) for one in expected], key=str
    )


def test_the_family_of_each_wildcard_is_that_of_its_list(sockets: Path) -> None:
    wildcards = {(one.transport, one.port, one.socket_family) for one in read_all(sockets) if one.address is None}
    expected = read_ss((sockets / "ss-H-tulnp.txt").read_text())
    assert wildcards == {(one.transport, one.port, one.socket_family) for one in expected if one.address is None}


def test_nothing_is_claimed_that_the_kernel_does_not_tell(sockets: Path) -> None:
    for one in read_all(sockets):
        assert (one.device, one.v6only, one.processes) == (None, None, ())
        if one.address is None and one.socket_family == 6:
            assert one.families == {4, 6}


def test_a_connected_udp_socket_is_no_listener(sockets: Path) -> None:
    assert "07" in (sockets / "proc-net-udp.txt").read_text()
    assert 5066 not in {one.port for one in read_all(sockets)}


@pytest.mark.parametrize(("transport", "family"), LISTS)
def test_a_list_without_sockets_is_empty(transport: Transport, family: Family) -> None:
    assert read_proc_net(HEADERS[transport, family], transport, family, "f") == ()


@pytest.mark.parametrize("wanted", LISTS)
@pytest.mark.parametrize("given_", LISTS)
def test_no_list_is_taken_for_another_even_when_empty(
    wanted: tuple[Transport, Family], given_: tuple[Transport, Family]
) -> None:
    if wanted == given_:
        return
    with pytest.raises(EvidenceError, match="has not the header of the kernel's list of IPv"):
        read_proc_net(HEADERS[given_], *wanted, "f")


@pytest.mark.parametrize("narrow", ["proc-net-tcp", "proc-net-udp"])
def test_where_the_header_is_cut_the_states_tell_the_lists_apart(sockets: Path, narrow: str) -> None:
    """The recorded lists end before the columns that differ."""
    other: Transport = "udp" if narrow.endswith("tcp") else "tcp"
    for suffix, family in (("", 4), ("6", 6)):
        text = (sockets / f"{narrow}{suffix}.txt").read_text()
        with pytest.raises(EvidenceError, match=r"f:\d: no state of a|has not the header"):
            read_proc_net(text, other, 4 if family == 4 else 6, "f")


def line(address: Address, port: int, state: str) -> str:
    packed = address.packed
    digits = "".join(packed[at : at + 4][::-1].hex().upper() for at in range(0, len(packed), 4))
    return (
        f"   0: {digits}:{port:04X} {'0' * len(digits)}:0000 {state} 00000000:00000000 00:00000000 00000000  0 0 7 1\n"
    )


@pytest.mark.parametrize(
    "broken",
    [
        "\n",
        "   0: 0100007F:07D8\n",
        "   0: 0100007F:07D8 00000000:0000 0\n",
        "   0: 0100007F:7D8 00000000:0000 0A 0:0\n",
        "   0: 0100007G:07D8 00000000:0000 0A 0:0\n",
        "   0: 00000000000000000000000001000000:07D8 00000000000000000000000000000000:0000 0A 0:0\n",
        "   x: 0100007F:07D8 00000000:0000 0A 0:0\n",
        "tcp LISTEN 0 5 0.0.0.0:22 0.0.0.0:*\n",
    ],
)
def test_a_broken_line_is_an_error_with_its_number(broken: str) -> None:
    text = HEADERS["tcp", 4] + line(IPv4Address("10.0.0.1"), 22, "0A") + broken
    with pytest.raises(EvidenceError) as caught:
        read_proc_net(text, "tcp", 4, "given.txt")
    assert (caught.value.file, caught.value.line) == ("given.txt", 3)


@pytest.mark.parametrize("text", ["", "\n", "cat: /proc/net/tcp: Permission denied\n"])
def test_without_the_header_it_is_not_the_kernels(text: str) -> None:
    with pytest.raises(EvidenceError, match="has not the header"):
        read_proc_net(text, "tcp", 4, "f")


@pytest.mark.parametrize("state", ["01", "02", "03", "04", "05", "06", "08", "09", "0B", "0C"])
def test_a_tcp_socket_that_does_not_listen_is_left_out(state: str) -> None:
    text = HEADERS["tcp", 4] + line(IPv4Address("10.0.0.1"), 22, state) + line(IPv4Address("10.0.0.1"), 23, "0A")
    assert [one.port for one in read_proc_net(text, "tcp", 4, "f")] == [23]


@pytest.mark.parametrize("family", [4, 6])
@given(data=st.data())
def test_what_the_kernel_prints_is_read_back(family: Family, data: st.DataObject) -> None:
    transport: Transport = data.draw(st.sampled_from(["tcp", "udp"]))
    bound = data.draw(st.lists(st.tuples(st.ip_addresses(v=family), st.integers(0, 65535)), max_size=5))
    state = "0A" if transport == "tcp" else "07"
    text = HEADERS[transport, family] + "".join(line(address, port, state) for address, port in bound)
    assert [(one.address, one.port) for one in read_proc_net(text, transport, family, "f")] == [
        (None if address.is_unspecified else unmapped(address), port) for address, port in bound
    ]


@given(st.text(st.sampled_from("0123456789ABCDEF: \n\t") | st.characters(), max_size=200))
def test_any_text_is_an_error_or_holds_every_listener_found(text: str) -> None:
    try:
        listeners = read_proc_net(HEADERS["tcp", 4] + text, "tcp", 4, "f")
    except EvidenceError:
        return
    squeezed = " ".join(text.split())
    assert all(one.line in squeezed for one in listeners)


@pytest.mark.parametrize("hostile", [" " * 400_000 + "x", "0:" * 200_000, "0: " + "0" * 400_000, "9" * 400_000 + ":"])
def test_a_hostile_line_takes_no_more_time_than_its_length(hostile: str) -> None:
    began = time.monotonic()
    with pytest.raises(EvidenceError):
        read_proc_net(HEADERS["tcp", 4] + hostile, "tcp", 4, "f")
    assert time.monotonic() - began < 5


@pytest.mark.skipif(sys.byteorder != "little", reason="reads what a little-endian kernel writes")
@pytest.mark.parametrize(("transport", "family"), LISTS)
def test_this_kernels_own_list_is_understood(transport: Transport, family: Family) -> None:
    path = Path(f"/proc/net/{transport}{'6' if family == 6 else ''}")
    if not path.exists():
        pytest.skip(f"this kernel has no {path}")
    for one in read_proc_net(path.read_text(), transport, family, path.name):
        assert one.transport == transport
