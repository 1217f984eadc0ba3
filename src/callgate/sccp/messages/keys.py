"""What the user does: keys, hook, soft keys, dialling en bloc."""

from __future__ import annotations

from callgate.sccp.enums.keys import DeviceStimulus, KeyPadButton
from callgate.sccp.enums.soft_keys import SoftKeyEvent
from callgate.sccp.fields import U32, DirectoryNumber, Enum32
from callgate.sccp.message import Message, Sender, message


@message(0x0003, lengths=(4, 20), sender=Sender.PHONE)
class KeypadButtonMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 12 at header 0.
    """

    kp_button: Enum32[KeyPadButton] = None
    line_instance: U32 = None
    call_reference: U32 = None
    unknown_1: U32 = None
    unknown_2: U32 = None


@message(0x0004, lengths=(24, 84), sender=Sender.PHONE, spare=52)
class EnblocCallMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 28 at header 18; 32 at header 22.
    """

    called_party: DirectoryNumber = None
    line_instance: U32 = None


@message(0x0005, lengths=(8, 16), sender=Sender.PHONE)
class StimulusMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 8 at header 0.
    """

    stimulus: Enum32[DeviceStimulus] = None
    line_instance: U32 = None
    call_reference: U32 = None
    stimulus_status: U32 = None


@message(0x0006, lengths=(0, 8), sender=Sender.PHONE)
class OffHookMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0; 8 at header 18, 20.
    """

    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0024, lengths=(24, 60), sender=Sender.PHONE)
class OffHookWithCallingPartyNumberMessage(Message, frozen=True):
    """TODO. Not captured."""

    calling_party_number: DirectoryNumber = None
    cgpn_voice_mailbox: DirectoryNumber = None
    line_instance: U32 = None


@message(0x0007, lengths=(0, 8), sender=Sender.PHONE)
class OnHookMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0.
    """

    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0008, lengths=(8, 8), sender=Sender.PHONE)
class HookFlashMessage(Message, frozen=True):
    """TODO. Not captured."""

    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0026, lengths=(12, 12), sender=Sender.PHONE)
class SoftKeyEventMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 12 at header 0, 18, 20.
    """

    soft_key_event: Enum32[SoftKeyEvent] = None
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0119, lengths=(8, 8), sender=Sender.SERVER)
class BackSpaceResMessage(Message, frozen=True):
    """TODO. Not captured."""

    line_instance: U32 = None
    call_reference: U32 = None
