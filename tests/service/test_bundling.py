"""A report for strangers holds nothing of whose library it is, whatever state that is in."""

from __future__ import annotations

import gzip
import io
import json
import os
import pwd
import signal
import socket
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from guyverd import config_file
from guyverd.errors import ExportError
from guyverd.service import packing, report
from guyverd.service.access import open_library
from guyverd.service.pipeline import bundled, bundling
from guyverd.service.vocabulary import vocabulary
from tests.service.conftest import Daemon, eventually, place
from tests.service.exposition import read

pytestmark = pytest.mark.promise("report")

NAMES = ("Zaphodia Quux", "Ford-Prefectus", "Käthe Übersee", "Slartibartfast", "日本太郎")
"""Of people, an album, folders and files."""
WORDS = (
    "Zaphodia",
    "Quux",
    "Prefectus",
    "Käthe",
    "bersee",
    "Slartibart",
    "日本",
    "Magrathea",
    "Heartofgold",
    "Trillianne",
)


def unpacked(file: Path) -> dict[str, str]:
    with tarfile.open(file) as tar:
        found = {}
        for entry in tar:
            member = tar.extractfile(entry)
            assert member is not None
            found[entry.name.removeprefix("guyverd-bundle/")] = member.read().decode()
        return found


def secrets(folder: Path) -> Iterator[str]:
    """Everything that must not be told."""
    yield from WORDS
    yield str(folder)
    yield folder.name
    words = vocabulary()
    ours = {socket.gethostname(), pwd.getpwuid(os.getuid()).pw_name, os.environ.get("USER", ""), Path.home().name}
    for one in ours:
        # `root` and `localhost` are words like any other.
        if len(one) > 2 and one not in words.words:
            yield one


def nothing_is_told(file: Path, folder: Path) -> dict[str, str]:
    """See that nothing of anybody's is in a report, also not in what holds its files together."""
    raw = gzip.decompress(file.read_bytes())
    parts = unpacked(file)
    plain = "".join(
        json.dumps(json.loads(text), ensure_ascii=False) for name, text in parts.items() if name.endswith("json")
    )
    plain += "".join(json.dumps(json.loads(line), ensure_ascii=False) for line in parts["log.jsonl"].splitlines())
    for secret in secrets(folder):
        for spelt in {secret, secret.casefold(), secret.upper()}:
            escaped = json.dumps(spelt)[1:-1]
            for form in (
                spelt.encode(),
                escaped.encode(),
                spelt.encode("utf-16-le"),
                spelt.encode("latin-1", "replace"),
            ):
                assert form not in raw, (secret, form)
            assert spelt not in plain, secret
    assert b"\xff\xd8\xff" not in raw, "a JPEG"
    return parts


