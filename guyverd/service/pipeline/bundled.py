"""What each part of a report tells, from what was examined; texts are replaced later, by who puts it together."""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from guyverd import __version__
from guyverd.config import PATHS, Config
from guyverd.errors import GuyverError
from guyverd.faces import limits
from guyverd.media.kinds import EXTENSIONS, VIDEO_EXTENSIONS
from guyverd.service.api import Row
from guyverd.service.journal import last_lines
from guyverd.service.pipeline.examining import machine
from guyverd.service.pipeline.examining.examination import Examination
from guyverd.service.pipeline.examining.stores import kind_at
from guyverd.service.pipeline.examining.tree import UNREAD
from guyverd.service.pseudonyms import Clean, Pseudonyms

_ANSWER = 10.0
"""Seconds to wait for the daemon's lines."""
_OURS = re.compile(
    r"catalogue\.db(-wal|-shm|-journal)?|lock|index|faces-\d{1,9}\.hnsw(\.part)?|backups|last-log\.json|custody|restored"
)
"""What is in the state folder under names that we gave."""
_SYSTEMS = ("debian", "ubuntu", "fedora", "arch", "alpine", "opensuse", "rhel", "centos", "rocky", "almalinux", "nixos")
_KINDS = re.compile(
    r"(ext[234]|btrfs|xfs|zfs|f2fs|bcachefs|tmpfs|overlay|nfs[34]?|cifs|smb[23]|9p|virtiofs|vfat|exfat|msdos|ntfs3?"
    r"|fuseblk|ecryptfs|squashfs|ramfs)"
)


def extensions() -> list[str]:
    """Of pictures and videos, in lower case: these may be told."""
    return [*(kind.decode() for kind in EXTENSIONS | VIDEO_EXTENSIONS), *UNREAD]


def environment(seen: Examination) -> Row:
    """The machine and its libraries."""
    found, missing, _ = machine.versions()
    release = re.match(r"\d+\.\d+(\.\d+)?", platform.release())
    system = re.search(r'^ID="?(\w+)"?$', machine.text_of("/etc/os-release"), re.MULTILINE)
    version = re.search(r'^VERSION_ID="?(\d+(?:\.\d+)?)"?$', machine.text_of("/etc/os-release"), re.MULTILINE)
    config = seen.config
    places = {} if config is None else {"people folder": config.people, "state folder": config.state}
    if config is not None:
        places |= {f"photo folder {number}": root for number, root in enumerate(config.photos, 1)}
    return {
        "guyverd": Clean(__version__),
        "versions": {Clean(name): value for name, value in found.items()},
        "missing": [Clean(name) for name in missing],
        "system": Clean(system[1]) if system and system[1] in _SYSTEMS else "other",
        "system_version": Clean(version[1]) if version and system and system[1] in _SYSTEMS else None,
        "kernel": None if release is None else Clean(release[0]),
        "machine": platform.machine(),
        "libc": [Clean(part) if re.fullmatch(r"glibc|musl|[\d.]+", part) else "other" for part in platform.libc_ver()],
        "encoding": Clean(sys.getfilesystemencoding()),
        "processors": {"usable": limits.cores(), "there": os.cpu_count()},
        "memory": {"there": limits.memory(), "available": machine.available_memory()},
        "file_systems": {
            Clean(name): Clean(kind) if _KINDS.fullmatch(kind := kind_at(place)) else "other"
            for name, place in places.items()
        },
        "systemd": machine.units(),
    }


def settings(config: Config | None) -> Row:
    """The settings, each with whether it is the default."""
    if config is None:
        return {"problem": "the config cannot be read"}
    found: Row = {name: getattr(config, name) for name in PATHS}
    found["photos"] = [str(root) for root in config.photos]
    for item in dataclasses.fields(config):
        if item.name in PATHS:
            continue
        section = getattr(config, item.name)
        found[item.name] = {
            one.name: {
                "value": _setting(getattr(section, one.name), one.metadata["unit"].show, one.default),
                "default": getattr(section, one.name) == one.default,
            }
            for one in dataclasses.fields(section)
        }
    return found


