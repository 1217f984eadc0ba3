"""Where the recorded hosts are, and listeners to be told apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from callgate.evidence.listener import Listener

DATA = Path(__file__).parents[1] / "data"

Told = tuple[str, int, str, bool]
"""Transport, port, binding in words, and whether only the host itself gets there."""


@pytest.fixture(scope="session")
def sockets() -> Path:
    """What ss, netstat and /proc/net print for the same 15 sockets."""
    return DATA / "sockets"


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Hosts without manifest, a folder each."""
    return DATA / "bundles"


@pytest.fixture(scope="session")
def told() -> Callable[[Listener], Told]:
    """What a report would say of a listener."""
    return lambda one: (one.transport, one.port, one.binding, one.loopback)
