"""The daemon as a process of its own: real events, real signals, real faces."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.config import Config
from guyverd.errors import AlreadyRunning
from guyverd.service.access import open_library
from guyverd.service.lock import Lock, holder
from tests.promises import scaled
from tests.service.conftest import ASTRONAUT, HOPPER, Daemon, copy, eventually, groups, place, scan, tree
from tests.service.test_scan import EVERYBODY

Start = Callable[..., Daemon]
WriteConfig = Callable[..., Path]


def test_a_day_in_its_life(tmp_path: Path, negatives: Path, write_config: WriteConfig, start: Start) -> None:
    photos, people = tmp_path / "photos", tmp_path / "People"
    photos.mkdir()
    path = write_config(photos)
    daemon = start(path)
    daemon.told("READY=1")
    config = config_file.load(path)

    # Photos are dropped in, some of them in folders made at once; one arrives slowly, in pieces.
    copy(negatives, photos, f"{ASTRONAUT}*.jpg")
    deep = photos / "a" / "b" / "c"
    copy(negatives, deep, f"{HOPPER}[0-2].jpg")
    data = (negatives / f"{HOPPER}3.jpg").read_bytes()
    with (deep / f"{HOPPER}3.jpg").open("wb") as slow:
        for start_at in range(0, len(data), len(data) // 6 + 1):
            slow.write(data[start_at : start_at + len(data) // 6 + 1])
            slow.flush()
            time.sleep(0.15)
    place(negatives / "both.jpg", photos / "both.jpg")
    eventually(lambda: groups(people) == EVERYBODY)
    with open_library(config) as library:
        assert list(library.failures()) == [], "a half-written photo was read"
        status = library.status()
        assert status["daemon"]["pid"] == daemon.process.pid
        assert [root["watched"] for root in status["roots"]] == ["events"]
        before = {row["face"]: row["person"] for row in library.faces()}
        astronaut = next(row["person"] for row in library.faces() if ASTRONAUT in row["files"][0])
        library.name(str(astronaut), "Eileen")
    assert f"{ASTRONAUT}0.jpg" in tree(people)["Eileen"]

    # Everything moves one level down.
    down = photos / "2024" / "all"
    down.mkdir(parents=True)
    for entry in list(photos.iterdir()):
        if entry.name != "2024":
            entry.rename(down / entry.name)
    eventually(lambda: _leads_below(people, down) and groups(people) == EVERYBODY)
    with open_library(config) as library:
        assert {row["face"]: row["person"] for row in library.faces()} == before
        assert library.status()["counts"]["files"] == 9

    # One is deleted, one is renamed, one is replaced by another person's photo under its name.
    (down / f"{ASTRONAUT}3.jpg").unlink()
    (down / f"{ASTRONAUT}2.jpg").rename(down / "renamed.jpg")
    place(down / "a" / "b" / "c" / f"{HOPPER}3.jpg", down / f"{ASTRONAUT}1.jpg")
    eventually(lambda: tree(people).get("Eileen") == {"both.jpg", f"{ASTRONAUT}0.jpg", "renamed.jpg"})

    # The config is read again: links become absolute and the unnamed have a folder only from 9 photos on.
    write_config(photos, folders="{links: absolute, min_photos: 9}")
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: set(tree(people)) == {"Eileen"} and _all_absolute(people))
    path.write_text("photos: nonsense: [")
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: "The config was not taken over" in daemon.log.read_text())

    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 10
    assert holder(config.state) is None
    assert "Traceback" not in daemon.log.read_text()


def _leads_below(people: Path, folder: Path) -> bool:
    links = [link for link in people.rglob("*") if link.is_symlink()]
    return bool(links) and all(link.exists() and link.resolve().is_relative_to(folder) for link in links)


def _all_absolute(people: Path) -> bool:
    return all(os.path.isabs(link.readlink()) for link in people.rglob("*") if link.is_symlink())


def test_one_daemon_at_a_time_and_commands_go_through_it(photos: Path, write_config: WriteConfig, start: Start) -> None:
    path = write_config(photos)
    config = config_file.load(path)
    daemon = start(path)
    daemon.told("READY=1")
    second = start(path)
    assert second.process.wait(timeout=20) == AlreadyRunning.exit_code
    assert f"process {daemon.process.pid}" in second.log.read_text()
    with pytest.raises(AlreadyRunning):
        Lock(config.state)
    with open_library(config) as library:
        library.scan()
        eventually(lambda: not library.progress()["busy"])
        assert {row["photos"] for row in library.people()} == {5}
        assert all(row["ok"] for row in library.check()["checks"])


def test_a_daemon_waits_for_a_command_that_works_by_itself(
    photos: Path, write_config: WriteConfig, start: Start
) -> None:
    path = write_config(photos)
    config = config_file.load(path)
    lock = Lock(config.state)
    daemon = start(path)
    eventually(lambda: "Watching" in daemon.log.read_text())
    time.sleep(0.5)
    assert daemon.process.poll() is None
    lock.release()
    daemon.told("READY=1")
    eventually(lambda: groups(config.people) == EVERYBODY)


@pytest.mark.promise("offline")
def test_a_folder_that_goes_away_takes_nobody_with_it(
    tmp_path: Path, photos: Path, write_config: WriteConfig, start: Start
) -> None:
    path = write_config(photos)
    config = config_file.load(path)
    daemon = start(path)
    eventually(lambda: groups(config.people) == EVERYBODY)
    links = sorted(link for link in config.people.rglob("*") if link.is_symlink())
    photos.rename(tmp_path / "unplugged")

    def state() -> str:
        with open_library(config) as library:
            found: str = library.status()["roots"][0]["state"]
            return found

    eventually(lambda: state() == "offline")
    photos.mkdir()  # an empty mount point
    time.sleep(2.5)
    assert state() == "offline"
    assert sorted(link for link in config.people.rglob("*") if link.is_symlink()) == links
    with open_library(config) as library:
        assert {row["photos"] for row in library.people()} == {5}
    photos.rmdir()
    (tmp_path / "unplugged").rename(photos)
    eventually(lambda: state() == "online")
    place(photos / "both.jpg", photos / "again.jpg")
    eventually(lambda: _files(config_file.load(path)) == 10)
    assert groups(config.people) == EVERYBODY
    assert daemon.stop(signal.SIGINT) == 0


def _files(config: Config) -> int:
    with open_library(config) as library:
        found: int = library.status()["counts"]["files"]
        return found


def test_the_supervisor_is_told_that_it_lives(photos: Path, write_config: WriteConfig, start: Start) -> None:
    daemon = start(write_config(photos), WATCHDOG_USEC="3000000")
    daemon.told("READY=1")
    daemon.told("WATCHDOG=1")
    daemon.told("WATCHDOG=1")
    daemon.process.send_signal(signal.SIGTERM)
    daemon.told("STOPPING=1")
    assert daemon.process.wait(timeout=10) == 0


def test_at_rest_it_does_nothing_and_holds_no_workers(tmp_path: Path, write_config: WriteConfig, start: Start) -> None:
    (tmp_path / "photos").mkdir()
    daemon = start(write_config(tmp_path / "photos", watch="{poll: 2 min}"))
    daemon.told("READY=1")
    time.sleep(0.5)

    def ticks() -> int:
        # utime and stime of the process, in clock ticks of 10 ms
        fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(3)
    assert ticks() - before <= 1
    children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text()
    assert children.strip() == ""
    assert "/dlib" not in Path(f"/proc/{daemon.process.pid}/maps").read_text()


@pytest.mark.promise("kill")
@pytest.mark.parametrize("seed", range(scaled(2, 6)))
def test_killed_in_the_middle_it_ends_as_if_it_had_not_been(
    tmp_path: Path, photos: Path, negatives: Path, write_config: WriteConfig, start: Start, seed: int
) -> None:
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    path = write_config(photos)
    config = config_file.load(path)
    moments = random.Random(seed)
    for _ in range(3):
        daemon = start(path)
        time.sleep(moments.uniform(0.6, 3.5))
        daemon.stop(signal.SIGKILL)
    scan(config)
    with open_library(config) as library:
        assert all(row["ok"] for row in library.check()["checks"])
        disturbed = [
            (sorted(os.path.basename(path) for path in row["files"]), row["box"], row["person"])
            for row in library.faces()
        ]
    links = {
        str(link.relative_to(config.people)): link.readlink() for link in config.people.rglob("*") if link.is_symlink()
    }

    shutil.rmtree(config.state)
    shutil.rmtree(config.people)
    scan(config)
    with open_library(config) as library:
        again = [
            (sorted(os.path.basename(path) for path in row["files"]), row["box"], row["person"])
            for row in library.faces()
        ]
    assert disturbed == again
    assert links == _links(config.people)
    assert groups(config.people) == EVERYBODY


def _links(people: Path) -> dict[str, Path]:
    return {str(link.relative_to(people)): link.readlink() for link in people.rglob("*") if link.is_symlink()}
