"""What goes into a report for strangers: everything that tells how guyverd is, and nothing of whose it is.

Every text passes `Pseudonyms` on its way into the file: what is added here later is as safe as what is here now. Each
part is gathered for itself, so that it works whatever is broken.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import os
import platform
import re
import stat
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guyverd import __version__
from guyverd.config import PATHS, Config
from guyverd.errors import ExportError, GuyverError
from guyverd.faces import limits
from guyverd.faces.models import folder as models_folder
from guyverd.media.kinds import EXTENSIONS
from guyverd.service.api import Row
from guyverd.service.journal import last_lines
from guyverd.service.pipeline.examining import machine
from guyverd.service.pipeline.examining.examination import Examination
from guyverd.service.pipeline.examining.stores import kind_at
from guyverd.service.pipeline.examining.tree import UNREAD
from guyverd.service.prometheus import exposition
from guyverd.service.pseudonyms import Clean, Pseudonyms
from guyverd.service.vocabulary import vocabulary

_ANSWER = 10.0
_OURS = re.compile(
    r"catalogue\.db(-wal|-shm|-journal)?|lock|index|faces-\d{1,9}\.hnsw(\.part)?|backups|last-log\.json|custody|restored"
)
"""What is in the state folder under names that we gave."""
_SYSTEMS = ("debian", "ubuntu", "fedora", "arch", "alpine", "opensuse", "rhel", "centos", "rocky", "almalinux", "nixos")
_KINDS = re.compile(
    r"(ext[234]|btrfs|xfs|zfs|f2fs|bcachefs|tmpfs|overlay|nfs[34]?|cifs|smb[23]|9p|virtiofs|vfat|exfat|msdos|ntfs3?"
    r"|fuseblk|ecryptfs|squashfs|ramfs)"
)

ABOUT = {
    "README.txt": "what this is",
    "doctor.json": "what `guyverd doctor` found",
    "environment.json": "versions of the system and of libraries, memory, processors, kinds of file systems",
    "config.json": "the settings; paths and names of yours as pseudonyms",
    "catalogue.json": "how the catalogue's file is: its tables, how many rows, what SQLite says of it",
    "failures.json": "why pictures could not be read, grouped, with how many of each",
    "state.json": "the files in the state folder: sizes and permissions",
    "status.json": "what the daemon told of itself, and what it counted and timed",
    "metrics.prom": "the same figures for Prometheus",
    "log.jsonl": "the last lines of its log, without what was filled in",
}
"""Every file of a report, and what it is for."""

_README = """\
A report of guyverd {version}, made by `guyverd bundle` for whoever is to help.

It holds no picture, no name, no path and no face. Words that are not guyverd's own were replaced by {replaced}, numbers
in texts of others by N, and paths by pseudonyms such as <path 7>, which are the same wherever the path stood.

Look into it before you send it:

