"""Which form a body has: what each version writes, and what length and bytes tell."""

from __future__ import annotations

import pytest
from tests.sccp.wire import text, words

from callgate.sccp import CATALOGUE
from callgate.sccp.fields import ADDRESS, NUMBER, PARTIES, RATE, STATISTICS, VIDEO
from callgate.sccp.fields import PACKED as PACKED_NUMBER
from callgate.sccp.forms import (
    NEWEST,
    clamped,
    form_of_body,
    form_of_length,
    forms,
    layout_of,
    told_by_body,
    usual_form,
    usual_value,
)
from callgate.sccp.layout import form_keys
from callgate.sccp.messages.calls import (
    CallInfoV2Message,
    ConnectionStatisticsReqMessage,
    ConnectionStatisticsResMessage,
    DialedNumberMessage,
)
from callgate.sccp.messages.capabilities import UpdateCapabilitiesMessage
from callgate.sccp.messages.devices import ConfigStatV2ResMessage
from callgate.sccp.messages.keys import EnblocCallMessage, KeypadButtonMessage, OffHookWithCallingPartyNumberMessage
from callgate.sccp.messages.lines import ForwardStatResMessage
from callgate.sccp.messages.media import OpenReceiveChannelAckMessage, OpenReceiveChannelMessage


@pytest.mark.parametrize(
    ("version", "known"), [(-1, 0), (0, 0), (1, 1), (21, 21), (22, 22), (23, 22), (33, 22), (0xFFFFFFFF, 22)]
)
def test_versions_are_clamped_to_those_in_use(version: int, known: int) -> None:
    assert clamped(version) == known
    assert NEWEST == 22


@pytest.mark.parametrize(
    ("key", "values"),
    [
        (ADDRESS, [4] * 17 + [20] * 6),
        (NUMBER, [24] * 19 + [28] * 4),
        (PACKED_NUMBER, [24] * 19 + [25] * 4),
        (RATE, [10] * 11 + [11] * 12),
        (PARTIES, [13] * 10 + [12] * 6 + [13] * 7),
        (STATISTICS, [1] * 19 + [2] * 3 + [3]),
        (VIDEO, [8] * 16 + [24] * 7),
    ],
)
def test_what_senders_of_each_version_write(key: str, values: list[int]) -> None:
    assert [usual_value(key, version) for version in range(23)] == values


def test_there_is_no_usual_value_of_an_unknown_key() -> None:
    with pytest.raises(KeyError, match="colour"):
        usual_value("colour", 0)


def test_a_class_has_a_form_for_each_combination_of_what_differs() -> None:
    assert forms(KeypadButtonMessage) == ((),)
    assert forms(OpenReceiveChannelAckMessage) == ((("address", 4),), (("address", 20),))
    assert forms(OpenReceiveChannelMessage) == (
        (("address", 4), ("rate", 10)),
        (("address", 4), ("rate", 11)),
        (("address", 20), ("rate", 10)),
        (("address", 20), ("rate", 11)),
    )
    assert [usual_form(OpenReceiveChannelMessage, version) for version in (10, 11, 16, 17)] == [0, 1, 1, 3]
    assert layout_of(OpenReceiveChannelMessage, 2).form == (("address", 20), ("rate", 10))
    assert usual_form(KeypadButtonMessage, 22) == 0


def test_numbers_statistics_and_leading_strings_are_told_by_the_body() -> None:
    told = (EnblocCallMessage, DialedNumberMessage, ConnectionStatisticsResMessage, ConfigStatV2ResMessage)
    assert [told_by_body(cls) for cls in told] == [True] * 4
    others = (KeypadButtonMessage, OpenReceiveChannelMessage, CallInfoV2Message)
    assert [told_by_body(cls) for cls in others] == [False] * 3


@pytest.mark.parametrize(
    ("length", "header", "version", "form"),
    [
        (20, 0, 0, 0),
        (36, 0, 0, 1),
        (20, 0, 17, 0),
        (36, 0, 17, 1),
        (16, 0, 0, 0),
        (32, 0, 0, 1),  # no field of the narrow form ends there
        (24, 0, 17, 1),
        (24, 0, 0, 1),
        (8, 0, 17, 0),  # in the wide form the address does not end there
        (4, 0, 17, 1),
        (20, 11, 11, 0),
        (36, 11, 11, 1),
        (20, 17, 17, 0),
        (36, 17, 17, 1),
        (24, 17, 17, 1),
        (24, 11, 11, 1),
        (100, 11, 11, 0),
        (100, 17, 17, 1),
        (100, 0, 0, 0),
    ],
)
def test_length_and_version_tell_the_address_width(length: int, header: int, version: int, form: int) -> None:
    assert form_of_length(OpenReceiveChannelAckMessage, length, header, version) == form


