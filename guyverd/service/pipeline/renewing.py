"""Reading photos again, when another engine would find other faces in them, or others in the same."""

from __future__ import annotations

import logging
import threading

from guyverd.catalogue.renewal import network
from guyverd.catalogue.store import Catalogue
from guyverd.errors import GuyverError, OtherModel
from guyverd.model import FaceId, Standing
from guyverd.service.pipeline.grouping import Grouping
from guyverd.service.pipeline.reading import Reader
from guyverd.service.pipeline.words.deciding import standing

log = logging.getLogger(__name__)


def spoken_of(said: Standing) -> frozenset[FaceId]:
    """The faces that somebody's word is about: they are never lost to a detector that misses them."""
    pairs = (*said.together, *said.apart)
    return frozenset({*said.pinned, *(face for face, _ in said.barred), *(face for pair in pairs for face in pair)})


class Renewing:
    """Knows what would read photos now, and has those read again that something else read."""

    def __init__(self, catalogue: Catalogue, reader: Reader, grouping: Grouping) -> None:
        self._catalogue = catalogue
        self._reader = reader
        self._grouping = grouping
        self._spoken_of: tuple[Standing, frozenset[FaceId]] = (Standing(), frozenset())
        self.engine = ""
        """What would read photos now; empty until somebody asked."""

    def kept(self) -> frozenset[FaceId]:
        """The faces that stay whatever is found in their photos."""
        said = standing(self._catalogue)
        if self._spoken_of[0] is not said:
            self._spoken_of = (said, spoken_of(said))
        return self._spoken_of[1]

    def look(self) -> None:
        """Find out what would read photos now, in a thread of its own; only where some were read before."""
        if self._catalogue.renewal.engines():
            threading.Thread(target=self._look, name="engine", daemon=True).start()

    def _look(self) -> None:
        try:
            self.ask()
        except GuyverError as problem:
            # The first photo to be read tells it in full.
            log.debug("What would read photos now is not known: %s", problem)

    def ask(self) -> str:
        """What would read photos now, from a process that ends at once. Raises what `Reader.engine` does."""
        self.engine = self._reader.engine()
        return self.engine

    def begin(self, engine: str, *, every: bool) -> int:
        """Have photos read again that another engine read, or every one. On the coordinator's thread.

        They keep their faces and people meanwhile. Returns how many there are.
        """
        count, parted = self._catalogue.renewal.begin(engine, every=every)
        if parted:
            self._grouping.replace()
        log.info("%d photos are read again, by %s.", count, engine)
        return count

    def check_comparable(self, engine: str) -> None:
        """Raises OtherModel where faces that `engine` describes cannot be compared with those of the library."""
        if self._catalogue.renewal.networks() - {network(engine)}:
            raise OtherModel()

    def notices(self, engine: str = "") -> list[str]:
        """What a person should know of it; `engine` is what read the last photo, where one was read."""
        engine = engine or self.engine
        older = self._catalogue.renewal.older(engine) if engine else 0
        if not older:
            return []
        found = [f"{older} photos were read by an older engine: `guyverd scan --again` reads them anew."]
        if len(self._catalogue.renewal.networks() | {network(engine)}) > 1:
            found.append("New faces wait until then: another face model has described those of the library.")
        return found
