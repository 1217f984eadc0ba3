"""Tones, ringer, lamps, speaker, microphone, headset."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.keys import DeviceStimulus
from callgate.sccp.enums.signals import (
    DeviceTone,
    HeadsetMode,
    LampMode,
    MediaPathCapabilities,
    MediaPathEvent,
    MediaPathID,
    MicrophoneMode,
    RingDuration,
    RingMode,
    SpeakerMode,
    ToneOutputDirection,
)
from callgate.sccp.fields import U32, Enum32, Named, Since
from callgate.sccp.message import Message, Sender, message


@message(0x0082, lengths=(4, 16), sender=Sender.SERVER)
class StartToneMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0; 16 at header 0, 20.
    """

    tone: Enum32[DeviceTone] = None
    tone_output_direction: Annotated[Enum32[ToneOutputDirection], Named("tone_output_direction")] = None
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0083, lengths=(0, 12), sender=Sender.SERVER)
class StopToneMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 0 at header 0; 8 at header 0; 12 at header 20.
    """

    line_instance: U32 = None
    call_reference: U32 = None
    tone: Annotated[Enum32[DeviceTone], Since(11)] = None


@message(0x0085, lengths=(4, 20), sender=Sender.SERVER, spare=4)
class SetRingerMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0; 16 at header 0, 20.
    """

    ring_mode: Enum32[RingMode] = None
    ring_duration: Enum32[RingDuration] = None
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0086, lengths=(12, 12), sender=Sender.SERVER)
class SetLampMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 12 at header 0, 20.
    """

    stimulus: Enum32[DeviceStimulus] = None
    stimulus_instance: U32 = None
    lamp_mode: Enum32[LampMode] = None


@message(0x0087, lengths=(0, 0), sender=Sender.SERVER)
class SetHookFlashDetectMessage(Message, frozen=True):
    """TODO. Not captured."""


@message(0x0088, lengths=(4, 4), sender=Sender.SERVER)
class SetSpeakerModeMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0, 20.
    """

    speaker_mode: Enum32[SpeakerMode] = None


@message(0x0089, lengths=(4, 4), sender=Sender.SERVER)
class SetMicroModeMessage(Message, frozen=True):
    """TODO. Not captured."""

    mic_mode: Enum32[MicrophoneMode] = None


@message(0x002B, lengths=(4, 4), sender=Sender.PHONE)
class HeadsetStatusMessage(Message, frozen=True):
    """TODO. Not captured."""

    headset_status: Enum32[HeadsetMode] = None


@message(0x0049, lengths=(8, 8), sender=Sender.PHONE)
class MediaPathEventMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 8 at header 20.
    """

    media_path_id: Annotated[Enum32[MediaPathID], Named("mediaPathID")] = None
    media_path_event: Enum32[MediaPathEvent] = None


@message(0x004A, lengths=(8, 8), sender=Sender.PHONE)
class MediaPathCapabilityMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 8 at header 22.
    """

    media_path_id: Annotated[Enum32[MediaPathID], Named("mediaPathID")] = None
    media_path_capabilities: Enum32[MediaPathCapabilities] = None


@message(0x009C, lengths=(0, 0), sender=Sender.SERVER)
class EnunciatorCommandMessage(Message, frozen=True):
    """TODO. Not captured."""
