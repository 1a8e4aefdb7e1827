"""Videos become tracks: feeds their parts to the workers when there are no photos left, and puts the results together.

Several videos are read at once, as many as there are workers, and each gets its share of them: a long film does not
keep short clips waiting. A part that was read is durable, so whatever ends the program, a video goes on where it was.
Of a video that ends too soon, or of which a part cannot be read, what was found up to there stays, and the reason is
told among the failures.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import queue
from collections.abc import Callable, Collection
from concurrent.futures import CancelledError, Future

from guyverd import config
from guyverd.catalogue.films import HeldPart, HeldTrack
from guyverd.catalogue.renewal import network
from guyverd.catalogue.store import Catalogue
from guyverd.errors import (
    DeadlineExceeded,
    EngineError,
    FileUnreadable,
    PictureError,
    PictureMissing,
    WorkerDied,
    WorkerNotStarted,
)
from guyverd.faces.tracks import VideoPart, decoded, encoded
from guyverd.media.content import ContentChanged
from guyverd.model import DetectedFace, FaceId, PhotoId, PhotoKind, PhotoReading
from guyverd.service.metrics import Metrics
from guyverd.service.pipeline.film import Film, assembled
from guyverd.service.pipeline.jobs import PartRead, PartWanted, Read, Wanted
from guyverd.service.pipeline.reading import Reader
from guyverd.service.pipeline.verdicts import Tally, Verdicts, about, in_words

log = logging.getLogger(__name__)

_OF_THE_FILE = (ContentChanged, PictureMissing, FileUnreadable)
"""What says nothing of a part, but of the whole file."""
_Part = tuple[PhotoId, int, "Future[PartRead]"]
_Frame = tuple[PhotoId, HeldTrack, "Future[Read]"]


class Filming:
    """Has videos read, part by part. On one thread, but for what the workers' futures call."""

    def __init__(
        self,
        catalogue: Catalogue,
        reader: Reader,
        wake: Callable[[], None],
        videos: config.Videos,
        verdicts: Verdicts,
        *,
        kept: Callable[[], Collection[FaceId]] = frozenset,
        metrics: Metrics | None = None,
    ) -> None:
        """`kept` tells of which tracks something was said: they stay, whatever is found when a video is read again."""
        self._catalogue = catalogue
        self._reader = reader
        self._wake = wake
        self._videos = videos
        self._verdicts = verdicts
        self._kept = kept
        self._metrics = metrics or Metrics()
        self._films: dict[PhotoId, Film] = {}
        """Those that are being read, in the order in which they were begun."""
        self._anew: set[PhotoId] = set()
        """Those that were read from the beginning because what was kept of them was damaged."""
        self._ready: queue.SimpleQueue[_Part | _Frame] = queue.SimpleQueue()
        self._costs: list[tuple[float, float]] = []
        self._shares: tuple[tuple[PhotoId, bytes, float], ...] = ()

    @property
    def busy(self) -> bool:
        """Whether parts of videos are with the workers."""
        return any(film.flying or film.asked for film in self._films.values())

    @property
    def bytes_done(self) -> float:
        """Of the videos that are being read, how many bytes are in the parts that were."""
        return sum(film.share * film.photo.size for film in self._films.values())

    def shares(self) -> tuple[tuple[PhotoId, bytes, float], ...]:
        """The videos that are being read, a file of each, and how much of it was, 0..1. From any thread."""
        return self._shares

    def take_costs(self) -> list[tuple[float, float]]:
        """Of the parts done since this was last asked: bytes of each, as a share of its video, and the seconds."""
        taken, self._costs = self._costs, []
        return taken

    def advance(self, *, quiet: bool = False, plenty: bool = False, due: bool = False) -> bool:
        """Record what the workers found, and hand them more. Tells whether anything was recorded.

        Nothing is handed out in `quiet` hours, nor while there are photos in `plenty`. Where nothing can be read, one
        part is tried when that is `due`.
        """
        try:
            return self._advanced(quiet=quiet, plenty=plenty, due=due)
        finally:
            self._shares = tuple((number, film.photo.paths[0], film.share) for number, film in self._films.items())

    def _advanced(self, *, quiet: bool, plenty: bool, due: bool) -> bool:
        recorded = self._record()
        hindered = self._verdicts.hindrance.problem is not None
        if quiet or plenty or not self._videos.read or (hindered and not (due and not self.busy)):
            return recorded
        room = 1 if hindered else self._reader.width - sum(len(film.flying) for film in self._films.values())
        for _ in range(room):
            if not self._hand_out():
                break
        return recorded

    # ---- to the workers ----------------------------------------------------------------------------------------------

    def _hand_out(self) -> bool:
        """One part of the video that has the fewest with the workers; of another, where there is room for it."""
        width = self._reader.width
        open_ = [(len(film.flying), at, film) for at, film in enumerate(self._films.values())]
        idle = [item for item in open_ if item[2].next(width) is not None]
        if not any(not flying for flying, _, _ in idle) and len(self._films) < width and (new := self._begun()):
            film = new
        elif idle:
            film = min(idle, key=lambda item: item[:2])[2]
        else:
            return False
        number = film.next(width)
        if number is None:  # all its parts are known from before
            return self._go_on(film)
        photo = film.photo
        film.flying.add(number)
        future = self._reader.submit_part(PartWanted(photo.paths, photo.size, number, self._videos))
        future.add_done_callback(lambda done: self._arrived((photo.id, number, done)))
        return True

    def _begun(self) -> Film | None:
        """The next video in line, with what is known of it from before; None where there is none."""
        for photo in self._catalogue.photos.pending(len(self._films) + 1, kind=PhotoKind.VIDEO):
            if photo.id not in self._films:
                film = self._films[photo.id] = Film(photo)
                self._take_up(film)
                return film
        return None

    def _take_up(self, film: Film) -> None:
        """Go on with the parts that were read before; those of other settings or another guyverd are read anew."""
        stale = []
        for held in self._catalogue.films.parts(film.photo.id):
            engine, _, how = held.engine.rpartition(" | ")
            part = _decoded(held.found)
            if how != _how(self._videos) or part is None or not film.fits(part, held.number):
                stale.append(held.number)
            else:
                stale += film.add(part, engine, network(engine))
        if stale:
            self._catalogue.films.drop(film.photo.id, stale)

    def _arrived(self, answer: _Part | _Frame) -> None:
        self._ready.put(answer)
        self._wake()

    # ---- from the workers --------------------------------------------------------------------------------------------

    def _record(self) -> bool:
        count = 0
        while not self._ready.empty():
            number, what, future = self._ready.get()
            count += 1
            film = self._films.get(number)
            if film is None:
                continue  # given up, or done without it
            if isinstance(what, HeldTrack):
                self._record_frame(film, what, future)  # type: ignore[arg-type]
            else:
                film.flying.discard(what)
                self._record_part(film, what, future)  # type: ignore[arg-type]
            if film.photo.id in self._films:
                self._go_on(film)
        return count > 0

    def _record_part(self, film: Film, number: int, future: Future[PartRead]) -> None:
        try:
            result = future.result()
            self._verdicts.worked(result.engine, result.seconds, result.memory)
            self._metrics.took("read_part", result.seconds)
            part = result.part
        except CancelledError:
            return
        except (EngineError, WorkerNotStarted) as problem:
            self._verdicts.hindrance.note(problem)
            return
        except Exception as problem:
            self._problem(film, number, problem)
        else:
            try:
                self._note_part(film, part, result)
            except ValueError as problem:  # figures that are none, as of a worker whose memory is damaged
                self._problem(film, 0, problem)
        self._verdicts.hindrance.over()

    def _note_part(self, film: Film, part: VideoPart, result: PartRead) -> None:
        stale = film.add(part, result.engine, network(result.engine))
        if stale:
            self._catalogue.films.drop(film.photo.id, stale)
        self._costs.append((film.bytes_of_a_part, result.seconds))
        if film.missing:
            try:
                self._keep(film, part)
            except BaseException:  # such as a full disk; work pauses until there is room
                film.lose(part.number)
                raise

    def _keep(self, film: Film, part: VideoPart) -> None:
        held = HeldPart(part.number, f"{film.engine_of(part.number)} | {_how(self._videos)}", encoded(part))
        self._catalogue.films.keep(film.photo.id, held, self._catalogue.now())

    def _problem(self, film: Film, number: int, problem: Exception) -> None:
        """A part gave nothing: the video is tried again, or ends there, or is given up."""
        if film.ends_before(number):
            return  # it was asked for before it was known that there is no such part
        died = isinstance(problem, WorkerDied | DeadlineExceeded)
        if number > 0 and not isinstance(problem, _OF_THE_FILE):
            if not died or film.died(number):
                film.cut(number, _reason(problem))
                log.debug("%s: %s", os.fsdecode(film.photo.paths[0]), _reason(problem), extra=about(film.photo))
            return
        self._verdicts.note(film.photo, problem, video=True)
        if died and not film.died(number):
            film.photo = dataclasses.replace(film.photo, attempts=film.photo.attempts + 1)
        else:
            del self._films[film.photo.id]

    # ---- put together ------------------------------------------------------------------------------------------------

    def _go_on(self, film: Film) -> bool:
        """Finish a video of which all parts are there. Tells whether it is."""
        if film.missing or film.asked:
            return False
        try:
            parts = self._parts(film)
            faces = assembled(parts)
        except ValueError as problem:
            # What was kept is not what it was: it is read from the beginning, once.
            if film.photo.id in self._anew:
                self._verdicts.note(film.photo, problem, video=True)
            else:
                log.warning("%s is read anew: %s", os.fsdecode(film.photo.paths[0]), problem, extra=about(film.photo))
                self._catalogue.films.drop(film.photo.id, sorted(film.numbers))
                self._anew.add(film.photo.id)
            del self._films[film.photo.id]
            return False
        if film.photo.again and not film.described and self._ask(film, faces):
            return False
        self._finish(film, parts, faces)
        return True

    def _parts(self, film: Film) -> list[VideoPart]:
        """Raises ValueError where one that was kept is damaged, or not there."""
        held = {one.number: one.found for one in self._catalogue.films.parts(film.photo.id)}
        newest = {} if film.newest is None else {film.newest.number: film.newest}
        if lost := [number for number in range(film.count) if number not in held and number not in newest]:
            raise ValueError(f"part {lost[0]} is not there")
        return [newest.get(number) or decoded(held[number]) for number in range(film.count)]

    def _ask(self, film: Film, faces: tuple[DetectedFace, ...]) -> bool:
        """Have the tracks described that must stay, and were not found; tells whether there are any."""
        film.described = True
        missed = self._catalogue.films.missed(film.photo.id, faces, self._kept())
        if missed and film.newest is not None:
            self._keep(film, film.newest)
        for held in missed:
            frame = held.track.frames[0]
            wanted = Wanted(film.photo.paths, None, (frame.box,), search=False, at=frame.time)
            film.asked[held.face] = held
            (future,) = self._reader.submit([wanted])
            future.add_done_callback(lambda done, held=held: self._arrived((film.photo.id, held, done)))  # type: ignore[misc]
        return bool(film.asked)

    def _record_frame(self, film: Film, held: HeldTrack, future: Future[Read]) -> None:
        film.asked.pop(held.face, None)
        try:
            (face,) = future.result().reading.asked
        except CancelledError:
            del self._films[film.photo.id]  # its parts are kept: it is taken up again
        except (EngineError, WorkerNotStarted) as problem:
            self._verdicts.hindrance.note(problem)
            del self._films[film.photo.id]
        except Exception as problem:
            # Its old vector may not be comparable any more, and what was said of it must not be lost.
            self._verdicts.note(film.photo, problem, video=True)
            del self._films[film.photo.id]
        else:
            film.answers.append(dataclasses.replace(face, box=held.box, track=held.track))

    def _finish(self, film: Film, parts: list[VideoPart], faces: tuple[DetectedFace, ...]) -> None:
        photo, first, last = film.photo, parts[0], parts[-1]
        reading = PhotoReading(
            photo.hash,
            *(first.width, first.height, first.format, first.taken_at),
            faces,
            tuple(film.answers),
            duration=last.end if film.reason is None else max(last.end, first.duration or 0.0),
            cut_off=film.reason or last.cut_off,
        )
        del self._films[photo.id]
        kept = self._kept() if photo.again else frozenset()
        gone = self._catalogue.photos.read([(photo.id, reading)], film.engine, self._catalogue.now(), kept)
        self._verdicts.compared_no_more(gone)
        self._verdicts.tally += Tally(0, len(faces), int(reading.cut_off is not None), 0.0, 1)
        self._metrics.count("videos_read")
        self._metrics.count("faces_found", len(faces))
        path = os.fsdecode(photo.paths[0])
        if reading.cut_off is None:
            log.debug("%s: %d tracks", path, len(faces), extra=about(photo))
        else:
            self._metrics.count("read_failures")
            log.warning("%s was not read to its end: %s", path, reading.cut_off, extra=about(photo))


def _how(videos: config.Videos) -> str:
    """What of the settings decides what is found in a part."""
    return f"{videos.rate:g} a second, from {videos.smallest:g}"


def _decoded(found: bytes) -> VideoPart | None:
    try:
        return decoded(found)
    except ValueError:
        return None


def _reason(problem: Exception) -> str:
    if isinstance(problem, PictureError | MemoryError):
        return in_words(problem)
    return str(problem) or type(problem).__name__
