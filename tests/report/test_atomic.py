from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import pytest

from callgate.errors import UsageMistake
from callgate.report.atomic import write_atomically


def test_a_new_file_holds_the_data_under_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    old = os.umask(0o027)
    try:
        write_atomically(path, b"new")
    finally:
        os.umask(old)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.xml"]


def test_an_old_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(b"a longer old file")
    path.chmod(0o604)
    inode = path.stat().st_ino
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert path.stat().st_ino != inode


def test_a_failed_rename_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(UsageMistake, match=r"report\.xml: cannot be written: No space left on device$"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.xml"]


def test_an_interrupt_keeps_the_old_file_and_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(b"old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.xml"]


def run(code: str, *arguments: str, stdout: int | IO[bytes] | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        stdout=stdout,
        timeout=60,
        check=False,
    )


def test_a_crash_before_the_rename_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(b"old")
    code = (
        "import os, sys; from pathlib import Path; from callgate.report.atomic import write_atomically\n"
        "os.replace = lambda *_: os._exit(9)\n"
        "write_atomically(Path(sys.argv[1]), b'new')"
    )
    assert run(code, str(path)).returncode == 9
    assert path.read_bytes() == b"old"


WRITE_STDOUT = (
    "import sys; from pathlib import Path; from callgate.report.atomic import write_atomically\n"
    "print('before'); write_atomically(Path(sys.argv[1]), b'data\\n'); print('after')"
)


def test_standard_output_in_a_pipe_takes_the_data_in_order() -> None:
    assert run(WRITE_STDOUT, "/dev/stdout", stdout=subprocess.PIPE).stdout == b"before\ndata\nafter\n"


def test_standard_output_in_a_file_keeps_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb") as file:
        assert run(WRITE_STDOUT, "/dev/stdout", stdout=file).returncode == 0
    assert path.read_bytes() == b"before\ndata\nafter\n"


def test_a_device_is_written_to_and_stays_a_device() -> None:
    before = os.stat("/dev/null")
    write_atomically(Path("/dev/null"), b"data")
    assert os.path.samestat(before, os.stat("/dev/null"))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_named_pipe_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    taken: list[bytes] = []
    reader = threading.Thread(target=lambda: taken.append(path.read_bytes()), daemon=True)
    reader.start()
    write_atomically(path, b"data")
    reader.join(timeout=10)
    assert taken == [b"data"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "report.xml", tmp_path / "latest.xml"
    link.symlink_to(target)
    write_atomically(link, b"first")  # the link still dangles
    write_atomically(link, b"second")
    assert link.is_symlink()
    assert target.read_bytes() == b"second"
    assert [entry.name for entry in target.parent.iterdir()] == ["report.xml"]


def test_a_descriptor_of_a_removed_file_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "gone"
    with path.open("w+b") as file:
        path.unlink()
        write_atomically(Path(f"/proc/self/fd/{file.fileno()}"), b"data")
        assert file.read() == b"data"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none/report.xml", "the folder {0}/none does not exist"),
        ("file/report.xml", "Not a directory"),
        ("folder", "it is a folder"),
        ("loop", "Too many levels of symbolic links"),
        ("x" * 300, "File name too long"),
        ("nul\x00", "not a file name"),
        ("no-byte-\ud800", "not a file name"),
    ],
)
def test_a_path_that_cannot_be_is_a_usage_mistake_in_one_line(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(entry.name for entry in tmp_path.iterdir())
    with pytest.raises(UsageMistake) as caught:
        write_atomically(tmp_path / name, b"new")
    assert str(caught.value).endswith(f"cannot be written: {reason.format(tmp_path)}")
    assert len(str(caught.value).splitlines()) == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == before


def test_a_folder_that_refuses_is_a_usage_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # root, who may run the tests, is refused nothing by mode bits
    with pytest.raises(UsageMistake, match=r"cannot be written: Permission denied$"):
        write_atomically(tmp_path / "report.xml", b"new")
