"""`guyverd completion`: the script that lets a shell complete commands, options and file names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from guyverd.cli import output

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    It only needs to be read by your shell when it starts.

    \b
    Examples:
      guyverd completion bash > ~/.local/share/bash-completion/completions/guyverd
      guyverd completion zsh > ~/.zfunc/_guyverd      (with fpath+=~/.zfunc before compinit in ~/.zshrc)
      guyverd completion fish > ~/.config/fish/completions/guyverd.fish
    """
    maker = get_completion_class(shell)
    assert maker is not None
    script = maker(ctx.find_root().command, {}, "guyverd", "_GUYVERD_COMPLETE").source()
    for line in script.strip().splitlines():
        output.say(line)
