from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from guyverd.service.logs import configure

HOSTILE = "a\nb\x1b[31m\u202ec\udcff.jpg"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    logger = logging.getLogger("guyverd")
    before = (logger.handlers, logger.propagate, logger.level)
    yield
    logger.handlers, logger.propagate = before[0], before[1]
    logger.setLevel(before[2])


def test_lines_for_people_are_one_line_each_whatever_a_file_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", as_json=False)
    log = logging.getLogger("guyverd.somewhere")
    log.info("%s was read", HOSTILE)
    log.warning("careful")
    log.debug("not told")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(r"a\nb\x1b[31m\u202ec\udcff.jpg was read")
    assert second.endswith("Warning: careful")


def test_lines_for_machines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", as_json=True)
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("guyverd.x").exception("%s", HOSTILE)
    (line,) = capsys.readouterr().err.splitlines()
    row = json.loads(line)
    assert (row["level"], row["from"], row["message"]) == ("error", "guyverd.x", HOSTILE)
    assert "ValueError: why" in row["exception"]


def test_what_a_line_is_about_stands_in_fields_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", as_json=True)
    about = {"file": "/a/b\udcff.jpg", "root": "/a", "photo": 7, "person": None, "other": "x"}
    logging.getLogger("guyverd.x").warning("%s", HOSTILE, extra=about)
    row = json.loads(capsys.readouterr().err)
    assert {key: row[key] for key in ("file", "root", "photo")} == {"file": "/a/b\udcff.jpg", "root": "/a", "photo": 7}
    assert "person" not in row
    assert "other" not in row


def test_nothing_in_a_traceback_can_pass_for_a_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", as_json=False)
    try:
        raise ValueError("x\n19:00:00 All is well\x1b[2J\r\u202e")
    except ValueError:
        logging.getLogger("guyverd.x").exception("It failed")
    first, *trace = capsys.readouterr().err.splitlines()
    assert first.endswith("Error: It failed")
    assert all(line.startswith("    ") for line in trace)
    assert all(line.isprintable() for line in trace)
    assert any("All is well" in line for line in trace)
