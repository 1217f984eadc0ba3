"""Runs exchanges where they are to be run: in this process, or on a host that has a POSIX shell and python3."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from typing import Final, Protocol

from callgate.endpoint import prober
from callgate.endpoint.exchange import Exchange, Observation, exchanges_to_json, observations_from_json
from callgate.errors import CollectionError, NotDetermined

COMMAND: Final = "python3 -I -c %s %s"
"""-I keeps modules of the working directory and the environment of the vantage out of it."""
MAXIMUM_COMMAND: Final = 96 * 1024
"""Back ends hand the whole command to a shell as one argument, and Linux allows 128 KiB in one (execve(2),
MAX_ARG_STRLEN); the rest is room for what they wrap around it."""
MAXIMUM_BATCH: Final = 2 * prober.AT_ONCE
"""Exchanges in one call, so that its time and its output stay bounded."""
MAXIMUM_OUTPUT: Final = MAXIMUM_BATCH * 320 * 1024
MAXIMUM_REASON: Final = 200


class CommandOutput(Protocol):
    """What a command on a host left behind."""

    @property
    def rc(self) -> int: ...  # noqa: D102
    @property
    def stdout_bytes(self) -> bytes: ...  # noqa: D102
    @property
    def stderr_bytes(self) -> bytes: ...  # noqa: D102


class VantageHost(Protocol):
    """A host commands can be run on, like testinfra's `Host`; `%s` in the command become quoted arguments."""

    def run(self, command: str, *args: str) -> CommandOutput: ...  # noqa: D102


def run_here(exchanges: Iterable[Exchange]) -> list[Observation]:
    """Do the exchanges from this machine, many at once; one observation for each, in order."""
    asked = list(exchanges)
    return [Observation.from_json(seen) for seen in prober.run([exchange.as_json() for exchange in asked])]


def run_through(host: VantageHost, exchanges: Iterable[Exchange], *, name: str | None = None) -> list[Observation]:
    """Do the exchanges from a vantage host; one observation for each, in order.

    The prober's source travels as an argument and nothing is left behind on the host. `name` names the host in
    errors (default: its repr). Raises CollectionError, which is a NotDetermined, if the host cannot be reached,
    has no usable python3, or prints anything but the observations.
    """
    vantage = repr(host) if name is None else name
    source = prober_source()
    observations: list[Observation] = []
    for batch in _batches(source, exchanges):
        observations += observations_of(_output(host, vantage, source, exchanges_to_json(batch)), batch, vantage)
    return observations


def prober_source() -> str:
    """The prober's own text, to be run by `python3 -c`."""
    return resources.files("callgate.endpoint").joinpath("prober.py").read_text(encoding="ascii")


def observations_of(output: bytes, batch: Sequence[Exchange], vantage: str) -> list[Observation]:
    """Read what the prober printed on a vantage; CollectionError naming the vantage if it is not that."""
    text = output.strip()
    if not text:
        raise CollectionError(vantage, "the prober printed nothing")
    if not text.startswith(b"["):
        raise CollectionError(
            vantage, f"text stands before the observations (a login banner?): {_shown(text.splitlines()[0])}"
        )
    try:
        return observations_from_json(text, batch)
    except NotDetermined as error:
        raise CollectionError(vantage, str(error)) from None


def _batches(source: str, exchanges: Iterable[Exchange]) -> Iterator[list[Exchange]]:
    room = MAXIMUM_COMMAND - len(shlex.quote(source))
    batch: list[Exchange] = []
    size = 0
    for exchange in exchanges:
        more = len(exchanges_to_json([exchange]))
        if batch and (len(batch) == MAXIMUM_BATCH or size + more > room):
            yield batch
            batch, size = [], 0
        batch.append(exchange)
        size += more
    if batch:
        yield batch


def _output(host: VantageHost, vantage: str, source: str, exchanges: str) -> bytes:
    try:
        done = host.run(COMMAND, source, exchanges)
        code, output, complaint = done.rc, done.stdout_bytes, done.stderr_bytes
    except Exception as error:  # back ends raise what they like: RuntimeError, OSError, AssertionError ...
        # testinfra's ssh raises the whole result, with our source in it: what ssh said is enough.
        said = getattr(error.args[0] if error.args else None, "stderr_bytes", None)
        reason = said if isinstance(said, bytes) else f"{type(error).__name__}: {error}".encode("utf-8", "replace")
        raise CollectionError(vantage, f"the prober could not be started: {_shown(reason)}") from error
    if code == 127:
        raise CollectionError(vantage, f"python3 is not there: {_shown(complaint)}")
    if code != 0:
        raise CollectionError(vantage, f"the prober ended with {code}: {_shown(complaint)}")
    if len(output) > MAXIMUM_OUTPUT:
        raise CollectionError(vantage, f"the prober printed more than {MAXIMUM_OUTPUT} bytes")
    return output


def _shown(text: bytes) -> str:
    """The last line of a text, printable and short: Python names an error there."""
    lines = text[-4096:].decode("utf-8", "replace").splitlines()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
    return ascii(last)[1:-1][:MAXIMUM_REASON]
