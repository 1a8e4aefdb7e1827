"""A library for one command, in this process: it loads what the command needs, and works only when told to scan."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.service.api import Row
from guyverd.service.pipeline.listing import Listing

if TYPE_CHECKING:
    from guyverd.service.pipeline.queries import LocalLibrary


class WorkingLibrary(Listing):
    """Lists from the catalogue; the first question that takes more opens the whole, as a daemon has it.

    The coordinator starts with the first scan and does not follow events.
    """

    def __init__(self, config: Config) -> None:
        catalogue = Catalogue(os.fsencode(config.state / "catalogue.db"))
        super().__init__(catalogue, config.people)
        self._config = config
        self._opened: LocalLibrary | None = None
        self._started = False
        try:
            # The config may have changed since the library was last at work: only its roots count.
            roots = [os.fsencode(path) for path in config.photos]
            if {root.path for root in catalogue.files.roots()} != set(roots):
                catalogue.files.configure(roots)
        except BaseException:
            catalogue.close()
            raise

    def close(self) -> None:
        """Finish or roll back what is in hand and let everything go."""
        if self._opened is None:
            self._catalogue.close()
        else:
            self._opened.stop()

    @property
    def _whole(self) -> LocalLibrary:
        if self._opened is None:
            from guyverd.service.pipeline.coordinator import Coordinator  # noqa: PLC0415  see above
            from guyverd.service.pipeline.queries import LocalLibrary  # noqa: PLC0415

            # One catalogue at a time: it has one writer.
            self._catalogue.close()
            coordinator = Coordinator(self._config)
            self._opened = LocalLibrary(coordinator, daemon=False)
            self._catalogue = coordinator.catalogue
        return self._opened

    def scan(self, again: bool = False, every: bool = False) -> Row:
        """See `Library.scan`."""
        whole = self._whole
        if self._started:
            return whole.scan(again, every)
        if again or every:
            whole.read_again(every=every)
        # Who begins to work compares every root with the disk: to ask for it would be to have it done twice.
        self._started = True
        whole.start()
        return whole.progress()

    def status(self) -> Row:
        """See `Library.status`."""
        return self._whole.status()

    def progress(self) -> Row:
        """See `Library.progress`."""
        return self._whole.progress()

    def name(self, person: str, name: str, dry: bool = False) -> Row:
        """See `Library.name`."""
        return self._whole.name(person, name, dry)

    def merge(self, person: str, other: str, dry: bool = False) -> Row:
        """See `Library.merge`."""
        return self._whole.merge(person, other, dry)

    def confirm(self, person: str, faces: Sequence[str] = (), dry: bool = False) -> Row:
        """See `Library.confirm`."""
        return self._whole.confirm(person, faces, dry)

    def reject(self, person: str, faces: Sequence[str], dry: bool = False) -> Row:
        """See `Library.reject`."""
        return self._whole.reject(person, faces, dry)

    def split(self, person: str, faces: Sequence[str], name: str | None = None, dry: bool = False) -> Row:
        """See `Library.split`."""
        return self._whole.split(person, faces, name, dry)

    def hide(self, person: str, dry: bool = False) -> Row:
        """See `Library.hide`."""
        return self._whole.hide(person, dry)

    def unhide(self, person: str, dry: bool = False) -> Row:
        """See `Library.unhide`."""
        return self._whole.unhide(person, dry)

    def same(self, face: str, other: str, dry: bool = False) -> Row:
        """See `Library.same`."""
        return self._whole.same(face, other, dry)

    def different(self, face: str, other: str, people: bool = False, dry: bool = False) -> Row:
        """See `Library.different`."""
        return self._whole.different(face, other, people, dry)

    def undo(self, decision: int | None = None, dry: bool = False) -> Row:
        """See `Library.undo`."""
        return self._whole.undo(decision, dry)

    def redo(self, decision: int | None = None, dry: bool = False) -> Row:
        """See `Library.redo`."""
        return self._whole.redo(decision, dry)

    def review(self, limit: int = 20) -> Iterator[Row]:
        """See `Library.review`."""
        return self._whole.review(limit)

    def answer(
        self,
        question: str,
        answer: str,
        but: Sequence[int] = (),
        *,
        name: str | None = None,
        person: str | None = None,
        decisions: Sequence[int] = (),
    ) -> Row:
        """See `Library.answer`."""
        return self._whole.answer(question, answer, but, name=name, person=person, decisions=decisions)

    def recluster(self, apply: bool = False, strictness: float | None = None, stamp: str | None = None) -> Row:
        """See `Library.recluster`."""
        return self._whole.recluster(apply, strictness, stamp)

    def accept(self, folder: str, dry: bool = False) -> Row:
        """See `Library.accept`."""
        return self._whole.accept(folder, dry)

    def forget(self, apply: bool = False, stamp: str | None = None) -> Row:
        """See `Library.forget`."""
        return self._whole.forget(apply, stamp)

    def box(
        self,
        path: str,
        box: list[int],
        person: str | None = None,
        name: str | None = None,
        dry: bool = False,
        *,
        opened: int | None = None,
    ) -> Row:
        """See `Library.box`."""
        return self._whole.box(path, box, person, name, dry, opened=opened)

    def folders(self) -> Row:
        """See `Library.folders`."""
        return self._whole.folders()

    def folders_resume(self, accept: bool = False, dry: bool = False) -> Row:
        """See `Library.folders_resume`."""
        return self._whole.folders_resume(accept, dry)

    def folders_rebuild(self, dry: bool = False) -> Row:
        """See `Library.folders_rebuild`."""
        return self._whole.folders_rebuild(dry)

    def who(self, path: str, *, at: float | None = None, opened: int | None = None) -> Row:
        """See `Library.who`."""
        return self._whole.who(path, at=at, opened=opened)

    def search(
        self,
        query: str,
        k: int = 20,
        face: int | None = None,
        *,
        every: bool = False,
        since: str | None = None,
        until: str | None = None,
        within: str | None = None,
        company: Sequence[str] = (),
        without: Sequence[str] = (),
        kind: str | None = None,
        least: float | None = None,
        duplicates: bool = False,
        direct: bool = False,
        at: float | None = None,
        person: bool = False,
        opened: int | None = None,
    ) -> Row:
        """See `Library.search`."""
        return self._whole.search(
            query,
            k,
            face,
            every=every,
            since=since,
            until=until,
            within=within,
            company=company,
            without=without,
            kind=kind,
            least=least,
            duplicates=duplicates,
            direct=direct,
            at=at,
            person=person,
            opened=opened,
        )

    def follow(
        self,
        query: str,
        name: str,
        folder: str,
        face: int | None = None,
        *,
        at: float | None = None,
        person: bool = False,
        copy: bool = False,
        clips: bool = False,
        past: bool = False,
        opened: int | None = None,
    ) -> Row:
        """See `Library.follow`."""
        how = {"person": person, "copy": copy, "clips": clips, "past": past}
        return self._whole.follow(query, name, folder, face, at=at, opened=opened, **how)

    def unfollow(self, name: str) -> Row:
        """See `Library.unfollow`."""
        return self._whole.unfollow(name)

    def album(
        self,
        people: Sequence[str],
        title: str | None = None,
        since: str | None = None,
        until: str | None = None,
        dry: bool = False,
    ) -> Row:
        """See `Library.album`."""
        return self._whole.album(people, title, since, until, dry)

    def album_rename(self, album: str, title: str, dry: bool = False) -> Row:
        """See `Library.album_rename`."""
        return self._whole.album_rename(album, title, dry)

    def album_remove(self, album: str, dry: bool = False) -> Row:
        """See `Library.album_remove`."""
        return self._whole.album_remove(album, dry)

    def check(self, repair: bool = False) -> Row:
        """See `Library.check`."""
        return self._whole.check(repair)


@contextlib.contextmanager
def working_library(config: Config) -> Iterator[WorkingLibrary]:
    """The library, for a process that holds its lock."""
    library = WorkingLibrary(config)
    try:
        yield library
    finally:
        library.close()
