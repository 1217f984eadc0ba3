"""What is on a phone: buttons, soft keys, soft key sets."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.keys import ButtonType, SoftKeyMask, SoftKeySet
from callgate.sccp.enums.soft_keys import SoftKeyEvent, SoftKeyInfoIndex, SoftKeyTemplateIndex
from callgate.sccp.fields import U8, U32, Array, Enum8, Enum32, Flags32, Integer, Text16
from callgate.sccp.message import Message, Sender, Structure, message


class ButtonDefinition(Structure, frozen=True):
    """One button of a phone."""

    instance_number: U8 = None
    """Which button of its kind, from 1."""
    button_definition: Enum8[ButtonType] = None
    """What the button is for; 255 for none."""


class ButtonTemplate(Structure, frozen=True):
    """Part of the list of a phone's buttons."""

    button_offset: U32 = None
    """Index of the first button in this message, from 0."""
    button_count: U32 = None
    """Buttons in this message."""
    total_button_count: U32 = None
    """Buttons of the phone; that many entries are valid, the rest may be junk."""
    definition: Annotated[tuple[ButtonDefinition, ...] | None, Array(42, "total_button_count", last=True)] = None


class SoftKeyDefinition(Structure, frozen=True):
    """One soft key."""

    soft_key_label: Text16 = None
    """Text; the byte 0x80 introduces the number of one of the phone's own labels."""
    soft_key_event: Enum32[SoftKeyEvent] = None


class SoftKeyTemplate(Structure, frozen=True):
    """Part of the list of a phone's soft keys."""

    soft_key_offset: U32 = None
    """Index of the first key in this message, from 0."""
    soft_key_count: U32 = None
    """Keys in this message."""
    total_soft_key_count: U32 = None
    """Keys of the phone; that many entries are valid, the rest may be junk."""
    definition: Annotated[tuple[SoftKeyDefinition, ...] | None, Array(32, "total_soft_key_count", last=True)] = None


class SoftKeySetDefinition(Structure, frozen=True):
    """The soft keys of one state of the phone."""

    soft_key_template_index: Annotated[tuple[SoftKeyTemplateIndex | int, ...] | None, Array(16, of=Integer(1))] = None
    """Index into the soft key template, from 1; 0 for no key."""
    soft_key_info_index: Annotated[tuple[SoftKeyInfoIndex | int, ...] | None, Array(16, of=Integer(2))] = None
    """300 more than the template index; 0 for no key."""


class SoftKeySets(Structure, frozen=True):
    """Part of the list of a phone's soft key sets."""

    soft_key_set_offset: U32 = None
    """Index of the first set in this message, from 0."""
    soft_key_set_count: U32 = None
    """Sets in this message."""
    total_soft_key_set_count: U32 = None
    """Sets of the phone; that many entries are valid, the rest may be junk."""
    definition: Annotated[tuple[SoftKeySetDefinition, ...] | None, Array(16, "total_soft_key_set_count", last=True)] = (
        None
    )


@message(0x000E, lengths=(0, 4), sender=Sender.PHONE)
class ButtonTemplateReqMessage(Message, frozen=True):
    """The phone asks which buttons it has.

    Captured bodies, bytes: 0, 4 (CallManager 2; the word is not in Wireshark 4.0). It has to come before any key:
    chan-sccp 4.3.5 crashes on the first key of a phone that has not asked.
    """

    total_button_count: U32 = None
    """Buttons there are on the phone."""


@message(0x0097, lengths=(12, 124), sender=Sender.SERVER, answers=0x000E)
class ButtonTemplateResMessage(Message, frozen=True):
    """The server tells the phone what each of its buttons is for.

    Captured bodies, bytes: 96, which is room for 42 buttons, and 124 (chan-sccp), room for 56.
    """

    button_template: ButtonTemplate | None = None


@message(0x0028, lengths=(0, 0), sender=Sender.PHONE)
class SoftKeyTemplateReqMessage(Message, frozen=True):
    """The phone asks which soft keys there are.

    Captured bodies, bytes: 0.
    """


@message(0x0108, lengths=(12, 1292), sender=Sender.SERVER, answers=0x0028)
class SoftKeyTemplateResMessage(Message, frozen=True):
    """The server tells the phone which soft keys there are.

    Captured bodies, bytes: 652, which is room for 32 keys, and 1292 (chan-sccp), room for 64.
    """

    soft_key_template: SoftKeyTemplate | None = None


@message(0x0025, lengths=(0, 0), sender=Sender.PHONE)
class SoftKeySetReqMessage(Message, frozen=True):
    """The phone asks which soft keys to show in which state.

    Captured bodies, bytes: 0.
    """


@message(0x0109, lengths=(12, 784), sender=Sender.SERVER, answers=0x0025, spare=4)
class SoftKeySetResMessage(Message, frozen=True):
    """The server tells the phone which soft keys to show in which state.

    Captured bodies, bytes: 780, which is room for 16 sets, and 784 (chan_skinny and mod_skinny, four bytes more).
    """

    soft_key_sets: SoftKeySets | None = None


@message(0x0110, lengths=(16, 16), sender=Sender.SERVER)
class SelectSoftKeysMessage(Message, frozen=True):
    """The server has the phone show a set of soft keys for a call.

    Captured bodies, bytes: 16.
    """

    line_instance: U32 = None
    call_reference: U32 = None
    soft_key_set_index: Enum32[SoftKeySet] = None
    valid_key_mask: Flags32[SoftKeyMask] = None
    """Bit n shows the set's key n + 1; all bits set shows all."""
