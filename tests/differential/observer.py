"""The kernel's verdict on packets, seen without touching its rules.

Frames go in through AF_PACKET on the far ends of the host's veths; raw sockets in the host see what passed the input
hook, and packet sockets at the far ends what was forwarded or answered.

Why nothing is missed and nothing waited for: a frame sent into a veth joins the backlog queue of the CPU that sent it,
and that queue is worked off in order, to the end of each packet's way through the stack; so does every packet caused by
it. While this thread keeps to one CPU, a frame that is seen at the host after the batch says that all frames before it
are done, and as many such round trips as a packet has hops say it of the packets they caused.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from types import TracebackType
from typing import Final, Literal, Self, TypeVar

from tests.differential.probe import STEP, Probe, Seen, marks_in_packet, marks_in_payload

from callgate.errors import LabError

Observed = Literal["accept", "drop", "reject"]

BATCH: Final = 64
"""Probes on the way at once: their answers fit the default receive buffers."""
SETTLED_WITHIN: Final = 5.0
"""Seconds a machine under load may take for one round trip (usually 0.00002)."""
HOPS: Final = 4
"""Backlogs a probe and what it causes can pass one after the other: in, to the container or lo, answer, answer."""

_BARRIER: Final = 0x88B5  # local experimental EtherType (IEEE 802)
_ETH_P_ALL: Final = 3
_ETHERTYPES: Final = {4: 0x0800, 6: 0x86DD}
_PACKET_IGNORE_OUTGOING: Final = 23  # linux/if_packet.h
_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h
_SO_RCVBUFFORCE: Final = 33
_SOL_PACKET: Final = 263
_CLONE_NEWNET: Final = 0x40000000
_FLUSH_CONNTRACK: Final = struct.pack(
    "=IHHII4s",
    20, (1 << 8) | 2, 0x1 | 0x4, 1, 0, bytes(4),  # IPCTNL_MSG_CT_DELETE without a tuple; NLM_F_REQUEST | NLM_F_ACK
)  # fmt: skip
_NETLINK_NETFILTER: Final = 12
_NOT_ROUTED: Final = {errno.EPERM, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EINVAL, errno.EACCES}
"""What sending locally fails with when output or routing stops the packet."""

T = TypeVar("T")


def in_network_of(pid: int, make: Callable[[], T]) -> T:
    """What `make` returns in the network namespace of a process; a socket made so stays there.

    Namespaces of network belong to threads: one enters, and ends. Raises OSError.
    """
    results: list[T] = []
    failures: list[OSError] = []

    def enter() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/proc/{pid}/ns/net", "rb") as namespace:
                if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns to the network of {pid}")
            results.append(make())
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=enter, name="enter-network")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


@dataclass(frozen=True, slots=True)
class Side:
    """An interface of the host and its far end in the peer's network."""

    interface: str
    far_end: str
    mac: bytes
    far_mac: bytes


