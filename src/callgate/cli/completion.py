"""`callgate completion`: the script a shell reads to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(epilog="\b\nExample:\n  callgate completion bash > ~/.local/share/bash-completion/completions/callgate")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL."""
    from callgate.cli import cli

    kind = get_completion_class(shell)
    if kind is None:  # click.Choice admits click's own shells only
        raise click.UsageError(f"{shell}: click completes no such shell")
    # The script itself, not kind.source(): that one asks the running bash for its version first.
    maker = kind(cli, {}, "callgate", "_CALLGATE_COMPLETE")
    click.echo(maker.source_template % maker.source_vars())
