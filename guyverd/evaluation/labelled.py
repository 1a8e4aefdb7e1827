"""Labelled sets: folders named after people, as research sets and tidy albums come, or a CSV of boxes with names."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from guyverd.errors import LabelsWrong
from guyverd.model import Box

COLUMNS = ("file", "left", "top", "right", "bottom", "name")
"""What a CSV of labels must have, in any order; others are passed over."""
OVERLAP = 0.35
"""Boxes whose overlap is this share of their union mark the same face."""
SIZES = 2.5
"""Where each of two boxes holds the other's middle, they mark the same face unless one is so many times as wide."""


class Rule(StrEnum):
    """Which face of a photo the folder's name speaks of, where there are several."""

    LARGEST = "largest"
    """The face with the largest box: albums, where the person meant is mostly the one in front. Sometimes wrong: a
    photo of two people side by side is a coin toss, which costs every grouping alike."""
    CENTRE = "centre"
    """The face whose middle is nearest to the picture's: sets cropped around one face, such as LFW."""


@dataclass(frozen=True, slots=True)
class Label:
    """One face of one person, as somebody marked it."""

    person: str
    box: Box | None
    """In pixels of the upright picture; None where a folder speaks of the photo, and a `Rule` says of which face."""


Labels = Mapping[bytes, tuple[Label, ...]]
"""For each file, by its absolute path, the faces that are labelled in it."""


# ---- folders ---------------------------------------------------------------------------------------------------------


def labelled_files(folder: bytes | str) -> list[tuple[bytes, str]]:
    """Every file below `folder` with the person it shows: the name of the first folder on the way to it.

    Paths are absolute if `folder` is; sorted, so that the list is the same everywhere. Files that lie in `folder`
    itself have no label and are left out, as are names that begin with a dot. Raises OSError.
    """
    root = os.fsencode(folder)
    found = []
    for person in sorted(os.listdir(root)):
        top = os.path.join(root, person)
        if person.startswith(b".") or not os.path.isdir(top):
            continue
        for where, folders, files in os.walk(top, onerror=_raise):
            folders[:] = sorted(name for name in folders if not name.startswith(b"."))
            label = person.decode("utf-8", "replace")
            found += [(os.path.join(where, name), label) for name in files if not name.startswith(b".")]
    return sorted(found)


def _raise(problem: OSError) -> None:
    raise problem


def from_folders(folder: bytes | str) -> Labels:
    """The labels that `labelled_files` implies. Raises OSError."""
    return {path: (Label(person, None),) for path, person in labelled_files(folder)}


# ---- a CSV -----------------------------------------------------------------------------------------------------------


def read_csv(path: bytes | str) -> Labels:
    """The labels in a CSV file with the columns `COLUMNS`, its files relative to its own folder.

    UTF-8; bytes of file names that are not survive. Raises LabelsWrong, with the line, for anything that cannot be
    meant: a column that is missing, a box without area, an empty name, a file that is not there, the same box twice.
    """
    text = os.fsdecode(path)
    base = os.path.dirname(os.path.abspath(os.fsencode(path)))
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            return _parsed(csv.reader(file, strict=True), text, base)
    except OSError as problem:
        raise LabelsWrong(where=text, detail=f"cannot be read: {problem.strerror}") from problem


def _parsed(reader: Iterator[list[str]], source: str, base: bytes) -> Labels:
    rows = _numbered(reader, source)
    _, titles = next(rows, (1, []))
    places = {title.strip().lower(): place for place, title in enumerate(titles)}
    missing = [column for column in COLUMNS if column not in places]
    if missing:
        raise LabelsWrong(where=f"{source}, line 1", detail=f"there is no column {', '.join(missing)}")
    found: dict[bytes, list[Label]] = {}
    for line, row in rows:
        where = f"{source}, line {line}"
        if len(row) != len(titles):
            raise LabelsWrong(where=where, detail=f"{len(row)} values for {len(titles)} columns")
        values = {column: row[places[column]].strip() for column in COLUMNS}
        if not values["file"] or not values["name"]:
            raise LabelsWrong(where=where, detail=f"the {'name' if values['file'] else 'file'} is empty")
        path = os.path.normpath(os.path.join(base, os.fsencode(values["file"])))
        label = Label(values["name"], _box(values, where))
        labels = found.setdefault(path, [])
        if not labels and not os.path.isfile(path):
            raise LabelsWrong(where=where, detail=f"there is no file {os.fsdecode(path)}")
        if any(label.box == other.box for other in labels):
            raise LabelsWrong(where=where, detail=f"this box in {values['file']} was labelled before")
        labels.append(label)
    return {path: tuple(labels) for path, labels in found.items()}


