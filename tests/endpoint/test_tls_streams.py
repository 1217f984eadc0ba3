"""TLS over a stream against real servers: what is told when it fails, and hostile servers."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.certificate import certificate_facts
from callgate.endpoint.network import TransportAddress
from callgate.endpoint.sockets import LocalNetwork
from callgate.endpoint.tls import MAXIMUM_HANDSHAKE, TlsByteStream, TlsFacts, TlsOptions, secure
from callgate.errors import UsageMistake

Serve = Callable[..., int]
Result = TypeVar("Result")
UNVERIFIED = TlsOptions(verify=False)


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


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("the openssl command is missing")
    folder = tmp_path_factory.mktemp("authority")
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


def run(work: Coroutine[Any, Any, Result], seconds: float = 10) -> Result:
    async def bounded() -> Result:
        async with asyncio.timeout(seconds):
            return await work

    result = asyncio.run(bounded())
    gc.collect()
    return result


def tls_echo(pair: Pair, change: Callable[[ssl.SSLContext], None] = lambda _: None) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    change(context)

    def echo(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as inside:
            while data := inside.recv(65536):
                inside.sendall(data)
            inside.unwrap()

    return echo


async def over_tls(port: int, options: TlsOptions, within: float = 5) -> TlsByteStream:
    stream = await LocalNetwork().connect(TransportAddress(ip_address("127.0.0.1"), port), within=5)
    return await secure(stream, options, within=within)


def why_not(port: int, options: TlsOptions, within: float = 5) -> str:
    async def work() -> str:
        with pytest.raises(AttemptFailed) as failed:
            await over_tls(port, options, within)
        assert failed.value.ending is Ending.TLS_FAILED
        return failed.value.text

    return run(work())


def asked_and_answered(port: int, options: TlsOptions, data: bytes = b"hello") -> tuple[bytes, TlsFacts]:
    async def work() -> tuple[bytes, TlsFacts]:
        stream = await over_tls(port, options)
        try:
            await stream.send(data)
            heard = b""
            while len(heard) < len(data):
                heard += await stream.receive()
            assert stream.remote.port == port
            assert stream.local.port != port
        finally:
            await stream.close()
            await stream.close()
        return heard, stream.session

    return run(work())


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


def only(version: ssl.TLSVersion) -> Callable[[ssl.SSLContext], None]:
    def change(context: ssl.SSLContext) -> None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if version is not ssl.TLSVersion.TLSv1_3:
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version

    return change


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_spoken_only_unverified(serve: Serve, authority: Authority) -> None:
    port = serve(tls_echo(authority.server, only(ssl.TLSVersion.TLSv1)))
    assert asked_and_answered(port, UNVERIFIED)[1].version == "TLSv1"
    reason = why_not(port, TlsOptions(ca=authority.ca.certificate))
    assert reason.startswith("no TLS version in common with the server (")


@pytest.mark.parametrize("data", [b"x", bytes(16384), os.urandom(300_000)], ids=len)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_data_of_any_size_goes_both_ways(
    serve: Serve, authority: Authority, version: ssl.TLSVersion, data: bytes
) -> None:
    heard, facts = asked_and_answered(serve(tls_echo(authority.server, only(version))), UNVERIFIED, data)
    assert heard == data
    assert facts.version.replace(".", "_") == version.name


class Recorded:
    """A stream that notes each write."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.writes: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def send(self, data: bytes) -> None:
        self.writes.append(data)
        await self.inner.send(data)


def test_one_send_is_one_record_and_one_write(serve: Serve, authority: Authority) -> None:
    async def work() -> list[bytes]:
        port = serve(tls_echo(authority.server))
        stream = Recorded(await LocalNetwork().connect(TransportAddress(ip_address("127.0.0.1"), port), within=5))
        secured = await secure(stream, UNVERIFIED, within=5)
        del stream.writes[:]
        for size in (12, 3000):
            await secured.send(bytes(size))
        await secured.close()
        return stream.writes

    writes = run(work())
    assert [data[:3] for data in writes[:2]] == [b"\x17\x03\x03"] * 2
    assert [int.from_bytes(data[3:5], "big") for data in writes[:2]] == [len(data) - 5 for data in writes[:2]]


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