@pytest.mark.parametrize(
    ("length", "header", "version", "form"),
    [
        (100, 0, 0, 0),
        (100, 0, 11, 1),
        (100, 0, 17, 3),
        (108, 0, 0, 0),
        (108, 0, 17, 1),  # of the narrow forms the one that differs least from what is usual at 17
        (124, 0, 0, 2),
        (124, 0, 11, 3),
        (152, 0, 17, 1),
        (168, 0, 0, 2),
        (168, 11, 11, 3),
        (152, 22, 22, 3),  # ends with a field of latent capabilities
        (120, 17, 17, 3),
        (116, 17, 17, 1),
    ],
)
def test_of_other_forms_the_one_that_differs_least_comes_first(
    length: int, header: int, version: int, form: int
) -> None:
    assert form_of_length(OpenReceiveChannelMessage, length, header, version) == form


@pytest.mark.parametrize(
    ("length", "header", "version", "form"),
    [(1840, 0, 0, 0), (2000, 0, 0, 1), (1840, 22, 22, 0), (2000, 22, 22, 1), (2000, 15, 15, 1), (2000, 0, 11, 1)],
)
def test_the_length_tells_whether_there_is_h264(length: int, header: int, version: int, form: int) -> None:
    assert form_of_length(UpdateCapabilitiesMessage, length, header, version) == form


def test_one_form_is_the_form() -> None:
    assert [form_of_length(KeypadButtonMessage, length, 0, 22) for length in range(30)] == [0] * 30


NARROW, PACKED, ALIGNED = 0, 1, 2

DIALLED = {
    "24 bytes up to 18": (text(b"600", 24) + words(1, 2), 18, NARROW),
    "24 bytes up to 18, although more may follow": (text(b"600", 24) + words(1, 2) + b"\0\0\0\0", 18, NARROW),
    "28 bytes of 36 below 19 that are no 24": (text(b"600", 24) + words(1, 2, 3), 18, NARROW),
    "24 bytes where the length is whole so": (text(b"600", 24) + words(1, 2), 19, NARROW),
    "aligned": (text(b"600", 28) + words(1, 2), 19, ALIGNED),
    "aligned, the line alone behind it": (text(b"600", 28) + words(1), 19, ALIGNED),
    "aligned, all 25 used": (b"1" * 25 + bytes(3) + words(1, 2), 19, ALIGNED),
    "packed": (text(b"600", 25) + words(1, 2) + bytes(3), 22, PACKED),
    "packed, only the third byte is there": (text(b"600", 25) + words(0x10000, 0) + bytes(3), 22, PACKED),
    "packed, only in the fourth byte: aligned": (text(b"600", 25) + words(0x1000000, 0) + bytes(3), 22, ALIGNED),
    "packed without padding": (text(b"600", 25) + words(1, 2), 22, PACKED),
    "packed without padding, all zero": (bytes(33), 22, PACKED),
    "aligned, all zero": (bytes(36), 22, ALIGNED),
    "up to the number of 28": (bytes(28), 22, ALIGNED),
    "up to the number of 25": (bytes(25), 22, PACKED),
    "up to the number of 24": (bytes(24), 22, NARROW),
    "no whole number": (bytes(8), 22, ALIGNED),
    "longer than all": (bytes(99), 22, ALIGNED),
}


@pytest.mark.parametrize(("body", "version", "form"), DIALLED.values(), ids=DIALLED)
def test_the_bytes_behind_a_number_tell_its_width(body: bytes, version: int, form: int) -> None:
    assert form_of_body(DialedNumberMessage, body, version) == form


FULL = b"1" * 24
ENBLOC = {
    "24 bytes at 18": (text(b"600", 24) + words(1), 18, NARROW),
    "28 bytes at 22, a line behind 24": (text(b"600", 24) + words(1), 22, NARROW),
    "32 bytes at 18: spare behind": (text(b"600", 24) + words(1, 2), 18, NARROW),
    "28 bytes at 22, a NUL only behind 24 bytes": (FULL + b"\0\1\0\0", 22, ALIGNED),
    "80 bytes at 18": (bytes(80), 18, NARROW),
    "81 bytes at 18: no form, so narrow": (bytes(81), 18, NARROW),
    "32 bytes at 22, aligned": (text(b"600", 28) + words(1), 22, ALIGNED),
    "32 bytes at 22, packed": (text(b"600", 25) + words(1) + bytes(3), 22, PACKED),
    "29 bytes at 22": (bytes(29), 22, PACKED),
    "28 bytes at 22, no NUL in 24 bytes": (FULL + words(1), 22, ALIGNED),
    "28 bytes at 22, nothing behind 24": (text(b"600", 28), 22, ALIGNED),
    "28 bytes at 22, only the last is there": (text(b"600", 27) + b"\1", 22, NARROW),
    "40 bytes at 22": (bytes(40), 22, ALIGNED),
}


