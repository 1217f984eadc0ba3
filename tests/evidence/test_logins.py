from __future__ import annotations

import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from callgate.errors import UsageMistake
from callgate.evidence.logins import SharedLogins


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any ssh configuration of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def logins(home: Path) -> Iterator[SharedLogins]:
    with SharedLogins() as shared:
        yield shared


def meant(config: Path, host: str = "pbx1") -> dict[str, str]:
    """What ssh would do for this host; the last of several values of an option."""
    if shutil.which("ssh") is None:
        pytest.skip("there is no ssh here")
    done = subprocess.run(["ssh", "-G", "-F", str(config), host], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return {key: value for key, _, value in (line.partition(" ") for line in done.stdout.splitlines())}


def test_ssh_accepts_it_and_shares_the_connection(logins: SharedLogins) -> None:
    config = logins.config()
    options = meant(config)
    assert options["batchmode"] == "yes"
    assert options["controlmaster"] == "auto"
    assert Path(options["controlpath"]).parent == config.parent
    assert options["controlpersist"] == "60"
    assert (options["serveraliveinterval"], options["serveralivecountmax"]) == ("5", "3")


def test_host_keys_are_checked_as_before(logins: SharedLogins) -> None:
    assert meant(logins.config())["stricthostkeychecking"] == "ask"


def test_each_host_has_a_socket_of_its_own_that_fits(logins: SharedLogins) -> None:
    config = logins.config()
    paths = {meant(config, host)["controlpath"] for host in ("pbx1", "pbx2", "admin@pbx1", "ssh://pbx1:2222")}
    assert len(paths) == 4
    # ssh appends a dot and 16 letters while it makes the socket; unix(7) allows 107 bytes.
    assert all(len(path) + 17 <= 107 for path in paths)


def test_a_long_temporary_folder_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = home / ("x" * 60)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with SharedLogins() as logins:
        assert len(meant(logins.config())["controlpath"]) + 17 <= 107
    assert list(long.iterdir()) == []


@pytest.mark.parametrize("own", [None, "given"])
def test_the_users_file_comes_first(logins: SharedLogins, home: Path, own: str | None) -> None:
    file = home / ".ssh" / "config" if own is None else home / "my config"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        "Host pbx1\n  HostName 192.0.2.1\n  User admin\n  ServerAliveInterval 99\n  BatchMode no\n"
        "Host other\n  ControlPath /elsewhere/%C\n"
    )
    config = logins.config(None if own is None else str(file))
    options = meant(config)
    assert (options["hostname"], options["user"], options["serveraliveinterval"]) == ("192.0.2.1", "admin", "99")
    assert options["batchmode"] == "yes"  # nothing may wait for an answer
    assert Path(options["controlpath"]).parent == config.parent
    assert meant(config, "other")["controlpath"].startswith("/elsewhere/")


def test_a_given_file_replaces_the_users(logins: SharedLogins, home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text("Host *\n  User of-home\n")
    (home / "given").write_text("Host *\n  Port 2222\n")
    options = meant(logins.config(str(home / "given")))
    assert options["port"] == "2222"
    assert options["user"] != "of-home"


def test_a_given_file_may_be_relative_or_below_home(
    logins: SharedLogins, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "given").write_text("Host *\n  Port 2222\n")
    monkeypatch.chdir(home)
    assert meant(logins.config("given"))["port"] == "2222"
    assert meant(logins.config("~/given"))["port"] == "2222"


def test_a_given_file_that_does_not_exist_is_a_mistake(logins: SharedLogins, home: Path) -> None:
    """ssh would connect without it, perhaps to another machine."""
    for missing in ("nothing", str(home)):
        with pytest.raises(UsageMistake, match="there is no such ssh_config file"):
            logins.config(missing)
        with pytest.raises(UsageMistake):
            logins.shared(f"ssh://pbx1?ssh_config={missing}")


def test_each_file_is_made_once_and_is_private(logins: SharedLogins, home: Path) -> None:
    (home / "given").write_text("")
    assert logins.config() == logins.config() != logins.config(str(home / "given"))
    assert stat.S_IMODE(logins.config().stat().st_mode) == 0o600
    assert stat.S_IMODE(logins.config().parent.stat().st_mode) == 0o700


def test_a_uri_with_an_ssh_config_shares_logins_too(logins: SharedLogins, home: Path) -> None:
    (home / "given").write_text("Host *\n  Port 2222\n")
    assert logins.shared("ssh://pbx1") == "ssh://pbx1"
    assert logins.shared("ssh://pbx1?sudo=true") == "ssh://pbx1?sudo=true"
    shared = logins.shared(f"ssh://pbx1?ssh_config={home}/given&sudo=true")
    address, _, query = shared.partition("?")
    assert address == "ssh://pbx1"
    assert query.endswith("&sudo=true")
    assert str(logins.config(f"{home}/given")) in query.replace("%2F", "/")


def test_close_removes_everything_and_may_be_called_again(home: Path) -> None:
    logins = SharedLogins()
    folder = logins.config().parent
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "stale"))
    logins.close()
    assert not folder.exists()
    logins.close()
