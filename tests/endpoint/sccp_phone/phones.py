"""Phones at every stage, without a network."""

from __future__ import annotations

from ipaddress import IPv4Address

from tests.endpoint.sccp_phone.scripted import (
    LINE,
    NAME,
    CallManager,
    state,
    tone,
)

from callgate.endpoint.network import Address, TransportAddress
from callgate.endpoint.sccp_phone import Device, Identity
from callgate.endpoint.sccp_phone.actions import (
    Action,
    Send,
)
from callgate.endpoint.sccp_phone.device import Stage
from callgate.sccp import Message
from callgate.sccp.enums.calls import DCallState
from callgate.sccp.enums.signals import DeviceTone
from callgate.sccp.messages import calls

HOST = IPv4Address("10.0.0.7")
SERVER = IPv4Address("10.0.0.1")
MEDIA = TransportAddress(HOST, 40000)


def sent(actions: list[Action]) -> list[Message]:
    return [action.message for action in actions if isinstance(action, Send)]


def kinds(actions: list[Action]) -> list[type]:
    return [type(action.message) if isinstance(action, Send) else type(action) for action in actions]


def device_at(
    stage: Stage = Stage.READY, *, version: int = 17, lines_: int = 1, local: Address = HOST, server: Address = SERVER
) -> Device:
    """A phone that a scripted server has registered, as far as asked."""
    device = Device(Identity(device_name=NAME, version=version, lines=lines_), local, server)
    if stage is not Stage.NEW:
        manager = CallManager()
        waiting = sent(device.register())
        while waiting and stage is not Stage.REGISTERING:
            for answer in manager.take(waiting.pop(0)):
                waiting += sent(device.receive(answer))
                if device.stage is stage:
                    return device
    assert device.stage is stage
    return device


def calling(number: str = "600", **options: object) -> Device:
    """A phone with a dial tone."""
    device = device_at(**options)  # type: ignore[arg-type]
    local = device._local
    device.place_call(number, TransportAddress(local, 40000))
    device.receive(state(DCallState.OFF_HOOK))
    device.receive(tone(DeviceTone.INSIDE_DIAL_TONE))
    return device


def connected(**options: object) -> Device:
    """A phone whose call has been answered."""
    device = calling("6", **options)
    device.press_next()
    device.receive(state(DCallState.CONNECTED))
    return device


def shows(caller: bytes, reference: int) -> Message:
    return calls.CallInfoMessage(
        calling_party_name=b"",
        calling_party=caller,
        called_party_name=b"",
        called_party=b"",
        line_instance=LINE,
        call_reference=reference,
    )
