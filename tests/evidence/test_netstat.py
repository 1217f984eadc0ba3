from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.errors import EvidenceError
from callgate.evidence.listener import Listener, Process
from callgate.evidence.netstat import read_netstat
from callgate.evidence.ss import read_ss

HEADER = "Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name\n"


def one(line: str) -> Listener:
    (listener,) = read_netstat(f"Active Internet connections (only servers)\n{HEADER}{line}\n")
    return listener


def test_the_fifteen_sockets_are_those_that_ss_shows(sockets: Path) -> None:
    seen = read_netstat((sockets / "netstat-tulnp.txt").read_text())
    expected = read_ss((sockets / "ss-H-tulnp.txt").read_text())
    assert len(seen) == 15
    assert {(one.transport, one.port, one.address, one.socket_family, one.loopback, one.processes) for one in seen} == {
        (one.transport, one.port, one.address, one.socket_family, one.loopback, one.processes) for one in expected
    }


def test_it_claims_no_device_and_no_family_it_does_not_show(sockets: Path) -> None:
    seen = {one.port: one for one in read_netstat((sockets / "netstat-tulnp.txt").read_text())}
    assert all(one.device is None and one.v6only is None for one in seen.values())
    # IPv6 only, both, and both on a device: net-tools prints them alike.
    assert seen[2002].families == seen[2003].families == seen[2007].families == {4, 6}
    assert seen[2001].families == {4}


def test_busybox_writes_tcp_for_ipv6_too() -> None:
    wildcard = one("tcp        0      0 :::5060                 :::*                    LISTEN      911/asterisk")
    assert wildcard.socket_family == 6
    assert wildcard.families == {4, 6}
    assert one("udp        0      0 ::1:5060                :::*                                911/x").loopback


@pytest.mark.parametrize(
    ("shown", "processes"),
    [
        ("", ()),
        ("-", ()),
        ("911/asterisk", (Process("asterisk", 911),)),
        ("911/sshd: /usr/sbin/sshd -D", (Process("sshd: /usr/sbin/sshd -D", 911),)),
        ("911/a/b c) \u2028", (Process("a/b c)", 911),)),
    ],
)
def test_the_process_is_read(shown: str, processes: tuple[Process, ...]) -> None:
    assert one(f"tcp 0 0 0.0.0.0:2000 0.0.0.0:* LISTEN {shown}").processes == processes


def test_the_complaint_of_an_ordinary_user_is_passed_over() -> None:
    text = "(Not all processes could be identified, non-owned process info\n will not be shown, you would ...)\n"
    listeners = read_netstat(text + HEADER + "tcp 0 0 127.0.0.1:25 0.0.0.0:* LISTEN -\n")
    assert [listener.loopback for listener in listeners] == [True]


@pytest.mark.parametrize("local", ["fd00:1:2::1:2222:3:5060", "fd00:1111:2222:333:5060"])
def test_an_address_that_net_tools_cut_is_an_error(local: str) -> None:
    """As net-tools 2.10 prints fd00:1:2::1:2222:3333 and fd00:1111:2222:3333:4444:5555:6666:7777."""
    assert len(local) == 23
    with pytest.raises(EvidenceError, match=r"netstat\.txt:3: (the address .* may be cut short|no address)"):
        one(f"tcp6 0 0 {local} :::* LISTEN 911/asterisk")


def test_a_longer_address_shows_that_none_was_cut() -> None:
    lines = [
        f"tcp6 0 0 {local} :::* LISTEN 9/x\n" for local in ("fd00:1:2::1:2222:3:5060", "fd00:1:2::1:2222:3333:5060")
    ]
    assert len(read_netstat(HEADER + "".join(lines))) == 2


def test_a_list_without_sockets_is_empty() -> None:
    assert read_netstat("Active Internet connections (only servers)\n" + HEADER) == ()


