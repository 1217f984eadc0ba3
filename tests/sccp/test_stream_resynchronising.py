"""Damaged captures: after a gap or garbage the next message is found, and nothing that is none."""

from __future__ import annotations

import random

import pytest
from tests.sccp.wire import text, words

from callgate.sccp import Negotiation, ResynchronisingDecoder, decode
from callgate.sccp.framing import HEADER, frame, keepalive
from callgate.sccp.message import AnyMessage
from callgate.sccp.stream import plausible

# Frames of chan-sccp 4.3.5 and chan_skinny, and of the phone that spoke with them.
CAPTURED = [
    bytes.fromhex(one)
    for one in (
        "040000000000000000000000",
        "040000000000000000010000",
        "100000001600000003000000060000000100000004000000",
        "0c0000000b000000060000000000000000000000",
        "18000000000000008100000032000000442e4d2e59000000320000000b20f1ff",
        "140000000b0000008200000021000000000000000100000001000000",
        "100000000b000000860000000f0000000100000001000000",
        "28000000160000002200000000000000000000007f00000100000000000000000000000046be0000fbffffff04000000",
        "1c0000001600000011010000010000000100000004000000000000000300000000000000",
        "280000000b0000001d010000363030000000000000000000000000000000000000000000010000000100000000000000",
        "140000000b0000004301000005000000417374657269736b20801800",
        "2000000016000000470100000100000000000000313030310070686f6e6531003130303100000000",
        "50000000160000004a0100000100000004000000020000000000000000000000010000000000000000000000313030310000363030"
        "000031303031000000000050686f6e65204f6e6500000050686f6e65204f6e65000000",
    )
]
KEY = CAPTURED[2]
STATE = CAPTURED[8]


def in_pieces(decoder: ResynchronisingDecoder, data: bytes, chance: random.Random) -> list[AnyMessage]:
    found: list[AnyMessage] = []
    while data:
        size = chance.choice((1, 2, 7, 40, 400))
        found += decoder.feed(data[:size])
        data = data[size:]
    return found


def test_garbage_around_real_frames_gives_no_false_message_and_loses_none() -> None:
    chance = random.Random("garbage")
    for _ in range(3000):
        decoder = ResynchronisingDecoder()
        blocks = [chance.choices(CAPTURED, k=chance.randint(2, 6)) for _ in range(3)]
        garbage = [chance.randbytes(chance.randint(5, 80)) for _ in range(3)]
        found = in_pieces(decoder, b"".join(blocks[0]), chance)
        found += in_pieces(decoder, garbage[0] + b"".join(blocks[1]), chance)
        # Bytes are missing: the middle of a frame stands between whole ones.
        cut = chance.choice(CAPTURED)[chance.randint(1, 4) :]
        decoder.gap()
        found += in_pieces(decoder, cut + garbage[1] + b"".join(blocks[2]), chance)
        found += in_pieces(decoder, garbage[2], chance)
        assert found == [decode(one) for block in blocks for one in block]
        assert decoder.finish() == []
        assert decoder.pending == 0
        assert decoder.skipped == len(b"".join([cut, *garbage]))
        assert decoder.breaks == 2 + (len(garbage[2]) >= 12)


def test_garbage_alone_gives_no_message() -> None:
    chance = random.Random("noise")
    decoder = ResynchronisingDecoder()
    noise = chance.randbytes(300_000)
    assert in_pieces(decoder, noise, chance) + decoder.finish() == []
    assert decoder.skipped == len(noise)
    assert decoder.breaks == 1


def test_a_clean_stream_is_read_as_by_a_decoder() -> None:
    decoder = ResynchronisingDecoder()
    assert decoder.feed(KEY + KEY[:7]) == [decode(KEY)]
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (7, 0, 0)
    assert decoder.feed(KEY[7:]) == [decode(KEY)]
    assert decoder.feed(b"") == []
    assert decoder.finish() == []
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (0, 0, 0)


def test_garbage_between_messages_is_counted() -> None:
    decoder = ResynchronisingDecoder()
    assert decoder.feed(KEY + b"\xff" * 20) == [decode(KEY)]
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (11, 9, 1)
    assert decoder.feed(KEY) == []
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (24, 20, 1)
    assert decoder.feed(STATE[:11]) == []
    assert decoder.pending == 35
    assert decoder.feed(STATE[11:]) == [decode(KEY), decode(STATE)]
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (0, 20, 1)


def test_garbage_twice_in_one_piece() -> None:
    decoder = ResynchronisingDecoder()
    piece = b"\xff" * 13 + KEY + STATE + b"\xfe" * 14 + STATE + KEY + keepalive()
    assert decoder.feed(piece) == [decode(one) for one in (KEY, STATE, STATE, KEY, keepalive())]
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (0, 27, 2)


def test_a_gap_skips_what_was_not_whole() -> None:
    decoder = ResynchronisingDecoder()
    decoder.feed(KEY[:20])
    decoder.gap()
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (0, 20, 1)
    decoder.feed(STATE[:30])
    decoder.gap()
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (0, 50, 2)
    assert decoder.feed(KEY[4:] + STATE + KEY) == [decode(STATE), decode(KEY)]
    assert (decoder.skipped, decoder.breaks) == (70, 2)


