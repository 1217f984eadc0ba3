"""An SCCP phone as a state machine: messages and what its user does in, messages and events out. No clock, no sockets.

What a correct phone does (observed on chan_skinny and chan-sccp) is kept here: it takes any message before
RegisterAck, gives back pass-through party ids, asks for its buttons before anything of a call goes out, and answers
what a server asks of it in the form that the protocol version has.

Two messages are left unanswered, as the captured phone left them, and both servers went on: StartMediaTransmission, and
ConnectionStatisticsReq, whose answer has three layouts that versions do not tell apart.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, IntEnum
from ipaddress import IPv6Address
from typing import Final

from callgate.endpoint.attempt import RegistrationTerms, printable
from callgate.endpoint.network import Address, TransportAddress
from callgate.endpoint.sccp_phone.actions import Action, Registered, Rejected, ResetAsked, Settled, Unregistered
from callgate.endpoint.sccp_phone.identity import Identity
from callgate.endpoint.sccp_phone.introduction import CAPABILITIES, introduction
from callgate.endpoint.sccp_phone.leg import Leg, refusal
from callgate.endpoint.sccp_phone.ringing import Ringing, RingingCalls
from callgate.endpoint.sccp_phone.settling import FIRST_STEPS, Step, later_steps, lines_of, speed_dials_of
from callgate.endpoint.sccp_phone.writing import Writer
from callgate.sccp import Negotiation, Session
from callgate.sccp.enums.devices import DeviceResetType, DeviceUnregisterStatus, UnRegReasonCode
from callgate.sccp.enums.media import MediaStatus
from callgate.sccp.message import AnyMessage
from callgate.sccp.messages import calls, capabilities, media, registration, templates
from callgate.sccp.session import Role, Violation

WIDE_ADDRESSES: Final = 17
"""The protocol version from which messages have room for IPv6 addresses."""


class Stage(Enum):
    """How far a phone is."""

    NEW = "not registered"
    REGISTERING = "registering"
    SETTLING = "registered, asking for its buttons and lines"
    READY = "registered"
    REJECTED = "rejected"
    LEAVING = "unregistering"
    GONE = "unregistered"


REGISTERED: Final = (Stage.SETTLING, Stage.READY)


class Device:
    """One phone on one connection. `local` is its end of the connection, `server` the other one."""

    def __init__(self, identity: Identity, local: Address, server: Address) -> None:
        self.identity = identity
        self.negotiation = Negotiation()
        """Give it to the decoder of what the server sends."""
        self.session = Session(Role.PHONE)
        self.stage = Stage.NEW
        self.terms: RegistrationTerms | None = None
        self.rejection = ""
        self.reset: ResetAsked | None = None
        self.dropped = ""
        """Why a registration that stood has ended, if not because the phone left."""
        self.unanswered_keepalives = 0
        self.leg: Leg | None = None
        """The call in hand."""
        self._ringing = RingingCalls()
        self._writer = Writer(self.session)
        self._write = self._writer.write
        self._local = local
        self._server = server
        self._steps: deque[Step] = deque()
        self._later: tuple[Step, ...] = later_steps(1, ())
        """Once the steps are done. As long as the server has named no buttons: one line, as captured."""
        self._capabilities_told = False

    @property
    def version(self) -> int:
        """The protocol version that holds; 0 before RegisterAck."""
        return self._writer.version

    @property
    def has_buttons(self) -> bool:
        """Whether the server has answered ButtonTemplateReq."""
        return self._writer.has_buttons

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What was out of order on either side; the first 100."""
        return tuple(self._writer.violations)

    @property
    def ringing(self) -> tuple[Ringing, ...]:
        """The calls that may be answered, the oldest first; at most 8."""
        return tuple(self._ringing.calls.values())

    @property
    def step(self) -> Step | None:
        """What the phone waits for before it is ready."""
        return self._steps[0] if self._steps else None

    # What the user does

    def register(self) -> list[Action]:
        """Introduce the phone. ValueError if that was done before."""
        if self.stage is not Stage.NEW:
            raise ValueError(f"the phone is {self.stage.value}")
        self.stage = Stage.REGISTERING
        request = self._write(registration.RegisterReqMessage, **introduction(self.identity, self._local))
        self.negotiation.observe(request.message)
        return [request]

    def skip_step(self) -> list[Action]:
        """Do without what the server has not answered in time."""
        return self._advance() if self._steps else []

    def keep_alive(self) -> list[Action]:
        """Say that the phone is still there."""
        self.unanswered_keepalives += 1
        return [self._write(registration.KeepAliveReqMessage)]

    def place_call(self, number: str, media_at: TransportAddress, *, enbloc: bool = False) -> list[Action]:
        """Open a line and dial: en bloc at once, else key by key with `press_next` once there is a dial tone.

        ValueError if the phone cannot call now: `cannot_call` says why.
        """
        past = frozenset(reference for _, reference in self.session.calls)
        leg = Leg(self._write, local=media_at, server=self._server, number=number, past=past)
        self._take_in_hand(leg)
        if enbloc:
            return leg.dial_at_once()
        leg.rest = number
        return leg.lift()

    def press_next(self) -> list[Action]:
        """Press the next key of the number."""
        return [] if self.leg is None else self.leg.press_next()

    def accept_call(self, ringing: Ringing, media_at: TransportAddress) -> list[Action]:
        """Answer a call that rings. ValueError if the phone cannot."""
        leg = Leg(
            self._write,
            local=media_at,
            server=self._server,
            number=ringing.caller,
            line=ringing.line,
            reference=ringing.reference,
        )
        self._take_in_hand(leg)
        self._ringing.calls.pop((ringing.line, ringing.reference), None)
        return leg.lift()

    def hang_up(self) -> list[Action]:
        """Put down the handset, if it is up."""
        return [] if self.leg is None else self.leg.hang_up()

    def put_away(self) -> None:
        """Forget the call in hand, which has been hung up. ValueError if the handset is still up."""
        if self.leg is not None and self.leg.off_hook:
            raise ValueError("the handset is up")
        self.leg = None

    def unregister(self) -> list[Action]:
        """Leave, with the handset down; nothing if the phone is not registered."""
        if self.stage not in REGISTERED:
            return []
        down = self.hang_up()
        self.stage = Stage.LEAVING
        self._steps.clear()
        reason = UnRegReasonCode.UNKNOWN
        return [*down, self._write(registration.UnregisterReqMessage, un_reg_reason_code=reason)]

    @property
    def cannot_call(self) -> str:
        """Why the phone cannot place or answer a call now; empty if it can."""
        if self.stage not in REGISTERED:
            return f"the phone is {self.stage.value}"
        if not self.has_buttons:
            return "the server has not answered ButtonTemplateReq; a phone sends no key before"
        if self.leg is not None and self.leg.off_hook:
            return "the handset is up"
        if isinstance(self._local, IPv6Address) and self.version < WIDE_ADDRESSES:
            return f"protocol version {self.version} has no room for the phone's IPv6 address, 17 has"
        return ""

    def _take_in_hand(self, leg: Leg) -> None:
        if self.cannot_call:
            raise ValueError(self.cannot_call)
        self.leg = leg

    # What the server says

    def receive(self, message: AnyMessage) -> list[Action]:
        """Take any message, at any time."""
        self.negotiation.observe(message)
        self._writer.note(self.session.received(message))
        actions = self._answer(message)
        step = self.step
        if step is not None and step.answered_by(message):
            actions += self._advance()
        if self.leg is not None and self.stage in REGISTERED:
            actions += self.leg.take(message)
        return actions

    def _answer(self, message: AnyMessage) -> list[Action]:
        match message:
            case registration.RegisterAckMessage():
                return self._accepted(message)
            case registration.RegisterRejectMessage():
                return self._rejected(message)
            case registration.UnregisterAckMessage():
                return self._unregistered(message)
            case registration.Reset():
                return self._reset(message)
            case registration.KeepAliveAckMessage():
                self.unanswered_keepalives = 0
            case capabilities.CapabilitiesReq():
                return self._tell_capabilities()
            case templates.ButtonTemplateResMessage():
                self._has_template(message)
            case calls.CallStateMessage():
                return self._ringing.take_state(message, in_hand=0 if self.leg is None else self.leg.reference)
            case calls.CallInfoMessage() | calls.CallInfoV2Message():
                self._shown(message)
            case media.OpenReceiveChannelMessage() if self._is_nobodys(message) and self.stage in REGISTERED:
                status = MediaStatus.DEVICE_ON_HOOK if self.leg is None else MediaStatus.INVALID_CALL_REF
                return [refusal(self._write, message, status)]
            case media.PortReqMessage():
                return self._tell_port(message)
        return []

    def _accepted(self, message: registration.RegisterAckMessage) -> list[Action]:
        if self.stage is not Stage.REGISTERING:
            return []
        self.stage = Stage.SETTLING
        self._writer.accepted(message, min(self.negotiation.version, self.identity.version))
        self.terms = RegistrationTerms(interval_seconds=message.keep_alive_interval or 0, protocol_version=self.version)
        self._steps.extend(FIRST_STEPS)
        actions: list[Action] = [Registered(self.terms)]
        return actions + self._advance() if self._capabilities_told else actions

    def _rejected(self, message: registration.RegisterRejectMessage) -> list[Action]:
        if self.stage not in (Stage.REGISTERING, *REGISTERED):
            return []
        self.stage = Stage.REJECTED
        self._steps.clear()
        self.rejection = printable(message.text or b"")
        return [Rejected(self.rejection)]

    def _unregistered(self, message: registration.UnregisterAckMessage) -> list[Action]:
        name = _name(DeviceUnregisterStatus, message.status)
        if self.stage in REGISTERED:
            self.dropped = f"the server has ended the registration ({name})"
        elif self.stage is not Stage.LEAVING:
            return []
        self.stage = Stage.GONE
        self._steps.clear()
        return [Unregistered(name)]

    def _reset(self, message: registration.Reset) -> list[Action]:
        kind = message.reset_type
        if kind == DeviceResetType.APPLY_CONFIG or self.reset is not None:
            return []
        self.reset = ResetAsked(_name(DeviceResetType, kind))
        return [self.reset]

    def _tell_capabilities(self) -> list[Action]:
        if self.stage not in (Stage.REGISTERING, *REGISTERED):
            return []
        self._capabilities_told = True
        return [self._write(capabilities.CapabilitiesResMessage, cap_count=len(CAPABILITIES), caps=CAPABILITIES)]

    def _has_template(self, message: templates.ButtonTemplateResMessage) -> None:
        if self._writer.asked_buttons and not self.has_buttons:
            self._writer.has_buttons = True
            self._later = later_steps(min(lines_of(message), self.identity.lines), speed_dials_of(message))

    def _shown(self, message: calls.CallInfoMessage | calls.CallInfoV2Message) -> None:
        self._ringing.take_caller(message)
        leg = self.leg
        if leg is not None and not leg.outgoing and not leg.number:
            leg.number = self._ringing.caller_of(leg.reference)

    def _is_nobodys(self, message: media.OpenReceiveChannelMessage) -> bool:
        reference = message.call_reference or 0
        if self.leg is None:
            return True
        return bool(reference and self.leg.reference and reference != self.leg.reference)

    def _tell_port(self, message: media.PortReqMessage) -> list[Action]:
        if self.leg is None or not self.leg.off_hook:
            return []
        return [self.leg.port_answer(message, self.version)]

    def _advance(self) -> list[Action]:
        """Go on to the next step that waits for an answer."""
        self._steps.popleft()
        if not self._steps:
            self._steps.extend(self._later)
            self._later = ()
        if not self._steps:
            self.stage = Stage.READY
            return [Settled()]
        return [self._write(cls, **fields) for cls, fields in self._steps[0].requests]


def _name(names: type[IntEnum], value: int | None) -> str:
    return names(value).name if value in set(names) else str(value)
