"""Keys from a terminal, as quick or as odd as they come."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator

import pytest

from guyverd.cli.keys import Keys


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Our side, and the program's."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    for one in (ours, theirs):
        try:
            os.close(one)
        except OSError:
            continue


def test_keys_come_one_by_one_in_small_letters(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    with Keys(theirs) as keys:
        os.write(ours, "Yn3é".encode())
        assert [keys.next() for _ in range(4)] == ["y", "n", "3", "é"]
        os.write(ours, b"xxq")
        assert keys.one_of("pq") == "q"


def test_an_arrow_is_one_key_and_no_letter(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    with Keys(theirs) as keys:
        os.write(ours, b"\x1b[A")
        assert keys.next() == "\x1b[a"


def test_what_came_too_early_is_forgotten(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    with Keys(theirs) as keys:
        os.write(ours, b"yyy")
        keys.next()
        os.write(ours, b"n")
        keys.forget()
        os.write(ours, b"s")
        assert keys.next() == "s"


def test_the_terminal_is_as_it_was(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    before = termios.tcgetattr(theirs)
    keys = Keys(theirs)
    with pytest.raises(RuntimeError), keys:  # noqa: PT012  all of it happens before the error
        assert not termios.tcgetattr(theirs)[3] & (termios.ECHO | termios.ICANON)
        with keys.lines():
            assert termios.tcgetattr(theirs) == before
            os.write(ours, b"Eve\n")
            assert os.read(theirs, 100) == b"Eve\n"
        assert not termios.tcgetattr(theirs)[3] & termios.ECHO
        raise RuntimeError
    assert termios.tcgetattr(theirs) == before


def test_a_terminal_that_went_away_ends_it(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    keys = Keys(theirs)
    keys.__enter__()
    os.close(ours)
    assert keys.next() == "q"
