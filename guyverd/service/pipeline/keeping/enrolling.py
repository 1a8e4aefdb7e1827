"""Photos that people put, or link to, in a person's folder: read like any other, and then that person is in them."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Sequence

from guyverd.catalogue.heard import Enrolment, settling
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import PersonError
from guyverd.folders import disk
from guyverd.folders.pages import COVER, HEAD, is_cover
from guyverd.media.kinds import readable
from guyverd.model import FaceId, FileId, PersonId, PhotoId, PhotoState, SeenFile, Stamp
from guyverd.people.asking.whose import choices, meant
from guyverd.service.pipeline.words.deciding import Deciding, standing
from guyverd.service.pipeline.words.pointing import locate
from guyverd.watch.reconcile import reconcile

log = logging.getLogger(__name__)

ELSEWHERE = b"/"
"""The root of files that are in no photo folder, and to which a link in a person's folder leads."""


class Enrolling:
    """To be used on the coordinator's thread."""

    def __init__(self, config: Config, catalogue: Catalogue) -> None:
        self._folder = os.fsencode(config.people)
        self._is_read = readable(videos=config.videos.read)
        self._catalogue = catalogue
        self._deciding = Deciding(catalogue)
        self.heard = 0
        """Photos that were put into folders and taken up, since the start."""

    def dropped(self, path: bytes, seen: bytes | Stamp, person: PersonId, source: str) -> None:
        """Somebody put a file, or a link, at a path of the people folder: note it, once, if it is a picture."""
        file, changed = self._file(path, seen)
        if file is not None and (changed or self._catalogue.heard.enrolled().get(path) != (file, person)):
            self.heard += 1
            log.info("People folder: you %s.", source, extra={"file": self.whole(path), "person": person})
            self._catalogue.heard.enrol(path, file, person, source, self._catalogue.now())

    def copied(self, path: bytes, photo: PhotoId, person: PersonId, source: str) -> None:
        """A link of ours was copied to a path of the people folder: note it, even where the copy leads nowhere."""
        file = self._catalogue.files.of_photo(photo)
        if file is not None:
            self._catalogue.heard.enrol(path, file, person, source, self._catalogue.now())

    def is_picture(self, path: bytes, seen: bytes | Stamp) -> bool:
        """Whether what stands there, or where it leads, has the name of what is read, and is there."""
        if isinstance(seen, Stamp):
            return self._is_read(path) and not self._is_cover(path)
        real = self._real(path)
        return self._is_read(real) and os.path.lexists(real)

    def shown_by(self, path: bytes) -> PhotoId | None:
        """The photo of the library that a link at a path of the people folder leads to; None where it leads to none."""
        known = locate(self._catalogue, self._real(path))
        return None if known is None else self._catalogue.files.photo_of(*known)

    def advance(self) -> bool:
        """Decide about those whose faces are known by now. Tells whether anything was decided."""
        changed = False
        for one in self._catalogue.heard.open():
            changed |= self._decide(one)
        return changed

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _file(self, path: bytes, seen: bytes | Stamp) -> tuple[FileId | None, bool]:
        """The file that is meant, and whether it changed; None where it is no picture, or out of reach."""
        if isinstance(seen, Stamp):
            return self._noted(self._folder, path, seen) if self.is_picture(path, seen) else (None, False)
        real = self._real(path)
        return self._led_to(real) if self._is_read(real) else (None, False)

    def _is_cover(self, path: bytes) -> bool:
        """Whether that is a copy of a cover of ours, which came along with a folder and is nobody's photo."""
        name, cover = os.path.splitext(os.path.basename(path)), os.path.splitext(COVER)
        if name[1] != cover[1] or not name[0].startswith(cover[0]):
            return False
        try:
            # It was a file a moment ago; a pipe in its place must not keep us waiting.
            seen = os.open(os.path.join(self._folder, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(seen, "rb") as file:
                return is_cover(file.read(HEAD))
        except OSError:
            return False

    def _real(self, path: bytes) -> bytes:
        return os.path.realpath(os.path.join(self._folder, path))

    def _led_to(self, real: bytes) -> tuple[FileId | None, bool]:
        files = self._catalogue.files
        known = locate(self._catalogue, real)
        if known is not None and known[0] not in files.own().values():
            # In a photo folder: if it is not known yet, it will be, and the next full look finds this link again.
            return files.at(*known), False
        try:
            status = os.stat(real, follow_symlinks=False)
        except OSError:
            return None, False
        # Wherever it lies: whoever may put links here is the user. But only a picture is ever read.
        if not stat.S_ISREG(status.st_mode):
            return None, False
        return self._noted(ELSEWHERE, real.lstrip(b"/"), disk.stamp_of(status))

    def _noted(self, root: bytes, path: bytes, stamp: Stamp) -> tuple[FileId | None, bool]:
        files = self._catalogue.files
        number = files.own()[root]
        known = [one for one in files.known(number, path) if one.path == path]
        changes = reconcile(known, [SeenFile(path, stamp)])
        files.apply(number, changes, self._catalogue.now())
        return files.at(number, path), bool(changes)

    def _decide(self, one: Enrolment) -> bool:
        catalogue = self._catalogue
        person = catalogue.people.survivor(one.person)
        if person is None or one.photo_state in (PhotoState.FAILED, PhotoState.QUARANTINED):
            return self._in_vain(one, "it cannot be read")
        if one.photo is None or one.photo_state is not PhotoState.DONE or not one.grouped:
            return False
        there = catalogue.people.in_photo(one.photo)
        faces = {held.face: held.person for held in there}
        if person in faces.values():
            catalogue.heard.settle(one.path, "done")
            return False
        may_be = meant(faces, person, standing(catalogue), anew=one.state == "waiting")
        found = choices(may_be, faces, video=any(held.starts is not None for held in there))
        if not found:
            return self._in_vain(one, "no face in it can be theirs" if faces else "no face was found in it")
        # Once it was asked, only an answer tells: the others may be out because of one that was taken back.
        if len(found) == 1 and one.state == "waiting":
            return self._confirmed(one, person, found[0])
        return self._asked(one)

    def _confirmed(self, one: Enrolment, person: PersonId, found: Sequence[FaceId]) -> bool:
        try:
            self._deciding.confirm(person, found, source=one.source, first=settling(one.path, "done"))
        except PersonError as problem:
            return self._in_vain(one, f"{problem.message} {problem.advice}")
        return True

    def _asked(self, one: Enrolment) -> bool:
        if one.state == "waiting":
            whole = self.whole(one.path)
            about = {"file": whole, "photo": one.photo, "person": one.person}
            log.info("%s shows several who may be meant; `guyverd review` asks.", whole, extra=about)
            self._catalogue.heard.settle(one.path, "asked")
        return False

    def _in_vain(self, one: Enrolment, reason: str) -> bool:
        whole = self.whole(one.path)
        about = {"file": whole, "photo": one.photo, "person": one.person}
        log.warning("%s tells nothing of the person whose folder it is in: %s", whole, reason, extra=about)
        self._catalogue.heard.settle(one.path, "vain")
        return False

    def whole(self, path: bytes) -> str:
        """A path of the people folder as whoever reads the log can find it."""
        return os.fsdecode(os.path.join(self._folder, path))
