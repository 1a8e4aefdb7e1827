"""What to ask the user: questions ranked by how many faces one answer is likely to settle.

Four kinds are asked. Who is this person? Are these the same person: other people, or faces, several at once? Do these
faces belong to this person? And are the two halves of this person one? What was answered is not asked again, because an
answer is a decision, and nothing is asked that a decision tells; what was skipped is not asked for as long as the
caller says.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np

from guyverd.model import FaceTable, Standing
from guyverd.people.asking.halves import halves
from guyverd.people.asking.questions import AT_ONCE, LEAST, PREPARES, Draft, Kind, Question, chance, identity, prospect
from guyverd.people.asking.resembling import Resembling
from guyverd.people.asking.survey import Survey
from guyverd.people.evidence import Measure, Scales

if TYPE_CHECKING:
    from guyverd.model import BoolArray, FloatArray, IntArray

_HALVED = 256
"""People who are looked at for two halves: those large ones that hold together least."""
_SOMEBODY, _BY_EVIDENCE, _ENOUGH = 1.0, 1.2, 4
"""Two or three faces are often two strangers; how likely they are one person depends on their evidence."""
_KNOWN = 0.5
"""How likely a single face is anybody that the user knows by name, and whose name is worth giving."""
_FAINT = 0.3
"""By this it is less likely of somebody whose pictures are the poorest. Chosen by eye: half of LFW shows only the way
(quality tells pairs of faces that count from others with an area of .77 under the curve, evidence with .70)."""
_OUT, _BY_DISTANCE = -1.9, 1.2
"""How likely a face is not its person whom it is not like; rounded from what came true on labelled sets."""
_TWO, _BY_FALL = -0.5, 2.0
"""How likely halves are two people, and how quickly more so as their evidence falls below a join. Chosen by eye: the
labelled sets had few such people."""
_TYPING = 0.8
"""A name takes longer than a key, so of two questions with equal prospects the other one comes first."""


def suggest(
    table: FaceTable,
    scales: Scales,
    measure: Measure,
    said: Standing,
    *,
    skipped: Collection[str] = frozenset(),
    limit: int | None = None,
) -> tuple[Question, ...]:
    """What to ask of a library, most worthwhile first.

    `table` are all its faces, with vectors of unit length, and `scales` theirs by `measure`; `skipped` are keys of
    questions that are not wanted now.
    """
    survey = Survey(table, scales, measure, said=said, skipped=skipped)
    drafts = [*_who(survey, limit), *Resembling(survey).drafts(), *_belong(survey), *_one(survey)]
    drafts = [draft for draft in drafts if draft.worth >= LEAST]
    drafts.sort(key=lambda draft: (-draft.worth, draft.kind, draft.about))
    return tuple(draft.made() for draft in drafts[:limit])


def _who(survey: Survey, limit: int | None) -> Iterator[Draft]:
    """Everybody without a name, and faces that wait."""
    sizes = survey.groups.sizes
    real = chance(_SOMEBODY + _BY_EVIDENCE * (survey.inner - survey.link))
    real = np.where(sizes >= _ENOUGH, np.float32(1), np.where(sizes > 1, np.nan_to_num(real), np.float32(_KNOWN)))
    real = real * (_FAINT + (1 - _FAINT) * survey.clear)

    single = _KNOWN * (_FAINT + (1 - _FAINT) * survey.table.quality)

    def of_person(place: int) -> Question:
        key, inner = f"who-{survey.person(place)}", float(survey.inner[place])
        few = survey.faces(survey.groups.rows(place).tolist()) if sizes[place] <= AT_ONCE else ()
        return Question(
            id=key,
            kind=Kind.WHO,
            person=survey.person(place),
            others=(),
            faces=few,
            settles=int(sizes[place]),
            likely=float(real[place]),
            evidence=None if np.isnan(inner) else inner,
            worth=float(worth[place]),
            shown=survey.typical(place),
            beside=few,
            keys=(key,),
        )

    def of_face(row: int) -> Question:
        (face,) = survey.faces([row])
        key, likely = f"who-f{face}", float(single[row])
        return Question(key, Kind.WHO, None, (), (face,), 1, likely, None, _TYPING * likely, (face,), (), (key,))

    worth = _TYPING * sizes * real
    for place in _first(np.flatnonzero(~survey.named), worth, limit, lambda at: f"who-{survey.person(at)}", survey):
        person = int(survey.groups.numbers[place])
        yield Draft(float(worth[place]), Kind.WHO, person, lambda at=place: of_person(at))  # type: ignore[misc]
    for row in _first(survey.groups.waiting, single, limit, lambda at: f"who-f{survey.table.ids[at]}", survey):
        face = int(survey.table.ids[row])
        yield Draft(_TYPING * float(single[row]), Kind.WHO, -face, lambda at=row: of_face(at))  # type: ignore[misc]


def _first(
    of: IntArray, worth: FloatArray, limit: int | None, key: Callable[[int], str], survey: Survey
) -> Iterator[int]:
    """The most worthwhile, at most so many, without those that are skipped."""
    ranked = of[np.argsort(-worth[of], kind="stable")].tolist()
    return itertools.islice((at for at in ranked if key(at) not in survey.skipped), limit)


def _belong(survey: Survey) -> Iterator[Draft]:
    """People with faces that are not like the rest of them."""
    at = survey.groups.place
    wrong = chance(_OUT - _BY_DISTANCE * (survey.own - survey.join))
    odd = np.flatnonzero((at >= 0) & ~survey.pinned & (survey.own < survey.join) & (wrong > LEAST))
    odd = odd[survey.groups.sizes[at[odd]] >= 3]
    odd = odd[np.lexsort((odd, survey.own[odd], at[odd]))]

    def key(place: int, row: int) -> str:
        return f"belong-{survey.person(place)}-{survey.table.ids[row]}"

    def question(place: int, rows: list[int]) -> Question:
        keys = tuple(key(place, row) for row in rows)
        return Question(
            id=identity(Kind.BELONG, survey.person(place), keys),
            kind=Kind.BELONG,
            person=survey.person(place),
            others=(),
            faces=survey.faces(rows),
            settles=len(rows),
            likely=float(1 - wrong[rows].mean()),
            evidence=float(survey.own[rows].mean()),
            worth=_worth_of_odd(wrong, rows),
            shown=survey.typical(place, without=rows),
            beside=survey.faces(rows),
            keys=keys,
        )

    for place, every in _runs(at[odd], odd):
        rows = [row for row in every if key(place, row) not in survey.skipped][:AT_ONCE]
        if rows:
            worth, person = _worth_of_odd(wrong, rows), int(survey.groups.numbers[place])
            yield Draft(worth, Kind.BELONG, person, lambda at=place, r=rows: question(at, r))  # type: ignore[misc]


def _worth_of_odd(wrong: FloatArray, rows: list[int]) -> float:
    return PREPARES * prospect([(float(wrong[row]), 1.0) for row in rows])


def _one(survey: Survey) -> Iterator[Draft]:
    """People who may be two."""
    join, sizes = survey.join, survey.groups.sizes
    loose = np.where(sizes >= 5, sizes * chance(join + 1 - np.nan_to_num(survey.inner)), np.float32(0))
    for place in np.argsort(-loose, kind="stable")[:_HALVED].tolist():
        person = survey.person(place)
        if loose[place] == 0 or f"one-{person}" in survey.skipped:
            continue
        found = halves(survey.table, survey.scales, survey.groups.rows(place))
        if found is None or found.across >= min(join, found.within):
            continue
        if _pinned(survey.pinned, found.larger) and _pinned(survey.pinned, found.smaller):
            continue
        told = _TWO + _BY_FALL * (join - found.across) + found.within - join
        two = float(chance(np.array([told], np.float32))[0])
        faces = survey.faces(found.smaller.tolist())
        question = Question(
            id=identity(Kind.ONE, person, [f"one-{person}", *map(str, faces)]),
            kind=Kind.ONE,
            person=person,
            others=(),
            faces=faces,
            settles=len(faces),
            likely=1 - two,
            evidence=found.across,
            worth=PREPARES * two * len(faces),
            shown=survey.telling(found.larger),
            beside=survey.telling(found.smaller),
            keys=(f"one-{person}",),
        )
        yield Draft(question.worth, Kind.ONE, person, lambda q=question: q)  # type: ignore[misc]


def _pinned(pinned: BoolArray, rows: IntArray) -> bool:
    return bool(pinned[rows].any())


def _runs(labels: IntArray, values: IntArray) -> Iterator[tuple[int, list[int]]]:
    """The values of each label, where equal labels stand together."""
    if not len(labels):
        return
    starts = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]])).tolist()
    for start, end in zip(starts, [*starts[1:], len(labels)], strict=True):
        yield int(labels[start]), values[start:end].tolist()
