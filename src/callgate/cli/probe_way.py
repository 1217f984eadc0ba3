"""How `callgate probe` reaches out: from this machine or a vantage, and as the scanner does."""

from __future__ import annotations

import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import NoReturn

import click
from testinfra.host import Host

from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.probe.result import Result
from callgate.endpoint.probe.scanner import DEVICE, replay
from callgate.endpoint.probe.sweep import Observe, observe_here
from callgate.endpoint.sockets import LocalNetwork
from callgate.endpoint.vantage import run_through
from callgate.errors import UsageMistake

VANTAGE_BATCH = 64
VANTAGE_BATCHES_AT_ONCE = 4
"""sshd lets 10 sessions share a connection (MaxSessions)."""
SPARE_FILES = 64


@dataclass(frozen=True, slots=True)
class Way:
    """Where exchanges begin, and how many go out together."""

    observe: Observe
    batch: int
    at_once: int
    host: Host | None
    name: str

    @asynccontextmanager
    async def network(self) -> AsyncIterator[Network]:
        """Sockets that are opened there. Raises NotDetermined when the vantage cannot be used."""
        if self.host is None:
            yield LocalNetwork()
            return
        from callgate.endpoint.relay.interactive import relay_from

        async with relay_from(self.host, self.name) as network:
            yield network


def way_from(vantage: str | None, ssh_config: str | None, rate: int, at_once: int, stack: ExitStack) -> Way:
    """This machine, or the vantage by its URI. Logins are shared until the stack is closed.

    A vantage is handed so many exchanges in one go as the rate allows in a second, 64 at most. Raises UsageMistake for
    a URI that cannot be.
    """
    if vantage is None:
        return Way(observe_here, 1, _allowed(at_once), None, "")
    import testinfra

    from callgate.evidence.backends import host_uri
    from callgate.evidence.logins import SharedLogins

    uri = host_uri(vantage)
    logins = stack.enter_context(SharedLogins())
    host = testinfra.get_host(logins.shared(uri), ssh_config=str(logins.config(ssh_config)))
    batch = max(1, min(VANTAGE_BATCH, rate, at_once))
    return Way(
        lambda exchanges: run_through(host, exchanges, name=vantage),
        batch,
        min(at_once, batch * VANTAGE_BATCHES_AT_ONCE),
        host,
        vantage,
    )


def confirm_registration(yes: bool) -> None:
    """Warn of what the scanner's exchange does, and ask. Raises UsageMistake when nobody agrees."""
    click.echo(
        f"callgate: --as-scanner registers the device {DEVICE.decode()} wherever auto-registration is on; it is "
        "unregistered at once, but the server may keep a record of it",
        err=True,
    )
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageMistake("--as-scanner needs --yes where there is no terminal to ask; nothing was sent")
    if not click.confirm("Go on?", err=True):
        raise UsageMistake("not confirmed: nothing was sent")


async def replay_each(held: deque[Result], way: Way, timeout: float | None, told: Callable[[Result], None]) -> None:
    """Do the scanner's exchange at every result's port, and tell each with what came of it; those done leave `held`.

    One after the other: the device's name is the same everywhere, and a server may drop both phones that claim one.
    """
    seconds = {} if timeout is None else {"connect_seconds": timeout, "wait_seconds": timeout}
    async with way.network() as network:
        while held:
            question = held[0].question
            remote = TransportAddress(question.address, question.port)
            outcome = await replay(network, remote, **seconds)
            told(replace(held.popleft(), replay=outcome))


def end_on_terminate() -> None:
    """Make SIGTERM an interruption, so that a device that was registered is unregistered first."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _allowed(at_once: int) -> int:
    """How many sockets this process may have open at once (ulimit -n), `at_once` at most."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = at_once + SPARE_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return at_once
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    if raised < needed:
        fewer = max(1, raised - SPARE_FILES)
        click.echo(f"callgate: {fewer} at once instead of {at_once}: the limit of open files is {hard}", err=True)
        return fewer
    return at_once
