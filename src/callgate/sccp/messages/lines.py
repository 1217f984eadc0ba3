"""Lines, speed dials, forwards, service URLs and features of a phone."""

from __future__ import annotations

from typing import Annotated

from callgate.sccp.enums.keys import ButtonType, LineTypeBits
from callgate.sccp.fields import U16, U32, Array, CString, DirectoryNumber, Enum32, Flags32, Named, Text, Text24, Text40
from callgate.sccp.message import Message, Sender, Structure, message


class LineData(Structure, frozen=True):
    """TODO."""

    max_num_calls: U16 = None
    busy_trigger: U16 = None


@message(0x0009, lengths=(4, 4), sender=Sender.PHONE)
class ForwardStatReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0.
    """

    line_number: U32 = None


@message(0x0090, lengths=(92, 104), sender=Sender.SERVER, answers=0x0009)
class ForwardStatResMessage(Message, frozen=True):
    """TODO. Not captured."""

    active_forward: U32 = None
    line_number: U32 = None
    forward_all_active: U32 = None
    forward_all_dirnum: DirectoryNumber = None
    forward_busy_active: U32 = None
    forward_busy_dirnum: DirectoryNumber = None
    forward_no_answer_active: U32 = None
    forward_no_answerl_dirnum: DirectoryNumber = None


@message(0x000A, lengths=(4, 4), sender=Sender.PHONE)
class SpeedDialStatReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0.
    """

    speed_dial_number: U32 = None


@message(0x0091, lengths=(68, 68), sender=Sender.SERVER, answers=0x000A)
class SpeedDialStatResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 68 at header 0.
    """

    speed_dial_number: U32 = None
    speed_dial_dir_number: Text24 = None
    speed_dial_display_name: Text40 = None


@message(0x0149, lengths=(4, 68), sender=Sender.SERVER, answers=0x000A)
class SpeedDialStatV2ResMessage(Message, frozen=True):
    """TODO. Not captured."""

    speed_dial_number: U32 = None
    speed_dial_dir_number: Annotated[bytes | None, CString(24)] = None
    speed_dial_display_name: Annotated[bytes | None, CString(40)] = None


@message(0x0149, sender=Sender.SERVER, answers=0x000A, name="SpeedDialStatV2ResMessage", body=68)
class SpeedDialStatV2FixedResMessage(Message, frozen=True):
    """TODO. chan-sccp sends strings of fixed size; the length tells. Not captured."""

    speed_dial_number: U32 = None
    speed_dial_dir_number: Text24 = None
    speed_dial_display_name: Text40 = None


@message(0x000B, lengths=(4, 4), sender=Sender.PHONE)
class LineStatReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0, 18.
    """

    line_number: U32 = None


@message(0x0092, lengths=(28, 112), sender=Sender.SERVER, answers=0x000B)
class LineStatResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 28 at header 0; 112 at header 0.
    """

    line_number: U32 = None
    line_dir_number: Text24 = None
    line_fully_qualified_display_name: Text40 = None
    line_text_label: Text40 = None
    line_display_options: U32 = None


@message(0x0147, lengths=(8, 116), sender=Sender.SERVER, answers=0x000B)
class LineStatV2ResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 12 at header 18; 36 at header 18; 24 at header 22.
    """

    line_number: U32 = None
    line_type: Flags32[LineTypeBits] = None
    line_dir_number: Annotated[bytes | None, CString(25)] = None
    line_fully_qualified_display_name: Annotated[bytes | None, CString(40)] = None
    line_text_label: Annotated[bytes | None, CString(40)] = None


@message(0x0033, lengths=(4, 4), sender=Sender.PHONE)
class ServiceURLStatReqMessage(Message, frozen=True):
    """TODO. Not captured."""

    service_url_index: Annotated[U32, Named("serviceURLIndex")] = None


@message(0x012F, lengths=(300, 300), sender=Sender.SERVER, answers=0x0033)
class ServiceURLStatResMessage(Message, frozen=True):
    """TODO. Not captured."""

    service_url_index: Annotated[U32, Named("serviceURLIndex")] = None
    service_url: Annotated[bytes | None, Text(256), Named("serviceURL")] = None
    service_url_display_name: Annotated[Text40, Named("serviceURLDisplayName")] = None


@message(0x0148, lengths=(4, 300), sender=Sender.SERVER, answers=0x0033)
class ServiceURLStatV2ResMessage(Message, frozen=True):
    """TODO. Not captured."""

    service_url_index: Annotated[U32, Named("serviceURLIndex")] = None
    service_url: Annotated[bytes | None, CString(256), Named("serviceURL")] = None
    service_url_display_name: Annotated[bytes | None, CString(40), Named("serviceURLDisplayName")] = None


@message(0x0034, lengths=(4, 8), sender=Sender.PHONE)
class FeatureStatReqMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 4 at header 0.
    """

    feature_index: U32 = None
    feature_capabilities: U32 = None


@message(0x011F, lengths=(52, 52), sender=Sender.SERVER, answers=0x0034)
class FeatureStatResMessage(Message, frozen=True):
    """TODO.

    Captured bodies: 52 at header 0.
    """

    feature_index: U32 = None
    feature_id: Annotated[Enum32[ButtonType], Named("featureID")] = None
    feature_text_label: Text40 = None
    feature_status: U32 = None


@message(0x0146, lengths=(12, 136), sender=Sender.SERVER, answers=0x0034)
class FeatureStatV2ResMessage(Message, frozen=True):
    """TODO. Not captured."""

    feature_index: U32 = None
    feature_id: Annotated[Enum32[ButtonType], Named("featureID")] = None
    feature_status: U32 = None
    feature_text_label: Annotated[bytes | None, CString(121)] = None


@message(0x015E, lengths=(0, 152), sender=Sender.PHONE, spare=152)
class CallCountReqMessage(Message, frozen=True):
    """TODO. Not captured."""


@message(0x015F, lengths=(12, 180), sender=Sender.SERVER, answers=0x015E)
class CallCountRespMessage(Message, frozen=True):
    """TODO. Not captured."""

    total_num_of_configured_lines: U32 = None
    starting_line_instance: U32 = None
    line_data_entries: U32 = None
    line_data: Annotated[tuple[LineData, ...] | None, Array(42, "line_data_entries", last=True)] = None
