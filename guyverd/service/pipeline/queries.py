"""What can be asked of a library and told to it: the `Library` of `service.api`, done in this process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import numpy as np

from guyverd import __version__
from guyverd.errors import (
    CannotDecide,
    ControlError,
    NoFaceFound,
)
from guyverd.model import Box, DetectedFace, PhotoReading
from guyverd.people.recognition import Likeness, recognise
from guyverd.service.api import SURE, Row
from guyverd.service.journal import Journal
from guyverd.service.pipeline.accepting import accept
from guyverd.service.pipeline.asked import Asked
from guyverd.service.pipeline.checking import check
from guyverd.service.pipeline.coordinator import Coordinator
from guyverd.service.pipeline.following.saving import Saving
from guyverd.service.pipeline.forgetting import plan
from guyverd.service.pipeline.keeping import whole
from guyverd.service.pipeline.reclustering import Reclustering
from guyverd.service.pipeline.review.inquiring import Inquiring
from guyverd.service.pipeline.searching.finding import Finding
from guyverd.service.pipeline.searching.search import Question
from guyverd.service.pipeline.searching.wishes import wishes
from guyverd.service.pipeline.words.boxing import draw
from guyverd.service.pipeline.words.telling import number

if TYPE_CHECKING:
    from guyverd.errors import DeliveryStopped
    from guyverd.followed import FollowId
    from guyverd.model import FloatArray

_LIBRARIES = (
    "dlib-bin",
    "dlib",
    "onnxruntime",
    "hnswlib",
    "sqlite-utils",
    "numpy",
    "Pillow",
    "pillow-heif",
    "av",
    "watchdog",
)


class LocalLibrary(Inquiring):
    """Answers from a coordinator in this process; every method may be called from any thread."""

    def __init__(self, coordinator: Coordinator, *, daemon: bool, journal: Journal | None = None) -> None:
        super().__init__(coordinator)
        self._journal = journal
        self._reclustering = Reclustering(coordinator)
        self._asked = Asked(coordinator.config, coordinator.reader, daemon=daemon)
        self._finding = Finding(coordinator, self._asked)
        self._saving = Saving(coordinator, self._asked)
        self._daemon = daemon
        self._since = datetime.now(UTC).isoformat(timespec="seconds")

    def start(self) -> None:
        """Begin to work, for a command: events are not followed."""
        self._at_work.start(watch=False)

    def stop(self) -> None:
        """Finish or roll back the step in hand; everything closes."""
        self._reviewing.let_go()
        self._at_work.stop()

    # ---- how it stands -----------------------------------------------------------------------------------------------

    def status(self) -> Row:
        """See `Library.status`."""
        work, catalogue = self._at_work, self._at_work.catalogue
        counts = catalogue.counts()
        index = catalogue.index_stamp()
        roots = []
        files = catalogue.files.count_by_root()
        for root in catalogue.files.roots():
            watched, detail = self._watched(root.path, root.state.value, root.detail)
            watching = work.watcher.at(root.path)
            roots.append(
                {
                    "path": os.fsdecode(root.path),
                    "state": root.state.value,
                    "watched": watched,
                    "folders_watched": 0 if watching is None else watching.folders,
                    "folders_polled": 0 if watching is None else watching.unwatched,
                    "detail": detail,
                    "files": files.get(root.id, 0),
                    "last_full_scan": root.scanned_at,
                }
            )
        return {
            "version": __version__,
            "daemon": {
                "pid": os.getpid() if self._daemon else None,
                "since": self._since if self._daemon else None,
                "running": self._daemon,
            },
            "photos_found": counts.files,
            "state": str(work.config.state),
            "people_folder": str(work.config.people),
            "backlog": {
                "files": counts.pending_files,
                "photos": counts.pending_photos,
                "videos": counts.pending_videos,
                "faces": counts.ungrouped_faces,
            },
            "films": self._films(),
            "rate": round(work.estimating.rate(), 2) if counts.pending_photos else 0.0,
            "eta": work.estimating.eta() if self._daemon else None,
            "workers": {
                "count": work.reader.width,
                "running": work.reader.awake,
                "gentle": work.reader.gentle,
                "memory": work.looking.memory,
                "seconds": round(work.looking.tally.seconds, 1),
            },
            "roots": roots,
            "counts": {
                "files": counts.files,
                "photos": counts.photos,
                "videos": counts.videos,
                "faces": counts.faces,
                "people": counts.people,
                "named": counts.named,
                "failures": counts.failures,
            },
            "sizes": {"catalogue": catalogue.size(), "index": 0 if index is None else index.size},
            "versions": {"guyverd": __version__, **_versions()},
            "backup": work.backups.told(),
            "notices": self._notices(),
            "metrics": work.metrics.values(),
        }

    def _films(self) -> list[Row]:
        """The videos that are being read, and how much of each was."""
        return [
            {"file": os.fsdecode(path), "photo": photo, "share": round(share, 3)}
            for photo, path, share in self._at_work.filming.shares()
        ]

    def _watched(self, path: bytes, state: str, detail: str) -> tuple[str, str]:
        if state == "offline":
            return "offline", detail
        watching = self._at_work.watcher.at(path)
        if watching is None:
            return "not running", detail
        return watching.word, watching.detail or detail

    def _notices(self) -> list[str]:
        work = self._at_work
        found = []
        for problem in (work.trouble, work.publishing.problem, work.looking.broken):
            if problem is not None:
                found.append(f"{problem.message} {problem.advice}".strip())
        if (failed := work.backups.problem) is not None:
            found.append(f"No backup was made, which is tried again: {failed.message} {failed.advice}".strip())
        if work.config.faces.device == "gpu" and " cpu " in work.looking.engine:
            found.append("`faces.device` is gpu, but onnxruntime has none here that works: the cpu does it.")
        if work.quiet_until and work.catalogue.backlog()[1]:
            found.append(f"Reading waits until {work.quiet_until} (quiet hours).")
        found += work.following.notices()
        found += work.renewing.notices(work.looking.engine)
        found += work.observing.notices()
        if (asks := work.forgetting.notice()) is not None:
            found.append(asks)
        if begun := len(self._reviewing.begun()):
            told = "1 question waits" if begun == 1 else f"{begun} questions wait"
            found.append(f"{told} about what you did in the people folder; `guyverd review` asks first of all.")
        return found

    def progress(self) -> Row:
        """See `Library.progress`."""
        work = self._at_work
        if work.fault is not None:
            raise ControlError(detail=f"the work stopped: {work.fault!r}")
        if not self._daemon and (problem := work.trouble or work.looking.broken) is not None:
            # Nobody would see the notice, and whoever waits would wait for ever.
            raise problem
        busy = not work.idle
        files, contents = work.catalogue.backlog()
        videos = work.catalogue.films.backlog()
        photos = contents - videos
        done = work.pass_so_far()
        return {
            "busy": busy,
            "phase": work.phase if busy else "idle",
            "files_found": work.files_in_pass(),
            "photos_total": done.photos + photos,
            "photos_done": done.photos,
            "videos_total": done.videos + videos,
            "videos_done": done.videos,
            "films": self._films(),
            "faces": done.faces,
            "failures": done.failed,
            "rate": round(work.estimating.rate(), 2),
            "eta": work.estimating.eta() if busy and contents + files else None,
            "quiet_until": work.quiet_until if contents and work.quiet_until else None,
        }

    def scan(self, again: bool = False, every: bool = False) -> Row:
        """See `Library.scan`."""
        renewing = self._at_work.renewing
        if again or every:
            engine = renewing.ask()
            self._at_work.rescan(lambda: renewing.begin(engine, every=every))
        else:
            self._at_work.rescan()
        return self.progress()

    def read_again(self, *, every: bool) -> None:
        """What `scan` does where the pass itself is begun by `start`."""
        self._at_work.renewing.begin(self._at_work.renewing.ask(), every=every)

    # ---- people ------------------------------------------------------------------------------------------------------

    def recluster(self, apply: bool = False, strictness: float | None = None, stamp: str | None = None) -> Row:
        """See `Library.recluster`."""
        return self._reclustering.recluster(apply=apply, strictness=strictness, stamp=stamp)

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
        known = None if person is None else self._resolved(person).id
        new_name = None if name is None else " ".join(name.split())
        read = partial(self._asked.read, path, opened, search=False)
        drawn = draw(self._at_work, read, path, Box(*box), person=known, name=new_name, dry=dry)
        said, box_ = drawn.done.said, drawn.face.box
        # What was added may have been grouped by now.
        held = self._catalogue.people.holdings([drawn.number])
        who = said.pinned.get(drawn.number) if drawn.number not in held else held[drawn.number].person
        return {
            "face": drawn.number,
            "photo": drawn.photo,
            "box": [box_.left, box_.top, box_.right, box_.bottom],
            "quality": round(drawn.face.quality.score, 4),
            "person": who,
            "name": None if who is None else self._catalogue.people.names().get(who) or said.names.get(who),
            "folder": None if who is None else self._folders().get(who),
            **number(drawn.done),
        }

    # ---- the people folder -------------------------------------------------------------------------------------------

    def folders(self) -> Row:
        """See `Library.folders`."""
        return self._at_work.call(lambda: whole.stand(self._at_work))

    def folders_resume(self, accept: bool = False, dry: bool = False) -> Row:
        """See `Library.folders_resume`."""
        return self._at_work.call(lambda: whole.resume(self._at_work, accept=accept, dry=dry))

    def folders_rebuild(self, dry: bool = False) -> Row:
        """See `Library.folders_rebuild`."""
        return self._at_work.call(lambda: whole.rebuild(self._at_work, dry=dry))

    # ---- pictures ----------------------------------------------------------------------------------------------------

    def _read(self, path: str, opened: int | None, at: float | None) -> PhotoReading:
        read = self._asked.read(path, opened, at=at)
        reading = read.reading
        self._at_work.renewing.check_comparable(read.engine)
        return reading

    def who(self, path: str, *, at: float | None = None, opened: int | None = None) -> Row:
        """See `Library.who`."""
        reading = self._read(path, opened, at)
        if not reading.faces:
            raise NoFaceFound(path=path, smallest=f"{100 * self._at_work.config.faces.smallest:g} %")
        vectors = _stack(reading.faces)
        catalogue, index = self._at_work.catalogue, self._at_work.grouping.index
        measure = self._at_work.grouping.measuring.lately()
        names = catalogue.people.names()

        def told(known: Likeness | None) -> Row:
            if known is None:
                return {"person": None, "evidence": None, "distance": None}
            whom = {"id": known.person, "name": names.get(known.person)}
            return {"person": whom, "evidence": round(known.evidence, 2), "distance": round(known.distance, 4)}

        def flat(known: Likeness | None) -> Row | None:
            row = told(known)
            return None if known is None else {**row.pop("person"), **row}

        found = recognise(vectors, catalogue.photos, index, measure)
        rows: list[Row] = [
            {**row, **told(known.best), "runner_up": flat(known.runner_up)}
            for row, known in zip(_numbered(reading.faces), found, strict=True)
        ]
        return {
            "path": path,
            "width": reading.width,
            "height": reading.height,
            "enough": round(measure.link, 2),
            "faces": rows,
        }

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
        limits = {"since": since, "until": until, "within": within, "kind": kind}
        wanted = wishes(self._catalogue, **limits, company=company, without=without)
        question = Question(max(1, k), every, least, SURE, wanted, duplicates, direct)
        if person:
            return self._finding.of_person(query, question, within)
        return self._finding.of_picture(query, question, within, face=face, at=at, opened=opened)

    # ---- saved searches ----------------------------------------------------------------------------------------------

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
        return self._saving.follow(query, name, folder, face=face, at=at, opened=opened, **how)

    def unfollow(self, name: str) -> Row:
        """See `Library.unfollow`."""
        return self._saving.end(name)

    def _troubles(self) -> Mapping[FollowId, DeliveryStopped]:
        return dict(self._at_work.following.troubles)

    # ---- what is gone ------------------------------------------------------------------------------------------------

    def accept(self, folder: str, dry: bool = False) -> Row:
        """See `Library.accept`."""
        return accept(self._at_work, folder, dry=dry)

    def forget(self, apply: bool = False, stamp: str | None = None) -> Row:
        """See `Library.forget`."""
        work = self._at_work
        if apply and stamp is None:
            raise CannotDecide(detail="nothing is forgotten unseen", hint="`guyverd forget` shows a plan.")
        before = work.call(lambda: work.forgetting.cutoff(stamp))
        shown = plan(work.catalogue, before, work.renewing.kept())
        if not apply or stamp is None:
            return shown
        work.decide(lambda: work.forgetting.apply(stamp))
        return {**shown, "stamp": stamp, "forgotten": True}

    # ---- what went wrong ---------------------------------------------------------------------------------------------

    def journal(self) -> Iterator[Row]:
        """See `Library.journal`."""
        return super().journal() if self._journal is None else iter(self._journal.rows())

    def check(self, repair: bool = False) -> Row:
        """See `Library.check`."""
        return self._at_work.call(lambda: check(self._at_work, repair=repair))

    def alive(self, patience: float) -> bool:
        """Whether the coordinator answers and the catalogue can be written, within `patience` seconds."""
        began = time.monotonic()
        self._at_work.call(self._at_work.catalogue.beat)
        return time.monotonic() - began < patience


def _numbered(faces: tuple[DetectedFace, ...]) -> list[Row]:
    return [
        {
            "number": number,
            "box": [face.box.left, face.box.top, face.box.right, face.box.bottom],
            "confidence": round(face.confidence, 4),
            "quality": round(face.quality.score, 4),
        }
        for number, face in enumerate(faces, 1)
    ]


def _stack(faces: tuple[DetectedFace, ...]) -> FloatArray:
    return np.stack([face.embedding for face in faces]).astype(np.float32)


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
