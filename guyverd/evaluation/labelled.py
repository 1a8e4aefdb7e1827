"""Labelled sets: folders named after people, as research sets and tidy albums come."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum

from guyverd.model import Box


class Rule(StrEnum):
    """Which face of a photo the folder's name speaks of, where there are several."""

    CENTRE = "centre"
    """The face whose middle is nearest to the picture's: sets cropped around one face, such as LFW."""
    LARGEST = "largest"
    """The face with the largest box: albums, where the person meant is mostly the one in front. Sometimes wrong: a
    photo of two people side by side is a coin toss, which costs every grouping alike."""


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
