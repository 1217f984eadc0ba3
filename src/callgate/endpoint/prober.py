"""Sends payloads to ports and tells what came back; knows nothing of the protocols inside.

Self-contained: it needs the standard library of Python 3.6 or later, neither root nor raw sockets. Works
imported (`run`) and as a program (`python3 -c SOURCE JSON`, or the JSON on stdin). Its text is ASCII without
apostrophes and template braces, so that it passes through any number of quoting shells unchanged.

In: a JSON list of exchanges: key, address, port, transport ("tcp", "udp", "tls"), payload (base64),
connect_seconds, wait_seconds, attempts (datagrams sent at most), server_name (text or null).

Out: a JSON list of observations, one for each exchange, in order:
  key           as given
  source        the local address used, or null
  outcome       "connected": TCP connected, or a datagram came back
                "refused": RST, or ICMP port unreachable
                "unreachable": another ICMP destination unreachable, from a host other than this one
                "timeout": nothing came back
                "no-route": nothing left this host (no route, no neighbour, own firewall)
                "error": anything else
  detail        the name of the error, or ""
  icmp          {"type", "code", "from"} of the ICMP error behind the outcome, or null
  received      base64, one for each datagram; of a stream at most one; the raw bytes if TLS was not set up
  closed        how a stream ended: "eof", "reset", "open" (it did not), or null
  tls           {"version", "cipher", "certificate" (base64 DER or null)} of a finished handshake, or null
  tls_error     why TLS failed or ended early, or null
  milliseconds  from the first packet to the first byte that came back, else to the end of the wait
"""

import base64
import concurrent.futures
import errno
import json
import math
import select
import signal
import socket
import ssl
import struct
import sys
import time
from contextlib import suppress
from typing import Any

AT_ONCE = 64
MAXIMUM_RECEIVED = 65536
MAXIMUM_DATAGRAMS = 16
MAXIMUM_SECONDS = 30.0
SETTLE_SECONDS = 0.3  # silence after the last byte that ends the wait
LINGER_SECONDS = 0.3  # time the peer gets to end the connection after our FIN
DESTINATION_UNREACHABLE = {3, 1}  # ICMP, ICMPv6
PORT_UNREACHABLE = {(3, 3), (1, 4)}
TOO_BIG = {(3, 4), (2, 0)}
RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}  # Linux
LOCAL_ERRORS = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT,
    errno.EACCES,
    errno.EPERM,
}


