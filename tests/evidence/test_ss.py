from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callgate.errors import EvidenceError
from callgate.evidence.listener import Family, Listener, Process, Transport
from callgate.evidence.ss import read_ss

BOUND = {
    ("udp", 5061, "every IPv4 address", False),
    ("udp", 5064, "192.168.1.10", False),
    ("udp", 5062, "every IPv6 address", False),
    ("udp", 5063, "every IPv4 and IPv6 address", False),
    ("udp", 5065, "every IPv4 and IPv6 address on eth0 only", False),
    ("tcp", 2004, "192.168.1.10", False),
    ("tcp", 2006, "every IPv4 address on eth0 only", False),
    ("tcp", 2001, "every IPv4 address", False),
    ("tcp", 2008, "127.0.0.1", True),
    ("tcp", 2009, "::1", True),
    ("tcp", 2005, "fd00:1::10", False),
    ("tcp", 2010, "192.168.1.10", False),
    ("tcp", 2007, "every IPv4 and IPv6 address on eth0 only", False),
    ("tcp", 2002, "every IPv6 address", False),
    ("tcp", 2003, "every IPv4 and IPv6 address", False),
}


def one(line: str) -> Listener:
    (listener,) = read_ss(line + "\n")
    return listener


@pytest.mark.parametrize("file", ["ss-H-tulnp.txt", "ss-tulne.txt"])
def test_the_fifteen_sockets_are_read(sockets: Path, told: Callable[[Listener], object], file: str) -> None:
    listeners = read_ss((sockets / file).read_text())
    assert len(listeners) == 15
    assert {told(listener) for listener in listeners} == BOUND


def test_the_processes_and_the_line_are_kept(sockets: Path) -> None:
    text = (sockets / "ss-H-tulnp.txt").read_text()
    listeners = read_ss(text)
    assert {listener.processes for listener in listeners} == {(Process("python3", 10685),)}
    assert [listener.line for listener in listeners] == [line.strip() for line in text.splitlines()]


def test_a_mapped_address_takes_ipv4_only() -> None:
    listener = one("tcp LISTEN 0 5 [::ffff:192.168.1.10]:2010 *:*")
    assert (listener.address, listener.socket_family) == (IPv4Address("192.168.1.10"), 6)
    assert listener.families == {4}


@pytest.mark.parametrize("wildcard", ["[::]:22", ":::22"])
@pytest.mark.parametrize("other", ["*:22", None])
def test_before_4_17_no_wildcard_is_taken_for_one_family(wildcard: str, other: str | None) -> None:
    lines = [f"tcp LISTEN 0 128 {local} *:*" for local in (wildcard, other) if local]
    for listener in read_ss("\n".join(lines) + "\n"):
        assert listener.families == {4, 6}


@pytest.mark.parametrize("line", ["udp UNCONN 0 0 0.0.0.0:68 0.0.0.0:*", "tcp LISTEN 0 5 10.0.0.1:22 0.0.0.0:*"])
def test_an_ipv4_wildcard_anywhere_shows_that_double_colon_is_ipv6_only(line: str) -> None:
    listeners = read_ss(f"tcp LISTEN 0 128 [::]:22 [::]:*\n{line}\n")
    assert listeners[0].families == {6}
    assert listeners[0].v6only is True


def test_the_extended_form_is_believed_over_the_notation() -> None:
    text = "tcp LISTEN 0 5 [::]:22 *:* ino:1 sk:1 v6only:0 <->\ntcp LISTEN 0 5 [::]:23 *:* ino:1 sk:1 v6only:1 <->\n"
    assert [listener.v6only for listener in read_ss(text)] == [False, True]


def test_a_process_cannot_call_its_socket_ipv6_only() -> None:
    hostile = 'tcp LISTEN 0 5 [::]:2000 [::]:* users:(("a v6only:1 <->",pid=9,fd=3))'
    assert one(hostile).families == {4, 6}
    assert one(hostile + " ino:1 sk:1 v6only:0 <->").v6only is False
    assert one(hostile + " ino:1 cgroup:/a v6only:1 b v6only:0 <->").v6only is False


