"""What a worker process does with photos, and the pool of workers that rests when there is nothing to do.

`read_photos` runs in an expendable process: whatever a broken file does to a decoder, it does it there. It gets a few
photos at a time: they are decoded and looked at one after the other, so that only one is in memory, and then the faces
of all of them go through the network together.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from guyverd import config
from guyverd.errors import BoxRefused, ControlError, DeadlineExceeded, PictureError, PictureMissing, WorkerDied
from guyverd.faces import limits
from guyverd.faces.engine import CHIP_SIZE
from guyverd.faces.pool import WorkerPool
from guyverd.faces.worker import another_part, portable
from guyverd.media.content import ContentChanged, read_file
from guyverd.media.look import look
from guyverd.media.still import Picture, read_picture
from guyverd.model import Box, PhotoReading
from guyverd.service.metrics import Metrics

if TYPE_CHECKING:
    from guyverd.faces.find import FaceFinder, Sighting
    from guyverd.faces.onnx_engine import OnnxEngine
    from guyverd.faces.tracks import VideoPart

log = logging.getLogger(__name__)

MOST_BYTES = 2_000_000_000
"""Files larger than this are no photos; a worker holds a file's bytes while it decodes them."""
_WHOLE = 8192
"""Pixels on the longer side of a frame that is not reduced."""
MOST_CHIPS = 64
"""Faces that wait to be described together; each holds 68 kB."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A photo to read."""

    paths: tuple[bytes, ...]
    """Absolute paths that should all hold the photo; the first that can be read is taken."""
    hash: bytes | None = None
    """The hash its bytes must have; None for a picture outside the library."""
    boxes: tuple[Box, ...] = ()
    """Where a face is to be described, found or not; in pixels of the upright original."""
    search: bool = True
    """Whether other faces are looked for."""
    at: float | None = None
    """Seconds: what the video at the path shows then, instead of a picture. Its bytes are not compared with `hash`, as
    that would take minutes."""


@dataclass(frozen=True, slots=True)
class ReadJob:
    """Photos for one worker, with what it must know of the settings."""

    photos: tuple[Wanted, ...]
    faces: config.Faces


@dataclass(frozen=True, slots=True)
class Read:
    """What became of one photo in a worker, with which models, and what that cost."""

    found: PhotoReading | BaseException
    engine: str
    seconds: float
    """Of the worker's time, for this photo alone."""
    memory: int
    """The most bytes the worker ever held, up to then."""
    warm: bool = True
    """Whether the worker had everything loaded; the first photos of a process take longer."""

    @property
    def reading(self) -> PhotoReading:
        """What was found. Raises what hindered it: a PictureError, mostly."""
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found


@dataclass(frozen=True, slots=True)
class PartWanted:
    """One part of a film to look at."""

    paths: tuple[bytes, ...]
    """Absolute paths that should all hold the film; the first that can be read is taken."""
    size: int
    """Bytes that the file must have."""
    number: int
    """From 0."""
    videos: config.Videos


@dataclass(frozen=True, slots=True)
class PartJob:
    """A part of a film for one worker, with what it must know of the settings."""

    wanted: PartWanted
    faces: config.Faces


@dataclass(frozen=True, slots=True)
class PartRead:
    """What became of one part of a film in a worker, as `Read` tells of a photo."""

    found: VideoPart | BaseException
    engine: str
    seconds: float
    """Of the worker's time."""
    memory: int
    """The most bytes the worker ever held, up to then."""

    @property
    def part(self) -> VideoPart:
        """What was found. Raises what hindered it: a PictureError, mostly."""
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found


@dataclass(frozen=True, slots=True)
class _Looked:
    """A photo that was looked at; its faces are not described yet."""

    seen: tuple[Sighting, Sighting] | BaseException
    """What was found, and what is in the boxes that were asked for."""
    facts: PhotoReading | None
    """All but the faces; None where there was a problem."""
    seconds: float

    @property
    def chips(self) -> int:
        return 0 if isinstance(self.seen, BaseException) else sum(len(one.chips) for one in self.seen)


