"""`callgate phone`: a test phone that registers, calls and answers, over SCCP or SIP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from callgate.cli.seconds import Seconds

_Decorated = Callable[..., Any]
ENDINGS = """\b
A SERVER is a name (its first address is taken), an IPv4 or IPv6 address, NAME:PORT, IPv4:PORT or
[IPv6]:PORT. Without a port: SCCP 2000, over TLS 2443; SIP 5060, over TLS 5061.

\b
Endings:
  done          registered; or called, with audio both ways
  rejected      the server said no: unknown device, wrong password, busy, no such number ...
  one-way, no-audio    the call stood, but not the audio
  silent        connected, but no answer; also: nobody picked up, no call came
  closed, reset        the server ended the connection
  garbled       what came is not the protocol, or breaks it
  tls-failed    no TLS session, or a certificate that is not trusted
  refused, unreachable, no-reply    kept out, or nothing is there
  no-route, failed-here    nothing was learnt: no way out of the machine the phone speaks from

\b
Exit codes:
  0  done
  1  another ending
  2  usage is wrong
  3  nothing was learnt: no-route, failed-here, a name that does not resolve, interrupted"""


def _options(command: _Decorated) -> _Decorated:
    """The options that every phone has."""
    for option in reversed(
        (
            click.option("--device", metavar="NAME", help="An SCCP phone of this device name, like SEP001122334455."),
            click.option(
                "--version",
                type=click.IntRange(0, 22),
                help="SCCP: the newest protocol version it speaks.  [default: 17]",
            ),
            click.option("--user", metavar="NAME", help="A SIP phone of this user."),
            click.option("--password-env", metavar="VARIABLE", help="SIP: the environment variable with its password."),
            click.option(
                "--password-file",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="SIP: the file with its password, on one line.",
            ),
            click.option("--domain", metavar="NAME", help="SIP: the domain of its address (default: the server's)."),
            click.option(
                "--transport",
                type=click.Choice(["udp", "tcp", "tls"]),
                help="How it speaks (default: tcp for SCCP, udp for SIP).",
            ),
            click.option("--tls", is_flag=True, help="The same as --transport tls."),
            click.option(
                "--ca",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="TLS: who may sign the server's certificate (default: the system's authorities).",
            ),
            click.option(
                "--cert", type=click.Path(path_type=Path), metavar="FILE", help="TLS: the phone's own certificate."
            ),
            click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="TLS: its key."),
            click.option(
                "--server-name",
                metavar="NAME",
                help="TLS: the name the server's certificate must have (default: the address).",
            ),
            click.option("--insecure", is_flag=True, help="TLS: take any certificate."),
            click.option(
                "--from", "vantage", metavar="HOST", help="Speak from this host (ssh://user@host ...) instead of here."
            ),
            click.option("--ssh-config", type=click.Path(exists=True, dir_okay=False), help="ssh_config file to use."),
            click.option("-4", "only_4", is_flag=True, help="IPv4 only."),
            click.option("-6", "only_6", is_flag=True, help="IPv6 only."),
            click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text."),
            click.option("-v", "--verbose", is_flag=True, help="Print each message as well."),
        )
    ):
        command = option(command)
    return command


@click.group(epilog=ENDINGS)
def phone() -> None:
    """A test phone: it registers, calls and answers like a real one, and always leaves.

    Give it a device name or an account that is its own. A call manager that sees a name twice may throw both phones
    out.
    """


@phone.command(
    epilog="""\b
Examples:
  callgate phone register pbx1 --device SEP001122334455
  callgate phone register 192.0.2.10:2443 --device SEP001122334455 --tls --ca ca.pem
  callgate phone register pbx1 --user 4711 --password-env SIP_PASSWORD --transport tcp
  callgate phone register pbx1 --device SEP001122334455 --from ssh://probe@10.1.1.9"""
)
@click.argument("server", metavar="SERVER[:PORT]")
@_options
@click.option(
    "--stay",
    type=Seconds(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="Stay registered for so long before leaving.",
)
def register(server: str, **options: Any) -> int:
    """Register with SERVER, and leave again."""
    from callgate.cli.phoning import run_phone

    return run_phone("register", server, **options)


@phone.command(
    epilog="""\b
Examples:
  callgate phone call pbx1 600 --device SEP001122334455
  callgate phone call pbx1 600 --user 4711 --password-file secret --seconds 5 --json"""
)
@click.argument("server", metavar="SERVER[:PORT]")
@click.argument("number")
@_options
@click.option(
    "--seconds",
    type=Seconds(0.2, 3600),
    default=3.0,
    show_default=True,
    help="How long to talk.",
)
@click.option("--enbloc", is_flag=True, help="SCCP: send the number in one message instead of key by key.")
def call(server: str, number: str, **options: Any) -> int:
    """Register with SERVER, call NUMBER, count audio both ways, hang up and leave.

    The phone sends a tone of its own, so that an extension that echoes is told from one that plays something.
    """
    from callgate.cli.phoning import run_phone

    return run_phone("call", server, number=number, **options)


@phone.command(
    epilog="""\b
Example:
  callgate phone answer pbx1 --device SEP001122334455 --within 120"""
)
@click.argument("server", metavar="SERVER[:PORT]")
@_options
@click.option(
    "--within",
    type=Seconds(1, 3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a call.",
)
@click.option(
    "--seconds",
    type=Seconds(0.2, 3600),
    default=None,
    help="Hang up after so long; without it, when the caller does.",
)
def answer(server: str, **options: Any) -> int:
    """Register with SERVER, answer one call, send its audio back, and leave."""
    from callgate.cli.phoning import run_phone

    return run_phone("answer", server, **options)
