"""A photographer's day beside a running daemon, an hour at a time, and what the daemon takes meanwhile.

Faces are those of `cast`; every photo has bytes of its own, so that each is read.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from guyverd.config import Config
from guyverd.errors import GuyverError
from guyverd.service.access import open_library
from tests.service import cast
from tests.service.conftest import Daemon

_VARIANTS = 6
_PIECES = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """What a daemon takes at a moment. Sizes in bytes."""

    hour: int
    memory: int
    """Resident, of the daemon itself."""
    threads: int
    descriptors: int
    watches: int
    """Of inotify."""
    children: int
    """Processes of its own: workers."""
    catalogue: int
    log: int
    """The catalogue's write-ahead log."""
    index: int
    state: int
    """All of the state folder."""
    faces: int

    @staticmethod
    def head() -> str:
        """Of a table."""
        return "hour  RSS MB  threads  fds  watches  children  catalogue kB  WAL kB  index kB  state kB  faces"

    def line(self) -> str:
        """Of the same table."""
        return (
            f"{self.hour:4d}  {self.memory / 1e6:6.1f}  {self.threads:7d}  {self.descriptors:3d}  {self.watches:7d}"
            f"  {self.children:8d}  {self.catalogue / 1e3:12.0f}  {self.log / 1e3:6.0f}  {self.index / 1e3:8.0f}"
            f"  {self.state / 1e3:8.0f}  {self.faces:5d}"
        )


def measured(daemon: Daemon, config: Config, hour: int, faces: int) -> Measured:
    """Look at the daemon's process and at its state folder."""
    process = Path("/proc") / str(daemon.process.pid)
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    sizes = {path.relative_to(config.state): _size(path) for path in config.state.rglob("*")}
    return Measured(
        hour,
        1024 * int(status["VmRSS"].split()[0]),
        int(status["Threads"]),
        len(os.listdir(process / "fd")),
        sum(_read(path).count("inotify wd:") for path in (process / "fdinfo").iterdir()),
        len(children(daemon.process.pid)),
        sizes.get(Path("catalogue.db"), 0),
        sizes.get(Path("catalogue.db-wal"), 0),
        sum(size for path, size in sizes.items() if path.parts[0] == "index"),
        sum(sizes.values()),
        faces,
    )


