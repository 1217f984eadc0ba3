"""The way to the host of a change: each command over a connection of its own.

An established flow passes rules that lock new ones out, so a login that is shared, or kept, would prove nothing.
"""

from __future__ import annotations

import shutil
import tempfile
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from callgate.errors import CollectionError, UsageMistake
from callgate.evidence import collector
from callgate.evidence.backends import host_key, host_uri
from callgate.evidence.bundle import Bundle
from callgate.evidence.deadline import each_within

if TYPE_CHECKING:
    from testinfra.backend.base import CommandResult
    from testinfra.host import Host

# The first value that ssh finds for an option counts: these stand before the user's own.
_OPTIONS: Final = """\
Host *
  BatchMode yes
  ControlMaster no
  ControlPath none
  ServerAliveInterval 5
  ServerAliveCountMax 3
"""


class Connection:
    """Reaches a host anew for each command. `close` removes the ssh_config it made.

    Raises UsageMistake for a host that cannot be reached so: a bundle, or more hosts than one.
    """

    def __init__(self, host: str, ssh_config: str | None = None) -> None:
        uri = host_uri(host)
        if uri.startswith("bundle://"):
            raise UsageMistake(f"{host} is an evidence bundle: there is nothing to change")
        address, question, query = uri.partition("?")
        options = urllib.parse.parse_qsl(query, keep_blank_values=True)
        named = dict(options).get("ssh_config")
        self._folder = Path(tempfile.mkdtemp(prefix="callgate-"))
        self.ssh_config = str(self._write_config(named or ssh_config))
        kept = [(key, value) for key, value in options if key not in ("ssh_config", "controlpath", "controlpersist")]
        self.uri = address + (question + urllib.parse.urlencode(kept) if kept else "")
        """The host's testinfra URI; to be used together with `ssh_config`."""
        self.key = host_key(self._fresh())

    def run(self, seconds: float, command: str, *arguments: str) -> bytes:
        """What a command prints. Raises CollectionError when the host cannot be reached, or not in time."""

        def job() -> CommandResult:
            return self._fresh().run(command, *arguments)

        ((_, got),) = each_within(seconds, {self.key: job}, 1)
        if isinstance(got, Exception):
            raise CollectionError(self.key, _reason(got))
        return bytes(got.stdout_bytes)

    def collect(self, seconds: float = collector.HOST_SECONDS) -> Bundle:
        """The host's evidence. Raises CollectionError."""
        (got,) = collector.collect_all({self.key: self._fresh()}, host_seconds=seconds).values()
        if isinstance(got, CollectionError):
            raise got
        return got

    def close(self) -> None:
        """Remove the files; safe to repeat."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fresh(self) -> Host:
        # testinfra.get_host keeps the hosts it made, and some of its back ends their connections.
        import testinfra.backend
        from testinfra.host import Host

        backend = testinfra.backend.get_backend(self.uri, ssh_config=self.ssh_config)
        host = Host(backend)
        backend.set_host(host)
        return host

    def _write_config(self, own: str | None) -> Path:
        if own is None:
            included = [Path.home() / ".ssh" / "config", Path("/etc/ssh/ssh_config")]
        else:
            included = [Path(own).expanduser().absolute()]
            # ssh passes over a file to include that is not there, and would go its own way without it.
            if not included[0].is_file():
                raise UsageMistake(f"{own}: there is no such ssh_config file")
        path = self._folder / "config"
        lines = [f'Include "{one}"' for one in included if one.exists()]
        path.write_text(_OPTIONS + "\n".join(lines) + "\n", encoding="utf-8")
        path.chmod(0o600)
        return path


def _reason(error: Exception) -> str:
    """One line for what a back end raised; testinfra's ssh raises RuntimeError with the command's result."""
    result = error.args[0] if error.args else None
    said = getattr(result, "stderr_bytes", b"").decode("utf-8", "backslashreplace").split("\n")
    lines = [line.strip() for line in (*said, *([] if any(said) else str(error).split("\n"))) if line.strip()]
    return f"cannot be reached: {lines[-1][:300] if lines else type(error).__name__}"