@pytest.mark.parametrize("local", ["[fe80::1]%eth0:546", "[fe80::1%eth0]:546", "fe80::1%eth0:546"])
def test_a_link_local_address_has_its_device(local: str) -> None:
    listener = one(f"udp UNCONN 0 0 {local} [::]:*")
    assert (listener.address, listener.device, listener.port) == (IPv6Address("fe80::1"), "eth0", 546)


def test_the_header_line_is_passed_over_only_on_top() -> None:
    header = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
    line = "tcp LISTEN 0 5 *:22 *:*\n"
    assert len(read_ss(header + line)) == 1
    with pytest.raises(EvidenceError, match=r"ss\.txt:2: not a line"):
        read_ss(line + header)


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a) (b",
        'a"b) \n v6only:1'.replace("\n", ""),
        '"',
        "a,b",
        "",
        "\x1e\x85\u2028",
        '",pid=1,fd=1)',
        '("',
        "))",
    ],
)
def test_a_process_may_call_itself_anything(name: str) -> None:
    listener = one(f'tcp LISTEN 0 5 *:22 *:* users:(("{name}",pid=42,fd=3),("other",pid=43,fd=3))')
    assert listener.processes == (Process(name, 42), Process("other", 43))


def test_a_list_of_processes_that_is_not_understood_shows_none() -> None:
    assert one('tcp LISTEN 0 5 *:22 *:* users:(("sshd",pid=42,fd=3),("cut').processes == ()
    assert one('tcp LISTEN 0 5 *:22 *:* users:(("sshd",pid=42,fd=3),junk)').processes == ()
    assert one('tcp LISTEN 0 5 *:22 *:* users:(("sshd",pid=42,fd=3),("cut))').processes == ()


def test_a_newline_in_a_name_makes_an_error_and_no_listener() -> None:
    with pytest.raises(EvidenceError, match=r"ss\.txt:2"):
        read_ss('tcp LISTEN 0 5 *:22 *:* users:(("a\nb",pid=42,fd=3))\n')


