"""Reading up to where a capture is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from callgate.errors import CaptureError

Item = TypeVar("Item")


def until_damage(items: Iterator[Item]) -> tuple[list[Item], CaptureError | None]:
    """All items, and the error that ended them; None where they ended well."""
    found: list[Item] = []
    try:
        for item in items:
            found.append(item)  # noqa: PERF402 - they are kept when the iterator raises
    except CaptureError as error:
        return found, error
    return found, None
