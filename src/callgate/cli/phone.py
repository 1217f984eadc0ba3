"""`callgate phone`: a test phone that registers, calls and answers, over SCCP or SIP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_Decorated = Callable[..., Any]
EXAMPLES_OF_ENDINGS = """\b
Exit codes:
  0  registered; or called, with audio both ways
  1  it did not: rejected, refused, silent, garbled ... (the ending is printed)
  2  usage is wrong
  3  nothing was learnt: no way out of the machine the phone speaks from"""


def _options(command: _Decorated) -> _Decorated:
    """The options that every phone has."""
    for option in reversed(
        (
            click.option("--device", metavar="NAME", help="An SCCP phone of this device name, like SEP001122334455."),
            click.option(
                "--version",
                type=click.IntRange(0, 22),
                default=17,
                show_default=True,
                help="SCCP: the newest protocol version it speaks.",
            ),
            click.option("--user", metavar="NAME", help="A SIP phone of this user."),
            click.option("--password-env", metavar="VARIABLE", help="SIP: the environment variable with its password."),
            click.option(
                "--password-file",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="SIP: the file with its password.",
            ),
            click.option("--domain", metavar="NAME", help="SIP: the domain of its address (default: the server's)."),
            click.option(
                "--transport",
                type=click.Choice(["udp", "tcp", "tls"]),
                help="How it speaks (default: tcp for SCCP, udp for SIP).",
            ),
            click.option("--tls", is_flag=True, help="The same as --transport tls."),
            click.option(
                "--ca", type=click.Path(path_type=Path), metavar="FILE", help="Who may sign the server's certificate."
            ),
            click.option(
                "--cert", type=click.Path(path_type=Path), metavar="FILE", help="TLS: the phone's own certificate."
            ),
            click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="TLS: its key."),
            click.option("--server-name", metavar="NAME", help="The name the server's certificate must have."),
            click.option("--insecure", is_flag=True, help="Take any certificate."),
            click.option(
                "--from", "vantage", metavar="HOST", help="Speak from this host (ssh://user@host ...) instead of here."
            ),
            click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text."),
            click.option("-v", "--verbose", is_flag=True, help="Print each message as well."),
        )
    ):
        command = option(command)
    return command


@click.group(epilog=EXAMPLES_OF_ENDINGS)
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
    type=click.FloatRange(0, 3600),
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
    type=click.FloatRange(0.2, 3600),
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
    type=click.FloatRange(1, 3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a call.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.2, 3600),
    default=None,
    help="Hang up after so long; without it, when the caller does.",
)
def answer(server: str, **options: Any) -> int:
    """Register with SERVER, answer one call, send its audio back, and leave."""
    from callgate.cli.phoning import run_phone

    return run_phone("answer", server, **options)
