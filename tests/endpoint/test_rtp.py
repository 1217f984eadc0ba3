"""RTP packets and the marked tone."""

from __future__ import annotations

import math
import struct
import sys
import warnings
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.endpoint.rtp import PCMA, PCMU, RtpPacket, Tone, encode_a_law, encode_mu_law
from callgate.errors import ProtocolError

PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127).filter(lambda kind: kind not in range(72, 77)),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=200),
    marker=st.booleans(),
)


@given(PACKETS)
def test_what_is_packed_is_unpacked(packet: RtpPacket) -> None:
    assert RtpPacket.unpack(packet.pack()) == packet


@given(PACKETS, st.integers(0, 15), st.none() | st.integers(0, 20), st.none() | st.integers(1, 255))
def test_sources_extension_and_padding_are_left_out(
    packet: RtpPacket, sources: int, extension: int | None, padding: int | None
) -> None:
    plain = packet.pack()
    data = bytearray(plain[:12])
    data[0] |= sources
    data += bytes(4 * sources)
    if extension is not None:
        data[0] |= 0x10
        data += struct.pack(">HH", 0xBEDE, extension) + bytes(4 * extension)
    data += packet.payload
    if padding is not None:
        data[0] |= 0x20
        data += bytes(padding - 1) + bytes([padding])
    assert RtpPacket.unpack(bytes(data)) == packet


@given(st.binary(max_size=400))
def test_any_bytes_are_a_packet_or_a_protocol_error(data: bytes) -> None:
    with suppress(ProtocolError):
        assert len(RtpPacket.unpack(data).payload) <= len(data) - 12


@given(PACKETS, st.integers(0, 255), st.integers(0, 15))
def test_a_damaged_header_never_reads_beyond_the_packet(packet: RtpPacket, first: int, keep: int) -> None:
    data = bytes([first]) + packet.pack()[1 : 12 + keep]
    with suppress(ProtocolError):
        assert RtpPacket.unpack(data).payload in data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x80" * 11, "11 bytes are too few for RTP"),
        (b"\x40" + bytes(20), "RTP version 1, not 2"),
        (b"\x81" + bytes(11), "the RTP header is cut off"),
        (b"\x90" + bytes(13), "the RTP extension is cut off"),
        (b"\x90" + bytes(11) + b"\0\0\0\1", "the RTP header is cut off"),
        (b"\xa0" + bytes(12), "0 bytes of RTP padding in 1"),
        (b"\xa0" + bytes(11) + b"\2", "2 bytes of RTP padding in 1"),
        (b"\x80\xc8" + bytes(20), "RTCP packet type 200"),
    ],
)
def test_what_is_no_rtp_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        RtpPacket.unpack(data)


@pytest.mark.parametrize(
    ("payload_type", "sequence", "timestamp", "ssrc"),
    [(128, 0, 0, 0), (0, 1 << 16, 0, 0), (0, 0, -1, 0), (0, 0, 0, 1 << 32)],
)
def test_fields_out_of_bounds_are_not_sent(payload_type: int, sequence: int, timestamp: int, ssrc: int) -> None:
    packet = RtpPacket(payload_type=payload_type, sequence=sequence, timestamp=timestamp, ssrc=ssrc, payload=b"")
    with pytest.raises(ValueError, match="RTP"):
        packet.pack()


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.sampled_from([80, 160, 240, 960]))
def test_a_payload_tells_its_index_and_no_other_tones(key: int, index: int, samples: int) -> None:
    for payload_type in (PCMU, PCMA):
        tone = Tone(key, payload_type)
        payload = tone.payload(index, samples)
        assert len(payload) == samples
        assert tone.index_of(payload) == index
        assert Tone(key ^ 1, payload_type).index_of(payload) is None


@given(st.integers(0, 159), st.integers(1, 255), st.integers(0, 2**32 - 1))
def test_a_payload_changed_anywhere_is_not_recognised(where: int, change: int, index: int) -> None:
    tone = Tone(0x5EED5EED)
    payload = bytearray(tone.payload(index))
    payload[where] ^= change
    assert tone.index_of(bytes(payload)) != index


def test_payloads_differ_and_short_ones_are_refused() -> None:
    tone = Tone(7)
    assert len({tone.payload(index) for index in range(1000)}) == 1000
    assert tone.index_of(b"\xff" * 63) is None
    with pytest.raises(ValueError, match="63 samples have no room"):
        tone.payload(0, 63)


def test_the_tone_has_one_kilohertz_and_the_mark_is_not_heard() -> None:
    decoded = [decode_mu_law(sample) for sample in Tone(0xFFFFFFFF).payload(0x12345678)]
    energy = {
        bin_: abs(sum(s * math.e ** (-2j * math.pi * bin_ * n / 160) for n, s in enumerate(decoded)))
        for bin_ in range(1, 80)
    }
    assert max(energy, key=lambda bin_: energy[bin_]) == 20  # of 160 bins over 8000 Hz
    assert energy[20] > 20 * max(value for bin_, value in energy.items() if bin_ != 20)


def decode_mu_law(sample: int) -> int:
    sample = ~sample & 0xFF
    magnitude = (((sample & 0x0F) << 3) + 132 << (sample >> 4 & 7)) - 132
    return -magnitude if sample & 0x80 else magnitude


def test_g711_is_what_the_standard_library_made_of_it() -> None:
    """Every sample, against audioop, which Python 3.13 has dropped."""
    if sys.version_info >= (3, 13):
        pytest.skip("audioop is missing from Python 3.13 on")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop
    linear = struct.pack("=65536h", *range(-32768, 32768))
    mu_law, a_law = audioop.lin2ulaw(linear, 2), audioop.lin2alaw(linear, 2)
    assert bytes(map(encode_mu_law, range(-32768, 32768))) == mu_law
    assert bytes(map(encode_a_law, range(-32768, 32768))) == a_law


def test_the_digital_milliwatt_of_the_standard() -> None:
    """ITU-T G.711, tables 5 and 6: 1 kHz at 0 dBm0. Silence is 0xFF and 0xD5."""
    assert (encode_mu_law(0), encode_a_law(0)) == (0xFF, 0xD5)
    mu_law = [decode_mu_law(sample) for sample in bytes.fromhex("1e0b0b1e9e8b8b9e")]
    assert bytes(map(encode_mu_law, mu_law)).hex() == "1e0b0b1e9e8b8b9e"
