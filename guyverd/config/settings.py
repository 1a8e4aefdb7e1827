"""Every setting with its unit, default and meaning."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from guyverd.config.units import (
    DURATION,
    FLAG,
    FOLDER,
    FOLDER_NAME,
    HOURS,
    PATTERNS,
    PROM_FILE,
    SHARE,
    SIZE,
    Hours,
    Unit,
    choice,
    count,
    duration,
    number,
    share,
)


def setting(default: object, unit: Unit, doc: str) -> Any:
    """A dataclass field that the config file can set."""
    return field(default=default, metadata={"unit": unit, "doc": doc})


def section(cls: type, doc: str) -> Any:
    """A dataclass field that holds a group of settings."""
    return field(default_factory=cls, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Watch:
    """How changes on disk are noticed."""

    quiet: float = setting(2.0, DURATION, "a file is read when it has not changed for this long")
    ceiling: float = setting(60.0, DURATION, "a file that never stops changing is read after this long all the same")
    rescan: float = setting(6 * 3600.0, duration("100 ms"), "every photo folder is compared in full this often")
    poll: float = setting(
        120.0, duration("100 ms"), "and this often where the file system sends no events (network, FUSE)"
    )
    ignore: tuple[str, ...] = setting(
        ("@eaDir", "lost+found", "*.tmp", "*.part", "*.crdownload"),
        PATTERNS,
        "names of files and folders to pass over, * and ? allowed; those that begin with a dot always are",
    )
    removal_grace: float = setting(
        7 * 86400.0, DURATION, "a photo missing for this long is forgotten, its faces with it"
    )
    removal_limit: float = setting(
        0.2, SHARE, "if more than this share of all photos would be forgotten at once, nothing is"
    )


@dataclass(frozen=True, slots=True)
class Faces:
    """How faces are looked for."""

    smallest: float = setting(
        0.04,
        share("2 %", "40 %"),
        "the narrowest face that matters, as a share of the picture's longer side; half of it takes four times as long",
    )
    level: str = setting(
        "balanced",
        choice("fast", "balanced", "thorough"),
        "how hard faces are looked for: fast is content with faces twice as wide, in a third of the time; thorough "
        "finds some that the others miss, in three times the time",
    )
    device: str = setting(
        "cpu",
        choice("cpu", "gpu"),
        "gpu uses a graphics processor where onnxruntime has one that works (it may need more `workers.memory`); "
        "else it is the cpu",
    )


@dataclass(frozen=True, slots=True)
class Videos:
    """How videos are looked at."""

    read: bool = setting(True, FLAG, "no leaves them alone; they are still linked beside the photo they belong to")
    rate: float = setting(
        1.0, number(0.1, 10.0), "frames looked at in each second; more where the scene changes, for a moment is short"
    )
    smallest: float = setting(
        0.06,
        share("2 %", "40 %"),
        "the narrowest face that matters in a video, as a share of its longer side",
    )
    longest: float = setting(
        6 * 3600.0, duration("1 s"), "a video that goes on for longer is not read, such as a recording without an end"
    )


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes that read pictures."""

    count: int = setting(0, count(0, 1024), "how many; 0 means one per processor core, or fewer where memory is scarce")
    deadline: float = setting(120.0, duration("1 s"), "a picture that takes longer is given up")
    memory: float = setting(4e9, SIZE, "address space one worker may take")
    speed: str = setting(
        "gentle",
        choice("gentle", "full"),
        "gentle lets every other program go first (low CPU and disk priority), full does not",
    )
    full_speed_hours: Hours | None = setting(
        None, HOURS, "between these times of the day, by the local clock, full speed all the same; empty means never"
    )
    quiet_hours: Hours | None = setting(
        None, HOURS, "between these the daemon reads no photo: what arrives waits; empty means never"
    )
    idle: float = setting(30.0, DURATION, "workers and models leave memory when there was nothing to do for this long")


