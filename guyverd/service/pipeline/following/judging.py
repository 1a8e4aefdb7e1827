"""Which faces a saved search finds, told as a search for the same face or person tells it.

What enters the library is compared once, when it is grouped. Whoever the face asked about is found to be is looked at
anew each time, for it may show only later, and then all of theirs that entered since the search was saved count.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.store import Catalogue
from guyverd.followed import Follow, FollowId, Shown
from guyverd.model import FaceId, PersonId, Standing
from guyverd.people import finding
from guyverd.people.directions import unit
from guyverd.people.finding import LIKELY, Claim, Faces, claims, judged, most_alike
from guyverd.service.api import SURE
from guyverd.service.pipeline.searching.search import MEMBERS
from guyverd.service.pipeline.words.deciding import standing

if TYPE_CHECKING:
    from guyverd.model import FaceTable, FloatArray, IntArray
    from guyverd.people.evidence import Measure
    from guyverd.people.index import FaceIndex

NEAR = 64
"""Faces of the library by which it is found who a face is."""
_ITSELF = 0.99999
"""Cosine from which a face is the very one that was asked about."""
STEP = 5_000
"""Faces that are compared at a time."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one look for a saved search found."""

    shown: tuple[Shown, ...]
    """Faces that count and were not taken up before, by photo and time."""
    new: tuple[FaceId, ...]
    """Faces that were compared with the one asked about for the first time."""
    compared: FaceId
    """All faces up to this number are compared."""
    through: PersonId | None
    """Whom the face asked about was found to show."""
    whole: bool
    """Whether that was all that there is to compare at present."""


class Judging:
    """For one library; from any thread."""

    def __init__(self, catalogue: Catalogue, index: Callable[[], FaceIndex], measure: Callable[[], Measure]) -> None:
        self._catalogue = catalogue
        self._index = index
        self._measure = measure
        self._seen: dict[FollowId, set[FaceId]] = {}
        """Faces beyond those that all are compared of, which are compared too."""

    def comparable(self, follow: Follow) -> bool:
        """Whether the vector it was saved with can be compared with those of the library."""
        return follow.network is None or self._catalogue.renewal.networks() <= {follow.network}

    def look(self, follow: Follow) -> Found:
        """What is found for it now, of as many new faces as are compared at a time."""
        whom = self._whom(follow)
        new, compared, whole = self._new(follow)
        if whom is None:
            return Found((), tuple(new), compared, follow.through, whole)
        asked, members, known, near, measure = whom
        said = standing(self._catalogue)
        sure = {claim.person for claim in known if claim.confidence >= LIKELY}
        through = known[0].person if follow.person is None and known and known[0].person in sure else None
        shown = {one.face: one for one in self._catalogue.follows.of_faces(follow, new)}
        for person in sorted(sure):
            shown |= {one.face: one for one in self._catalogue.follows.of_person(follow, person)}
        counted: list[Shown] = []
        numbers = np.array(sorted(shown), np.int64)
        for start in range(0, len(numbers), STEP):
            some = self._faces(numbers[start : start + STEP], measure, said)
            told = judged(asked, some, near=near, members=members, claimed=known, measure=measure, barred=said.barred)
            # What is asked about shows itself.
            right = (told.confidence >= SURE) | np.isin(some.ids, asked.ids if follow.person is None else [])
            counted += [shown[FaceId(face)] for face in some.ids[right].tolist()]
        counted.sort(key=lambda one: (one.photo, one.start or 0.0, one.face))
        return Found(tuple(counted), tuple(new), compared, through, whole)

    def noted(self, follow: Follow, found: Found) -> None:
        """What was found is noted in the catalogue: it need not be compared again."""
        seen = self._seen.setdefault(follow.id, set())
        seen.update(found.new)
        seen.difference_update([face for face in seen if face <= found.compared])

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _new(self, follow: Follow) -> tuple[list[FaceId], FaceId, bool]:
        """Faces that are to be compared, up to which number these are all, and whether there are no more.

        Not all are grouped in the order of their numbers: photos do not wait for films.
        """
        whole_through = max(follow.compared, self._catalogue.follows.comparable())
        seen = self._seen.get(follow.id, set())
        some = self._catalogue.follows.grouped_after(follow.compared, STEP + len(seen))
        new = [face for face in some if face not in seen][:STEP]
        if len(new) < STEP:
            return new, whole_through, True
        return new, min(whole_through, new[-1]), False

    def _whom(self, follow: Follow) -> tuple[Faces, Faces, Sequence[Claim], Faces, Measure] | None:
        """Who is looked for: the faces asked about, some of the people found, how far it is they, those near, by what.

        None where nobody is known by any face.
        """
        measure, said = self._measure(), standing(self._catalogue)
        if follow.person is None and follow.embedding is not None and self.comparable(follow):
            near = self._faces(self._nearest(follow), measure, said)
            asked = _asked(follow.embedding, near, measure)
            whose = asked.people[asked.people > 0].tolist()
            members = self._members({*whose, *most_alike(asked, near)}, MEMBERS, measure, said)
            return asked, members, claims(asked, near, members, measure), near, measure
        # Its vector cannot be compared any more: who it was found to be is still known.
        person = follow.person if follow.person is not None else follow.through
        known = None if person is None else self._catalogue.people.survivor(person)
        if known is None:
            return None
        asked = self._members([known], 2 * MEMBERS, measure, said)
        if not len(asked):
            return None
        return asked, asked, [Claim(known, 1.0, float(measure.link))], asked, measure

    def _nearest(self, follow: Follow) -> IntArray:
        assert follow.embedding is not None
        index = self._index()
        ids: IntArray = index.neighbours(follow.embedding[None], min(NEAR, max(1, len(index)))).ids[0]
        near: IntArray = ids[ids >= 0]
        return near

    def _members(self, people: Collection[int], most: int, measure: Measure, said: Standing) -> Faces:
        """So many faces of each at most, from all over."""
        searching = self._catalogue.searching
        numbers = [face for one in sorted(people) for face in searching.some_of(PersonId(one), most)]
        return self._faces(np.array(numbers, np.int64), measure, said)

    def _faces(self, numbers: IntArray, measure: Measure, said: Standing) -> Faces:
        return self._columns(self._catalogue.photos.table(numbers), measure, said)

    def _columns(self, table: FaceTable, measure: Measure, said: Standing) -> Faces:
        pinned = np.array([face in said.pinned for face in table.ids.tolist()], bool)
        return finding.faces(table.ids, table.people, table.vectors, pinned, measure)


def _asked(vector: FloatArray, near: Faces, measure: Measure) -> Faces:
    """The face that was asked about; where it is one of the library, with its number and person."""
    number, person, said = np.full(1, -1, np.int64), np.zeros(1, np.int64), np.zeros(1, bool)
    itself = np.flatnonzero(near.vectors @ unit(vector[None])[0] >= _ITSELF)[:1]
    if len(itself):
        number, person, said = near.ids[itself], near.people[itself], near.said[itself]
    return finding.faces(number, person, vector[None], said, measure)
