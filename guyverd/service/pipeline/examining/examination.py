"""All that the doctor looks at, one after the other: what fails or hangs costs only its own verdict."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from guyverd import config_file
from guyverd.catalogue.inspection import Inspection, inspect
from guyverd.config import Config
from guyverd.errors import GuyverError
from guyverd.faces import limits
from guyverd.folders.marker import MARKER
from guyverd.service.api import Row
from guyverd.service.doctor import folders, library, system
from guyverd.service.doctor.finding import Figure, Finding, Verdict, of_error
from guyverd.service.lock import Holder, holder
from guyverd.service.pipeline.examining import machine, stores
from guyverd.service.pipeline.examining.models import missing_codecs, models
from guyverd.service.pipeline.examining.tree import Seen, walk
from guyverd.watch.coverage import watch_limit
from guyverd.watch.mounts import identify, silent
from guyverd.watch.scanner import Rules

_PATIENCE = 30.0
"""Seconds that one check may take."""
_LONG = 400.0
"""And one that may have to make the models first."""
_ANSWER = 10.0
"""Seconds within which a daemon should answer."""
_WALK = 15.0
"""Seconds for a walk through all photo folders."""
_QUESTION = 20.0
"""Seconds for each question to the catalogue."""

Check = Callable[[], Finding | Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class _Failure:
    problem: BaseException


class Examination:
    """One look at the library of a config, and at the machine. What was measured is kept, for a report."""

    def __init__(self, path: Path, *, patience: float = _PATIENCE) -> None:
        """`path` is that of the config."""
        self.path = path
        self._patience = patience
        self.config: Config | None = None
        self.problem: GuyverError | None = None
        """Why there is no config."""
        self.status: Row | None = None
        """What the daemon said, if it answered."""
        self.holder: Holder | None = None
        self.inspection = Inspection()
        self.trees: dict[int, Seen] = {}
        """The photo folders, by their place in the config."""
        self._backups: tuple[int, float | None] = (0, None)
        try:
            self.config = config_file.load(path)
        except GuyverError as problem:
            self.problem = problem

    def findings(self) -> Iterator[Finding]:
        """All verdicts, as they are found."""
        yield library.config(self.path, self.problem)
        if self.config is None:
            yield from self._guarded("models", self._codecs)
            for name, check in (("memory", self._memory), ("processors", self._processors)):
                yield from self._guarded(name, check)
        else:
            yield from self._of_library()
        for name, check in (("versions", self._versions), ("service", self._unit)):
            yield from self._guarded(name, check)

    def _of_library(self) -> Iterator[Finding]:
        checks: tuple[tuple[str, Check], ...] = (
            ("daemon", self._daemon),
            ("state folder", self._state_folder),
            ("catalogue", self._catalogue),
            ("free space", self._free_space),
            ("state disk", self._state_disk),
            ("index", self._index),
            ("backup", self._backup),
            ("people folder", self._people_folder),
        )
        for name, check in checks:
            yield from self._guarded(name, check)
        until = time.monotonic() + _WALK
        for number in range(1, len(self._config.photos) + 1):
            yield from self._guarded(f"photo folder {number}", lambda number=number: self._root(number, until))  # type: ignore[misc]
        yield from self._guarded("saved searches", self._follows)
        for name, check in (
            ("photo disk", self._photo_disk),
            ("watch limits", self._watches),
            ("codecs", self._codecs),
            ("failures", self._failures),
            ("workers", self._workers),
            ("memory", self._memory),
            ("processors", self._processors),
            ("clock", self._clock),
        ):
            yield from self._guarded(name, check)
        yield from self._guarded("models", self._models, _LONG)

    def _guarded(self, name: str, check: Check, patience: float | None = None) -> Iterator[Finding]:
        """What a check finds, or that it could not be made. It runs beside, so that what hangs is left behind."""
        answer: SimpleQueue[list[Finding] | _Failure] = SimpleQueue()

        def run() -> None:
            try:
                found = check()
                answer.put([found] if isinstance(found, Finding) else list(found))
            except BaseException as problem:
                answer.put(_Failure(problem))

        Thread(target=run, name=f"doctor {name}", daemon=True).start()
        seconds = max(self._patience, patience or 0.0)
        try:
            found = answer.get(timeout=seconds)
        except Empty:
            fields = {"seconds": Figure(f"{seconds:g}")}
            cure = "A disk or server it needs may hang: dmesg | tail; cat /proc/mounts"
            yield Finding(name, Verdict.UNKNOWN, "there was no answer within {seconds} s", cure, fields)
            return
        if isinstance(found, _Failure):
            told = f"{type(found.problem).__name__}: {found.problem}"
            fields_: dict[str, Any] = {"problem": " ".join(told.split())}
            yield Finding(name, Verdict.UNKNOWN, "it could not be looked at: {problem}", "", fields_)
            return
        yield from found

    @cached_property
    def _config(self) -> Config:
        assert self.config is not None
        return self.config

    # ---- what is kept ------------------------------------------------------------------------------------------------

    def _daemon(self) -> Finding:
        self.holder = found = holder(self._config.state)
        if found is None:
            return library.daemon(library.Daemon(None))
        if found.socket is None:
            return library.daemon(library.Daemon(found.pid))
        from guyverd.service.control import RemoteLibrary  # noqa: PLC0415  only where there is one to ask

        began, answered = time.monotonic(), None
        with contextlib.suppress(GuyverError):
            self.status = RemoteLibrary(found, _ANSWER).status()
            answered = time.monotonic() - began
        waited = time.monotonic() - began
        return library.daemon(library.Daemon(found.pid, True, answered, waited, machine.is_stopped(found.pid)))

    def _state_folder(self) -> Finding:
        exists, problem, exposed = stores.state_folder(self._config.state)
        return folders.state_folder(self._config.state, exists=exists, problem=problem, exposed=exposed)

    def _catalogue(self) -> Finding:
        with contextlib.suppress(GuyverError, OSError):
            self._backups = stores.backups(self._config)
        path = stores.catalogue_path(self._config)
        self.inspection = seen = inspect(path, seconds=min(_QUESTION, self._patience), now=time.time())
        return library.catalogue(stores.stored(self._config, seen, has_backups=bool(self._backups[0])))

    def _free_space(self) -> Finding:
        disk = os.statvfs(machine.existing(self._config.state))
        # Both are written beside themselves at times: the index whenever it is saved, the catalogue in a backup.
        index = 0 if self.inspection.index is None else self.inspection.index.size
        needed = 2 * (self.inspection.size + self.inspection.log_size + index)
        return system.free_space(
            disk.f_bavail * disk.f_frsize,
            disk.f_blocks * disk.f_frsize,
            needed,
            disk.f_favail if disk.f_files else None,  # some file systems do not count
            read_only=bool(disk.f_flag & os.ST_RDONLY),
        )

    def _state_disk(self) -> Finding:
        if not self._config.state.is_dir():
            return Finding("state disk", Verdict.UNKNOWN, "there is no state folder yet")
        return system.writing(machine.write_trial(self._config.state))

    def _index(self) -> Finding:
        return library.index(*stores.index(self._config, self.inspection))

    def _backup(self) -> Finding:
        self._backups = count, age = stores.backups(self._config)
        said = self.inspection.counts.get("decisions", 0)
        return library.backup(count, age, nightly=self._config.backup.every > 0, decisions=said)

    # ---- folders -----------------------------------------------------------------------------------------------------

    def _people_folder(self) -> Finding:
        return folders.people_folder(stores.people_folder(self._config, self.inspection))

    def _root(self, number: int, until: float) -> Finding:
        path = self._config.photos[number - 1]
        raw = os.fsencode(path)
        there = identify(raw) is not None
        excluded = identify(os.fsencode(self._config.people))
        rules = Rules(
            self._config.watch.ignore,
            frozenset() if excluded is None else frozenset({(excluded.device, excluded.inode)}),
            MARKER,
        )
        seen = walk(raw, rules, until) if there else Seen()
        self.trees[number] = seen
        known = next((root for root in self.inspection.roots if root.path == raw), None)
        status: Row = next((row for row in (self.status or {}).get("roots", ()) if row["path"] == os.fsdecode(raw)), {})
        return folders.root(
            folders.Root(
                number=number,
                path=path,
                there=there,
                state="" if known is None else known.state,
                detail=str(status.get("detail") or ("" if known is None else known.detail)),
                pictures=seen.pictures,
                videos=seen.videos,
                folders=seen.folders,
                unreadable=seen.unreadable,
                first=None if seen.first is None else (Path(os.fsdecode(seen.first[0])), seen.first[1]),
                counted_all=seen.counted_all,
                kind=(silent(raw) or "") if there else "",
                watched=str(status.get("watched", "")),
                scanned=_since(None if known is None else known.scanned_at),
            ),
            self._config.watch.rescan,
        )

    def _follows(self) -> Iterator[Finding]:
        seen = self.inspection.follows
        troubles = stores.saved_searches(self._config, seen)
        yield folders.saved_searches(len(seen), sum(one.waiting for one in seen), len(troubles))
        for number, problem in troubles:
            yield of_error(f"saved search {number}", problem)

    def _photo_disk(self) -> Finding:
        return system.reading(machine.read_trial(self.inspection.some_photos))

    def _watches(self) -> Finding:
        count, held = machine.all_instances()
        ours = (0, 0) if self.holder is None else machine.instances(str(self.holder.pid))
        people = sum(1 for _ in os.scandir(self._config.people)) if self._config.people.is_dir() else 0
        instances = [machine.number_in(f"/proc/sys/{name}") for name in _INSTANCES]
        return system.watches(
            system.Watches(
                most=watch_limit(),
                most_instances=min((one for one in instances if one is not None), default=None),
                used=held,
                used_instances=count,
                ours=ours[1],
                our_instances=ours[0],
                folders=sum(tree.folders for tree in self.trees.values()) + people,
                counted_all=all(tree.counted_all for tree in self.trees.values()),
                roots=len(self._config.photos) + 1,
            )
        )

    # ---- photos ------------------------------------------------------------------------------------------------------

    def _codecs(self) -> Finding:
        unread: dict[str, int] = {}
        for tree in self.trees.values():
            for kind, count in tree.unread.items():
                unread[kind] = unread.get(kind, 0) + count
        return library.codecs(missing_codecs(), unread)

    def _failures(self) -> Finding:
        if "failures" in self.inspection.problems:
            return Finding("failures", Verdict.UNKNOWN, "the catalogue does not tell")
        grouped: dict[str, int] = {}
        for _, reason, _, count in self.inspection.reasons:
            grouped[reason] = grouped.get(reason, 0) + count
        order = sorted(grouped.items(), key=lambda item: (-item[1], item[0]))
        return library.failures(order, self.inspection.states.get("quarantined", 0))

    def _workers(self) -> Iterator[Finding]:
        if self.status is not None:
            metrics = self.status.get("metrics", {})
            since = _since(self.status["daemon"]["since"]) or 0.0
            died, overdue = metrics.get("workers_died", 0), metrics.get("workers_overdue", 0)
            yield library.workers(died, overdue, since / 3600)

    def _models(self) -> Finding:
        faces = self._config.faces
        return library.models(*models(faces, self._config.workers), faces.device)

    # ---- the machine -------------------------------------------------------------------------------------------------

    def _width(self) -> int:
        return (0 if self.config is None else self.config.workers.count) or limits.workers()

    def _memory(self) -> Finding:
        total = limits.memory()
        available = machine.available_memory()
        return system.memory(total, total if available is None else min(total, available), self._width(), limits.EACH)

    def _processors(self) -> Finding:
        return system.processors(limits.cores(), os.cpu_count() or 1, self._width())

    def _clock(self) -> Finding:
        latest = _moment(self.inspection.latest)
        return system.clock(time.time(), latest, self.inspection.future)

    def _versions(self) -> Finding:
        return system.versions(*machine.versions())

    def _unit(self) -> Finding:
        return system.unit(machine.units())


_INSTANCES = ("fs/inotify/max_user_instances", "user/max_inotify_instances")
"""Of the user as such, and within this user namespace; the lower one binds."""


def _moment(text: str | None) -> float | None:
    try:
        return None if text is None else datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _since(text: str | None) -> float | None:
    moment = _moment(text)
    return None if moment is None else max(0.0, time.time() - moment)
