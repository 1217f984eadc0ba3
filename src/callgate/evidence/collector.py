"""Collects the evidence of hosts: one script, one round trip each, several hosts at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib import resources

from testinfra.backend.base import CommandResult
from testinfra.host import Host

from callgate import __version__
from callgate.errors import CallgateError, CollectionError, ProtocolError
from callgate.evidence.backends import BundleBackend, host_key
from callgate.evidence.bundle import Bundle, bundle_of, read_bundle
from callgate.evidence.deadline import each_within
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
    jobs = {key: partial(collect, host) for key, host in hosts.items()}
    for key, got in each_within(host_seconds, jobs, AT_ONCE):
        if isinstance(got, TimeoutError):
            results[key] = CollectionError(key, str(got))
        elif isinstance(got, Exception):
            results[key] = got if isinstance(got, CollectionError) else CollectionError(key, _reason(got))
        else:
            results[key] = got
        if progress:
            progress(key, results[key])
    return {key: results[key] for key in hosts}


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
