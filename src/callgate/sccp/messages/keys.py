"""What the user does: keys, hook, soft keys, dialling en bloc."""

from __future__ import annotations

from callgate.sccp.enums.keys import DeviceStimulus, KeyPadButton
from callgate.sccp.enums.soft_keys import SoftKeyEvent
from callgate.sccp.fields import U32, DirectoryNumber, Enum32, PackedNumber
from callgate.sccp.message import Message, Sender, message


@message(0x0003, lengths=(4, 20), sender=Sender.PHONE)
class KeypadButtonMessage(Message, frozen=True):
    """The user presses a key of the number pad.

    Captured bodies, bytes: 12. Phones also stop after the key (4), or add two words that nobody has named (20,
    chan-sccp). A phone must have sent ButtonTemplateReqMessage before its first key: chan-sccp 4.3.5 crashes otherwise.
    """

    kp_button: Enum32[KeyPadButton] = None
    """Digits as themselves, `*` 14, `#` 15."""
    line_instance: U32 = None
    call_reference: U32 = None
    unknown_1: U32 = None
    unknown_2: U32 = None


@message(0x0004, lengths=(24, 84), sender=Sender.PHONE, spare=52)
class EnblocCallMessage(Message, frozen=True):
    """The user dials a whole number at once.

    Captured bodies, bytes: 28 (header 18), 32 (header 22: three zero bytes behind the number on an 8945, behind the
    line on a 7970). chan_skinny's own struct has 80. Wireshark 4.0 takes 25 bytes for the number from version 18; real
    frames do from 19.
    """

    called_party: DirectoryNumber = None
    line_instance: U32 = None


@message(0x0005, lengths=(8, 16), sender=Sender.PHONE)
class StimulusMessage(Message, frozen=True):
    """The user presses a feature button: line, speed dial, hold, redial and the like.

    Captured bodies, bytes: 8 (phones of CallManager 2). chan_skinny and mod_skinny have 12, Wireshark 4.0 and chan-sccp
    4.3 have 16.
    """

    stimulus: Enum32[DeviceStimulus] = None
    line_instance: U32 = None
    """Which button of its kind, from 1."""
    call_reference: U32 = None
    stimulus_status: U32 = None


@message(0x0006, lengths=(0, 8), sender=Sender.PHONE)
class OffHookMessage(Message, frozen=True):
    """The user lifts the handset or otherwise opens a line: a call begins, or one that rings is answered.

    Captured bodies, bytes: 0 (header 0), 8.
    """

    line_instance: U32 = None
    """0 to have the server choose."""
    call_reference: U32 = None
    """The ringing call that is answered; 0 for a new one."""


@message(0x0024, lengths=(24, 60), sender=Sender.PHONE)
class OffHookWithCallingPartyNumberMessage(Message, frozen=True):
    """A device of several lines opens one and says which number calls.

    Not captured. Wireshark 4.0 has two numbers and the line (52 bytes, 54 from version 18), chan-sccp 4.3 one number of
    24 bytes.
    """

    calling_party_number: PackedNumber = None
    cgpn_voice_mailbox: PackedNumber = None
    line_instance: U32 = None


@message(0x0007, lengths=(0, 8), sender=Sender.PHONE)
class OnHookMessage(Message, frozen=True):
    """The user hangs up.

    Captured bodies, bytes: 0 (header 0), 8.
    """

    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0008, lengths=(8, 8), sender=Sender.PHONE)
class HookFlashMessage(Message, frozen=True):
    """The user presses the hook for a moment.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0026, lengths=(12, 12), sender=Sender.PHONE)
class SoftKeyEventMessage(Message, frozen=True):
    """The user presses a soft key.

    Captured bodies, bytes: 12.
    """

    soft_key_event: Enum32[SoftKeyEvent] = None
    """The event of the key in the phone's SoftKeyTemplate; chan-sccp gives some keys events of its own."""
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0119, lengths=(8, 8), sender=Sender.SERVER)
class BackSpaceResMessage(Message, frozen=True):
    """The server has the phone take the digit last dialled off its display.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3. chan_skinny and mod_skinny call it a request.
    """

    line_instance: U32 = None
    call_reference: U32 = None
