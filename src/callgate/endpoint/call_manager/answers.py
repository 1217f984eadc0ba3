"""What a call manager answers to a phone's questions about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from typing import Final

from callgate.endpoint.call_manager.settings import Line
from callgate.endpoint.call_manager.shape import Shape
from callgate.endpoint.call_manager.steps import time_date
from callgate.endpoint.network import TransportAddress
from callgate.sccp.enums.keys import ButtonType, SoftKeySet
from callgate.sccp.message import AsSent, Message
from callgate.sccp.messages import devices, lines, registration, templates
from callgate.sccp.messages.structures import StationIdentifier

SERVER_NAME: Final = b"callgate"
_WIDE_SINCE: Final = 17
_KEYS_IN_SET: Final = 16
_UNDEFINED: Final = bytes([0, ButtonType.UNDEFINED])


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, when."""

    device: bytes
    line: Line
    version: int
    local: TransportAddress
    time: datetime
    shape: Shape


def buttons(_message: Message, asked: Asked) -> tuple[Message, ...]:
    """ButtonTemplateRes: one line."""
    definition = (templates.ButtonDefinition(instance_number=1, button_definition=ButtonType.LINE),)
    room = asked.shape.rooms.get(templates.ButtonTemplateResMessage)
    as_sent = None
    if room is not None:
        unused = _UNDEFINED * (room // 2 - len(definition)) if asked.shape.undefined_buttons else b""
        as_sent = AsSent(room=room, junk=(("buttonTemplate.definition", unused),) if unused else ())
    template = templates.ButtonTemplate(button_offset=0, button_count=1, total_button_count=1, definition=definition)
    return (templates.ButtonTemplateResMessage(button_template=template, as_sent=as_sent),)


def soft_keys(_message: Message, asked: Asked) -> tuple[Message, ...]:
    """SoftKeyTemplateRes: the labels in the order of their events."""
    labels = asked.shape.soft_keys.labels
    template = templates.SoftKeyTemplate(
        soft_key_offset=0,
        soft_key_count=len(labels),
        total_soft_key_count=len(labels),
        definition=tuple(
            templates.SoftKeyDefinition(soft_key_label=text, soft_key_event=event)
            for event, text in enumerate(labels, 1)
        ),
    )
    room = asked.shape.rooms.get(templates.SoftKeyTemplateResMessage)
    as_sent = None if room is None else AsSent(room=room)
    return (templates.SoftKeyTemplateResMessage(soft_key_template=template, as_sent=as_sent),)


def soft_key_sets(_message: Message, asked: Asked) -> tuple[Message, ...]:
    """SoftKeySetRes, then SelectSoftKeys for the idle phone."""
    chosen = [keys + (0,) * (_KEYS_IN_SET - len(keys)) for keys in asked.shape.soft_keys.sets]
    sets = templates.SoftKeySets(
        soft_key_set_offset=0,
        soft_key_set_count=len(chosen),
        total_soft_key_set_count=len(chosen),
        definition=tuple(
            templates.SoftKeySetDefinition(
                soft_key_template_index=keys,
                soft_key_info_index=tuple(300 + key if key else 0 for key in keys),
            )
            for keys in chosen
        ),
    )
    select = templates.SelectSoftKeysMessage(
        line_instance=0,
        call_reference=0,
        soft_key_set_index=SoftKeySet.ON_HOOK,
        valid_key_mask=asked.shape.soft_keys.mask,
    )
    return templates.SoftKeySetResMessage(soft_key_sets=sets), select


def line(message: Message, asked: Asked) -> tuple[Message, ...]:
    """LineStatRes of line 1; of any other, one without a number."""
    assert isinstance(message, lines.LineStatReqMessage)
    number = message.line_number or 0
    extension, shown, text = "", "", ""
    if number == 1:
        extension = asked.line.extension
        shown = asked.line.description or extension
        text = extension if asked.shape.label_is_extension else ""
    if asked.version >= asked.shape.line_texts_since:
        return (
            lines.LineStatV2ResMessage(
                line_number=number,
                line_type=0,
                line_dir_number=extension.encode(),
                line_fully_qualified_display_name=shown.encode(),
                line_text_label=text.encode(),
            ),
        )
    return (
        lines.LineStatResMessage(
            line_number=number,
            line_dir_number=extension.encode(),
            line_fully_qualified_display_name=shown.encode(),
            line_text_label=text.encode(),
            line_display_options=asked.shape.line_options,
        ),
    )


def forward(message: Message, _asked: Asked) -> tuple[Message, ...]:
    """ForwardStatRes: nothing is forwarded."""
    assert isinstance(message, lines.ForwardStatReqMessage)
    return (
        lines.ForwardStatResMessage(
            active_forward=0,
            line_number=message.line_number or 0,
            forward_all_active=0,
            forward_all_dirnum=b"",
            forward_busy_active=0,
            forward_busy_dirnum=b"",
            forward_no_answer_active=0,
            forward_no_answerl_dirnum=b"",
        ),
    )


def speed_dial(message: Message, _asked: Asked) -> tuple[Message, ...]:
    """SpeedDialStatRes: there is none."""
    assert isinstance(message, lines.SpeedDialStatReqMessage)
    number = message.speed_dial_number or 0
    return (
        lines.SpeedDialStatResMessage(speed_dial_number=number, speed_dial_dir_number=b"", speed_dial_display_name=b""),
    )


def configuration(_message: Message, asked: Asked) -> tuple[Message, ...]:
    """ConfigStatRes."""
    return (
        devices.ConfigStatResMessage(
            sid=StationIdentifier(device_name=asked.device, reserved_for_future_use=0, instance=1),
            user_name=b"",
            server_name=SERVER_NAME,
            number_of_lines=1,
            number_of_speed_dials=0,
        ),
    )


def version(_message: Message, _asked: Asked) -> tuple[Message, ...]:
    """VersionRes: no firmware is named."""
    return (registration.VersionResMessage(version_str=b""),)


def servers(_message: Message, asked: Asked) -> tuple[Message, ...]:
    """ServerRes: this one alone, where its address fits."""
    nowhere = registration.ServerAddress(station_ip_addr=IPv4Address(0))
    own = asked.local.address
    fits = own.version == 4 or asked.version >= _WIDE_SINCE
    first = registration.ServerAddress(station_ip_addr=own) if fits else nowhere
    return (
        registration.ServerResMessage(
            server=tuple(registration.ServerIdentifier(server_name=name) for name in (SERVER_NAME, *[b""] * 4)),
            server_tcp_listen_port=(asked.local.port, 0, 0, 0, 0),
            server_ip_addr=(first, *[nowhere] * 4),
        ),
    )


def clock(_message: Message, asked: Asked) -> tuple[Message, ...]:
    """TimeDateRes."""
    return (time_date(asked.time, milliseconds=asked.shape.milliseconds),)


ANSWERS: Final[Mapping[type[Message], Callable[[Message, Asked], tuple[Message, ...]]]] = {
    templates.ButtonTemplateReqMessage: buttons,
    templates.SoftKeyTemplateReqMessage: soft_keys,
    templates.SoftKeySetReqMessage: soft_key_sets,
    lines.LineStatReqMessage: line,
    lines.ForwardStatReqMessage: forward,
    lines.SpeedDialStatReqMessage: speed_dial,
    devices.ConfigStatReqMessage: configuration,
    devices.TimeDateReqMessage: clock,
    registration.VersionReqMessage: version,
    registration.ServerReqMessage: servers,
}
"""What is answered to what, once a phone is registered."""
