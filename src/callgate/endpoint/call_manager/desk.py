"""What a call manager does with each message of a phone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from callgate.endpoint.call_manager.answers import ANSWERS, Asked
from callgate.endpoint.call_manager.connection import Connection
from callgate.endpoint.call_manager.events import Breach, Crashed, Event
from callgate.endpoint.call_manager.phone import LegState, Phone
from callgate.endpoint.call_manager.registrar import Registrar
from callgate.endpoint.call_manager.scene import Moment, Scene
from callgate.endpoint.call_manager.switch import Switch
from callgate.sccp.enums.keys import DeviceStimulus
from callgate.sccp.enums.soft_keys import SoftKeyEvent
from callgate.sccp.message import AnyMessage, Message, UnknownMessage
from callgate.sccp.messages import devices, keys, media, registration
from callgate.sccp.session import Role, Rule
from callgate.sccp.session.parts import part_of
from callgate.sccp.session.registration_states import Need

MAXIMUM_BREACHES: Final = 20
"""Lines of the log that one connection may fill with what it does wrong."""


class Desk:
    """Takes the messages of all phones of a server."""

    def __init__(self, registrar: Registrar, switch: Switch, events: list[Event]) -> None:
        self._registrar = registrar
        self._switch = switch
        self._events = events

    def take(self, connection: Connection, message: AnyMessage, now: float) -> bool:
        """Do what a message asks for. True if the server it imitates crashes of it."""
        found = connection.session.received(message)
        for violation in found:
            connection.breaches += 1
            if connection.breaches <= MAXIMUM_BREACHES:
                self._events.append(Breach(connection.peer, str(violation)))
        if connection.profile.crashes_on_early_key and any(one.rule is Rule.KEYPAD for one in found):
            self._events.append(Crashed(connection.peer))
            return True
        if isinstance(message, UnknownMessage):
            _take_unknown(connection, message)
        elif part_of(type(message)).sender is not Role.SERVER:
            self._take_known(connection, message, now)
        return False

    def _take_known(self, connection: Connection, message: Message, now: float) -> None:
        phone = self._registrar.phone_of(connection)
        if isinstance(message, registration.RegisterReqMessage):
            self._registrar.register(connection, message, now)
        elif isinstance(message, registration.KeepAliveReqMessage):
            if phone is not None:
                phone.kept_alive = now
            connection.send(registration.KeepAliveAckMessage())
        elif isinstance(message, (registration.RegisterTokenReq, registration.SPCPRegisterTokenReq)):
            self._registrar.answer_token(connection, message)
        elif phone is not None:
            self._take_registered(phone, message, now)
        elif connection.profile.early_request_closes and _needs_registration(message):
            connection.close()

    def _take_registered(self, phone: Phone, message: Message, now: float) -> None:
        if isinstance(message, registration.UnregisterReqMessage):
            self._registrar.unregister(phone.connection, now)
        elif type(message) in ANSWERS:
            self._answer(phone, message, now)
        elif type(message) in _ACTIONS:
            _ACTIONS[type(message)](self._switch, phone, message, now)

    def _answer(self, phone: Phone, message: Message, now: float) -> None:
        connection = phone.connection
        shape = connection.profile.shape
        time = self._switch.time(now)
        asked = Asked(phone.name, phone.line, connection.version, connection.local, time, shape)
        for answer in ANSWERS[type(message)](message, asked):
            connection.send(answer)
        if isinstance(message, devices.TimeDateReqMessage) and not phone.greeted:
            phone.greeted = True
            scene = Scene(version=connection.version, header=connection.usual_header, time=time)
            for step in connection.profile.script[Moment.GREETED]:
                greeting = step(scene, shape)
                if greeting is not None:
                    connection.send(greeting)


def _take_unknown(connection: Connection, message: UnknownMessage) -> None:
    limit = connection.profile.unknown_closes_from
    if limit is not None and message.message_id >= limit:
        connection.close()
    elif connection.profile.answers_unknown:
        connection.send(registration.KeepAliveAckMessage())


def _needs_registration(message: Message) -> bool:
    return isinstance(message, registration.UnregisterReqMessage) or part_of(type(message)).need is not Need.NOTHING


# What a registered phone's user does. Messages may stop before any field: what is missing is 0.


def _lift(switch: Switch, phone: Phone, message: Any, now: float) -> None:
    switch.lift(phone, message.call_reference or 0, now)


def _lift_new(switch: Switch, phone: Phone, _message: Any, now: float) -> None:
    if phone.leg is None:
        switch.lift(phone, 0, now)


def _hang_up(switch: Switch, phone: Phone, message: Any, now: float) -> None:
    switch.hang_up(phone, message.call_reference or 0, now)


def _press(switch: Switch, phone: Phone, message: Any, now: float) -> None:
    if message.kp_button is not None:
        switch.press(phone, message.kp_button, message.call_reference or 0, now)


def _dial(switch: Switch, phone: Phone, message: Any, now: float) -> None:
    number = "".join(chr(key) if 0x20 < key < 0x7F else "?" for key in message.called_party or b"")
    if number:
        switch.dial(phone, number.removesuffix("#"), now)


def _stimulate(switch: Switch, phone: Phone, message: Any, now: float) -> None:
    if message.stimulus == DeviceStimulus.LINE:
        switch.lift(phone, message.call_reference or 0, now)
    elif message.stimulus == DeviceStimulus.NEW_CALL:
        _lift_new(switch, phone, message, now)
    elif message.stimulus == DeviceStimulus.END_CALL:
        _hang_up(switch, phone, message, now)


def _press_soft_key(switch: Switch, phone: Phone, message: Any, now: float) -> None:
    event = message.soft_key_event
    if event == SoftKeyEvent.NEW_CALL:
        _lift_new(switch, phone, message, now)
    elif event == SoftKeyEvent.END_CALL:
        _hang_up(switch, phone, message, now)
    elif event == SoftKeyEvent.ANSWER and phone.leg is not None and phone.leg.state is LegState.RINGING_IN:
        _lift(switch, phone, message, now)


def _channel_opened(switch: Switch, phone: Phone, message: Any, now: float) -> None:
    switch.channel_opened(phone, message, now)


_ACTIONS: Final[Mapping[type[Message], Callable[[Switch, Phone, Any, float], None]]] = {
    keys.OffHookMessage: _lift,
    keys.OffHookWithCallingPartyNumberMessage: _lift_new,
    keys.OnHookMessage: _hang_up,
    keys.KeypadButtonMessage: _press,
    keys.EnblocCallMessage: _dial,
    keys.StimulusMessage: _stimulate,
    keys.SoftKeyEventMessage: _press_soft_key,
    media.OpenReceiveChannelAckMessage: _channel_opened,
}