def run(exchanges: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
    """Do all exchanges, many at once; each takes its connect_seconds and at most twice its wait_seconds."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(lambda exchange: Probe(exchange).observe(), exchanges))


class Probe:
    """One exchange with one port, and what was seen of it."""

    def __init__(self, exchange: "dict[str, Any]") -> None:
        self.exchange = exchange
        self.payload = base64.b64decode(exchange["payload"])
        self.connect_seconds = min(float(exchange["connect_seconds"]), MAXIMUM_SECONDS)
        self.wait_seconds = min(float(exchange["wait_seconds"]), MAXIMUM_SECONDS)
        self.started = time.monotonic()
        self.decided: float | None = None
        self.source: str | None = None
        self.target = ""
        self.outcome = "error"
        self.detail = ""
        self.icmp: dict[str, Any] | None = None
        self.received: list[bytes] = []
        self.closed: str | None = None
        self.tls: dict[str, Any] | None = None
        self.tls_error: str | None = None

    def observe(self) -> "dict[str, Any]":
        """Do the exchange and return the observation."""
        datagrams = self.exchange["transport"] == "udp"
        kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
        try:
            address, port = self.exchange["address"], self.exchange["port"]
            family, _, _, _, target = socket.getaddrinfo(address, port, 0, kind, 0, socket.AI_NUMERICHOST)[0]
            with socket.socket(family, kind) as sock:
                sock.setblocking(False)
                want_icmp(sock, True)
                self._begin(sock, target)
                if datagrams:
                    self._exchange_datagrams(sock)
                elif self._connected(sock):
                    want_icmp(sock, False)
                    self._exchange_stream(sock)
        except OSError as error:
            self._fail(error.errno, at_once=True)
            self.detail = self.detail or type(error).__name__
        return {
            "key": self.exchange["key"],
            "source": self.source,
            "outcome": self.outcome,
            "detail": self.detail,
            "icmp": self.icmp,
            "received": [base64.b64encode(data).decode() for data in self.received],
            "closed": self.closed,
            "tls": self.tls,
            "tls_error": self.tls_error,
            "milliseconds": round(((self.decided or time.monotonic()) - self.started) * 1000),
        }

    def _begin(self, sock: socket.socket, target: "tuple[Any, ...]") -> None:
        """Set the peer, which for TCP sends the SYN; raises what the kernel refuses at once."""
        self.started = time.monotonic()
        number = sock.connect_ex(target)
        if number not in (0, errno.EINPROGRESS):
            raise OSError(number, "connect")
        own = sock.getsockname()
        self.source, self.target = own[0].partition("%")[0], target[0].partition("%")[0]
        if own[:2] == target[:2]:
            raise OSError(errno.EADDRINUSE, "the kernel gave the probe the very port it asks")

    def _fail(self, number: "int | None", at_once: bool, report: "dict[str, Any] | None" = None) -> None:
        """Say what an error means: by the sender of the ICMP report, or else by whether it came at once."""
        self.decided = time.monotonic()
        self.detail = errno.errorcode.get(number or (report or {}).get("errno", 0), "")
        if report is not None:
            self.icmp = {name: report[name] for name in ("type", "code", "from")}
            kind, code = report["type"], report["code"]
            if report["from"] == self.source != self.target:
                self.outcome = "no-route"  # the neighbour does not answer, or the firewall here rejects
            elif (kind, code) in PORT_UNREACHABLE:
                self.outcome = "refused"
            elif kind in DESTINATION_UNREACHABLE:
                self.outcome = "unreachable"
        elif number == errno.ECONNREFUSED:
            self.outcome = "refused"
        elif number == errno.ETIMEDOUT:
            self.outcome = "timeout"
        elif at_once and number in LOCAL_ERRORS:
            self.outcome = "no-route"

    def _exchange_datagrams(self, sock: socket.socket) -> None:
        attempts, sent, due = int(self.exchange["attempts"]), 0, self.started
        end = self.started + self.wait_seconds
        try:
            while time.monotonic() < end:
                if sent < attempts and time.monotonic() >= due:
                    sock.send(self.payload)
                    sent += 1
                    due += self.wait_seconds / attempts
                until = min(due, end) if sent < attempts else end
                if not wait(sock, select.POLLIN, until):
                    continue
                with suppress(BlockingIOError):
                    if not self._keep(sock.recv(65536)):
                        return
                    attempts, end = sent, min(end, time.monotonic() + SETTLE_SECONDS)
        except OSError as error:
            if not self.received:
                self._fail(error.errno, at_once=True, report=take_icmp(sock))
            return
        if not self.received:
            self._fail(errno.ETIMEDOUT, at_once=False)

    def _keep(self, datagram: bytes) -> bool:
        """Keep a datagram, within bounds; False when there is no room for more."""
        self.outcome = "connected"
        self.decided = self.decided or time.monotonic()
        room = MAXIMUM_RECEIVED - sum(map(len, self.received))
        self.received.append(datagram[:room])
        return len(datagram) < room and len(self.received) < MAXIMUM_DATAGRAMS

    def _connected(self, sock: socket.socket) -> bool:
        """Wait for the end of the TCP handshake; True if the connection can be used."""
        end = self.started + self.connect_seconds
        while True:
            events = wait(sock, select.POLLOUT, end)
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            report = take_icmp(sock)
            if number in (errno.ECONNRESET, errno.EPIPE):  # before the handshake it would be ECONNREFUSED
                self.outcome, self.closed, self.detail = "connected", "reset", errno.errorcode[number]
                return False
            if number or report:  # over loopback a report may come without the error
                self._fail(number, at_once=False, report=report)
                return False
            if events & select.POLLOUT:
                self.outcome, self.closed = "connected", "open"
                return True
            if time.monotonic() >= end:
                self._fail(errno.ETIMEDOUT, at_once=False)
                return False

    def _exchange_stream(self, sock: socket.socket) -> None:
        stream = Stream(sock)
        try:
            if self.exchange["transport"] == "tls":
                stream = tls = TlsStream(sock, self.exchange["server_name"])
                self.tls = tls.shake_hands(time.monotonic() + self.wait_seconds)
                if self.tls is None:
                    self.tls_error = f"no handshake in {self.wait_seconds:g} s"
                    return
            self._converse(stream)
        except ssl.SSLError as error:
            self.tls_error = error.reason or type(error).__name__
            self.closed = "eof" if stream.ended else "open"
        except OSError as error:
            self.closed, self.detail = "reset", errno.errorcode.get(error.errno or 0, type(error).__name__)
        finally:
            self.decided = self.decided or time.monotonic()
            if isinstance(stream, TlsStream) and self.tls is None and stream.raw:
                self.received = [bytes(stream.raw)]
            stream.part()

    def _converse(self, stream: "Stream") -> None:
        """Send the payload and read until silence, the end of the stream, or the end of time or room."""
        if self.payload:
            stream.send(self.payload)
        limit = end = time.monotonic() + self.wait_seconds
        while True:
            data = stream.receive(end)
            if not data:
                self.closed = "open" if data is None else "eof"
                return
            self.decided = self.decided or time.monotonic()
            self.received = [b"".join([*self.received, data])[:MAXIMUM_RECEIVED]]
            if len(self.received[0]) == MAXIMUM_RECEIVED:
                return
            end = min(limit, time.monotonic() + SETTLE_SECONDS)


class Stream:
    """A connected TCP socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.ended = False

    def send(self, data: bytes) -> None:
        """Send all of it in one write: servers misread a message that comes in parts."""
        self.sock.settimeout(LINGER_SECONDS)
        self.sock.sendall(data)

    def receive(self, end: float) -> "bytes | None":
        """What comes next: bytes, none at the end of the stream, None when the time is over."""
        self.sock.setblocking(False)
        while wait(self.sock, select.POLLIN, end):
            with suppress(BlockingIOError):
                data = self.sock.recv(65536)
                self.ended = not data
                return data
        return None

    def part(self) -> None:
        """End politely: FIN, then read what is still under way, so that close sends no RST."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
            end, budget = time.monotonic() + LINGER_SECONDS, 4 * MAXIMUM_RECEIVED
            while budget > 0:
                data = Stream.receive(self, end)
                if not data:
                    return
                budget -= len(data)


class TlsStream(Stream):
    """TLS over a connected TCP socket, without verification: who answers is asked, not who may be trusted."""

    def __init__(self, sock: socket.socket, server_name: "str | None") -> None:
        super().__init__(sock)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # Old versions and ciphers too, where this Python can: they answer as well.
        with suppress(ssl.SSLError):
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with suppress(AttributeError, ValueError):
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self.incoming, self.outgoing, server_hostname=server_name)
        self.raw = bytearray()
        self.budget = 4 * MAXIMUM_RECEIVED

    def _flush(self) -> None:
        if self.outgoing.pending:
            Stream.send(self, self.outgoing.read())

    def _fetch(self, end: float) -> bool:
        """Feed the session with what comes next; False when time or budget are over."""
        data = Stream.receive(self, end) if self.budget > 0 else None
        if data is None:
            return False
        self.budget -= len(data)
        self.raw += data[: MAXIMUM_RECEIVED - len(self.raw)]
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
        return True

    def shake_hands(self, end: float) -> "dict[str, Any] | None":
        """Finish the handshake and describe it; None when the time is over."""
        while True:
            try:
                self.session.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fetch(end):
                    return None
            except ssl.SSLError:
                with suppress(OSError):
                    self._flush()  # the alert
                raise
        self._flush()
        cipher, certificate = self.session.cipher(), self.session.getpeercert(True)
        return {
            "version": self.session.version(),
            "cipher": cipher[0] if cipher else "",
            "certificate": base64.b64encode(certificate).decode() if certificate else None,
        }

    def send(self, data: bytes) -> None:
        """Send all of it in one record and one write."""
        self.session.write(data)
        self._flush()

    def receive(self, end: float) -> "bytes | None":
        """What comes next inside TLS, as `Stream.receive`."""
        while True:
            try:
                return self.session.read(65536)
            except ssl.SSLWantReadError:
                self._flush()
                if self.ended or not self._fetch(end):
                    return b"" if self.ended else None
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def part(self) -> None:
        """Say close_notify, then end as TCP does."""
        with suppress(OSError, ValueError):
            self.session.unwrap()
        with suppress(OSError):
            self._flush()
        super().part()


def wait(sock: socket.socket, event: int, end: float) -> int:
    """Wait for an event or an error on a socket; 0 when the time is over."""
    poller = select.poll()
    poller.register(sock, event)
    events = poller.poll(max(0, math.ceil((end - time.monotonic()) * 1000)))
    return events[0][1] if events else 0


def want_icmp(sock: socket.socket, wanted: bool) -> None:
    """Let the kernel keep ICMP errors with their sender (ip(7), IP_RECVERR); Linux only."""
    if sys.platform.startswith("linux"):
        level, option = RECVERR[sock.family]
        sock.setsockopt(level, option, int(wanted))


def take_icmp(sock: socket.socket) -> "dict[str, Any] | None":
    """The last ICMP error the kernel kept for a socket (struct sock_extended_err), or None."""
    report = None
    sock.setblocking(False)
    for _ in range(MAXIMUM_DATAGRAMS if sys.platform.startswith("linux") else 0):
        try:
            _, ancillary, _, _ = sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)
        except OSError:
            break
        for level, option, data in ancillary:
            if (level, option) != RECVERR[sock.family] or len(data) < 24:
                continue
            number, origin, kind, code = struct.unpack_from("=IBBB", data)
            # The sender follows the 16 bytes: its address is at 4 in sockaddr_in, at 8 in sockaddr_in6.
            begin, size = (20, 4) if sock.family == socket.AF_INET else (24, 16)
            if origin in (2, 3) and (kind, code) not in TOO_BIG and len(data) >= begin + size:
                sender = socket.inet_ntop(sock.family, data[begin : begin + size])
                report = {"errno": number, "type": kind, "code": code, "from": sender}
    return report


def main() -> None:
    """Read the exchanges, print the observations."""
    exchanges = json.loads(sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read())
    # Whatever hangs, the process ends: no exchange takes longer than 3 times the maximum.
    signal.alarm(int(3 * MAXIMUM_SECONDS + 5) * (1 + len(exchanges) // AT_ONCE))
    json.dump(run(exchanges), sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
