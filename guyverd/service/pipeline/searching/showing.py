"""What was found as it is shown: photos and moments, near-identical ones together, and the rows that tell of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.sought import SoughtFace
from guyverd.model import PhotoKind
from guyverd.people.finding import Judged
from guyverd.people.likenesses import Look, groups
from guyverd.people.moments import Seen, moments
from guyverd.service.api import Row

if TYPE_CHECKING:
    from guyverd.model import FloatArray


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo or a moment, by its surest face."""

    face: SoughtFace
    distance: float
    evidence: float
    margin: float | None
    through: bool
    confidence: float
    start: float | None
    end: float | None
    duplicates: tuple[Shown, ...] = ()
    """Near-identical ones, that stand behind this one."""


def shown(faces: Sequence[SoughtFace], vectors: FloatArray, told: Judged, *, duplicates: bool) -> list[Shown]:
    """One for each photo and moment, most sure first; `vectors`, float32[n, 128], are of length 1.

    Near-identical photos are one, shown by the largest of them, unless `duplicates` are wanted.
    """
    how_sure = zip(told.confidence.tolist(), told.evidence.tolist(), strict=True)
    seen = [
        # What is as sure, to a hundredth, is in the order of its likeness.
        Seen(row, face.photo, (round(sure, 2), evidence), sure, face.start, face.end)
        for row, (face, (sure, evidence)) in enumerate(zip(faces, how_sure, strict=True))
    ]
    leads = moments(seen)
    rows = [moment.rows[0] for moment in leads]
    every = [_shown(faces[row], told, row, at.start, at.end) for row, at in zip(rows, leads, strict=True)]
    if duplicates or len(every) < 2:
        return every
    looks = [
        # No two moments of videos are near-identical pictures.
        Look(one.face.look, one.face.chip, 0 if one.face.kind is PhotoKind.PHOTO else 1 + place)
        for place, one in enumerate(every)
    ]
    kept = []
    for group in groups(vectors[rows], looks):
        best = min(group, key=lambda place: (-every[place].face.width * every[place].face.height, place))
        one = every[best]
        if len(group) > 1:
            one = replace(one, duplicates=tuple(every[place] for place in group if place != best))
        kept.append((group[0], one))
    # A group stands where its surest picture stands.
    return [one for _, one in sorted(kept, key=lambda item: item[0])]


def _shown(face: SoughtFace, told: Judged, row: int, start: float | None, end: float | None) -> Shown:
    margin = float(told.margin[row])
    return Shown(
        face,
        float(told.distance[row]),
        float(told.evidence[row]),
        margin if np.isfinite(margin) else None,
        bool(told.through[row]),
        float(told.confidence[row]),
        start,
        end,
    )


def result(
    one: Shown, files: Mapping[int, tuple[bytes, ...]], names: Mapping[int, str | None], first: bytes | None
) -> Row:
    """One of the `results` of `Library.search`; `first` is the folder whose files stand for their photos."""
    person = one.face.person
    told = {
        **_place(one, files, first),
        "kind": one.face.kind.value,
        "margin": None if one.margin is None else round(one.margin, 2),
        "person": person,
        "name": None if person is None else names.get(person),
        "through": one.through,
        "start": one.start,
        "end": one.end,
        "at": one.face.frame,
        "duplicates": [_place(other, files, first) for other in one.duplicates],
    }
    order = ("file", "files", "photo", "kind", "face", "box", "distance", "evidence", "margin", "person", "name")
    return {key: told[key] for key in (*order, "through", "confidence", "taken_at", "start", "end", "at", "duplicates")}


def _place(one: Shown, files: Mapping[int, tuple[bytes, ...]], first: bytes | None) -> Row:
    paths = sorted(files[one.face.photo], key=lambda path: first is not None and not path.startswith(first + b"/"))
    box, known = one.face.box, bool(np.isfinite(one.evidence))
    return {
        "file": os.fsdecode(paths[0]) if paths else None,
        "files": [os.fsdecode(path) for path in paths],
        "photo": one.face.photo,
        "face": one.face.face,
        "box": [box.left, box.top, box.right, box.bottom],
        "distance": round(one.distance, 4) if known else None,
        "evidence": round(one.evidence, 2) if known else None,
        "confidence": round(one.confidence, 4),
        "taken_at": one.face.taken_at,
    }