class Observer:
    """Sends probes to a host and tells what its kernel did. One thread's at a time; close it, or use `with`."""

    def __init__(self, host_pid: int, peer_pid: int, sides: Sequence[Side]) -> None:
        self._sides: Mapping[str, Side] = {side.interface: side for side in sides}
        self._next_mark = 0x10000000 + (os.getpid() & 0xFFF) * 0x10000
        self._sockets: list[socket.socket] = []
        try:
            in_network_of(peer_pid, self._open_in_peer)
            in_network_of(host_pid, self._open_in_host)
        except OSError as error:
            self.close()
            raise LabError(f"no probes can be sent: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all sockets; safe to repeat."""
        for opened in self._sockets:
            opened.close()

    def verdicts(self, probes: Sequence[Probe]) -> list[Observed]:
        """What the kernel did to each probe, in order; connection tracking forgets all before every `BATCH` of them.

        `accept`: it passed the input hook of the host, or left the host towards its destination. `reject`: it did not,
        and a RST or an ICMP destination unreachable left the host for it. Else `drop`, so that what the host sends to
        itself is never rejected. Probes of one batch must not have equal tuples. Raises LabError when the kernel does
        not settle within `SETTLED_WITHIN` seconds.
        """
        verdicts: list[Observed] = []
        with _one_cpu():
            for at in range(0, len(probes), BATCH):
                self.forget_connections()
                verdicts += self._batch(probes[at : at + BATCH])
        return verdicts

    def forget_connections(self) -> None:
        """Flush connection tracking, as `conntrack -F` does."""
        self._conntrack.send(_FLUSH_CONNTRACK)
        self._conntrack.recv(4096)

    def _open_in_peer(self) -> None:
        self._inject = {side.interface: self._packet_socket(side.far_end) for side in self._sides.values()}
        self._far_tap = self._tap(None)

    def _open_in_host(self) -> None:
        self._raw = [
            (number, version, self._kept(socket.socket(family, socket.SOCK_RAW, number)))
            for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6))
            for number in (socket.IPPROTO_TCP, socket.IPPROTO_UDP)
        ]
        self._barrier = self._tap(next(iter(self._sides)), _barrier_only())
        self._local = {
            4: self._kept(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)),
            6: self._kept(socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)),
        }
        self._conntrack = self._kept(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER))
        self._conntrack.settimeout(SETTLED_WITHIN)

    def _kept(self, opened: socket.socket) -> socket.socket:
        self._sockets.append(opened)
        opened.setblocking(False)
        with suppress(OSError):  # in a user namespace the default must do, and does for one batch
            opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 4 << 20)
        return opened

    def _packet_socket(self, interface: str) -> socket.socket:
        opened = self._kept(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        opened.bind((interface, 0))
        return opened

    def _tap(self, interface: str | None, program: bytes | None = None) -> socket.socket:
        """All that comes in by an interface (of each, if None), before its ingress hook."""
        opened = self._kept(
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0 if interface else socket.htons(_ETH_P_ALL))
        )
        opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        if program is not None:
            code = ctypes.create_string_buffer(program)
            opened.setsockopt(
                socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
            )
        if interface:
            opened.bind((interface, _ETH_P_ALL))
        return opened

    def _batch(self, probes: Sequence[Probe]) -> list[Observed]:
        for opened in (self._far_tap, *(raw for _, _, raw in self._raw)):
            for _ in _received(opened):
                pass
        first = self._next_mark
        self._next_mark = first + STEP * len(probes) if first < 0xE0000000 else 0x10000000
        for at, probe in enumerate(probes):
            self._send(probe, first + STEP * at)
        for _ in range(HOPS):
            self._settle()
        arrived: set[int] = set()
        refused: set[int] = set()
        for seen in self._all_seen():
            at, rest = divmod(seen.mark - first, STEP)
            if not 0 <= at < len(probes):
                continue
            if seen.kind == "refusal" and rest <= 2:
                refused.add(at)
            elif seen.kind == "arrival" and rest == 0 and seen.flags == probes[at].flag_byte:
                arrived.add(at)
        return ["accept" if at in arrived else "reject" if at in refused else "drop" for at in range(len(probes))]

    def _send(self, probe: Probe, mark: int) -> None:
        packet = probe.ip_packet(mark)
        if probe.iif == "lo":
            try:
                self._local[probe.source.version].sendto(packet, (str(probe.destination), 0))
            except OSError as error:
                if error.errno not in _NOT_ROUTED:
                    raise LabError(f"{probe} cannot be sent: {error}") from error
            return
        side = self._sides[probe.iif]
        head = _destination_mac(probe, side) + side.far_mac + struct.pack("!H", _ETHERTYPES[probe.source.version])
        self._inject[probe.iif].send(head + packet)

    def _settle(self) -> None:
        """One round trip to the host, behind all that is queued on this CPU now."""
        side = next(iter(self._sides.values()))
        token = os.urandom(46)
        self._inject[side.interface].send(side.mac + side.far_mac + struct.pack("!H", _BARRIER) + token)
        deadline = time.monotonic() + SETTLED_WITHIN
        while True:
            for frame in _received(self._barrier):
                if frame[14:] == token:
                    return
            if time.monotonic() > deadline:
                raise LabError(f"the kernel did not settle within {SETTLED_WITHIN:g} s")
            time.sleep(0)

    def _all_seen(self) -> Iterator[Seen]:
        for number, version, raw in self._raw:
            for packet in _received(raw):
                seen = marks_in_packet(packet) if version == 4 else marks_in_payload(number, packet)
                yield from (one for one in seen if one.kind == "arrival")
        for frame in _received(self._far_tap):
            yield from marks_in_packet(frame[14:])


def _received(opened: socket.socket) -> Iterator[bytes]:
    with suppress(BlockingIOError):
        while True:
            yield opened.recv(4096)


def _destination_mac(probe: Probe, side: Side) -> bytes:
    """The MAC a sender on the link would take: group addresses have one of their own (RFC 1112, RFC 2464)."""
    if probe.destination.is_multicast:
        if isinstance(probe.destination, IPv4Address):
            return bytes((1, 0, 0x5E, probe.destination.packed[1] & 0x7F)) + probe.destination.packed[2:]
        return b"\x33\x33" + probe.destination.packed[12:]
    if isinstance(probe.destination, IPv4Address) and probe.destination.packed[3] == 255:
        return b"\xff" * 6
    return side.mac


@contextmanager
def _one_cpu() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[os.getpid() % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _barrier_only() -> bytes:
    """Classic BPF: frames of the barrier's EtherType whole, others not at all."""
    program: Iterable[tuple[int, int, int, int]] = (
        (0x28, 0, 0, 12),  # ldh [12]
        (0x15, 0, 1, _BARRIER),  # jeq
        (0x06, 0, 0, 0xFFFF),  # ret
        (0x06, 0, 0, 0),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
