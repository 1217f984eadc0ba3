from __future__ import annotations

import os
import socket
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callgate.errors import EvidenceError, UsageMistake
from callgate.evidence import bundle as bundle_module
from callgate.evidence.bundle import MANIFEST, Bundle, bundle_of, read_bundle, write_bundle
from callgate.evidence.stream import FileState, Taken

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TAKEN = tuple(
    Taken(file, f"show {file}", FileState.COLLECTED, 0, output, "")
    for file, output in (
        ("ss.txt", b"tcp LISTEN 0 5 *:22 *:*\n"),
        ("etc/iptables/rules.v4", b"*filter\nCOMMIT\n"),
        ("empty.txt", b""),
        ("latin.txt", b"caf\xe9\n"),
    )
)


@pytest.fixture
def sound() -> Bundle:
    return bundle_of("ssh://pbx1", NOON, "1.2.3", TAKEN)


@pytest.fixture
def readable_by_all() -> Iterator[Path]:
    """A folder every user can get to, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_what_is_written_is_read_back(sound: Bundle, tmp_path: Path) -> None:
    write_bundle(sound, tmp_path / "new" / "pbx1")
    again = read_bundle(tmp_path / "new" / "pbx1")
    assert again.manifest == sound.manifest
    assert {name: again.read(name) for name in again.names() if name != MANIFEST} == {
        one.file: one.output for one in TAKEN if one.state is FileState.COLLECTED
    }
    assert again.text("latin.txt") == "caf\\xe9\n"


@pytest.mark.parametrize("top", ["", "pbx1"])
def test_an_archive_of_it_is_the_same_with_and_without_a_folder_on_top(sound: Bundle, tmp_path: Path, top: str) -> None:
    write_bundle(sound, tmp_path / "pbx1")
    with tarfile.open(tmp_path / "pbx1.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "pbx1", arcname=top or ".")
    again = read_bundle(tmp_path / "pbx1.tar.gz")
    assert (again.names(), again.manifest) == (sound.names(), sound.manifest)


def test_a_folder_of_saved_rules_alone_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "nftables.conf").write_text("flush ruleset\n")
    with tarfile.open(tmp_path / "pbx1.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "etc", arcname="etc")
    assert read_bundle(tmp_path / "pbx1.tar.gz").names() == ("etc/nftables.conf",)


def test_only_the_owner_may_read_it(sound: Bundle, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_bundle(sound, tmp_path / "pbx1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "pbx1").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "pbx1").rglob("*") if path.is_file()}
    assert modes == {0o600}


def test_it_is_written_into_an_empty_folder_only(sound: Bundle, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_bundle(sound, tmp_path / "empty")
    with pytest.raises(UsageMistake, match="is not empty"):
        write_bundle(sound, tmp_path / "empty")
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageMistake, match="cannot be written: "):
            write_bundle(sound, place)


@pytest.mark.parametrize("what", ["link", "dangling", "folder link", "fifo", "socket"])
def test_a_folder_holds_plain_files_only(sound: Bundle, tmp_path: Path, what: str) -> None:
    write_bundle(sound, tmp_path / "pbx1")
    path = tmp_path / "pbx1" / "etc" / "odd"
    if what == "fifo":
        os.mkfifo(path)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        path.symlink_to({"link": "/etc/passwd", "dangling": "nowhere", "folder link": "/etc"}[what])
    began = time.monotonic()
    with pytest.raises(EvidenceError, match="etc/odd: is not a plain file"):
        read_bundle(tmp_path / "pbx1")
    assert time.monotonic() - began < 5


def test_a_folder_is_limited_in_size_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(bytes(100))
    read_bundle(tmp_path)
    for limit, value in (("FILE_LIMIT", 99), ("UNPACKED_LIMIT", 299), ("MEMBER_LIMIT", 2)):
        with monkeypatch.context() as limited:
            limited.setattr(bundle_module, limit, value)
            with pytest.raises(EvidenceError, match="too large, or one file too many"):
                read_bundle(tmp_path)


def test_a_sparse_file_is_not_read_at_all(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(EvidenceError, match="too large"):
        read_bundle(tmp_path)


def test_a_name_that_is_not_utf_8_is_shown_escaped(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9")).touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    assert read_bundle(tmp_path).names() == ("caf\\xe9",)


def test_a_folder_that_may_not_be_read_is_an_error(readable_by_all: Path) -> None:
    """Not a bundle that lacks the files in it."""
    (readable_by_all / "ss.txt").write_text("tcp LISTEN 0 5 *:22 *:*\n")
    (readable_by_all / "etc").mkdir()
    (readable_by_all / "etc" / "ss.txt").touch()
    (readable_by_all / "etc").chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(UsageMistake, match="Permission denied"):
            read_bundle(readable_by_all)
    finally:
        if root:
            os.seteuid(0)
        (readable_by_all / "etc").chmod(0o755)


def test_what_is_no_bundle_is_a_usage_mistake(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "nothing", tmp_path / "fifo", Path("a\0b")):
        with pytest.raises(UsageMistake):
            read_bundle(path)