@pytest.fixture
def library(tmp_path: Path, negatives: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library in which everything has a name that is looked for, below a home that has one too."""
    home = tmp_path / "Heartofgold"
    photos = home / "Fotos von Magrathea" / NAMES[2]
    photos.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for number, photo in enumerate(sorted(negatives.iterdir())):
        place(photo, photos / f"{NAMES[number % len(NAMES)]} {number}.jpg")
    with Image.open(sorted(negatives.iterdir())[0]) as image:
        exif = Image.Exif()
        exif[0x010E], exif[0x013B], exif[0x8298] = "Trillianne was here", "Slartibartfast", "Quux & Co"
        ImageOps.mirror(image).save(photos / "Trillianne.jpg", exif=exif)
    (photos / "Slartibartfast broken.jpg").write_bytes(b"Zaphodia Quux is no picture")
    (photos / "Quux.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"Trillianne" * 20)
    (photos / "Trillianne.heic").write_bytes(b"")
    (photos / "Magrathea.nef").write_bytes(b"raw")
    for photo in photos.iterdir():
        os.utime(photo, (1_600_000_000, 1_600_000_000))
    path = home / "Quux.yaml"
    path.write_text(
        f"photos: ['{photos.parent}']\npeople: '{home}/Leute Trillianne'\nstate: '{home}/Zustand Zaphodia'\n"
        "watch: {quiet: 300 ms, ceiling: 3 s, poll: 1 s, ignore: ['Slartibartfast *.tmp']}\n"
        "workers: {count: 2}\nfolders: {unnamed: Quux}\n"
    )
    path.chmod(0o600)
    return path


def test_a_report_holds_nothing_of_anybody(library: Path, start: Callable[..., Daemon], tmp_path: Path) -> None:
    config = config_file.load(library)
    daemon = start(library, HOME=str(library.parent))
    daemon.told("READY=1")

    def everybody() -> list[str]:
        with open_library(config) as asked:
            return [str(row["id"]) for row in asked.people()] if not asked.progress()["busy"] else []

    eventually(lambda: len(everybody()) >= 2, 120)
    first, second = everybody()[:2]
    with open_library(config) as asked:
        asked.name(first, NAMES[0])
        asked.name(second, NAMES[4])
        asked.album([first, second], title=NAMES[3])
    # What is done in the people folder stands in the log, and in questions.
    (config.people / NAMES[0]).rename(config.people / NAMES[1])
    eventually(lambda: f"to {NAMES[1]}" in daemon.log.read_text())
    eventually(lambda: bool(everybody()))

    contents = report.bundle(library, tmp_path / "running.tar.gz")["contents"]
    parts = nothing_is_told(tmp_path / "running.tar.gz", tmp_path)
    assert [row["name"] for row in contents] == list(parts) == list(bundling.ABOUT)
    status = json.loads(parts["status.json"])
    assert status["counts"]["named"] == 2
    assert status["roots"][0]["path"] == "<photo folder 1>"
    assert read(parts["metrics.prom"])["guyverd_faces"].samples
    lines = [json.loads(line) for line in parts["log.jsonl"].splitlines()]
    assert any(line["message"].startswith("People folder: you renamed") for line in lines)
    assert any(line.get("file", "").startswith("<photo folder 1>/<path ") for line in lines)
    failures = json.loads(parts["failures.json"])
    assert sum(row["files"] for row in failures) == 3
    assert {"state": "failed", "reason": "the file is empty", "extension": "heic", "files": 1} in failures
    catalogue = json.loads(parts["catalogue.json"])
    assert catalogue["objects_not_ours"] == 0
    assert catalogue["counts"]["photos"] > 5
    assert json.loads(parts["config.json"])["folders"]["unnamed"] == {"value": "…", "default": False}
    assert {row["name"] for row in json.loads(parts["doctor.json"])} >= {"daemon", "catalogue", "models"}

    # Without a daemon the log is that of the one that ended.
    assert daemon.stop(signal.SIGTERM) == 0
    report.bundle(library, tmp_path / "stopped.tar.gz")
    parts = nothing_is_told(tmp_path / "stopped.tar.gz", tmp_path)
    assert json.loads(parts["status.json"]) is None
    assert any(json.loads(line)["message"] == "Stopped." for line in parts["log.jsonl"].splitlines())

    # Damaged, with what is not ours beside it.
    database = config.state / "catalogue.db"
    data = bytearray(database.read_bytes())
    for page in range(3, len(data) // 4096, 2):
        data[4096 * page : 4096 * page + 100] = b"Zaphodia Quux wrote this. " * 3 + b"x" * 22
    database.write_bytes(data)
    (config.state / "Trillianne.txt").write_text("Quux")
    report.bundle(library, tmp_path / "damaged.tar.gz")
    parts = nothing_is_told(tmp_path / "damaged.tar.gz", tmp_path)
    assert any(row["verdict"] == "fault" for row in json.loads(parts["doctor.json"]))
    assert any(row["name"] == "other" for row in json.loads(parts["state.json"]))

    # A config that cannot be read, and says so in its own words.
    library.write_text(library.read_text() + "Slartibartfast: Zaphodia Quux\n")
    report.bundle(library, tmp_path / "broken.tar.gz")
    parts = nothing_is_told(tmp_path / "broken.tar.gz", tmp_path)
    assert json.loads(parts["doctor.json"])[0]["verdict"] == "fault"
    assert "unknown key" in json.loads(parts["doctor.json"])[0]["detail"]


def test_a_log_that_somebody_wrote_into_tells_nothing_either(library: Path, tmp_path: Path) -> None:
    config = config_file.load(library)
    config.state.mkdir(mode=0o700)
    hostile = {
        "at": "Zaphodia",
        "level": "Quux",
        "from": "Trillianne",
        "message": "Slartibartfast",
        "template": "Magrathea %s %d",
        "arguments": ["Käthe", "Prefectus", {"Quux": 1}],
        "file": "Heartofgold",
        "root": "/Heartofgold/Quux",
        "photo": "Zaphodia",
        "person": 7,
        "exception": {
            "type": "QuuxError",
            "text": "Trillianne",
            "frames": [{"module": "Quux/x.py", "function": "Zaphodia"}, 3],
        },
    }
    (config.state / "last-log.json").write_text(json.dumps([hostile, {}, {"arguments": 3, "exception": 4}]))
    report.bundle(library, tmp_path / "b.tar.gz")
    parts = nothing_is_told(tmp_path / "b.tar.gz", tmp_path)
    assert len(parts["log.jsonl"].splitlines()) == 3
    assert json.loads(parts["log.jsonl"].splitlines()[0])["person"] == 7


def test_a_table_of_somebody_else_is_counted_and_not_named(library: Path, tmp_path: Path) -> None:
    import sqlite3

    config = config_file.load(library)
    with open_library(config) as asked:
        list(asked.people())
    with sqlite3.connect(config.state / "catalogue.db") as db:
        db.execute('CREATE TABLE "Zaphodia" ("Quux" TEXT)')
        db.execute("UPDATE roots SET detail = 'Trillianne'")
    report.bundle(library, tmp_path / "b.tar.gz")
    parts = nothing_is_told(tmp_path / "b.tar.gz", tmp_path)
    assert json.loads(parts["catalogue.json"])["objects_not_ours"] == 1


def test_a_part_that_cannot_be_had_costs_only_itself(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("Zaphodia")

    monkeypatch.setattr(bundled, "environment", broken)
    report.bundle(library, tmp_path / "b.tar.gz")
    parts = nothing_is_told(tmp_path / "b.tar.gz", tmp_path)
    assert json.loads(parts["environment.json"]) == {"problem": "RuntimeError"}
    assert json.loads(parts["config.json"])["people"] == "<people folder>"


# ---- the file --------------------------------------------------------------------------------------------------------


def test_the_file_says_nothing_of_who_made_it_and_is_nobody_elses(tmp_path: Path) -> None:
    target = tmp_path / "Zaphodia.tar.gz"
    packing.write(target, [packing.Part("README.txt", b"x")], [])
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    data = target.read_bytes()
    assert data[3] & 0x08 == 0, "gzip's head has no name"
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        (entry,) = tar
    assert (entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, "", "")


def test_nothing_is_overwritten_and_nothing_put_among_photos(library: Path, tmp_path: Path) -> None:
    config = config_file.load(library)
    there = tmp_path / "there.tar.gz"
    there.write_text("mine")
    link = tmp_path / "link.tar.gz"
    link.symlink_to(tmp_path / "new.tar.gz")
    aside = tmp_path / "aside"
    aside.symlink_to(config.photos[0])
    before = sorted(os.listdir(config.photos[0]))
    for target in (there, link, tmp_path / "nowhere" / "b.tar.gz", config.photos[0] / "b.tar.gz", aside / "b.tar.gz"):
        with pytest.raises(ExportError):
            packing.write(target, [packing.Part("README.txt", b"x")], [*config.photos, config.people])
    assert there.read_text() == "mine"
    assert not (tmp_path / "new.tar.gz").exists()
    assert sorted(os.listdir(config.photos[0])) == before
