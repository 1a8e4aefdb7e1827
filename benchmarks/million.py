"""A million files: how long they take to be found, what the daemon holds, and how soon `status` answers meanwhile.

    python benchmarks/million.py [--quick] [--files N]

Half of the files lie in directories of 100,000 (a tenth of all), the other half 40 directories deep. Each is a few
bytes of its own, so each is a photo of its own: what grows with a library is there in full. No photo is read (the
daemon has quiet hours): that is the workers' business and takes days for so many, and meanwhile the library is as large
as this one. A daemon in a process of its own compares and identifies them all, is asked for its status all the time,
and then compares them once more.

Faces are not counted here. The index holds 0.7 kB for each in memory, whatever the number of files.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Target, arguments, begin, median, peak_of, progress, scratch, table

Row = dict[str, Any]

LARGE = 100_000
"""Files in a large directory, of a million; fewer in the same measure of fewer."""
DEEP = 40
"""Directories above the other half."""
_IN_A_LEAF = 1000
_PATIENCE = 4 * 3600.0


@dataclass(frozen=True)
class Figures:
    """What a run came to."""

    files: int
    """That the daemon found."""
    photos: int
    first: float
    """Seconds until the first comparison was durable."""
    identified: float
    """Seconds until every file's content was known, from the start."""
    second: float
    """Seconds of a comparison in which nothing has changed."""
    peak: int
    """Bytes: the most that the daemon's process held (resident)."""
    answers: tuple[float, ...]
    """Seconds that each `status` took, from the start to the end of the second comparison."""


def make(folder: Path, files: int) -> None:
    """So many files below `folder`, each of other bytes, and none of them young."""
    top, old = os.fsencode(folder), (1_600_000_000, 1_600_000_000)
    large = max(1, files * LARGE // 1_000_000)
    deep = os.path.join(top, b"deep", *[b"d"] * (DEEP - 2))
    here = b""
    for number in range(files):
        flat = number < files // 2
        place = (
            os.path.join(top, b"large%02d" % (number // large)) if flat else deep + b"/%04d" % (number // _IN_A_LEAF)
        )
        if place != here:
            os.makedirs(place, exist_ok=True)
            here = place
        path = place + b"/IMG_%07d.jpg" % number
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(file, b"%d" % number)
        os.close(file)
        os.utime(path, old)


def write_config(folder: Path) -> Path:
    """A library of `folder/photos` beside it; for the next hours its daemon reads no photo."""
    begin = time.strftime("%H:%M", time.localtime(time.time() - 60))
    end = time.strftime("%H:%M", time.localtime(time.time() - 3600))
    path = folder / "config.yaml"
    path.write_text(
        f"photos: [{folder / 'photos'}]\npeople: {folder / 'People'}\nstate: {folder / 'state'}\n"
        f'workers: {{count: 1, quiet_hours: "{begin}-{end}"}}\n'
    )
    return path


class _Asking(threading.Thread):
    """Asks for the status, one time after the other, as somebody does who waits."""

    def __init__(self, ask: Callable[[], Row]) -> None:
        super().__init__(daemon=True)
        self.answers: list[float] = []
        self.last: Row = {}
        self.over = threading.Event()
        self.problem: BaseException | None = None
        self._ask = ask

    def run(self) -> None:
        try:
            while not self.over.wait(0.2):
                began = time.perf_counter()
                self.last = self._ask()
                self.answers.append(time.perf_counter() - began)
        except BaseException as problem:
            self.problem = problem


def measure(folder: Path) -> Figures:
    """Run a daemon on the files in `folder/photos`, with its state beside them."""
    path = write_config(folder)
    (folder / "run").mkdir()
    os.environ["RUNTIME_DIRECTORY"] = str(folder / "run")
    began = time.perf_counter()
    with open(folder / "log", "wb") as log:
        command = [sys.executable, "-m", "guyverd", "--config", str(path), "run"]
        daemon = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        return _measured(daemon, folder, path, began)
    finally:
        if daemon.poll() is None:
            daemon.send_signal(signal.SIGTERM)
        daemon.wait(timeout=60)


def _measured(daemon: subprocess.Popen[bytes], folder: Path, path: Path, began: float) -> Figures:
    from guyverd import config_file
    from guyverd.service.access import open_library

    config = config_file.load(path)
    # Until it has the lock, a command would do the work itself.
    while "Starting on" not in (folder / "log").read_text(errors="replace"):
        _check(daemon, folder)
        time.sleep(0.05)

    def ask() -> Row:
        with open_library(config) as library:
            return library.status()

    asking = _Asking(ask)
    asking.start()

    def until(what: Callable[[Row], bool]) -> float:
        deadline = time.monotonic() + _PATIENCE
        while not (asking.last and what(asking.last)):
            _check(daemon, folder)
            if asking.problem is not None:
                raise asking.problem
            if time.monotonic() > deadline:
                raise TimeoutError(str(asking.last))
            progress(f"{asking.last.get('backlog')} {asking.last.get('counts')}")
            time.sleep(0.05)
        return time.perf_counter() - began

    first = until(lambda row: row["roots"][0]["last_full_scan"] is not None)
    identified = until(lambda row: row["backlog"]["files"] == 0)
    with open_library(config) as library:
        while library.progress()["busy"]:
            time.sleep(0.05)
        again = time.perf_counter()
        library.scan()
        while (now := library.progress())["busy"]:
            time.sleep(0.05)
        second = time.perf_counter() - again
    asking.over.set()
    asking.join()
    counts = asking.last["counts"]
    if now["files_found"] != counts["files"]:
        raise RuntimeError(f"{now['files_found']} files were seen the second time, and {counts} are known")
    peak = peak_of(daemon.pid)
    return Figures(counts["files"], counts["photos"], first, identified, second, peak, tuple(asking.answers))


def _check(daemon: subprocess.Popen[bytes], folder: Path) -> None:
    if daemon.poll() is not None:
        raise RuntimeError(f"the daemon ended:\n{(folder / 'log').read_text(errors='replace')}")


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--files", type=int, default=1_000_000)
    chosen = parser.parse_args()
    files = 2000 if chosen.quick else chosen.files
    begin(f"{files:,} files, each a photo of its own")
    with scratch() as folder:
        progress("making files")
        make(folder / "photos", files)
        found = measure(folder)
        # Told before they are removed: that takes as long as making them.
        progress("")
        _tell(found)


def _tell(found: Figures) -> None:
    table(
        ["what", "measured", "target", ""],
        [
            ["first comparison, s", f"{found.first:.1f}", "", ""],
            ["until all are identified, s", f"{found.identified:.1f}", "", ""],
            ["a comparison of nothing new, s", f"{found.second:.1f}", "", ""],
            ["slowest `status`", *Target(1.0, "s", at_most=True, digits=3).show(max(found.answers))],
            ["median `status`", *Target(1.0, "s", at_most=True, digits=3).show(median(found.answers))],
            ["the daemon's memory, at most", *Target(1000, "MB", at_most=True, digits=0).show(found.peak / 1e6)],
        ],
    )
    print(
        f"{found.files:,} files, {found.photos:,} photos; {len(found.answers):,} times asked for its status.",
        flush=True,
    )


if __name__ == "__main__":
    main()
