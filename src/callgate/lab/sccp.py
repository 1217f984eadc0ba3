"""An SCCP server on a lab host."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from callgate.lab.certificate import Certificate
from callgate.lab.holder import isolated_python
from callgate.lab.host import LabHost
from callgate.lab.service import Service

SCCP: Final = 2000
SCCP_TLS: Final = 2443
READY_WITHIN: Final = 5.0

_PROGRAM: Final = Path(__file__).with_name("sccp_responder.py")


def start_sccp(
    host: LabHost,
    *,
    listen: Sequence[str] = (f"*:{SCCP}",),
    device: str | None = None,
    silent: bool = False,
    certificate: Certificate | None = None,
    idle: float = 30.0,
) -> Service:
    """Start the responder (see `callgate.lab.sccp_responder` for the forms of `listen`) and wait until it listens.

    Raises LabError, with the responder's complaint, when it does not within `READY_WITHIN` seconds.
    """
    options = [option for address in listen for option in ("--listen", address)]
    if device is not None:
        options += ["--device", device]
    if silent:
        options.append("--silent")
    if certificate is not None:
        options += ["--certificate", str(certificate.certificate), "--key", str(certificate.key)]
    log = host.new_directory("sccp") / "log"
    service = host.spawn(isolated_python(_PROGRAM, *options, "--idle", str(idle)), log=log, name="sccp")
    service.wait_ready(lambda: service.log_text().startswith("ready "), READY_WITHIN)
    return service
