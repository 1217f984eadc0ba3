"""What the baseline tests share: files in a fresh folder, and the mistakes found in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from callgate.baseline.library import load_baseline
from callgate.baseline.site import load_site, load_waivers
from callgate.errors import FileMistakes

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of this text (or these bytes) and gives its path."""

    def file(content: str | bytes, name: str = "file.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return file


@pytest.fixture
def site_mistakes(write: Write) -> Callable[[str | bytes], list[str]]:
    """The mistakes in a site file of this text, each as `LINE: text`."""
    return lambda content: _told(lambda: load_site(write(content)))


@pytest.fixture
def waiver_mistakes(write: Write) -> Callable[[str | bytes], list[str]]:
    """The mistakes in a waiver file of this text, each as `LINE: text`."""
    return lambda content: _told(lambda: load_waivers(write(content)))


@pytest.fixture
def baseline_mistakes(write: Write) -> Callable[[str | bytes], list[str]]:
    """The mistakes in a baseline file of this text, each as `LINE: text`."""
    return lambda content: _told(lambda: load_baseline(str(write(content))))


def _told(load: Callable[[], object]) -> list[str]:
    try:
        load()
    except FileMistakes as error:
        found = error
    else:
        return []
    assert str(found).split("\n") == [f"{one.path}:{one.line}: {one.text}" for one in found.mistakes]
    assert [one.line for one in found.mistakes] == sorted(one.line for one in found.mistakes)
    return [f"{one.line}: {one.text}" for one in found.mistakes]
