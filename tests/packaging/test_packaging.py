"""Wheel, clone and editable install carry the same checks and baselines."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.packaging


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "PYTHONPATH"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the project as git has them, or as they lie where there is no git: a clone."""
    if not (ROOT / ".git").exists():
        return ROOT
    clone = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes((ROOT / name).read_bytes())
    return clone


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without a download: hatchling is here already."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source, cwd=source)
    return next(out.glob("*.whl"))


def environment(folder: Path) -> Path:
    """A virtual environment that sees this one's dependencies, but not this one's callgate."""
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    import click

    borrowed = Path(click.__file__).parents[1]
    for entry in borrowed.iterdir():
        if "callgate" not in entry.name and not (site / entry.name).exists():
            (site / entry.name).symlink_to(entry)
    return python


def collected(output: str) -> list[str]:
    """The checks that pytest lists, as file and test, wherever they lie."""
    return sorted(line.rpartition("/")[2] for line in output.splitlines() if "::" in line)


COLLECT = ("-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "--hosts=local://")


@pytest.fixture(scope="module")
def of_clone(source: Path) -> list[str]:
    return collected(run(sys.executable, *COLLECT, "checks/", cwd=source))


def test_wheel_collects_what_the_clone_collects(wheel: Path, of_clone: list[str], tmp_path: Path) -> None:
    python = environment(tmp_path / "venv")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    (tmp_path / "empty").mkdir()
    listed = run(python, *COLLECT, "--pyargs", "callgate.checks", cwd=tmp_path / "empty")
    assert of_clone
    assert collected(listed) == of_clone
    names = run(python, "-m", "callgate", "baseline", "list", cwd=tmp_path / "empty")
    assert "voip-core" in names
    audit = subprocess.run(
        [python, "-m", "callgate", "audit", "--json", "-"], cwd=tmp_path / "empty", capture_output=True, timeout=60
    )
    assert audit.returncode in (0, 1, 3)
    assert b'"EXP-01"' in audit.stdout
    assert list((tmp_path / "empty").iterdir()) == []


def test_editable_install_collects_what_the_clone_collects(source: Path, of_clone: list[str], tmp_path: Path) -> None:
    python = environment(tmp_path / "venv")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", "--no-build-isolation", "-e", source, cwd=tmp_path)
    assert collected(run(python, *COLLECT, source / "checks", cwd=tmp_path)) == of_clone


def test_wheel_holds_the_package_the_checks_and_the_baselines_alone(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names}
    assert tops == {"callgate", next(name.split("/")[0] for name in names if ".dist-info/" in name)}
    assert {f"callgate/checks/test_{family}.py" for family in ("answers", "exposure", "listeners")} <= names
    assert "callgate/baselines/voip-core.yaml" in names
    assert "callgate/evidence/collect.sh" in names
    assert "callgate/py.typed" in names


def test_sdist_holds_the_tests(wheel: Path) -> None:
    with tarfile.open(next(wheel.parent.glob("*.tar.gz"))) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {"pyproject.toml", "conftest.py", "tests/conftest.py", "checks/__init__.py"} <= names
