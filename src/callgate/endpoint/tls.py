"""TLS over any stream: this machine's or a vantage's."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from callgate.endpoint.attempt import AttemptFailed, Ending
from callgate.endpoint.certificate import certificate_facts
from callgate.endpoint.failure import without_zone
from callgate.endpoint.network import ByteStream, TransportAddress
from callgate.errors import UsageMistake

MAXIMUM_HANDSHAKE: Final = 256 * 1024
"""Bytes a server may send before its handshake is done; OpenSSL takes no certificate message larger than 100 KB."""
CLOSE_SECONDS: Final = 1.0
_READ: Final = 65536
_LEGACY_SERVER_CONNECT: Final = 0x4  # ssl.OP_LEGACY_SERVER_CONNECT, from Python 3.12 on


@dataclass(frozen=True)
class TlsOptions:
    """Whom to trust, and what to show. Files are PEM."""

    ca: Path | None = None
    """Certificates to trust; None: those the system trusts."""
    certificate: Path | None = None
    """Shown when the server asks for one; with its chain."""
    key: Path | None = None
    """Of `certificate`; None: the key stands in that file too."""
    verify: bool = True
    """False: any certificate, and also the TLS versions and ciphers that are no longer safe."""
    server_name: str | None = None
    """What the certificate must name, and the server is asked for (SNI); None: the peer's IP address."""


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """A finished handshake."""

    version: str
    """Like `TLSv1.3`."""
    cipher: str
    certificate: bytes | None
    """The server's, DER."""
    not_after: datetime | None
    """When the certificate ends, in UTC; None if it cannot be read."""
    subject: str
    """Like `CN=pbx, O=Example`, printable ASCII; empty if it cannot be read."""
    verified: bool
    """Whether chain, dates and name were checked."""


def check_files(options: TlsOptions) -> None:
    """Raise UsageMistake, naming the file, if one of the options' files cannot be used."""
    _context(options, _stamps(options))


async def secure(stream: ByteStream, options: TlsOptions, *, within: float) -> TlsByteStream:
    """Set up TLS over a connected stream, as the client.

    Raises AttemptFailed(TLS_FAILED) with the reason, also when the handshake takes longer than `within` seconds, and
    UsageMistake when a file of `options` cannot be used. The stream is closed when it fails.
    """
    try:
        session = _Session(stream, options)
        try:
            async with asyncio.timeout(within):
                await session.shake_hands()
        except TimeoutError:
            raise AttemptFailed(Ending.TLS_FAILED, f"no TLS handshake within {within:g} s") from None
        except AttemptFailed as failure:
            if failure.ending in (Ending.FAILED_HERE, Ending.TLS_FAILED):
                raise
            raise AttemptFailed(Ending.TLS_FAILED, f"no TLS session: {failure.text}") from failure
        return TlsByteStream(session, options)
    except (AttemptFailed, UsageMistake):
        await stream.close()
        raise
    except BaseException:
        stream.abort()
        raise


