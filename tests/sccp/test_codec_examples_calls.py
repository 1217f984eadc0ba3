"""Call messages in the forms they are known in: numbers of 24, 25 and 28 bytes, two to fifteen strings, statistics.

Put together after Wireshark 4.0 and the lengths that were seen on the wire.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.sccp.wire import assert_carries, text, words

from callgate.sccp import AsSent, Message, decode, encode
from callgate.sccp.enums.calls import CallSecurityStatusType, CallType, StatsProcessingType
from callgate.sccp.framing import frame
from callgate.sccp.messages.calls import (
    CallInfoMessage,
    CallInfoV2Message,
    ConnectionStatisticsReqMessage,
    ConnectionStatisticsResMessage,
    DialedNumberMessage,
)
from callgate.sccp.messages.keys import EnblocCallMessage, KeypadButtonMessage, OffHookWithCallingPartyNumberMessage
from callgate.sccp.messages.lines import ForwardStatResMessage

FULL = b"123456789012345678901234"
"""A number that fills 24 bytes."""

NUMBERS: dict[str, tuple[Message, bytes, int]] = {
    "dialled at once, 24 bytes: no line": (EnblocCallMessage(called_party=b"600"), text(b"600", 24), 4),
    "dialled at once, 28 bytes, header 18": (
        EnblocCallMessage(called_party=b"600", line_instance=1, header_version=18),
        text(b"600", 24) + words(1),
        4,
    ),
    "dialled at once, 28 bytes, all 24 used": (
        EnblocCallMessage(called_party=FULL, line_instance=1, header_version=18),
        FULL + words(1),
        4,
    ),
    "dialled at once, 32 bytes, header 22, the line aligned (8945)": (
        EnblocCallMessage(called_party=b"600", line_instance=1, header_version=22),
        text(b"600", 28) + words(1),
        4,
    ),
    "dialled at once, 32 bytes, header 22, the line packed (7970)": (
        EnblocCallMessage(called_party=b"600", line_instance=1, header_version=22, as_sent=AsSent(form=1)),
        text(b"600", 25) + words(1) + bytes(3),
        4,
    ),
    "dialled at once, 28 bytes, header 22 all the same": (
        EnblocCallMessage(called_party=b"600", line_instance=1, header_version=22, as_sent=AsSent(form=0)),
        text(b"600", 24) + words(1),
        4,
    ),
    "dialled at once, 32 bytes, header 0": (
        EnblocCallMessage(called_party=b"600", line_instance=1, as_sent=AsSent(tail=bytes(4))),
        text(b"600", 24) + words(1, 0),
        4,
    ),
    "dialled at once, 80 bytes (chan_skinny)": (
        EnblocCallMessage(called_party=b"600", line_instance=1, as_sent=AsSent(tail=bytes(52))),
        text(b"600", 24) + words(1) + bytes(52),
        4,
    ),
    "number dialled, 32 bytes, header 18": (
        DialedNumberMessage(dialed_number=b"600", line_instance=1, call_reference=2, header_version=18),
        text(b"600", 24) + words(1, 2),
        0x11D,
    ),
    "number dialled, 36 bytes, header 20, aligned": (
        DialedNumberMessage(dialed_number=b"600", line_instance=1, call_reference=2, header_version=20),
        text(b"600", 28) + words(1, 2),
        0x11D,
    ),
    "number dialled, 36 bytes, header 22, packed": (
        DialedNumberMessage(
            dialed_number=b"600", line_instance=1, call_reference=2, header_version=22, as_sent=AsSent(form=1)
        ),
        text(b"600", 25) + words(1, 2) + bytes(3),
        0x11D,
    ),
    "number dialled, 36 bytes, header 11, a word more": (
        DialedNumberMessage(
            dialed_number=b"600", line_instance=1, call_reference=2, header_version=11, as_sent=AsSent(tail=words(9))
        ),
        text(b"600", 24) + words(1, 2, 9),
        0x11D,
    ),
    "statistics wanted, 32 bytes": (
        ConnectionStatisticsReqMessage(
            directory_num=b"600", call_reference=2, stats_processing_mode=StatsProcessingType.DO_NOT_CLEAR_STATS
        ),
        text(b"600", 24) + words(2, 1),
        0x107,
    ),
    "forwards, 92 bytes": (
        ForwardStatResMessage(
            active_forward=1,
            line_number=2,
            forward_all_active=3,
            forward_all_dirnum=b"601",
            forward_busy_active=4,
            forward_busy_dirnum=b"602",
            forward_no_answer_active=5,
            forward_no_answerl_dirnum=b"603",
            header_version=18,
        ),
        words(1, 2, 3) + text(b"601", 24) + words(4) + text(b"602", 24) + words(5) + text(b"603", 24),
        0x90,
    ),
    "forwards, 96 bytes: three packed numbers of 25": (
        ForwardStatResMessage(
            active_forward=1,
            line_number=2,
            forward_all_active=3,
            forward_all_dirnum=b"601",
            forward_busy_active=4,
            forward_busy_dirnum=b"602",
            forward_no_answer_active=5,
            forward_no_answerl_dirnum=b"603",
            header_version=19,
        ),
        words(1, 2, 3) + text(b"601", 25) + words(4) + text(b"602", 25) + words(5) + text(b"603", 26),
        0x90,
    ),
    "off hook, 24 bytes: one number": (
        OffHookWithCallingPartyNumberMessage(calling_party_number=b"1001"),
        text(b"1001", 24),
        0x24,
    ),
    "off hook, 52 bytes": (
        OffHookWithCallingPartyNumberMessage(calling_party_number=b"1001", cgpn_voice_mailbox=b"8", line_instance=3),
        text(b"1001", 24) + text(b"8", 24) + words(3),
        0x24,
    ),
    "off hook, 56 bytes, header 22: two packed numbers of 25": (
        OffHookWithCallingPartyNumberMessage(
            calling_party_number=b"1001", cgpn_voice_mailbox=b"8", line_instance=3, header_version=22
        ),
        text(b"1001", 25) + text(b"8", 25) + words(3) + bytes(2),
        0x24,
    ),
    "key alone": (KeypadButtonMessage(kp_button=5), words(5), 3),
    "key and two words nobody has named": (
        KeypadButtonMessage(kp_button=5, line_instance=1, call_reference=2, unknown_1=3, unknown_2=4),
        words(5, 1, 2, 3, 4),
        3,
    ),
}


@pytest.mark.parametrize(("message", "body", "message_id"), NUMBERS.values(), ids=NUMBERS)
def test_a_number_has_the_width_that_the_body_shows(message: Message, body: bytes, message_id: int) -> None:
    assert_carries(frame(message_id, body, message.header_version), message)


INFO: dict[str, Any] = {
    "calling_party_name": b"Ann",
    "calling_party": b"1001",
    "called_party_name": b"Bob",
    "called_party": b"1002",
}
INFO_BYTES = text(b"Ann", 40) + text(b"1001", 24) + text(b"Bob", 40) + text(b"1002", 24)


def test_call_info_of_128_bytes_is_four_strings() -> None:
    assert_carries(frame(0x8F, INFO_BYTES), CallInfoMessage(**INFO))


def test_call_info_of_384_bytes_is_all_fields() -> None:
    message = CallInfoMessage(
        **INFO,
        line_instance=1,
        call_reference=2,
        call_type=CallType.FORWARD_CALL,
        original_called_party_name=b"Cid",
        original_called_party=b"1003",
        last_redirecting_party_name=b"Dan",
        last_redirecting_party=b"1004",
        original_cdpn_redirect_reason=4,
        last_redirecting_reason=5,
        cgpn_voice_mailbox=b"81",
        cdpn_voice_mailbox=b"82",
        original_cdpn_voice_mailbox=b"83",
        last_redirecting_voice_mailbox=b"84",
        call_instance=6,
        call_security_status=CallSecurityStatusType.ENCRYPTED,
        party_pi_restriction_bits=15,
        header_version=11,
    )
    body = INFO_BYTES + words(1, 2, 3)
    body += text(b"Cid", 40) + text(b"1003", 24) + text(b"Dan", 40) + text(b"1004", 24) + words(4, 5)
    body += text(b"81", 24) + text(b"82", 24) + text(b"83", 24) + text(b"84", 24) + words(6, 3, 15)
    assert len(body) == 384
    assert_carries(frame(0x8F, body, 11), message)


def test_what_follows_a_strings_end_is_kept_where_it_stood() -> None:
    junk = b"Ann\0server memory".ljust(40, b"\0")
    message = CallInfoMessage(**INFO, as_sent=AsSent(junk=(("callingPartyName", junk[4:]),)))
    assert_carries(frame(0x8F, junk + INFO_BYTES[40:]), message)


V2_WORDS = words(1, 2, 2, 3, 4, 5, 1, 6)
V2: dict[str, Any] = {
    "line_instance": 1,
    "call_reference": 2,
    "call_type": CallType.OUT_BOUND_CALL,
    "original_cdpn_redirect_reason": 3,
    "last_redirecting_reason": 4,
    "call_instance": 5,
    "call_security_status": CallSecurityStatusType.NOT_AUTHENTICATED,
    "party_pi_restriction_bits": 6,
}
STRINGS = (
    "calling_party",
    "alternate_calling_party",
    "called_party",
    "original_called_party",
    "last_redirecting_party",
    "cgpn_voice_mailbox",
    "cdpn_voice_mailbox",
    "original_cdpn_voice_mailbox",
    "last_redirecting_voice_mailbox",
    "calling_party_name",
    "called_party_name",
    "original_called_party_name",
    "last_redirecting_party_name",
    "hunt_pilot_number",
    "hunt_pilot_name",
)


def named(count: int, *, alternate: bool = True) -> tuple[dict[str, Any], bytes]:
    """The first strings, each of another length, and their bytes."""
    names = [name for name in STRINGS if alternate or name != "alternate_calling_party"][:count]
    strings = {name: b"%d" % (7 ** (number % 6 + 1)) for number, name in enumerate(names)}
    return strings, b"".join(string + b"\0" for string in strings.values())


def rounded(body: bytes) -> bytes:
    return body + bytes(-len(body) % 4)


@pytest.mark.parametrize(
    ("version", "count", "alternate"), [(0, 13, True), (11, 12, False), (15, 12, False), (16, 13, True), (22, 15, True)]
)
def test_the_version_tells_how_many_strings_senders_write(version: int, count: int, alternate: bool) -> None:
    strings, sent = named(count, alternate=alternate)
    message = CallInfoV2Message(**V2, **strings, header_version=version)
    assert_carries(frame(0x14A, rounded(V2_WORDS + sent), version), message)


@pytest.mark.parametrize("count", range(15))
def test_trailing_strings_may_be_missing(count: int) -> None:
    strings, sent = named(count)
    body = V2_WORDS + sent
    found = decode(frame(0x14A, body, 20))
    assert isinstance(found, CallInfoV2Message)
    assert [getattr(found, name) for name in STRINGS] == [strings.get(name) for name in STRINGS]
    assert encode(found) == frame(0x14A, body, 20)


def test_a_frame_of_fourteen_strings_ends_without_a_pad() -> None:
    strings, sent = named(14)
    missing = -len(sent) % 4
    strings["calling_party"] += b"7" * missing
    sent = b"7" * missing + sent
    assert_carries(frame(0x14A, V2_WORDS + sent, 18), CallInfoV2Message(**V2, **strings, header_version=18))


def test_the_last_string_may_lack_its_nul() -> None:
    found = decode(frame(0x14A, V2_WORDS + b"1001\0" + b"100", 20))
    assert isinstance(found, CallInfoV2Message)
    assert (found.calling_party, found.alternate_calling_party, found.called_party) == (b"1001", b"100", None)
    assert found.as_sent == AsSent(unterminated=True)
    assert encode(found) == frame(0x14A, V2_WORDS + b"1001\0" + b"100", 20)


STATISTICS: dict[str, Any] = {
    "directory_num": b"600",
    "call_reference": 2,
    "stats_processing_mode": StatsProcessingType.DO_NOT_CLEAR_STATS,
    "number_packets_sent": 3,
    "number_octets_sent": 4,
    "number_packets_received": 5,
    "number_octets_received": 6,
    "number_packets_lost": 7,
    "jitter": 8,
    "latency": 9,
}
QUALITY = b"MLQK=0.0000;MLQKav=0.0000;MLQKmn=0.0000;MLQKmx=0.0000;MLQKvr=0.95;CCR=0.0000;ICR=0.0000;ICRmx=0.0000;CS=0"
COUNTERS = words(3, 4, 5, 6, 7, 8, 9)


def statistics(size: int, version: int, data: bytes | None = None, sent: AsSent | None = None) -> Message:
    return ConnectionStatisticsResMessage(
        **STATISTICS, data_size=size, data=QUALITY if data is None else data, header_version=version, as_sent=sent
    )


NARROW = text(b"600", 24) + words(2, 1) + COUNTERS + words(len(QUALITY))
WIDE = text(b"600", 28) + words(2, 1) + COUNTERS + words(len(QUALITY))
NEWEST = text(b"600", 28) + words(2) + b"\1" + COUNTERS + words(len(QUALITY))
JUNK = bytes([0xEE]) * (600 - len(QUALITY))
LENGTH = len(QUALITY)

QUALITIES: dict[str, tuple[Message, bytes]] = {
    "664 bytes, header 0: room of 600 bytes full of junk": (
        statistics(LENGTH, 0, sent=AsSent(room=600, junk=(("data", JUNK),))),
        NARROW + QUALITY + JUNK,
    ),
    "664 bytes, header 22 all the same": (
        statistics(LENGTH, 22, sent=AsSent(form=0, room=600)),
        NARROW + QUALITY + bytes(len(JUNK)),
    ),
    **{
        f"cut at the data size, header {version}": (
            statistics(LENGTH, version, sent=AsSent(form=0) if version == 22 else None),
            rounded(NARROW + QUALITY),
        )
        for version in (17, 18, 22)
    },
    "668 bytes, header 20": (
        statistics(LENGTH, 20, sent=AsSent(room=600, junk=(("data", JUNK),))),
        WIDE + QUALITY + JUNK,
    ),
    "cut at the data size, header 20": (statistics(LENGTH, 20), rounded(WIDE + QUALITY)),
    "one byte of mode, cut at the data size": (statistics(LENGTH, 22), rounded(NEWEST + QUALITY)),
    "one byte of mode, room of 600 bytes": (
        statistics(LENGTH, 22, sent=AsSent(room=600)),
        rounded(NEWEST + QUALITY + bytes(len(JUNK))),
    ),
    "one byte of mode under header 17": (
        statistics(LENGTH, 17, sent=AsSent(form=2)),
        rounded(NEWEST + QUALITY),
    ),
    "no data": (statistics(0, 17, b""), text(b"600", 24) + words(2, 1) + COUNTERS + words(0)),
    "60 bytes: no data size": (
        ConnectionStatisticsResMessage(**STATISTICS),
        text(b"600", 24) + words(2, 1) + COUNTERS,
    ),
}


@pytest.mark.parametrize(("message", "body"), QUALITIES.values(), ids=QUALITIES)
def test_of_three_layouts_of_statistics_the_one_whose_data_size_fits(message: Message, body: bytes) -> None:
    assert_carries(frame(0x23, body, message.header_version), message)
