"""Verdicts on the machine. Pure: figures in, a finding out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guyverd.service.doctor.finding import Figure, Finding, Value, Verdict, size, span

_LEAST_FREE = 50e6
"""Bytes; below that, not even what is under way can be noted."""
_SPARE = 500e6
"""Bytes that should be free besides what the catalogue may need."""
_LEAST_FILES = 1000
_USUAL_WATCHES = 524_288
_SLOW_SYNC = 0.1
"""Seconds; a hard disk takes 0.01 to 0.03, and each decision waits for one or two."""
_SLOW_WRITE = 5e6
"""Bytes a second."""
_SLOW_READ = 3e6
_SLOW_OPEN = 0.25
"""Seconds until the first byte of a photo is there."""
_ORIGIN = 1_735_000_000.0
"""Seconds since 1970: this program is not older."""
_SYSCTL = "/etc/sysctl.d/60-guyverd.conf"


def free_space(free: int, total: int, needed: int, files: int | None, *, read_only: bool) -> Finding:
    """The disk of the state folder: bytes free, in all, that may be needed, and files that may still be made."""
    fields: dict[str, Value] = {"free": size(free), "total": size(total), "needed": size(needed + _SPARE)}
    cure = "Free some space on its disk (`df -h`, `du`), or move `state` to another: stop guyverd, move the folder, \
change the config."
    if read_only:
        return Finding(
            "free space",
            Verdict.FAULT,
            "the disk of the state folder is mounted read-only",
            "`dmesg` tells why; then \
mount it writable, as with `mount -o remount,rw`.",
            fields,
        )
    if free < _LEAST_FREE:
        return Finding("free space", Verdict.FAULT, "only {free} of {total} are free: work pauses", cure, fields)
    if files is not None and files < _LEAST_FILES:
        fields["files"] = Figure(f"{files:,}")
        return Finding("free space", Verdict.WARNING, "only {files} more files fit on the disk (inodes)", cure, fields)
    if free < needed + _SPARE:
        return Finding(
            "free space", Verdict.WARNING, "{free} of {total} are free, and {needed} should be", cure, fields
        )
    return Finding("free space", Verdict.OK, "{free} of {total} are free, {needed} are enough", "", fields)


@dataclass(frozen=True, slots=True)
class Watches:
    """What inotify may and does."""

    most: int | None
    """Watches that all programs of this user may hold; None where the system does not tell."""
    most_instances: int | None
    used: int
    """By all programs of this user, ours among them, as far as it can be seen."""
    used_instances: int
    ours: int
    """By the daemon."""
    our_instances: int
    folders: int
    """In the photo folders and the people folder: each takes one."""
    counted_all: bool
    roots: int
    """Photo folders and the people folder: each takes an instance."""


def watches(seen: Watches) -> Finding:
    """Whether the system's limits of inotify hold for this library."""
    if seen.most is None or seen.most_instances is None:
        return Finding("watch limits", Verdict.UNKNOWN, "this system does not tell its limits of inotify")
    others, other_instances = max(0, seen.used - seen.ours), max(0, seen.used_instances - seen.our_instances)
    least = "" if seen.counted_all else "at least "
    fields: dict[str, Value] = {
        "folders": Figure(f"{least}{seen.folders:,}"),
        "most": seen.most,
        "others": others,
        "most_instances": seen.most_instances,
        "other_instances": other_instances,
        "roots": seen.roots,
    }
    lasting = f"echo '{{setting}}' | sudo tee -a {_SYSCTL} && sudo sysctl --system"
    if seen.folders + others > seen.most:
        fields["setting"] = Figure(f"fs.inotify.max_user_watches={enough(seen.folders + others)}")
        return Finding(
            "watch limits",
            Verdict.WARNING,
            "{folders} folders are to be watched, other programs watch {others}, and {most} may be in all: what has no "
            "watch is compared every `watch.poll`",
            lasting,
            fields,
        )
    if seen.roots + other_instances > seen.most_instances:
        fields["setting"] = Figure(f"fs.inotify.max_user_instances={max(1024, 2 * (seen.roots + other_instances))}")
        return Finding(
            "watch limits",
            Verdict.WARNING,
            "guyverd needs {roots} instances of inotify, other programs have {other_instances}, and {most_instances} "
            "may be in all: what has none is compared every `watch.poll`",
            lasting,
            fields,
        )
    return Finding(
        "watch limits",
        Verdict.OK,
        "{folders} folders to watch, {others} watched by other programs, {most} may be",
        "",
        fields,
    )


