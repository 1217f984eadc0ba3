"""Runs asyncio code with its sockets on a lab host: in a thread that has entered the host's network."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from callgate.lab.host import LabHost

CLONE_NEWNET: Final = 0x40000000
LIMIT: Final = 30.0
Result = TypeVar("Result")


def on_host(host: LabHost, act: Callable[[], Awaitable[Result]]) -> Result:
    """Run `act` there, LIMIT seconds at most. The thread ends with it, and the other threads stay where they are."""

    def run() -> Result:
        namespace = os.open(f"/proc/{host.pid}/ns/net", os.O_RDONLY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(namespace)
        return asyncio.run(_bounded(act))

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


async def _bounded(act: Callable[[], Awaitable[Result]]) -> Result:
    async with asyncio.timeout(LIMIT):
        return await act()