@pytest.mark.parametrize(
    "line",
    [
        "tcp LISTEN 0 5 0.0.0.0:cisco-sccp 0.0.0.0:*",
        "tcp LISTEN 0 5 192.168.1.10:20",
        "tcp LISTEN 0 5",
        "tcp UNCONN 0 5 0.0.0.0:22 0.0.0.0:*",
        "udp LISTEN 0 5 0.0.0.0:22 0.0.0.0:*",
        "tcp ESTAB 0 0 10.0.0.1:22 10.0.0.2:4711",
        "tcp LISTEN 0 5 0.0.0.0:65536 0.0.0.0:*",
        "tcp LISTEN 0 5 0.0.0.0:\u0662\u0660 0.0.0.0:*",
        "tcp LISTEN 0 5 pbx1:22 0.0.0.0:*",
        "tcp LISTEN 0 5 300.0.0.1:22 0.0.0.0:*",
        "LISTEN 0 5 0.0.0.0:22 0.0.0.0:*",
        "u_str LISTEN 0 5 /run/x 0 * 0",
        "ss: command not found",
        "Cannot open netlink socket: Protocol not supported",
    ],
)
def test_what_is_no_listening_socket_is_an_error_with_its_line(line: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        read_ss(f"tcp LISTEN 0 5 *:22 *:*\n\n{line}\n", "given.txt")
    assert (caught.value.file, caught.value.line) == ("given.txt", 3)


@pytest.mark.parametrize("file", ["netstat-tulnp.txt", "proc-net-tcp.txt", "testinfra-results.txt"])
def test_another_tools_output_is_an_error(sockets: Path, file: str) -> None:
    with pytest.raises(EvidenceError, match=r"ss\.txt:1"):
        read_ss((sockets / file).read_text())


@pytest.mark.parametrize(
    "line",
    [
        "tcp LISTEN 0 0 " + ":1" * 200_000,
        "tcp LISTEN 0 0 " + "1 " * 200_000,
        "tcp LISTEN" + " " * 400_000,
        "tcp LISTEN 0 0 *:1 *:* users:(" + '("a",pid=1,fd=1),' * 20_000,
        "tcp LISTEN 0 0 *:1 *:* users:(" + '("' * 200_000 + ")",
        "tcp LISTEN " + "9" * 400_000 + " 0 *:1 *:*",
        "tcp LISTEN 0 0 *:1 *:*" + " v6only:1" * 50_000,
    ],
)
def test_a_hostile_line_takes_no_more_time_than_its_length(line: str) -> None:
    began = time.monotonic()
    with contextlib.suppress(EvidenceError):
        assert len(read_ss(line)) == 1
    assert time.monotonic() - began < 5


_WORDS = st.sampled_from(
    ["tcp", "udp", "LISTEN", "UNCONN", "0", "5", "*:22", "[::]:5060", "0.0.0.0:2000", "[fe80::1]%eth0:1", "0.0.0.0:*"]
)
_LINES = st.one_of(st.text(), st.lists(st.one_of(_WORDS, st.text(max_size=4)), max_size=8).map(" ".join))


@given(st.lists(_LINES, max_size=6).map("\n".join))
@example("tcp LISTEN 0 5 [::]:5060 0.0.0.0:*")
def test_any_text_is_an_error_or_holds_every_listener_found(text: str) -> None:
    try:
        listeners = read_ss(text)
    except EvidenceError:
        return
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    assert len(listeners) >= len(lines) - 1
    for listener in listeners:
        assert listener.line in lines
        assert f":{listener.port}" in listener.line
        assert listener.line.startswith(listener.transport)


_NAMES = st.text(st.sampled_from(list('",pid=1f()ab \r\x85\u2028')) | st.characters(codec="utf-8"), max_size=15).filter(
    lambda name: "\n" not in name and "\0" not in name and len(name.encode()) <= 15
)
_PROCESSES = st.lists(st.builds(Process, _NAMES, st.integers(1, 2**22)), max_size=3, unique=True).map(tuple)


@st.composite
def printed(draw: st.DrawFn) -> Listener:
    """A listener with the line that today's ss prints for it."""
    address = draw(st.none() | st.ip_addresses())
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address.is_unspecified):
        address = None
    if address == ip_address("0.0.0.0"):
        address = None
    family: Family = draw(st.sampled_from([4, 6])) if address is None else (4 if address.version == 4 else 6)
    v6only = draw(st.booleans()) if address is None and family == 6 else None
    device = draw(st.none() | st.sampled_from(["eth0", "eth0.100", "br-0a1b", "tun_phones"]))
    transport: Transport = draw(st.sampled_from(["tcp", "udp"]))
    port, processes = draw(st.integers(0, 65535)), draw(_PROCESSES)
    host = {4: "0.0.0.0", 6: "[::]" if v6only else "*"}[family] if address is None else str(address)
    host = f"[{host}]" if address is not None and family == 6 else host
    state, peer = "LISTEN" if transport == "tcp" else "UNCONN", {4: "0.0.0.0", 6: "[::]" if v6only else "*"}[family]
    line = f"{transport} {state} 0 128 {host}{f'%{device}' if device else ''}:{port} {peer}:*"
    if processes:
        line += " users:(" + ",".join(f'("{who.name}",pid={who.pid},fd=7)' for who in processes) + ")"
    return Listener(
        transport=transport,
        socket_family=family,
        address=address,
        port=port,
        device=device,
        v6only=v6only,
        processes=processes,
        line=line,
    )


@given(st.lists(printed(), max_size=5))
def test_what_ss_prints_is_read_back(listeners: list[Listener]) -> None:
    ipv4 = one("udp UNCONN 0 0 0.0.0.0:68 0.0.0.0:*")
    assert read_ss("".join(f"{listener.line}\n" for listener in [*listeners, ipv4])) == (*listeners, ipv4)
