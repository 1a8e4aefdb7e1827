"""Verdicts on the library: its config, its daemon, what is kept and what was read. Pure: figures in, a finding out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from guyverd.errors import GuyverError
from guyverd.service.doctor.finding import Figure, Finding, Value, Verdict, listed, of_error, size, span

_MOST_LOG = 256e6
"""Bytes of a write-ahead log beyond which it should have been taken into the catalogue."""
_STALE_BACKUP = 14 * 86400.0


def config(path: Path, problem: GuyverError | None) -> Finding:
    """Whether the config can be used."""
    if problem is not None:
        return of_error("config", problem)
    return Finding("config", Verdict.OK, "{path} is right", "", {"path": path})


@dataclass(frozen=True, slots=True)
class Daemon:
    """Who holds the library."""

    pid: int | None
    """None where nobody does."""
    listens: bool = False
    """Whether it is a daemon, and no command that works for a moment."""
    answered: float | None = None
    """Seconds that `status` took; None where it did not answer."""
    waited: float = 0.0
    """Seconds that an answer was waited for."""
    stopped: bool = False
    """Whether the process is stopped, as by Ctrl-Z."""


def daemon(seen: Daemon) -> Finding:
    """Whether the daemon runs and answers."""
    fields: dict[str, Value] = {"pid": Figure(seen.pid), "waited": span(seen.waited)}
    if seen.pid is None:
        return Finding(
            "daemon", Verdict.WARNING, "no daemon runs: what happens to your photos is not followed", "guyverd run"
        )
    if not seen.listens:
        return Finding(
            "daemon", Verdict.OK, "a command (process {pid}) is at work, or a daemon is starting", "", fields
        )
    if seen.stopped:
        return Finding("daemon", Verdict.FAULT, "the daemon (process {pid}) is stopped", "kill -CONT {pid}", fields)
    if seen.answered is None:
        return Finding(
            "daemon",
            Verdict.FAULT,
            "the daemon (process {pid}) did not answer within {waited}",
            "If it stays so: kill {pid}, or kill -9 {pid} (nothing that was said is lost), and start it again.",
            fields,
        )
    fields["answered"] = span(seen.answered)
    if seen.answered > 2.0:
        return Finding(
            "daemon",
            Verdict.WARNING,
            "the daemon (process {pid}) took {answered} to answer",
            "See the disks below.",
            fields,
        )
    return Finding("daemon", Verdict.OK, "the daemon (process {pid}) answers within {answered}", "", fields)


def codecs(missing: Sequence[str], unread: Mapping[str, int]) -> Finding:
    """Formats that cannot be decoded here, and files of kinds that guyverd does not read, by extension."""
    fields = {"missing": Figure(", ".join(missing)), "unread": listed(unread)}
    if missing:
        return Finding(
            "codecs",
            Verdict.FAULT,
            "the decoders here cannot read {missing}",
            "pip install --force-reinstall --only-binary :all: Pillow pillow-heif av",
            fields,
        )
    if unread:
        return Finding(
            "codecs",
            Verdict.WARNING,
            "files of kinds that are not read, with no picture of that name beside them: {unread}",
            "Export pictures as JPEG or HEIC beside the originals (one beside its raw file is enough), videos as MP4.",
            fields,
        )
    told = "JPEG, PNG, WebP, AVIF, HEIF, TIFF, BMP and GIF can be read, and videos in H.264, HEVC, VP9, AV1 and older"
    return Finding("codecs", Verdict.OK, told)


def failures(reasons: Sequence[tuple[str, int]], quarantined: int) -> Finding:
    """What could not be read: reasons, most frequent first, with how many files each; and photos that were given up."""
    count = sum(number for _, number in reasons)
    fields: dict[str, Value] = {"count": count, "quarantined": quarantined}
    if not count:
        return Finding("failures", Verdict.OK, "every file could be read", "", fields)
    some = reasons[:3]
    fields |= {f"reason{at}": reason for at, (reason, _) in enumerate(some)}
    fields |= {f"number{at}": number for at, (_, number) in enumerate(some)}
    told = "; ".join(f"{{number{at}}}: {{reason{at}}}" for at in range(len(some)))
    more = "; and others" if len(reasons) > len(some) else ""
    crashed = "; {quarantined} crashed or hung what read them" if quarantined else ""
    return Finding(
        "failures",
        Verdict.WARNING,
        f"{{count}} files could not be read ({told}{more}{crashed})",
        "guyverd failures lists them; guyverd scan --all tries them again",
        fields,
    )


def models(problem: GuyverError | None, runtime: str, device: str) -> Finding:
    """Whether the face models give the right vectors; on what they run, and what is configured."""
    if problem is not None:
        return of_error("models", problem)
    fields = {"runtime": Figure(runtime)}
    if device == "gpu" and " cpu" in f" {runtime}":
        return Finding(
            "models",
            Verdict.WARNING,
            "{runtime}: right, but `faces.device` is gpu, and none here works",
            "Install an onnxruntime for your graphics card, such as onnxruntime-gpu, or write `device: cpu`.",
            fields,
        )
    return Finding("models", Verdict.OK, "{runtime} gives dlib's vectors", "", fields)


@dataclass(frozen=True, slots=True)
class Stored:
    """The catalogue's file."""

    path: Path
    exists: bool
    size: int
    log_size: int
    newer: bool
    older: bool
    """Whether it is still to be migrated."""
    damage: Sequence[str] | None
    """None where it could not be told."""
    too_long: bool
    problem: str
    """Why it could not be looked at."""
    has_backups: bool