def read_photos(job: ReadJob) -> list[Read]:
    """Decode photos and find their faces. One that cannot be read does not touch its neighbours.

    What hinders one is PictureMissing when none of its paths exists, ContentChanged when the bytes are not the expected
    ones, PictureUnreadable when they cannot be read or are no picture, MemoryError, or EngineError.
    """
    finder, engine = _finder(job.faces)
    done: list[Read] = []
    waiting: list[_Looked] = []
    for photo in job.photos:
        another_part()
        waiting.append(_looked(finder, photo))
        if sum(looked.chips for looked in waiting) >= MOST_CHIPS:
            done += _described(finder, engine, waiting)
            waiting = []
    return done + _described(finder, engine, waiting)


def _looked(finder: FaceFinder, photo: Wanted) -> _Looked:
    began = time.perf_counter()
    if photo.at is not None:
        return _looked_at_frame(finder, photo, photo.at)
    try:
        data, hash_, path = _bytes(photo)
        picture = read_picture(data, path=path, enough=finder.decoded)
        _check_inside(photo.boxes, picture, path)
        found = finder.look(picture.pixels, picture.scale) if photo.search else finder.look_at(picture.pixels, 1.0, ())
        told = hash_, picture.width, picture.height, picture.format, picture.taken_at
        facts = PhotoReading(*told, (), look=look(picture.pixels))
        enough = _enough(photo.boxes, picture)
        if enough > max(picture.pixels.shape):
            picture = read_picture(data, path=path, enough=enough)
        del data
        seen = found, finder.look_at(picture.pixels, picture.scale, photo.boxes)
    except Exception as problem:
        return _Looked(portable(problem), None, time.perf_counter() - began)
    return _Looked(seen, facts, time.perf_counter() - began)


def _looked_at_frame(finder: FaceFinder, photo: Wanted, at: float) -> _Looked:
    """The same for one frame of a video."""
    began = time.perf_counter()
    try:
        picture, path = _frame(photo, at, _most(finder, photo))
        _check_inside(photo.boxes, picture, path)
        found = finder.look(picture.pixels, picture.scale) if photo.search else finder.look_at(picture.pixels, 1.0, ())
        told = photo.hash or b"", picture.width, picture.height, picture.format, picture.taken_at
        facts = PhotoReading(*told, (), duration=picture.duration)
        seen = found, finder.look_at(picture.pixels, picture.scale, photo.boxes)
    except Exception as problem:
        return _Looked(portable(problem), None, time.perf_counter() - began)
    return _Looked(seen, facts, time.perf_counter() - began)


def _most(finder: FaceFinder, photo: Wanted) -> int:
    """Pixels on the longer side of a frame: all of them where faces are to be described that may be small."""
    return _WHOLE if photo.boxes else finder.decoded


def _frame(photo: Wanted, at: float, enough: int) -> tuple[Picture, bytes]:
    problem: PictureError | None = None
    # FFmpeg is loaded here, in the worker, and never in the daemon.
    from guyverd.media.video import read_frame  # noqa: PLC0415

    for path in photo.paths:
        try:
            return read_frame(path, at, enough=enough), path
        except PictureMissing:
            continue
        except PictureError as error:
            problem = error
    raise problem or PictureMissing(path=os.fsdecode(photo.paths[0]))


def _check_inside(boxes: Sequence[Box], picture: Picture, path: bytes) -> None:
    for box in boxes:
        if min(box.left, box.top) < 0 or box.right > picture.width or box.bottom > picture.height:
            size = f"{picture.width} × {picture.height} pixels"
            raise BoxRefused(path=os.fsdecode(path), detail=f"the picture has {size}, and the box reaches past them")


def _enough(boxes: Sequence[Box], picture: Picture) -> int:
    """Pixels on the longer side with which the smallest box is as large as a chip, or as large as it ever was.

    Where a face is not found it is small, mostly.
    """
    smallest = min((min(box.width, box.height) for box in boxes), default=CHIP_SIZE)
    return math.ceil(max(picture.width, picture.height) * min(1.0, CHIP_SIZE / max(1, smallest)))


def _bytes(photo: Wanted) -> tuple[bytes, bytes, bytes]:
    """A photo's bytes, their hash, and the path they are from."""
    problem: PictureError | None = None
    for path in photo.paths:
        try:
            data, hash_ = read_file(path, MOST_BYTES)
        except PictureMissing:
            continue
        except PictureError as error:
            problem = error
            continue
        if photo.hash is None or hash_ == photo.hash:
            return data, hash_, path
        problem = ContentChanged(path=os.fsdecode(path))
    raise problem or PictureMissing(path=os.fsdecode(photo.paths[0]))


