"""How one server writes its messages: what differs between servers that mean the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from callgate.sccp.forms import usual_form
from callgate.sccp.message import AsSent, Message

NEVER = 99
"""A protocol version that no phone has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """What a RegisterAck says behind the intervals."""

    padding: int = 0
    version: int | None = None
    """None: the protocol version that holds."""
    unknown: int = 0
    features: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftKeys:
    """The soft keys of a server's phones."""

    labels: tuple[bytes, ...]
    """By event, from 1."""
    sets: tuple[tuple[int, ...], ...]
    """By `SoftKeySet`: indexes into the labels, from 1; 0 for no key."""
    mask: int
    """Of SelectSoftKeys for the idle phone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A server's handwriting."""

    ack: Ack
    soft_keys: SoftKeys
    tails: Mapping[type[Message], int]
    """Zero bytes behind the fields, by message."""
    rooms: Mapping[type[Message], int]
    """Bytes the last field takes, by message."""
    undefined_buttons: bool
    """What is unused in the button template is marked as undefined, not zero."""
    texts_since: int
    """The protocol version from which texts and call information take only their own bytes."""
    line_texts_since: int
    """The same for LineStat."""
    wide_open: bool
    """OpenReceiveChannel has its newest layout at every version."""
    latent_since: int
    """The protocol version from which channel messages carry latent capabilities."""
    long_dialled: bool
    """DialedNumber takes 36 bytes, with the number's 25 unaligned."""
    names_call_in_media: bool
    """Channel messages name conference and call; else 0."""
    closes_unopened: bool
    """The end of a call closes both channels, opened or not."""
    counts_parties_down: bool
    """The party id counts down from 0xFFFFFFFE; else it is the call reference."""
    ringer_names_call: bool
    line_options: int
    label_is_extension: bool
    """The line's label is its extension, and its display name the description; else no label."""
    call_instance: int
    precedence: int
    hunt_pilot: bool
    """Call information names the hunt pilot from version 17."""
    traffic_class: int
    """Of StartMediaTransmission."""
    dtmf: tuple[int, int]
    """RTP payload type and kind of DTMF in channel messages."""
    echo_cancellation: bool
    milliseconds: bool
    """The time has milliseconds."""


def in_form_of(cls: type[Message], version: int, header: int, *, tail: bytes | None = None) -> AsSent | None:
    """How a message is written that has the form of one version and the header of another."""
    form = usual_form(cls, version)
    if form == usual_form(cls, header):
        return None if tail is None else AsSent(tail=tail)
    return AsSent(form=form, tail=tail)
