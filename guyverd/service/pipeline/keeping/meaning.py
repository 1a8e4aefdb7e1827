"""What was done to the people folder becomes decisions, each in one transaction with the ledger that it changes.

So whenever the process dies, either both are so or neither is, and the next reading begins where this one ended. What
cannot be decided is put back by the next publishing, and told.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from guyverd.catalogue.heard import Proposal
from guyverd.catalogue.links import changing
from guyverd.catalogue.settling import company
from guyverd.catalogue.store import Catalogue
from guyverd.errors import PersonError
from guyverd.folders.acts import (
    Act,
    Dropped,
    Given,
    Hidden,
    Merged,
    Moved,
    Parted,
    Rearranged,
    Refused,
    Returned,
    Shared,
    Shift,
)
from guyverd.folders.snapshot import Snapshot
from guyverd.folders.spare import parents
from guyverd.model import DecisionKind, FaceId, PersonId
from guyverd.people.asking.whose import choices, meant
from guyverd.people.decisions import undone
from guyverd.published import Home, OwnerId, PublishedLink, album_of, of_person, person_of
from guyverd.service.pipeline.keeping.enrolling import Enrolling
from guyverd.service.pipeline.words.albums import Albums, removed
from guyverd.service.pipeline.words.deciding import Deciding, log_of, standing
from guyverd.service.pipeline.words.undoing import undo

if TYPE_CHECKING:
    from guyverd.catalogue.decisions import Job

log = logging.getLogger(__name__)


class Meaning:
    """One act after the other. To be used on the coordinator's thread."""

    def __init__(self, catalogue: Catalogue, enrolling: Enrolling) -> None:
        self._catalogue = catalogue
        self._deciding = Deciding(catalogue)
        self._albums = Albums(catalogue)
        self._enrolling = enrolling
        self.heard = 0
        """Acts that were taken up, since the start."""

    def take(self, act: Act, snapshot: Snapshot) -> None:
        """Decide what an act means, and have the ledger say what stands in the folder since.

        What cannot be decided is logged; the ledger follows all the same, so that publishing puts back what was there.
        Raises CatalogueError where nothing can be written, and then it is heard again.
        """
        try:
            self._take(act, snapshot)
        except PersonError as problem:
            about = self._about(act)
            log.warning("You %s, which cannot be: %s %s", act.source, problem.message, problem.advice, extra=about)
            self.ignore(act)

    def take_copies(self, acts: Sequence[Shared], snapshot: Snapshot) -> None:
        """The same for links of the same others that were copied into one folder, as one decision where that can be."""
        if len(acts) > 1:
            try:
                self._shared(acts, snapshot)
            except PersonError:
                pass  # one of them cannot be: each for itself
            else:
                return
        for act in acts:
            self.take(act, snapshot)

    def ignore(self, act: Act) -> None:
        """Only have the ledger say where our links are, and where they were: publishing puts them back there."""
        if act.shifts:
            missing = [replace(shift.link, made=False) for shift in act.shifts]
            there = [
                replace(shift.link, path=shift.path, placed=False) for shift in act.shifts if shift.path is not None
            ]
            self._alone(changing(links=[*missing, *there], at=self._catalogue.now()))

    def is_news(self, act: Act) -> bool:
        """Whether it was not taken up before: what somebody put into a folder stands there at every look."""
        if not isinstance(act, Dropped | Shared):
            return True
        if act.path in self._catalogue.heard.enrolled():
            return False
        if isinstance(act, Dropped):
            return self._enrolling.is_picture(act.path, act.seen)
        return person_of(act.to) not in {one.person for one in self._catalogue.people.in_photo(act.photo)}

    def _take(self, act: Act, snapshot: Snapshot) -> None:
        if not isinstance(act, Dropped) and self.is_news(act):  # the other is told when it is noted
            self.heard += 1
            log.info("People folder: you %s.", act.source, extra=self._about(act))
        if isinstance(act, Rearranged):
            self._alone(self._follow(act.shifts, placed=True))
        elif isinstance(act, Moved):
            self._moved(act, snapshot)
        elif isinstance(act, Merged):
            self._merged(act)
        elif isinstance(act, Given):
            self._given(act)
        elif isinstance(act, Refused):
            self._refused(act)
        elif isinstance(act, Parted):
            self._parted(act, snapshot)
        elif isinstance(act, Hidden):
            self._hidden(act)
        elif isinstance(act, Returned):
            self._returned(act, snapshot)
        elif isinstance(act, Shared):
            self._shared([act], snapshot)
        elif isinstance(act, Dropped):
            person = person_of(act.to)
            if person is not None:
                self._enrolling.dropped(act.path, act.seen, person, act.source)

    # ---- folders -----------------------------------------------------------------------------------------------------

    def _moved(self, act: Moved, snapshot: Snapshot) -> None:
        person, album = person_of(act.owner), album_of(act.owner)
        # Of two who swap folders the first takes the place, and with it the row, of the second.
        called = None if person is None else self._catalogue.people.names().get(person)
        before = self._catalogue.links.homes().get(act.owner) or Home(act.owner, act.old, called)
        home = replace(before, path=act.new, inode=snapshot.folders.get(act.new))
        if act.name is not None and not self._is_below_unnamed(act.new, before):
            # Who was given a name where people without one are gets a folder among the others.
            home = replace(home, name=act.name)
        job = self._follow(act.shifts, homes=[home], moved=(act.old, act.new))
        if act.name is None:
            self._alone(job)
        elif person is not None:
            self._deciding.name(person, act.name, source=act.source, first=job)
        elif album is not None:
            self._albums.rename(album, act.name, source=act.source, first=job)

    @staticmethod
    def _is_below_unnamed(path: bytes, before: Home) -> bool:
        return before.name is None and parents(path)[:-1] != [] and parents(path)[:-1] == parents(before.path)[:-1]

    def _merged(self, act: Merged) -> None:
        into, absorbed = person_of(act.into), person_of(act.owner)
        assert into is not None
        assert absorbed is not None
        job = self._follow(act.shifts, owner=act.into, placed=True, gone=[act.owner])
        reason = self._against(into, absorbed)
        if reason is None:
            self._deciding.merge(into, absorbed, source=act.source, first=job)
            return
        about = self._about(act)
        log.warning("You %s, and %s; `guyverd review` asks what is right.", act.source, reason, extra=about)
        self._catalogue.heard.propose(Proposal(into, absorbed, act.source, reason), self._catalogue.now())
        self.ignore(act)

    def _against(self, into: PersonId, absorbed: PersonId) -> str | None:
        """What speaks against two people being one, in words."""
        said = standing(self._catalogue)
        two = min(into, absorbed), max(into, absorbed)
        if two in said.apart_people and not self._were_split(two):
            return "you said that they are two people"
        if into in said.hidden:
            return "the one of that name is hidden"
        ours, theirs = (self._catalogue.people.members(person) for person in (into, absorbed))
        if any((one.face, into) in said.barred for one in theirs) or any(
            (one.face, absorbed) in said.barred for one in ours
        ):
            return "you said of a face of the one that it is not the other"
        our_faces, their_faces = ({one.face for one in members} for members in (ours, theirs))
        if any(
            (one in our_faces and other in their_faces) or (one in their_faces and other in our_faces)
            for one, other in said.apart
        ):
            return "you said of a face of each that they are two people"
        return "there are photos that show both" if self._kept_apart(their_faces, into) else None

    def _were_split(self, two: tuple[PersonId, PersonId]) -> bool:
        """Whether nobody said more of these two than that one was split off the other: that is taken back by hand."""
        people, log = self._catalogue.people, log_of(self._catalogue)
        gone = undone(log)
        for one in log:
            if one.kind is DecisionKind.DIFFERENT and one.id not in gone and one.person and one.other:
                ends = people.survivor(one.person), people.survivor(one.other)
                if ends in (two, two[::-1]):
                    return False
        return True

    def _hidden(self, act: Hidden) -> None:
        job = self._follow(act.shifts, gone=[act.owner])
        person, album = person_of(act.owner), album_of(act.owner)
        if person is not None:
            self._deciding.hide(person, source=act.source, first=job)
        elif album is not None:
            self._albums.remove(album, source=act.source, first=job)

    def _returned(self, act: Returned, snapshot: Snapshot) -> None:
        person, album = person_of(act.owner), album_of(act.owner)
        if album is not None:
            _, taken_away = removed(log_of(self._catalogue), standing(self._catalogue))[album]
            undo(self._catalogue, taken_away, source=act.source)
            return
        assert person is not None
        name = self._catalogue.people.names().get(person)
        home = Home(act.owner, act.folder, name, snapshot.folders.get(act.folder))
        # Their links came back with the folder, and are ours again.
        theirs = [
            PublishedLink(path, seen, act.owner, photo, placed=True)
            for path, seen in snapshot.entries.items()
            if path.startswith(act.folder + b"/") and isinstance(seen, bytes)
            if (photo := self._enrolling.shown_by(path)) is not None
            if any(one.person == person for one in self._catalogue.people.in_photo(photo))
        ]
        job = changing(links=theirs, homes=[home], at=self._catalogue.now())
        self._deciding.hide(person, hidden=False, source=act.source, first=job)

    # ---- links -------------------------------------------------------------------------------------------------------

    def _given(self, act: Given) -> None:
        to = person_of(act.to)
        assert to is not None
        faces = self._faces(act.owner, act.shifts)
        job = self._follow(act.shifts, owner=act.to, placed=True)
        taken = self._kept_apart(faces, to)
        if taken:
            # The photo shows that person already: it is another's face, and whose is not said.
            person = person_of(act.owner)
            assert person is not None
            self._deciding.reject(person, sorted(taken), source=act.source)
        rest = [face for face in faces if face not in taken]
        if rest:
            self._deciding.confirm(to, rest, source=act.source, first=job)
        else:
            self._alone(job)

    def _refused(self, act: Refused) -> None:
        job = self._follow(act.shifts)
        person, album = person_of(act.owner), album_of(act.owner)
        if album is not None:
            photos = [shift.link.photo for shift in act.shifts if shift.link.photo is not None]
            self._albums.leave_out(album, photos, source=act.source, first=job)
            return
        faces = self._faces(act.owner, act.shifts)
        if person is not None and faces:
            self._deciding.reject(person, faces, source=act.source, first=job)
        else:
            self._alone(job)

    def _parted(self, act: Parted, snapshot: Snapshot) -> None:
        groups: dict[OwnerId, list[Shift]] = defaultdict(list)
        for shift in act.shifts:
            groups[shift.link.owner].append(shift)
        home = Home(OwnerId(0), act.folder, act.name, snapshot.folders.get(act.folder))
        new = self._found(act, groups, home)
        if new is None:
            self.ignore(act)
            return
        for owner, shifts in sorted(groups.items()):
            faces = self._faces(owner, shifts)
            job = self._follow(shifts, owner=of_person(new), placed=True)
            if faces:
                self._deciding.confirm(new, faces, source=act.source, first=job)
            else:
                self._alone(job)

    def _found(self, act: Parted, groups: dict[OwnerId, list[Shift]], home: Home) -> PersonId | None:
        """The new person, of the faces of the first who keeps some; their shifts are done then."""
        whole = None
        for owner in sorted(groups, key=lambda one: (-len(groups[one]), one)):
            person = self._stands(owner)
            faces = self._faces(owner, groups[owner])
            if person is None or not faces:
                continue
            if len(faces) == len(self._catalogue.people.members(person)):
                whole = whole or (owner, person)
                continue
            new = self._catalogue.decisions.next_person()
            settled = replace(home, owner=of_person(new))
            job = self._follow(groups.pop(owner), owner=of_person(new), placed=True, homes=[settled])
            self._deciding.split(person, faces, name=act.name, source=act.source, first=job)
            return new
        if whole is None:
            return None
        owner, person = whole
        settled = replace(home, owner=owner)
        job = self._follow(groups.pop(owner), owner=owner, placed=True, homes=[settled])
        if act.name is None:
            self._alone(job)
        else:
            self._deciding.name(person, act.name, source=act.source, first=job)
        return person

    def _shared(self, acts: Sequence[Shared], snapshot: Snapshot) -> None:
        """Copies in one person's folder, of links of the same others: those that are clear are one decision."""
        to = person_of(acts[0].to)
        assert to is not None
        faces: set[FaceId] = set()
        clear: list[Shared] = []
        copied: list[PublishedLink] = []
        for act in acts:
            seen = snapshot.entries.get(act.path)
            there = self._catalogue.people.in_photo(act.photo)
            known = {one.face: one.person for one in there}
            if to in known.values() or seen is None:
                continue
            anew = act.path not in self._catalogue.heard.enrolled()
            may_be = meant(known, to, standing(self._catalogue), anew=anew)
            found = choices(may_be, known, video=any(one.starts is not None for one in there))
            # Once it was asked whose face is meant, only an answer tells.
            if len(found) == 1 and anew:
                faces |= set(found[0])
                clear.append(act)
                if isinstance(seen, bytes):
                    # It was made as one of ours, so it is.
                    copied.append(PublishedLink(act.path, seen, act.to, act.photo, placed=True))
            elif anew and isinstance(seen, bytes):
                self._enrolling.copied(act.path, act.photo, to, act.source)
            else:
                self._enrolling.dropped(act.path, seen, to, act.source)
        if faces:
            job = changing(links=copied, at=self._catalogue.now())
            source = _copied(clear)
            self._deciding.confirm(to, sorted(faces), source=source, first=job)
            if len(acts) > 1:
                log.info("People folder: you %s.", source, extra={"person": to})

    def _about(self, act: Act) -> dict[str, object]:
        """What a line in the log about an act is about, for machines: where, who, and which photo where it is one."""
        path = act.shifts[0].link.path if act.shifts else None
        photo = act.shifts[0].link.photo if len(act.shifts) == 1 else None
        owner = None
        if isinstance(act, Shared | Dropped):
            path, owner = act.path, act.to
            photo = act.photo if isinstance(act, Shared) else None
        elif isinstance(act, Parted | Returned):
            path = act.folder
        elif isinstance(act, Moved):
            path = act.new
        elif isinstance(act, Given):
            owner = act.to
        if isinstance(act, Moved | Merged | Refused | Hidden | Returned):
            owner = act.owner
        return {
            "file": None if path is None else self._enrolling.whole(path),
            "person": None if owner is None else person_of(owner),
            "photo": photo,
        }

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _alone(self, job: Job) -> None:
        self._catalogue.links.write(job)

    def _follow(
        self,
        shifts: Iterable[Shift],
        owner: OwnerId | None = None,
        *,
        placed: bool = False,
        homes: Sequence[Home] = (),
        gone: Sequence[OwnerId] = (),
        moved: tuple[bytes, bytes] | None = None,
    ) -> Job:
        """The ledger says where links are now, and whose."""
        shifts = list(shifts)
        there = [
            replace(
                shift.link,
                path=shift.path,
                owner=shift.link.owner if owner is None else owner,
                placed=placed or shift.link.placed or _within_moved(shift, moved),
                made=True,
            )
            for shift in shifts
            if shift.path is not None
        ]
        forgotten = [shift.link for shift in shifts]
        return changing(forgotten=forgotten, links=there, homes=homes, gone=gone, moved=moved, at=self._catalogue.now())

    def _stands(self, owner: OwnerId) -> PersonId | None:
        person = person_of(owner)
        return None if person is None else self._catalogue.people.survivor(person)

    def _faces(self, owner: OwnerId, shifts: Iterable[Shift]) -> list[FaceId]:
        """What links stand for: the faces of their owner in their photos, as far as they still are theirs.

        With a live photo goes its video, where that was only linked beside it.
        """
        person = self._stands(owner)
        photos = {shift.link.photo for shift in shifts if not shift.link.companion}
        if person is None:
            return []
        live = self._catalogue.shelves.live([one for one in photos if one is not None])
        photos |= {one for some in live.values() for one in some if not self._catalogue.links.of_photos(owner, [one])}
        return [one.face for one in self._catalogue.people.members(person) if one.photo in photos]

    def _kept_apart(self, faces: Iterable[FaceId], person: PersonId) -> set[FaceId]:
        """Which of the faces are seen together with one of the person's that nobody said they may be one with."""
        said = standing(self._catalogue)
        theirs = {one.face: one for one in self._catalogue.people.members(person)}
        held = self._catalogue.people.holdings(list(faces))
        beside = company([*{**theirs, **held}.values()])
        one_person = said.together | said.alike
        return {
            face
            for face in held
            if any(
                (min(face, other), max(face, other)) not in one_person for other in beside.get(face, set()) & {*theirs}
            )
        }


def _within_moved(shift: Shift, moved: tuple[bytes, bytes] | None) -> bool:
    """Whether a link was moved within its folder while that was moved itself."""
    if moved is None or shift.path is None:
        return False
    old, new = moved
    return shift.path[len(new) :] != shift.link.path[len(old) :]


def _copied(acts: Sequence[Shared]) -> str:
    """What was done, in words: of several the name of the copy gives way to how many there are."""
    source = acts[0].source
    name = os.path.basename(acts[0].path).decode("utf-8", "replace")
    return source if len(acts) == 1 else source.replace(name, f"{len(acts)} links", 1)
