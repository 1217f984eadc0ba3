"""How endpoints reach out: streams and datagrams, whether they leave from this machine or from a vantage.

Phones and probes are written against these protocols alone. `callgate.endpoint.sockets` keeps them with this machine's
own sockets, `callgate.endpoint.relay.network` with sockets that a vantage opens for us.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, Self

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class TransportAddress:
    """An IP address and a port. ValueError if the port cannot be."""

    address: Address
    port: int

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65536:
            raise ValueError(f"{self.port} is not a port")

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"

    def with_port(self, port: int) -> Self:
        """The same address with another port."""
        return type(self)(self.address, port)


class ByteStream(Protocol):
    """A connected stream: TCP, or TLS over it. Every method but `abort` raises AttemptFailed when the stream breaks."""

    @property
    def local(self) -> TransportAddress:
        """Where this end is, as the sending machine sees it."""
        ...

    @property
    def remote(self) -> TransportAddress:
        """Where the other end is."""
        ...

    async def send(self, data: bytes) -> None:
        """Send all of it in one write (over TLS: one record), and wait until it is handed over."""
        ...

    async def receive(self) -> bytes:
        """What comes next, 64 KiB at most; empty at the end of the stream. Waits without limit: use asyncio.timeout."""
        ...

    async def close(self) -> None:
        """End it politely: FIN after what was sent (close_notify before it), then read what still comes, within 1 s.

        Never raises; safe to repeat.
        """
        ...

    def abort(self) -> None:
        """Drop it at once."""
        ...


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram, and who sent it."""

    data: bytes
    source: TransportAddress


class DatagramSocket(Protocol):
    """A bound UDP socket."""

    @property
    def local(self) -> TransportAddress:
        """Where others reach it: the address the sending machine uses toward the peer, and the port it got."""
        ...

    async def send(self, data: bytes, remote: TransportAddress) -> None:
        """Send one datagram. Raises AttemptFailed when the machine itself cannot send it."""
        ...

    async def receive(self) -> Datagram:
        """The next datagram; waits without limit. Raises AttemptFailed(REFUSED or UNREACHABLE) upon an ICMP error."""
        ...

    async def close(self) -> None:
        """Never raises; safe to repeat."""
        ...


class Network(Protocol):
    """A place to reach out from."""

    async def connect(self, remote: TransportAddress, *, within: float) -> ByteStream:
        """Open a TCP connection.

        Raises AttemptFailed: REFUSED, UNREACHABLE, NO_REPLY, NO_ROUTE, RESET or FAILED_HERE.
        """
        ...

    async def datagrams(self, *, toward: TransportAddress) -> DatagramSocket:
        """A UDP socket on a free even port (RFC 3550 section 11), bound to the address that packets `toward` leave by.

        Raises AttemptFailed: NO_ROUTE or FAILED_HERE.
        """
        ...
