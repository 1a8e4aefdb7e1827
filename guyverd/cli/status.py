"""The screenful that `guyverd status` shows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from guyverd.cli.format import duration, number, plural, size

Row = dict[str, Any]

_WATCHED = {
    "events": "watched by events",
    "partly": "partly watched by events, the rest polled",
    "polled": "polled",
    "offline": "not watched",
    "not running": "not watched: no daemon runs",
}


def screen(status: Row) -> Iterator[str]:
    """The lines, top to bottom."""
    counts, sizes = status["counts"], status["sizes"]
    yield f"guyverd {status['version']}: {_daemon(status['daemon'])}"
    yield ""
    yield f"  people     {number(counts['people'])}, {number(counts['named'])} of them with a name"
    yield f"  faces      {number(counts['faces'])}"
    videos = f" and {plural(counts['videos'], 'video')}" if counts.get("videos") else ""
    yield f"  photos     {number(counts['photos'])}{videos} in {plural(counts['files'], 'file')}"
    yield f"  failures   {number(counts['failures'])}" + (" (see guyverd failures)" if counts["failures"] else "")
    yield f"  waiting    {_backlog(status)}"
    if (workers := status.get("workers")) and workers["memory"]:
        pace = "after every other program" if workers["gentle"] else "at full speed"
        yield f"  workers    {workers['count']}, {pace}; one takes up to {size(workers['memory'])}"
    yield ""
    yield f"  people folder  {status['people_folder']}"
    yield f"  state folder   {status['state']}"
    yield f"                 catalogue {size(sizes['catalogue'])}, index {size(sizes['index'])}"
    if (backup := status.get("backup")) is not None:
        yield f"  last backup    {_backup(backup)}"
    yield ""
    for root in status["roots"]:
        yield f"  photo folder   {root['path']}"
        yield f"                 {_root(root)}"
    if status["notices"]:
        yield ""
        yield from (f"  ! {text}" for text in status["notices"])
    yield ""
    yield "  " + ", ".join(f"{name} {version}" for name, version in status["versions"].items())


def _daemon(daemon: Row) -> str:
    if not daemon["running"]:
        return "no daemon runs (`guyverd run` starts it)"
    return f"the daemon runs as process {daemon['pid']} since {daemon['since']}"


def _backup(backup: Row) -> str:
    last = backup["last"]
    if last is None:
        return "none" + (" yet" if backup["every"] else "; none are made by themselves") + " (see guyverd backup)"
    return f"{last['at']} ({size(last['size'])}), {last['file']}"


def _backlog(status: Row) -> str:
    backlog = status["backlog"]
    waiting = [plural(backlog[key], key[:-1]) for key in ("files", "photos", "videos", "faces") if backlog.get(key)]
    if not waiting:
        return "nothing"
    if status["rate"]:
        waiting.append(f"{status['rate']:.1f} photos/s")
    for film in status.get("films", ()):
        waiting.append(f"{os.path.basename(film['file'])} read to {100 * film['share']:.0f} %")
    if status["eta"] is not None:
        waiting.append(f"{duration(status['eta'])} left")
    return ", ".join(waiting)


def _root(root: Row) -> str:
    parts = [root["state"], _WATCHED.get(root["watched"], root["watched"]), plural(root["files"], "file")]
    parts.append(f"last compared in full {root['last_full_scan']}" if root["last_full_scan"] else "never compared yet")
    return ", ".join(parts) + (f"; {root['detail']}" if root["detail"] else "")
