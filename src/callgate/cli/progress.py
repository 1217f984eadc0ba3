"""A progress bar for collecting hosts; on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from callgate.errors import CollectionError
from callgate.evidence.bundle import Bundle
from callgate.evidence.collector import Progress as Report


@contextmanager
def collecting(hosts: int) -> Iterator[Report]:
    """Show a bar on stderr; what is yielded is called as each host is done."""
    bar = Progress(
        TextColumn("collecting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        # Bound now: while the checks run, sys.stderr is somebody else's.
        console=Console(file=sys.stderr),
        transient=True,
    )
    task = bar.add_task("collecting", total=hosts)

    def done(_key: str, result: Bundle | CollectionError) -> None:
        if isinstance(result, CollectionError):
            bar.console.print(Text(str(result)))
        bar.advance(task)

    with bar:
        yield done
