"""Libraries of real photos: variations of two portraits, a config for each test, and a daemon to talk to."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from guyverd import config_file
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.service.access import open_library
from guyverd.service.api import Row
from tests.catalogue.conftest import ROOT

ASTRONAUT, HOPPER = "astronaut", "hopper"


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(os.fsencode(tmp_path / "catalogue.db")) as opened:
        opened.files.configure([ROOT])
        yield opened


@pytest.fixture
def root(catalogue: Catalogue) -> RootRow:
    return catalogue.files.roots()[0]


def variations(portrait: Path, into: Path, stem: str, count: int = 4) -> None:
    """`count` different photos of one face: other light, size, tilt and cut."""
    into.mkdir(parents=True, exist_ok=True)
    with Image.open(portrait) as opened:
        image = opened.convert("RGB")
    for number in range(count):
        varied = ImageEnhance.Brightness(image).enhance(0.8 + 0.12 * number)
        varied = varied.rotate(3 * number - 4, resample=Image.Resampling.BICUBIC)
        varied = varied.crop((5 * number, 3 * number, varied.width - 7 * number, varied.height - 2 * number))
        varied.resize((varied.width - 11 * number, varied.height - 11 * number)).save(into / f"{stem}{number}.jpg")


@pytest.fixture(scope="session")
def negatives(astronaut: Path, grace_hopper: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photos of each of two people, and one that shows both; to be copied, not used in place."""
    folder = tmp_path_factory.mktemp("negatives")
    variations(astronaut, folder, ASTRONAUT)
    variations(grace_hopper, folder, HOPPER)
    with Image.open(astronaut) as one, Image.open(grace_hopper) as other:
        both = Image.new("RGB", (one.width + other.width, 600))
        both.paste(one, (0, 0))
        both.paste(other, (one.width, 0))
        both.save(folder / "both.jpg")
    # Copies of these are not young: nothing has to wait until they have come to rest.
    for photo in folder.iterdir():
        os.utime(photo, (1_600_000_000, 1_600_000_000))
    return folder


@pytest.fixture
def photos(tmp_path: Path, negatives: Path) -> Path:
    """A photo folder with all of them."""
    return copy(negatives, tmp_path / "photos")


def copy(source: Path, target: Path, pattern: str = "*.jpg") -> Path:
    """Copy photos with their times."""
    target.mkdir(parents=True, exist_ok=True)
    for photo in source.glob(pattern):
        place(photo, target / photo.name)
    return target


def place(photo: Path, target: Path) -> None:
    """Put one photo somewhere, whole from the start."""
    aside = target.parent / f".{target.name}.aside"
    aside.write_bytes(photo.read_bytes())
    os.utime(aside, ns=(photo.stat().st_atime_ns, photo.stat().st_mtime_ns))
    aside.rename(target)


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., Path]:
    """Write a config with quick timers; the sections given replace the defaults."""

    def write(photos: Path, people: Path | None = None, **sections: str) -> Path:
        path = tmp_path / "config.yaml"
        settings = {
            "watch": "{quiet: 300 ms, ceiling: 3 s, poll: 1 s}",
            "workers": "{count: 2, speed: full}",
            **sections,
        }
        lines = [f"photos: [{photos}]", f"people: {people or tmp_path / 'People'}", f"state: {tmp_path / 'state'}"]
        path.write_text("\n".join([*lines, *(f"{name}: {text}" for name, text in settings.items())]))
        return path

    return write


@pytest.fixture
def config(photos: Path, write_config: Callable[..., Path]) -> Config:
    """The config of `photos`."""
    return config_file.load(write_config(photos))


def scan(config: Config) -> Row:
    """One whole pass in this process."""
    with open_library(config) as library:
        library.scan()
        deadline = time.monotonic() + 120
        while (progress := library.progress())["busy"]:
            assert time.monotonic() < deadline, progress
            time.sleep(0.05)
    return progress


def tree(people: Path) -> dict[str, set[str]]:
    """For each person's folder, relative to the people folder, the names of the photos its links lead to.

    A link that leads to no file leads to "nowhere".
    """
    found: dict[str, set[str]] = {}
    for link in people.rglob("*"):
        if link.is_symlink():
            name = link.resolve().name if link.exists() else "nowhere"
            found.setdefault(str(link.parent.relative_to(people)), set()).add(name)
    return found


def groups(people: Path) -> set[frozenset[str]]:
    """The same without the folders' names."""
    return {frozenset(photos) for photos in tree(people).values()}


def eventually(what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


class Daemon:
    """A guyverd of its own process, with a supervisor's socket."""

    def __init__(self, config: Path, folder: Path, *before: str, **environment: str) -> None:
        """`before`: a program with its arguments that becomes the daemon, such as `setpriv`."""
        self.config = config
        address = folder / "notify"
        with contextlib.suppress(FileNotFoundError):
            address.unlink()
        self.supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.supervisor.bind(str(address))
        self.supervisor.settimeout(60)
        self.log = folder / "log"
        runtime = folder / "run"
        runtime.mkdir(exist_ok=True)
        known = {"NOTIFY_SOCKET": str(address), "RUNTIME_DIRECTORY": str(runtime), **environment}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-m", "guyverd", "--config", str(config), "run"],
                env={**os.environ, **known},
                stderr=log,
                stdout=log,
            )

    def told(self, message: str) -> None:
        """Wait until the supervisor is told this."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if message in self.supervisor.recv(4096).decode().splitlines():
                return
        raise AssertionError(f"{message} was not told; the log says:\n{self.log.read_text()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=20)
        finally:
            self.supervisor.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Start daemons; what is left of them at the end is killed."""
    running: list[Daemon] = []

    def started(config: Path, *before: str, **environment: str) -> Daemon:
        running.append(Daemon(config, tmp_path, *before, **environment))
        return running[-1]

    yield started
    for daemon in running:
        if daemon.process.poll() is None:
            daemon.stop(signal.SIGKILL)
        daemon.supervisor.close()
