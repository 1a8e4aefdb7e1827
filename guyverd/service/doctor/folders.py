"""Verdicts on the folders: where guyverd keeps its own, where links are made, where photos are. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from guyverd.errors import GuyverError
from guyverd.service.doctor.finding import Figure, Finding, Value, Verdict, of_error, span

_LATE = 2.0
"""Of `watch.rescan`: a full comparison that is later than so many of them is overdue."""
_NO_SYMBOLIC = ("vfat", "msdos", "exfat", "fat")
_NO_HARD = (*_NO_SYMBOLIC, "cifs", "smb3", "smb2", "smbfs")


def state_folder(path: Path, *, exists: bool, problem: str, exposed: tuple[str, str] | None) -> Finding:
    """Whether the state folder is there, can be written, and is nobody else's.

    `problem` is what writing there met, `exposed` what is unsafe and its cure.
    """
    fields: dict[str, Value] = {"path": path, "problem": problem}
    if not exists and not problem:
        return Finding("state folder", Verdict.OK, "{path} is made at the first run", "", fields)
    if exposed is not None:
        fields |= {"detail": exposed[0], "cure": exposed[1]}
        return Finding("state folder", Verdict.FAULT, "{path} is not yours alone: {detail}", "{cure}", fields)
    if problem:
        return Finding(
            "state folder",
            Verdict.FAULT,
            "{path} cannot be written: {problem}",
            "See who owns it and how it is mounted: ls -ld {path}; findmnt -T {path}",
            fields,
        )
    return Finding("state folder", Verdict.OK, "{path} is yours alone and can be written", "", fields)


@dataclass(frozen=True, slots=True)
class People:
    """The people folder."""

    path: Path
    published: int | None
    """Links in the ledger; None where the catalogue does not tell."""
    there: bool
    problem: GuyverError | None
    """Why it cannot be kept, where it is there or should be."""
    writable: bool
    read_only: bool
    links: str
    """As configured."""
    kind: str
    """Of its file system; empty where it is not told."""
    other_disk: bool
    """Whether a photo folder is on another file system."""
    paused: bool


def people_folder(seen: People) -> Finding:
    """Whether the people folder can be kept."""
    name = "people folder"
    fields: dict[str, Value] = {"path": seen.path, "links": seen.published or 0}
    if not seen.there and not seen.published:
        return Finding(name, Verdict.OK, "{path} is made when there is somebody to show", "", fields)
    if seen.problem is not None:
        return of_error(name, seen.problem)
    if seen.read_only or not seen.writable:
        fields["why"] = Figure("its disk is mounted read-only" if seen.read_only else "you may not write there")
        return Finding(name, Verdict.FAULT, "{path}: {why}", "See ls -ld {path} and findmnt -T {path}", fields)
    if (refused := _links_refused(seen)) is not None:
        return refused
    if seen.paused:
        return Finding(
            name,
            Verdict.WARNING,
            "too much was changed there at once, so it is left as it is",
            "`guyverd folders` tells what; then guyverd folders resume, or guyverd folders resume --accept",
            fields,
        )
    return Finding(name, Verdict.OK, "{path} is kept, {links} links", "", fields)


def _links_refused(seen: People) -> Finding | None:
    """Why links as they are configured cannot be made there."""
    symbolic = seen.links in ("relative", "absolute")
    if (symbolic and seen.kind in _NO_SYMBOLIC) or (seen.links == "hard" and seen.kind in _NO_HARD):
        return Finding(
            "people folder",
            Verdict.FAULT,
            "its file system ({kind}) has no such links",
            "Write `links: copy` below `folders:` in the config, or name a folder on another disk as `people`.",
            {"kind": Figure(seen.kind)},
        )
    if seen.links == "hard" and seen.other_disk:
        return Finding(
            "people folder",
            Verdict.FAULT,
            "hard links cannot lead to another disk, and a photo folder is on one",
            "Write `links: relative` below `folders:` in the config, or put `people` on the photos' disk.",
        )
    return None


@dataclass(frozen=True, slots=True)
class Root:
    """A photo folder."""

    number: int
    path: Path
    there: bool
    state: str
    """In the catalogue: "online", "offline", or "" where it is not known yet."""
    detail: str
    pictures: int
    """Seen on disk."""
    videos: int
    """Likewise."""
    folders: int
    unreadable: int
    """Folders and files that cannot be looked at."""
    first: tuple[Path, str] | None
    """The first of these and why."""
    counted_all: bool
    kind: str
    """Of the file system, where it sends no events; else empty."""
    watched: str
    """As `status` says; empty where no daemon answers."""
    scanned: float | None
    """Seconds since it was last compared in full; None for never."""


def root(seen: Root, rescan: float) -> Finding:
    """Whether a photo folder is there, can be read, and was compared lately; `rescan` as configured, in seconds."""
    name = f"photo folder {seen.number}"
    least = "" if seen.counted_all else "at least "
    holds = "{path}, {pictures} pictures and {videos}," if seen.videos else "{path}, {pictures} pictures,"
    fields: dict[str, Value] = {
        "path": seen.path,
        "detail": seen.detail,
        "pictures": Figure(f"{least}{seen.pictures:,}"),
        "videos": Figure(f"{seen.videos:,} video{'' if seen.videos == 1 else 's'}"),
        "unreadable": Figure(f"{least}{seen.unreadable:,}"),
        "kind": Figure(seen.kind),
        "rescan": span(rescan),
    }
    if not seen.there:
        return Finding(
            name,
            Verdict.FAULT,
            "{path} is not there: nothing is taken for deleted, its people and links stay",
            "Mount its disk (findmnt, mount -a), or take the folder out of `photos` in the config.",
            fields,
        )
    if seen.state == "offline":
        return Finding(
            name,
            Verdict.FAULT,
            "{path} counts as offline: {detail}",
            "Mount its disk; if what stands there is the photo folder now, guyverd accept {path} says so.",
            fields,
        )
    if seen.first is not None:
        fields |= {"first": seen.first[0], "reason": seen.first[1]}
        return Finding(
            name,
            Verdict.WARNING,
            "{unreadable} places in {path} cannot be looked at, the first is {first}: {reason}",
            "See ls -ld {first}; where it is yours: chmod -R u+rX {path}",
            fields,
        )
    if seen.scanned is None:
        told = f"{holds} was never compared in full yet"
        return Finding(name, Verdict.WARNING, told, "guyverd scan", fields)
    fields["scanned"] = span(seen.scanned)
    if seen.scanned > _LATE * rescan:
        return Finding(
            name,
            Verdict.WARNING,
            "{path} was compared in full {scanned} ago, and should be every {rescan}",
            "guyverd scan; and leave the daemon running",
            fields,
        )
    if seen.kind:
        how = f"{holds} compared in full {{scanned}} ago; {{kind}} sends no events, so it is polled"
    elif seen.watched in ("polled", "partly"):
        how = f"{holds} compared in full {{scanned}} ago; {{watched}} by events: {{detail}}"
        fields["watched"] = Figure("not watched" if seen.watched == "polled" else "partly watched")
    else:
        how = f"{holds} compared in full {{scanned}} ago"
    return Finding(name, Verdict.OK, how, "", fields)


def saved_searches(count: int, waiting: int, stuck: int) -> Finding:
    """How many are followed, how many files are to be delivered, and into how many folders nothing can be put."""
    name = "saved searches"
    fields: dict[str, Value] = {"count": count, "waiting": waiting, "stuck": stuck}
    if not count:
        return Finding(name, Verdict.OK, "nobody is followed", "", fields)
    if stuck:
        told = "{count} are followed, {waiting} files wait; nothing can be put into {stuck} of their folders"
        return Finding(name, Verdict.WARNING, told, "guyverd follows tells which", fields)
    return Finding(name, Verdict.OK, "{count} are followed, {waiting} files wait", "", fields)
