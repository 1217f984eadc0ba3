"""A UDP port that sends RTP back."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import struct
from contextlib import suppress
from typing import Final

from callgate.endpoint.call_manager.listening import told_address
from callgate.endpoint.network import Address, TransportAddress

_FIXED: Final = struct.Struct("!BBHII")
"""The header of RFC 3550, section 5.1: version and flags, marker and payload type, sequence, timestamp, source."""
MAXIMUM_DATAGRAM: Final = 2048
_AT_ONCE: Final = 64
"""Datagrams taken before others get their turn."""
_ATTEMPTS: Final = 16
_OF_A_RANGE: Final = 1024


class Echo:
    """One call's port, on an even number (RFC 3550, section 11).

    What comes from the phone's host is sent back to the address the phone named, as a stream of its own: the payload
    is the phone's, sequence numbers and source are ours. What is no RTP, or comes before the phone is known, is
    dropped. Needs a running event loop; raises OSError when the system has no port.
    """

    def __init__(self, local: Address, signalling: Address, ports: range | None = None) -> None:
        """`ports`: where to look for a free one; None: wherever the system likes."""
        self.received = 0
        """RTP packets of the phone."""
        self.sent = 0
        self._hosts = {signalling}
        self._phone: TransportAddress | None = None
        self._source = secrets.randbits(32)
        self._sequence = secrets.randbits(16)
        self._loop = asyncio.get_running_loop()
        self._socket = _even_socket(local, ports)
        self.address = told_address(self._socket.getsockname())
        """Where the phone sends to."""
        self._loop.add_reader(self._socket, self._read)

    def send_to(self, phone: TransportAddress) -> None:
        """The phone has said where it receives."""
        self._phone = phone
        self._hosts.add(phone.address)

    def close(self) -> None:
        """Give the port back; safe to repeat."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, source = self._socket.recvfrom(MAXIMUM_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier datagram
                continue
            phone = self._phone
            if phone is None or told_address(source).address not in self._hosts or not is_rtp(data):
                continue
            self.received += 1
            with suppress(OSError, BlockingIOError):
                self._socket.sendto(self._returned(data), _socket_address(phone))
                self.sent += 1

    def _returned(self, data: bytes) -> bytes:
        first, kind, _, timestamp, _ = _FIXED.unpack_from(data)
        self._sequence = (self._sequence + 1) & 0xFFFF
        return _FIXED.pack(first, kind, self._sequence, timestamp, self._source) + data[_FIXED.size :]


def is_rtp(data: bytes) -> bool:
    """Whether a datagram may be RTP: version 2, a whole header, and none of RTCP's packet types (RFC 5761)."""
    return len(data) >= _FIXED.size and data[0] >> 6 == 2 and not 192 <= data[1] <= 223


def _socket_address(address: TransportAddress) -> tuple[str, int]:
    return str(address.address), address.port


def _even_socket(local: Address, ports: range | None) -> socket.socket:
    family = socket.AF_INET if local.version == 4 else socket.AF_INET6
    for port in _chosen(ports):
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.bind((str(local), port))
            if sock.getsockname()[1] % 2 == 0:
                return sock
        except OSError as error:
            sock.close()
            if ports is None or error.errno != errno.EADDRINUSE:
                raise
        sock.close()
    raise OSError("no even UDP port came free")


def _chosen(ports: range | None) -> list[int]:
    """Ports to try: any the system gives, or even ones of a range from a place that is not always the same."""
    if ports is None:
        return [0] * _ATTEMPTS
    even = [port for port in ports if port % 2 == 0]
    begin = secrets.randbelow(len(even)) if even else 0
    return (even[begin:] + even[:begin])[:_OF_A_RANGE]
