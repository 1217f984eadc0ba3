from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.errors import ProtocolError
from callgate.evidence.stream import FileState, Taken, read_stream


def encoded(data: bytes, coding: str = "base64") -> bytes:
    if coding == "base64":
        return base64.encodebytes(data)
    rows = (data[at : at + 16] for at in range(0, len(data), 16))
    return b"".join(b" " + row.hex(" ").encode() + b"\n" for row in rows)


def section(
    file: str, output: bytes = b"", *, end: bytes = b"0 bound=0 encode=0", stderr: bytes = b"", coding: str = "base64"
) -> bytes:
    return b"@file %b\n@command show %b\n%b\n@exit %b\n@stderr\n%b" % (
        file.encode(),
        file.encode(),
        encoded(output, coding),
        end,
        encoded(stderr, coding),
    )


def stream(*sections: bytes, coding: str = "base64", before: bytes = b"") -> bytes:
    return before + b"@callgate 1 " + coding.encode() + b"\n" + b"".join(sections) + b"@done\n"


def only(*sections: bytes) -> Taken:
    (taken,) = read_stream(stream(*sections))
    return taken


REAL = stream(
    section("identity.txt", b"0\nLinux 6.1 x86_64\npbx1\n"),
    section("ss.txt", b"tcp LISTEN 0 5 *:2000 *:*\n" * 9, stderr=b"a warning"),
    b"@file nft.json\n@command nft -j list ruleset\n@missing\n",
    b"@file proc-net-tcp6.txt\n@command cat /proc/net/tcp6\n@absent\n",
    section("iptables-save.txt", end=b"bound=0 4 encode=0", stderr=b"Permission denied"),
)


def test_a_whole_stream_is_read_in_order() -> None:
    taken = read_stream(REAL)
    assert [(one.file, one.state, one.exit_code) for one in taken] == [
        ("identity.txt", FileState.COLLECTED, 0),
        ("ss.txt", FileState.COLLECTED, 0),
        ("nft.json", FileState.TOOL_MISSING, None),
        ("proc-net-tcp6.txt", FileState.ABSENT, None),
        ("iptables-save.txt", FileState.FAILED, 4),
    ]
    assert taken[1].output == b"tcp LISTEN 0 5 *:2000 *:*\n" * 9
    assert (taken[1].stderr, taken[4].stderr) == ("a warning", "Permission denied")
    assert taken[2].command == "nft -j list ruleset"


def test_a_stream_cut_at_any_byte_is_an_error() -> None:
    whole = read_stream(REAL)
    assert read_stream(REAL[:-1]) == whole  # all is there but the last newline
    for length in range(len(REAL) - 1):
        with pytest.raises(ProtocolError):
            read_stream(REAL[:length])


@pytest.mark.parametrize("coding", ["base64", "hex"])
@given(data=st.binary(max_size=400))
def test_either_encoding_carries_any_bytes(coding: str, data: bytes) -> None:
    sections = section("f", data, coding=coding), section("g", b"@done\n@exit 0\n", coding=coding)
    first, second = read_stream(stream(*sections, coding=coding))
    assert (first.output, second.output) == (data, b"@done\n@exit 0\n")


@pytest.mark.parametrize("banner", [b"Welcome to pbx1\r\n\n", b"\xff\xfe\n", b"@ motd\n@file x\n@done\n"])
def test_a_banner_before_is_passed_over(banner: bytes) -> None:
    assert read_stream(stream(section("f", b"x"), before=banner)) == read_stream(stream(section("f", b"x")))


def test_what_follows_the_end_is_not_read() -> None:
    assert read_stream(REAL + b"@file forged\nlogout\n") == read_stream(REAL)


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (b"0 bound=0 encode=0", FileState.COLLECTED),
        (b"encode=0 0 bound=0", FileState.COLLECTED),
        (b"1 bound=0 encode=0", FileState.FAILED),
        (b"127 bound=0 encode=0", FileState.FAILED),
        (b"124 bound=0 encode=0", FileState.TIMED_OUT),
        (b"137 bound=0 encode=0", FileState.TIMED_OUT),
        (b"143 bound=0 encode=0", FileState.TIMED_OUT),
        (b"0 bound=124 encode=0", FileState.TIMED_OUT),
        (b"0 bound=143 encode=0", FileState.TIMED_OUT),
        (b"0 bound=1 encode=0", FileState.DAMAGED),
        (b"0 bound=0 encode=1", FileState.DAMAGED),
        (b"0 bound=0 encode=137", FileState.DAMAGED),
    ],
)
def test_only_a_sound_end_makes_evidence(end: bytes, state: FileState) -> None:
    assert only(section("f", b"output\n", end=end)).state is state


def test_one_byte_too_many_is_too_large_however_it_ended() -> None:
    for end in (b"0 bound=0 encode=0", b"141 bound=0 encode=0"):
        sections = stream(section("f", b"12345678901", end=end))
        assert read_stream(sections, limit=10)[0].state is FileState.TOO_LARGE
    assert read_stream(stream(section("f", b"1234567890")), limit=10)[0].state is FileState.COLLECTED


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        ([b"@file f\n@command x\n", b"@file g\n@missing\n"], "did not say how its command ended"),
        ([b"@file f\n@command x\n!!!!\n@exit 0 bound=0 encode=0\n"], "encoding is broken"),
        ([b"@file f\n@command x\nYWJ\n@exit 0 bound=0 encode=0\n"], "encoding is broken"),
        ([b"@file f\nYWJj\n@exit 0 bound=0 encode=0\n"], "cannot have printed"),
        ([b"YWJj\n"], "has no name"),
        ([section("f", end=b"")], "exit line is not understood"),
        ([section("f", end=b"0")], "exit line is not understood"),
        ([section("f", end=b"0 bound=0")], "exit line is not understood"),
        ([section("f", end=b"0 0 bound=0")], "exit line is not understood"),
        ([section("f", end=b"x bound=0 encode=0")], "exit line is not understood"),
        ([section("f", end=b"0 bound=a encode=0")], "exit line is not understood"),
        ([section("f", end=b"0 bound=0=0 encode=0")], "exit line is not understood"),
        ([section("f", end=b"9" * 5000 + b" bound=0 encode=0")], "exit line is not understood"),
        ([section("f", b"one"), section("f", b"two")], "names a file twice"),
    ],
)
def test_a_broken_frame_is_an_error(sections: list[bytes], complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        read_stream(stream(*sections))


@pytest.mark.parametrize(
    ("printed", "complaint"),
    [
        (b"", "printed nothing it should have"),
        (b"sh: syntax error\n", "printed nothing it should have"),
        (b"@callgate 2 base64\n@done\n", "unknown form"),
        (b"@callgate 1\n@done\n", "unknown form"),
        (b"@callgate 1 rot13\n@done\n", "encoding is unknown"),
        (b"@callgate 1 none\n@done\n", "neither base64 nor od"),
        (b"@callgate 1 base64\n", "cut short"),
    ],
)
def test_what_is_no_collector_is_an_error(printed: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        read_stream(printed)


_PIECES = st.one_of(
    st.sampled_from(
        [
            b"@callgate 1 base64\n",
            b"@callgate 1 hex\n",
            b"@file f\n",
            b"@file g\n",
            b"@command x\n",
            b"@exit 0 bound=0 encode=0\n",
            b"@exit 1",
            b"@stderr\n",
            b"@missing\n",
            b"@absent\n",
            b"@done\n",
            b"YWJj\n",
            b"\n",
        ]
    ),
    st.binary(max_size=6),
)


@given(st.lists(_PIECES, max_size=14).map(b"".join))
def test_any_bytes_are_records_or_a_protocol_error(data: bytes) -> None:
    try:
        taken = read_stream(data)
    except ProtocolError:
        return
    assert data.count(b"@file ") >= len(taken)
    for one in taken:
        assert one.state is not FileState.COLLECTED or one.exit_code == 0


@given(st.integers(0, len(REAL) - 1), st.binary(min_size=1, max_size=1))
def test_a_changed_byte_loses_no_file_unseen(position: int, byte: bytes) -> None:
    damaged = REAL[:position] + byte + REAL[position + 1 :]
    try:
        taken = read_stream(damaged)
    except ProtocolError:
        return
    assert len(taken) == len(read_stream(REAL))
