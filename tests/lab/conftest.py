"""The lab's fixtures, and Python programs run beside the test."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import callgate
from callgate.lab.pytest_fixtures import lab, pbx_lab, require_tool

__all__ = ["lab", "pbx_lab"]

SOURCE = str(Path(callgate.__file__).parents[1])

Script = Callable[..., subprocess.CompletedProcess[str]]
"""Takes the program's text, and the words of a command to run it behind."""


def run_python(
    script: str, *before: str, python: str = sys.executable, source: str = SOURCE
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, python, "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env={**os.environ, "PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": "/tmp"},
        cwd="/",
    )


@pytest.fixture
def script() -> Script:
    """Run Python in a process of its own, as this user."""
    return run_python


@pytest.fixture
def unprivileged() -> Iterator[Script]:
    """Run Python in a process of its own, as an ordinary user: `nobody` when this one is root.

    A checkout and a virtual environment made under umask 077 are closed to nobody, so it gets a copy of the package
    and the Python behind the environment.
    """
    if os.geteuid() != 0:
        yield run_python
        return
    # env(1) stands between because setpriv keeps its capabilities until it has executed one program.
    nobody = (require_tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", "env")
    with tempfile.TemporaryDirectory(dir="/tmp") as open_to_all:
        os.chmod(open_to_all, 0o755)
        shutil.copytree(Path(SOURCE) / "callgate", Path(open_to_all) / "callgate", copy_function=shutil.copyfile)
        subprocess.run(["chmod", "-R", "a+rX", open_to_all], check=True)
        for python in (os.path.realpath(sys.executable), "/usr/bin/python3"):
            run = functools.partial(run_python, python=python, source=open_to_all)
            if _starts(run, *nobody):
                yield lambda text, *before, run=run: run(text, *nobody, *before)
                return
        pytest.skip("user 65534 can execute no Python 3.11 here, or this user namespace has no such user")


def _starts(run: Script, *before: str) -> bool:
    return run("import callgate, sys; assert sys.version_info >= (3, 11)", *before).returncode == 0


@pytest.fixture
def powerless() -> Script:
    """Run Python where nothing is allowed: without capabilities, and with no user namespaces left to make."""
    require_tool("setpriv")
    drop = "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --no-new-privs --bounding-set=-all"
    before = ("unshare", "--user", "--map-root-user", "sh", "-c", f'{drop} --inh-caps=-all -- "$@"', "sh")
    if run_python("", *before).returncode != 0:
        pytest.skip("no user namespaces here")
    return lambda text: run_python(text, *before)
