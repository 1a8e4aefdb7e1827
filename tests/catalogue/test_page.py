"""docs/catalogue.md is held to its word: its commands and questions, on a library at work, in SQLite's own shell."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from guyverd.catalogue.custody import accept
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CatalogueCopied
from guyverd.model import Assignment, Changes, FaceId
from tests.catalogue.conftest import NOW, add, call, ids, read

PAGE = (Path(__file__).parents[2] / "docs" / "catalogue.md").read_text(encoding="utf-8")
QUESTIONS = {match[2]: match[1] for match in re.finditer(r"```sql\n(-- (.*)\n[^`]*)", PAGE)}
ANSWERS = {
    "All photos of Alice, oldest first": [
        "2019-05-01|/photos/old.jpg",
        "2020-07-02|/photos/both.jpg",
        "2020-07-02|/photos/copy of both.jpg",
    ],
    "Photos that show both Alice and Bob": ["/photos/both.jpg", "/photos/copy of both.jpg"],
    "Who is in the most photos": ["1|Alice|2", "2|Bob|1"],
    "Photos per year": ["2019|1", "2020|2"],
    "Good faces that belong to nobody yet": ["/photos/stranger.jpg|0|0|50|60|0.75"],
    "The same photo in several places": ["2|/photos/both.jpg | /photos/copy of both.jpg"],
}


@pytest.fixture
def at_work(catalogue: Catalogue, root: RootRow) -> Catalogue:
    """A library as guyverd holds it open."""
    names = {b"old.jpg": "old", b"both.jpg": "both", b"copy of both.jpg": "both", b"stranger.jpg": "stranger"}
    add(catalogue, root, {**names, b"gone \xff.jpg": "gone"})
    for photo, faces, taken in ((1, 1, "2019-05-01"), (2, 2, "2020-07-02"), (3, 1, "2020-08-03")):
        read(catalogue, photo, faces, taken)
    founding = [(1, 0), (2, 0), (3, 1)]
    catalogue.people.assign([Assignment(FaceId(face), None, group, 0.9) for face, group in founding], [], 3, NOW)
    call(catalogue, 1, "Alice")
    call(catalogue, 2, "Bob")
    catalogue.files.apply(root.id, Changes(gone=(ids(catalogue, root)[b"gone \xff.jpg"],)), NOW)
    return catalogue


def uri(path: bytes) -> str:
    """What the page has people open, with our path in the place of the usual one."""
    (usual,) = re.findall(r'^sqlite3 "(file:\S+)"$', PAGE, re.M)
    ours: str = usual.replace("$HOME/.local/share/guyverd/default/catalogue.db", os.fsdecode(path))
    assert ours == f"file:{os.fsdecode(path)}?mode=ro"
    return ours


def shell(path: bytes, commands: str) -> tuple[list[str], str]:
    """What SQLite's own shell prints, and of what it complains."""
    if shutil.which("sqlite3") is None:
        pytest.skip("SQLite's shell is not installed")
    done = subprocess.run(
        ["sqlite3", uri(path)], input=commands, capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout.splitlines(), done.stderr


def test_the_page_has_questions_and_each_is_answered_here() -> None:
    assert 4 <= len(QUESTIONS) == PAGE.count("```sql")
    assert list(QUESTIONS) == list(ANSWERS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_is_answered_while_guyverd_runs(at_work: Catalogue, question: str) -> None:
    raw = sqlite3.connect(uri(at_work.path), uri=True)
    assert ["|".join(map(str, row)) for row in raw.execute(QUESTIONS[question])] == ANSWERS[question]
    raw.close()
    at_work.beat()
    assert shell(at_work.path, QUESTIONS[question]) == (ANSWERS[question], "")


def test_it_can_be_asked_when_guyverd_does_not_run_too(at_work: Catalogue) -> None:
    at_work.close()
    before = Path(os.fsdecode(at_work.path)).read_bytes()
    assert shell(at_work.path, "SELECT count(*) FROM photos;") == (["4"], "")
    assert Path(os.fsdecode(at_work.path)).read_bytes() == before
    with Catalogue(at_work.path) as again:
        assert again.integrity() == []


def test_whoever_follows_the_page_cannot_change_anything(at_work: Catalogue) -> None:
    assert "readonly" in shell(at_work.path, "DELETE FROM faces;")[1]
    assert at_work.counts().faces == 4


def test_a_copy_that_sqlite_made_while_guyverd_ran_is_told_and_taken(at_work: Catalogue, tmp_path: Path) -> None:
    assert '".backup copy.db"' in PAGE
    assert Path(os.fsdecode(at_work.path) + "-wal").stat().st_size > 0
    assert shell(at_work.path, f".backup '{tmp_path / 'copy.db'}'") == ([], "")
    with pytest.raises(CatalogueCopied):
        Catalogue(os.fsencode(tmp_path / "copy.db"))
    assert accept(os.fsencode(tmp_path / "copy.db")) == []
    with Catalogue(os.fsencode(tmp_path / "copy.db")) as copy:
        assert copy.integrity() == []
        assert copy.people.names() == {1: "Alice", 2: "Bob"}
        assert copy.decisions.log() == at_work.decisions.log()


def test_the_page_names_every_column_of_every_view_in_order(at_work: Catalogue) -> None:
    raw = sqlite3.connect(at_work.path)
    views = [row[0] for row in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")]
    real = {view: [row[1] for row in raw.execute(f"PRAGMA table_info({view})")] for view in views}
    raw.close()
    section = PAGE.split("## Views")[1].split("\n## ")[0]
    told = {}
    for view, text in re.findall(r"^- `(\w+)`: (.*?)(?=^- |\Z)", section, re.M | re.S):
        told[view] = re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", text.replace("\n", " ")))
    assert told == real


def test_the_states_and_kinds_the_page_names_are_those_there_are(at_work: Catalogue) -> None:
    schema = "\n".join(row["sql"] or "" for row in at_work._db.rows("SELECT sql FROM sqlite_schema"))
    checks = re.findall(r"(\w+) TEXT NOT NULL[^,]*CHECK \(\w+ IN \(([^)]*)\)", schema)
    assert len(checks) >= 7
    for column, values in checks:
        rows = [line for line in PAGE.splitlines() if line.startswith(f"| `{column}` |")]
        for value in re.findall(r"'(\w+)'", values):
            assert any(f"`{value}`" in row for row in rows), (column, value)


def test_what_the_page_calls_truth_is_every_table() -> None:
    truth = re.findall(r"^\| truth \| (.*?) \|", PAGE, re.M)
    tables = re.findall(r"^### (\w+)$", PAGE, re.M)
    caches = {"meta", "absent", "tallies", "photo_tallies"}
    assert {name for row in truth for name in re.findall(r"`(\w+)`", row)} == {*tables} - caches
