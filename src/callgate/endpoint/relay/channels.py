"""The sockets of the relay on a vantage.

Part of the text that is shipped to vantages, so in the style of the prober (Python 3.6, see there).
"""

import errno
import select
import socket
import struct
import time
from collections import deque
from contextlib import suppress
from typing import Any

from callgate.endpoint.prober import take_icmp, want_icmp
from callgate.endpoint.relay.frames import (
    CHANNELS,
    CHUNK,
    CREDIT,
    DATA,
    END,
    ERROR,
    GONE,
    GRAM,
    OPEN,
    WINDOW,
    frame,
    pack_datagram,
    unpack_datagram,
)

CONNECT_SECONDS = 120.0
CLOSE_SECONDS = 1.0
EVEN_PORT_TRIES = 64


def name_of(name: "tuple[Any, ...]") -> "list[Any]":
    """A socket name as [address, port], the zone of a link-local address by its interface."""
    address = str(name[0]).partition("%")[0]
    if len(name) > 3 and name[3]:
        zone = str(name[3])
        with suppress(OSError):
            zone = socket.if_indextoname(name[3])
        address = f"{address}%{zone}"
    return [address, name[1]]


class Channel:
    """One socket and what is due on it."""

    def __init__(self, relay: "Any", number: int, remote: "list[Any]") -> None:
        self.relay = relay
        self.number = number
        self.remote = remote
        self.sock: socket.socket | None = None
        self.deadline: float | None = None

    def open(self, kind: int, address: str, port: int) -> "tuple[Any, ...]":
        """Make the socket; returns the target."""
        found = socket.getaddrinfo(address, port, 0, kind, 0, socket.AI_NUMERICHOST)[0]
        self.sock = socket.socket(found[0], kind)
        self.sock.setblocking(False)
        want_icmp(self.sock, True)
        return found[4]

    def fail(self, number: "int | None", report: "dict[str, Any] | None" = None, at_once: bool = False) -> None:
        """Report an error."""
        local = None
        with suppress(OSError, AttributeError):
            local = name_of(self.sock.getsockname())  # type: ignore[union-attr]
        icmp = report and {key: report[key] for key in ("type", "code", "from")}
        number = number or (report or {}).get("errno", 0)
        said = {"errno": errno.errorcode.get(number or 0, ""), "icmp": icmp, "at_once": at_once}
        self.relay.say(ERROR, self.number, dict(said, local=local, remote=self.remote))

    def shut(self) -> None:
        """Close the socket."""
        if self.sock is not None:
            self.sock.close()

    def gone(self) -> None:
        """Close the socket and forget the channel."""
        self.shut()
        self.relay.channels.pop(self.number, None)

    def events(self) -> int:
        """What to wait for, as poll takes it; 0 for nothing at all."""
        raise NotImplementedError

    def ready(self, _events: int) -> None:
        """Go on; `_events` is 0 when the deadline has come."""
        raise NotImplementedError


class Connection(Channel):
    """A TCP connection."""

    def __init__(self, relay: "Any", number: int, remote: "list[Any]") -> None:
        super().__init__(relay, number, remote)
        self.standing = False
        self.ended = False  # by the peer
        self.closing = False  # by us
        self.shut_down = False
        self.credit = WINDOW
        self.pending: deque[tuple[memoryview, int]] = deque()
        self.budget = 4 * CHUNK

    def start(self, asked: "dict[str, Any]") -> None:
        """Send the connection request."""
        target = self.open(socket.SOCK_STREAM, asked["address"], asked["port"])
        assert self.sock is not None
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.deadline = time.monotonic() + min(float(asked["seconds"]), CONNECT_SECONDS)
        number = self.sock.connect_ex(target)
        if number not in (0, errno.EINPROGRESS):
            raise OSError(number, "connect")

    def events(self) -> int:
        """See Channel."""
        events = 0 if self.standing else select.POLLOUT
        if self.pending and self.standing:
            events |= select.POLLOUT
        hungry = self.closing or (self.credit > 0 and self.relay.has_room())
        if self.standing and not self.ended and hungry:
            events |= select.POLLIN
        return events

    def ready(self, _events: int) -> None:
        """See Channel."""
        events = _events
        try:
            if not self.standing:
                self.connected(events)
            elif not events:
                self.finish(reset=bool(self.pending))
            else:
                if self.pending:
                    self.write()
                if not self.ended and events & ~select.POLLOUT:
                    self.read()
                self.go_on_closing()
        except BlockingIOError:
            pass
        except OSError as error:
            if self.closing:
                self.finish(reset=False)
            else:
                self.fail(error.errno)
                self.gone()

    def connected(self, events: int) -> None:
        """The end of the TCP handshake, or of the wait for it."""
        assert self.sock is not None
        number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        report = take_icmp(self.sock)
        own = name_of(self.sock.getsockname())
        if not (number or report or events):
            self.fail(errno.ETIMEDOUT)
        elif number or report:  # over loopback a report may come without the error
            self.fail(number, report)
        elif own == self.remote:  # the kernel gave this end the very port it asks
            self.fail(errno.EADDRINUSE)
        elif events & select.POLLOUT:
            want_icmp(self.sock, False)
            self.standing, self.deadline = True, None
            self.relay.say(OPEN, self.number, {"local": own})
            return
        else:
            return
        self.gone()

    def write(self) -> None:
        """Send what is due, each frame in one write where the kernel takes it."""
        assert self.sock is not None
        while self.pending:
            rest, size = self.pending.popleft()
            sent = 0
            try:
                sent = self.sock.send(rest)
            finally:
                if sent < len(rest):
                    self.pending.appendleft((rest[sent:], size))
            if sent == len(rest):
                self.relay.put(frame(CREDIT, self.number, struct.pack(">I", size)))

    def read(self) -> None:
        """Receive once."""
        assert self.sock is not None
        data = self.sock.recv(CHUNK if self.closing else min(CHUNK, max(1, self.credit)))
        if not data:
            self.ended = True
            if not self.closing:
                self.relay.put(frame(END, self.number))
        elif self.closing:
            self.budget -= len(data)
        else:
            self.credit -= len(data)
            self.relay.put(frame(DATA, self.number, data))

    def send(self, data: bytes) -> None:
        """A DATA frame."""
        if sum(len(rest) for rest, _ in self.pending) > WINDOW:
            raise ValueError("more data than the window allows")
        self.pending.append((memoryview(data), len(data)))
        self.ready(select.POLLOUT)

    def close(self) -> None:
        """An END frame."""
        if not self.standing:
            self.finish(reset=True)
        elif not self.closing:
            self.closing, self.deadline = True, time.monotonic() + CLOSE_SECONDS
            self.ready(select.POLLOUT)

    def go_on_closing(self) -> None:
        """FIN once all is sent; the end when the peer ends too, or says too much."""
        assert self.sock is not None
        if self.closing and not self.pending and not self.shut_down:
            self.shut_down = True
            self.sock.shutdown(socket.SHUT_WR)
        if self.shut_down and (self.ended or self.budget <= 0):
            self.finish(reset=False)

    def finish(self, reset: bool) -> None:
        """Close, with RST where FIN would end half a message."""
        if reset and self.sock is not None:
            with suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.gone()
        self.relay.put(frame(GONE, self.number))


