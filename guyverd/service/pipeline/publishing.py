"""People become folders: what the catalogue says is planned and made; the catalogue keeps the ledger of links."""

from __future__ import annotations

import logging
import os

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import PeopleFolderError
from guyverd.folders.apply import PeopleTree
from guyverd.folders.plan import Plan, plan

log = logging.getLogger(__name__)


class Publishing:
    """Keeps the people folder as the catalogue says."""

    def __init__(self, config: Config, catalogue: Catalogue) -> None:
        self._config = config
        self._catalogue = catalogue
        self._folder = os.fsencode(config.people)
        self._tree = PeopleTree(self._folder)
        self._prepared = False
        self.problem: PeopleFolderError | None = None
        """Why nothing is published at present."""

    def prepare(self) -> None:
        """Make the people folder, or check that it is ours, and bring the ledger to what is on disk.

        A folder that held links and is empty or gone is taken for a disk that is not mounted: nothing is done.
        Raises PeopleFolderError.
        """
        published = self._catalogue.links.published()
        self._tree.prepare(expected=bool(published))
        self._tree.recover(published, self._catalogue.links)
        self._prepared = True

    def publish(self) -> bool:
        """Make the links what they should be. Tells whether that succeeded; if not, `problem` says why."""
        try:
            if not self._prepared:
                self.prepare()
            self._tree.check()
            applied = self._tree.apply(self.planned(), self._catalogue.links)
        except PeopleFolderError as problem:
            if self.problem is None or self.problem.message != problem.message:
                log.error("%s %s", problem.message, problem.advice)
            self.problem = problem
            return False
        self.problem = None
        for path, reason in applied.problems:
            log.warning("%s: %s", os.fsdecode(os.path.join(self._folder, path)), reason)
        for path in applied.kept_foreign:
            log.info("%s is not ours and was left as it is.", os.fsdecode(os.path.join(self._folder, path)))
        if applied.made or applied.removed or applied.renamed:
            log.info(
                "People folder: links made: %d, removed: %d; folders renamed: %d.",
                applied.made,
                applied.removed,
                applied.renamed,
            )
        return not applied.problems

    def planned(self) -> Plan:
        """What would have to change now."""
        settings = self._config.folders
        return plan(
            self._catalogue.people.albums(settings.min_photos),
            self._catalogue.links.published(),
            people_folder=self._tree.real,
            unnamed=settings.unnamed,
            style=settings.links,
        )

    def wrong(self) -> list[tuple[bytes, str]]:
        """Links that are not on disk as the ledger says."""
        return self._tree.verify(self._catalogue.links.published())

    def mend(self) -> bool:
        """Make the folder and its links again where somebody took them away, because the user asked for it.

        Raises PeopleFolderError where that cannot be.
        """
        self._tree.prepare()
        self._tree.recover(self._catalogue.links.published(), self._catalogue.links)
        self._prepared = True
        return self.publish()
