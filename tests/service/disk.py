"""A real daemon on a real disk: what it knows, as its catalogue has it, beside what is there.

Some faults take a user namespace: there, everybody may mount and set limits. `fenced` runs a function of a test module
in a process in such a namespace, and skips the test where the system has none to give.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guyverd import config_file
from guyverd.media.kinds import is_picture
from guyverd.service.access import open_library
from tests.service.conftest import Daemon

SLEEPY = "{count: 1, quiet_hours: 00:00-23:59}"
"""Workers that read no photo: all that concerns files goes on."""


PROJECT = Path(__file__).parents[2]


class Stage:
    """A folder with a library, and what it needs: a config, daemons, its catalogue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.people = folder / "People"
        self.config = folder / "config.yaml"
        self.database = folder / "state" / "catalogue.db"
        self._daemons: list[Daemon] = []

    def write(self, *roots: Path, watch: str = "{quiet: 300 ms, ceiling: 3 s, poll: 1 s}", **sections: str) -> None:
        """Write the config; it names nothing but these roots and settings."""
        for root in roots:
            root.mkdir(parents=True, exist_ok=True)
        settings = {"watch": watch, "workers": "{count: 2, speed: full}", "log": "{level: debug}", **sections}
        lines = [f"photos: [{', '.join(map(str, roots))}]", f"people: {self.people}", f"state: {self.folder / 'state'}"]
        self.config.write_text("\n".join([*lines, *(f"{name}: {text}" for name, text in settings.items())]))

    def start(self) -> Daemon:
        """A daemon that has compared everything once."""
        daemon = Daemon(self.config, self.folder)
        self.own(daemon)
        daemon.told("READY=1")
        return daemon

    def own(self, daemon: Daemon) -> None:
        """End it with the stage."""
        self._daemons.append(daemon)

    def end(self) -> None:
        """Kill what still runs."""
        for daemon in self._daemons:
            if daemon.process.poll() is None:
                daemon.process.send_signal(signal.SIGCONT)
                daemon.stop(signal.SIGKILL)
            daemon.supervisor.close()

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    # ---- what the daemon knows ---------------------------------------------------------------------------------------

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the catalogue, beside the daemon."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def known(self) -> dict[bytes, tuple[int, int, bytes]]:
        """Size, time and hash of every file that is there and identified, by its absolute path."""
        rows = self.rows(
            "SELECT root_path, files.path, files.size, mtime_ns, hash FROM present_files"
            " JOIN files ON files.id = file_id JOIN photos ON photos.id = files.photo_id"
            " WHERE files.state = 'identified'"
        )
        return {os.path.join(root, path): (size, mtime, hash_) for root, path, size, mtime, hash_ in rows}

    def present(self) -> int:
        """How many files are there, as far as the daemon knows, identified or not."""
        ((count,),) = self.rows("SELECT count(*) FROM present_files")
        return int(count)

    def root(self, path: Path) -> dict[str, Any]:
        """A root, as `status` tells of it."""
        with open_library(config_file.load(self.config)) as library:
            return next(row for row in library.status()["roots"] if row["path"] == str(path))

    def photos(self) -> dict[bytes, tuple[int, str | None]]:
        """Number of every photo, and when it was read, by the hash of its bytes."""
        return {
            hash_: (number, read_at) for hash_, number, read_at in self.rows("SELECT hash, id, read_at FROM photos")
        }

    def remembers(self, before: dict[bytes, tuple[int, str | None]], *roots: Path) -> None:
        """Every photo of `before` that is still in the roots is the one that it was, and was read no second time."""
        there = {hash_ for _, _, hash_ in on_disk(*roots).values()} & before.keys()
        now = self.photos()
        assert there
        assert {hash_: now[hash_] for hash_ in there} == {hash_: before[hash_] for hash_ in there}

    def faces(self) -> list[tuple[int, int, int | None]]:
        """Number, photo and person of every face."""
        return self.rows("SELECT id, photo_id, person_id FROM faces ORDER BY id")

    def links(self) -> dict[str, str]:
        """Every link in the people folder and where it leads."""
        found = [link for link in self.people.rglob("*") if link.is_symlink()]
        return {str(link.relative_to(self.people)): os.readlink(link) for link in found}

    def dangling(self) -> list[str]:
        """Links that lead nowhere."""
        return [link for link in self.links() if not (self.people / link).exists()]

    def settle(self, *roots: Path, seconds: float = 60.0) -> None:
        """Wait until the daemon knows exactly what is in the roots, and nothing else."""
        expected = on_disk(*roots)
        deadline = time.monotonic() + seconds
        while (known := self.known()) != expected or self.present() != len(expected):
            if time.monotonic() > deadline:
                missed = sorted(expected.keys() - known.keys())
                ghosts = sorted(known.keys() - expected.keys())
                other = sorted(path for path in known.keys() & expected.keys() if known[path] != expected[path])
                raise AssertionError(
                    f"{len(missed)} missed {missed[:5]}, {len(ghosts)} ghosts {ghosts[:5]}, {len(other)} of old bytes"
                    f" {other[:5]}, {self.present()} of {len(expected)} present; the log ends:\n{self.log()[-3000:]}"
                )
            time.sleep(0.1)


def on_disk(*roots: Path) -> dict[bytes, tuple[int, int, bytes]]:
    """What is there, in the shape of `Stage.known`."""
    found = {}
    for root in roots:
        for folder, _, names in os.walk(os.fsencode(root)):
            for name in names:
                path = os.path.join(folder, name)
                if is_picture(name) and not name.startswith(b".") and not os.path.islink(path):
                    status = os.stat(path)
                    with open(path, "rb") as file:
                        digest = hashlib.blake2b(file.read(), digest_size=32).digest()
                    found[path] = (status.st_size, status.st_mtime_ns, digest)
    return found


def photo(path: Path, content: str | None = None) -> Path:
    """A file that is called a photo, with bytes of its own, and old enough to be at rest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(path) if content is None else content)
    os.utime(path, (1_600_000_000, 1_600_000_000))
    return path


# ---- namespaces ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A stage; its daemons end with it."""
    stage = Stage(folder)
    try:
        yield stage
    finally:
        stage.end()


def fenced(scene: Callable[..., None], *arguments: Path, probe: str = "true") -> None:
    """Run `scene(stage, …)` in a user namespace of its own; the first argument is the stage's folder.

    Skips where the shell command `probe` fails in such a namespace.
    """
    fence = ["unshare", "-Urm"]
    try:
        able = subprocess.run([*fence, "sh", "-c", probe], capture_output=True, check=False, timeout=60)
    except FileNotFoundError:
        pytest.skip("there is no `unshare` here")
    if able.returncode:
        pytest.skip(f"not to be had in a user namespace here: {able.stderr.decode().strip()}")
    command = [*fence, sys.executable, "-m", __name__, scene.__module__, scene.__name__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, cwd=PROJECT)
    assert done.returncode == 0, done.stderr


def run(*command: object) -> None:
    """Run a command that has to succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)


def _main(module: str, scene: str, folder: str, *others: str) -> None:
    with staged(Path(folder)) as stage:
        getattr(importlib.import_module(module), scene)(stage, *map(Path, others))


if __name__ == "__main__":
    _main(*sys.argv[1:])
