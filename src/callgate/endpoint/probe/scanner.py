"""The vulnerability scanner's "Skinny Server Detection" (Nessus plugin 22877), replayed to predict its finding.

It registers: Alarm, then Register for SEP6E6573737573, then IpPort, each in one write, and reports when one message
comes back whose length field equals the bytes received less 8 and whose id is RegisterAck, or RegisterReject with the
text "No Authority: " and the device name. A server that sends anything before its ack, or rejects with other words,
escapes it. Where phones register automatically, the replay registers a device; it is unregistered at once.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from callgate.endpoint.attempt import AttemptFailed, printable
from callgate.endpoint.network import Address, ByteStream, Network, TransportAddress
from callgate.sccp import encode
from callgate.sccp.codec import class_of
from callgate.sccp.enums.devices import DeviceAlarmSeverity, DeviceType
from callgate.sccp.framing import HEADER, HEADER_BYTES, MAXIMUM_LENGTH, MINIMUM_LENGTH, UNCOUNTED_BYTES
from callgate.sccp.messages.devices import AlarmMessage
from callgate.sccp.messages.media import IpPortMessage
from callgate.sccp.messages.registration import RegisterReqMessage, UnregisterReqMessage
from callgate.sccp.messages.structures import StationIdentifier

PLUGIN: Final = 22877
"""Its id. Some advice says 93841, which is wrong."""
PORT: Final = 2000
"""The only port it asks."""
DEVICE: Final = b"SEP6E6573737573"
"""Its device name; as a MAC address it has the local bit, so that no phone is called that (IEEE 802)."""
NO_AUTHORITY: Final = b"No Authority: "
REGISTER_ACK: Final = 0x0081
REGISTER_REJECT: Final = 0x009D
UNREGISTER_ACK: Final = 0x0118

SETTLE_SECONDS: Final = 0.3
"""Silence that ends an answer."""
LEAVE_SECONDS: Final = 1.0
"""Given to the server to take note that the device leaves."""
MAXIMUM_RECEIVED: Final = 65536


@dataclass(frozen=True, slots=True)
class Prediction:
    """Whether the scanner would report the server."""

    reported: bool | None
    """None: it depends on how the scanner's reading splits what came, or nothing could be learnt."""
    text: str
    """Why, in one line of printable ASCII."""


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay, and what it left behind."""

    prediction: Prediction
    registered: bool
    """The server took the device in."""
    left: str
    """How the device left again, in one line; empty if it had not to."""
    milliseconds: int


def replay_messages(own: Address) -> tuple[bytes, bytes, bytes]:
    """Alarm, Register and IpPort, each to go out in one write. `own` is the sender's address.

    Device name and type (2) are those of the scanner's script; of the other fields nothing is known: no media.
    """
    name = DEVICE.decode("ascii")
    alarm = AlarmMessage(
        alarm_severity=DeviceAlarmSeverity.INFORMATIONAL, text=f"Name={name} Load=none".encode(), parm1=0, parm2=0
    )
    register = RegisterReqMessage(
        sid=StationIdentifier(device_name=DEVICE, reserved_for_future_use=0, instance=1),
        station_ip_addr=own if isinstance(own, IPv4Address) else IPv4Address(0),
        device_type=DeviceType.STATION_12SP_PLUS,
        max_streams=0,
        active_streams=0,
        protocol_ver=3,
        unknown=0,
        phone_features=0,
    )
    return encode(alarm), encode(register), encode(IpPortMessage(rtp_media_port=0))


def scanner_reports(received: bytes) -> bool:
    """Whether the scanner reports a server that sent these bytes: its very rule; takes any bytes."""
    if len(received) < HEADER_BYTES:
        return False
    length, _, message_id = HEADER.unpack_from(received)
    if length != len(received) - UNCOUNTED_BYTES:
        return False
    rejects = message_id == REGISTER_REJECT and received[HEADER_BYTES:].startswith(NO_AUTHORITY + DEVICE)
    return message_id == REGISTER_ACK or rejects


def predict(received: bytes) -> Prediction:
    """Say whether the scanner would report a server that sent `received`, and why; takes any bytes."""
    if not received:
        return Prediction(False, "nothing came back")
    messages, rest = _messages(received)
    if not messages:
        return Prediction(False, f"what came back is not SCCP: {printable(received[:32])}")
    first = messages[0]
    shown = _named(first)
    more = len(received) - len(first)
    if scanner_reports(received):
        return Prediction(True, f"{shown} came back alone")
    if scanner_reports(first):
        after = f"{_named(messages[1])} follows" if len(messages) > 1 else f"{len(rest)} more bytes follow"
        return Prediction(None, f"{shown} came back, but {after} at once: it depends on how the scanner reads them")
    ids = [_id(message) for message in messages]
    if REGISTER_ACK in ids:
        return Prediction(False, f"{shown} came before {_named(messages[ids.index(REGISTER_ACK)])}")
    if REGISTER_REJECT in ids[1:]:
        return Prediction(False, f"{shown} came before {_named(messages[ids.index(REGISTER_REJECT, 1)])}")
    if ids[0] == REGISTER_REJECT:
        words = first[HEADER_BYTES:].split(b"\0")[0]
        if words.startswith(NO_AUTHORITY + DEVICE):
            return Prediction(False, f"{shown} came back, then {more} more bytes")
        lacking = "does not name the device" if words.startswith(NO_AUTHORITY) else "has other words"
        return Prediction(False, f'{shown} came back, but its text {lacking}: "{printable(words, 60)}"')
    return Prediction(False, f"{shown} came back, and no answer to Register")


async def replay(
    network: Network, remote: TransportAddress, *, connect_seconds: float = 4.0, wait_seconds: float = 3.0
) -> Replay:
    """Do what the scanner does, say what it would find, and leave nothing behind.

    Takes `connect_seconds`, then `wait_seconds` twice at most, then 3 s. What the peer does never raises; when the
    task is cancelled, the device is unregistered first.
    """
    started = time.monotonic()
    prediction = Prediction(None, "broken off")
    received = bytearray()
    left = ""
    try:
        stream = await network.connect(remote, within=connect_seconds)
    except AttemptFailed as failure:
        return Replay(Prediction(None, failure.text), registered=False, left="", milliseconds=_since(started))
    ended = False
    try:
        ended = await _converse(stream, received, wait_seconds)
        prediction = predict(bytes(received))
    except AttemptFailed as failure:
        ended = True
        told = predict(bytes(received))
        prediction = told if received else Prediction(False, f"nothing came back: {failure.text}")
    finally:
        decided = _since(started)
        ids = [_id(message) for message in _messages(bytes(received))[0]]
        registered = REGISTER_ACK in ids
        # Whoever has not said no may still be about to register it.
        if not ended and REGISTER_REJECT not in ids and (ids or not received):
            left = await _leave(stream, registered=registered)
        elif registered:
            left = "the server closed the connection, which ends the registration"
        await stream.close()
    return Replay(prediction, registered, left, decided)


async def _converse(stream: ByteStream, received: bytearray, wait_seconds: float) -> bool:
    """Send the three messages and gather the answer; True if the server ended the connection."""
    try:
        async with asyncio.timeout(wait_seconds):
            for message in replay_messages(stream.local.address):
                await stream.send(message)
    except TimeoutError:
        return True  # it takes nothing in; more would only follow half a message
    limit = time.monotonic() + wait_seconds
    end = limit
    while len(received) < MAXIMUM_RECEIVED:
        try:
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                data = await stream.receive()
        except TimeoutError:
            return False
        if not data:
            return True
        received += data
        end = min(limit, time.monotonic() + SETTLE_SECONDS)
    return False


async def _leave(stream: ByteStream, *, registered: bool) -> str:
    """Unregister; say how the server took it, if it had registered the device."""
    seen = bytearray()
    try:
        async with asyncio.timeout(LEAVE_SECONDS):
            await stream.send(encode(UnregisterReqMessage()))
            while len(seen) < MAXIMUM_RECEIVED:
                data = await stream.receive()
                seen += data
                if not data or UNREGISTER_ACK in (_id(message) for message in _messages(bytes(seen))[0]):
                    return "unregistered" if registered else ""
    except TimeoutError:
        return "unregistered, which the server did not confirm" if registered else ""
    except AttemptFailed as failure:
        return f"unregistered, then {failure.text}" if registered else ""
    return "unregistered, which the server did not confirm" if registered else ""


def _messages(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole messages that the bytes begin with, and the rest."""
    messages = []
    at = 0
    while len(data) - at >= HEADER_BYTES:
        length = HEADER.unpack_from(data, at)[0]
        end = at + length + UNCOUNTED_BYTES
        if not MINIMUM_LENGTH <= length <= MAXIMUM_LENGTH or end > len(data):
            break
        messages.append(data[at:end])
        at = end
    return messages, data[at:]


def _id(message: bytes) -> int:
    number: int = HEADER.unpack_from(message)[2]
    return number


def _named(message: bytes) -> str:
    known = class_of(_id(message), len(message) - HEADER_BYTES)
    return known.name if known is not None else f"message 0x{_id(message):04X}"


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
