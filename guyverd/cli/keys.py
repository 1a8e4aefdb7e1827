"""Single keys from a terminal."""

from __future__ import annotations

import contextlib
import os
import termios
import tty
from collections.abc import Iterator

_ENDS = "q"


class Keys:
    """Takes keys one by one, in small letters, from a terminal that shows none of them meanwhile.

    The terminal is put into that state once and not for each key: what is typed in between is neither lost nor shown.
    """

    def __init__(self, terminal: int) -> None:
        """`terminal` is a file descriptor. Raises OSError or termios.error for what is no terminal."""
        self._terminal = terminal
        self._before = termios.tcgetattr(terminal)
        self._ahead = ""

    def __enter__(self) -> Keys:
        tty.setcbreak(self._terminal, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)

    def next(self) -> str:
        """Wait for a key; q where the terminal is gone."""
        if not self._ahead:
            with contextlib.suppress(OSError):
                self._ahead = os.read(self._terminal, 64).decode("utf-8", "replace")
            self._ahead = self._ahead or _ENDS
        if self._ahead.startswith("\x1b"):
            # Escape, or a key without a letter, which comes as a row of characters.
            key, self._ahead = self._ahead, ""
        else:
            key, self._ahead = self._ahead[0], self._ahead[1:]
        return key.lower()

    def one_of(self, keys: str) -> str:
        """Wait for one of these."""
        while (key := self.next()) not in keys:
            pass
        return key

    def forget(self) -> None:
        """What was typed so far was not meant for what is shown next."""
        self._ahead = ""
        termios.tcflush(self._terminal, termios.TCIFLUSH)

    @contextlib.contextmanager
    def lines(self) -> Iterator[None]:
        """Let a whole line be typed, and seen."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()