def enough(needed: int) -> int:
    """A limit of watches that holds for twice as many, as such limits are written."""
    limit = _USUAL_WATCHES
    while limit < 2 * needed:
        limit *= 2
    return limit


def memory(total: float, available: float, workers: int, each: float) -> Finding:
    """Whether the workers have room: bytes there are for this process, bytes not in use, bytes that one may take."""
    fields: dict[str, Value] = {
        "total": size(total),
        "available": size(available),
        "workers": workers,
        "each": size(each),
        "fit": max(1, int(0.75 * total / each)),
    }
    if workers * each > 0.75 * total and workers > 1:
        return Finding(
            "memory",
            Verdict.WARNING,
            "{workers} workers may take {each} each, and there are {total}: the system may kill some",
            "Write `count: {fit}` below `workers:` in the config, or 0 to have it reckoned.",
            fields,
        )
    if available < each:
        return Finding(
            "memory",
            Verdict.WARNING,
            "{available} of {total} are not in use, and one worker may take {each}",
            "Close other programs, or see what takes it: `ps --sort=-rss -eo rss,comm | head`",
            fields,
        )
    return Finding(
        "memory", Verdict.OK, "{total} for {workers} workers of up to {each}, {available} not in use", "", fields
    )


def processors(usable: int, there: int, workers: int) -> Finding:
    """How many processor cores may be used, how many there are, and how many workers use them."""
    fields: dict[str, Value] = {"usable": usable, "there": there, "workers": workers}
    if workers > 2 * usable:
        return Finding(
            "processors",
            Verdict.WARNING,
            "{workers} workers share {usable} of {there} processors: each photo may meet its deadline",
            "Write `count: 0` below `workers:` in the config.",
            fields,
        )
    detail = "{workers} workers on {usable} of {there} processors"
    return Finding("processors", Verdict.OK, detail, "", fields)


@dataclass(frozen=True, slots=True)
class Written:
    """A trial in the state folder."""

    size: int
    """Bytes written and synced."""
    seconds: float
    sync: float
    """Seconds that the middle one of some small writes took until it was durable."""


def writing(seen: Written) -> Finding:
    """Whether the disk of the state folder is quick enough."""
    rate = seen.size / max(seen.seconds, 1e-9)
    fields: dict[str, Value] = {"rate": Figure(f"{size(rate)}/s"), "sync": span(seen.sync)}
    cure = "Move `state` to a disk in this machine, best an SSD: stop guyverd, move the folder, change the config."
    if seen.sync > _SLOW_SYNC or rate < _SLOW_WRITE:
        return Finding(
            "state disk",
            Verdict.WARNING,
            "slow: {rate}, and a small write is durable after {sync}; every decision waits for that",
            cure,
            fields,
        )
    return Finding("state disk", Verdict.OK, "{rate}, a small write is durable after {sync}", "", fields)


@dataclass(frozen=True, slots=True)
class Read:
    """A trial with some photos."""

    photos: int
    size: int
    """Bytes."""
    seconds: float
    first: float
    """Seconds until the first byte of the middle one was there."""
    failed: int
    """Photos of which nothing could be read."""


