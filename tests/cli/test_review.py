"""The command review: the list, answers by a script, and a session on a terminal."""

from __future__ import annotations

import codecs
import errno
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from guyverd.cli import reviewing
from guyverd.cli.reviewing import sentence
from tests.cli.conftest import Run, parsed
from tests.cli.fake import ALICE, PERSON_31, FakeLibrary

PROJECT = Path(__file__).parents[2]


def row(kind: str, person: Any = ALICE, others: Any = (), faces: Any = ()) -> dict[str, Any]:
    return {"kind": kind, "person": person, "others": list(others), "faces": list(faces), "because": None}


def test_every_question_is_a_sentence() -> None:
    assert sentence(row("who", PERSON_31)) == "Who is person 31?"
    assert sentence(row("who", None, faces=[5])) == "Who is this?"
    assert sentence(row("one")) == "Is Alice (12) one person?"
    assert sentence(row("belong", faces=[5])) == "Does this face belong to Alice (12)?"
    assert sentence(row("belong", faces=[5, 6])) == "Do all of these belong to Alice (12)?"
    assert sentence(row("same", others=[PERSON_31])) == "Is person 31 the same as Alice (12)?"
    assert sentence(row("same", faces=[5])) == "Is this Alice (12)?"
    assert sentence(row("same", others=[PERSON_31], faces=[5])) == "Are all of these Alice (12)?"


def test_what_was_done_in_the_people_folder_is_told_before_it_is_asked_about() -> None:
    put = {"because": "you put a\x1b[31mb.jpg into Alice"}
    told = sentence(row("belong", faces=[5, 6]) | put)
    assert told.startswith("You put a")
    assert told.endswith("b.jpg into Alice. Which of these is Alice (12)?")
    assert "\x1b" not in told
    assert sentence(row("belong", faces=[5]) | put).endswith(" into Alice. Is this Alice (12)?")
    moved = {"because": "you moved all of Unnamed/31 into Alice, but there are photos that show both"}
    assert sentence(row("same", others=[PERSON_31]) | moved) == (
        "You moved all of Unnamed/31 into Alice, but there are photos that show both."
        " Is person 31 the same as Alice (12)?"
    )


@pytest.mark.usefixtures("config")
def test_away_from_a_terminal_the_questions_are_listed(run: Run, library: FakeLibrary) -> None:
    result = run("review", "-n", "2")
    assert result.exit_code == 0
    assert ("review", 2) in library.calls
    lines = result.stdout.splitlines()
    assert re.split(r"\s{2,}", lines[1]) == ["who-31", "Who is person 31?", "7", "0.90", "2.50"]
    assert len(lines) == 3
    assert [one["question"] for one in parsed(run("review", "--json", "-n", "3"))] == [
        "who-31",
        "same-12-0d3f",
        "one-12-77aa",
    ]
    library.questions = []
    result = run("review")
    assert result.stdout == ""
    assert result.stderr == "There is nothing to ask.\n"


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (["who-31", "yes", "--name", " Eve "], ("who-31", "yes", [], "Eve", None, [])),
        (["who-31", "yes", "--person", "12"], ("who-31", "yes", [], None, "12", [])),
        (["same-12-0d3f", "no", "--but", "1", "--but", "3"], ("same-12-0d3f", "no", [1, 3], None, None, [])),
        (["who-31", "hide"], ("who-31", "hide", [], None, None, [])),
    ],
)
def test_a_script_answers(run: Run, library: FakeLibrary, arguments: list[str], call: tuple[object, ...]) -> None:
    result = run("review", "--answer", *arguments)
    told = "hidden; no folder, and not asked about again" if call[1] == "hide" else "7 faces changed hands"
    assert result.stdout == f"Decision 101: {told}.\n"
    assert ("answer", *call) in library.calls
    (answer,) = parsed(run("review", "--answer", *arguments, "--json"))
    assert (answer["question"], answer["decisions"]) == (arguments[0], [101])


@pytest.mark.usefixtures("config")
def test_a_skip_takes_nothing_with_it(run: Run, library: FakeLibrary) -> None:
    result = run("review", "--answer", "who-31", "skip", "--but", "1")
    assert result.exit_code == 2
    assert "A question that is skipped takes no --but" in result.stderr
    assert library.answered == {}


