"""Names of any bytes, loops of links, and what may not be read: from the disk to links, JSON, tables and the log."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.config import Config
from guyverd.service.access import open_library
from tests.service.conftest import ASTRONAUT, Daemon, eventually, place

pytestmark = pytest.mark.promise("names")

BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
NFC, NFD = "café.jpg".encode(), unicodedata.normalize("NFD", "café.jpg").encode()
LONG, WIDE = b"x" * 251 + b".jpg", "é".encode() * 125 + b"a.jpg"
ODD = [
    b"caf\xe9 \xff.jpg",
    b"new\nline\r\t\x1b[31m\x7f.jpg",
    "\u202egpj.exe\u2066\u2028.jpg".encode(),
    NFC,
    NFD,
    LONG,
    WIDE,
    "dir\n\u202e".encode() + b"\xff/" + LONG,
    b"-rf $(x) `y` \"'*?[a].jpg",
]
BROKEN = "bro\nken\u202e".encode() + b"\xff.jpg"


def put(negatives: Path, photos: Path, name: bytes, number: int) -> None:
    """One person's photo under that name, with bytes of its own."""
    target = os.path.join(os.fsencode(photos), name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write((negatives / f"{ASTRONAUT}{number % 4}.jpg").read_bytes() + b"%d" % number)
    os.utime(target, (1_600_000_000, 1_600_000_000))


@pytest.fixture
def photos(tmp_path: Path, negatives: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(ODD):
        put(negatives, folder, name, number)
    (folder / os.fsdecode(BROKEN)).write_bytes(b"no picture")
    os.utime(folder / os.fsdecode(BROKEN), (1, 1))
    # Loops: to itself, to its folder, to the root, and of two folders to each other.
    for link, target in (("self", "self"), ("here", "."), ("a/up", ".."), ("a/b", "../b/a"), ("b/a", "../a/b")):
        (folder / link).parent.mkdir(exist_ok=True)
        (folder / link).symlink_to(target)
    return folder


def said(config_path: Path, *command: str) -> tuple[str, str]:
    """What a command prints, on standard output and as notes; everything must be UTF-8."""
    done = subprocess.run(
        [sys.executable, "-m", "guyverd", "--config", str(config_path), *command],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONUTF8": "1", "RUNTIME_DIRECTORY": str(config_path.parent / "run")},
        timeout=120,
    )
    return done.stdout.decode(), done.stderr.decode()


def harmless(text: str) -> bool:
    """Nothing in it moves the cursor, breaks a line or turns one around."""
    return not BIDI.search(text) and all(char.isprintable() or char == "\n" for char in text)


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def files_with_faces(config_path: Path) -> set[bytes]:
    found = rows(said(config_path, "faces", "--json")[0])
    return {os.fsencode(str(file)) for row in found for file in row["files"]}  # type: ignore[attr-defined]


def linked(config: Config) -> dict[bytes, list[bytes]]:
    """For each photo that a link leads to, the names of these links."""
    found: dict[bytes, list[bytes]] = {}
    for folder, _, names in os.walk(os.fsencode(config.people)):
        for name in names:
            link = os.path.join(folder, name)
            if os.path.islink(link) and os.path.exists(link):
                found.setdefault(os.path.realpath(link), []).append(name)
    return found


def test_names_of_any_kind_go_all_the_way(
    photos: Path, negatives: Path, write_config: Callable[..., Path], start: Callable[..., Daemon]
) -> None:
    path = write_config(photos, log="{level: debug}")
    config = config_file.load(path)
    daemon = start(path)
    daemon.told("READY=1")
    whole = {os.path.join(os.path.realpath(os.fsencode(photos)), name) for name in ODD}

    def settled() -> bool:
        with open_library(config) as library:
            return not library.progress()["busy"]

    eventually(settled, 120)
    assert files_with_faces(path) == whole
    links = linked(config)
    assert links.keys() == whole
    assert all(len(names) == 1 and len(names[0]) <= 255 for names in links.values())
    # Twins that look the same are two photos, and have two links that no file system takes for one.
    names = [names[0].decode() for file, names in links.items() if os.path.basename(file) in (NFC, NFD)]
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names}) == 2
    # A new one, and a rename to another odd name, come by events.
    put(negatives, photos, b"\xfe\n.jpg", 77)
    os.rename(os.path.join(os.fsencode(photos), NFC), os.path.join(os.fsencode(photos), b"\n" * 251 + b".jpg"))
    expected = {
        os.path.join(os.path.realpath(os.fsencode(photos)), name) for name in (b"\xfe\n.jpg", b"\n" * 251 + b".jpg")
    }
    expected |= whole - {os.path.join(os.path.realpath(os.fsencode(photos)), NFC)}
    eventually(lambda: linked(config).keys() == expected, 120)
    # As text and as JSON.
    (failure,) = rows(said(path, "failures", "--json")[0])
    assert os.fsencode(str(failure["file"])) == os.path.join(os.fsencode(photos), BROKEN)
    for command in ("faces", "failures", "people", "status"):
        for text in said(path, command):
            assert harmless(text), command
    assert rows(said(path, "check", "--json")[0])[0]["checks"]
    assert daemon.stop() == 0
    log = daemon.log.read_text(encoding="utf-8")
    assert harmless(log)
    assert "bro\\nken\\u202e" in log
    assert all(re.match(r"(\d\d:\d\d:\d\d|Watching|Ask) ", line) for line in log.splitlines()), "a name begins no line"


