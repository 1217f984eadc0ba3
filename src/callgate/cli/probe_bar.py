"""The progress bar of `callgate probe`; on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text


class ProbeBar:
    """A bar on stderr, and lines above it."""

    def __init__(self, bar: Progress, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("probing", total=total)

    def advance(self) -> None:
        """One more is done."""
        self._bar.advance(self._task)

    def above(self, lines: str) -> None:
        """Print lines on the terminal, as they are, without breaking the bar."""
        self._bar.console.print(Text(lines.removesuffix("\n")), soft_wrap=True)


@contextmanager
def probing(total: int) -> Iterator[ProbeBar]:
    """Show a bar until the block ends."""
    bar = Progress(
        TextColumn("probing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        transient=True,
        redirect_stdout=False,  # what goes into a pipe is not the terminal's
        redirect_stderr=False,
    )
    with bar:
        yield ProbeBar(bar, total)