_cold_photos = 8
"""This many more photos are read before this process is warm, unless a face ends it: the last model is loaded then."""


def _is_warm(photos: int, chips: int) -> bool:
    """Whether the process was warm before it read so many photos with so many faces."""
    global _cold_photos  # noqa: PLW0603  a process warms up once
    before = _cold_photos
    _cold_photos = 0 if chips else max(0, before - photos)
    return before == 0


def _described(finder: FaceFinder, engine: OnnxEngine, looked: Sequence[_Looked]) -> list[Read]:
    """The photos with their faces' vectors, which are made together; the time for it is shared by faces."""
    another_part()
    if _loading is not None:
        _loading.join()
    began = time.perf_counter()
    seen = [one for item in looked if not isinstance(item.seen, BaseException) for one in item.seen]
    try:
        faces = iter(finder.describe(seen) if seen else [])
    except Exception as problem:
        if len(looked) > 1:
            # It may be too much at once, or one of them.
            return [read for item in looked for read in _described(finder, engine, [item])]
        return [Read(portable(problem), engine.name, looked[0].seconds, limits.peak())]
    chips = sum(item.chips for item in looked)
    a_chip = (time.perf_counter() - began) / max(1, chips)
    peak = limits.peak()
    warm = _is_warm(len(looked), chips)
    done = []
    for item in looked:
        if isinstance(item.seen, BaseException):
            done.append(Read(item.seen, engine.name, item.seconds, peak, warm))
        else:
            assert item.facts is not None
            reading = replace(item.facts, faces=next(faces), asked=next(faces))
            done.append(Read(reading, engine.name, item.seconds + a_chip * item.chips, peak, warm))
    return done


def read_part(job: PartJob) -> PartRead:
    """Look at a part of a film. What hinders it is as for `read_photos`; the pool hears that it goes on."""
    # dlib and FFmpeg are loaded here, in the worker, and never in the daemon.
    from guyverd.faces.find import FaceFinder  # noqa: PLC0415
    from guyverd.faces.policy import policy  # noqa: PLC0415
    from guyverd.service.pipeline.viewing import view  # noqa: PLC0415

    began = time.perf_counter()
    _, engine = _finder(job.faces)
    found: VideoPart | BaseException
    try:
        found = view(
            job.wanted, FaceFinder(engine, policy(job.faces.level, job.wanted.videos.smallest), look), another_part
        )
    except Exception as problem:
        found = portable(problem)
    return PartRead(found, engine.name, time.perf_counter() - began, limits.peak())


def _do(task: Callable[[ReadJob], list[Read]], job: ReadJob | PartJob) -> list[Read] | PartRead:
    """What a worker does with a job of either kind."""
    return read_part(job) if isinstance(job, PartJob) else task(job)


def _of_part(answer: list[Read] | PartRead) -> PartRead:
    """The answer, if it is one; a worker whose memory is damaged may give any."""
    if not isinstance(answer, PartRead):
        raise WorkerDied(detail="it gave an answer to another question")
    return answer


def _complete(answers: list[Read] | PartRead, count: int) -> list[Read]:
    """The answers, if there is one for each photo; a worker whose memory is damaged may give any."""
    if isinstance(answers, PartRead):
        raise WorkerDied(detail="it gave an answer to another question")
    if len(answers) != count:
        raise WorkerDied(detail=f"it gave {len(answers)} answers for {count} photos")
    return answers


@cache
def _finder(settings: config.Faces) -> tuple[FaceFinder, OnnxEngine]:
    # dlib and onnxruntime are loaded here, in the worker, and never in the daemon.
    from guyverd.faces.find import FaceFinder  # noqa: PLC0415
    from guyverd.faces.onnx_engine import OnnxEngine  # noqa: PLC0415
    from guyverd.faces.policy import policy  # noqa: PLC0415

    how = policy(settings.level, settings.smallest)
    engine = OnnxEngine(device=settings.device, step=how.step)
    return FaceFinder(engine, how, look), engine


def prepare(settings: config.Faces) -> None:
    """Load the models, in a worker, before its first job. Raises EngineError."""
    _, engine = _finder(settings)
    engine.load()


