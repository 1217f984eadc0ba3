"""Collects the evidence of hosts: one script, one round trip each, several hosts at once."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import resources

from testinfra.backend.base import CommandResult
from testinfra.host import Host

from callgate import __version__
from callgate.errors import CallgateError, CollectionError, ProtocolError
from callgate.evidence.backends import BundleBackend, host_key
from callgate.evidence.bundle import Bundle, bundle_of, read_bundle
from callgate.evidence.stream import read_stream

COMMAND_SECONDS = 20
"""How long the script lets one command on the host take."""
HOST_SECONDS = 180
"""How long a host may take in all before it counts as unreachable."""
AT_ONCE = 16
"""Hosts that are collected at the same time."""

Progress = Callable[[str, Bundle | CollectionError], None]
"""Called with a host's key as soon as that host is done."""


def script() -> str:
    """The POSIX shell script that is run on a host."""
    return resources.files("callgate.evidence").joinpath("collect.sh").read_text()


def collect(host: Host, command_seconds: int = COMMAND_SECONDS) -> Bundle:
    """Collect one host in one round trip; for `bundle://` read the bundle.

    Raises CollectionError when the host cannot be reached or what came back is not what the script prints.
    """
    key = host_key(host)
    try:
        if isinstance(host.backend, BundleBackend):
            return read_bundle(host.backend.path)
        result = host.run("CALLGATE_SECONDS=%s sh -c %s", str(command_seconds), script())
        taken = read_stream(result.stdout_bytes)
        return bundle_of(key, datetime.now(UTC).replace(microsecond=0), __version__, taken)
    except ProtocolError as error:
        said = _last_line(result.stderr_bytes)
        raise CollectionError(key, f"{error}{f'; the host says: {said}' if said else ''}") from None
    except CallgateError as error:
        raise CollectionError(key, str(error)) from None
    except Exception as error:  # back ends raise RuntimeError, OSError, their libraries' own
        raise CollectionError(key, _reason(error)) from None


def collect_all(
    hosts: Mapping[str, Host], progress: Progress | None = None, host_seconds: float = HOST_SECONDS
) -> dict[str, Bundle | CollectionError]:
    """Collect several hosts at once, by key. A host that does not answer in time becomes a CollectionError."""
    results: dict[str, Bundle | CollectionError] = {}
    for key, result in _concurrently(hosts.items(), host_seconds):
        results[key] = result
        if progress:
            progress(key, result)
    return {key: results[key] for key in hosts}


def _concurrently(
    hosts: Iterable[tuple[str, Host]], host_seconds: float
) -> Iterator[tuple[str, Bundle | CollectionError]]:
    """Yield each host's result as it comes.

    The threads are daemons: one that hangs in a back end without time limit must not hold up the exit.
    """
    waiting = list(hosts)
    running: dict[str, float] = {}
    done: queue.SimpleQueue[tuple[str, Bundle | CollectionError]] = queue.SimpleQueue()

    def work(key: str, host: Host) -> None:
        try:
            done.put((key, collect(host)))
        except CollectionError as error:
            done.put((key, error))
        except Exception as error:  # a thread that dies silently would be waited for
            done.put((key, CollectionError(key, _reason(error))))

    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            key, host = waiting.pop(0)
            running[key] = time.monotonic() + host_seconds
            threading.Thread(target=work, args=(key, host), daemon=True).start()
        try:
            key, result = done.get(timeout=max(0.05, min(running.values()) - time.monotonic()))
        except queue.Empty:
            now = time.monotonic()
            for late in [key for key, deadline in running.items() if deadline <= now]:
                del running[late]
                yield late, CollectionError(late, f"did not answer within {host_seconds:g} seconds")
            continue
        if running.pop(key, None) is not None:
            yield key, result


def _reason(error: Exception) -> str:
    """One line for what a back end raised; testinfra's ssh raises RuntimeError with the command's result."""
    result = error.args[0] if error.args else None
    if isinstance(result, CommandResult):
        said = _last_line(result.stderr_bytes) or "no reason given"
        return f"cannot be reached (exit code {result.rc}): {said}"
    text = " ".join(str(error).split())[:300]
    return f"cannot be reached: {text or type(error).__name__}"


def _last_line(data: bytes) -> str:
    """The last line of a complaint: ssh and sudo put the reason last."""
    lines = [line for line in data.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""
