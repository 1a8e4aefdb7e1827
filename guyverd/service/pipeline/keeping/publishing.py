"""People become folders: what the catalogue says is planned and made; the catalogue keeps the ledger of links."""

from __future__ import annotations

import logging
import os

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import PeopleFolderError
from guyverd.folders.apply import PeopleTree
from guyverd.folders.ledger import Applied
from guyverd.folders.plan import Plan
from guyverd.service.metrics import Metrics
from guyverd.service.pipeline.keeping.furnishing import Furnish
from guyverd.service.pipeline.keeping.heeding import Heeding
from guyverd.service.pipeline.keeping.planning import Planning

log = logging.getLogger(__name__)


class Publishing:
    """Keeps the people folder as the catalogue says."""

    def __init__(self, config: Config, catalogue: Catalogue, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._config = config
        self._catalogue = catalogue
        self._folder = os.fsencode(config.people)
        self.tree = PeopleTree(self._folder, config.folders.links)
        self.heeding = Heeding(config, catalogue, self.tree)
        self._planning = Planning(config, catalogue, lambda: self.tree.real)
        self.furnishing = Furnish(config, catalogue, self.tree)
        self._prepared = False
        self._all_stale = True
        """Whoever was to be looked at before the last stop may be forgotten, and roots may be others now."""
        self.applied: Applied | None = None
        """What the last publishing changed."""
        self.problem: PeopleFolderError | None = None
        """Why nothing is published at present."""
        self._told = ""
        """The problem that was logged last; trying again does not make it another."""

    @property
    def prepared(self) -> bool:
        """Whether the people folder was found to be there, and ours."""
        return self._prepared

    # ---- keeping it so -----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the people folder, or check that it is ours, and bring the ledger to what a killed run left on disk.

        A folder that held links and is empty or gone is taken for a disk that is not mounted: nothing is done.
        Raises PeopleFolderError.
        """
        if self._prepared:
            self.tree.check()
            return
        links = self._catalogue.links
        published = links.published()
        self.tree.prepare(expected=bool(published))
        self.tree.recover(published, links, homes=links.homes().values())
        self._prepared = True

    def heed(self) -> bool:
        """Read what somebody did to the people folder. Tells whether anything came of it.

        `problem` says afterwards whether the folder is in order.
        """
        try:
            self.prepare()
            heard = self.heeding.read()
        except PeopleFolderError as problem:
            self._report(problem)
            return False
        self.problem = None
        return heard

    def publish(self) -> bool:
        """Make the links what they should be. Tells whether that succeeded; if not, `problem` says why.

        What somebody did there since is read first, so that it is not overwritten.
        """
        self.heed()
        if self.problem is not None:
            return False
        try:
            done = self._publish()
        except PeopleFolderError as problem:
            self._report(problem)
            return False
        if self.problem is None:
            self._told = ""
        return done

    def resume(self, *, accept: bool) -> list[str]:
        """Go on after too much was changed at once: take it as meant, or put it back. Returns what it was, in words.

        Raises PeopleFolderError where the folder cannot be kept.
        """
        self.prepare()
        acts = self.heeding.resume(accept=accept)
        self.problem = None
        self._all_stale = True
        return acts

    def all_anew(self) -> None:
        """Look at every folder with the next publishing."""
        self._all_stale = True

    def cover(self) -> None:
        """Cut some of the covers that are wanted, while there is nothing better to do."""
        try:
            self._prepared &= self.furnishing.some_covers()
        except PeopleFolderError as problem:
            # They are looked for again with the rest, when the folder is in order.
            self.furnishing.forget()
            self._all_stale = True
            self._report(problem)
        except BaseException:
            self._prepared = False  # as below
            raise

    def planned(self) -> Plan:
        """What would have to change now, in all folders."""
        return self._planning.everything()[1]

    def wrong(self) -> list[tuple[bytes, str]]:
        """Links that are not on disk as the ledger says."""
        return self.tree.verify(self._catalogue.links.published())

    def mend(self) -> bool:
        """Make the folder and its links again where somebody took them away, because the user asked for it.

        Raises PeopleFolderError where that cannot be.
        """
        self.tree.prepare()
        links = self._catalogue.links
        self.tree.recover(links.published(), links, homes=links.homes().values(), missing=True)
        self._prepared = True
        self._all_stale = True
        self._catalogue.heard.pause(None, self._catalogue.now())
        return self.publish()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _report(self, problem: PeopleFolderError) -> None:
        if self._told != problem.message:
            log.error("%s %s", problem.message, problem.advice)
            self._told = problem.message
        self.problem = problem

    def _publish(self) -> bool:
        stale = self._planning.take_stale()
        stale = None if self._all_stale else stale
        if stale is not None and not stale:
            return True
        done = False
        try:
            homes = self._catalogue.links.homes()
            shelves, planned = self._planning.everything() if stale is None else self._planning.some(stale)
            applied = self.applied = self.tree.apply(planned, self._catalogue.links)
            done = not applied.problems
            self._prepared = not applied.unsure
            self.heeding.leave([homes[owner].path for owner in planned.gone])
            furnished = self.furnishing.furnish(shelves, stale)
            stopped = applied.stopped or (None if furnished is None else furnished.stopped)
            done = done and stopped is None
        except BaseException:
            # As after a kill, nobody knows which links stand: that is looked up before anything is read there.
            self._prepared = False
            raise
        finally:
            self._all_stale = not done and stale is None
            if not done and stale:
                self._catalogue.shelves.note_stale(stale)
        for name, amount in (
            ("links_made", applied.made),
            ("links_removed", applied.removed),
            ("folders_renamed", applied.renamed),
        ):
            self._metrics.count(name, amount)
        self._tell(applied)
        if furnished is not None:
            self._prepared = self._prepared and not furnished.unsure
            self._tell(furnished, "sheets")
        if stopped is not None:
            # Not one link's fault: it is said as long as it lasts.
            self._report(self.tree.explained(stopped))
        return done

    def _tell(self, applied: Applied, what: str = "links") -> None:
        for path, reason in (*applied.problems, *applied.otherwise):
            whole = os.fsdecode(os.path.join(self._folder, path))
            log.warning("%s: %s", whole, reason, extra={"file": whole})
        for path in applied.kept_foreign:
            whole = os.fsdecode(os.path.join(self._folder, path))
            log.info("%s is not ours and was left as it is.", whole, extra={"file": whole})
        if applied.made or applied.removed or applied.renamed:
            log.info(
                "People folder: %s made: %d, removed: %d; folders renamed: %d.",
                what,
                applied.made,
                applied.removed,
                applied.renamed,
            )
