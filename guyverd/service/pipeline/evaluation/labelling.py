"""Labels and what was found: who the labelled faces really are, and which of them the pipeline never saw."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from guyverd.errors import GuyverError, LabelsWrong, NothingLabelled
from guyverd.evaluation.labelled import Label, Labels, Rule, contradicting, from_folders, matched, read_csv
from guyverd.service.pipeline.evaluation.rehearsing import Material

if TYPE_CHECKING:
    from guyverd.model import IntArray


@dataclass(frozen=True, slots=True)
class Truth:
    """The labelled faces as columns, one entry each, and what became of those that are not among them."""

    names: tuple[str, ...]
    """Of the people: number p is names[p − 1]."""
    people: IntArray
    """int64[m]: who each is, from 1."""
    photos: IntArray
    """int64[m]: the place of its photo in the material."""
    rows: IntArray
    """int64[m]: its row in the material; −1 for a face that was not found."""
    unreadable: int
    """Labelled files that gave no photo."""
    contradicting: int
    """Photos left out, since they are there several times with different labels."""

    @property
    def found(self) -> IntArray:
        """int64: the entries of the faces that were found."""
        places: IntArray = np.flatnonzero(self.rows >= 0).astype(np.int64)
        return places

    def of_rows(self, count: int) -> IntArray:
        """int64[count]: for each row of a material of so many faces its person; 0 for those that have no label."""
        people = np.zeros(count, dtype=np.int64)
        people[self.rows[self.found]] = self.people[self.found]
        return people


def read_labels(photos: Path, labels: Path | None) -> Labels:
    """The labels of a folder: a CSV, or the names of the folders in it.

    Raises LabelsWrong, NothingLabelled, or GuyverError where the folder cannot be listed.
    """
    if labels is not None:
        found = read_csv(os.fspath(labels))
        inside = os.path.join(os.path.realpath(os.fsencode(photos)), b"")
        for path in found:
            if not os.path.realpath(path).startswith(inside):
                raise LabelsWrong(where=str(labels), detail=f"{os.fsdecode(path)} does not lie in {photos}")
    else:
        try:
            found = from_folders(os.fspath(photos))
        except OSError as problem:
            raise GuyverError(detail=f"{photos} cannot be listed: {problem.strerror}") from problem
    if not found:
        raise NothingLabelled(path=photos)
    return found


def compare(labels: Labels, material: Material, failed: Iterable[bytes], rule: Rule) -> Truth:
    """The labels as they meet the faces of the material; `failed` are the files that could not be read."""
    real: dict[bytes, tuple[Label, ...]] = {}
    for path, each in labels.items():
        real.setdefault(os.path.realpath(path), each)
    names = sorted({label.person for each in real.values() for label in each})
    numbers = {name: number for number, name in enumerate(names, 1)}
    people, photos, rows, contradictions = [], [], [], 0
    for place, photo in enumerate(material.photos):
        told = [real[path] for path in map(os.path.realpath, photo.files) if path in real]
        if contradicting(told):
            contradictions += 1
        elif told:
            boxes = [face.box for face in photo.reading.faces]
            found = matched(told[0], boxes, photo.reading.width, photo.reading.height, rule)
            people += [numbers[label.person] for label in told[0]]
            photos += [place] * len(found)
            rows += [-1 if at is None else int(material.starts[place]) + at for at in found]
    return Truth(
        tuple(names),
        np.array(people, dtype=np.int64),
        np.array(photos, dtype=np.int64),
        np.array(rows, dtype=np.int64),
        _unreadable(real, failed),
        contradictions,
    )


def _unreadable(real: Mapping[bytes, object], failed: Iterable[bytes]) -> int:
    return sum(path in real for path in map(os.path.realpath, failed))
