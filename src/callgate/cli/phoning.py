"""What `callgate phone` does once its options are read."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import click

from callgate.endpoint import sccp_phone, sip_phone
from callgate.endpoint.attempt import Attempt, AttemptFailed, Ending
from callgate.endpoint.exchange import Transport
from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.tls import TlsOptions, check_files
from callgate.errors import UsageMistake

_PORTS: Final = {("sccp", False): 2000, ("sccp", True): 2443, ("sip", False): 5060, ("sip", True): 5061}
LONGEST_PASSWORD: Final = 1024


def run_phone(action: str, server: str, **options: Any) -> int:
    """Do it, print it, and return the exit code. Raises UsageMistake."""
    application = _application(options)
    transport = _transport(application, options)
    remote = _server(server, _PORTS[application, transport is Transport.TLS])
    tls = _tls(options) if transport is Transport.TLS else None
    try:
        attempt = asyncio.run(_attempt(action, application, transport, remote, tls, options))
    except AttemptFailed as lost:  # the vantage
        attempt = Attempt(ending=lost.ending, text=lost.text)
    click.echo(json.dumps(_as_object(attempt)) if options["as_json"] else _as_text(attempt, options["verbose"]))
    if attempt.ending is Ending.DONE:
        return 0
    return 3 if attempt.ending in (Ending.NO_ROUTE, Ending.FAILED_HERE) else 1


def _application(options: dict[str, Any]) -> str:
    if (options["device"] is None) == (options["user"] is None):
        raise UsageMistake("give either --device NAME (an SCCP phone) or --user NAME (a SIP phone)")
    if options["device"] is None:
        return "sip"
    for name in ("password_env", "password_file", "domain"):
        if options[name] is not None:
            raise UsageMistake(f"--{name.replace('_', '-')} is for SIP phones (--user)")
    return "sccp"


def _transport(application: str, options: dict[str, Any]) -> Transport:
    chosen = "tls" if options["tls"] else options["transport"]
    if options["tls"] and options["transport"] not in (None, "tls"):
        raise UsageMistake(f"--tls and --transport {options['transport']} exclude each other")
    if application == "sccp" and chosen == "udp":
        raise UsageMistake("SCCP does not run over UDP")
    if chosen != "tls":
        for name in ("ca", "cert", "key", "server_name", "insecure"):
            if options[name]:
                raise UsageMistake(f"--{name.replace('_', '-')} needs --tls")
    return Transport(chosen or ("tcp" if application == "sccp" else "udp"))


def _server(text: str, port: int) -> TransportAddress:
    """An address or name with or without a port. A name stands for its first address."""
    name, given = text, ""
    if text.startswith("["):
        name, closed, given = text[1:].partition("]")
        if not closed or (given and not given.startswith(":")):
            raise UsageMistake(f"{text}: an address like [2001:db8::1]:2000 is expected")
        given = given[1:]
    elif text.count(":") == 1:
        name, _, given = text.partition(":")
    if given and not (given.isascii() and given.isdigit() and 0 < int(given) < 65536):
        raise UsageMistake(f"{text}: {given!r} is not a port")
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4]
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no name"
        raise UsageMistake(f"{text}: {reason}") from None
    address = str(found[0])
    if len(found) == 4 and found[3] and "%" not in address:
        address = f"{address}%{socket.if_indextoname(int(found[3]))}"
    return TransportAddress(ip_address(address), int(given or port))


def _tls(options: dict[str, Any]) -> TlsOptions:
    found = TlsOptions(
        ca=options["ca"],
        certificate=options["cert"],
        key=options["key"],
        verify=not options["insecure"],
        server_name=options["server_name"],
    )
    check_files(found)
    return found


def _password(options: dict[str, Any]) -> str | None:
    variable, path = options["password_env"], options["password_file"]
    if variable is not None and path is not None:
        raise UsageMistake("--password-env and --password-file exclude each other")
    if variable is not None:
        if not os.environ.get(variable):
            raise UsageMistake(f"--password-env {variable}: this variable is not set")
        return os.environ[variable]
    return None if path is None else _first_line(path)


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_PASSWORD + 1).decode().rstrip("\r\n")
    except OSError as error:
        raise UsageMistake(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageMistake(f"{path}: it is no text") from None
    if not text or len(text) > LONGEST_PASSWORD:
        raise UsageMistake(f"{path}: a password of 1 to {LONGEST_PASSWORD} bytes is expected")
    return text


@asynccontextmanager
async def _network(vantage: str | None) -> AsyncIterator[Network]:
    if vantage is None:
        from callgate.endpoint.sockets import LocalNetwork

        yield LocalNetwork()
        return
    import testinfra

    from callgate.endpoint.interactive import relay_from
    from callgate.evidence.backends import host_uri
    from callgate.evidence.logins import SharedLogins

    with SharedLogins() as logins:
        host = testinfra.get_host(logins.shared(host_uri(vantage)), ssh_config=str(logins.config()))
        async with relay_from(host, vantage) as network:
            yield network
            await network.confirm()  # a vantage that went away is silent too


async def _attempt(
    action: str,
    application: str,
    transport: Transport,
    remote: TransportAddress,
    tls: TlsOptions | None,
    options: dict[str, Any],
) -> Attempt:
    more: dict[str, Any] = {"tls": tls}
    if application == "sccp":
        who: Any = sccp_phone.Identity(device_name=options["device"], version=options["version"])
        phones: Any = sccp_phone
    else:
        if options.get("enbloc"):
            raise UsageMistake("--enbloc is for SCCP phones: SIP always sends the whole number")
        who = sip_phone.Account(user=options["user"], password=_password(options), domain=options["domain"])
        phones, more["transport"] = sip_phone, transport
    async with _network(options["vantage"]) as network:
        if action == "register":
            attempt: Attempt = await phones.register_once(network, remote, who, stay=options["stay"], **more)
        elif action == "call":
            if application == "sccp":
                more["enbloc"] = options["enbloc"]
            attempt = await phones.call_once(
                network, remote, who, options["number"], seconds=options["seconds"], **more
            )
        else:
            attempt = await phones.answer_once(
                network, remote, who, within=options["within"], seconds=options["seconds"], **more
            )
    return attempt


def _as_text(attempt: Attempt, verbose: bool) -> str:
    by = f" ({attempt.source})" if attempt.source else ""
    lines = [f"{attempt.ending}{by}: {attempt.text}"]
    if attempt.registration is not None:
        terms = attempt.registration
        version = "" if terms.protocol_version is None else f", protocol version {terms.protocol_version}"
        server = f", server {terms.server}" if terms.server else ""
        lines.append(
            f"registered in {attempt.milliseconds} ms, to come again every {terms.interval_seconds} s{version}{server}"
        )
    if attempt.call is not None:
        made = attempt.call
        audio = f"{made.audio.sent} packets sent, {made.audio.received} received, {made.audio.echoed} of them our own"
        lines.append(f"{made.codec or 'no codec'} with {made.far_end or 'nobody'} for {made.seconds:.1f} s: {audio}")
    return "\n".join(lines + ([f"  {line}" for line in attempt.transcript] if verbose else []))


def _as_object(attempt: Attempt) -> dict[str, object]:
    terms, made = attempt.registration, attempt.call
    return {
        "ending": str(attempt.ending),
        "text": attempt.text,
        "source": str(attempt.source) if attempt.source else None,
        "milliseconds": attempt.milliseconds,
        "registration": None
        if terms is None
        else {
            "interval_seconds": terms.interval_seconds,
            "protocol_version": terms.protocol_version,
            "server": terms.server,
        },
        "call": None
        if made is None
        else {
            "number": made.number,
            "far_end": str(made.far_end) if made.far_end else None,
            "codec": made.codec,
            "seconds": made.seconds,
            "sent": made.audio.sent,
            "received": made.audio.received,
            "echoed": made.audio.echoed,
            "stray": made.audio.stray,
        },
        "transcript": list(attempt.transcript),
    }