@dataclass(frozen=True, slots=True)
class People:
    """How faces become people."""

    strictness: float = setting(
        0.0, number(-3.0, 3.0), "above 0 fewer people are mixed and more are split, below 0 the other way round"
    )
    group_bonus: float = setting(
        1.0, number(0.0, 3.0), "how much less evidence is asked of whole groups than of two faces"
    )
    margin: float = setting(
        1.5, number(1.0, 10.0), "the evidence for a person must be this many times that for the runner-up"
    )
    neighbours: int = setting(40, count(4, 1000), "nearest faces looked at for each face")
    poor_quality: float = setting(
        0.2, number(0.0, 1.0), "faces of lower quality may join a person but never connect two"
    )


@dataclass(frozen=True, slots=True)
class Folders:
    """How the people folder looks."""

    min_photos: int = setting(3, count(1), "a person without a name gets a folder from this many photos on")
    layout: str = setting(
        "person", choice("person", "year"), "year puts a folder for each year into each person's folder"
    )
    links: str = setting(
        "relative",
        choice("relative", "absolute", "hard", "copy"),
        "how a link leads to its photo: relative and absolute are symbolic links; hard gives the photo itself a second "
        "name on the same disk, so that who edits it edits both; copy, where links cannot be, as on a Windows share, "
        "makes files that share their blocks with the photo where the disk can",
    )
    contact_sheet: bool = setting(False, FLAG, "an index.html in each folder shows its photos in a browser")
    cover: bool = setting(False, FLAG, "a cover.jpg in each person's folder shows their face")
    loss_limit: float = setting(
        0.2,
        SHARE,
        "if more than this share of all links, and more than 20, is missing at once, it is not taken for your word: "
        "publishing pauses and `guyverd folders resume` decides",
    )
    unnamed: str = setting("Unnamed", FOLDER_NAME, "the folder that holds people without a name")


@dataclass(frozen=True, slots=True)
class Backup:
    """Copies of the catalogue, which alone holds what you said."""

    every: float = setting(
        86400.0,
        DURATION,
        "one is made this often, when there is nothing else to do and something changed; 0 s is never",
    )
    folder: Path | None = setting(
        None, FOLDER, "where they go, best on another disk; empty means `backups` in the state folder"
    )
    days: int = setting(7, count(1, 10_000), "the newest of each of so many days is kept")
    weeks: int = setting(4, count(0, 10_000), "and that of each of so many weeks")


@dataclass(frozen=True, slots=True)
class Log:
    """What is told while it runs."""

    level: str = setting("info", choice("debug", "info", "warning", "error"), "how much is told")
    metrics: Path | None = setting(
        None,
        PROM_FILE,
        "a file for Prometheus, written anew every 15 s: put it where the textfile collector of node_exporter looks, "
        "as /var/lib/node_exporter/guyverd.prom; it holds figures only, no names and no paths; empty means none",
    )


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; every path absolute."""

    photos: tuple[Path, ...] = field(metadata={"doc": "folders with your photos; guyverd only ever reads them"})
    people: Path = field(metadata={"doc": "where the folders of links appear; it may lie inside a photo folder"})
    state: Path = field(
        metadata={"doc": "where guyverd keeps its catalogue and index; outside the photo folders and the people folder"}
    )
    watch: Watch = section(Watch, "How changes on disk are noticed")
    faces: Faces = section(Faces, "How faces are looked for")
    videos: Videos = section(Videos, "How videos are looked at")
    workers: Workers = section(Workers, "The processes that read pictures")
    clustering: People = section(People, "How faces become people")
    folders: Folders = section(Folders, "How the people folder looks")
    backup: Backup = section(Backup, "Copies of the catalogue, which alone holds what you said")
    log: Log = section(Log, "What is told while it runs")


PATHS = ("photos", "people", "state")

RETIRED = {
    "clustering.link_distance": "`strictness` says how much evidence is asked for (the default suits most libraries)",
    "clustering.merge_distance": "`group_bonus` says how much less is asked of groups (the default suits most)",
    "faces.canvas": "`smallest` says how large pictures are looked at",
    "faces.detector": "`level` says how hard faces are looked for",
    "workers.gentle": "write `speed: gentle` where it was true, `speed: full` where it was false",
}
"""Keys of earlier versions, with what to write now."""


def meaning(cls: type, name: str) -> str:
    """What a setting, or a path of `Config`, is for."""
    item: Field[Any] = next(item for item in fields(cls) if item.name == name)
    return str(item.metadata["doc"])
