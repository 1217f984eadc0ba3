"""Text on the display, and which line is in front."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.fields import U32, CString, Text32
from callgate.sccp.message import Message, Sender, message


@message(0x0099, lengths=(32, 40), sender=Sender.SERVER, spare=4)
class DisplayTextMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 36 at header 0.
    """

    text: Text32 = None
    time_out_value: U32 = None


@message(0x009A, lengths=(0, 4), sender=Sender.SERVER, spare=4)
class ClearDisplay(Message, frozen=True):
    """TODO. Not captured."""


@message(0x0112, lengths=(44, 56), sender=Sender.SERVER, spare=12)
class DisplayPromptStatusMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 44 at header 0.
    """

    time_out_value: U32 = None
    prompt_status: Text32 = None
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0113, lengths=(8, 8), sender=Sender.SERVER)
class ClearPromptStatusMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 8 at header 0.
    """

    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0145, lengths=(12, 268), sender=Sender.SERVER)
class DisplayPromptStatusV2Message(Message, frozen=True):
    """TODO.

    Captured bodies: 16 at header 20; 20 at header 20.
    """

    time_out_value: U32 = None
    line_instance: U32 = None
    call_reference: U32 = None
    prompt_status: Annotated[bytes | None, CString(97)] = None


@message(0x0114, lengths=(36, 104), sender=Sender.SERVER, spare=68)
class DisplayNotifyMessage(Message, frozen=True):
    """TODO. Not captured."""

    time_out_value: U32 = None
    notify: Text32 = None


@message(0x0115, lengths=(0, 0), sender=Sender.SERVER)
class ClearNotifyMessage(Message, frozen=True):
    """TODO. Not captured."""


@message(0x0143, lengths=(4, 104), sender=Sender.SERVER)
class DisplayNotifyV2Message(Message, frozen=True):
    """TODO. Not captured."""

    time_out_value: U32 = None
    notify: Annotated[bytes | None, CString(97)] = None


@message(0x0120, lengths=(40, 40), sender=Sender.SERVER)
class DisplayPriNotifyMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 40 at header 0.
    """

    time_out_value: U32 = None
    priority: U32 = None
    notify: Text32 = None


@message(0x0121, lengths=(4, 4), sender=Sender.SERVER)
class ClearPriNotifyMessage(Message, frozen=True):
    """TODO. Not captured."""

    priority: U32 = None


@message(0x0144, lengths=(8, 108), sender=Sender.SERVER)
class DisplayPriNotifyV2Message(Message, frozen=True):
    """TODO.

    Captured bodies: 16 at header 20.
    """

    time_out_value: U32 = None
    priority: U32 = None
    notify: Annotated[bytes | None, CString(97)] = None


@message(0x0116, lengths=(4, 4), sender=Sender.SERVER)
class ActivateCallPlaneMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0, 20.
    """

    line_instance: U32 = None


@message(0x0117, lengths=(0, 0), sender=Sender.SERVER)
class DeactivateCallPlaneMessage(Message, frozen=True):
    """TODO. Not captured."""
