"""The floors of the house: each imports only those below (the contract is in pyproject.toml)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EDGE = {"socket", "asyncio", "subprocess", "os", "pathlib"}
MODULES = sorted((ROOT / "src" / "callgate").rglob("*.py"))


def test_import_linter_keeps_the_contract() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


def test_every_package_stands_on_a_floor() -> None:
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for package in (ROOT / "src" / "callgate").iterdir():
        if package.is_dir() and (package / "__init__.py").exists():
            assert f"callgate.{package.name}" in contract, package.name


@pytest.mark.parametrize("package", ["sccp", "sip"])
def test_protocols_touch_neither_socket_nor_process_nor_file(package: str) -> None:
    for path in (ROOT / "src" / "callgate" / package).rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            assert not {name.split(".")[0] for name in names} & EDGE, path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_has_one_subject_and_room_for_it(path: Path) -> None:
    # The prober is shipped to other hosts as one text, so it cannot be split.
    room = 420 if path.name == "prober.py" else 400
    assert len(path.read_text(encoding="utf-8").splitlines()) <= room
    assert path.stem not in {"utils", "util", "helpers", "misc", "common"}
