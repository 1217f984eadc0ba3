"""How a call manager behaves: a plain one, or with the facts of a real server.

The facts were observed on Asterisk 18.26 chan_skinny and chan-sccp 4.3.5 over loopback.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from callgate.endpoint.call_manager import scripts
from callgate.endpoint.call_manager.handwriting import CHAN_SCCP_SHAPE, CHAN_SKINNY_SHAPE, PLAIN_SHAPE
from callgate.endpoint.call_manager.scripts import Script
from callgate.endpoint.call_manager.shape import Shape


class Oversize(Enum):
    """What becomes of a connection that announces a message too long, or that speaks another protocol."""

    CLOSES = auto()
    """At once; with a reset, where bytes behind the header were not read."""
    GOES_DEAF = auto()
    """Nothing is answered any more, and it closes once that many bytes have come."""


class Second(Enum):
    """What becomes of the second registration of a name in use."""

    REJECTED = auto()
    REJECTED_LATE = auto()
    DROPS_BOTH = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of server. Times are seconds."""

    name: str
    shape: Shape
    script: Script

    # The stream
    longest: int
    """The largest length field taken."""
    oversize: Oversize
    refuses_split_headers: bool
    """A read that ends inside a header ends the connection."""
    half_message: float | None
    """Until a message that is not whole ends the connection; None: no limit of its own."""
    spins: bool
    """Closing in the middle of a message has it burn a core."""

    # Strangers
    idle: float
    """Until a connection without a registration is closed."""
    idle_from_start: bool
    """Counted from the connection's start, whatever is sent; else from the last message."""
    strangers: int | None
    """Connections without a registration served at once; one more is reset."""
    early_request_closes: bool
    """A request before the registration ends the connection; else it is ignored."""
    answers_unknown: bool
    """Unknown ids are answered with KeepAliveAck."""
    unknown_closes_from: int | None
    """Unknown ids from here on end the connection."""
    answers_tokens: bool

    # Registration
    lamps_before_ack: bool
    names_version: bool
    """Headers say the negotiated version (from 10 on); else always 0."""
    keepalive: int
    """The interval in RegisterAck."""
    patience: float
    """Without a keepalive, until a registered phone is given up."""
    reject_text: bytes
    reject_names_device: bool
    """The device's name follows the text of a rejection."""
    second: Second
    second_delay: float
    acks_unregister: bool
    crashes_on_early_key: bool
    """A keypad message before ButtonTemplateReq ends the whole server."""


PLAIN: Final = Profile(
    name="plain",
    shape=PLAIN_SHAPE,
    script=scripts.PLAIN,
    longest=8192,
    oversize=Oversize.CLOSES,
    refuses_split_headers=False,
    half_message=10.0,
    spins=False,
    idle=30.0,
    idle_from_start=False,
    strangers=None,
    early_request_closes=False,
    answers_unknown=False,
    unknown_closes_from=None,
    answers_tokens=True,
    lamps_before_ack=False,
    names_version=True,
    keepalive=30,
    patience=90.0,
    reject_text=b"No Authority: ",
    reject_names_device=True,
    second=Second.REJECTED,
    second_delay=0.0,
    acks_unregister=True,
    crashes_on_early_key=False,
)
"""A server without faults."""

CHAN_SKINNY: Final = Profile(
    name="chan-skinny",
    shape=CHAN_SKINNY_SHAPE,
    script=scripts.CHAN_SKINNY,
    longest=1992,
    oversize=Oversize.CLOSES,
    refuses_split_headers=True,
    half_message=10.0,  # captured: a header whose body does not come
    spins=True,
    idle=30.0,
    idle_from_start=True,
    strangers=50,
    early_request_closes=False,
    answers_unknown=False,
    unknown_closes_from=0x80000000,
    answers_tokens=False,
    lamps_before_ack=True,
    names_version=False,
    keepalive=120,
    patience=360.0,
    reject_text=b"No Authority: ",
    reject_names_device=False,  # captured: what should be the name is empty
    second=Second.REJECTED_LATE,
    second_delay=2.0,
    acks_unregister=False,
    crashes_on_early_key=False,
)
"""Asterisk's chan_skinny."""

CHAN_SCCP: Final = Profile(
    name="chan-sccp",
    shape=CHAN_SCCP_SHAPE,
    script=scripts.CHAN_SCCP,
    longest=2416,
    oversize=Oversize.GOES_DEAF,
    refuses_split_headers=False,
    half_message=None,
    spins=False,
    idle=120.0,
    idle_from_start=False,
    strangers=None,
    early_request_closes=True,
    answers_unknown=True,
    unknown_closes_from=None,
    answers_tokens=True,
    lamps_before_ack=False,
    names_version=True,
    keepalive=50,  # observed: 46 to 57
    patience=96.0,
    reject_text=b"Device Unknown",
    reject_names_device=False,
    second=Second.DROPS_BOTH,
    second_delay=0.0,
    acks_unregister=True,
    crashes_on_early_key=True,
)
"""chan-sccp. Its default settings register strangers: that takes `Settings.open`."""

PROFILES: Final = {profile.name: profile for profile in (PLAIN, CHAN_SKINNY, CHAN_SCCP)}
"""Every profile by its name."""