def reading(seen: Read) -> Finding:
    """Whether photos come quickly enough."""
    if not seen.photos:
        detail = "no photo could be tried" if not seen.failed else "none of {failed} photos could be read"
        verdict = Verdict.FAULT if seen.failed else Verdict.UNKNOWN
        cure = "See `guyverd failures`, and whether the photo folder's disk is well: `dmesg`" if seen.failed else ""
        return Finding("photo disk", verdict, detail, cure, {"failed": seen.failed})
    rate = seen.size / max(seen.seconds, 1e-9)
    fields: dict[str, Value] = {
        "photos": seen.photos,
        "rate": Figure(f"{size(rate)}/s"),
        "first": span(seen.first),
        "failed": seen.failed,
    }
    if rate < _SLOW_READ or seen.first > _SLOW_OPEN:
        return Finding(
            "photo disk",
            Verdict.WARNING,
            "slow: {rate} from {photos} photos, the first byte after {first}",
            "A first pass takes long there. Over a network, a cable or a nearer server helps; a disk that grows slow "
            "may be failing: `sudo smartctl -a` and its name.",
            fields,
        )
    return Finding("photo disk", Verdict.OK, "{rate} from {photos} photos, the first byte after {first}", "", fields)


def clock(wall: float, latest: float | None, future: int | None) -> Finding:
    """The clock on the wall, against the latest moment in the catalogue; files that claim to be of the future."""
    fields: dict[str, Value] = {"future": future or 0}
    cure = "Set it: `timedatectl` tells how it stands, `sudo timedatectl set-ntp true` keeps it right."
    if wall < _ORIGIN:
        return Finding("clock", Verdict.FAULT, "the clock is years behind", cure)
    if latest is not None and latest > wall + 3600:
        fields["behind"] = span(latest - wall)
        return Finding(
            "clock", Verdict.WARNING, "the clock is {behind} behind what the catalogue noted last", cure, fields
        )
    if future:
        return Finding(
            "clock",
            Verdict.WARNING,
            "{future} files say that they were changed in the future; they are read like all others",
            "If there are many, look at the clocks of the cameras and servers they come from.",
            fields,
        )
    return Finding("clock", Verdict.OK, "right, as far as the catalogue tells")


def versions(found: Mapping[str, str], missing: Sequence[str], sqlite: tuple[int, ...]) -> Finding:
    """The libraries: those found with their versions, and those that are needed and not there."""
    told = Figure(", ".join(f"{name} {version}" for name, version in found.items()))
    fields: dict[str, Value] = {"found": told, "missing": Figure(", ".join(missing))}
    if missing:
        return Finding(
            "versions",
            Verdict.FAULT,
            "not installed: {missing}; found {found}",
            "Install guyverd again: `make setup`, or `pip install --force-reinstall guyverd`",
            fields,
        )
    # Two connections that write or checkpoint at once can lose pages there. Ours is one (`catalogue.database`).
    old = " (SQLite before 3.51.3 may lose what two programs write at once: never write to the catalogue yourself)"
    return Finding("versions", Verdict.OK, "{found}" + (old if sqlite < (3, 51, 3) else ""), "", fields)


def unit(states: Mapping[str, Mapping[str, str]]) -> Finding:
    """The units of systemd, by what they are called ("user", "system"): what `systemctl show` said of each."""
    loaded = {name: state for name, state in states.items() if state.get("LoadState") == "loaded"}
    if not loaded:
        return Finding("service", Verdict.OK, "no unit of systemd is installed")
    name, state = min(loaded.items(), key=lambda item: item[1].get("ActiveState") != "failed")
    user = "--user " if name == "user" else ""
    restarts = int(state["NRestarts"]) if state.get("NRestarts", "").isdecimal() else 0
    fields: dict[str, Value] = {
        "name": Figure(name),
        "state": Figure(state.get("ActiveState", "unknown")),
        "result": Figure(state.get("Result", "unknown")),
        "restarts": restarts,
        "user": Figure(user),
    }
    cure = "journalctl {user}-u guyverd -e"
    if state.get("ActiveState") == "failed":
        return Finding("service", Verdict.FAULT, "the {name} unit failed: {result}", cure, fields)
    if restarts > 3:
        return Finding("service", Verdict.WARNING, "the {name} unit was restarted {restarts} times", cure, fields)
    return Finding("service", Verdict.OK, "the {name} unit is {state}", "", fields)
