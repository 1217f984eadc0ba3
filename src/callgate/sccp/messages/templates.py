"""What is on a phone: buttons, soft keys, soft key sets."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.keys import ButtonType, SoftKeyMask, SoftKeySet
from callgate.sccp.enums.soft_keys import SoftKeyEvent, SoftKeyInfoIndex, SoftKeyTemplateIndex
from callgate.sccp.fields import U8, U32, Array, Enum8, Enum32, Flags32, Integer, Text16
from callgate.sccp.message import Message, Sender, Structure, message


class ButtonDefinition(Structure, frozen=True):
    """TODO."""

    instance_number: U8 = None
    button_definition: Enum8[ButtonType] = None


class ButtonTemplate(Structure, frozen=True):
    """TODO."""

    button_offset: U32 = None
    button_count: U32 = None
    total_button_count: U32 = None
    definition: Annotated[tuple[ButtonDefinition, ...] | None, Array(42, "total_button_count", last=True)] = None


class SoftKeyDefinition(Structure, frozen=True):
    """TODO."""

    soft_key_label: Text16 = None
    soft_key_event: Enum32[SoftKeyEvent] = None


class SoftKeyTemplate(Structure, frozen=True):
    """TODO."""

    soft_key_offset: U32 = None
    soft_key_count: U32 = None
    total_soft_key_count: U32 = None
    definition: Annotated[tuple[SoftKeyDefinition, ...] | None, Array(32, "total_soft_key_count", last=True)] = None


class SoftKeySetDefinition(Structure, frozen=True):
    """TODO."""

    soft_key_template_index: Annotated[tuple[SoftKeyTemplateIndex | int, ...] | None, Array(16, of=Integer(1))] = None
    soft_key_info_index: Annotated[tuple[SoftKeyInfoIndex | int, ...] | None, Array(16, of=Integer(2))] = None


class SoftKeySets(Structure, frozen=True):
    """TODO."""

    soft_key_set_offset: U32 = None
    soft_key_set_count: U32 = None
    total_soft_key_set_count: U32 = None
    definition: Annotated[tuple[SoftKeySetDefinition, ...] | None, Array(16, "total_soft_key_set_count", last=True)] = (
        None
    )


@message(0x000E, lengths=(0, 4), sender=Sender.PHONE)
class ButtonTemplateReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0; 4 at header 0.
    """

    total_button_count: U32 = None


@message(0x0097, lengths=(12, 124), sender=Sender.SERVER, answers=0x000E)
class ButtonTemplateResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 96 at header 0.
    """

    button_template: ButtonTemplate | None = None


@message(0x0028, lengths=(0, 0), sender=Sender.PHONE)
class SoftKeyTemplateReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0.
    """


@message(0x0108, lengths=(12, 1292), sender=Sender.SERVER, answers=0x0028)
class SoftKeyTemplateResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 652 at header 0.
    """

    soft_key_template: SoftKeyTemplate | None = None


@message(0x0025, lengths=(0, 0), sender=Sender.PHONE)
class SoftKeySetReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0.
    """


@message(0x0109, lengths=(12, 784), sender=Sender.SERVER, answers=0x0025, spare=4)
class SoftKeySetResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 780 at header 0.
    """

    soft_key_sets: SoftKeySets | None = None


@message(0x0110, lengths=(16, 16), sender=Sender.SERVER)
class SelectSoftKeysMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 16 at header 0, 20.
    """

    line_instance: U32 = None
    call_reference: U32 = None
    soft_key_set_index: Enum32[SoftKeySet] = None
    valid_key_mask: Flags32[SoftKeyMask] = None
