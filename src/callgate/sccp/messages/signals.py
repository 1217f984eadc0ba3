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
    """The server has the phone play a tone.

    Captured bodies, bytes: 4 (header 0), 16.
    """

    tone: Enum32[DeviceTone] = None
    tone_output_direction: Annotated[Enum32[ToneOutputDirection], Named("tone_output_direction")] = None
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0083, lengths=(0, 12), sender=Sender.SERVER)
class StopToneMessage(Message, frozen=True):
    """The server has the phone stop its tone.

    Captured bodies, bytes: 0 (CallManager 2), 8 (header 0), 12 (header 20; chan_skinny at every version).
    """

    line_instance: U32 = None
    call_reference: U32 = None
    tone: Annotated[Enum32[DeviceTone], Since(11)] = None
    """0 from chan_skinny and chan-sccp."""


@message(0x0085, lengths=(4, 20), sender=Sender.SERVER, spare=4)
class SetRingerMessage(Message, frozen=True):
    """The server has the phone ring, or stop.

    Captured bodies, bytes: 4 (CallManager 2), 16, 20 (chan_skinny, four zero bytes more).
    """

    ring_mode: Enum32[RingMode] = None
    ring_duration: Enum32[RingDuration] = None
    line_instance: U32 = None
    call_reference: U32 = None


@message(0x0086, lengths=(12, 12), sender=Sender.SERVER)
class SetLampMessage(Message, frozen=True):
    """The server sets the lamp of a button.

    Captured bodies, bytes: 12. The first thing chan_skinny sends a phone that registers, before RegisterAckMessage.
    """

    stimulus: Enum32[DeviceStimulus] = None
    """Kind of button; 15 (voice mail) with instance 0 is the lamp of waiting messages."""
    stimulus_instance: U32 = None
    """Which button of its kind, from 1."""
    lamp_mode: Enum32[LampMode] = None


@message(0x0087, lengths=(0, 0), sender=Sender.SERVER)
class SetHookFlashDetectMessage(Message, frozen=True):
    """The server has the phone report hook flashes.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """


@message(0x0088, lengths=(4, 4), sender=Sender.SERVER)
class SetSpeakerModeMessage(Message, frozen=True):
    """The server switches the loudspeaker on or off.

    Captured bodies, bytes: 4.
    """

    speaker_mode: Enum32[SpeakerMode] = None


@message(0x0089, lengths=(4, 4), sender=Sender.SERVER)
class SetMicroModeMessage(Message, frozen=True):
    """The server switches the microphone on or off.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    mic_mode: Enum32[MicrophoneMode] = None


@message(0x002B, lengths=(4, 4), sender=Sender.PHONE)
class HeadsetStatusMessage(Message, frozen=True):
    """The phone says whether its headset is on.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    headset_status: Enum32[HeadsetMode] = None


@message(0x0049, lengths=(8, 8), sender=Sender.PHONE)
class MediaPathEventMessage(Message, frozen=True):
    """The phone says that headset, handset or speaker went on or off.

    Captured bodies, bytes: 8. Version 11 and later.
    """

    media_path_id: Annotated[Enum32[MediaPathID], Named("mediaPathID")] = None
    media_path_event: Enum32[MediaPathEvent] = None


@message(0x004A, lengths=(8, 8), sender=Sender.PHONE)
class MediaPathCapabilityMessage(Message, frozen=True):
    """The phone says what it can do with headset, handset or speaker.

    Captured bodies, bytes: 8 (header 22, from the IP Communicator). Version 11 and later.
    """

    media_path_id: Annotated[Enum32[MediaPathID], Named("mediaPathID")] = None
    media_path_capabilities: Enum32[MediaPathCapabilities] = None


@message(0x009C, lengths=(0, 0), sender=Sender.SERVER)
class EnunciatorCommandMessage(Message, frozen=True):
    """The server commands the phone's enunciator; what fields there are is not known.

    Not captured; after chan-sccp 4.3. Not in Wireshark 4.0.
    """
