"""Files that are being written, replaced and brought back: in the end one result, of the final bytes.

The races are made by hand: a test decides what happens between two moments of the program. A writer in a process of
its own then does the same to a daemon.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.media.content import hash_bytes, hash_file, settling_time
from guyverd.model import FileId, Stamp
from guyverd.service.access import open_library
from guyverd.service.pipeline import identifying
from guyverd.service.pipeline.coordinator import Coordinator
from guyverd.service.pipeline.identifying import Identifying
from guyverd.watch.debounce import Settled
from tests.promises import scaled
from tests.service.conftest import ASTRONAUT, HOPPER, Daemon, eventually, place

pytestmark = pytest.mark.promise("half-written")


# ---- races made by hand ----------------------------------------------------------------------------------------------


class Bench:
    """A library of one file that is hashed when the test says so."""

    def __init__(self, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = config.photos[0] / "a.jpg"
        config.state.mkdir(mode=0o700)
        self.work = Coordinator(config)
        self.catalogue = self.work.catalogue
        self.unsettled: list[bytes] = []
        self.hashing = Identifying(self.catalogue, lambda: None, lambda file: self.unsettled.append(file.relative))
        self.between: Callable[[], object] = lambda: None
        """Done after a file was read, and before that is recorded."""
        self._read = threading.Event()

        def hash_and_wait(path: bytes, *_: object) -> tuple[bytes, Stamp]:
            try:
                return hash_file(path)
            finally:
                self._read.set()

        monkeypatch.setattr(identifying, "hash_file", hash_and_wait)
        self.work.observing.inspect_roots()
        self.survey()

    def survey(self) -> None:
        self.work.observing.survey_all()
        while self.work.observing.surveying:
            self.work.observing.advance()

    def settle(self) -> None:
        """The event of a change has come to rest."""
        self.work.observing.settled([Settled(os.fsencode(self.file.parent), b"a.jpg", False)])

    def identify(self) -> None:
        """Hash what is pending, with what happens in between, once."""
        self._read.clear()
        self.hashing.advance()
        assert self._read.wait(10)
        self.between()
        self.between = lambda: None
        eventually(lambda: (self.hashing.advance() or True) and not self.hashing.busy)

    def state(self) -> tuple[str, bytes | None, str | None]:
        """How the file stands: its state, the hash of what it holds as far as that is known, since when it is gone."""
        row = self.catalogue._db.row(
            "SELECT files.state, hash, missing_since FROM files LEFT JOIN photos ON photos.id = photo_id"
        )
        assert row is not None
        return row[0], row[1], row[2]

    def holds(self, data: bytes) -> bool:
        return self.state() == ("identified", hash_bytes(data), None)

    def replace(self, data: bytes) -> None:
        """As editors do."""
        aside = self.file.with_name(".aside")
        aside.write_bytes(data)
        os.utime(aside, ns=(1, 2 + len(data)))
        aside.rename(self.file)


@pytest.fixture
def bench(tmp_path: Path, write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"old")
    os.utime(tmp_path / "photos" / "a.jpg", (1, 1))
    made = Bench(config_file.load(write_config(tmp_path / "photos")), monkeypatch)
    yield made
    made.hashing.stop()
    made.work.stop()


def test_a_file_replaced_after_it_was_read_and_noticed_before_that_is_recorded(bench: Bench) -> None:
    """What was read is of bytes that are gone: it must not stand for the new ones, whose event is over."""

    def replaced() -> None:
        bench.replace(b"new!")
        bench.settle()

    bench.between = replaced
    bench.identify()
    assert bench.holds(b"new!")
    assert bench.catalogue.counts().photos == 1


def test_a_file_replaced_while_it_was_read_and_noticed_after_that_is_recorded(bench: Bench) -> None:
    bench.between = lambda: bench.replace(b"new!")
    bench.identify()
    assert bench.holds(b"old")
    bench.settle()
    bench.identify()
    assert bench.holds(b"new!")


def test_a_file_that_was_away_when_it_was_to_be_read_and_is_back(bench: Bench) -> None:
    aside = bench.file.with_name("aside.txt")
    bench.file.rename(aside)
    bench.between = lambda: aside.rename(bench.file)
    bench.identify()
    assert bench.holds(b"old")


def test_a_file_that_was_away_and_was_replaced_and_noticed_meanwhile(bench: Bench) -> None:
    """And which went again: that is noticed by its own event, not taken from the first look."""
    bench.file.unlink()

    def replaced() -> None:
        bench.replace(b"new!")
        bench.settle()
        bench.file.rename(bench.file.with_name("aside.txt"))

    bench.between = replaced
    bench.hashing.advance()
    assert bench._read.wait(10)
    replaced()
    bench.between = lambda: None
    bench.hashing.advance()
    assert bench.state()[2] is None, "the first look was at another file"
    bench.settle()
    assert bench.state()[2] is not None


def test_a_file_that_changed_while_it_was_read_fails_only_until_it_rests(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it ends as it was: with the size and the time it had."""
    real = os.read

    def disturbed(file: int, size: int) -> bytes:
        os.utime(bench.file, ns=(1, 77))
        return real(file, size)

    monkeypatch.setattr(os, "read", disturbed)
    bench.identify()
    assert bench.state()[0] == "failed"
    assert bench.unsettled == [b"a.jpg"]
    monkeypatch.setattr(os, "read", real)
    os.utime(bench.file, (1, 1))
    bench.settle()
    assert bench.state()[0] == "pending"
    bench.identify()
    assert bench.holds(b"old")
    assert list(bench.catalogue.photos.failures()) == []


