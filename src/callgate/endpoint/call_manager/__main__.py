"""The lab's call manager as a program.

python -m callgate.endpoint.call_manager --listen '*:2000' --device SEP001122334455=1001 --echo 600
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import ssl
import sys
from collections.abc import Sequence

from callgate.endpoint.call_manager.profile import PROFILES
from callgate.endpoint.call_manager.serve import CallManagerServer
from callgate.endpoint.call_manager.settings import Settings, device
from callgate.errors import UsageMistake

CRASHED = 1
"""The exit code when the server it imitates has crashed."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m callgate.endpoint.call_manager",
        description="A small SCCP call manager for tests and demonstrations.",
        epilog="Prints `ready ADDRESS:PORT ...` when it listens, then a line for each event; ended by SIGTERM.",
    )
    made.add_argument("--listen", action="append", metavar="ADDRESS:PORT", help="may be repeated (default *:2000)")
    made.add_argument("--tls-listen", action="append", metavar="ADDRESS:PORT", default=[], help="the same, with TLS")
    made.add_argument("--certificate", metavar="FILE", help="the server's certificate (PEM)")
    made.add_argument("--key", metavar="FILE", help="its private key (PEM), when in a file of its own")
    made.add_argument("--client-ca", metavar="FILE", help="phones must show a certificate of this CA (PEM)")
    made.add_argument("--device-interface", metavar="NAME", help="take only what comes in through this interface")
    made.add_argument("--device", action="append", metavar="NAME=EXTENSION", default=[], help="may be repeated")
    made.add_argument("--echo", metavar="EXTENSION", default="600", help="sends audio back; '' for none (%(default)s)")
    made.add_argument("--rtp", metavar="FIRST-LAST", type=ports, help="UDP ports of the echo (any)")
    made.add_argument("--profile", choices=PROFILES, default="plain", help="whom to imitate (%(default)s)")
    made.add_argument("--open", action="store_true", help="register unknown devices too")
    made.add_argument("--version", type=int, default=22, help="highest protocol version (%(default)s)")
    made.add_argument("--keepalive", type=int, metavar="SECONDS", help="between keepalives (the profile's)")
    made.add_argument("--patience", type=float, metavar="SECONDS", help="without a keepalive (the profile's)")
    made.add_argument("--idle", type=float, metavar="SECONDS", help="without a registration (the profile's)")
    made.add_argument("--ring", type=float, metavar="SECONDS", default=60.0, help="a phone rings (%(default)s)")
    made.add_argument("--time-scale", type=float, metavar="FACTOR", default=1.0, help="of all time-outs (%(default)s)")
    made.add_argument("--connections", type=int, metavar="NUMBER", default=2000, help="served at once (%(default)s)")
    return made


def ports(text: str) -> range:
    """A range like 16384-32767; ValueError if it holds no even port."""
    first, _, last = text.partition("-")
    found = range(int(first), int(last) + 1)
    if not (found.start > 0 and found.stop <= 65536 and any(port % 2 == 0 for port in found[:2])):
        raise ValueError(f"{text}: no range of ports")
    return found


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings a command line asks for; UsageMistake if they cannot be."""
    devices = [device(text) for text in arguments.device]
    names = [name for name, _ in devices]
    if len(set(names)) < len(names):
        raise UsageMistake("a device is given twice")
    return Settings(
        devices=dict(devices),
        echo=arguments.echo,
        open=arguments.open,
        version=arguments.version,
        keepalive=arguments.keepalive,
        patience=arguments.patience,
        idle=arguments.idle,
        ring=arguments.ring,
        time_scale=arguments.time_scale,
        connections=arguments.connections,
    )


def tls_of(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    """The TLS a command line asks for."""
    if arguments.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.certificate, arguments.key)
    if arguments.client_ca is not None:
        context.load_verify_locations(arguments.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal comes, or the server it imitates crashes; the exit code."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    listen = arguments.listen or ([] if arguments.tls_listen else ["*:2000"])
    server = CallManagerServer(
        settings_of(arguments),
        PROFILES[arguments.profile],
        listen=listen,
        tls_listen=arguments.tls_listen,
        tls=tls_of(arguments),
        interface=arguments.device_interface,
        rtp=arguments.rtp,
        log=_print,
    )
    async with server:
        _print(server.ready_line)
        waits = [asyncio.create_task(ended.wait()), asyncio.create_task(server.wait_crashed())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
    return CRASHED if server.manager.crashed else 0


def _print(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and serve; 2 when it, a file or a socket is wrong."""
    made = parser()
    arguments = made.parse_args(argv)
    try:
        return asyncio.run(run(arguments))
    except (OSError, ValueError, UsageMistake) as error:
        made.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