def test_after_a_gap_one_header_is_not_enough() -> None:
    decoder = ResynchronisingDecoder()
    decoder.gap()
    assert decoder.feed(KEY + b"\xff" * 12) == []
    assert decoder.feed(STATE + keepalive()) == [decode(STATE), decode(keepalive())]
    assert decoder.skipped == len(KEY) + 12


def test_after_a_gap_the_caller_may_know_that_a_message_begins() -> None:
    decoder = ResynchronisingDecoder()
    decoder.gap()
    decoder.feed(KEY[:10])
    decoder.found()
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (0, 10, 1)
    assert decoder.feed(KEY) == [decode(KEY)]
    decoder.feed(KEY[:10])
    decoder.found()
    assert decoder.pending == 10
    decoder.gap()
    decoder.feed(KEY[:5])
    decoder.found()
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (0, 25, 2)
    decoder.feed(KEY[:10])
    assert decoder.feed(KEY[10:]) == [decode(KEY)]


def test_at_the_end_messages_count_that_end_with_the_bytes() -> None:
    decoder = ResynchronisingDecoder()
    decoder.gap()
    assert decoder.feed(b"\xff" * 5 + KEY) == []
    assert decoder.finish() == [decode(KEY)]
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (0, 5, 1)


def test_at_the_end_a_message_that_is_a_header_counts() -> None:
    decoder = ResynchronisingDecoder()
    decoder.gap()
    assert decoder.feed(b"\xff" * 5 + keepalive()) == []
    assert decoder.finish() == [decode(keepalive())]


@pytest.mark.parametrize("behind", [b"\0", KEY[:-1], b"\xff" * 12])
def test_at_the_end_messages_that_end_elsewhere_do_not_count(behind: bytes) -> None:
    decoder = ResynchronisingDecoder()
    decoder.gap()
    assert decoder.feed(STATE + behind) in ([], [decode(STATE)])
    found = decoder.finish()
    assert found == []
    assert decoder.pending == 0
    assert decoder.feed(KEY + STATE) == [decode(KEY), decode(STATE)]


def test_at_the_end_half_a_message_is_skipped() -> None:
    decoder = ResynchronisingDecoder()
    assert decoder.feed(KEY + STATE[:-1]) == [decode(KEY)]
    assert decoder.finish() == []
    assert (decoder.pending, decoder.skipped, decoder.breaks) == (0, len(STATE) - 1, 0)
    assert decoder.feed(KEY) == [decode(KEY)]


def test_at_the_end_a_message_inside_what_seemed_a_longer_one_counts() -> None:
    """A header announces more than comes; behind it stands a whole message."""
    decoder = ResynchronisingDecoder()
    decoder.gap()
    promise = HEADER.pack(296, 0, 0x10)
    assert decoder.feed(promise + KEY) == []
    assert decoder.pending == len(promise + KEY)
    assert decoder.finish() == [decode(KEY)]
    assert decoder.skipped == len(promise)


def test_negotiation_is_shared() -> None:
    shared = Negotiation()
    decoder = ResynchronisingDecoder(negotiation=shared)
    assert decoder.negotiation is shared
    decoder.gap()
    decoder.feed(b"\xff" * 3 + CAPTURED[4] + KEY)
    assert shared.version == 11
    assert ResynchronisingDecoder().negotiation is not ResynchronisingDecoder().negotiation


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (HEADER.pack(4, 0, 0), 12),
        (HEADER.pack(4, 33, 0), 12),
        (HEADER.pack(4, 34, 0), None),
        (HEADER.pack(8, 0, 0), None),  # a keepalive has no body
        (HEADER.pack(3, 0, 0), None),
        (HEADER.pack(0, 0, 0), None),
        (HEADER.pack(8192, 0, 0x7000), None),
        (HEADER.pack(8, 0, 3), 16),
        (HEADER.pack(24, 0, 3), 32),
        (HEADER.pack(28, 0, 3), None),
        (HEADER.pack(10, 0, 3), None),
        (HEADER.pack(4, 0, 3), None),
        (HEADER.pack(72, 0, 0x149), 80),
        (HEADER.pack(8196, 0, 0x39), None),
    ],
)
def test_a_header_is_plausible_if_some_sender_writes_it(header: bytes, size: int | None) -> None:
    assert plausible(header, 0) == size
    assert plausible(b"\xff" * 7 + header, 7) == size


def test_a_text_that_looks_like_headers_is_no_message() -> None:
    decoder = ResynchronisingDecoder()
    decoder.gap()
    assert decoder.feed(text(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 64) + words(1, 2, 3) * 9) == []
    assert decoder.finish() == []


def test_frames_of_unknown_ids_end_no_stream_that_is_in_step() -> None:
    decoder = ResynchronisingDecoder()
    unknown = frame(0x7000, b"12345")
    assert decoder.feed(KEY + unknown + KEY) == [decode(KEY), decode(unknown), decode(KEY)]
    assert decoder.breaks == 0
