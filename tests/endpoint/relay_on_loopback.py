"""A relay that runs on this machine, and what is asked of it."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from ipaddress import ip_address
from typing import Any, TypeVar

from tests.endpoint import loopback_endings

from callgate.endpoint.network import TransportAddress
from callgate.endpoint.relay.network import relay_source

Result = TypeVar("Result")
RELAY = [sys.executable, "-I", "-c", relay_source(), "60"]
NOWHERE = TransportAddress(ip_address("192.0.2.1"), 2000)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """With time for a Python that starts."""
    return loopback_endings.run(work, seconds=20)