@pytest.fixture
def bound() -> Iterator[tuple[str, ...]]:
    """What to put before a program so that it is bound by the rights of files, also where it runs as root."""
    if os.geteuid() != 0:
        yield ()
        return
    if shutil.which("setpriv") is None:
        pytest.skip("root reads everything, and there is no `setpriv` to give that up with")
    caps = "-dac_override,-dac_read_search,-fowner"
    yield "setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}"


def test_what_may_not_be_read_is_not_gone(
    tmp_path: Path,
    negatives: Path,
    write_config: Callable[..., Path],
    start: Callable[..., Daemon],
    bound: tuple[str, ...],
) -> None:
    photos = tmp_path / "photos"
    for number in range(4):
        (photos / "locked").mkdir(parents=True, exist_ok=True)
        place(negatives / f"{ASTRONAUT}{number}.jpg", photos / ("locked" if number < 2 else ".") / f"{number}.jpg")
    path = write_config(photos, watch="{quiet: 200 ms, ceiling: 2 s, poll: 1 s, removal_grace: 1 s}")
    config = config_file.load(path)
    daemon = start(path, *bound)
    daemon.told("READY=1")
    every = {os.fsencode(file) for file in photos.rglob("*.jpg")}

    def scanned() -> None:
        with open_library(config) as library:
            library.scan()
            eventually(lambda: not library.progress()["busy"], 120)

    scanned()
    assert linked(config).keys() == every
    shut, locked = photos / "2.jpg", photos / "locked"
    try:
        # One whose content is known, one that is new, and a folder.
        shut.chmod(0)
        new = photos / "new.jpg"
        place(negatives / "both.jpg", new)
        new.chmod(0)
        locked.chmod(0)
        for _ in range(3):
            scanned()
        with open_library(config) as library:
            status = library.status()
            failed = {row["file"]: row for row in library.failures()}
            assert library.forget()["photos"] == 0
        assert status["counts"]["files"] == 5, "what cannot be read is there"
        assert "denied" in failed[str(new)]["reason"].lower()
        assert failed[str(new)]["state"] == "failed"
        faces = files_with_faces(path)
        assert faces == every, "everybody keeps all photos"
        assert len({os.path.basename(name) for names in _texts(config).values() for name in names}) == 4
        log = daemon.log.read_text()
        assert f"{locked} cannot be read" in log
    finally:
        locked.chmod(0o755)
        shut.chmod(0o644)
        new.chmod(0o644)
    scanned()
    assert linked(config).keys() == every | {os.fsencode(new)}
    with open_library(config) as library:
        assert list(library.failures()) == []
    assert daemon.stop() == 0


def _texts(config: Config) -> dict[str, list[str]]:
    """What the links of each folder say, whether that can be reached or not."""
    found: dict[str, list[str]] = {}
    for folder, _, names in os.walk(config.people):
        found[folder] = [
            os.readlink(os.path.join(folder, name)) for name in names if os.path.islink(os.path.join(folder, name))
        ]
    return found
