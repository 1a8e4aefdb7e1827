"""`guyverd completion`: the script that lets a shell complete commands, options, people's names and file names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class

from guyverd.cli import output, session

if TYPE_CHECKING:
    from guyverd.config import Config

SHELLS = ("bash", "zsh", "fish")

_BASH = r"""
%(complete_func)s() {
    local IFS=$'\n' type value response word=${COMP_WORDS[COMP_CWORD]}
    response=$(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete $1)
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                case $word in
                    '"'*) value=$(printf '%%s' "$value" | sed 's/[\\"$`]/\\&/g') ;;
                    "'"*) value=$(printf '%%s' "$value" | sed "s/'/'\\\\''/g") ;;
                    *) printf -v value %%q "$value" ;;
                esac
                COMPREPLY+=("$value") ;;
        esac
    done <<< "$response"
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
"""Names have blanks: each is given as it must be typed, also behind a quote that was opened, which readline closes."""


class _Bash(BashComplete):
    """bash, with the script above instead of click's, which quotes nothing."""

    source_template = _BASH


add_completion_class(_Bash)


def people(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001  click's
    """Names that begin like that, upper and lower case alike."""
    return _names(ctx, incomplete)


def shown_people(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """The same of those who are not hidden."""
    return _names(ctx, incomplete, hidden=False)


def hidden_people(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """The same of those who are hidden."""
    return _names(ctx, incomplete, hidden=True)


def people_if_asked(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Names where --people was given; else it is faces that are meant, and files may show them."""
    return _names(ctx, incomplete) if ctx.params.get("people") else _files(incomplete)


def faces(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """A face may be told by a file."""
    return _files(incomplete)


def follows(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Names of saved searches that begin like that."""
    return _begun(ctx, incomplete, session.follow_names)


def _files(incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


def _names(ctx: click.Context, incomplete: str, *, hidden: bool | None = None) -> list[CompletionItem]:
    return _begun(ctx, incomplete, lambda config: session.names(config, hidden=hidden))


def _begun(ctx: click.Context, incomplete: str, names: Callable[[Config], list[str]]) -> list[CompletionItem]:
    wanted = incomplete.casefold()
    try:
        found = names(session.Session(ctx.find_root().params.get("config")).config)
    except Exception:  # whatever it is, a shell that completes a word is not the place to tell it
        return []
    # A name of several lines would end the answer early.
    return [CompletionItem(name) for name in found if name.isprintable() and name.casefold().startswith(wanted)]


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    It only needs to be read by your shell when it starts. Names of people are completed too.

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
