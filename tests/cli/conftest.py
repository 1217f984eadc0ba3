"""Runs the command line as a user does: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import callgate

BUNDLES = Path(__file__).parents[1] / "data" / "bundles"
Callgate = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_callgate(tmp_path: Path) -> Callgate:
    """Run `callgate` in an empty folder, without a terminal."""

    def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "callgate", *arguments],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            env={**os.environ, "PYTHONPATH": str(Path(callgate.__file__).parents[1]), **(env or {})},
        )

    return run


@pytest.fixture
def bundle() -> Callable[[str], str]:
    """The HOST of a recorded bundle by name."""
    return lambda name: f"bundle://{BUNDLES / name}"
