"""One ssh login per host: a private ssh_config that shares each connection, and ends it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import urllib.parse
from pathlib import Path
from types import TracebackType

from callgate.errors import UsageMistake

_OPTIONS = """\
Host *
  ControlMaster auto
  ControlPath {folder}/%C
  ControlPersist 60
  ServerAliveInterval 5
  ServerAliveCountMax 3
"""


class SharedLogins:
    """Makes ssh_config files that add a ControlPath to the user's own; `close` ends the logins it shared.

    testinfra asks for ControlMaster but names no ControlPath, so that nothing is shared without this.
    Host keys are checked as the user's configuration says; nothing prompts (BatchMode).
    """

    def __init__(self) -> None:
        # A socket's path is limited to 107 bytes (unix(7)): a long TMPDIR will not do.
        base = tempfile.gettempdir()
        self._folder = Path(tempfile.mkdtemp(prefix="callgate-", dir=base if len(base) < 30 else "/tmp"))  # noqa: S108
        self._configs: dict[str | None, Path] = {}
        self._lock = threading.Lock()  # vantages are reached from several threads

    def config(self, own: str | None = None) -> Path:
        """The path of an ssh_config that includes `own` (a path), or else the user's and the system's.

        Raises UsageMistake when `own` does not exist.
        """
        with self._lock:
            if own not in self._configs:
                if own is None:
                    included = [Path.home() / ".ssh" / "config", Path("/etc/ssh/ssh_config")]
                else:
                    included = [Path(own).expanduser().absolute()]
                    # ssh passes over a file to include that is not there, and would go its own way without it.
                    if not included[0].is_file():
                        raise UsageMistake(f"{own}: there is no such ssh_config file")
                lines = ["BatchMode yes", *(f'Include "{path}"' for path in included if path.exists())]
                path = self._folder / f"config{len(self._configs)}"
                path.write_text("\n".join(lines) + "\n" + _OPTIONS.format(folder=self._folder))
                path.chmod(0o600)
                self._configs[own] = path
            return self._configs[own]

    def shared(self, uri: str) -> str:
        """A host URI whose `?ssh_config=FILE`, if it has one, shares logins too."""
        address, question, query = uri.partition("?")
        if not question:
            return uri
        options = [
            (key, str(self.config(value)) if key == "ssh_config" else value)
            for key, value in urllib.parse.parse_qsl(query, keep_blank_values=True)
        ]
        return f"{address}?{urllib.parse.urlencode(options)}"

    def close(self) -> None:
        """End every shared login and remove the files."""
        if not self._folder.exists():
            return
        for entry in self._folder.iterdir():
            if entry.is_socket():
                with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                    subprocess.run(
                        ["ssh", "-F", os.devnull, "-o", f"ControlPath={entry}", "-O", "exit", "shared"],
                        capture_output=True,
                        timeout=5,
                        check=False,
                    )
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> SharedLogins:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
