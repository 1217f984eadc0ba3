"""What carries a phone's messages: datagrams, or a stream with or without TLS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.failure import without_zone
from callgate.endpoint.network import ByteStream, DatagramSocket, Network, TransportAddress
from callgate.endpoint.sip_phone.account import Patience, SipTransport
from callgate.endpoint.tls import TlsOptions, secure
from callgate.errors import ProtocolError
from callgate.sip.fields import Hop
from callgate.sip.message import Request, Response, read_message
from callgate.sip.stream import MessageStream

_KEEPALIVE: Final = b"\r\n\0"
"""Datagrams of these bytes alone keep a binding of a NAT open, and mean nothing."""


class Wire(Protocol):
    """The way to the server. Methods raise AttemptFailed when it breaks."""

    @property
    def local(self) -> TransportAddress:
        """Where the server reaches this phone."""
        ...

    @property
    def reliable(self) -> bool:
        """Whether nothing is lost on the way (RFC 3261: TCP, TLS)."""
        ...

    async def send(self, data: bytes, hop: Hop | None) -> None:
        """Send one message; to `hop` on a datagram socket, else to the server."""
        ...

    async def receive(self) -> Sequence[tuple[Request | Response | ProtocolError, Hop]]:
        """What came next, each with its sender; a ProtocolError is a datagram that is no message."""
        ...

    async def close(self) -> None:
        """Never raises; safe to repeat."""
        ...


class DatagramWire:
    """UDP. What comes from another address than the server's is passed over."""

    reliable = False

    def __init__(self, socket: DatagramSocket, server: TransportAddress) -> None:
        self._socket, self._server = socket, server

    @property
    def local(self) -> TransportAddress:
        """See `Wire.local`."""
        return self._socket.local

    async def send(self, data: bytes, hop: Hop | None) -> None:
        """See `Wire.send`."""
        remote = self._server if hop is None else TransportAddress(*hop)
        await self._socket.send(data, remote)

    async def receive(self) -> Sequence[tuple[Request | Response | ProtocolError, Hop]]:
        """See `Wire.receive`."""
        datagram = await self._socket.receive()
        source = datagram.source
        if without_zone(source.address) != without_zone(self._server.address):
            return ()
        if not datagram.data.strip(_KEEPALIVE):
            return ()
        read: Request | Response | ProtocolError
        try:
            read = read_message(datagram.data)
        except ProtocolError as error:
            read = error
        return ((read, (source.address, source.port)),)

    async def close(self) -> None:
        """See `Wire.close`."""
        await self._socket.close()


class StreamWire:
    """TCP or TLS."""

    reliable = True

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._messages = MessageStream()
        self._server: Hop = (stream.remote.address, stream.remote.port)

    @property
    def local(self) -> TransportAddress:
        """See `Wire.local`."""
        return self._stream.local

    async def send(self, data: bytes, hop: Hop | None) -> None:  # noqa: ARG002
        """See `Wire.send`."""
        await self._stream.send(data)

    async def receive(self) -> Sequence[tuple[Request | Response | ProtocolError, Hop]]:
        """See `Wire.receive`. GARBLED when the stream is not SIP: where a message begins is lost then."""
        data = await self._stream.receive()
        if not data:
            if self._messages.between_messages:
                raise AttemptFailed(Ending.CLOSED, "the server closed the connection")
            raise AttemptFailed(Ending.GARBLED, "the server closed the connection in the middle of a message")
        try:
            return [(message, self._server) for message in self._messages.feed(data)]
        except ProtocolError as error:
            raise AttemptFailed(Ending.GARBLED, str(error)) from error

    async def close(self) -> None:
        """See `Wire.close`."""
        await self._stream.close()


async def open_wire(
    network: Network, server: TransportAddress, transport: SipTransport, tls: TlsOptions | None, patience: Patience
) -> Wire:
    """Connect; raises AttemptFailed as `Network` and `secure` do, and UsageMistake for files that cannot be used."""
    if transport is SipTransport.UDP:
        return DatagramWire(await network.datagrams(toward=server), server)
    stream = await network.connect(server, within=patience.connect)
    if transport is SipTransport.TLS:
        stream = await secure(stream, tls or TlsOptions(), within=patience.connect)
    return StreamWire(stream)
