"""What `callgate phone` does once its options are read."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final

import click

from callgate.cli.phone_lines import as_object, as_text
from callgate.endpoint import sccp_phone, sip_phone
from callgate.endpoint.attempt import Attempt, AttemptFailed, Ending
from callgate.endpoint.exchange import Transport
from callgate.endpoint.network import Network, TransportAddress
from callgate.endpoint.probe.resolving import resolve
from callgate.endpoint.probe.target import parse_target
from callgate.endpoint.relay.program import LIFE_SECONDS
from callgate.endpoint.sccp_phone.dialling import checked
from callgate.endpoint.sip_phone.password import password_in_file, password_in_variable
from callgate.endpoint.tls import TlsOptions, check_files
from callgate.errors import NotDetermined, UsageMistake

_PORTS: Final = {("sccp", False): 2000, ("sccp", True): 2443, ("sip", False): 5060, ("sip", True): 5061}
LONGEST_NUMBER: Final = 128
LONGEST_AT_VANTAGE: Final = LIFE_SECONDS - 120

_Act = Callable[[Network, TransportAddress], Awaitable[Attempt]]


def run_phone(action: str, server: str, **options: Any) -> int:
    """Do it, print it, and return the exit code. Raises UsageMistake, and NotDetermined for a name or a vantage."""
    application = _application(options)
    transport = _transport(application, options)
    _check_time(options)
    act = _phone(action, application, transport, options)
    remote = _server(server, _PORTS[application, transport is Transport.TLS], _families(options))
    _tell_wait(action, options)
    try:
        attempt = asyncio.run(_leaving_when_told(_attempt(act, remote, options)))
    except AttemptFailed as lost:  # the vantage
        attempt = Attempt(ending=lost.ending, text=lost.text)
    except asyncio.CancelledError:
        return 3
    way = f"{remote}, {application.upper()} over {transport.upper()}"
    click.echo(as_object(attempt) if options["as_json"] else as_text(attempt, way, verbose=options["verbose"]))
    if attempt.ending is Ending.DONE:
        return 0
    return 3 if attempt.ending in (Ending.NO_ROUTE, Ending.FAILED_HERE) else 1


async def _leaving_when_told(attempt: Coroutine[Any, Any, Attempt]) -> Attempt:
    """Its result; at the first signal it is cancelled, and takes its time to leave.

    More signals change nothing: a second Ctrl-C would keep the phone from unregistering, which takes seconds only.
    """
    task = asyncio.create_task(attempt)
    told = False

    def leave() -> None:
        nonlocal told
        if not told:
            told = True
            click.echo("callgate: interrupted: the phone leaves", err=True)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1)
            asyncio.get_running_loop().add_signal_handler(number, leave)
    return await task


def _check_time(options: dict[str, Any]) -> None:
    """Raises UsageMistake for what lasts longer than a vantage serves a phone."""
    seconds = sum(options.get(name) or 0.0 for name in ("stay", "within", "seconds"))
    if options["vantage"] is not None and seconds > LONGEST_AT_VANTAGE:
        raise UsageMistake(f"--from: a phone can stay at a vantage for {LONGEST_AT_VANTAGE} s, not {seconds:g} s")


def _tell_wait(action: str, options: dict[str, Any]) -> None:
    """Say on a terminal that nothing hangs."""
    if sys.stderr is None or not sys.stderr.isatty():
        return
    if action == "answer":
        click.echo(f"waiting for a call, {options['within']:g} s at most; Ctrl-C ends it", err=True)
    elif options.get("stay"):
        click.echo(f"staying for {options['stay']:g} s; Ctrl-C ends it", err=True)


def _application(options: dict[str, Any]) -> str:
    if (options["device"] is None) == (options["user"] is None):
        raise UsageMistake("give either --device NAME (an SCCP phone) or --user NAME (a SIP phone)")
    if options["device"] is None:
        for name in ("version", "enbloc"):
            if options.get(name):
                raise UsageMistake(f"--{name} is for SCCP phones (--device)")
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


def _families(options: dict[str, Any]) -> frozenset[int]:
    if options["only_4"] and options["only_6"]:
        raise UsageMistake("-4 and -6 exclude each other")
    return frozenset({4} if options["only_4"] else {6} if options["only_6"] else {4, 6})


def _server(text: str, port: int, families: frozenset[int]) -> TransportAddress:
    """An address or name with or without a port, as `callgate probe` takes them. A name stands for its first address.

    Raises UsageMistake, and NotDetermined for a name without an address.
    """
    target = parse_target(text)
    if isinstance(target.where, IPv4Network | IPv6Network):
        raise UsageMistake(f"{target.text}: one server is expected, not a network")
    if isinstance(target.where, str):
        found = resolve([target.where])[target.where]
        if isinstance(found, str):
            raise NotDetermined(f"{target.text}: {found}")
        addresses = [address for address in found if address.version in families]
        if not addresses:
            raise NotDetermined(f"{target.text}: the name has no IPv{min(families)} address")
        address = addresses[0]
    elif target.where.version not in families:
        raise UsageMistake(f"{target.text}: not an IPv{min(families)} address")
    else:
        address = target.where
    return TransportAddress(address, target.port or port)


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
        return password_in_variable(variable)
    return None if path is None else password_in_file(path)


@asynccontextmanager
async def _network(vantage: str | None, ssh_config: str | None) -> AsyncIterator[Network]:
    if vantage is None:
        from callgate.endpoint.sockets import LocalNetwork

        yield LocalNetwork()
        return
    import testinfra

    from callgate.endpoint.relay.interactive import relay_from
    from callgate.evidence.backends import host_uri
    from callgate.evidence.logins import SharedLogins

    with SharedLogins() as logins:
        host = testinfra.get_host(logins.shared(host_uri(vantage)), ssh_config=str(logins.config(ssh_config)))
        async with relay_from(host, vantage) as network:
            yield network
            await network.confirm()  # a vantage that went away is silent too


async def _attempt(act: _Act, remote: TransportAddress, options: dict[str, Any]) -> Attempt:
    async with _network(options["vantage"], options["ssh_config"]) as network:
        return await act(network, remote)


def _phone(action: str, application: str, transport: Transport, options: dict[str, Any]) -> _Act:
    """What is to be done, all of it checked. Raises UsageMistake."""
    more: dict[str, Any] = {"tls": _tls(options) if transport is Transport.TLS else None}
    phones: Any
    if application == "sccp":
        offered = {} if options["version"] is None else {"version": options["version"]}
        who: Any = sccp_phone.Identity(device_name=options["device"], **offered)
        phones = sccp_phone
    else:
        try:
            who = sip_phone.Account(user=options["user"], password=_password(options), domain=options["domain"])
        except ValueError as error:
            raise UsageMistake(str(error)) from None
        phones, more["transport"] = sip_phone, transport
    if action == "register":
        return lambda network, remote: phones.register_once(network, remote, who, stay=options["stay"], **more)
    more["seconds"] = options["seconds"]
    if action == "answer":
        return lambda network, remote: phones.answer_once(network, remote, who, within=options["within"], **more)
    number = options["number"]
    if application == "sccp":
        more["enbloc"] = options["enbloc"]
        checked(number, enbloc=options["enbloc"])
    elif not (0 < len(number) <= LONGEST_NUMBER and number.isprintable()):
        raise UsageMistake(f"{number[:40]!a} cannot be dialled: 1 to {LONGEST_NUMBER} printable characters")
    return lambda network, remote: phones.call_once(network, remote, who, number=number, **more)
