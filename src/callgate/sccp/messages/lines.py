"""Lines, speed dials, forwards, service URLs and features of a phone."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.keys import ButtonType, LineTypeBits
from callgate.sccp.fields import U16, U32, Array, CString, Enum32, Flags32, Named, PackedNumber, Text, Text24, Text40
from callgate.sccp.message import Message, Sender, Structure, message


class LineData(Structure, frozen=True):
    """How many calls a line may have."""

    max_num_calls: U16 = None
    """Calls at a time."""
    busy_trigger: U16 = None
    """Calls from which on the line is busy."""


@message(0x0009, lengths=(4, 4), sender=Sender.PHONE)
class ForwardStatReqMessage(Message, frozen=True):
    """The phone asks where a line is forwarded to.

    Captured bodies, bytes: 4.
    """

    line_number: U32 = None


@message(0x0090, lengths=(92, 104), sender=Sender.SERVER, answers=0x0009)
class ForwardStatResMessage(Message, frozen=True):
    """The server tells the phone where a line is forwarded to.

    Not captured. 92 bytes with numbers of 24 (chan_skinny, mod_skinny, chan-sccp below 18); Wireshark 4.0 and chan-sccp
    4.3 have 95, unpadded, from 18.
    """

    active_forward: U32 = None
    """0 inactive, 1 active."""
    line_number: U32 = None
    forward_all_active: U32 = None
    """0 or 1."""
    forward_all_dirnum: PackedNumber = None
    forward_busy_active: U32 = None
    """0 or 1."""
    forward_busy_dirnum: PackedNumber = None
    forward_no_answer_active: U32 = None
    """0 or 1."""
    forward_no_answerl_dirnum: PackedNumber = None


@message(0x000A, lengths=(4, 4), sender=Sender.PHONE)
class SpeedDialStatReqMessage(Message, frozen=True):
    """The phone asks what a speed dial button dials.

    Captured bodies, bytes: 4.
    """

    speed_dial_number: U32 = None
    """Which speed dial, from 1."""


@message(0x0091, lengths=(68, 68), sender=Sender.SERVER, answers=0x000A)
class SpeedDialStatResMessage(Message, frozen=True):
    """The server tells the phone what a speed dial button dials.

    Captured bodies, bytes: 68.
    """

    speed_dial_number: U32 = None
    speed_dial_dir_number: Text24 = None
    speed_dial_display_name: Text40 = None


@message(0x0149, lengths=(4, 68), sender=Sender.SERVER, answers=0x000A)
class SpeedDialStatV2ResMessage(Message, frozen=True):
    """The server tells the phone what a speed dial button dials, as strings that take only their own bytes.

    Not captured; after Wireshark 4.0. sccp-rs has it from version 9.
    """

    speed_dial_number: U32 = None
    speed_dial_dir_number: Annotated[bytes | None, CString(24)] = None
    speed_dial_display_name: Annotated[bytes | None, CString(40)] = None


@message(0x0149, sender=Sender.SERVER, answers=0x000A, name="SpeedDialStatV2ResMessage", body=68)
class SpeedDialStatV2FixedResMessage(Message, frozen=True):
    """The server tells the phone what a speed dial button dials: the form of chan-sccp, with strings of fixed size.

    Not captured; after chan-sccp 4.3. A body of 68 bytes is taken for this one.
    """

    speed_dial_number: U32 = None
    speed_dial_dir_number: Text24 = None
    speed_dial_display_name: Text40 = None


@message(0x000B, lengths=(4, 4), sender=Sender.PHONE)
class LineStatReqMessage(Message, frozen=True):
    """The phone asks for the number and names of a line.

    Captured bodies, bytes: 4.
    """

    line_number: U32 = None
    """Which line, from 1."""


@message(0x0092, lengths=(28, 112), sender=Sender.SERVER, answers=0x000B)
class LineStatResMessage(Message, frozen=True):
    """The server tells the phone the number and names of a line.

    Captured bodies, bytes: 28 (CallManager 2: only the number), 112. chan_skinny sends it at every version, chan-sccp
    below 17.
    """

    line_number: U32 = None
    line_dir_number: Text24 = None
    line_fully_qualified_display_name: Text40 = None
    line_text_label: Text40 = None
    """The label beside the button."""
    line_display_options: U32 = None
    """Bits; chan-sccp sends 15, chan_skinny 0."""


@message(0x0147, lengths=(8, 116), sender=Sender.SERVER, answers=0x000B)
class LineStatV2ResMessage(Message, frozen=True):
    """The server tells the phone the number and names of a line, as strings that take only their own bytes.

    Captured bodies, bytes: 12, 36 (header 18), 24, 28 (header 22). chan-sccp sends it from version 17. Rounded up to 4:
    a 7961 shows no line otherwise (sccp-rs).
    """

    line_number: U32 = None
    line_type: Flags32[LineTypeBits] = None
    line_dir_number: Annotated[bytes | None, CString(25)] = None
    line_fully_qualified_display_name: Annotated[bytes | None, CString(40)] = None
    line_text_label: Annotated[bytes | None, CString(40)] = None
    """The label beside the button."""


@message(0x0033, lengths=(4, 4), sender=Sender.PHONE)
class ServiceURLStatReqMessage(Message, frozen=True):
    """The phone asks for the address behind a service button.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    service_url_index: Annotated[U32, Named("serviceURLIndex")] = None


