"""The audio of one call: sends a tone or an echo, and counts what arrives."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from typing import Any, Final

from callgate.endpoint.attempt import AttemptFailed, AudioCount, Ending
from callgate.endpoint.failure import without_zone
from callgate.endpoint.network import Address, Datagram, DatagramSocket, TransportAddress
from callgate.endpoint.rtp import CLOCK_RATE, PCMA, PCMU, RtpPacket, Tone
from callgate.errors import ProtocolError

MAXIMUM_BURST: Final = 5
"""Packets sent at once at most, to catch up when this machine was busy."""
MAXIMUM_UNSETTLED: Final = 16
"""Sources told apart before it is known where audio comes from."""
MAXIMUM_STREAMS: Final = 16
"""Streams (SSRC) of one source whose sequence numbers are followed at a time."""
WINDOW: Final = 1024
"""How far back a sequence number may come late, and be told from one that came already."""
PACKET_MILLISECONDS: Final = range(10, 121)
"""What a packet may hold; others that a server asks for are brought within these bounds."""

_SEQUENCES: Final = 1 << 16
_PAUSE_AFTER_FAILURE: Final = 0.01


class AudioChannel:
    """Sends and counts RTP over one socket, which it owns: `close` closes it.

    Errors of sending and ICMP errors do not end it: the latest stands in `trouble`.
    """

    def __init__(self, socket: DatagramSocket, *, payload_type: int = PCMU, packet_milliseconds: int = 20) -> None:
        self.trouble = ""
        """The latest thing that went wrong, in one line; empty if nothing did."""
        self._socket = socket
        self._payload_type = payload_type
        self._packet_milliseconds = packet_milliseconds
        self._key = secrets.randbits(32)
        self._tones = (Tone(self._key, PCMU), Tone(self._key, PCMA))
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(16)
        self._timestamp = secrets.randbits(32)
        self._made = 0
        self._sent = 0
        self._received = _Tally()
        self._stray = 0
        self._unsettled: dict[Address, _Tally] = {}
        self._expected: Address | None = None
        self._echo_to: TransportAddress | None = None
        self._listener: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def local(self) -> TransportAddress:
        """Where the far end is to send its audio."""
        return self._socket.local

    @property
    def count(self) -> AudioCount:
        """So far. What came before `expect` was called is in none of the figures."""
        return AudioCount(self._sent, self._received.packets, self._received.echoed, self._stray)

    def listen(self) -> None:
        """Start counting what arrives; calling it again changes nothing."""
        if self._listener is None and not self._closed:
            self._listener = asyncio.create_task(self._listen())

    def expect(self, remote: TransportAddress) -> None:
        """From now on only packets from this address, whatever their port, count as received; others are stray.

        With the first call, what came before is settled the same way.
        """
        self.listen()
        expected = without_zone(remote.address)
        if expected == self._expected:
            return
        if self._expected is not None:
            self._received.begin_again()
        elif expected in self._unsettled:
            self._received = self._unsettled.pop(expected)
        self._stray += sum(tally.packets + tally.others for tally in self._unsettled.values()) + self._received.others
        self._received.others = 0
        self._unsettled.clear()
        self._expected = expected

    def transmit(
        self, remote: TransportAddress, payload_type: int | None = None, packet_milliseconds: int | None = None
    ) -> None:
        """Send the tone to `remote` from now on, and expect audio from there.

        Replaces what was sent before. Of a payload type that is not G.711 only the number is sent: the payload is
        mu-law.
        """
        self.expect(remote)
        self._echo_to = None
        kind = self._payload_type if payload_type is None else payload_type & 0x7F
        asked = self._packet_milliseconds if packet_milliseconds is None else packet_milliseconds
        held = max(PACKET_MILLISECONDS.start, min(asked, PACKET_MILLISECONDS.stop - 1))
        self._replace_sender(self._send_tone(remote, kind, held) if self._can_send_to(remote) else None)

    def echo(self, remote: TransportAddress) -> None:
        """Send back to `remote` the payload of each packet received from there, instead of a tone."""
        self.expect(remote)
        self._replace_sender(None)
        self._echo_to = remote if self._can_send_to(remote) else None

    async def pause(self) -> None:
        """Stop sending; counting goes on."""
        self._echo_to = None
        sender, self._sender = self._sender, None
        await _end(sender)

    async def close(self) -> AudioCount:
        """Stop, close the socket, and say what was counted; safe to repeat. Audio never expected is stray."""
        self._closed = True
        self._echo_to = None
        tasks = (self._sender, self._listener)
        for task in tasks:
            if task is not None:
                task.cancel()
        try:
            for task in tasks:
                await _end(task)
        finally:
            await self._socket.close()
        self._stray += sum(tally.packets + tally.others for tally in self._unsettled.values())
        self._unsettled.clear()
        return self.count

    def _can_send_to(self, remote: TransportAddress) -> bool:
        nowhere = remote.port == 0 or remote.address.is_unspecified or remote.address.is_multicast
        if nowhere or remote == self.local:
            self.trouble = f"audio cannot be sent to {remote}"
            return False
        return True

    def _replace_sender(self, sending: Coroutine[Any, Any, None] | None) -> None:
        if self._sender is not None:
            self._sender.cancel()
            self._sender = None
        if sending is not None:
            if self._closed:
                sending.close()
            else:
                self._sender = asyncio.create_task(sending)

    async def _send_tone(self, remote: TransportAddress, payload_type: int, milliseconds: int) -> None:
        loop = asyncio.get_running_loop()
        tone = self._tones[payload_type == PCMA]
        step, samples = milliseconds / 1000, CLOCK_RATE * milliseconds // 1000
        due, marker = loop.time(), True
        while True:
            late = int((loop.time() - due) / step) - (MAXIMUM_BURST - 1)
            if late > 0:
                due += late * step
                self._timestamp += late * samples
            payload = tone.payload(self._made, samples)
            self._made += 1
            if not await self._send(remote, payload_type, payload, samples, marker):
                return
            marker = False
            due += step
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _send(
        self, remote: TransportAddress, payload_type: int, payload: bytes, samples: int, marker: bool
    ) -> bool:
        """Send one packet; False when nothing can be sent any more."""
        packet = RtpPacket(
            payload_type=payload_type,
            sequence=self._sequence,
            timestamp=self._timestamp % (1 << 32),
            ssrc=self._ssrc,
            payload=payload,
            marker=marker,
        )
        self._sequence = (self._sequence + 1) % _SEQUENCES
        self._timestamp += samples
        try:
            await self._socket.send(packet.pack(), remote)
        except AttemptFailed as failure:
            self.trouble = failure.text
            return failure.ending is not Ending.FAILED_HERE
        self._sent += 1
        return True

    async def _listen(self) -> None:
        while True:
            try:
                datagram = await self._socket.receive()
            except AttemptFailed as failure:
                self.trouble = failure.text
                if failure.ending is Ending.FAILED_HERE:
                    return
                await asyncio.sleep(_PAUSE_AFTER_FAILURE)
                continue
            packet = self._count(datagram)
            if packet is not None and self._echo_to is not None:
                samples = len(packet.payload)
                await self._send(self._echo_to, packet.payload_type, packet.payload, samples, packet.marker)

    def _count(self, datagram: Datagram) -> RtpPacket | None:
        """Count a datagram; the packet if it is a new one from where audio is expected."""
        source = without_zone(datagram.source.address)
        tally: _Tally | None = self._received
        if self._expected is None:
            tally = self._unsettled.get(source)
            if tally is None and len(self._unsettled) < MAXIMUM_UNSETTLED:
                tally = self._unsettled[source] = _Tally()
        elif source != self._expected:
            tally = None
        if tally is None:
            self._stray += 1
            return None
        try:
            packet = RtpPacket.unpack(datagram.data)
        except ProtocolError:
            if self._expected is None:
                tally.others += 1
            else:
                self._stray += 1
            return None
        if not tally.take(packet):
            return None
        if any((index := tone.index_of(packet.payload)) is not None and index < self._made for tone in self._tones):
            tally.echoed += 1
        return packet if self._expected is not None else None


class _Tally:
    """What one source sent."""

    def __init__(self) -> None:
        self.packets = 0
        self.echoed = 0
        self.others = 0
        """Datagrams that are no RTP."""
        self._streams: dict[int, _Sequence] = {}

    def take(self, packet: RtpPacket) -> bool:
        """Whether the packet is new; counts it then."""
        stream = self._streams.get(packet.ssrc)
        if stream is None:
            if len(self._streams) == MAXIMUM_STREAMS:
                del self._streams[next(iter(self._streams))]
            stream = self._streams[packet.ssrc] = _Sequence(packet.sequence)
        elif not stream.is_new(packet.sequence):
            return False
        self.packets += 1
        return True

    def begin_again(self) -> None:
        """Another source takes over; what was counted stays."""
        self._streams.clear()


class _Sequence:
    """Which of the latest `WINDOW` sequence numbers of a stream came."""

    def __init__(self, first: int) -> None:
        self._highest = first
        self._came = 1
        self._restart: int | None = None

    def is_new(self, number: int) -> bool:
        ahead = (number - self._highest) % _SEQUENCES
        if ahead < _SEQUENCES // 2:
            if ahead == 0:
                return False
            self._highest = number
            self._came = (self._came << min(ahead, WINDOW) | 1) & ((1 << WINDOW) - 1)
            return True
        behind = _SEQUENCES - ahead
        if behind < WINDOW:
            bit = 1 << behind
            new = not self._came & bit
            self._came |= bit
            return new
        # A sender that began anew says so with two numbers in a row (RFC 3550, appendix A.1).
        if number == self._restart:
            self._highest, self._came, self._restart = number, 1, None
            return True
        self._restart = (number + 1) % _SEQUENCES
        return False


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is None:
        return
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
