"""`callgate lab`: the story, and a lab kept in one terminal for use in another."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from callgate.lab.availability import lab_unavailable
from callgate.lab.pytest_fixtures import require, require_tool

pytestmark = pytest.mark.lab

CALLGATE = [sys.executable, "-m", "callgate"]


def test_demo_tells_the_story_to_its_end() -> None:
    require(lab_unavailable())
    require_tool("iptables")
    require_tool("kamailio")
    done = subprocess.run([*CALLGATE, "lab", "demo"], capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "iptables -A INPUT -p udp --dport 5060 -j DROP" in done.stdout
    assert "SCCP is 2000/tcp: still open" in done.stdout
    assert done.stdout.splitlines()[-1] == "Closed to strangers, open to the phones."


def test_lab_stays_up_until_it_is_taken_down(tmp_path: Path) -> None:
    require(lab_unavailable())
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    kept = subprocess.Popen(
        [*CALLGATE, "lab", "up", "--minutes", "2"], stdout=subprocess.PIPE, encoding="utf-8", env=environment
    )
    try:
        assert kept.stdout is not None
        said = ""
        while "end it with" not in said:
            line = kept.stdout.readline()
            assert line, said
            said += line
        found = re.search(r"callgate audit (nsenter://\d+) --site (\S+)", said)
        assert found, said
        audit = [*CALLGATE, "audit", found[1], "--site", found[2], "-q"]
        assert subprocess.run(audit, capture_output=True, timeout=60).returncode == 1
        printed = re.search(r"callgate (phone call .* --device .*)", said)
        assert printed, said
        call = [*CALLGATE, *shlex.split(printed[1]), "--seconds", "0.5"]
        done = subprocess.run(call, capture_output=True, encoding="utf-8", timeout=60)
        assert done.stdout.startswith("done: call with 600, 0.5 s, audio both ways\n"), done.stdout + done.stderr
        down = [*CALLGATE, "lab", "down"]
        marker = tmp_path / f"callgate-lab-{os.getuid()}" / str(kept.pid)
        deadline = time.monotonic() + 5
        while not marker.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        done = subprocess.run(down, capture_output=True, encoding="utf-8", timeout=30, env=environment)
        assert done.stdout == "1 lab told to end\n"
        assert kept.wait(20) == 0
        assert not Path(found[2]).exists()
        done = subprocess.run(down, capture_output=True, encoding="utf-8", timeout=30, env=environment)
        assert done.stdout == "0 labs told to end\n"
    finally:
        if kept.poll() is None:
            kept.send_signal(signal.SIGKILL)
        kept.communicate()
