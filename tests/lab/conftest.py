"""The lab's fixtures, and Python programs run beside the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import callgate
from callgate.lab.pytest_fixtures import lab, pbx_lab, require_tool

__all__ = ["lab", "pbx_lab"]

SOURCE = str(Path(callgate.__file__).parents[1])

Script = Callable[..., subprocess.CompletedProcess[str]]
"""Takes the program's text, and the words of a command to run it behind."""


def run_python(script: str, *before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env={**os.environ, "PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": "/tmp"},
        cwd="/",
    )


@pytest.fixture
def script() -> Script:
    """Run Python in a process of its own, as this user."""
    return run_python


@pytest.fixture
def unprivileged() -> Script:
    """Run Python in a process of its own, as an ordinary user: `nobody` when this one is root."""
    if os.geteuid() != 0:
        return run_python
    nobody = (require_tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups")
    if run_python("import callgate", *nobody).returncode != 0:
        pytest.skip("user 65534 cannot read this checkout or its Python, or this user namespace has no such user")
    return lambda text, *before: run_python(text, *nobody, *before)


@pytest.fixture
def powerless() -> Script:
    """Run Python where nothing is allowed: without capabilities, and with no user namespaces left to make."""
    require_tool("setpriv")
    drop = "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --no-new-privs --bounding-set=-all"
    before = ("unshare", "--user", "--map-root-user", "sh", "-c", f'{drop} --inh-caps=-all -- "$@"', "sh")
    if run_python("", *before).returncode != 0:
        pytest.skip("no user namespaces here")
    return lambda text: run_python(text, *before)
