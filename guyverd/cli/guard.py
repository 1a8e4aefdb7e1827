"""Turns whatever goes wrong in a command into one line on standard error and an exit code."""

from __future__ import annotations

import os
import traceback
from typing import Any

import click

from guyverd.cli import output
from guyverd.errors import GuyverError

DEBUG = "GUYVERD_DEBUG"
INTERRUPTED = 130
READER_GONE = 141
"""What the shell reports of any program that SIGPIPE ended."""


class Guarded(click.Group):
    """A group of commands in which nothing escapes as a traceback, unless $GUYVERD_DEBUG is set."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line, on streams that can take any character."""
        output.prepare_streams()
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """In the order of use, not of the alphabet."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exits with the code of what went wrong."""
        try:
            try:
                result = super().invoke(ctx)
            except output.ReaderGone:
                raise
            except BaseException:
                output.flush()  # what came before the error belongs before it
                raise
            output.flush()
        except (click.ClickException, click.exceptions.Exit):
            raise
        except output.ReaderGone:
            output.discard()
            ctx.exit(READER_GONE)
        except (KeyboardInterrupt, click.Abort):  # click makes one of the other while it asks for a line
            output.fail("interrupted.")
            ctx.exit(INTERRUPTED)
        except GuyverError as error:
            if isinstance(error, output.OutputLost):
                output.discard()
            _trace()
            output.fail(error.message, error.advice)
            ctx.exit(error.exit_code)
        except Exception as error:
            _trace()
            what = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
            output.fail(f"unexpected {what}.", f"Run it again with {DEBUG}=1 in the environment for the traceback.")
            ctx.exit(1)
        return result


def _trace() -> None:
    if os.environ.get(DEBUG, "0") not in ("", "0"):
        for line in traceback.format_exc().splitlines():
            output.note(line)