def test_an_unreadable_file_that_was_replaced_meanwhile_is_no_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(file: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", broken)

    def replaced() -> None:
        monkeypatch.undo()
        bench.replace(b"new!")
        bench.settle()

    bench.between = replaced
    bench.identify()
    assert bench.holds(b"new!")


def test_the_files_of_a_photo_that_was_not_found_are_looked_at_first(bench: Bench) -> None:
    """A photo was to be read and its file was away; by now another has been put there and noticed."""
    bench.identify()
    photo = bench.catalogue.photos.pending(1)[0]
    bench.replace(b"new!")
    bench.settle()
    bench.catalogue.files.gone(photo.id, bench.catalogue.now())
    assert bench.state()[2] is None
    bench.identify()
    assert bench.holds(b"new!")


def test_what_a_file_was_for_a_while_is_forgotten_unasked(bench: Bench) -> None:
    """However often it rested half-written: nobody misses contents without a face that no path holds any more."""
    for number in range(30):
        bench.replace(b"half" * number)
        bench.settle()
        bench.identify()
    assert bench.catalogue.files.overdue("9999") == (29, 30)
    assert bench.work.forgetting.settle()
    assert bench.work.forgetting.notice() is None
    assert bench.catalogue.files.overdue("9999") == (0, 1)
    assert bench.holds(b"half" * 29)


def test_reading_begins_when_the_next_change_would_show(tmp_path: Path) -> None:
    tick, second = 20_000_000, 1_000_000_000
    assert settling_time(5 * second + 1, 5 * second + 1) == pytest.approx(0.02)
    assert settling_time(5 * second + 1, 5 * second + 1 + tick) == 0
    assert settling_time(5 * second, 6 * second) == pytest.approx(1.0), "whole seconds: FAT, which counts by two"
    assert settling_time(5 * second, 7 * second) == 0
    assert settling_time(9 * second, 5 * second) == 0, "a time yet to come tells nothing"
    file = tmp_path / "a.jpg"
    for number in range(scaled(20, 500)):
        # Two contents of one size within one tick of the kernel: the stamp alone may not tell them apart.
        file.write_bytes(b"%04d" % number)
        hash_, stamp = hash_file(os.fsencode(file))
        assert hash_ == hash_bytes(b"%04d" % number)
        file.write_bytes(b"next")
        status = file.stat()
        assert (status.st_size, status.st_mtime_ns, status.st_ino) != (stamp.size, stamp.mtime_ns, stamp.inode)


# ---- a daemon and a writer -------------------------------------------------------------------------------------------

WRITER = textwrap.dedent(
    """
    import os, sys, time
    source, target, pieces, pause, how = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
    data = open(source, "rb").read()
    step = -(-len(data) // pieces)
    if how == "rename":
        name = os.path.join(os.path.dirname(target), "part-" + os.path.basename(target))
        file = open(name, "wb", buffering=0)
    else:
        file = open(target, "r+b" if how == "over" else "wb", buffering=0)
    for at in range(0, len(data), step):
        file.write(data[at : at + step])
        if how == "reopen":
            file.close()
            file = open(target, "ab", buffering=0)
        time.sleep(pause)
    file.truncate(len(data)) if how == "over" else None
    file.close()
    if how == "rename":
        os.rename(name, target)
    """
)


def write(source: Path, target: Path, how: str, *, pieces: int, pause: float) -> subprocess.Popen[bytes]:
    """A writer of its own process."""
    return subprocess.Popen([sys.executable, "-c", WRITER, source, target, str(pieces), str(pause), how])


def test_whatever_writers_do_the_final_bytes_are_what_remains(
    tmp_path: Path, negatives: Path, write_config: Callable[..., Path], start: Callable[..., Daemon]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    place(negatives / f"{HOPPER}0.jpg", photos / "over.jpg")
    place(negatives / f"{HOPPER}1.jpg", photos / "swapped.jpg")
    path = write_config(photos)
    config = config_file.load(path)
    daemon = start(path)
    daemon.told("READY=1")
    rounds = scaled(1, 4)
    for number in range(rounds):
        # The pauses are longer than what guyverd takes for rest (0.3 s), and the whole than its ceiling (3 s).
        writers = [
            write(negatives / f"{ASTRONAUT}0.jpg", photos / f"slow{number}.jpg", "once", pieces=8, pause=0.5),
            write(negatives / f"{ASTRONAUT}1.jpg", photos / f"reopened{number}.jpg", "reopen", pieces=5, pause=0.7),
            write(negatives / f"{ASTRONAUT}2.jpg", photos / f"renamed{number}.jpg", "rename", pieces=3, pause=0.5),
            write(negatives / f"{ASTRONAUT}{3 - number % 2}.jpg", photos / "over.jpg", "over", pieces=6, pause=0.45),
            write(negatives / f"{ASTRONAUT}3.jpg", photos / f"quick{number}.jpg", "once", pieces=200, pause=0.01),
        ]
        while any(writer.poll() is None for writer in writers):
            # A file replaced again and again, also while it is hashed and embedded.
            for name in (f"{HOPPER}2.jpg", "both.jpg", f"{HOPPER}3.jpg"):
                place(negatives / name, photos / "swapped.jpg")
                os.utime(photos / "swapped.jpg")
        assert [writer.returncode for writer in writers] == [0] * len(writers)
    with open_library(config) as library:
        eventually(lambda: not library.progress()["busy"], 120)
        library.scan()
        eventually(lambda: not library.progress()["busy"], 120)
        assert list(library.failures()) == []
        faces: dict[str, int] = {}
        for row in library.faces():
            for file in row["files"]:
                faces[file] = faces.get(file, 0) + 1
        status = library.status()
    assert daemon.stop() == 0
    files = sorted(photos.glob("*.jpg"))
    assert len(files) == 2 + 4 * rounds, "of what was renamed nothing is left"
    assert faces == {str(file): 1 for file in files}, "a face each, and none of bytes that are gone"
    assert status["counts"]["files"] == len(files)
    assert not [text for text in status["notices"] if "forget" in text]
    with Catalogue(os.fsencode(config.state / "catalogue.db")) as catalogue:
        rows = catalogue._db.rows("SELECT path, hash FROM files JOIN photos ON photos.id = photo_id ORDER BY path")
        assert {os.fsdecode(row[0]): row[1] for row in rows} == {
            file.name: hash_bytes(file.read_bytes()) for file in files
        }
        states = catalogue._db.rows("SELECT DISTINCT state FROM photos")
        assert [row[0] for row in states] == ["done"], "nothing is left of what they were meanwhile"
        assert catalogue.files.known_of([FileId(one) for one in range(1, 100)]) == [
            known
            for root in catalogue.files.roots()
            for known in sorted(catalogue.files.known(root.id), key=lambda k: k.id)
        ]
