"""The last lines of the log: in memory, over the socket, and in the state folder after the end."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.config import Config
from guyverd.errors import StateError
from guyverd.service.access import open_library
from guyverd.service.journal import NAME, Journal, last_lines
from tests.service.conftest import Daemon, eventually


def record(message: str, *given: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("guyverd.x", logging.WARNING, __file__, 1, message, given, None)
    made.__dict__.update(fields)
    return made


def test_only_the_last_lines_are_kept() -> None:
    journal = Journal(most=3)
    for number in range(5):
        journal.note(record("%d", number))
    assert [row["message"] for row in journal.rows()] == ["2", "3", "4"]


def test_a_line_is_kept_with_what_it_was_made_from() -> None:
    journal = Journal()
    journal.note(record("%s: %d faces", "/photos/a.jpg", 3, file="/photos/a.jpg", photo=7))
    (row,) = journal.rows()
    assert (row["template"], row["arguments"]) == ("%s: %d faces", ["/photos/a.jpg", 3])
    assert (row["file"], row["photo"], row["from"], row["level"]) == ("/photos/a.jpg", 7, "guyverd.x", "warning")
    assert "person" not in row
    json.dumps(row)


def test_of_an_exception_the_place_is_kept_without_folders_of_this_machine() -> None:
    journal = Journal()
    made = record("It failed")
    try:
        config_file.load(Path("/nowhere/at/all.yaml"))
    except Exception as problem:
        made.exc_info = (type(problem), problem, problem.__traceback__)
    journal.note(made)
    exception = journal.rows()[0]["exception"]
    assert exception["type"] == "ConfigNotFound"
    assert exception["frames"][-1]["module"] == "guyverd/config_file.py"
    assert exception["frames"][-1]["function"] == "load"
    assert str(Path(__file__).parent) not in json.dumps(exception["frames"])


def test_it_survives_in_the_state_folder_for_nobody_else_to_read(tmp_path: Path) -> None:
    journal = Journal()
    journal.note(record("%s", "caf\udce9\n"))
    journal.give_up(StateError(path=tmp_path, detail="disk full"))
    journal.save(tmp_path)
    assert last_lines(tmp_path) == journal.rows()
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [NAME]


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[1, null]", b"[" * 100_000, b"x" * 100])
def test_a_file_that_is_none_gives_no_lines(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert last_lines(tmp_path) == []


def test_where_it_cannot_be_kept_nobody_minds(tmp_path: Path) -> None:
    (tmp_path / f".{NAME}.part").mkdir()
    Journal().save(tmp_path)
    Journal().save(tmp_path / "nowhere")
    assert last_lines(tmp_path) == []


def test_the_daemon_tells_its_last_lines_and_leaves_them_behind(
    photos: Path, write_config: Callable[..., Path], start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_config(photos)
    (photos / "broken.jpg").write_bytes(b"no picture")
    os.utime(photos / "broken.jpg", (1_600_000_000, 1_600_000_000))
    config = config_file.load(path)
    daemon = start(path)
    daemon.told("READY=1")

    def lines() -> list[dict[str, object]]:
        with open_library(config) as library:
            return list(library.journal())

    eventually(lambda: any(row.get("file") == str(photos / "broken.jpg") for row in lines()))
    assert any(row["message"].startswith("Starting on ") for row in lines())  # type: ignore[attr-defined]
    assert daemon.stop(signal.SIGTERM) == 0
    assert stat.S_IMODE((config.state / NAME).stat().st_mode) == 0o600
    assert lines()[-1]["message"] == "Stopped.", "now from the file"


def test_a_command_that_works_by_itself_has_no_lines_of_its_own(config: Config) -> None:
    with open_library(config) as library:
        assert list(library.journal()) == []