def prepare_soon(settings: config.Faces) -> None:
    """The same for a worker whose first picture somebody waits for: it is decoded and looked at meanwhile.

    What goes wrong here goes wrong again, and is told, when the models are needed.
    """
    global _loading  # noqa: PLW0603  a process loads its models once
    _, engine = _finder(settings)

    def load() -> None:
        with suppress(Exception):
            engine.load()
            _ = engine.name

    _loading = threading.Thread(target=load, name="models", daemon=True)
    _loading.start()


_loading: threading.Thread | None = None
"""What loads this process's models, where they were not all loaded before its first job."""


def engine_name(settings: config.Faces) -> str:
    """The name of the engine that `read_photos` uses, in a worker. Raises EngineError."""
    _, engine = _finder(settings)
    if settings.device != "cpu":
        engine.load()  # only then it is known whether the device can be used
    return engine.name


_Pool = WorkerPool[ReadJob | PartJob, list[Read] | PartRead]


class Reader:
    """Workers on demand: processes start with the first job and end when there was none for a while.

    Safe to use from several threads.
    """

    def __init__(
        self,
        workers: config.Workers,
        faces: config.Faces,
        clock: Callable[[], float] = time.monotonic,
        task: Callable[[ReadJob], list[Read]] = read_photos,
        initializer: Callable[[config.Faces], None] | None = prepare,
        *,
        namer: Callable[[config.Faces], str] = engine_name,
        metrics: Metrics | None = None,
    ) -> None:
        """Start nothing yet. `task`, `initializer` and `namer` are what processes do; all must be found by name."""
        self.width = workers.count or limits.workers()
        """How many photos can be read at once."""
        self._metrics = metrics or Metrics()
        self._workers = workers
        self._faces = faces
        self._clock = clock
        self._task = task
        self._namer = namer
        self._asked: WorkerPool[config.Faces, str] | None = None
        self._initializer = None if initializer is None else partial(initializer, faces)
        self._hasty = partial(prepare_soon, faces) if initializer is prepare else self._initializer
        self._guard = threading.Lock()
        self._pool: _Pool | None = None
        self._questions: _Pool | None = None
        """One worker more, for somebody who waits while all others have something in hand or rest."""
        self._gentle = workers.speed == "gentle"
        self._stopped = False
        self._under_way = 0
        self._last_used = clock()

    @property
    def awake(self) -> bool:
        """Whether worker processes exist."""
        return self._pool is not None or self._questions is not None

    @property
    def gentle(self) -> bool:
        """Whether every other program goes first."""
        return self._gentle

    def set_gentle(self, gentle: bool) -> None:
        """Choose that anew; each process is replaced before its next photos, and what it has in hand is not lost."""
        with self._guard:
            if gentle != self._gentle:
                self._gentle = gentle
                if self._pool is not None:
                    self._pool.set_gentle(gentle)

    def submit(self, photos: Sequence[Wanted], *, urgent: bool = False) -> list[Future[Read]]:
        """Have photos read by one worker, one after the other; what is `urgent` goes before what waits.

        Each photo's future gives what became of it, or raises WorkerDied or DeadlineExceeded where the photo, read by
        itself, killed its worker or took too long. Where several were read together nobody can tell which it was: they
        are read again, each by itself. All futures are cancelled by `stop`.
        """
        futures: list[Future[Read]] = [Future() for _ in photos]
        self._hand_out(tuple(photos), futures, urgent=urgent)
        return futures

    def submit_part(self, wanted: PartWanted, *, urgent: bool = False) -> Future[PartRead]:
        """Have a part of a film read by one worker; what is `urgent` goes before what waits.

        The future gives what became of it, or raises WorkerDied or DeadlineExceeded; `stop` cancels it.
        """
        future: Future[PartRead] = Future()
        job = self._submit(PartJob(wanted, self._faces), urgent=urgent)
        if job is None:
            future.cancel()
        else:
            job.add_done_callback(lambda done: self._answer_part(future, done))
        return future

    def read(self, path: bytes) -> PhotoReading:
        """Read one picture now and wait for it. Raises what hindered it."""
        return self.one(Wanted((path,))).reading

    def one(self, picture: Wanted) -> Read:
        """The same, with what read it. It waits for nothing that was handed out before, but other such pictures."""
        return self.submit([picture], urgent=True)[0].result()

    def engine(self) -> str:
        """What would read photos now, by name; asked of a process of its own, which ends at once.

        Raises EngineError where the models are not there, or why no process can be started.
        """
        with self._guard:
            if self._stopped:
                raise ControlError(detail="it is stopping")
            if self._asked is None:
                self._asked = WorkerPool(
                    self._namer,
                    count=1,
                    deadline=self._workers.deadline,
                    memory=self._workers.memory,
                    gentle=self._gentle,
                )
            pool = self._asked
            asked = pool.submit(self._faces)
        try:
            return asked.result()
        except CancelledError:
            raise ControlError(detail="it is stopping") from None
        finally:
            pool.close(wait=False)

    def _hand_out(self, photos: tuple[Wanted, ...], futures: list[Future[Read]], *, urgent: bool) -> None:
        job = self._submit(ReadJob(photos, self._faces), urgent=urgent)
        if job is None:
            for future in futures:
                future.cancel()
        else:
            job.add_done_callback(lambda done: self._answer(photos, futures, done))

    def _submit(self, job: ReadJob | PartJob, *, urgent: bool) -> Future[list[Read] | PartRead] | None:
        """Hand a job to the workers, who begin if they rest; None where nothing is read any more."""
        with self._guard:
            if self._stopped:
                return None
            pool = self._pool_for(urgent and isinstance(job, ReadJob))
            self._under_way += 1
            return pool.submit(job, urgent=urgent)

    def _pool_for(self, somebody_waits: bool) -> _Pool:
        # A worker that is there and has nothing to do is ready sooner than one that must begin.
        if somebody_waits and (self._questions or self._pool is None or self._under_way >= self.width):
            if self._questions is None:
                self._questions = self._made(1, self._hasty, gentle=False)
            return self._questions
        if self._pool is None:
            self._pool = self._made(self.width, self._initializer, gentle=self._gentle)
        return self._pool

    def _made(self, count: int, initializer: Callable[[], None] | None, *, gentle: bool) -> _Pool:
        return WorkerPool(
            partial(_do, self._task),
            count=count,
            deadline=self._workers.deadline,
            memory=self._workers.memory,
            gentle=gentle,
            initializer=initializer,
        )

    def _answer_part(self, future: Future[PartRead], job: Future[list[Read] | PartRead]) -> None:
        try:
            answer = _of_part(job.result())
        except CancelledError:
            future.cancel()
        except Exception as problem:
            if isinstance(problem, WorkerDied | DeadlineExceeded):
                self._metrics.count("workers_died" if isinstance(problem, WorkerDied) else "workers_overdue")
            future.set_exception(problem)
        else:
            future.set_result(answer)
        finally:
            self._done_one()

    def _done_one(self) -> None:
        with self._guard:
            self._under_way -= 1
            self._last_used = self._clock()

    def _answer(
        self, photos: tuple[Wanted, ...], futures: list[Future[Read]], job: Future[list[Read] | PartRead]
    ) -> None:
        try:
            answers = _complete(job.result(), len(photos))
        except CancelledError:
            for future in futures:
                future.cancel()
        except (WorkerDied, DeadlineExceeded) as problem:
            self._metrics.count("workers_died" if isinstance(problem, WorkerDied) else "workers_overdue")
            if len(photos) > 1:
                log.debug("%s The %d photos it had are read again, each by itself.", problem.message, len(photos))
                for photo, future in zip(photos, futures, strict=True):
                    self._hand_out((photo,), [future], urgent=False)
            else:
                futures[0].set_exception(problem)
        except Exception as problem:
            for future in futures:
                future.set_exception(problem)
        else:
            for future, answer in zip(futures, answers, strict=True):
                future.set_result(answer)
        finally:
            # Last: what was handed out again must not seem to be nothing.
            self._done_one()

    def rest(self) -> float | None:
        """End the workers if they were idle long enough; else how many seconds until then, None when there are none."""
        with self._guard:
            pools = self._pools()
            if not pools:
                return None
            left = self._last_used + self._workers.idle - self._clock()
            if self._under_way or left > 0:
                return max(left, 1.0)
            self._pool = self._questions = None
        for pool in pools:
            pool.close(wait=True)
        return None

    def stop(self) -> None:
        """End the workers now; what they had in hand is cancelled and will be read again another time."""
        with self._guard:
            self._stopped = True
            pools = self._pools()
            self._pool = self._questions = None
            asked = self._asked
        if asked is not None:
            asked.stop_now()
        for pool in pools:
            pool.stop_now()

    def _pools(self) -> list[_Pool]:
        return [pool for pool in (self._pool, self._questions) if pool is not None]
