"""The embedded call manager on a lab host."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from callgate.lab.certificate import Certificate
from callgate.lab.host import LabHost
from callgate.lab.sccp import SCCP, SCCP_TLS
from callgate.lab.service import Service

READY_WITHIN: Final = 15.0

_MODULE: Final = "callgate.endpoint.call_manager"
_START: Final = "import runpy, sys; sys.path[:0] = {path!r}; runpy.run_module({module!r}, run_name='__main__')"


def start_call_manager(
    host: LabHost,
    *,
    devices: Mapping[str, str],
    echo: str = "600",
    listen: Sequence[str] = (f"*:{SCCP}",),
    tls_listen: Sequence[str] | None = None,
    certificate: Certificate | None = None,
    client_ca: Path | None = None,
    profile: str = "plain",
    open_to_strangers: bool = False,
    options: Sequence[str] = (),
) -> Service:
    """Start a call manager and wait until it listens; its log then has a line for each event.

    `devices` maps device names to extensions. With a certificate it speaks TLS too, on `tls_listen` (default: *:2443);
    `options` are more of the program's (see `python -m callgate.endpoint.call_manager --help`). Raises LabError, with
    its complaint, when it does not listen within `READY_WITHIN` seconds.
    """
    arguments = [word for address in listen for word in ("--listen", address)]
    arguments += [word for name, extension in devices.items() for word in ("--device", f"{name}={extension}")]
    arguments += ["--echo", echo, "--profile", profile]
    if open_to_strangers:
        arguments.append("--open")
    if certificate is not None:
        arguments += ["--certificate", str(certificate.certificate), "--key", str(certificate.key)]
        for address in (f"*:{SCCP_TLS}",) if tls_listen is None else tls_listen:
            arguments += ["--tls-listen", address]
    if client_ca is not None:
        arguments += ["--client-ca", str(client_ca)]
    log = host.new_directory("call-manager") / "log"
    service = host.spawn([*_program(), *arguments, *options], log=log, name="call manager")
    service.wait_ready(lambda: any(line.startswith("ready ") for line in service.log_text().splitlines()), READY_WITHIN)
    return service


def _program() -> list[str]:
    """How to run it with what this process can import: from a checkout, an editable install or a wheel.

    The working directory of a lab host is another, so relative entries are made whole; -I keeps its own out.
    """
    path = [str(Path(entry or ".").resolve()) for entry in sys.path]
    return [sys.executable, "-I", "-c", _START.format(path=path, module=_MODULE)]
