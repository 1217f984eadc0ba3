"""A CA of the tests, and certificates that hold, have expired, or are its own."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    ca: Pair
    server: Pair
    """Names 127.0.0.1 and pbx.example.net."""
    expired: Pair
    client: Pair
    alone: Pair
    """Self-signed."""


def issued(folder: Path) -> Authority:
    """Made by openssl; the test is skipped where that is missing."""
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("the openssl command is missing")
    new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def openssl(*words: str) -> None:
        subprocess.run([tool, *words], check=True, capture_output=True, timeout=30)

    def at(name: str) -> Pair:
        return Pair(folder / f"{name}.pem", folder / f"{name}.key")

    def self_signed(name: str, subject: str, *more: str) -> Pair:
        made = at(name)
        openssl(
            *new,
            "-x509",
            "-days",
            "2",
            "-subj",
            subject,
            "-keyout",
            str(made.key),
            "-out",
            str(made.certificate),
            *more,
        )
        return made

    ca = self_signed("ca", "/O=Callgate/CN=Test CA")

    def signed(name: str, subject: str, days: str, extensions: str) -> Pair:
        made, request, extra = at(name), folder / f"{name}.csr", folder / f"{name}.ext"
        extra.write_text(extensions)
        openssl(*new, "-subj", subject, "-keyout", str(made.key), "-out", str(request))
        by = ["-CA", str(ca.certificate), "-CAkey", str(ca.key), "-CAcreateserial", "-extfile", str(extra)]
        openssl("x509", "-req", "-in", str(request), "-days", days, *by, "-out", str(made.certificate))
        return made

    names = "subjectAltName=IP:127.0.0.1,DNS:pbx.example.net\n"
    return Authority(
        ca=ca,
        server=signed("server", "/C=DE/O=Example/CN=pbx", "2", names),
        expired=signed("expired", "/CN=pbx", "-1", names),
        client=signed("client", "/CN=SEP001122334455", "2", "basicConstraints=CA:FALSE\n"),
        alone=self_signed("alone", "/CN=pbx", "-addext", "subjectAltName=IP:127.0.0.1"),
    )
