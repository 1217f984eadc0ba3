"""`callgate lab`: real hosts in network namespaces, to try an audit on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Literal, NoReturn

import click

from callgate.errors import LabError

_MARK = "callgate-lab"


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

    enter_user_namespace()
    # On SIGTERM too the lab closes properly: the exception passes through its `with`.
    signal.signal(signal.SIGTERM, _end)
    with Lab() as built:
        started = start_servers(built.pbx)
        apply_firewall(built.pbx, firewall)
        site = write_site(built, started)
        click.echo(f"the PBX runs {' and '.join(started.running)}; firewall: {firewall}")
        click.echo(f"  callgate audit {built.pbx.uri} --site {site}")
        if sshd_unavailable() is None:
            sshd = start_sshd(built.pbx)
            click.echo(f"  callgate audit ssh://{sshd.alias} --ssh-config {sshd.ssh_config} --site {site}")
        click.echo(f"  nsenter --target {built.stranger.pid} --net --mount --pid sh     be the stranger")
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


def _state() -> Path:
    """Where labs leave their process ids: a folder of this user alone."""
    base = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"  # noqa: S108 - made private and checked below
    folder = Path(base) / f"{_MARK}-{os.getuid()}"
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
