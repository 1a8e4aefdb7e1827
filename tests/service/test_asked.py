"""Paths and open files in requests: a daemon opens what is in the library, or handed to it, and nothing else."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from PIL import Image

from guyverd import config_file
from guyverd.config import Config
from guyverd.errors import (
    CannotDecide,
    GuyverError,
    PictureElsewhere,
    PictureError,
    PictureMissing,
    PictureUnreadable,
    Unread,
)
from guyverd.model import PhotoReading
from guyverd.service import handing
from guyverd.service.access import open_library
from guyverd.service.api import METHODS, PICTURED, Library, Row
from guyverd.service.lock import holder
from guyverd.service.pipeline.asked import Asked
from guyverd.service.pipeline.jobs import MOST_BYTES, Read, Wanted
from guyverd.service.pipeline.reading import Reader
from tests.promises import scaled
from tests.service.conftest import ASTRONAUT, Daemon, eventually

pytestmark = pytest.mark.promise("paths")

SECRET = b"what nobody may have read"


# ---- which files, with a reader that only tells what bytes it got ----------------------------------------------------


class Copier:
    """In the place of a `Reader`: what it reads is its answer."""

    def __init__(self) -> None:
        self.read: list[bytes] = []

    def one(self, wanted: Wanted) -> Read:
        (path,) = wanted.paths
        self.read.append(Path(os.fsdecode(path)).read_bytes())
        return Read(PhotoReading(b"", 1, 1, "JPEG", None, ()), "none", 0.0, 0)


@pytest.fixture
def library(tmp_path: Path) -> Config:
    """A photo folder, a people folder with a link, and a secret elsewhere."""
    for name in ("photos/deep", "People/Ada", "state", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "photos" / "deep" / "a.jpg").write_bytes(b"a photo")
    (tmp_path / "elsewhere" / "secret.jpg").write_bytes(SECRET)
    (tmp_path / "People" / "Ada" / "a.jpg").symlink_to("../../photos/deep/a.jpg")
    (tmp_path / "People" / "Ada" / "out.jpg").symlink_to(tmp_path / "elsewhere" / "secret.jpg")
    (tmp_path / "photos" / "out.jpg").symlink_to("../elsewhere/secret.jpg")
    (tmp_path / "photos" / "out").symlink_to("../elsewhere")
    (tmp_path / "photos" / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "photos2").mkdir()
    (tmp_path / "photos2" / "beside.jpg").write_bytes(SECRET)
    return config_file.make([tmp_path / "photos"], tmp_path / "People", tmp_path / "state", tmp_path / "c.yaml")


@pytest.fixture
def copier() -> Copier:
    return Copier()


@pytest.fixture
def asked(library: Config, copier: Copier) -> Asked:
    return Asked(library, cast("Reader", copier), daemon=True)


@pytest.mark.parametrize(
    "path", ["photos/deep/a.jpg", "People/Ada/a.jpg", "photos/../photos/deep/a.jpg", "elsewhere/../photos/deep/a.jpg"]
)
def test_what_lies_in_the_library_is_read_from_a_copy(
    path: str, asked: Asked, copier: Copier, library: Config, tmp_path: Path
) -> None:
    asked.read(f"{tmp_path}/{path}")
    assert copier.read == [b"a photo"]
    assert list((library.state / "asked").iterdir()) == []


@pytest.mark.parametrize(
    "path",
    [
        "elsewhere/secret.jpg",
        "photos/out.jpg",
        "photos/out/secret.jpg",
        "People/Ada/out.jpg",
        "photos/../elsewhere/secret.jpg",
        "photos/deep/../../elsewhere/secret.jpg",
        "photos2/beside.jpg",
    ],
)
def test_what_lies_elsewhere_is_not_opened_by_its_path(path: str, asked: Asked, copier: Copier, tmp_path: Path) -> None:
    with pytest.raises(PictureElsewhere) as caught:
        asked.read(f"{tmp_path}/{path}")
    assert "neither in a photo folder nor in the people folder" in caught.value.message
    assert "hand it over" in caught.value.advice
    assert copier.read == []


def test_nor_by_the_magic_links_of_proc(asked: Asked, copier: Copier, tmp_path: Path) -> None:
    with (
        (tmp_path / "elsewhere" / "secret.jpg").open("rb") as held,
        (tmp_path / "photos/deep/a.jpg").open("rb") as ours,
    ):
        for path in (
            f"/proc/self/fd/{held.fileno()}",
            f"/proc/{os.getpid()}/fd/{held.fileno()}",
            f"/dev/fd/{held.fileno()}",
            f"/proc/self/root{tmp_path}/elsewhere/secret.jpg",
            f"/proc/self/cwd/../../../../../../..{tmp_path}/elsewhere/secret.jpg",
        ):
            with pytest.raises((PictureElsewhere, PictureMissing)):
                asked.read(path)
        assert copier.read == []
        asked.read(f"/proc/self/fd/{ours.fileno()}")
        assert copier.read == [b"a photo"], "it lies in the library, whatever it was called"


def test_a_video_is_not_copied_and_yet_it_is_the_open_file_that_is_read(
    asked: Asked, copier: Copier, library: Config, tmp_path: Path
) -> None:
    asked.read(f"{tmp_path}/photos/deep/a.jpg", at=1.5)
    assert copier.read == [b"a photo"]
    assert not (library.state / "asked").exists()
    secret = tmp_path / "elsewhere" / "secret.jpg"
    with secret.open("rb") as held:
        secret.rename(tmp_path / "elsewhere" / "moved.jpg")
        secret.write_bytes(b"another")
        asked.read(str(secret), held.fileno(), at=1.5)
    assert copier.read[1:] == [SECRET]
    for path in ("elsewhere/secret.jpg", "photos/out.jpg", "photos/out/secret.jpg"):
        with pytest.raises(PictureElsewhere):
            asked.read(f"{tmp_path}/{path}", at=1.5)


def test_what_was_deleted_has_no_place(asked: Asked, copier: Copier, tmp_path: Path) -> None:
    """The kernel shows where it lay, with a word after it, and that is no file of the library."""
    with (tmp_path / "elsewhere" / "secret.jpg").open("rb") as held:
        (tmp_path / "elsewhere" / "secret.jpg").unlink()
        with pytest.raises(PictureElsewhere):
            asked.read(f"/proc/self/fd/{held.fileno()}")
    assert copier.read == []


def test_odd_files_are_refused_at_once(
    asked: Asked, copier: Copier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "photos" / "pipe.jpg")
    listening = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(tmp_path / "photos")  # a socket's path must be short
    listening.bind("socket.jpg")
    for name, error in [
        ("photos/pipe.jpg", PictureUnreadable),
        ("photos/socket.jpg", PictureUnreadable),
        ("photos/loop.jpg", PictureUnreadable),
        ("photos/deep", PictureUnreadable),
        ("photos/none.jpg", PictureMissing),
        ("photos/deep/a.jpg/b.jpg", PictureMissing),
        ("photos/\0.jpg", PictureMissing),
        ("photos/" + 300 * "x", PictureUnreadable),
    ]:
        with pytest.raises(error):
            asked.read(f"{tmp_path}/{name}")
    for device in ("/dev/zero", "/dev/tty", "/dev/stdin", "/dev/null"):
        with pytest.raises(PictureError):
            asked.read(device)
    listening.close()
    assert copier.read == []


def test_a_name_that_leads_to_and_fro_gives_nothing_away(asked: Asked, copier: Copier, tmp_path: Path) -> None:
    """A folder on the way, and the file itself, are exchanged for links to elsewhere while they are asked for."""
    inside, flip, stop = tmp_path / "photos" / "flip", itertools.cycle([0, 1]), threading.Event()
    (tmp_path / "elsewhere" / "a.jpg").write_bytes(SECRET)
    for number, target in enumerate((tmp_path / "photos" / "deep", tmp_path / "elsewhere")):
        (tmp_path / f"way{number}").symlink_to(target)

    def turn() -> None:
        while not stop.is_set():
            aside = tmp_path / "photos" / "aside"
            aside.symlink_to((tmp_path / f"way{next(flip)}").readlink())
            aside.rename(inside)

    turning = threading.Thread(target=turn)
    turning.start()
    read = refused = 0
    try:
        while read + refused < scaled(300, 20_000) or not (read and refused):
            try:
                asked.read(f"{inside}/a.jpg")
                read += 1
            except PictureElsewhere:
                refused += 1
            except PictureMissing:
                pass
    finally:
        stop.set()
        turning.join()
    assert len(copier.read) == read
    assert set(copier.read) == {b"a photo"}


def test_what_is_handed_over_is_read_wherever_it_lies(asked: Asked, copier: Copier, tmp_path: Path) -> None:
    file = handing.opened(f"{tmp_path}/elsewhere/secret.jpg")
    (tmp_path / "elsewhere" / "secret.jpg").unlink()
    os.lseek(file, 5, os.SEEK_SET)  # whoever sent it shares the place at which it is read
    asked.read("/called/whatever.jpg", file)
    os.close(file)
    assert copier.read == [SECRET]


def test_only_a_regular_file_opened_for_reading_may_be_handed_over(
    asked: Asked, copier: Copier, tmp_path: Path
) -> None:
    secret = tmp_path / "elsewhere" / "secret.jpg"
    reading, writing = os.pipe()
    files = [
        os.open(secret, os.O_RDWR),
        os.open(secret, os.O_WRONLY),
        os.open(secret, os.O_PATH),
        os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY),
        os.open("/dev/zero", os.O_RDONLY),
        os.memfd_create("x"),
        reading,
        writing,
    ]
    for file in files:
        with pytest.raises(PictureUnreadable):
            asked.read("/x.jpg", file)
        os.close(file)
    assert copier.read == []
    assert secret.read_bytes() == SECRET


def test_a_copy_is_bounded(asked: Asked, copier: Copier, library: Config, tmp_path: Path) -> None:
    huge = tmp_path / "elsewhere" / "huge.jpg"
    with huge.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    opened = handing.opened(str(huge))
    with pytest.raises(PictureUnreadable, match="at most 2,000 MB are read"):
        asked.read("/x.jpg", opened)
    os.close(opened)
    assert list((library.state / "asked").iterdir()) == []
    assert copier.read == []


def test_a_file_that_grows_while_it_is_copied_comes_to_an_end(
    asked: Asked, copier: Copier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing, real = tmp_path / "elsewhere" / "growing.jpg", os.pread
    growing.write_bytes(b"x" * 1000)

    def pread(file: int, size: int, place: int) -> bytes:
        with growing.open("ab") as more:
            more.write(b"y" * 1000)
        return real(file, min(size, 100), place)

    opened = handing.opened(str(growing))
    monkeypatch.setattr(os, "pread", pread)
    asked.read("/x.jpg", opened)
    os.close(opened)
    assert copier.read == [b"x" * 1000]


def test_a_problem_is_told_of_what_was_asked_about(library: Config, tmp_path: Path) -> None:
    class Fails(Copier):
        def one(self, wanted: Wanted) -> Read:
            problem = PictureUnreadable(path=os.fsdecode(wanted.paths[0]), detail="it is broken")
            return replace(super().one(wanted), found=problem)

    found = Asked(library, cast("Reader", Fails()), daemon=True).read(f"{tmp_path}/photos/deep/a.jpg").found
    assert isinstance(found, PictureUnreadable)
    assert found.message == f"{tmp_path}/photos/deep/a.jpg could not be read as a picture: it is broken."


def test_a_command_of_ones_own_opens_what_it_is_told(library: Config, copier: Copier, tmp_path: Path) -> None:
    asked = Asked(library, cast("Reader", copier), daemon=False)
    asked.read(f"{tmp_path}/elsewhere/secret.jpg")
    assert copier.read == [SECRET]
    assert not (library.state / "asked").exists()
    for name in ("none.jpg", "\0"):
        with pytest.raises(PictureMissing):
            asked.read(f"{tmp_path}/{name}")


def test_what_a_daemon_left_that_was_killed_goes(library: Config, copier: Copier) -> None:
    (library.state / "asked").mkdir()
    (library.state / "asked" / "tmpabc").write_bytes(SECRET)
    Asked(library, cast("Reader", copier), daemon=True)
    assert not (library.state / "asked").exists()


# ---- a real daemon ---------------------------------------------------------------------------------------------------


@pytest.fixture
def daemon(
    photos: Path, write_config: Callable[..., Path], start: Callable[..., Daemon]
) -> Iterator[tuple[Daemon, Config]]:
    """One that has read all photos."""
    path = write_config(photos)
    config = config_file.load(path)
    running = start(path)
    running.told("READY=1")
    with open_library(config) as library:
        eventually(lambda: not library.progress()["busy"] and library.status()["counts"]["people"] == 2, 120)
    yield running, config
    assert running.stop() == 0
    assert "Traceback" not in running.log.read_text()


def ask(config: Config, method: str, picture: int | None = None, **params: object) -> Row:
    """A request as anybody can write it who is let in."""
    found = holder(config.state)
    assert found is not None
    assert found.socket is not None
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(found.socket)
        line = json.dumps({"method": method, "params": params}).encode() + b"\n"
        socket.send_fds(connection, [line], [] if picture is None else [picture])
        with connection.makefile("rb") as stream:
            message = json.loads(stream.readline())
    if "error" in message:
        raise GuyverError.from_wire(message["error"])
    answer: Row = message.get("result") or message
    return answer


def test_any_picture_can_be_asked_about_and_none_is_opened_for_another(
    daemon: tuple[Daemon, Config], photos: Path, tmp_path: Path
) -> None:
    running, config = daemon
    outside = tmp_path / "private" / "portrait.jpg"
    outside.parent.mkdir(mode=0o700)
    shutil.copy(photos / f"{ASTRONAUT}1.jpg", outside)
    (photos / "link.jpg").symlink_to(outside)
    link = next(path for path in config.people.rglob(f"*{ASTRONAUT}1*") if path.is_symlink())

    # By its path: what is in the library, and links in a person's folder.
    inside = ask(config, "who", path=str(photos / f"{ASTRONAUT}1.jpg"))
    assert len(inside["faces"]) == 1
    assert ask(config, "who", path=str(link))["faces"] == inside["faces"]
    box = inside["faces"][0]["box"]
    for path in (str(outside), str(photos / "link.jpg"), f"{photos}/../private/portrait.jpg", "/etc/passwd"):
        for method, more in (
            ("who", {"path": path}),
            ("search", {"query": path}),
            ("follow", {"query": path, "name": "x", "folder": f"{tmp_path}/kid"}),
            ("box", {"path": path, "box": box, "dry": True}),
        ):
            with pytest.raises(PictureElsewhere):
                ask(config, method, **more)
    assert not (tmp_path / "kid").exists()
    for word in ("confirm", "reject", "split"):
        with pytest.raises(Unread):
            ask(config, word, person=str(inside["faces"][0]["person"]["id"]), faces=[f"{outside}#1"])
    with pytest.raises(Unread):
        ask(config, "same", face=f"{outside}#1", other=str(outside))

    for folder in ("/etc", str(photos.parent), f"{photos}/..", str(config.people)):
        with pytest.raises(CannotDecide, match="is no photo folder"):
            ask(config, "accept", folder=folder)

    # As an open file, which is what every command sends.
    with open_library(config) as library:
        assert library.who(str(outside))["faces"] == inside["faces"]
        assert library.who(str(photos / "link.jpg"))["faces"] == inside["faces"]
        assert library.search(str(outside), k=3, face=1)["results"]
        for path, error in (
            ("/dev/zero", PictureUnreadable),
            (str(tmp_path), PictureUnreadable),
            ("/no", PictureMissing),
        ):
            with pytest.raises(error):
                library.who(path)
        with pytest.raises(PictureUnreadable, match=r"config\.yaml could not be read as a picture"):
            library.who(str(tmp_path / "config.yaml"))
        with pytest.raises(GuyverError, match="is there already"):
            library.box(str(outside), box, dry=True)
        with pytest.raises(Unread):
            library.box(str(_elsewhere(tmp_path)), [10, 10, 60, 60], dry=True)

    # Descriptors that are none for reading, and what is left of all this.
    before = len(os.listdir(f"/proc/{running.process.pid}/fd"))
    for flags in (os.O_RDWR, os.O_PATH):
        file = os.open(outside, flags)
        with pytest.raises(PictureUnreadable):
            ask(config, "who", file, path=str(outside))
        os.close(file)
    reading, writing = os.pipe()
    for end in (reading, writing):
        with pytest.raises(PictureUnreadable):
            ask(config, "search", end, query="/x")
        with contextlib.suppress(GuyverError):
            ask(config, "status", end)
        os.close(end)
    assert len(os.listdir(f"/proc/{running.process.pid}/fd")) <= before + 2
    assert list((config.state / "asked").iterdir()) == []
    assert not list(outside.parent.glob("*.*part*"))


def _elsewhere(folder: Path) -> Path:
    path = folder / "private" / "grey.png"
    Image.new("RGB", (100, 100), "grey").save(path)
    return path


def test_no_other_method_takes_the_path_of_a_file_to_open() -> None:
    """Whoever adds one that does says here how it is kept inside: those of faces are only looked up by name."""
    taking = {
        (name, parameter)
        for name in METHODS
        for parameter in inspect.signature(getattr(Library, name)).parameters
        if parameter in ("path", "query", "file", "folder", "target", "source", "directory", "to", "opened")
    }
    # A folder to accept must be one of the photo folders, by name: whatever else is refused and not even looked at.
    # What is followed is put into a folder that must be none with photos and none of guyverd's, by whatever path.
    named = {("accept", "folder"), ("follow", "folder")}
    pictures = {"who": "path", "box": "path", "search": "query", "follow": "query"}
    assert set(pictures) == PICTURED
    assert taking - named == {(name, parameter) for name, path in pictures.items() for parameter in (path, "opened")}
