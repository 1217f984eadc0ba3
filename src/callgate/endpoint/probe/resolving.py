"""Host names to addresses, many at once and in bounded time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from typing import Final

from callgate.endpoint.attempt import printable
from callgate.endpoint.probe.target import Address, nobodys

LOOKUPS_AT_ONCE: Final = 16
MAXIMUM_ADDRESSES: Final = 64
"""Of one name."""

Lookup = Callable[[str], list[Address]]
"""Raises OSError when a name has no address."""


def system_lookup(name: str) -> list[Address]:
    """Every address this machine's resolver gives for a name, its own order kept."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))


def resolve(
    names: Iterable[str], *, within: float = 30.0, lookup: Lookup = system_lookup
) -> dict[str, tuple[Address, ...] | str]:
    """Look up every name; the addresses of each, or in one line why there are none.

    Takes `within` seconds at most: what the resolver has not answered by then counts as not resolved. Addresses that
    are nobody's (0.0.0.0, multicast) are left out.
    """
    asked: SimpleQueue[str] = SimpleQueue()
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        asked.put(name)
    answers: SimpleQueue[tuple[str, tuple[Address, ...] | str]] = SimpleQueue()

    def work() -> None:
        while True:
            try:
                name = asked.get_nowait()
            except Empty:
                return
            answers.put((name, _looked_up(name, lookup)))

    for _ in range(min(LOOKUPS_AT_ONCE, len(wanted))):
        # Daemons: getaddrinfo(3) cannot be stopped, and must not keep the program from ending.
        threading.Thread(target=work, daemon=True, name="lookup").start()
    deadline = time.monotonic() + within
    found: dict[str, tuple[Address, ...] | str] = {}
    while len(found) < len(wanted):
        try:
            name, answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        found[name] = answer
    return {name: found.get(name, f"the name was not resolved within {within:g} s") for name in wanted}


def _looked_up(name: str, lookup: Lookup) -> tuple[Address, ...] | str:
    try:
        addresses = lookup(name)
    except OSError as error:
        return f"the name does not resolve: {printable(error.strerror or type(error).__name__)}"
    except ValueError as error:  # UnicodeError: a label the resolver's own encoding refuses
        return f"the name does not resolve: {printable(str(error))}"
    usable = tuple(address for address in addresses if nobodys(address) is None)[:MAXIMUM_ADDRESSES]
    if usable:
        return usable
    if addresses:
        return f"the name resolves to {addresses[0]}: {nobodys(addresses[0])}"
    return "the name has no address"
