"""A review on a terminal: a question, faces to look at, and a key for the answer."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from guyverd.cli import graphics, output
from guyverd.cli.format import clock, plural, safe
from guyverd.cli.format import person as person_text
from guyverd.cli.output import Row
from guyverd.cli.people import NewName
from guyverd.errors import GuyverError, NameTaken

if TYPE_CHECKING:
    from guyverd.cli.keys import Keys
    from guyverd.service.api import Library
    from guyverd.service.crops import Pictures

_AHEAD = 8
"""Questions that are asked for at once: those that cannot be answered now must not stop the others."""
_OPENED = 4
"""Photos that are opened at once."""
_LAUNCH = 3.0
"""Seconds after which a viewer that has not failed is taken to show the picture."""
_VIEWERS = ("xdg-open", "open")


def sentence(row: Row) -> str:
    """What is asked, and why if that is not for guyverd to choose."""
    if row["because"] is None:
        return _asked(row)
    because, asked = safe(row["because"]), _asked(row)
    if _is_which(row):
        asked = f"{'Is this' if _parts(row) == 1 else 'Which of these is'} {person_text(row['person'])}?"
    return f"{because[:1].upper()}{because[1:]}. {asked}"


def _asked(row: Row) -> str:
    who, several = person_text(row["person"]), len(row["others"]) + len(row["faces"]) > 1
    if row["kind"] == "who":
        return "Who is this?" if row["person"] is None else f"Who is {who}?"
    if row["kind"] == "one":
        return f"Is {who} one person?"
    if row["kind"] == "belong":
        return f"Do all of these belong to {who}?" if several else f"Does this face belong to {who}?"
    if several:
        return f"Are all of these {who}?"
    if row["others"]:
        return f"Is {person_text(row['others'][0])} the same as {who}?"
    return f"Is this {who}?"


class Review:
    """Asks until there is nothing more, or somebody has had enough."""

    def __init__(self, library: Library, keys: Keys, way: str, across: int, pictures: Pictures) -> None:
        self._library = library
        self._keys = keys
        self._pictures = pictures
        self._way = way
        self._across = across
        self._passed: set[str] = set()
        """Questions that could not be answered, for this time."""
        self._given: list[Row] = []
        """Answers, so that they can be taken back."""

    def run(self, count: int) -> None:
        """Ask so many questions."""
        while len(self._given) < count:
            rows = self._library.review(_AHEAD + len(self._passed))
            row = next((one for one in rows if one["question"] not in self._passed), None)
            if row is None:
                output.say("There is nothing more to ask.")
                return
            if not self._asked(row):
                break
        given = [one for one in self._given if one["answer"] != "skip"]
        output.say(
            f"{plural(len(given), 'answer')}, {plural(sum(one['moved'] for one in given), 'face')} changed hands."
        )

    # ---- one question ------------------------------------------------------------------------------------------------

    def _asked(self, row: Row) -> bool:
        """Show a question and take its answer; False when there are to be no more."""
        self._show(row)
        parts = _parts(row)
        but: set[int] = set()
        self._keys.forget()
        output.say(_keys(row, parts))
        while True:
            output.flush()
            key = self._keys.next()
            if key in ("q", "\x04", "\x1b"):
                return False
            if key == "o":
                _open(row)
            elif key.isdigit() and 1 <= int(key) <= parts and parts > 1:
                if self._chosen(row, int(key), but):
                    return True
            elif key == "u":
                self._take_back()
                return True
            elif key == "s":
                self._give(row, "skip")
                return True
            elif row["kind"] == "who":
                if self._who(row, key, sorted(but)):
                    return True
            elif key == "n" or (key == "y" and not (_is_which(row) and parts > 1)):
                answer = "yes" if key == "y" else "no"
                if row["kind"] == "one" and answer == "no" and row["person"]["name"] is not None:
                    but = self._which(row)
                self._give(row, answer, sorted(but))
                return True

    def _who(self, row: Row, key: str, but: Sequence[int]) -> bool:
        """Whether that key answered who it is."""
        if key == "h" and row["person"] is not None:
            self._give(row, "hide", but)
            return True
        return key in ("n", "y", "\r", "\n") and self._named(row, but)

    def _chosen(self, row: Row, number: int, but: set[int]) -> bool:
        """A part's key was pressed; tells whether that was the answer, as where one face is to be chosen."""
        if _is_which(row):
            self._give(row, "no", [number])
            return True
        but ^= {number}
        output.say(f"  differs: {', '.join(map(str, sorted(but))) or 'none'}")
        return False

    def _give(self, row: Row, answer: str, but: Sequence[int] = (), **whom: str) -> None:
        try:
            done = self._library.answer(row["question"], answer, but, name=whom.get("name"), person=whom.get("person"))
        except NameTaken:
            raise
        except GuyverError as problem:
            output.note(f"{problem.message} {problem.advice}".rstrip())
            self._passed.add(row["question"])
            return
        self._given.append(done)
        told = f"{but[0]}" if _is_which(row) and answer == "no" and but else answer
        output.say(f"  {told}" + (f": {plural(done['moved'], 'face')} changed hands" if done["moved"] else ""))

    def _named(self, row: Row, but: Sequence[int]) -> bool:
        """Ask for the name; False where none is given after all."""
        with self._keys.lines():
            text = click.prompt("  Name (empty: none)", default="", show_default=False).strip()
        if not text:
            return False
        try:
            wanted = NewName().convert(text, None, None)
            self._give(row, "yes", but, name=wanted)
        except click.BadParameter as problem:
            output.note(problem.message)
            return False
        except NameTaken as problem:
            known = str(problem.fields["person"])
            output.say(f"  {safe(text)} is person {known}. Is it the same person? [y]es [n]o")
            output.flush()
            if self._keys.one_of("yn") == "n":
                output.say("  Then another name is needed, such as one with a surname.")
                return False
            self._give(row, "yes", but, person=known)
        return True

    def _which(self, row: Row) -> set[int]:
        """Who of two people bears the name."""
        output.say(f"  Which of them is {person_text(row['person'])}: the [1]st or the [2]nd?")
        output.flush()
        return {1} if self._keys.one_of("12") == "2" else set()

    def _take_back(self) -> None:
        if not self._given:
            output.say("  Nothing was answered yet.")
            return
        last = self._given.pop()
        try:
            self._library.answer(last["question"], "undo", decisions=last["decisions"])
        except GuyverError as problem:
            output.note(f"{problem.message} {problem.advice}".rstrip())
            return
        output.say(f"  {last['answer']} to {last['question']} is taken back")

    # ---- faces -------------------------------------------------------------------------------------------------------

    def _show(self, row: Row) -> None:
        output.say()
        output.say(f"{sentence(row)}  ({plural(row['settles'], 'face')})")
        numbered = _parts(row) > 1
        if row["kind"] == "who":
            self._faces("", row["beside"] if numbered else row["shown"], numbered=numbered)
        else:
            self._faces(f"{_whom(row['person'])}:", row["shown"])
            self._faces(_beside(row), row["beside"], numbered=numbered)

    def _faces(self, title: str, faces: Sequence[Row], *, numbered: bool = False) -> None:
        if title:
            output.say(title)
        if self._way == "none":
            for at, face in enumerate(faces, 1):
                output.say(f"  {f'{at}: ' if numbered else ''}{_place(face)}")
            return
        pictures = self._pictures.of(faces)
        most = graphics.per_row(self._across)
        for start in range(0, len(pictures) if numbered else min(len(pictures), most), most):
            some = pictures[start : start + most]
            output.draw(graphics.drawn(graphics.row_of(some), self._way, os.environ))
            if numbered:
                places = range(start + 1, start + 1 + len(some))
                output.say("".join(f"{at:^{graphics.COLUMNS}}" for at in places).rstrip())