@pytest.mark.usefixtures("config")
def test_a_script_skips(run: Run, library: FakeLibrary) -> None:
    assert run("review", "--answer", "who-31", "skip").stdout == "It is not asked for a while.\n"
    assert library.answered == {"who-31": "skip"}


@pytest.mark.usefixtures("config")
def test_answers_that_cannot_be(run: Run, library: FakeLibrary) -> None:
    result = run("review", "--answer", "who-77", "skip")
    assert result.exit_code == 5
    assert "no question who-77" in result.stderr
    assert run("review", "--answer", "who-31", "yes", "--name", "Alice").exit_code == 5
    for wrong in (
        ["--answer", "who-31", "perhaps"],
        ["--answer", "who-31"],
        ["--name", "Eve"],
        ["--but", "2"],
        ["--answer", "who-31", "yes", "--name", " "],
        ["-n", "0"],
        ["--pictures", "etchings"],
    ):
        assert run("review", *wrong).exit_code == 2, wrong
    assert library.answered == {}


def test_json_can_be_read_back(run: Run, library: FakeLibrary, config: Path) -> None:
    lines = run("review", "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == library.questions


# ---- on a terminal ---------------------------------------------------------------------------------------------------


def _own_the_terminal() -> None:
    # Ctrl-C is for whom the terminal belongs to; and tests that run in the background were started to ignore it.
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Session:
    """The program on a terminal of its own: it waits for what should be shown, then presses keys."""

    def __init__(self, config: Path, folder: Path, *arguments: str, **environment: str) -> None:
        self.calls = folder / "calls"
        wanted = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
        wanted |= {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", "FAKE_CALLS": str(self.calls), **environment}
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.program", "--config", str(config), "review", *arguments],
            env=wanted,
            cwd=PROJECT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_own_the_terminal,  # noqa: PLW1509  it only asks the kernel
        )
        os.close(theirs)
        self.shown = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._from = 0

    def sees(self, text: str) -> str:
        """Wait until that is shown after what was seen before; what came until then."""
        while (at := self.shown.find(text, self._from)) < 0:
            assert self._read(), f"{text!r} was not shown:\n{self.shown[self._from :]}"
        seen = self.shown[self._from : at + len(text)]
        self._from = at + len(text)
        return seen

    def press(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def ends(self) -> str:
        """Everything that was shown until the end."""
        while self._read():
            pass
        assert self.process.wait(30) == 0, self.shown
        os.close(self.ours)
        return self.shown

    def answers(self) -> list[list[Any]]:
        """What the library was told."""
        return [json.loads(line) for line in self.calls.read_text().splitlines()]

    def _read(self) -> bool:
        if not select.select([self.ours], [], [], 20)[0]:
            return False
        try:
            block = os.read(self.ours, 65536)
        except OSError as problem:
            if problem.errno != errno.EIO:
                raise
            return False
        self.shown += self._decoder.decode(block).replace("\r\n", "\n")
        return bool(block)


Start = Callable[..., Session]


@pytest.fixture
def start(config: Path, tmp_path: Path) -> Start:
    return lambda *arguments, **environment: Session(config, tmp_path, *arguments, **environment)


KEYS = "[y]es  [n]o"


def test_a_whole_session(start: Start) -> None:
    session = start("--pictures", "none")
    seen = session.sees("[n]ame  [h]ide  [1-3] differs  [s]kip  [u]ndo  [o]pen  [q]uit")
    assert "Who is person 31?  (7 faces)" in seen
    assert "/photos/1.jpg" in seen

    session.press("2")
    session.sees("differs: 2\n")
    session.press("n")
    session.sees("Name (empty: none)")
    session.press("Eve\r")
    session.sees("yes: 7 faces changed hands")
    seen = session.sees(f"{KEYS}  [1-3] differs")
    assert "Are all of these Alice (12)?" in seen
    assert "3: /photos/3.jpg" in seen
    session.press("2")
    session.sees("differs: 2\n")
    session.press("3")
    session.sees("differs: 2, 3\n")
    session.press("2")
    session.sees("differs: 3\n")
    session.press("y")

    session.sees("Is Alice (12) one person?")
    session.sees(KEYS)
    session.press("n")
    session.sees("Which of them is Alice (12): the [1]st or the [2]nd?")
    session.press("x2")

    session.sees("Does this face belong to Alice (12)?")
    session.sees(KEYS)
    session.press("s")
    seen = session.sees("[n]ame  [s]kip")
    assert "Who is this?" in seen
    assert "[h]ide" not in seen
    session.press("hu")
    session.sees("skip to belong-12-11 is taken back")
    session.sees("Does this face belong to Alice (12)?")
    session.sees(KEYS)
    session.press("zY")
    session.sees("Who is this?")
    session.sees("[q]uit")
    session.press("q")
    assert session.ends().endswith("4 answers, 28 faces changed hands.\n")
    assert session.answers() == [
        ["who-31", "yes", [2], "Eve", None, []],
        ["same-12-0d3f", "yes", [3], None, None, []],
        ["one-12-77aa", "no", [1], None, None, []],
        ["belong-12-11", "skip", [], None, None, []],
        ["belong-12-11", "undo", [], None, None, []],
        ["belong-12-11", "yes", [], None, None, []],
    ]


def test_the_face_that_is_meant_is_chosen_with_one_key(start: Start) -> None:
    session = start("--pictures", "none", FAKE_BEGUN="1")
    seen = session.sees("[1-3] this one  [n]one of them  [s]kip  [u]ndo  [o]pen  [q]uit")
    assert "You put party.jpg into Alice. Which of these is Alice (12)?" in seen
    assert "3: /photos/3.jpg" in seen
    session.press("y42")
    session.sees("  2: 7 faces changed hands\n")
    session.sees("Who is person 31?")
    session.sees("[q]uit")
    session.press("u")
    session.sees("no to belong-12-ab12cd is taken back")
    session.sees("Which of these is Alice (12)?")
    session.sees("[q]uit")
    session.press("n")
    session.sees("  no: 7 faces changed hands\n")
    session.sees("Who is person 31?")
    session.sees("[q]uit")
    session.press("q")
    session.ends()
    assert session.answers() == [
        ["belong-12-ab12cd", "no", [2], None, None, []],
        ["belong-12-ab12cd", "undo", [], None, None, [101]],
        ["belong-12-ab12cd", "no", [], None, None, []],
    ]


def test_a_name_that_is_taken_may_be_meant(start: Start) -> None:
    session = start("--pictures", "none", "-n", "2")
    session.sees("[q]uit")
    session.press("n")
    session.sees("Name (empty: none)")
    session.press("Alice\r")
    session.sees("Alice is person 12. Is it the same person? [y]es [n]o")
    session.press("n")
    session.sees("another name is needed")
    session.press("n")
    session.sees("Name (empty: none)")
    session.press("\r")
    session.sees("\n")
    session.press("n")
    session.sees("Name (empty: none)")
    session.press("Alice\r")
    session.sees("[y]es [n]o")
    session.press("y")
    session.sees("Are all of these Alice (12)?")
    session.sees("[q]uit")
    session.press("n")
    assert "2 answers" in session.ends()
    assert session.answers() == [
        ["who-31", "yes", [], "Alice", None, []],
        ["who-31", "yes", [], "Alice", None, []],
        ["who-31", "yes", [], None, "12", []],
        ["same-12-0d3f", "no", [], None, None, []],
    ]


def test_undo_takes_back_decisions_one_by_one(start: Start) -> None:
    session = start("--pictures", "none")
    session.sees("[q]uit")
    session.press("u")
    session.sees("Nothing was answered yet.")
    session.sees("Who is person 31?")
    session.sees("[q]uit")
    session.press("h")
    session.sees("Are all of these")
    session.sees("[q]uit")
    session.press("u")
    session.sees("hide to who-31 is taken back")
    session.sees("Who is person 31?")
    session.sees("[q]uit")
    session.press("\x04")
    assert session.ends().endswith("0 answers, 0 faces changed hands.\n")
    assert session.answers()[-1] == ["who-31", "undo", [], None, None, [101]]


def test_a_question_that_cannot_be_answered_does_not_stop_the_others(start: Start) -> None:
    session = start("--pictures", "none", FAKE_REFUSES="who-31")
    session.sees("[q]uit")
    session.press("h")
    session.sees("That cannot be: it was refused.")
    session.sees("Are all of these")
    session.sees("[q]uit")
    session.press("q")
    session.ends()


def test_the_end_of_the_questions(start: Start) -> None:
    session = start("--pictures", "none")
    for _ in range(5):
        session.sees("[q]uit")
        session.press("s")
    assert "There is nothing more to ask.\n" in session.ends()


def test_ctrl_c_ends_it(start: Start) -> None:
    session = start("--pictures", "none")
    session.sees("[q]uit")
    session.press("\x03")
    while session._read():
        pass
    assert session.process.wait(30) == 130
    assert "interrupted" in session.shown
    os.close(session.ours)


@pytest.mark.parametrize(("way", "mark"), [("blocks", "▀"), ("kitty", "\x1b_Ga=T"), ("sixel", "\x1bP0;1q")])
def test_faces_are_shown(start: Start, way: str, mark: str) -> None:
    session = start("--pictures", way, COLORTERM="truecolor")
    assert mark in session.sees("[q]uit")
    session.press("s")
    seen = session.sees("[q]uit")
    assert seen.count("1".center(17).rstrip()) >= 1, "what can be excepted is numbered"
    assert mark in seen
    session.press("q")
    session.ends()


def test_the_terminal_is_asked_what_it_can(start: Start) -> None:
    session = start()
    session.sees("\x1b[c")
    session.press("\x1b_Gi=31;OK\x1b\\\x1b[?62c")
    assert "\x1b_Ga=T" in session.sees("[q]uit")
    session.press("q")
    session.ends()


def test_pictures_are_opened_with_the_desktops_viewer(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    viewer = folder / "xdg-open"
    viewer.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\ncase "$1" in */2.jpg) exit 4;; esac\n')
    viewer.chmod(stat.S_IRWXU)
    session = start("--pictures", "none", PATH=f"{folder}:{os.environ['PATH']}")
    session.sees("[q]uit")
    session.press("o")
    session.sees("/photos/2.jpg")
    session.press("q")
    session.ends()
    assert (tmp_path / "opened").read_text().splitlines() == ["/photos/1.jpg", "/photos/2.jpg", "/photos/3.jpg"]


def test_where_there_is_no_viewer_the_files_are_named(start: Start, tmp_path: Path) -> None:
    session = start("--pictures", "none", PATH=str(tmp_path))
    session.sees("[q]uit")
    session.press("o")
    session.sees("There is no xdg-open here to open pictures with:")
    session.sees("/photos/3.jpg")
    session.press("q")
    session.ends()


# ---- details ---------------------------------------------------------------------------------------------------------


def test_some_photos_of_each_side_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def open_(viewer: str, file: str) -> bool:
        opened.append(file)
        return True

    monkeypatch.setattr(reviewing, "_opened", open_)
    monkeypatch.setattr(reviewing.shutil, "which", lambda name: f"/bin/{name}")  # type: ignore[attr-defined]

    def faces(*files: str | None) -> list[dict[str, Any]]:
        return [{"file": file} for file in files]

    reviewing._open({"shown": faces("a", "b", "c", "d", "e"), "beside": faces("x", None)})
    assert opened == ["a", "b", "c", "x"]
    opened.clear()
    reviewing._open({"shown": faces("a", "b"), "beside": faces("v", "w", "x", "y", "z")})
    assert opened == ["a", "v", "w", "x"]


def test_a_viewer_that_stays_or_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewing, "_LAUNCH", 0.2)
    stays = tmp_path / "stays"
    stays.write_text("#!/bin/sh\nexec sleep 5\n")
    stays.chmod(stat.S_IRWXU)
    assert reviewing._opened(str(stays), "x.jpg")
    assert not reviewing._opened(str(tmp_path / "nowhere"), "x.jpg")


def test_a_face_is_cut_from_a_real_photo(tmp_path: Path) -> None:
    from guyverd.cli import session

    photo = tmp_path / "photo.jpg"
    image = Image.new("RGB", (400, 300), (10, 10, 10))
    image.paste((220, 30, 40), (100, 50, 200, 150))
    image.save(photo, quality=95)
    made = session.crop(str(photo), [100, 50, 200, 150], (400, 300))
    assert made is not None
    with Image.open(io.BytesIO(made)) as face:
        middle = face.getpixel((face.width // 2, face.height // 2))
        assert isinstance(middle, tuple)
        assert middle[0] > 180
        assert middle[1] < 80
    assert session.crop(str(tmp_path / "gone.jpg"), [0, 0, 10, 10], (20, 20)) is None