@message(0x012F, lengths=(300, 300), sender=Sender.SERVER, answers=0x0033)
class ServiceURLStatResMessage(Message, frozen=True):
    """The server tells the phone the address behind a service button.

    Not captured; after Wireshark 4.0 and chan-sccp 4.3.
    """

    service_url_index: Annotated[U32, Named("serviceURLIndex")] = None
    service_url: Annotated[bytes | None, Text(256), Named("serviceURL")] = None
    service_url_display_name: Annotated[Text40, Named("serviceURLDisplayName")] = None


@message(0x0148, lengths=(4, 300), sender=Sender.SERVER, answers=0x0033)
class ServiceURLStatV2ResMessage(Message, frozen=True):
    """The server tells the phone the address behind a service button, as strings that take only their own bytes.

    Not captured. Wireshark 4.0 stops after the index; the two strings are chan-sccp 4.3's, which sends it from version
    7.
    """

    service_url_index: Annotated[U32, Named("serviceURLIndex")] = None
    service_url: Annotated[bytes | None, CString(256), Named("serviceURL")] = None
    service_url_display_name: Annotated[bytes | None, CString(40), Named("serviceURLDisplayName")] = None


@message(0x0034, lengths=(4, 8), sender=Sender.PHONE)
class FeatureStatReqMessage(Message, frozen=True):
    """The phone asks for the state of a feature button.

    Captured bodies, bytes: 4. Wireshark 4.0 gates feature_capabilities so that a body of 8 never shows it.
    """

    feature_index: U32 = None
    feature_capabilities: U32 = None


@message(0x011F, lengths=(52, 52), sender=Sender.SERVER, answers=0x0034)
class FeatureStatResMessage(Message, frozen=True):
    """The server tells the phone the label and state of a feature button.

    Captured bodies, bytes: 52.
    """

    feature_index: U32 = None
    feature_id: Annotated[Enum32[ButtonType], Named("featureID")] = None
    """Kind of button; chan-sccp sends 21 (busy lamp field)."""
    feature_text_label: Text40 = None
    feature_status: U32 = None


@message(0x0146, lengths=(12, 136), sender=Sender.SERVER, answers=0x0034)
class FeatureStatV2ResMessage(Message, frozen=True):
    """The server tells the phone the label and state of a feature button, as a string that takes only its own bytes.

    Not captured. Wireshark 4.0 has the label take its own bytes; chan-sccp 4.3, which sends it from version 15, gives
    it 121.
    """

    feature_index: U32 = None
    feature_id: Annotated[Enum32[ButtonType], Named("featureID")] = None
    """Kind of button; chan-sccp sends 21 (busy lamp field)."""
    feature_status: U32 = None
    """Four bytes in chan-sccp: rhythm of the lamp, its colour, icon, and the state of older phones."""
    feature_text_label: Annotated[bytes | None, CString(121)] = None


@message(0x015E, lengths=(0, 152), sender=Sender.PHONE, spare=152)
class CallCountReqMessage(Message, frozen=True):
    """The phone asks how many calls each of its lines may have.

    Not captured. Empty in Wireshark 4.0, which has it between servers; 4 bytes in chan-sccp 4.3, up to 152 in sccp-rs.
    """


@message(0x015F, lengths=(12, 180), sender=Sender.SERVER, answers=0x015E)
class CallCountRespMessage(Message, frozen=True):
    """The server tells the phone how many calls each of its lines may have.

    Not captured; after Wireshark 4.0, which has it between servers. sccp-rs has it sent to the phone.
    """

    total_num_of_configured_lines: U32 = None
    starting_line_instance: U32 = None
    """The line of the first entry."""
    line_data_entries: U32 = None
    """How many of the entries are valid; the array takes its full room of 42."""
    line_data: Annotated[tuple[LineData, ...] | None, Array(42, "line_data_entries", last=True)] = None