@pytest.mark.parametrize(("body", "version", "form"), ENBLOC.values(), ids=ENBLOC)
def test_the_line_behind_a_number_tells_its_width(body: bytes, version: int, form: int) -> None:
    assert form_of_body(EnblocCallMessage, body, version) == form


@pytest.mark.parametrize(
    ("length", "header", "version", "form"),
    [
        (92, 18, 18, NARROW),
        (96, 18, 18, PACKED),
        (95, 18, 18, PACKED),
        (92, 22, 22, NARROW),
        (96, 22, 22, PACKED),
        (96, 0, 0, PACKED),
        (92, 0, 22, NARROW),
        (104, 18, 18, NARROW),
        (104, 22, 22, PACKED),
    ],
)
def test_the_length_tells_the_width_of_numbers_that_are_always_packed(
    length: int, header: int, version: int, form: int
) -> None:
    assert told_by_body(ForwardStatResMessage) is False
    assert form_of_length(ForwardStatResMessage, length, header, version) == form
    assert [usual_form(OffHookWithCallingPartyNumberMessage, version) for version in (18, 19)] == [NARROW, PACKED]


def test_a_number_whose_width_the_bytes_tell_begins_the_body() -> None:
    asked = [cls for cls in CATALOGUE.values() if NUMBER in form_keys(cls)]
    assert set(asked) == {EnblocCallMessage, DialedNumberMessage, ConnectionStatisticsReqMessage}
    assert [layout_of(cls, ALIGNED).leaves[0].node.size for cls in asked] == [28] * 3


@pytest.mark.parametrize(
    ("body", "version", "form"),
    [
        (text(b"600", 24) + words(1, 0), 18, NARROW),
        (text(b"600", 28) + words(1, 0), 18, ALIGNED),
        (text(b"600", 25) + words(1, 0) + bytes(3), 18, PACKED),
        (text(b"600", 25) + words(1, 0) + bytes(3), 22, PACKED),
        (bytes(33), 18, PACKED),
        (bytes(34), 18, NARROW),
        (bytes(34), 22, ALIGNED),
    ],
)
def test_a_length_that_is_whole_in_a_wide_form_alone_has_it_below_19_too(body: bytes, version: int, form: int) -> None:
    assert form_of_body(ConnectionStatisticsReqMessage, body, version) == form


QUALITY = b"MLQK=4.5"
FIRST = bytes(60) + words(len(QUALITY)) + QUALITY
SECOND = bytes(64) + words(len(QUALITY)) + QUALITY
THIRD = bytes(61) + words(len(QUALITY)) + QUALITY

STATISTICS_BODIES = {
    "number of 24": (FIRST, 18, 0),
    "number of 24 under any version": (FIRST, 22, 0),
    "number of 28": (SECOND, 20, 1),
    "number of 28 under any version": (SECOND, 11, 1),
    "a byte of mode": (THIRD + bytes(3), 22, 2),
    "a byte of mode, not rounded up": (THIRD, 22, 2),
    "a byte of mode under any version": (THIRD + bytes(3), 17, 2),
    "room of 600": (bytes(60) + words(8) + text(QUALITY, 600), 0, 0),
    "room of 600 full of junk": (bytes(60) + words(8) + QUALITY.ljust(600, b"j"), 0, 0),
    "room of 600, all of it data": (bytes(60) + words(600) + bytes(600), 0, 0),
    "room of 600, number of 28": (bytes(64) + words(8) + text(QUALITY, 600), 20, 1),
    "room of 600, a byte of mode": (bytes(61) + words(8) + text(QUALITY, 603), 22, 2),
    "a number of 24 where 28 do not fit": (bytes(60) + words(2) + b"ab", 20, 0),
    "a byte of mode under any version, not rounded up": (THIRD, 17, 2),
    "a data size that fits none": (bytes(60) + words(99) + bytes(8), 18, 0),
    "a data size that fits none at 20": (bytes(60) + words(99) + bytes(8), 20, 1),
    "a data size that fits none at 22": (bytes(60) + words(99) + bytes(8), 22, 2),
    "too much data for the room": (bytes(60) + words(601) + bytes(600), 22, 2),
    "no data": (bytes(64), 18, 0),
    "no data, number of 28": (bytes(68), 20, 1),
    "cut in front of the data size": (bytes(60), 20, 1),
    "nothing": (b"", 22, 2),
}


@pytest.mark.parametrize(("body", "version", "form"), STATISTICS_BODIES.values(), ids=STATISTICS_BODIES)
def test_the_data_size_that_fits_tells_the_layout(body: bytes, version: int, form: int) -> None:
    assert form_of_body(ConnectionStatisticsResMessage, body, version) == form


def test_a_leading_string_leaves_the_usual_form() -> None:
    assert form_of_body(ConfigStatV2ResMessage, b"SEP\0", 22) == 0
