"""The switch of a call manager: what becomes of keys, hooks and audio channels. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from callgate.endpoint.call_manager.channels import start_transmission
from callgate.endpoint.call_manager.events import Answered, Called, CloseEcho, EchoTo, Ended, Event, OpenEcho
from callgate.endpoint.call_manager.phone import Call, Leg, LegState, Phone
from callgate.endpoint.call_manager.profile import Profile
from callgate.endpoint.call_manager.scene import Moment, Scene
from callgate.endpoint.call_manager.settings import Settings
from callgate.endpoint.network import TransportAddress
from callgate.sccp.enums.media import MediaStatus
from callgate.sccp.messages.media import OpenReceiveChannelAckMessage

LINE: Final = 1
"""The one line's instance."""
_REFERENCES: Final = 0x7FFFFFFF
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KEYS: Final = {**{number: str(number) for number in range(10)}, 14: "*"}
POUND: Final = 15


class Switch:
    """Calls between registered phones, and from them to the echo extension."""

    def __init__(
        self,
        settings: Settings,
        profile: Profile,
        epoch: float,
        events: list[Event],
        find: Callable[[str], Phone | None],
    ) -> None:
        self._settings = settings
        self._profile = profile
        self._epoch = epoch
        self._events = events
        self._find = find
        self._calls: dict[int, Call] = {}
        self._next = settings.first_reference

    @property
    def calls(self) -> Mapping[int, Call]:
        """The calls that go on, by the caller's reference."""
        return self._calls

    def time(self, now: float) -> datetime:
        """The time of day."""
        try:
            return _EPOCH + timedelta(seconds=self._epoch + now)
        except OverflowError:
            return _EPOCH

    # What the user does

    def lift(self, phone: Phone, reference: int, now: float) -> None:
        """Off hook: answers the call that rings, or begins one."""
        leg = phone.leg
        if leg is None and not reference:
            self._begin(phone, now)
        elif leg is not None and leg.state is LegState.RINGING_IN and reference in (0, leg.reference):
            self._connect(leg.call, now)

    def press(self, phone: Phone, key: int, reference: int, now: float) -> None:
        """A key of the keypad. Without a call to dial for it is ignored, as chan_skinny does."""
        leg = phone.leg
        if leg is None or leg.state is not LegState.DIALLING or reference not in (0, leg.reference):
            return
        call = leg.call
        if key == POUND:
            if call.number:
                self._place(call, now)
            return
        digit = _KEYS.get(key)
        if digit is None:
            return
        call.number += digit
        extensions = self._settings.extensions
        longer = any(known.startswith(call.number) and known != call.number for known in extensions)
        if call.number in extensions and not longer:
            if len(call.number) == 1:
                self._play(leg, Moment.FIRST_DIGIT, now)
            self._place(call, now)
            return
        self._play(leg, Moment.FIRST_DIGIT if len(call.number) == 1 else Moment.NEXT_DIGIT, now)
        if longer:
            call.deadline = now + self._settings.digits * self._settings.time_scale
        else:
            self._place(call, now)

    def dial(self, phone: Phone, number: str, now: float) -> None:
        """A whole number at once, on or off hook."""
        if phone.leg is None:
            self._begin(phone, now)
        leg = phone.leg
        if leg is not None and leg.state is LegState.DIALLING:
            leg.call.number = number
            self._place(leg.call, now)

    def hang_up(self, phone: Phone, reference: int, now: float) -> None:
        """On hook: the call is over for both."""
        leg = phone.leg
        if leg is not None and reference in (0, leg.reference):
            self._end(leg.call, f"{phone.line.extension or 'a stranger'} hung up", now)

    def channel_opened(self, phone: Phone, message: OpenReceiveChannelAckMessage, now: float) -> None:
        """A phone says where it receives audio. An answer that names another channel is ignored."""
        leg = phone.leg
        if leg is None or not leg.opened or leg.audio is not None or message.pass_through_party_id != leg.party:
            return
        audio = _audio(message)
        if audio is None:
            self._end(leg.call, f"no audio channel at {phone.line.extension}", now)
            return
        leg.audio = audio
        call = leg.call
        if call.echo is not None:
            self._events.append(EchoTo(call.caller.reference, audio))
            self._transmit(leg, call.echo, now)
            return
        ready = [(one, other.audio) for one, other in zip(call.legs, reversed(call.legs), strict=True) if other.audio]
        if len(ready) < len(call.legs):
            return
        if all(one.phone.can_name(remote.address) for one, remote in ready):
            for one, remote in ready:
                self._transmit(one, remote, now)
        else:
            self._end(call, "an IPv6 address cannot be told below protocol 17", now)

    # What others do

    def leave(self, phone: Phone, reason: str, now: float) -> None:
        """A phone is registered no more: its call is over."""
        if phone.leg is not None:
            self._end(phone.leg.call, reason, now)

    def echo_opened(self, number: int, address: TransportAddress, now: float) -> None:
        """The media side sends audio back at that address; a call that is over has it closed again."""
        call = self._calls.get(number)
        if call is None or not call.echoing or call.echo is not None:
            self._events.append(CloseEcho(number))
        elif not call.caller.phone.can_name(address.address):
            self.echo_failed(number, now)
        else:
            call.echo = address
            self._connect(call, now)

    def echo_failed(self, number: int, now: float) -> None:
        """The media side has no port for a call."""
        call = self._calls.get(number)
        if call is not None and call.echoing and call.echo is None:
            call.echoing = False
            self._events.append(CloseEcho(number))
            self._refuse(call.caller, Moment.CONGESTED, now)

    def tick(self, now: float) -> None:
        """End what has lasted too long."""
        for call in [call for call in self._calls.values() if call.deadline is not None and now >= call.deadline]:
            call.deadline = None
            if call.called is not None:
                self._end(call, "nobody answered", now)
            elif call.number:
                self._place(call, now)
            else:
                self._refuse(call.caller, Moment.CONGESTED, now)

    # The course of a call

    def _begin(self, phone: Phone, now: float) -> None:
        call = Call(deadline=now + self._settings.dial * self._settings.time_scale)
        call.caller = self._leg(phone, call, LegState.DIALLING, outbound=True)
        self._calls[call.caller.reference] = call
        self._play(call.caller, Moment.OFF_HOOK, now)

    def _leg(self, phone: Phone, call: Call, state: LegState, *, outbound: bool) -> Leg:
        while self._next in self._calls:
            self._next = self._next % _REFERENCES + 1
        reference = self._next
        self._next = self._next % _REFERENCES + 1
        # chan-sccp's party id counts down from 0xFFFFFFFE as references count up from 1: captured for 1 and 4.
        party = 0xFFFFFFFF - reference if self._profile.shape.counts_parties_down else reference
        phone.leg = Leg(phone, call, reference, party, outbound, state)
        return phone.leg

    def _place(self, call: Call, now: float) -> None:
        caller = call.caller
        call.deadline = None
        if call.number not in self._settings.extensions:
            self._refuse(caller, Moment.INVALID, now)
            return
        call.placed = True
        caller.state = LegState.CALLING
        self._play(caller, Moment.DIALLED, now)
        self._events.append(Called(caller.reference, caller.phone.line.extension, call.number))
        if call.number == self._settings.echo:
            call.echoing = True
            connection = caller.phone.connection
            self._events.append(OpenEcho(caller.reference, connection.local.address, connection.peer.address))
            return
        called = self._find(call.number)
        if called is None:
            self._refuse(caller, Moment.CONGESTED, now)
        elif called.leg is not None:
            self._refuse(caller, Moment.BUSY, now)
        else:
            call.called = self._leg(called, call, LegState.RINGING_IN, outbound=False)
            call.deadline = now + self._settings.ring * self._settings.time_scale
            self._play(call.called, Moment.RINGING_IN, now)
            caller.state = LegState.RINGING_OUT
            self._play(caller, Moment.RINGING_OUT, now)

    def _refuse(self, caller: Leg, moment: Moment, now: float) -> None:
        caller.state = LegState.REFUSED
        caller.call.deadline = None
        self._play(caller, moment, now)

    def _connect(self, call: Call, now: float) -> None:
        call.deadline = None
        for leg in call.legs:
            leg.state = LegState.CONNECTED
            self._play(leg, Moment.CONNECTED, now)
            leg.opened = True
        self._events.append(Answered(call.caller.reference, call.caller.phone.line.extension, call.number))

    def _transmit(self, leg: Leg, remote: TransportAddress, now: float) -> None:
        leg.phone.connection.send(start_transmission(self._scene(leg, now, remote), self._profile.shape))
        leg.transmitting = True

    def _end(self, call: Call, reason: str, now: float) -> None:
        del self._calls[call.caller.reference]
        for leg in call.legs:
            leg.phone.leg = None
            self._play(leg, Moment.ENDED, now)
        if call.echoing:
            self._events.append(CloseEcho(call.caller.reference))
        if call.placed:
            self._events.append(Ended(call.caller.reference, call.caller.phone.line.extension, call.number, reason))

    def _play(self, leg: Leg, moment: Moment, now: float) -> None:
        scene = self._scene(leg, now, leg.call.echo)
        for step in self._profile.script[moment]:
            message = step(scene, self._profile.shape)
            if message is not None:
                leg.phone.connection.send(message)

    def _scene(self, leg: Leg, now: float, audio: TransportAddress | None) -> Scene:
        call = leg.call
        return Scene(
            version=leg.phone.connection.version,
            header=leg.phone.connection.usual_header,
            time=self.time(now),
            line=LINE,
            reference=leg.reference,
            party=leg.party,
            outbound=leg.outbound,
            caller=call.caller.phone.line.extension,
            caller_name=call.caller.phone.line.shown,
            called=call.number[:23],
            called_name="" if call.called is None else call.called.phone.line.shown,
            opened=leg.opened,
            transmitting=leg.transmitting,
            audio=audio,
        )


def _audio(message: OpenReceiveChannelAckMessage) -> TransportAddress | None:
    """Where a phone receives; None if it does not."""
    address, port = message.ip_addr, message.port_number
    if message.media_reception_status not in (None, MediaStatus.OK):
        return None
    if not isinstance(address, (IPv4Address, IPv6Address)) or address.is_unspecified or address.is_multicast:
        return None
    return TransportAddress(address, port) if port and 0 < port < 65536 else None