def _numbered(reader: Iterator[list[str]], source: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, each with the line it ends on."""
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            raise LabelsWrong(where=f"{source}, line {_line(reader)}", detail=f"not CSV: {problem}") from problem
        if any(value.strip() for value in row):
            yield _line(reader), row


def _line(reader: Iterator[list[str]]) -> int:
    return int(getattr(reader, "line_num", 0))


def _box(values: Mapping[str, str], where: str) -> Box:
    sides = []
    for column in ("left", "top", "right", "bottom"):
        try:
            sides.append(round(float(values[column])))
        except (ValueError, OverflowError):
            raise LabelsWrong(where=where, detail=f"{column} is {values[column]!r}, and no number") from None
    box = Box(*sides)
    if box.width <= 0 or box.height <= 0:
        raise LabelsWrong(
            where=where, detail=f"the box is {box.width} x {box.height} pixels; right > left, bottom > top"
        )
    return box


# ---- which face is meant ---------------------------------------------------------------------------------------------


def label_faces(boxes: Sequence[Box], width: int, height: int, rule: Rule) -> int | None:
    """Which of a photo's faces is the labelled one: its place in `boxes`, or None where there is no face.

    `width` and `height` are the picture's, in pixels. Of equals the first is taken. The other faces are bystanders
    without a label: they belong into the library, and not into the score.
    """
    if not boxes:
        return None
    if rule is Rule.LARGEST:
        return max(range(len(boxes)), key=lambda place: (boxes[place].width * boxes[place].height, -place))

    def off_centre(place: int) -> float:
        box = boxes[place]
        return (box.left + box.right - width) ** 2 + (box.top + box.bottom - height) ** 2

    return min(range(len(boxes)), key=off_centre)


def matched(labels: Sequence[Label], boxes: Sequence[Box], width: int, height: int, rule: Rule) -> list[int | None]:
    """For each label of one photo the face it means: its place in `boxes`, or None where that face was not found.

    A label with a box is given the face that overlaps it most, where they overlap enough or hold each other's middle;
    no face is given to two labels. A label without one means what `rule` says.
    """
    if any(label.box is None for label in labels):
        return [label_faces(boxes, width, height, rule) for _ in labels]
    marked = [label.box for label in labels if label.box is not None]
    pairs = [
        (-mark.overlap(box), at, place)
        for at, mark in enumerate(marked)
        for place, box in enumerate(boxes)
        if same_face(mark, box)
    ]
    given: dict[int, int] = {}
    for _, at, place in sorted(pairs):
        if at not in given and place not in given.values():
            given[at] = place
    return [given.get(at) for at in range(len(marked))]


def same_face(one: Box, other: Box) -> bool:
    """Whether two boxes mark the same face: detectors and people draw them differently."""
    if one.overlap(other) >= OVERLAP:
        return True
    apart = max(one.width, other.width) > SIZES * min(one.width, other.width)
    return not apart and _holds_middle(one, other) and _holds_middle(other, one)


def _holds_middle(one: Box, other: Box) -> bool:
    across = 2 * one.left <= other.left + other.right < 2 * one.right
    return across and 2 * one.top <= other.top + other.bottom < 2 * one.bottom


def contradicting(labels: Iterable[Sequence[Label]]) -> bool:
    """Whether the labels of several files with the same bytes, one sequence each, do not say the same."""
    return len({frozenset((label.person, label.box) for label in each) for each in labels}) > 1
