"""How long a command takes from nothing: a new process each time, on a library of 100,000 photos.

    python benchmarks/cold.py [--quick]

`guyverd --help` and `guyverd people`, the latter by itself and with a daemon that answers, each into a pipe and on a
terminal, beside a Python that does nothing. The library is made up: files with a few bytes each, faces with random
vectors, and real links for everyone.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Target, arguments, begin, interleaved, median, scratch, table

if TYPE_CHECKING:
    from guyverd.config import Config

_TARGET = Target(0.25, "s", at_most=True, digits=3)
_PATIENCE = 600.0
"""Seconds for the daemon to compare the library with the disk."""


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--repetitions", type=int, default=10)
    chosen = parser.parse_args()
    photos, faces, people = (100, 190, 5) if chosen.quick else (100_000, 190_000, 2_000)
    repetitions = 2 if chosen.quick else chosen.repetitions
    begin("Commands from a cold start, seconds (median; new process each time)")

    from benchmarks.libraries import build

    with scratch() as folder:
        config = build(folder, photos=photos, faces=faces, people=people)
        command = [str(Path(sys.executable).with_name("guyverd")), "--config", str(folder / "config.yaml")]
        alone = _measured(command, repetitions)
        daemon = subprocess.Popen([*command, "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _await_rest(config, daemon)
            served = _measured(command, repetitions)
        finally:
            daemon.terminate()
            daemon.wait()
    rows = [
        ["python -c pass", *_cells(alone["nothing"], None)],
        ["guyverd --help", *_cells(alone["help"], _TARGET)],
        ["guyverd people, no daemon", *_cells(alone["people"], _TARGET)],
        ["guyverd people, no daemon, on a terminal", *_cells(alone["terminal"], _TARGET)],
        ["guyverd people, a daemon answers", *_cells(served["people"], _TARGET)],
        ["guyverd people, a daemon answers, on a terminal", *_cells(served["terminal"], _TARGET)],
    ]
    print(f"{photos:,} photos, {faces:,} faces, {people:,} people")
    table(["command", "median", "fastest", "slowest", "target", ""], rows)


def _measured(command: list[str], repetitions: int) -> dict[str, list[float]]:
    def run(*words: str) -> None:
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)

    contenders = {
        "nothing": lambda: run(sys.executable, "-c", "pass"),
        "help": lambda: run(*command, "--help"),
        "people": lambda: run(*command, "people"),
        "terminal": lambda: _on_a_terminal(*command, "people"),
    }
    interleaved(contenders, 1)  # the files that all of them need come from memory from now on
    return interleaved(contenders, repetitions)


def _on_a_terminal(*words: str) -> None:
    """Run a command on a terminal of 80 columns that shows what comes at once."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, env={**os.environ, "COLUMNS": "80"}) as process:
        os.close(theirs)
        try:
            while os.read(ours, 1 << 16):
                pass
        except OSError:
            pass  # how Linux tells that the other side was closed
        finally:
            os.close(ours)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)


def _await_rest(config: Config, daemon: subprocess.Popen[bytes]) -> None:
    from guyverd.service.control import RemoteLibrary
    from guyverd.service.lock import holder

    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if daemon.poll() is not None:
            raise RuntimeError(f"the daemon ended with exit code {daemon.returncode}")
        found = holder(config.state)
        if found is not None and found.socket is not None and not RemoteLibrary(found).progress()["busy"]:
            return
        time.sleep(0.2)
    raise RuntimeError("the daemon does not come to rest")


def _cells(seconds: list[float], target: Target | None) -> list[str]:
    middle = median(seconds)
    told = (f"{middle:.3f} s", "", "") if target is None else target.show(middle)
    return [told[0], f"{min(seconds):.3f} s", f"{max(seconds):.3f} s", *told[1:]]


if __name__ == "__main__":
    main()