def test_the_servers_end_is_the_end_with_goodbye_and_without(serve: Serve, authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server.certificate, authority.server.key)

    def polite(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            inside.sendall(b"bye")
            inside.unwrap()

    def curt(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            inside.sendall(b"bye")
            inside.shutdown(socket.SHUT_WR)

    async def work(port: int) -> tuple[bytes, bytes, bytes]:
        stream = await over_tls(port, UNVERIFIED)
        heard = await stream.receive(), await stream.receive(), await stream.receive()
        await stream.close()
        return heard

    for behaviour in (polite, curt):
        assert run(work(serve(behaviour))) == (b"bye", b"", b"")


def test_closing_says_goodbye_before_fin(serve: Serve, authority: Authority) -> None:
    seen: list[object] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server.certificate, authority.server.key)

    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF

    def note(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as inside:
            seen.append(inside.recv(10))  # b"" only after close_notify
            seen.append("done")

    async def work() -> None:
        stream = await over_tls(serve(note), UNVERIFIED)
        await stream.close()

    run(work())
    assert seen == [b"", "done"]


def garbage(connection: socket.socket) -> None:
    connection.recv(10)
    connection.sendall(b"SIP/2.0 400 Bad Request\r\n\r\n")
    connection.recv(100_000)


def half_close(connection: socket.socket) -> None:
    connection.recv(100_000)
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)


def silent(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def slow(connection: socket.socket) -> None:
    connection.sendall(b"\x16\x03\x03\x40\x00")
    while True:
        connection.sendall(b"\x02")
        time.sleep(0.02)


def endless(connection: socket.socket) -> None:
    """A handshake message of 16 MB, in records as large as they may be."""
    connection.sendall(b"\x16\x03\x03\x40\x00" + b"\x02\xff\xff\xff" + bytes(16380))
    while True:
        connection.sendall(b"\x16\x03\x03\x40\x00" + bytes(16384))


def reset(connection: socket.socket) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def alert(connection: socket.socket) -> None:
    connection.recv(1)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x46")
    connection.recv(100_000)


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (garbage, "the peer is no TLS server: it answered b'SIP/2.0 '"),
        (half_close, "the peer closed the connection during the TLS handshake"),
        (silent, "no TLS handshake within 0.4 s"),
        (slow, "no TLS handshake within 0.4 s"),
        (endless, ""),
        (reset, "no TLS session: 127.0.0.1:PORT: connection reset (RST)"),
        (alert, "no TLS version in common with the server (TLSV1_ALERT_PROTOCOL_VERSION)"),
    ],
)
def test_a_server_that_is_no_tls_server_ends_in_bounded_time(
    serve: Serve, server: Callable[[socket.socket], None], reason: str
) -> None:
    port = serve(server)
    began = time.monotonic()
    told = why_not(port, UNVERIFIED, within=0.4)
    assert time.monotonic() - began < 3
    assert told.startswith(reason.replace("PORT", str(port)))
    assert told.isascii()


class Scripted:
    """A stream whose peer says what it was given, then ends."""

    def __init__(self, pieces: list[bytes], *, again: bool = False) -> None:
        self.local = self.remote = TransportAddress(ip_address("127.0.0.1"), 2443)
        self.pieces = pieces
        self.again = again
        self.given = 0
        self.closed = False

    async def send(self, data: bytes) -> None:
        await asyncio.sleep(0)

    async def receive(self) -> bytes:
        await asyncio.sleep(0)
        piece = self.pieces[self.given % len(self.pieces)] if self.again or self.given < len(self.pieces) else b""
        self.given += 1
        return piece

    async def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


RECORDS = st.builds(
    lambda kind, body: bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body,
    st.sampled_from([20, 21, 22, 23]),
    st.binary(max_size=200),
)


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=300) | RECORDS, max_size=5))
def test_whatever_a_server_says_only_a_named_failure_comes_of_it(pieces: list[bytes]) -> None:
    stream = Scripted(pieces)

    async def work() -> Ending:
        with pytest.raises(AttemptFailed) as failed:
            await secure(stream, UNVERIFIED, within=2)
        return failed.value.ending

    assert asyncio.run(work()) is Ending.TLS_FAILED
    assert stream.closed


def test_warnings_without_end_are_cut_off() -> None:
    """Alerts of level warning do not end a handshake by themselves."""
    stream = Scripted([b"\x15\x03\x03\x00\x02\x01\x5a" * 1000], again=True)

    async def work() -> str:
        with pytest.raises(AttemptFailed) as failed:
            await secure(stream, UNVERIFIED, within=5)
        return failed.value.text

    assert asyncio.run(work())
    assert stream.given * 7000 <= MAXIMUM_HANDSHAKE + 7000


def test_a_handshake_without_end_is_cut_off(
    serve: Serve, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callgate.endpoint.tls.MAXIMUM_HANDSHAKE", 400)
    assert why_not(serve(tls_echo(authority.server)), UNVERIFIED) == "no TLS handshake in 400 bytes"


def test_cancelled_in_the_handshake_nothing_stays_open(serve: Serve) -> None:
    async def work() -> None:
        task = asyncio.create_task(over_tls(serve(silent), UNVERIFIED))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())


def test_a_cancelled_read_loses_nothing(serve: Serve, authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server.certificate, authority.server.key)

    def dribble(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            for number in range(100):
                inside.sendall(bytes([number]))
                time.sleep(0.001)
            inside.unwrap()

    async def work() -> bytes:
        stream = await over_tls(serve(dribble), UNVERIFIED)
        heard = b""
        while True:
            try:
                async with asyncio.timeout(0.0007):
                    data = await stream.receive()
            except TimeoutError:
                continue
            if not data:
                break
            heard += data
        await stream.close()
        return heard

    assert run(work()) == bytes(range(100))


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