class Datagrams(Channel):
    """A UDP socket."""

    def __init__(self, relay: "Any", number: int, remote: "list[Any]") -> None:
        super().__init__(relay, number, remote)
        self.targets: dict[tuple[str, int], tuple[Any, ...]] = {}

    def start(self, asked: "dict[str, Any]") -> None:
        """Find the local address and an even port on it."""
        target = self.open(socket.SOCK_DGRAM, asked["address"], asked["port"] or 9)
        assert self.sock is not None
        with self.sock as scratch:
            scratch.connect(target)
            own, family = scratch.getsockname(), scratch.family
        for _ in range(EVEN_PORT_TRIES):
            self.sock = socket.socket(family, socket.SOCK_DGRAM)
            self.sock.setblocking(False)
            want_icmp(self.sock, True)
            self.sock.bind((own[0], 0, *own[2:]))
            local = name_of(self.sock.getsockname())
            if local[1] % 2 == 0:
                self.relay.say(OPEN, self.number, {"local": local})
                return
            self.sock.close()
        raise OSError(errno.EADDRINUSE, "no even port")

    def events(self) -> int:
        """See Channel."""
        return select.POLLIN if self.relay.has_room() else 0

    def ready(self, _events: int) -> None:
        """See Channel."""
        assert self.sock is not None
        for _ in range(CHANNELS):
            try:
                data, source = self.sock.recvfrom(CHUNK)
                address, port = name_of(source)
                self.relay.put(frame(GRAM, self.number, pack_datagram(address, port, data)))
            except BlockingIOError:
                report = take_icmp(self.sock)
                if report is not None:
                    self.fail(None, report)
                return
            except OSError as error:
                self.complain(error, at_once=False)

    def send(self, rest: bytes) -> None:
        """A GRAM frame. The kernel may hand out the ICMP error of an earlier datagram instead of sending."""
        address, port, data = unpack_datagram(rest)
        self.remote = [address, port]
        try:
            target = self.targets.get((address, port))
            if target is None:
                found = socket.getaddrinfo(address, port, 0, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)
                target = found[0][4]
                if len(self.targets) < CHANNELS:
                    self.targets[address, port] = target
        except socket.gaierror:
            self.fail(errno.ENODEV, at_once=True)
            return
        assert self.sock is not None
        for _ in range(16):
            try:
                self.sock.sendto(data, target)
                return
            except BlockingIOError:
                return  # the queue is full: lost, as on any way
            except OSError as error:
                if not self.complain(error, at_once=True):
                    return

    def complain(self, error: OSError, at_once: bool) -> bool:
        """Report an error; True if it is of an earlier datagram, so that sending can be tried again."""
        assert self.sock is not None
        report = take_icmp(self.sock)
        own = name_of(self.sock.getsockname())[0].partition("%")[0]
        earlier = error.errno == errno.ECONNREFUSED
        if report is not None:  # what this host itself says of another is of this datagram
            earlier = report["from"] != own or own == self.remote[0].partition("%")[0]
        if earlier or at_once or error.errno != errno.EMSGSIZE:  # a path MTU is no news of the peer
            self.fail(error.errno, report, at_once and not earlier)
        return earlier

    def close(self) -> None:
        """An END frame."""
        self.gone()
        self.relay.put(frame(GONE, self.number))
