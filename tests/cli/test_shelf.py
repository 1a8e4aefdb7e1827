"""Commands are imported one by one, and are under their own names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from guyverd.cli import main
from guyverd.cli.shelf import Shelf


def test_each_command_is_under_its_own_name() -> None:
    assert len(main.commands) == len(list(main.commands)) > 40
    for name, command in main.commands.items():
        assert command.name == name
        assert main.commands[name] is command


def test_one_that_is_not_there() -> None:
    assert "serch" not in main.commands
    assert main.commands.get("serch") is None
    with pytest.raises(KeyError):
        main.commands["serch"]


def test_more_may_be_put_there_and_taken_away() -> None:
    shelf = Shelf({"who": "find"})
    shelf["also"] = main.commands["status"]
    assert [*shelf] == ["who", "also"]
    assert shelf["also"] is main.commands["status"]
    del shelf["who"]
    assert [*shelf] == ["also"]


def test_nobody_pays_for_the_others() -> None:
    code = "import sys; from guyverd.cli import main; main.commands['search']; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "guyverd.cli.search" in loaded
    assert not {"guyverd.cli.evaluate", "guyverd.cli.reviewing", "guyverd.cli.follow"} & set(loaded)