@pytest.mark.parametrize(
    "line",
    [
        "tcp 0 0 0.0.0.0:sip 0.0.0.0:* LISTEN 911/asterisk",
        "tcp 0 0 10.0.0.1:22 10.0.0.2:4711 ESTABLISHED 9/sshd",
        "tcp 0 0 0.0.0.0:22 0.0.0.0:* 911/sshd",
        "udp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 911/sshd",
        "tcp 0 0 0.0.0.0:99999 0.0.0.0:* LISTEN 911/sshd",
        "tcp 0 0 0.0.0.0:\u0661 0.0.0.0:* LISTEN 911/sshd",
        "tcp 0 0 localhost:22 0.0.0.0:* LISTEN 911/sshd",
        "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN " + "9" * 5000 + "/x",
        "tcp 0 0 0.0.0.0:22",
        "unix  2      [ ACC ]     STREAM     LISTENING     1 /run/x",
        "raw 0 0 0.0.0.0:1 0.0.0.0:* 7",
    ],
)
def test_what_is_no_listening_socket_is_an_error_with_its_line(line: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        read_netstat(f"{HEADER}\n{line}\n", "given.txt")
    assert (caught.value.file, caught.value.line) == ("given.txt", 3)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text", ["", "\n", "netstat: command not found\n", "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 9/x\n"]
)
def test_without_the_header_it_is_not_netstat(text: str) -> None:
    with pytest.raises(EvidenceError, match="has no header"):
        read_netstat(text)


@pytest.mark.parametrize("file", ["ss-H-tulnp.txt", "proc-net-tcp.txt", "testinfra-results.txt"])
def test_another_tools_output_is_an_error(sockets: Path, file: str) -> None:
    with pytest.raises(EvidenceError):
        read_netstat((sockets / file).read_text())
    with pytest.raises(EvidenceError):
        read_netstat(HEADER + (sockets / file).read_text())


@pytest.mark.parametrize(
    "line",
    ["tcp 0 0 " + ":1" * 200_000, "tcp 0 0 0.0.0.0:1 a:* " + " A" * 200_000, "tcp" + " " * 400_000, " " * 400_000],
)
def test_a_hostile_line_takes_no_more_time_than_its_length(line: str) -> None:
    began = time.monotonic()
    with pytest.raises(EvidenceError):
        read_netstat(f"{HEADER}{line}x\n")
    assert time.monotonic() - began < 5


_LINES = st.lists(
    st.sampled_from(["tcp", "tcp6", "udp", "0", "0.0.0.0:22", ":::5060", ":::*", "0.0.0.0:*", "LISTEN", "9/a b"])
    | st.text(max_size=4),
    max_size=8,
).map(" ".join)


@given(st.lists(_LINES, max_size=6).map("\n".join))
def test_any_text_is_an_error_or_holds_every_listener_found(text: str) -> None:
    try:
        listeners = read_netstat(HEADER + text)
    except EvidenceError:
        return
    assert len(listeners) == sum(bool(line.strip()) for line in text.split("\n"))
    for listener in listeners:
        assert listener.line in text
        assert f":{listener.port}" in listener.line


_PORTS = st.integers(0, 65535)


@given(
    st.lists(st.tuples(st.sampled_from(["tcp", "udp"]), st.ip_addresses(), _PORTS, st.integers(1, 2**22)), max_size=5)
)
def test_what_netstat_prints_wide_is_read_back(bound: list[tuple[str, object, int, int]]) -> None:
    wide = "tcp6 0 0 2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff:1 :::* LISTEN -\n"
    lines = [
        f"{transport} 0 0 {address}:{port} {'::' if ':' in str(address) else '0.0.0.0'}:* "
        f"{'LISTEN ' if transport == 'tcp' else ''}{pid}/x\n"
        for transport, address, port, pid in bound
    ]
    listeners = read_netstat(HEADER + wide + "".join(lines))[1:]
    assert [(one.transport, one.port, one.processes) for one in listeners] == [
        (transport, port, (Process("x", pid),)) for transport, _, port, pid in bound
    ]
    for listener, (_, address, _, _) in zip(listeners, bound, strict=True):
        shown = listener.address or ("0.0.0.0" if listener.socket_family == 4 else "::")
        assert str(shown) == str(getattr(address, "ipv4_mapped", None) or address)