def catalogue(seen: Stored) -> Finding:
    """Whether the catalogue is whole, and this program's."""
    fields: dict[str, Value] = {"path": seen.path, "size": size(seen.size), "log": size(seen.log_size)}
    if not seen.exists:
        return Finding("catalogue", Verdict.OK, "there is none yet: the first run makes it", "", fields)
    if (unusable := _unusable(seen)) is not None:
        return unusable
    if seen.damage is None:
        told = "looking at {path} ({size}) took too long" if seen.too_long else "{path} could not be looked at"
        return Finding("catalogue", Verdict.UNKNOWN, told, "guyverd check", fields)
    if seen.log_size > _MOST_LOG:
        return Finding(
            "catalogue",
            Verdict.WARNING,
            "whole, {size}, but its write-ahead log has {log}",
            "Close programs that have it open (fuser {path}), then restart guyverd.",
            fields,
        )
    told = "whole, {size}; it is brought up to date at the next start" if seen.older else "whole, {size}"
    return Finding("catalogue", Verdict.OK, told, "", fields)


def _unusable(seen: Stored) -> Finding | None:
    """Why nothing can be done with the file."""
    if seen.newer:
        return Finding(
            "catalogue",
            Verdict.FAULT,
            "{path} was written by a newer guyverd, and is left alone",
            "Install that version or a later one.",
            {"path": seen.path},
        )
    damage = seen.damage[0] if seen.damage else ""
    if not damage and not seen.problem:
        return None
    back = "guyverd restore brings back the newest backup" if seen.has_backups else "restore it from your own backup"
    told = "{path} is damaged: {damage}" if damage else "{path} cannot be read: {problem}"
    fields: dict[str, Value] = {"path": seen.path, "damage": damage, "problem": seen.problem, "back": Figure(back)}
    return Finding("catalogue", Verdict.FAULT, told, "Stop guyverd, keep a copy of the file, then: {back}.", fields)


def index(count: int | None, refused: str) -> Finding:
    """Whether the saved index is the one that was saved: faces in it, or None where none was saved; or why not."""
    fields: dict[str, Value] = {"count": count or 0, "refused": refused}
    if count is None:
        return Finding("index", Verdict.OK, "none was saved yet: it is built when it is needed")
    if refused:
        return Finding(
            "index",
            Verdict.WARNING,
            "{refused}; it is rebuilt from the catalogue at the next start",
            "guyverd check --repair",
            fields,
        )
    return Finding("index", Verdict.OK, "{count} faces, exactly as it was saved", "", fields)


def backup(count: int, age: float | None, *, nightly: bool, decisions: int) -> Finding:
    """Backups there are, seconds since the newest, whether they are made by themselves; and what there is to lose."""
    fields: dict[str, Value] = {"count": count, "decisions": decisions}
    if age is not None:
        fields["age"] = span(age)
    if not count or age is None:
        if not decisions:
            return Finding("backup", Verdict.OK, "none, and nothing was said yet that could be lost", "", fields)
        return Finding(
            "backup",
            Verdict.WARNING,
            "none, and {decisions} decisions are in the catalogue alone",
            "guyverd backup; the config can have it done by itself",
            fields,
        )
    if age > _STALE_BACKUP or (nightly and age > 3 * 86400.0):
        return Finding("backup", Verdict.WARNING, "the newest of {count} is {age} old", "guyverd backup", fields)
    return Finding("backup", Verdict.OK, "the newest of {count} is {age} old", "", fields)


def workers(died: int, overdue: int, hours: float) -> Finding:
    """Worker processes that died, or were ended because they hung, since the daemon started so many hours ago."""
    fields: dict[str, Value] = {"died": died, "overdue": overdue, "since": span(hours * 3600)}
    if died + overdue == 0:
        return Finding("workers", Verdict.OK, "none died since the daemon started {since} ago", "", fields)
    return Finding(
        "workers",
        Verdict.WARNING,
        "{died} died and {overdue} took too long since the daemon started {since} ago",
        "guyverd failures names the photos; were it the memory, the kernel tells: dmesg | grep -i oom",
        fields,
    )
