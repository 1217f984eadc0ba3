"""Attempts on loopback in bounded time, and how they ended."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import Any, TypeVar

import pytest

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.network import TransportAddress

Serve = Callable[..., int]
Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result], seconds: float = 15) -> Result:
    async def bounded() -> Result:
        async with asyncio.timeout(seconds):
            return await work

    result = asyncio.run(bounded())
    gc.collect()  # a socket left open is now reported by its ResourceWarning, which fails the test
    return result


def at(host: str, port: int) -> TransportAddress:
    return TransportAddress(ip_address(host), port)


async def ending_of(work: Coroutine[Any, Any, object]) -> tuple[Ending, str]:
    with pytest.raises(AttemptFailed) as failed:
        await work
    return failed.value.ending, failed.value.text


def echo(connection: socket.socket) -> None:
    while data := connection.recv(65536):
        connection.sendall(data)
