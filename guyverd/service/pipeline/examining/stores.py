"""Figures of what guyverd keeps: the state folder, the people folder, the index, backups. Nothing is changed."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from guyverd import private
from guyverd.catalogue.inspection import FollowSeen, Inspection, inspect
from guyverd.config import Config
from guyverd.errors import DeliveryStopped, PeopleFolderError
from guyverd.folders import delivering
from guyverd.folders.marker import check
from guyverd.people.index import FaceIndex
from guyverd.people.index_file import IndexRefused
from guyverd.service.doctor.folders import People
from guyverd.service.doctor.library import Stored
from guyverd.watch.mounts import mounts

_LOOKS = 3
"""Times that the index is looked at: a daemon may save another meanwhile."""


def catalogue_path(config: Config) -> bytes:
    """Where the catalogue is."""
    return os.fsencode(config.state / "catalogue.db")


def state_folder(state: Path) -> tuple[bool, str, tuple[str, str] | None]:
    """Whether it is there; what writing there meets, if anything; and what is unsafe, with the cure."""
    try:
        status = state.stat()
    except FileNotFoundError:
        above = state.parent
        while not above.exists():
            above = above.parent
        return False, "" if os.access(above, os.W_OK | os.X_OK) else f"{above} cannot be written", None
    except OSError as problem:
        return False, problem.strerror or str(problem), None
    found = private.exposed(os.fspath(state), status) or private.exposed_above(state)
    exposed = None if found is None else (found.detail, found.cure)
    try:
        with tempfile.TemporaryFile(dir=state, prefix=".guyverd-doctor-"):
            pass
    except OSError as problem:
        return True, problem.strerror or str(problem), exposed
    return True, "", exposed


def stored(config: Config, seen: Inspection, *, has_backups: bool) -> Stored:
    """The catalogue's file, as it was inspected."""
    path = config.state / "catalogue.db"
    hindered = [seen.problems[question] for question in ("open", "migrations", "counts") if question in seen.problems]
    if not seen.took_too_long and "damage" in seen.problems:
        hindered.append(seen.problems["damage"])
    return Stored(
        path=path,
        exists=seen.exists,
        size=seen.size,
        log_size=seen.log_size,
        newer=bool(seen.newer),
        older=bool(seen.missing),
        damage=seen.damage,
        too_long=seen.took_too_long,
        problem=hindered[0] if hindered else "",
        has_backups=has_backups,
    )


def people_folder(config: Config, seen: Inspection) -> People:
    """The people folder, as it stands."""
    path = config.people
    there = os.path.lexists(path)
    problem = None
    if there or seen.links:
        try:
            check(os.fsencode(path))
        except PeopleFolderError as found:
            problem = found
    disk = os.statvfs(path) if path.exists() else None
    return People(
        path=path,
        published=seen.links,
        there=there,
        problem=problem,
        writable=os.access(path, os.W_OK | os.X_OK),
        read_only=disk is not None and bool(disk.f_flag & os.ST_RDONLY),
        links=config.folders.links,
        kind=kind_at(path),
        other_disk=_elsewhere(path, config.photos),
        paused=seen.paused,
    )


def _elsewhere(path: Path, roots: Sequence[Path]) -> bool:
    devices = set()
    for one in (path, *roots):
        try:
            devices.add(one.stat().st_dev)
        except OSError:
            continue
    return len(devices) > 1


def kind_at(path: Path) -> str:
    """The type of the file system that a path lies on; empty where the system does not tell."""
    place = os.path.realpath(os.fsencode(path))
    held = [mount for mount in mounts() if place == mount.point or place.startswith(mount.point.rstrip(b"/") + b"/")]
    # Of several mounts on one point the last hides the others.
    return max(enumerate(held), key=lambda item: (len(item[1].point), item[0]))[1].type if held else ""


def index(config: Config, seen: Inspection) -> tuple[int | None, str]:
    """How many faces the saved index has, None where none was saved; and why it cannot be used, if so."""
    stamp = seen.index
    for last in range(1, _LOOKS + 1):
        if stamp is None:
            return None, ""
        try:
            FaceIndex.load(os.fsencode(config.state / "index"), stamp)
        except IndexRefused as problem:
            again = inspect(catalogue_path(config), seconds=5.0, now=time.time()).index
            if last == _LOOKS or again == stamp:
                return stamp.count, str(problem)
            stamp = again
        else:
            return stamp.count, ""
    return None, ""


def backups(config: Config) -> tuple[int, float | None]:
    """How many there are, and seconds since the newest."""
    from guyverd.service.pipeline.safekeeping.saving import found, latest  # noqa: PLC0415  it opens each

    now = datetime.now(UTC)
    newest = latest(config, now)
    return sum(1 for _ in found(config)), None if newest is None else (now - newest.at).total_seconds()


def saved_searches(config: Config, follows: Sequence[FollowSeen]) -> list[tuple[int, DeliveryStopped]]:
    """The saved searches, by number, into whose folders nothing can be put now, and why."""
    sacred = [os.fsencode(path) for path in (*config.photos, config.people, config.state)]
    found = []
    for one in follows:
        try:
            with delivering.opened(one.folder, is_mount=one.mounted, sacred=sacred):
                delivering.check_writable(one.folder)
        except DeliveryStopped as problem:
            found.append((one.number, problem))
    return found
