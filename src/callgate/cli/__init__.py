"""The command line. Each command's code is imported when it is called: `callgate --help` loads click alone."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any

import click

from callgate import __version__
from callgate.errors import CallgateError, FileMistakes, NotDetermined

_COMMANDS = {
    "audit": ("callgate.cli.audit", "audit"),
    "baseline": ("callgate.cli.baseline", "baseline"),
    "change": ("callgate.cli.change", "change"),
    "collect": ("callgate.cli.collect", "collect"),
    "completion": ("callgate.cli.completion", "completion"),
    "decode": ("callgate.cli.decode", "decode"),
    "diff": ("callgate.cli.diff", "diff"),
    "lab": ("callgate.cli.lab", "lab"),
    "phone": ("callgate.cli.phone", "phone"),
    "probe": ("callgate.cli.probe", "probe"),
    "reach": ("callgate.cli.reach", "reach"),
    "remedy": ("callgate.cli.remedy", "remedy"),
    "trace": ("callgate.cli.trace", "trace"),
}
_SUMMARIES = {
    "audit": "Audit hosts against a baseline.",
    "baseline": "List, show and check baselines, sites and waivers.",
    "change": "Change a host's rules, and take it back if that does harm.",
    "collect": "Collect a host's evidence into a bundle.",
    "completion": "Print the shell's completion script.",
    "decode": "Print the SCCP messages of a capture.",
    "diff": "Say what a change means: who gained and lost access.",
    "lab": "Real test hosts in network namespaces.",
    "phone": "A test phone that registers, calls and answers.",
    "probe": "Say what answers on hosts and networks.",
    "reach": "Show who can reach each service, through which rules.",
    "remedy": "Write the change that closes what was found.",
    "trace": "Show what happens to single packets.",
}

EXIT_CODES = """\b
Exit codes:
  0  everything holds or is waived
  1  something fails
  2  usage, baseline or site file is wrong
  3  nothing fails, but something could not be determined"""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports each only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of the commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and print all it said; 3 when that cannot be printed: its end was not seen.

        A reader that went away, like `| head`, is no error of the audit's; click would exit with 1, "something fails".
        """
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ENOSPC):
                raise
            # What is still buffered would fail again as the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            if error.errno == errno.ENOSPC:
                click.echo(f"callgate: what was found could not be written: {error.strerror}", err=True)
            raise click.exceptions.Exit(3) from None
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _SUMMARIES[name]) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="callgate")
def cli() -> None:
    """Prove that a VoIP call-control host is closed to strangers and open to its phones.

    \b
    Examples:
      callgate audit                                this machine, baseline voip-core
      callgate audit ssh://root@pbx1 --site site.yaml --junit report.xml
      callgate collect ssh://pbx1 --out pbx1/       evidence now, verdicts later:
      callgate audit bundle://pbx1/
      callgate lab demo                             the story, on real hosts in namespaces
    """


def main() -> None:
    """Run the command line; a user's mistake is one clear line on stderr, never a traceback."""
    try:
        result: Any = cli.main(prog_name="callgate", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("callgate: interrupted: nothing is certain", err=True)
        sys.exit(3)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except FileMistakes as error:
        for mistake in error.mistakes:
            click.echo(str(mistake), err=True)
        sys.exit(2)
    except NotDetermined as error:
        click.echo(f"callgate: {error}", err=True)
        sys.exit(3)
    except CallgateError as error:
        click.echo(f"callgate: {error}", err=True)
        sys.exit(2)
    sys.exit(result if isinstance(result, int) else 0)
