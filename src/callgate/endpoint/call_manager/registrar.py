"""The registrar of a call manager: who may register, and who is registered. Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from callgate.endpoint.call_manager.connection import Connection
from callgate.endpoint.call_manager.events import Event, Registered, Rejected, Unregistered
from callgate.endpoint.call_manager.phone import Phone
from callgate.endpoint.call_manager.profile import Profile, Second
from callgate.endpoint.call_manager.settings import Line, Settings
from callgate.endpoint.call_manager.switch import Switch
from callgate.sccp.enums.devices import DeviceUnregisterStatus
from callgate.sccp.enums.keys import DeviceStimulus
from callgate.sccp.enums.signals import LampMode
from callgate.sccp.forms import clamped
from callgate.sccp.messages import registration
from callgate.sccp.messages.capabilities import CapabilitiesReq
from callgate.sccp.messages.signals import SetLampMessage
from callgate.sccp.session import Registration

HOTLINE: Final = Line("", owner="hotline", description="hotline")
"""The line of a device that is registered though nobody has set it up."""
TOKEN_WAIT_SECONDS: Final = 60
_REJECTION_BYTES: Final = 32

_GRANTS: Final = {
    registration.RegisterTokenReq: registration.RegisterTokenAck(),
    registration.SPCPRegisterTokenReq: registration.SPCPRegisterTokenAck(features=0),
}
_REFUSALS: Final = {
    registration.RegisterTokenReq: registration.RegisterTokenReject(wait_time_before_next_req=TOKEN_WAIT_SECONDS),
    registration.SPCPRegisterTokenReq: registration.SPCPRegisterTokenReject(
        wait_time_before_next_req=TOKEN_WAIT_SECONDS
    ),
}


class Registrar:
    """Registrations by device name, connection and extension."""

    def __init__(self, settings: Settings, profile: Profile, events: list[Event], switch: Switch) -> None:
        self._settings = settings
        self._profile = profile
        self._events = events
        self._switch = switch
        self._lines = {name.encode(): line for name, line in settings.devices.items()}
        self._phones: dict[bytes, Phone] = {}
        self._by_connection: dict[Connection, Phone] = {}
        self._by_number: dict[str, Phone] = {}

    @property
    def phones(self) -> Mapping[bytes, Phone]:
        """Every registered phone by its name."""
        return MappingProxyType(self._phones)

    def at(self, number: str) -> Phone | None:
        """The registered phone with an extension."""
        return self._by_number.get(number)

    def phone_of(self, connection: Connection) -> Phone | None:
        """Who is registered over a connection."""
        return self._by_connection.get(connection)

    def register(self, connection: Connection, message: registration.RegisterReqMessage, now: float) -> None:
        """A device wants to register."""
        self.release(connection, "registers anew", now)
        connection.late_refusal = None
        name = (message.sid.device_name if message.sid else None) or b""
        line = self._line(name)
        holder = self._phones.get(name)
        if line is None:
            self._reject(connection, name, "unknown device")
        elif holder is None:
            self._accept(connection, name, line, clamped(message.protocol_ver or 0), now)
        elif self._profile.second is Second.REJECTED:
            self._reject(connection, name, "name in use")
        elif self._profile.second is Second.REJECTED_LATE:
            connection.late_refusal = now + self._profile.second_delay * self._settings.time_scale
            connection.refused_name = name
        else:
            self._events.append(Rejected(name, connection.peer, "name in use: both are dropped"))
            self.release(holder.connection, "its name registered twice", now)
            holder.connection.close()
            connection.close()

    def refuse_late(self, connection: Connection, now: float) -> None:
        """Send the rejection that was put off, when it is due."""
        if connection.late_refusal is not None and now >= connection.late_refusal:
            connection.late_refusal = None
            if connection.session.registration is Registration.REGISTERING:
                self._reject(connection, connection.refused_name, "name in use")

    def unregister(self, connection: Connection, now: float) -> None:
        """A registered phone leaves."""
        self.release(connection, "it unregistered", now)
        if self._profile.acks_unregister:
            connection.send(registration.UnregisterAckMessage(status=DeviceUnregisterStatus.OK))
        connection.close()

    def answer_token(
        self,
        connection: Connection,
        message: registration.RegisterTokenReq | registration.SPCPRegisterTokenReq,
    ) -> None:
        """A device asks whether it may register."""
        if self._profile.answers_tokens and connection.session.registration is Registration.TOKEN_ASKED:
            name = (message.sid.device_name if message.sid else None) or b""
            answers = _REFUSALS if self._line(name) is None else _GRANTS
            connection.send(answers[type(message)])

    def release(self, connection: Connection, reason: str, now: float) -> None:
        """Whoever is registered over a connection is so no more; the calls end."""
        phone = self._by_connection.pop(connection, None)
        if phone is not None:
            self._phones.pop(phone.name, None)
            if self._by_number.get(phone.line.extension) is phone:
                del self._by_number[phone.line.extension]
            self._switch.leave(phone, f"{phone.line.extension or 'a stranger'}: {reason}", now)
            self._events.append(Unregistered(phone.name, connection.peer, reason))

    def _line(self, name: bytes) -> Line | None:
        return self._lines.get(name) or (HOTLINE if self._settings.open and name else None)

    def _accept(self, connection: Connection, name: bytes, line: Line, offered: int, now: float) -> None:
        phone = Phone(name, line, connection, kept_alive=now)
        self._phones[name] = phone
        self._by_connection[connection] = phone
        if line.extension:
            self._by_number[line.extension] = phone
        if self._profile.lamps_before_ack:
            for instance in (1, 0):
                lamp = DeviceStimulus.VOICE_MAIL
                connection.send(SetLampMessage(stimulus=lamp, stimulus_instance=instance, lamp_mode=LampMode.OFF))
        ack = self._profile.shape.ack
        interval = self._profile.keepalive if self._settings.keepalive is None else self._settings.keepalive
        connection.send(
            registration.RegisterAckMessage(
                keep_alive_interval=interval,
                date_template=b"D.M.Y",
                alignment_padding=ack.padding,
                secondary_keep_alive_interval=interval,
                max_protocol_ver=min(self._settings.version, offered) if ack.version is None else ack.version,
                unknown=ack.unknown,
                phone_features=ack.features,
            )
        )
        self._events.append(Registered(name, connection.peer, connection.version))
        connection.send(CapabilitiesReq())

    def _reject(self, connection: Connection, name: bytes, reason: str) -> None:
        text = self._profile.reject_text + (name if self._profile.reject_names_device else b"")
        connection.send(registration.RegisterRejectMessage(text=text[:_REJECTION_BYTES]))
        self._events.append(Rejected(name, connection.peer, reason))
