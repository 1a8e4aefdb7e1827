"""Search: the nearest faces and those of the person found, judged, put together to photos and moments.

Nothing here waits for the coordinator's thread, and nothing is looked up of more faces than may be shown. What is
concluded is pure (`people.finding`, `moments`, `likenesses`); this module fetches what that needs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.searching import ANYTHING, Filter
from guyverd.catalogue.sought import Sought, SoughtFace
from guyverd.catalogue.store import Catalogue
from guyverd.model import PersonId, Standing
from guyverd.people import confidence
from guyverd.people.finding import LIKELY, Claim, Faces, Judged, claims, faces, joined, judged, most_alike, nearest
from guyverd.people.moments import beside
from guyverd.service.pipeline.searching.showing import Shown, shown
from guyverd.service.pipeline.words.deciding import standing

if TYPE_CHECKING:
    from guyverd.model import FloatArray
    from guyverd.people.evidence import Measure
    from guyverd.people.index import FaceIndex

SPARE = 20
"""Faces asked of the index beyond those wanted: they are ranked by more than nearness, and some share a photo."""
MANY = 256
"""Faces asked of it at first where every one is wanted that is sure enough."""
WIDEST = 1024
"""Where so many of the nearest hold too few that are wanted, those that are wanted are compared one by one."""
FEW = 50_000
"""As long as they are not more than these."""
MOST = 16_384
"""Most of the nearest that are looked at."""
MEMBERS = 32
"""Faces by which a person is judged."""
OF_PERSON = 256
"""Most faces of the person found that are looked at where not every one is wanted."""
PROTOTYPES = 16
"""Faces of a person who is asked about, by which others alike are found."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is wanted of a search."""

    k: int
    every: bool
    least: float | None
    """Confidence, 0..1; of k it limits only where it was asked for."""
    sure: float
    """Where it was not: from which on every one is given, and counted."""
    wanted: Filter = ANYTHING
    duplicates: bool = False
    direct: bool = False

    @property
    def level(self) -> float:
        """From which confidence on something counts."""
        return self.sure if self.least is None else self.least

    @property
    def limited(self) -> bool:
        """Whether what is less sure is left out."""
        return self.every or self.least is not None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it."""

    shown: tuple[Shown, ...]
    """Most sure first."""
    through: Claim | None
    total: int | None
    """How many there are of at least the confidence; None where not all were looked at."""


class Search:
    """One library, to be asked from any thread."""

    def __init__(self, catalogue: Catalogue, index: Callable[[], FaceIndex], measure: Callable[[], Measure]) -> None:
        self._catalogue = catalogue
        self._index = index
        self._measure = measure

    def of_face(self, vector: FloatArray, number: int, question: Question) -> Answer:
        """What shows a face, float32[128], whose number in the library is −1 where it is not there."""
        measure, said = self._measure(), standing(self._catalogue)
        known = self._catalogue.searching.sought([number]).faces if number >= 0 else ()
        person = np.array([known[0].person or 0 if known else 0], np.int64)
        pinned = np.array([number in said.pinned])
        asked = faces(np.array([number], np.int64), person, vector[None], pinned, measure)
        return _Asking(self._catalogue, self._index(), measure, said, question, asked).answer()

    def of_person(self, person: PersonId, question: Question) -> Answer:
        """What shows a person, whose faces there are."""
        measure, said = self._measure(), standing(self._catalogue)
        theirs = self._catalogue.searching.sought(self._catalogue.searching.some_of(person, 2 * MEMBERS))
        asked = _columns(theirs, measure, said)
        return _Asking(self._catalogue, self._index(), measure, said, question, asked, person).answer()


class _Asking:
    """One search."""

    def __init__(  # noqa: PLR0917  each is given once, by the class above
        self,
        catalogue: Catalogue,
        index: FaceIndex,
        measure: Measure,
        said: Standing,
        question: Question,
        asked: Faces,
        person: PersonId | None = None,
    ) -> None:
        self._said = said
        self._searching = catalogue.searching
        self._index = index
        self._measure = measure
        self._question = question
        self._itself = asked
        # Of a face of the library the first that is found is it itself: there it has no number.
        self._asked = asked if person is not None else replace(asked, ids=np.full(len(asked), -1, np.int64))
        self._person = person
        self._known: list[Claim] | None = None
        self._members = asked.of(np.empty(0, np.int64))

    def answer(self) -> Answer:
        question = self._question
        wide = max(1, question.k) + SPARE
        if question.every:
            wide = max(MANY, wide)
        while True:
            found = self._searching.sought(self._near(wide), question.wanted)
            near = _columns(found, self._measure, self._said)
            if self._known is None and not question.direct:
                self._judge_people(near)
            all_near = wide >= min(MOST, len(self._index))
            ended = wide >= len(self._index) or not self._goes_on(near)
            if not question.every or ended or all_near:
                told, through = self._told(found, near)
                rows = self._rows(told)
                # Whoever wants k, and said no more, wants so many, however little speaks for the last of them.
                if all_near or len(rows) >= question.k or (ended and question.limited):
                    break
            wide *= 4
            if wide > WIDEST and question.wanted and not question.every:
                few = self._searching.all_wanted(question.wanted, FEW)
                if few is not None:
                    told, through = self._told(self._searching.sought(few, question.wanted), near)
                    rows, ended = self._rows(told), True
                    break
        sure = sum(row.confidence >= question.level for row in rows)
        kept = rows if question.every else rows[: question.k]
        return Answer(tuple(kept), self._through(), sure if ended and through else None)

    # ---- the person --------------------------------------------------------------------------------------------------

    def _judge_people(self, near: Faces) -> None:
        """Who the one asked about is."""
        if self._person is not None:
            self._known = [Claim(self._person, 1.0, float(self._measure.link))]
            self._members = self._asked
            return
        people = dict.fromkeys([*self._asked.people[self._asked.people > 0].tolist(), *most_alike(self._itself, near)])
        found = self._searching.members([PersonId(one) for one in people], MEMBERS)
        self._members = _columns(found, self._measure, self._said)
        self._known = claims(self._itself, near, self._members, self._measure)

    def _through(self) -> Claim | None:
        if self._person is not None or not self._known or self._known[0].confidence < LIKELY:
            return None
        return self._known[0]

    def _theirs(self, seen: Collection[int]) -> tuple[Sought, bool]:
        """Further faces of the people found, and whether these are all."""
        numbers: list[int] = []
        whole = True
        for claim in self._known or ():
            if claim.confidence < LIKELY:
                continue
            most = None if self._question.every else max(OF_PERSON, self._question.k + SPARE)
            some = self._searching.some_of(claim.person, most, self._question.wanted)
            whole &= most is None or len(some) < most
            numbers += [face for face in some if face not in seen]
        return self._searching.sought(numbers, self._question.wanted), whole

    # ---- faces -------------------------------------------------------------------------------------------------------

    def _near(self, wide: int) -> list[int]:
        """The numbers of the faces nearest to those asked about, nearest first."""
        rows = np.arange(len(self._asked)) if len(self._asked) <= PROTOTYPES else _spread(len(self._asked))
        vectors, wide = self._asked.vectors[rows], min(wide, max(1, len(self._index)))
        found = self._index.neighbours(vectors, wide, thorough=len(vectors) == 1)
        order = np.argsort(-found.similarity.ravel(), kind="stable")
        numbers = found.ids.ravel()[order]
        return [face for face in dict.fromkeys(numbers.tolist()) if face >= 0]

    def _goes_on(self, near: Faces) -> bool:
        """Whether farther faces than these may be sure enough: some of the farthest quarter are."""
        if not len(near):
            return False
        farthest = near.of(np.arange(len(near) * 3 // 4, len(near)))
        evidence, measure = nearest(farthest, self._asked).evidence, self._measure
        if self._question.direct:
            sure = confidence.likeness(evidence, measure)
        else:
            sure = confidence.direct(evidence, np.zeros(len(evidence), bool), measure)
        return bool((sure >= self._question.level).any())

    def _told(self, found: Sought, near: Faces) -> tuple[list[Shown], bool]:
        """All that is wanted of these and of the people found, and whether those are all of the people's."""
        some = self._in_company(found.of_wanted())
        columns = _columns(some, self._measure, self._said)
        judged_ = self._judged(columns, near, self._known)
        whole = True
        if self._known and (self._question.every or self._too_few(judged_)):
            more, whole = self._theirs({face.face for face in some.faces})
            more = self._in_company(more)
            if len(more):
                farther = _columns(more, self._measure, self._said)
                some, columns = some.and_(more), joined(columns, farther)
                judged_ = self._judged(columns, near, self._known)
        elif self._known and self._through() is not None:
            whole = False
        told = shown(some.faces, columns.vectors, judged_, duplicates=self._question.duplicates)
        return told, whole

    def _in_company(self, found: Sought) -> Sought:
        """The same, of tracks only the times at which all are seen whose company is wanted."""
        company = self._question.wanted.company
        videos = {face.photo for face in found.faces if face.start is not None}
        if not company or not videos:
            return found
        seen = self._searching.seen(company, videos)
        rows: list[int] = []
        parts: list[SoughtFace] = []
        for row, face in enumerate(found.faces):
            if face.start is None or face.end is None:
                spans: list[tuple[float | None, float | None]] = [(face.start, face.end)]
            else:
                spans = [*beside((face.start, face.end), seen.get(face.photo, [[]]))]
            rows += [row] * len(spans)
            parts += [replace(face, start=start, end=end) for start, end in spans]
        return Sought(tuple(parts), found.vectors[rows])

    def _too_few(self, judged_: Judged) -> bool:
        return int((judged_.confidence >= LIKELY).sum()) < self._question.k + SPARE // 2

    def _judged(self, found: Faces, near: Faces, claimed: Sequence[Claim] | None) -> Judged:
        members, measure = self._members, self._measure
        barred = self._said.barred
        return judged(self._asked, found, near=near, members=members, claimed=claimed, measure=measure, barred=barred)

    def _rows(self, told: Sequence[Shown]) -> list[Shown]:
        if not self._question.limited:
            return list(told)
        return [row for row in told if row.confidence >= self._question.level]


def _columns(found: Sought, measure: Measure, said: Standing) -> Faces:
    return faces(
        np.array([face.face for face in found.faces], np.int64),
        np.array([face.person or 0 for face in found.faces], np.int64),
        found.vectors,
        np.array([face.face in said.pinned for face in found.faces], bool),
        measure,
    )


def _spread(count: int) -> list[int]:
    """`PROTOTYPES` rows of so many, from all over."""
    return [place * count // PROTOTYPES for place in range(PROTOTYPES)]
