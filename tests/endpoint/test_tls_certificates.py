"""Certificates, the server's and the user's own: verified, described, refused by name."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.endpoint.certificate_authority import Authority, issued
from tests.endpoint.loopback_endings import Serve
from tests.endpoint.tls_on_loopback import UNVERIFIED, asked_and_answered, over_tls, run, silent, tls_echo, why_not

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.certificate import certificate_facts
from callgate.endpoint.tls import TlsOptions
from callgate.errors import UsageMistake


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return issued(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize("server_name", [None, "pbx.example.net"])
def test_a_certificate_that_holds_is_verified_and_described(
    serve: Serve, authority: Authority, server_name: str | None
) -> None:
    options = TlsOptions(ca=authority.ca.certificate, server_name=server_name)
    heard, facts = asked_and_answered(serve(tls_echo(authority.server)), options)
    assert heard == b"hello"
    assert facts.verified
    assert facts.version == "TLSv1.3"
    assert facts.cipher.startswith("TLS_")
    assert facts.subject == "C=DE, O=Example, CN=pbx"
    assert facts.certificate == ssl.PEM_cert_to_DER_cert(
        authority.server.certificate.read_text().partition("-----END")[0] + "-----END CERTIFICATE-----\n"
    )
    assert facts.not_after is not None
    assert timedelta(days=1) < facts.not_after - datetime.now(UTC) < timedelta(days=3)


def test_unverified_any_certificate_will_do_and_is_described_all_the_same(serve: Serve, authority: Authority) -> None:
    for pair in (authority.alone, authority.expired):
        heard, facts = asked_and_answered(serve(tls_echo(pair)), UNVERIFIED)
        assert (heard, facts.verified, facts.subject) == (b"hello", False, "CN=pbx")
    assert facts.not_after is not None
    assert facts.not_after < datetime.now(UTC)


def test_a_self_signed_certificate_can_be_trusted_by_name(serve: Serve, authority: Authority) -> None:
    _, facts = asked_and_answered(serve(tls_echo(authority.alone)), TlsOptions(ca=authority.alone.certificate))
    assert facts.verified


@pytest.mark.parametrize(
    ("server", "options", "reason"),
    [
        ("server", {}, "the server's certificate comes from an unknown CA"),
        ("alone", {}, "the server's certificate is self-signed, and not among those trusted"),
        ("alone", {"ca": "ca"}, "the server's certificate is self-signed, and not among those trusted"),
        ("expired", {"ca": "ca"}, "the server's certificate has expired"),
        (
            "server",
            {"ca": "ca", "server_name": "other.example.net"},
            "the server's certificate does not name other.example.net",
        ),
        ("client", {"ca": "ca"}, "the server's certificate does not name 127.0.0.1"),
    ],
)
def test_why_a_certificate_is_not_accepted(
    serve: Serve, authority: Authority, server: str, options: dict[str, str], reason: str
) -> None:
    ca = authority.ca.certificate if "ca" in options else None
    port = serve(tls_echo(getattr(authority, server)))
    assert why_not(port, TlsOptions(ca=ca, server_name=options.get("server_name"))) == reason


def demanding(version: ssl.TLSVersion, ca: Path) -> Callable[[ssl.SSLContext], None]:
    def change(context: ssl.SSLContext) -> None:
        context.maximum_version = version
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(ca)

    return change


def test_a_client_certificate_is_shown(serve: Serve, authority: Authority) -> None:
    port = serve(tls_echo(authority.server, demanding(ssl.TLSVersion.TLSv1_3, authority.ca.certificate)))
    own = TlsOptions(authority.ca.certificate, authority.client.certificate, authority.client.key)
    assert asked_and_answered(port, own)[0] == b"hello"


def test_a_demand_for_a_certificate_is_told_in_the_handshake_of_tls_12(serve: Serve, authority: Authority) -> None:
    port = serve(tls_echo(authority.server, demanding(ssl.TLSVersion.TLSv1_2, authority.ca.certificate)))
    reason = why_not(port, UNVERIFIED)
    assert "it may demand a client certificate, and none was given" in reason


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        (None, "the server demands a client certificate"),
        ("alone", "the server did not accept the client certificate: unknown CA"),
    ],
)
def test_a_demand_for_a_certificate_is_told_upon_the_first_read_of_tls_13(
    serve: Serve, authority: Authority, client: str | None, reason: str
) -> None:
    port = serve(tls_echo(authority.server, demanding(ssl.TLSVersion.TLSv1_3, authority.ca.certificate)))
    own = getattr(authority, client) if client else None
    options = TlsOptions(None, own and own.certificate, own and own.key, verify=False)

    async def work() -> tuple[Ending, str]:
        stream = await over_tls(port, options)
        with pytest.raises(AttemptFailed) as failed:
            await stream.receive()
        await stream.close()
        return failed.value.ending, failed.value.text

    ending, text = run(work())
    assert ending is Ending.TLS_FAILED
    assert text.startswith(reason)


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"ca": "missing.pem"}, "missing.pem: cannot be read: No such file or directory"),
        ({"ca": "."}, ": cannot be read: Is a directory"),
        ({"ca": "text"}, "text: no certificate in it (PEM is expected)"),
        ({"ca": "broken"}, "broken: holds no certificates: "),
        ({"certificate": "text"}, "text: no certificate in it (PEM is expected)"),
        ({"certificate": "good"}, "good: no private key in it (PEM is expected)"),
        ({"certificate": "good", "key": "missing.key"}, "missing.key: cannot be read: No such file or directory"),
        ({"certificate": "good", "key": "text"}, "text: no private key in it (PEM is expected)"),
        ({"certificate": "good", "key": "other"}, "other: is not the key of "),
        (
            {"certificate": "good", "key": "locked"},
            "locked: the key is locked with a pass phrase; give one that is not",
        ),
        ({"key": "other"}, "other: a key without a certificate"),
        ({"server_name": ""}, "'' is no server name: "),
        ({"server_name": ".x"}, "'.x' is no server name: "),
        ({"server_name": "a" * 70}, " is no server name: "),
    ],
)
def test_mistakes_in_the_users_own_files_name_the_file(
    serve: Serve, authority: Authority, tmp_path: Path, options: dict[str, str], mistake: str
) -> None:
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "broken").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    shutil.copy(authority.client.certificate, tmp_path / "good")
    shutil.copy(authority.server.key, tmp_path / "other")
    lock = ["openssl", "pkey", "-in", str(authority.client.key), "-aes256", "-passout", "pass:secret"]
    subprocess.run([*lock, "-out", str(tmp_path / "locked")], check=True, capture_output=True, timeout=30)
    given: dict[str, Any] = {name: text if name == "server_name" else tmp_path / text for name, text in options.items()}

    async def work() -> str:
        with pytest.raises(UsageMistake) as told:
            await over_tls(serve(silent), TlsOptions(verify="server_name" not in given, **given))
        return str(told.value)

    assert mistake in run(work())


def test_a_changed_file_is_read_anew(serve: Serve, authority: Authority, tmp_path: Path) -> None:
    trusted = tmp_path / "trusted.pem"
    port = serve(tls_echo(authority.server))
    shutil.copy(authority.alone.certificate, trusted)
    assert why_not(port, TlsOptions(ca=trusted)) == "the server's certificate comes from an unknown CA"
    shutil.copy(authority.ca.certificate, trusted)
    assert asked_and_answered(port, TlsOptions(ca=trusted))[1].verified


def test_openssl_agrees_about_subject_and_end(authority: Authority) -> None:
    for pair in (authority.ca, authority.server, authority.expired, authority.client, authority.alone):
        words = ["-noout", "-subject", "-enddate", "-nameopt", "RFC2253"]
        done = subprocess.run(
            ["openssl", "x509", "-in", str(pair.certificate), *words],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        )
        subject, end = done.stdout.splitlines()
        text = subprocess.run(
            ["openssl", "x509", "-in", str(pair.certificate), "-outform", "DER"],
            check=True,
            capture_output=True,
            timeout=30,
        )
        facts = certificate_facts(text.stdout)
        assert facts is not None
        assert ",".join(reversed(facts.subject.split(", "))) == subject.removeprefix("subject=")
        expected = datetime.strptime(end.removeprefix("notAfter="), "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
        assert facts.not_after == expected


@given(st.data())
def test_a_damaged_certificate_is_described_or_not_but_never_raises(authority: Authority, data: st.DataObject) -> None:
    der = bytearray(ssl.PEM_cert_to_DER_cert(authority.ca.certificate.read_text()))
    for _ in range(data.draw(st.integers(0, 4))):
        der[data.draw(st.integers(0, 200))] = data.draw(st.integers(0, 255))
    facts = certificate_facts(bytes(der[: data.draw(st.integers(0, len(der)))]))
    assert facts is None or (facts.subject.isascii() and len(facts.subject) <= 300)


@given(st.binary(max_size=300))
def test_any_bytes_are_no_certificate_or_one_that_is_described(data: bytes) -> None:
    facts = certificate_facts(data)
    assert facts is None or facts.subject.isprintable()


def test_the_terminal_is_never_asked_for_a_pass_phrase(authority: Authority, tmp_path: Path) -> None:
    """In a process with a terminal of its own: OpenSSL would open it behind our back."""
    locked = tmp_path / "locked.key"
    lock = ["openssl", "pkey", "-in", str(authority.client.key), "-aes256", "-passout", "pass:secret"]
    subprocess.run([*lock, "-out", str(locked)], check=True, capture_output=True, timeout=30)
    program = (
        "import os, pty, sys\n"
        "pid, terminal = pty.fork()\n"
        "if pid == 0:\n"
        "    from pathlib import Path\n"
        "    from callgate.endpoint.tls import TlsOptions, _context\n"
        "    try:\n"
        f"        _context(TlsOptions(None, Path({str(authority.client.certificate)!r}), Path({str(locked)!r})), ())\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__)\n"
        "    os._exit(0)\n"
        "said = b''\n"
        "try:\n"
        "    while data := os.read(terminal, 1000):\n"
        "        said += data\n"
        "except OSError:\n"
        "    pass\n"
        "os.waitpid(pid, 0)\n"
        "sys.stdout.write(said.decode())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, env=environment)
    assert done.stdout.split() == ["UsageMistake"]