def children(process: int) -> dict[int, str]:
    """The processes below a process, and the letter of the state of each."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _read(entry / "stat").rpartition(")")[2].split()
            if fields:
                parents[int(entry.name)] = int(fields[1]), fields[0]
    found: dict[int, str] = {}
    waiting = [process]
    while waiting:
        above = waiting.pop()
        for number, (parent, letter) in parents.items():
            if parent == above:
                found[number] = letter
                waiting.append(number)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it ended a moment ago


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


class Photographer:
    """Who has a photo folder, an archive, and a people folder that a daemon keeps."""

    def __init__(self, config: Config, daemon: Daemon, negatives: Path, seed: int) -> None:
        """`negatives` is a folder for photos that are copied and never in the library."""
        self.config = config
        self.daemon = daemon
        self.photos, self.archive = config.photos
        self.people = config.people
        self.asked = 0
        """Questions that were answered."""
        self._chance = random.Random(seed)
        self._made = 0
        self._negatives: dict[str, list[bytes]] = {}
        for who in cast.EVERYBODY:
            cast.photographed(negatives, who, _VARIANTS)
            self._negatives[who] = [(negatives / f"{who}{at}.jpg").read_bytes() for at in range(_VARIANTS)]
        self._asking = threading.Event()
        self._stopped = threading.Event()
        self._trouble: list[BaseException] = []
        self._asker = threading.Thread(target=self._ask, name="asker", daemon=True)

    # ---- photos ------------------------------------------------------------------------------------------------------

    def imports(self, day: str, count: int) -> None:
        """A card is read in: photos come slowly, a piece at a time, many with a raw picture and a sidecar."""
        for _ in range(count):
            who = self._chance.choice(cast.EVERYBODY)
            self._made += 1
            path = self.photos / day / f"{who}_{self._made:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            data = self._bytes(who)
            with path.open("wb") as file:
                for piece in range(_PIECES):
                    file.write(data[piece * len(data) // _PIECES : (piece + 1) * len(data) // _PIECES])
                    file.flush()
                    time.sleep(0.01)
            if self._made % 2:
                path.with_suffix(".cr2").write_bytes(b"raw" * 1000)
            if self._made % 3 == 0:
                path.with_suffix(".jpg.xmp").write_text("<x/>")

    def culls(self, count: int) -> None:
        """Some are not worth it; what belongs to them goes along."""
        for path in self._some(count):
            for beside in path.parent.glob(f"{path.stem}.*"):
                beside.unlink()

    def edits(self, count: int) -> None:
        """An editor writes beside and renames over."""
        for path in self._some(count):
            aside = path.with_name(f".{path.name}.part")
            aside.write_bytes(self._bytes(path.name.partition("_")[0]))
            aside.rename(path)

    def renames_a_folder(self) -> None:
        """A day gets a better name."""
        days = sorted(path for path in self.photos.iterdir() if path.is_dir())
        day = self._chance.choice(days)
        self._made += 1
        day.rename(day.with_name(f"{day.name.partition(' ')[0]} {self._made}"))

    def archives(self) -> None:
        """A day moves to the archive."""
        days = sorted(path for path in self.photos.iterdir() if path.is_dir())
        if len(days) > 1:
            shutil.move(days[0], self.archive / days[0].name)

    def fetches_back(self) -> None:
        """And back."""
        for day in sorted(self.archive.iterdir())[:1]:
            shutil.move(day, self.photos / day.name)

    def _bytes(self, who: str) -> bytes:
        # What follows a JPEG's end is no part of the picture.
        return self._chance.choice(self._negatives[who]) + b"%016x" % self._chance.getrandbits(64)

    def _some(self, count: int) -> list[Path]:
        photos = self.there()
        return self._chance.sample(photos, min(count, len(photos)))

    def there(self) -> list[Path]:
        """All photos of the library."""
        return sorted(path for root in (self.photos, self.archive) for path in root.rglob("*.jpg"))

    # ---- people ------------------------------------------------------------------------------------------------------

    def names(self) -> None:
        """Everybody with a folder and without a name gets one."""
        with open_library(self.config) as library:
            for row in list(library.people()):
                if row["name"] is None and row["photos"] > 1:
                    self._made += 1
                    library.name(str(row["id"]), f"Somebody {self._made}")

    def sorts_by_hand(self) -> None:
        """Links are moved and deleted, and a person's folder is renamed."""
        folders = [path for path in sorted(self.people.iterdir()) if path.name.startswith("Somebody")]
        if len(folders) > 1:
            self._made += 1
            folders[0].rename(self.people / f"Somebody {self._made}")
            links = [path for path in sorted(folders[1].iterdir()) if path.suffix == ".jpg" and path.is_symlink()]
            for link in links[:1]:
                link.unlink()
            for link in links[1:2]:
                with contextlib.suppress(FileNotFoundError):
                    link.rename(self.people / f"Somebody {self._made}" / link.name)

    def takes_it_back(self) -> None:
        """The last word was wrong."""
        with open_library(self.config) as library, contextlib.suppress(GuyverError):
            library.undo()

    # ---- questions all along -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Somebody looks at this and that all the time. What goes wrong with it is raised at the end."""
        self._asking.set()
        self._asker.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._asking.set()
            self._asker.join(timeout=60)
        if self._trouble:
            raise self._trouble[0]

    def _ask(self) -> None:
        turns: list[Callable[[], object]] = [self._status, self._people, self._failures, self._who]
        while not self._stopped.is_set():
            self._asking.wait()
            for turn in turns:
                if self._stopped.wait(0.2) or not self._asking.is_set():
                    break
                try:
                    turn()
                    self.asked += 1
                except Exception as problem:
                    # While it rereads its config nobody answers.
                    if self._asking.is_set():
                        self._trouble.append(problem)
                        return

    def _status(self) -> object:
        with open_library(self.config) as library:
            return library.status(), library.progress()

    def _people(self) -> object:
        with open_library(self.config) as library:
            return list(library.people()), list(library.log())

    def _failures(self) -> object:
        with open_library(self.config) as library:
            return list(library.failures()), library.folders()

    def _who(self) -> object:
        with open_library(self.config) as library, contextlib.suppress(GuyverError):
            return library.who(str(self._chance.choice(self.there())))
        return None

    # ---- the daemon --------------------------------------------------------------------------------------------------

    def has_it_read_its_config(self) -> None:
        """SIGHUP: it begins again in the same process."""
        self._asking.clear()
        time.sleep(1.0)
        self.daemon.process.send_signal(signal.SIGHUP)
        self.daemon.told("READY=1")
        self._asking.set()

    def rests(self, seconds: float = 120.0) -> None:
        """Wait until everything that was done is taken up."""
        deadline = time.monotonic() + seconds
        calm = 0
        while calm < 4:
            with open_library(self.config) as library:
                calm = 0 if library.progress()["busy"] else calm + 1
            assert time.monotonic() < deadline, "it does not come to rest"
            time.sleep(0.5)

    def faces(self) -> int:
        """How many are known."""
        with open_library(self.config) as library:
            found: int = library.status()["counts"]["faces"]
        return found

    def hours(self) -> list[list[Callable[[], object]]]:
        """What is done in each hour of the day."""

        night: list[Callable[[], object]] = [lambda: None]
        morning: list[list[Callable[[], object]]] = [night] * 6 + [[lambda: self.imports("2024-06-01", 16)]]
        work: list[list[Callable[[], object]]] = [
            [self.names],
            [lambda: self.culls(3), lambda: self.edits(3)],
            [lambda: self.imports("2024-06-02", 12), self.sorts_by_hand],
            [self.renames_a_folder, lambda: self.edits(4)],
            [self.has_it_read_its_config, self.names],
            [self.archives, lambda: self.culls(3)],
            [lambda: self.imports("2024-06-03", 12)],
            [self.sorts_by_hand, lambda: self.edits(4)],
            [self.fetches_back, self.renames_a_folder],
            [self.takes_it_back, lambda: self.imports("2024-06-04", 10)],
            [self.archives, self.names, lambda: self.culls(6)],
            [self.has_it_read_its_config, self.sorts_by_hand],
            [lambda: self.imports("2024-06-05", 8), self.renames_a_folder],
            [self.fetches_back, lambda: self.edits(6), lambda: self.culls(6)],
        ]
        return [*morning, *work, *[night] * (24 - len(morning) - len(work))]
