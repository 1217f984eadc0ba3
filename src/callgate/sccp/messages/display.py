"""Text on the display, and which line is in front."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.fields import U32, CString, Text32
from callgate.sccp.message import Message, Sender, message


@message(0x0099, lengths=(32, 40), sender=Sender.SERVER, spare=4)
class DisplayTextMessage(Message, frozen=True):
    """The server writes text on the display.

    Captured bodies, bytes: 36 (CallManager 2, text without NUL). chan-sccp sends 32, chan_skinny 40.
    """

    text: Text32 = None
    """May fill the field."""
    time_out_value: U32 = None
    """In frames of CallManager 2 and chan_skinny; not in Wireshark 4.0."""


@message(0x009A, lengths=(0, 4), sender=Sender.SERVER, spare=4)
class ClearDisplay(Message, frozen=True):
    """The server clears the text that DisplayTextMessage has written.

    Captured bodies, bytes: 4, zero (chan_skinny). Wireshark 4.0 has it empty.
    """


@message(0x0112, lengths=(44, 56), sender=Sender.SERVER, spare=12)
class DisplayPromptStatusMessage(Message, frozen=True):
    """The server writes a prompt for a call, such as what to enter next.

    Captured bodies, bytes: 44, and 56 of chan_skinny, which adds 12 zero bytes.
    """

    time_out_value: U32 = None
    """Seconds; 0 until it is cleared."""
    prompt_status: Text32 = None
    """Text; the byte 0x80 or 0x1e introduces the number of one of the phone's own labels."""
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0113, lengths=(8, 8), sender=Sender.SERVER)
class ClearPromptStatusMessage(Message, frozen=True):
    """The server clears the prompt of a call, or with line and call 0 that of the idle phone.

    Captured bodies, bytes: 8.
    """

    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0145, lengths=(12, 268), sender=Sender.SERVER)
class DisplayPromptStatusV2Message(Message, frozen=True):
    """The server writes a prompt for a call, as a string that takes only its own bytes.

    Captured bodies, bytes: 16, 20. chan-sccp sends it from version 8, chan_skinny from 17.
    """

    time_out_value: U32 = None
    """Seconds; 0 until it is cleared."""
    line_instance: U32 = None
    call_reference: U32 = None
    prompt_status: Annotated[bytes | None, CString(97)] = None
    """Text; the byte 0x80 or 0x1e introduces the number of one of the phone's own labels."""


@message(0x0114, lengths=(36, 104), sender=Sender.SERVER, spare=68)
class DisplayNotifyMessage(Message, frozen=True):
    """The server shows a notice for a while, in front of the prompt.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3 (36 bytes); chan_skinny has 104.
    """

    time_out_value: U32 = None
    """Seconds; 0 until it is cleared."""
    notify: Text32 = None


@message(0x0115, lengths=(0, 0), sender=Sender.SERVER)
class ClearNotifyMessage(Message, frozen=True):
    """The server takes back the notice of DisplayNotifyMessage.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """


@message(0x0143, lengths=(4, 104), sender=Sender.SERVER)
class DisplayNotifyV2Message(Message, frozen=True):
    """The server shows a notice for a while, as a string that takes only its own bytes.

    Captured bodies, bytes: 16 (chan-sccp: its welcome to a phone that has registered).
    """

    time_out_value: U32 = None
    """Seconds; 0 until it is cleared."""
    notify: Annotated[bytes | None, CString(97)] = None
    """Text; the byte 0x80 or 0x1e introduces the number of one of the phone's own labels."""


@message(0x0120, lengths=(40, 40), sender=Sender.SERVER)
class DisplayPriNotifyMessage(Message, frozen=True):
    """The server shows a notice that has a priority among others.

    Captured bodies, bytes: 40.
    """

    time_out_value: U32 = None
    """Seconds; 0 until it is cleared."""
    priority: U32 = None
    """Which notice is in front where there are several."""
    notify: Text32 = None


@message(0x0121, lengths=(4, 4), sender=Sender.SERVER)
class ClearPriNotifyMessage(Message, frozen=True):
    """The server takes back the notice of one priority.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    priority: U32 = None


@message(0x0144, lengths=(8, 108), sender=Sender.SERVER)
class DisplayPriNotifyV2Message(Message, frozen=True):
    """The server shows a notice that has a priority, as a string that takes only its own bytes.

    Captured bodies, bytes: 16. chan-sccp sends it from version 8, chan_skinny from 17.
    """

    time_out_value: U32 = None
    """Seconds; 0 until it is cleared."""
    priority: U32 = None
    """Which notice is in front where there are several."""
    notify: Annotated[bytes | None, CString(97)] = None


@message(0x0116, lengths=(4, 4), sender=Sender.SERVER)
class ActivateCallPlaneMessage(Message, frozen=True):
    """The server brings a line to the front of the display.

    Captured bodies, bytes: 4.
    """

    line_instance: U32 = None


@message(0x0117, lengths=(0, 0), sender=Sender.SERVER)
class DeactivateCallPlaneMessage(Message, frozen=True):
    """The server puts no line to the front any more.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """
