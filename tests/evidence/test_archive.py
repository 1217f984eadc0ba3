from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callgate.errors import EvidenceError
from callgate.evidence import archive
from callgate.evidence.archive import check_name, read_archive

FILES = {"ss.txt": b"tcp\n", "etc/iptables/rules.v4": b"*filter\nCOMMIT\n" * 99, "empty": b"", "a" * 120 + "/ü": b"x"}
END = bytes(1024)


def plain(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", target: str = "", size: int = -1) -> bytes:
    """One member, padded, as GNU tar would write it."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(content) if size < 0 else size
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def signed(header: bytearray) -> bytes:
    """The header with the checksum it should have."""
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def tar_of(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as writer:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            writer.addfile(info, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], dict[str, bytes]]:
    path = tmp_path_factory.mktemp("archive") / "pbx1.tar.gz"

    def read_packed(tar: bytes) -> dict[str, bytes]:
        path.write_bytes(gzip.compress(tar, 1, mtime=0))
        return read_archive(path)

    return read_packed


Read = Callable[[bytes], dict[str, bytes]]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_python_packs_is_read(read: Read, form: int) -> None:
    assert read(tar_of(FILES, form)) == FILES


@pytest.mark.parametrize("program", [("tar",), ("bsdtar",), ("busybox", "tar")])
def test_what_other_programs_pack_is_read(tmp_path: Path, program: tuple[str, ...]) -> None:
    if shutil.which(program[0]) is None:
        pytest.skip(f"there is no {program[0]} here")
    for name, content in FILES.items():
        path = tmp_path / "pbx1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    subprocess.run([*program, "-czf", "pbx1.tar.gz", "./pbx1"], cwd=tmp_path, check=True)
    assert read_archive(tmp_path / "pbx1.tar.gz") == {f"pbx1/{name}": content for name, content in FILES.items()}


_PARTS = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60).filter(
    lambda part: part not in (".", "..")
)
_NAMES = st.lists(_PARTS, min_size=1, max_size=4).map("/".join).filter(lambda name: len(name) <= 255)


@given(files=st.dictionaries(_NAMES, st.binary(max_size=1500), max_size=4))
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_any_files_are_read_back(read: Read, form: int, files: dict[str, bytes]) -> None:
    assert read(tar_of(files, form)) == files


def test_an_archive_cut_at_any_byte_is_an_error(tmp_path: Path) -> None:
    packed = gzip.compress(tar_of(FILES), mtime=0)
    path = tmp_path / "cut.tar.gz"
    for length in range(len(packed)):
        path.write_bytes(packed[:length])
        with pytest.raises(EvidenceError, match=r"cut\.tar\.gz: is no sound \.tar\.gz"):
            read_archive(path)


def test_a_tar_cut_before_it_was_packed_is_an_error(read: Read) -> None:
    """Between two members nothing but the missing end shows it."""
    tar = tar_of(dict.fromkeys("abc", b"x"), tarfile.USTAR_FORMAT)
    assert tar[3 * 1024 :].strip(b"\0") == b""
    for length in range(0, 3 * 1024 + 513, 256):
        with pytest.raises(EvidenceError):
            read(tar[:length])


@given(position=st.integers(0, 511), byte=st.binary(min_size=1, max_size=1), member=st.integers(0, 2))
def test_a_damaged_header_never_ends_the_archive_early(read: Read, position: int, byte: bytes, member: int) -> None:
    tar = bytearray(tar_of({"a": b"1", "b": b"2", "c": b"3"}, tarfile.USTAR_FORMAT))
    at = member * 1024 + position
    tar[at : at + 1] = byte
    try:
        files = read(bytes(tar))
    except EvidenceError:
        return
    assert files == {"a": b"1", "b": b"2", "c": b"3"}


def _sparse() -> bytes:
    content = b"22 GNU.sparse.major=1\n"
    return plain("x", tarfile.XHDTYPE, content) + plain("sparse", content=b"1\n0\n1\n" + bytes(506))


def _negative() -> bytes:
    header = bytearray(plain("x"))
    header[124:136] = b"\xff" * 10 + b"\xfe\0"
    return signed(header)


def _huge() -> bytes:
    header = bytearray(plain("x"))
    header[124:136] = b"\x80" + b"\xff" * 11
    return signed(header)


HOSTILE = {
    "parent folder": plain("../x"),
    "parent folder inside": plain("a/../../x"),
    "absolute": plain("/etc/passwd"),
    "no name": plain(""),
    "dot": plain("."),
    "long name": plain("a" * 300),
    "symbolic link": plain("x", tarfile.SYMTYPE, target="/etc/shadow"),
    "long symbolic link": plain("x", tarfile.SYMTYPE, target="/etc/shadow" * 20),
    "hard link": plain("x", tarfile.LNKTYPE, target="a"),
    "character device": plain("x", tarfile.CHRTYPE),
    "block device": plain("x", tarfile.BLKTYPE),
    "named pipe": plain("x", tarfile.FIFOTYPE),
    "unknown kind": plain("x", b"Z"),
    "the same name twice": plain("x", content=b"1") + plain("./x", content=b"2"),
    "sparse": _sparse(),
    "old sparse": plain("x", b"S"),
    "negative size": _negative(),
    "size beyond everything": _huge(),
    "size beyond the end": plain("x", size=5000),
    "pax: path with NUL": plain("x", tarfile.XHDTYPE, b"12 path=a\0b\n") + plain("y"),
    "pax: absolute path": plain("x", tarfile.XHDTYPE, b"11 path=/a\n") + plain("y"),
    "pax: size is no number": plain("x", tarfile.XHDTYPE, b"11 size=-1\n") + plain("y"),
    "pax: length too long": plain("x", tarfile.XHDTYPE, b"99 path=a\n") + plain("y"),
    "pax: length too short": plain("x", tarfile.XHDTYPE, b"1 path=a\n") + plain("y"),
    "pax: no length": plain("x", tarfile.XHDTYPE, b"path=a\n") + plain("y"),
    "pax: zero length": plain("x", tarfile.XHDTYPE, b"0 path=a\n") + plain("y"),
    "pax: no newline": plain("x", tarfile.XHDTYPE, b"9 path=ab") + plain("y"),
    "pax: not alone": plain("x", tarfile.XHDTYPE, b"10 path=a\n"),
    "pax: a path for all": plain("x", tarfile.XGLTYPE, b"10 path=a\n") + plain("y"),
    "long name of nothing": plain("x", tarfile.GNUTYPE_LONGNAME, b"name\0"),
    "chained headers": plain("x", tarfile.GNUTYPE_LONGNAME, b"a") * 20_000,
    "header of digits": plain("x", tarfile.XHDTYPE, b"1" * 60_000) + plain("y"),
    "endless header": plain("x", tarfile.XHDTYPE, b"70000 comment=" + b"x" * 69_985 + b"\n") + plain("y"),
    "number with letters": signed(bytearray(plain("x")[:124] + b"12x45678901\0" + plain("x")[136:])),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_is_an_error_at_once(read: Read, what: str) -> None:
    began = time.monotonic()
    with pytest.raises(EvidenceError) as caught:
        read(plain("a", content=b"sound") + HOSTILE[what] + END)
    assert time.monotonic() - began < 5
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("tail", [b"", bytes(512), bytes(1024) + b"x", plain("x")[:300]])
def test_an_archive_without_a_clean_end_is_an_error(read: Read, tail: bytes) -> None:
    assert read(plain("a") + END) == {"a": b""}
    with pytest.raises(EvidenceError, match="cut short"):
        read(plain("a") + tail)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x1f\x8b",
        b"PK\x03\x04zip",
        tar_of(FILES),
        gzip.compress(b"not a tar" * 99, mtime=0),
        gzip.compress(b"", mtime=0),
    ],
    ids=["nothing", "half a magic", "zip", "tar alone", "no tar inside", "nothing inside"],
)
def test_what_is_no_tar_gz_is_an_error(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(packed)
    with pytest.raises(EvidenceError, match=r"x\.tgz: is no sound"):
        read_archive(path)


def test_nothing_may_follow_the_packed_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.tgz"
    packed = gzip.compress(tar_of(FILES), mtime=0)
    path.write_bytes(packed + bytes(512))
    assert read_archive(path) == FILES
    for more in (b"junk", gzip.compress(tar_of({"manifest.json": b"{}"}), mtime=0)):
        path.write_bytes(packed + more)
        with pytest.raises(EvidenceError, match="something follows its end"):
            read_archive(path)


def test_a_bomb_is_not_unpacked(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "UNPACKED_LIMIT", 1 << 20)
    with pytest.raises(EvidenceError, match="unpacks to more than 1048576 bytes"):
        read(plain("a", content=bytes(2 << 20)) + END)


def test_files_are_limited_in_size_and_number(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "FILE_LIMIT", 1000)
    monkeypatch.setattr(archive, "MEMBER_LIMIT", 2)
    assert len(read(plain("folder/", tarfile.DIRTYPE) * 9 + plain("a", content=bytes(1000)) + plain("b") + END)) == 2
    for tar in (plain("a", content=bytes(1001)), plain("a") + plain("b") + plain("c")):
        with pytest.raises(EvidenceError, match="too large, or one file too many"):
            read(tar + END)


@given(st.binary(max_size=3000))
def test_any_bytes_are_files_or_an_error(read: Read, data: bytes) -> None:
    try:
        files = read(data)
    except EvidenceError:
        return
    assert sum(map(len, files.values())) <= len(data)


@pytest.mark.parametrize(
    "name", ["", ".", "/", "/a", "..", "a/..", "a/../b", "./a", "a/", "a//b", "a/./b", "a\0", "a" * 256]
)
def test_a_name_that_is_no_plain_path_below_the_bundle_is_refused(name: str) -> None:
    with pytest.raises(EvidenceError, match="no name for a file"):
        check_name(name)


@pytest.mark.parametrize("name", ["ss.txt", "etc/iptables/rules.v4", "..a", "a..", "a b,c%20", "ü", "a" * 255])
def test_a_plain_path_is_a_name(name: str) -> None:
    check_name(name)