class TlsByteStream:
    """TLS over a stream; made by `secure`."""

    def __init__(self, session: _Session, options: TlsOptions) -> None:
        self._session = session
        self._closing = False
        self.session = session.facts(verified=options.verify)
        """What the handshake brought."""

    @property
    def local(self) -> TransportAddress:
        """See `ByteStream.local`."""
        return self._session.stream.local

    @property
    def remote(self) -> TransportAddress:
        """See `ByteStream.remote`."""
        return self._session.stream.remote

    async def send(self, data: bytes) -> None:
        """Send all of it in one write; in one record when it is 16 KiB at most."""
        self._session.write(data)
        await self._session.flush()

    async def receive(self) -> bytes:
        """See `ByteStream.receive`. TLS_FAILED when the server ends the session with an alert. Can be cancelled."""
        return await self._session.read()

    async def close(self) -> None:
        """See `ByteStream.close`."""
        if self._closing:
            return
        self._closing = True
        try:
            with suppress(AttemptFailed, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._session.say_goodbye()
        finally:
            await self._session.stream.close()

    def abort(self) -> None:
        """See `ByteStream.abort`."""
        self._closing = True
        self._session.stream.abort()


class _Session:
    """OpenSSL's state machine, and the stream below it."""

    def __init__(self, stream: ByteStream, options: TlsOptions) -> None:
        self.stream = stream
        self._shows_certificate = options.certificate is not None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._flushing = asyncio.Lock()
        self._heard = bytearray()
        self._wanted_name = options.server_name
        if options.verify and options.server_name is None:
            self._wanted_name = str(without_zone(stream.remote.address))
        try:
            self._tls = _context(options, _stamps(options)).wrap_bio(
                self._incoming, self._outgoing, server_hostname=self._wanted_name
            )
        except ValueError as error:
            raise UsageMistake(f"{options.server_name!r} is no server name: {error}") from None

    async def shake_hands(self) -> None:
        budget = MAXIMUM_HANDSHAKE
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self.flush()
                data = await self.stream.receive()
                budget -= len(data)
                if budget < 0:
                    text = f"no TLS handshake in {MAXIMUM_HANDSHAKE} bytes"
                    raise AttemptFailed(Ending.TLS_FAILED, text) from None
                self._heard += data[: 8 - len(self._heard)] if len(self._heard) < 8 else b""
                self._feed(data)
            except ssl.SSLError as error:
                with suppress(AttemptFailed):
                    await self.flush()  # the alert
                raise self._failed(error) from error
        await self.flush()

    async def read(self) -> bytes:
        while True:
            try:
                data = self._tls.read(_READ)
            except ssl.SSLWantReadError:
                await self.flush()  # the answer to a key update
                self._feed(await self.stream.receive())
                continue
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            except ssl.SSLError as error:
                with suppress(AttemptFailed):
                    await self.flush()
                raise self._failed(error) from error
            return data

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as error:
            raise self._failed(error) from error

    async def flush(self) -> None:
        """Send what is due, in the order it was made and in one write."""
        if self._outgoing.pending:
            async with self._flushing:
                if due := self._outgoing.read():
                    await self.stream.send(due)

    async def say_goodbye(self) -> None:
        with suppress(ssl.SSLError, ValueError):
            self._tls.unwrap()
        await self.flush()

    def facts(self, *, verified: bool) -> TlsFacts:
        cipher, certificate = self._tls.cipher(), self._tls.getpeercert(True)
        read = certificate_facts(certificate) if certificate else None
        return TlsFacts(
            version=self._tls.version() or "",
            cipher=cipher[0] if cipher else "",
            certificate=certificate or None,
            not_after=read.not_after if read else None,
            subject=read.subject if read else "",
            verified=verified,
        )

    def _feed(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _failed(self, error: ssl.SSLError) -> AttemptFailed:
        return AttemptFailed(Ending.TLS_FAILED, self._reason(error))

    def _reason(self, error: ssl.SSLError) -> str:
        """Why, in the user's words."""
        if isinstance(error, ssl.SSLCertVerificationError):
            if error.verify_code in (_HOSTNAME_MISMATCH, _ADDRESS_MISMATCH):
                return f"the server's certificate does not name {self._wanted_name}"
            told = _VERIFICATION.get(error.verify_code)
            return f"the server's certificate {told or 'was not accepted: ' + error.verify_message}"
        name = error.reason or type(error).__name__
        if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or name == "UNEXPECTED_EOF_WHILE_READING":
            return "the peer closed the connection during the TLS handshake"
        if name in _NO_TLS and not _like_tls(self._heard):
            return f"the peer is no TLS server: it answered {bytes(self._heard)!r}"
        words = _REASONS.get(name)
        if words is None:
            return f"TLS failed: {name}"
        if name in _MAY_WANT_CERTIFICATE and not self._shows_certificate:
            words += "; it may demand a client certificate, and none was given"
        return f"{words} ({name})"


_HOSTNAME_MISMATCH: Final = 62
_ADDRESS_MISMATCH: Final = 64
_VERIFICATION: Final = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed, and not among those trusted",
    19: "comes from an unknown CA (self-signed, and not among those trusted)",
    20: "comes from an unknown CA",
    21: "comes from an unknown CA",
    23: "was revoked",
    24: "comes from a CA that may not sign certificates",
    26: "is not meant for servers",
    66: "has too weak a key",
    67: "comes from a CA with too weak a key",
    68: "is signed with too weak a digest",
}
"""By X509_V_ERR_* of OpenSSL (x509_vfy.h)."""
_VERSIONS: Final = "no TLS version in common with the server"
_REASONS: Final = {
    "UNSUPPORTED_PROTOCOL": _VERSIONS,
    "TLSV1_ALERT_PROTOCOL_VERSION": _VERSIONS,
    "WRONG_SSL_VERSION": _VERSIONS,
    "NO_PROTOCOLS_AVAILABLE": _VERSIONS,
    "NO_SHARED_CIPHER": "no cipher in common with the server",
    "NO_CIPHERS_AVAILABLE": "no cipher in common with the server",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server ended the handshake: nothing acceptable in common",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server demands a client certificate",
    "SSLV3_ALERT_NO_CERTIFICATE": "the server demands a client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server did not accept the client certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the server did not accept the client certificate: wrong kind",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the server did not accept the client certificate: expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the server did not accept the client certificate: revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the server did not accept the client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the server did not accept the client certificate: unknown CA",
    "TLSV1_ALERT_ACCESS_DENIED": "the server did not accept the client certificate: access denied",
    "TLSV1_ALERT_DECRYPT_ERROR": "the server did not accept the client's signature",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know the name it was asked for",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": "the server wants stronger ciphers",
    "TLSV1_ALERT_INTERNAL_ERROR": "the server failed",
    "DH_KEY_TOO_SMALL": "the server's Diffie-Hellman key is too weak",
    "EE_KEY_TOO_SMALL": "the server's key is too weak",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": "the server renegotiates in a way that is no longer safe",
}
"""By OpenSSL's name of the error; those with ALERT are what the server said."""
_MAY_WANT_CERTIFICATE: Final = {"SSLV3_ALERT_HANDSHAKE_FAILURE", "SSLV3_ALERT_BAD_CERTIFICATE"}
_NO_TLS: Final = {
    "WRONG_VERSION_NUMBER",
    "UNKNOWN_PROTOCOL",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
    "UNSUPPORTED_PROTOCOL",
}


def _like_tls(heard: bytes | bytearray) -> bool:
    """Whether it begins as a TLS record does (RFC 8446, section 5.1)."""
    return heard[:1] in (b"\x14", b"\x15", b"\x16", b"\x17") and heard[1:2] == b"\x03"


def _stamps(options: TlsOptions) -> tuple[tuple[int, ...] | None, ...]:
    """What tells that a file was changed: contexts are kept, as loading the system's CAs takes 20 ms."""
    return tuple(_stamp(path) for path in (options.ca, options.certificate, options.key))


def _stamp(path: Path | None) -> tuple[int, ...] | None:
    if path is None:
        return None
    with suppress(OSError, ValueError):
        found = os.stat(path)
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return None


@lru_cache(maxsize=16)
def _context(options: TlsOptions, stamps: tuple[tuple[int, ...] | None, ...]) -> ssl.SSLContext:  # noqa: ARG001
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A server may not begin again in the middle: nothing needs it, and TLS 1.3 has dropped it.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if options.verify:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # what the user names is trusted, root or not
        if options.ca is None:
            context.load_default_certs()
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.options |= _LEGACY_SERVER_CONNECT
        with suppress(ssl.SSLError):
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with suppress(ValueError):
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    if options.ca is not None:
        _pem(options.ca, "CERTIFICATE")
        try:
            context.load_verify_locations(options.ca)
        except (OSError, ValueError) as error:
            raise UsageMistake(f"{options.ca}: holds no certificates: {_why(error)}") from None
    if options.certificate is not None:
        _load_own(context, options.certificate, options.key)
    elif options.key is not None:
        raise UsageMistake(f"{options.key}: a key without a certificate")
    return context


def _load_own(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    holder = key or certificate
    _pem(certificate, "CERTIFICATE")
    _pem(holder, "PRIVATE KEY")

    def refuse() -> str:  # OpenSSL would ask on the terminal
        raise UsageMistake(f"{holder}: the key is locked with a pass phrase; give one that is not")

    try:
        context.load_cert_chain(certificate, holder, refuse)
    except (OSError, ValueError) as error:
        reason = _why(error)
        if reason == "KEY_VALUES_MISMATCH":
            raise UsageMistake(f"{holder}: is not the key of {certificate}") from None
        raise UsageMistake(f"{certificate}, {holder}: cannot be used: {reason}") from None


def _pem(path: Path, label: str) -> None:
    """UsageMistake unless the file can be read and holds something with this label."""
    try:
        with path.open("rb") as file:
            text = file.read(1 << 24)
    except (OSError, ValueError) as error:
        raise UsageMistake(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not re.search(b"-----BEGIN [A-Z0-9 ]*" + label.encode() + b"-----", text):
        raise UsageMistake(f"{path}: no {label.lower()} in it (PEM is expected)")


def _why(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)
