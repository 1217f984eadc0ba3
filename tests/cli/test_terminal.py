"""Terminal manners: colour and movement on a terminal only, and only where they are wanted."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

import callgate

BUNDLES = Path(__file__).parents[1] / "data" / "bundles"


def on_a_terminal(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run `callgate` with a terminal for stdout and stderr; its exit code and all it wrote."""
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM", "COLUMNS", "CI")}
    environment = {
        **kept,
        "TERM": "xterm-256color",
        "PYTHONPATH": str(Path(callgate.__file__).parents[1]),
        **environment,
    }
    near, far = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "callgate", *arguments], stdin=far, stdout=far, stderr=far, env=environment
    )
    os.close(far)
    written = b""
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if select.select([near], [], [], 0.2)[0]:
                try:
                    chunk = os.read(near, 65536)
                except OSError:  # the other end is closed: EIO
                    break
                written += chunk
            elif process.poll() is not None:
                break
        return process.wait(10), written.decode()
    finally:
        process.kill()
        os.close(near)


@pytest.fixture(scope="module")
def host() -> str:
    return f"bundle://{BUNDLES / 'boot03-missing-ipset'}"


def test_terminal_gets_colour_and_a_bar_that_goes_away(host: str) -> None:
    code, text = on_a_terminal("audit", host)
    assert code == 1
    assert "\x1b[31mfail" in text
    assert "collecting" in text
    assert "collecting" not in text.split("\x1b[2K")[-1]


def test_no_color_is_heeded(host: str) -> None:
    code, text = on_a_terminal("audit", host, NO_COLOR="1")
    assert code == 1
    assert "\x1b[31m" not in text
    assert "fail    EXP-01" in text


@pytest.mark.parametrize("quiet", ["-q", "--quiet"])
def test_quiet_shows_no_bar(host: str, quiet: str) -> None:
    _, text = on_a_terminal("audit", host, quiet)
    assert "collecting" not in text


def test_dumb_terminal_gets_plain_text(host: str) -> None:
    _, text = on_a_terminal("audit", host, TERM="dumb")
    assert "\x1b[" not in text
