"""`callgate lab`: real hosts in network namespaces, to try an audit on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import click

from callgate.errors import LabError

if TYPE_CHECKING:
    from callgate.lab.call_control import CallControl
    from callgate.lab.topology import Lab

_MARK = "callgate-lab"
_USER = "_CALLGATE_LAB_USER"
"""Environment variable: who began it, as in a user namespace one is root."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def lab() -> None:
    """Build real test hosts in network namespaces: a PBX, a phone network, a stranger.

    Nothing outside the namespaces is touched. Without root a user namespace is used, where the kernel allows it.
    """


@lab.command()
@click.option("--verbose", "-v", is_flag=True, help="Print each audit's whole table.")
def demo(verbose: bool) -> int:
    """Show the story: exposed; the usual remedy; still exposed on 2000/tcp; the right remedy; all green."""
    from callgate.cli.demo import tell
    from callgate.lab.availability import enter_user_namespace

    enter_user_namespace()
    return tell(verbose)


@lab.command(
    epilog="""\b
Example:
  callgate lab up --firewall usual &
  callgate audit nsenter://PID --site SITE      as printed"""
)
@click.option(
    "--firewall",
    type=click.Choice(["none", "usual", "right"]),
    default="none",
    show_default=True,
    help="Rules on the PBX.",
)
@click.option("--minutes", type=click.IntRange(1, 24 * 60), default=60, show_default=True, help="End by itself after.")
def up(firewall: Literal["none", "usual", "right"], minutes: int) -> int:
    """Build the lab and keep it until Ctrl-C, `callgate lab down`, or its time is over."""
    from callgate.lab.availability import enter_user_namespace
    from callgate.lab.call_control import apply_firewall, start_servers, write_site
    from callgate.lab.sshd import sshd_unavailable, start_sshd
    from callgate.lab.topology import Lab

    os.environ.setdefault(_USER, str(os.getuid()))
    enter_user_namespace()
    # On SIGTERM too the lab closes properly: the exception passes through its `with`.
    signal.signal(signal.SIGTERM, _end)
    with Lab() as built:
        started = start_servers(built.pbx)
        apply_firewall(built.pbx, firewall)
        site = write_site(built, started)
        click.echo(f"the PBX runs {' and '.join(started.running)}; firewall: {firewall}")
        if _user() != str(os.getuid()):
            click.echo("it is in a user namespace: enter that first, then the rest works")
            click.echo(f"  nsenter --target {os.getpid()} --user --preserve-credentials sh")
        click.echo(f"  callgate audit {built.pbx.uri} --site {site}")
        if sshd_unavailable() is None:
            sshd = start_sshd(built.pbx)
            click.echo(f"  callgate audit ssh://{sshd.alias} --ssh-config {sshd.ssh_config} --site {site}")
        for line in _phone_lines(built, started):
            click.echo(f"  {line}")
        click.echo(f"the stranger is --from {built.stranger.uri}; to be it, or the phone network:")
        for host in (built.stranger, built.trusted):
            click.echo(f"  nsenter --target {host.pid} --net --mount --pid sh")
        click.echo("end it with Ctrl-C or: callgate lab down")
        sys.stdout.flush()
        _state().joinpath(str(os.getpid())).touch()
        try:
            threading.Event().wait(minutes * 60)
        except KeyboardInterrupt:
            click.echo("ending")
        finally:
            _state().joinpath(str(os.getpid())).unlink(missing_ok=True)
    return 0


def _phone_lines(built: Lab, started: CallControl) -> Iterator[str]:
    """Commands of the phones that the lab's servers know, at the phone network."""
    from callgate.lab.call_control import DEVICES, ECHO, SIP_USERS

    server, vantage = built.pbx.addresses["eth0"][0].ip, f"--from {built.trusted.uri}"
    yield f"callgate probe {server} {vantage}"
    yield from (f"callgate phone call {server} {ECHO} --device {device} {vantage}" for device in DEVICES)
    caller, called = SIP_USERS
    if started.passwords:
        for deed, user, background in ((f"answer {server}", called, " &"), (f"call {server} {called}", caller, "")):
            password = built.directory / f"{user}.password"
            yield f"callgate phone {deed} --user {user} --password-file {password} {vantage}{background}"


@lab.command()
def down() -> int:
    """End the labs that `callgate lab up` of this user keeps."""
    ended = 0
    for entry in sorted(_state().iterdir()):
        if entry.name.isdigit() and _is_lab(int(entry.name)):
            os.kill(int(entry.name), signal.SIGTERM)
            ended += 1
        entry.unlink(missing_ok=True)
    click.echo(f"{ended} lab{'' if ended == 1 else 's'} told to end")
    return 0


def _end(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _user() -> str:
    """The id of the user outside of the user namespace that `up` may have entered."""
    kept = os.environ.get(_USER, "")
    return kept if kept.isdecimal() else str(os.getuid())


def _state() -> Path:
    """Where labs leave their process ids: a folder of this user alone."""
    base = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"  # noqa: S108 - made private and checked below
    folder = Path(base) / f"{_MARK}-{_user()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    details = folder.lstat()
    if folder.is_symlink() or details.st_uid != os.getuid() or details.st_mode & 0o077:
        raise LabError(f"{folder} is not a private folder of this user: remove it")
    return folder


def _is_lab(pid: int) -> bool:
    """Whether the process is one of ours: ids are used again."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"lab" in words and b"up" in words and any(b"callgate" in word for word in words)