def _place(face: Row) -> str:
    if face["file"] is None:
        return "(no file is there now)"
    return str(face["file"]) if face["at"] is None else f"{face['file']} at {clock(face['at'])}"


def _whom(person: Row) -> str:
    return f"{person_text(person)}, {plural(person['faces'], 'face')}"


def _is_which(row: Row) -> bool:
    """Whether one photo is known to show the person, and a face is to be chosen."""
    return bool(row["kind"] == "belong" and row["because"] is not None)


def _parts(row: Row) -> int:
    """How many things can be told apart in an answer."""
    return 1 if row["kind"] == "one" else len(row["others"]) + len(row["faces"])


def _beside(row: Row) -> str:
    if row["kind"] == "one":
        return f"and {plural(len(row['faces']), 'face')} of the same:"
    if row["kind"] == "same" and len(row["others"]) == 1 and not row["faces"]:
        return f"{_whom(row['others'][0])}:"
    return "and:"


def _keys(row: Row, parts: int) -> str:
    if _is_which(row) and parts > 1:
        return f"[1-{parts}] this one  [n]one of them  [s]kip  [u]ndo  [o]pen  [q]uit"
    digits = f"  [1-{parts}] differs" if parts > 1 else ""
    if row["kind"] == "who":
        hide = "  [h]ide" if row["person"] is not None else ""
        return f"[n]ame{hide}{digits}  [s]kip  [u]ndo  [o]pen  [q]uit"
    return f"[y]es  [n]o{digits}  [s]kip  [u]ndo  [o]pen  [q]uit"


def _open(row: Row) -> None:
    """Open photos with the desktop's viewer, some of each side."""
    here = [face["file"] for face in row["shown"] if face["file"]]
    there = [face["file"] for face in row["beside"] if face["file"]]
    files = list(dict.fromkeys([*here[: max(1, _OPENED - len(there))], *there]))[:_OPENED]
    viewer = next(filter(None, map(shutil.which, _VIEWERS)), None)
    if viewer is None:
        output.note("  There is no xdg-open here to open pictures with:")
    for file in files:
        if viewer is None or not _opened(viewer, file):
            output.note(f"  {file}")


def _opened(viewer: str, file: str) -> bool:
    quiet = subprocess.DEVNULL
    try:
        # It may stay for as long as the picture is looked at.
        process = subprocess.Popen(
            [viewer, os.fsencode(file)], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
        return process.wait(_LAUNCH) == 0
    except subprocess.TimeoutExpired:
        return True
    except OSError:
        return False