def _setting(value: object, show: Callable[[Any], str], default: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    if value == default:
        return Clean(show(value))
    return list(value) if isinstance(value, tuple) else str(value)


def catalogue(seen: Examination, hidden: Pseudonyms) -> Row:
    """The catalogue's file."""
    found = seen.inspection
    strange = sum(not as_made for _, _, as_made in found.objects)
    return {
        "exists": found.exists,
        "size": found.size,
        "log_size": found.log_size,
        "problems": {Clean(question): problem for question, problem in found.problems.items()},
        "missing_migrations": sorted(found.missing),
        "newer_migrations": len(found.newer),
        "damage": None if found.damage is None else list(found.damage),
        "pragmas": {Clean(name): value for name, value in found.pragmas.items()},
        "counts": {Clean(name): count for name, count in found.counts.items()},
        "states": found.states,
        "tables": [Clean(name) for kind, name, as_made in found.objects if kind == "table" and as_made],
        "objects": len(found.objects),
        "objects_not_ours": strange,
        "roots": [
            {
                "path": hidden.path(os.fsdecode(root.path)),
                "state": root.state,
                "detail": root.detail,
                "scanned_at": root.scanned_at,
                "files": root.files,
            }
            for root in found.roots
        ],
        "extensions": _by_kind(found.extensions.items()),
        "future": found.future,
        "latest": found.latest,
        "index": None if found.index is None else {"size": found.index.size, "count": found.index.count},
        "paused": found.paused,
    }


def _by_kind(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """By extension, where it is one of pictures or videos."""
    known = set(extensions())
    found: dict[str, int] = {}
    for kind, count in counts:
        name = Clean(kind if kind in known else "other")
        found[name] = found.get(name, 0) + count
    return found


def failures(seen: Examination, hidden: Pseudonyms) -> list[Row]:
    """Why pictures and videos could not be read; those whose reasons are alike once replaced count together."""
    known = set(extensions())
    grouped: dict[tuple[str, str, str], int] = {}
    for state, reason, kind, count in seen.inspection.reasons:
        key = hidden.text(state), hidden.whole(reason), Clean(kind if kind in known else "other")
        grouped[key] = grouped.get(key, 0) + count
    order = sorted(grouped.items(), key=lambda item: (-item[1], item[0]))
    return [{"state": key[0], "reason": key[1], "extension": key[2], "files": count} for key, count in order]


def state(config: Config | None) -> list[Row]:
    """The files in the state folder."""
    if config is None or not config.state.is_dir():
        return []
    found = []
    for folder, _, files in os.walk(config.state):
        for name in [".", *files]:
            status = (Path(folder) / name).lstat()
            place = [part for part in (*Path(folder).relative_to(config.state).parts, name) if part != "."]
            shown = "/".join(part if _OURS.fullmatch(part) else "other" for part in place)
            found.append(
                {
                    "name": Clean(shown or "."),
                    "size": status.st_size,
                    "mode": Clean(stat.filemode(status.st_mode)),
                    "ours": status.st_uid == os.geteuid(),
                }
            )
    return sorted(found, key=lambda row: str(row["name"]))


# ---- the log ---------------------------------------------------------------------------------------------------------


def lines(seen: Examination) -> list[Row]:
    """The last lines of the log, from the daemon or from what the last one left."""
    if seen.status is not None and seen.holder is not None:
        from guyverd.service.control import RemoteLibrary  # noqa: PLC0415  only where there is one to ask

        try:
            return list(RemoteLibrary(seen.holder, _ANSWER).journal())
        except GuyverError:
            return []
    return [] if seen.config is None else last_lines(seen.config.state)


def line(row: Row, hidden: Pseudonyms) -> Row:
    """A line of the log: its fixed text with what was filled in replaced."""
    arguments = row.get("arguments")
    told: Row = {
        "at": row.get("at"),
        "level": row.get("level"),
        "from": row.get("from"),
        "message": hidden.template(str(row.get("template", "")), arguments if isinstance(arguments, list) else []),
    }
    for name in ("file", "root"):
        if name in row:
            told[name] = hidden.path(str(row[name]))
    for name in ("photo", "person"):
        if isinstance(row.get(name), int):
            told[name] = row[name]
    if isinstance(exception := row.get("exception"), dict):
        told["exception"] = {
            "type": exception.get("type"),
            "text": exception.get("text"),
            "frames": [_frame(frame) for frame in exception.get("frames", ()) if isinstance(frame, dict)],
        }
    return told


def _frame(frame: Row) -> Row:
    module, function = str(frame.get("module")), str(frame.get("function"))
    ours = re.fullmatch(r"guyverd(/[a-z_]+)+\.py", module) and re.fullmatch(r"<?\w+>?", function)
    return {
        "module": Clean(module) if ours else module.rpartition("/")[2],
        "line": frame.get("line") if isinstance(frame.get("line"), int) else None,
        "function": Clean(function) if ours else function,
    }