{contents}
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the report."""

    name: str
    content: bytes


def collect(path: Path) -> list[Part]:
    """The report on the library of the config at `path`."""
    seen = Examination(path)
    findings = list(seen.findings())
    hidden = Pseudonyms(known_paths(path, seen.config), vocabulary(), _extensions())
    status = None if seen.status is None else {**seen.status, "state": "", "people_folder": ""}
    parts: dict[str, Callable[[], object]] = {
        "doctor.json": lambda: [hidden.finding(finding) for finding in findings],
        "environment.json": lambda: _environment(seen),
        "config.json": lambda: _settings(seen.config),
        "catalogue.json": lambda: _catalogue(seen, hidden),
        "failures.json": lambda: _failures(seen, hidden),
        "state.json": lambda: _state(seen.config),
        "status.json": lambda: status,
        "metrics.prom": lambda: None if status is None else Clean(exposition(status, "bundle", time.time())),
        "log.jsonl": lambda: [_line(row, hidden) for row in _lines(seen)],
    }
    contents = "\n".join(f"  {name:<18} {about}" for name, about in ABOUT.items())
    readme = _README.format(version=__version__, replaced="…", contents=contents)
    return [Part("README.txt", readme.encode())] + [
        Part(name, _written(name, gather, hidden)) for name, gather in parts.items()
    ]


def _written(name: str, gather: Callable[[], object], hidden: Pseudonyms) -> bytes:
    try:
        value = gather()
    except Exception as problem:
        # What cannot be had must not cost the rest; its message may hold anything.
        value = {"problem": type(problem).__name__}
    if isinstance(value, Clean):
        return value.encode()
    told = hidden.value(value)
    if name.endswith(".jsonl") and isinstance(told, list):
        return "".join(json.dumps(row) + "\n" for row in told).encode()
    return (json.dumps(told, indent=1) + "\n").encode()


def known_paths(path: Path, config: Config | None) -> dict[str, str]:
    """Paths that are told by what they are for."""
    named: list[tuple[str, Path | str]] = [
        ("temporary", tempfile.gettempdir()),
        ("home", os.path.expanduser("~")),
        ("python", sys.prefix),
        ("program", Path(__file__).parents[3]),
        ("cache", models_folder()),
        ("config folder", path.absolute().parent),
        ("config", path.absolute()),
    ]
    if config is not None:
        named += [("people folder", config.people), ("state folder", config.state)]
        named += [(f"photo folder {number}", root) for number, root in enumerate(config.photos, 1)]
    found: dict[str, str] = {}
    for label, place in named:
        for spelt in (os.fspath(place), os.path.realpath(place)):
            found[spelt] = label
    found.pop("/", None)
    return found


def _extensions() -> list[str]:
    return [*(kind.decode() for kind in EXTENSIONS), *UNREAD]


# ---- parts -----------------------------------------------------------------------------------------------------------


def _environment(seen: Examination) -> Row:
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


def _settings(config: Config | None) -> Row:
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


def _catalogue(seen: Examination, hidden: Pseudonyms) -> Row:
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
    """By extension, where it is one of pictures."""
    known = set(_extensions())
    found: dict[str, int] = {}
    for kind, count in counts:
        name = Clean(kind if kind in known else "other")
        found[name] = found.get(name, 0) + count
    return found


def _failures(seen: Examination, hidden: Pseudonyms) -> list[Row]:
    known = set(_extensions())
    grouped: dict[tuple[str, str, str], int] = {}
    for state, reason, kind, count in seen.inspection.reasons:
        key = hidden.text(state), hidden.whole(reason), Clean(kind if kind in known else "other")
        grouped[key] = grouped.get(key, 0) + count
    order = sorted(grouped.items(), key=lambda item: (-item[1], item[0]))
    return [{"state": key[0], "reason": key[1], "extension": key[2], "files": count} for key, count in order]


def _state(config: Config | None) -> list[Row]:
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


def _lines(seen: Examination) -> list[Row]:
    if seen.status is not None and seen.holder is not None:
        from guyverd.service.control import RemoteLibrary  # noqa: PLC0415  only where there is one to ask

        try:
            return list(RemoteLibrary(seen.holder, _ANSWER).journal())
        except GuyverError:
            return []
    return [] if seen.config is None else last_lines(seen.config.state)


def _line(row: Row, hidden: Pseudonyms) -> Row:
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


# ---- the file --------------------------------------------------------------------------------------------------------


def write(target: Path, parts: Iterable[Part], sacred: Iterable[Path]) -> int:
    """Put a report at `target`, which must not be there yet nor lie in one of `sacred`. Returns its size.

    Raises ExportError.
    """
    place = Path(os.path.realpath(target))
    for folder in sacred:
        if place.is_relative_to(os.path.realpath(folder)):
            raise ExportError(path=target, detail="nothing is put into a photo folder or the people folder")
    data = _packed(parts)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(target, flags, 0o600), "wb") as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                target.unlink()
                raise
    except OSError as problem:
        raise ExportError(path=target, detail=problem.strerror or str(problem)) from problem
    return len(data)


def _packed(parts: Iterable[Part]) -> bytes:
    """A gzipped tar that says nothing of who made it: no owner, and no name in gzip's head."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for part in parts:
            entry = tarfile.TarInfo(f"guyverd-bundle/{part.name}")
            entry.size, entry.mtime, entry.mode = len(part.content), int(time.time()), 0o600
            tar.addfile(entry, io.BytesIO(part.content))
    return packed.getvalue()
