"""A self-signed certificate for a lab server."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from callgate.errors import LabError
from callgate.lab.availability import find_tool


@dataclass(frozen=True, slots=True)
class Certificate:
    """Two PEM files."""

    certificate: Path
    key: Path


def self_signed(
    directory: Path, name: str, addresses: Sequence[IPv4Address | IPv6Address] = (), *, days: int = 30
) -> Certificate:
    """Make `NAME.pem` and `NAME.key` (EC P-256, valid from now on) in `directory`, with openssl(1).

    `name` becomes the common name and, with `addresses`, the subject alternative names. Raises LabError.
    """
    openssl = find_tool("openssl")
    if openssl is None:
        raise LabError("openssl not found (Debian package openssl)")
    made = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
    alternatives = ",".join((f"DNS:{name}", *(f"IP:{address}" for address in addresses)))
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", str(days), "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternatives}"]
    command += ["-out", str(made.certificate), "-keyout", str(made.key)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=30,
    )
    if done.returncode != 0:
        raise LabError(f"openssl req ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    return made
