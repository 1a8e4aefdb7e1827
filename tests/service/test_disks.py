"""Disks that come and go, for real: mounted and unmounted in a user namespace under a daemon at work."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.errors import CannotDecide
from guyverd.service.access import open_library
from tests.promises import scaled
from tests.service.conftest import Daemon, copy, eventually, groups, place
from tests.service.disk import SLEEPY, Stage, fenced, photo, run
from tests.service.test_scan import EVERYBODY

DISK = "mount -t tmpfs none /mnt"


@pytest.mark.promise("offline")
def test_a_disk_within_a_photo_folder_takes_nobody_with_it(tmp_path: Path, negatives: Path) -> None:
    fenced(scene_of_a_disk_within, tmp_path, negatives, probe=DISK)


def scene_of_a_disk_within(stage: Stage, negatives: Path) -> None:
    root, card = stage.folder / "photos", stage.folder / "photos" / "card"
    card.mkdir(parents=True)
    copy(negatives, root, "astronaut*.jpg")

    def insert(pattern: str) -> None:
        run("mount", "-t", "tmpfs", "none", card)
        copy(negatives, card, pattern)

    stage.write(root)
    insert("[!a]*.jpg")
    daemon = stage.start()
    eventually(lambda: groups(stage.people) == EVERYBODY)
    links, faces = stage.links(), stage.faces()

    def kept() -> None:
        for _ in range(scaled(2, 4)):
            _look_again(daemon, stage)
            assert stage.present() == 9
            assert (stage.links(), stage.faces()) == (links, faces)

    def notices() -> str:
        with open_library(config_file.load(stage.config)) as library:
            return " ".join(library.status()["notices"])

    # Taken out; the folder it was mounted on is empty. Then another one is put in, with photos of its own. Then none is
    # there when the daemon starts.
    run("umount", card)
    eventually(lambda: f"{card}: the disk that was there is away" in notices())
    kept()
    insert("astronaut1.jpg")
    kept()
    assert daemon.stop() == 0
    run("umount", card)
    daemon = stage.start()
    kept()
    # It is back, and a photo is deleted on it: that is a word like any other.
    insert("[!a]*.jpg")
    eventually(lambda: "is away" not in notices())
    kept()
    (card / "hopper0.jpg").unlink()
    eventually(lambda: stage.present() == 8)
    # It will not be back, says somebody: so its photos are missing.
    run("umount", card)
    eventually(lambda: "is away" in notices())
    with open_library(config_file.load(stage.config)) as library:
        assert library.accept(str(card))["known"] == 5
    eventually(lambda: stage.present() == 4)
    assert notices() == ""
    assert daemon.stop() == 0


@pytest.mark.promise("offline")
def test_a_disk_that_is_away_or_changed_for_another_takes_nobody_with_it(tmp_path: Path, negatives: Path) -> None:
    fenced(scene_of_disks, tmp_path, negatives, probe=DISK)


def scene_of_disks(stage: Stage, negatives: Path) -> None:
    root = stage.folder / "photos"
    stage.write(root)

    def insert(source: Path | None, pattern: str = "*.jpg") -> None:
        """Mount a disk of its own that holds these photos."""
        run("mount", "-t", "tmpfs", "none", root)
        if source is not None:
            copy(source, root, pattern)

    insert(negatives)
    daemon = stage.start()
    eventually(lambda: groups(stage.people) == EVERYBODY)
    first = os.stat(root)
    links, faces, photos = stage.links(), stage.faces(), stage.photos()
    with open_library(config_file.load(stage.config)) as library:
        library.name(str(next(iter(library.people()))["id"]), "Somebody")
    eventually(lambda: any(link.startswith("Somebody/") for link in stage.links()))
    links = stage.links()

    def kept(state: str, detail: str = "") -> None:
        """Nothing was taken away; the root stands like this."""
        eventually(lambda: stage.root(root)["state"] == state and detail in stage.root(root)["detail"])
        for _ in range(scaled(1, 3)):  # also after all that comes with the next look
            _look_again(daemon, stage)
            assert stage.root(root)["state"] == state, stage.root(root)
            assert stage.present() == 9
            assert stage.links() == links
            assert (stage.faces(), stage.photos()) == (faces, photos)
            with open_library(config_file.load(stage.config)) as library:
                assert {row["photos"] for row in library.people()} == {5}

    # Unmounted; what stands there is an empty folder.
    run("umount", root)
    kept("offline", "is its disk mounted?")
    # Another disk, that is empty; then one with photos of its own, some of them under names that are known. Both have
    # the numbers of device and directory that the first one had.
    insert(None)
    assert (os.stat(root).st_dev, os.stat(root).st_ino) == (first.st_dev, first.st_ino)
    kept("offline", "is its disk mounted?")
    run("umount", root)
    insert(None)
    for name in ("astronaut0.jpg", "hopper1.jpg", "others/1.jpg", "others/2.jpg"):
        photo(root / name)
    kept("offline", "another disk")
    # So it is for a daemon that finds it like that.
    assert daemon.stop() == 0
    daemon = stage.start()
    kept("offline", "another disk")
    # The other disk is looked at, and not taken for granted, until somebody says so; that is not done here.
    with open_library(config_file.load(stage.config)) as library:
        assert library.accept(str(root), dry=True)["known"] == 9
    # The disk is back.
    run("umount", root)
    insert(negatives)
    kept("online")
    eventually(lambda: groups(stage.people) == EVERYBODY and not stage.dangling())
    assert stage.root(root)["watched"] == "events"

    # Another disk on top of it, while the first stays mounted beneath; the daemon was held up and sees it too late.
    daemon.process.send_signal(signal.SIGSTOP)
    place(root / "both.jpg", root / "beneath.jpg")
    (root / "beneath.jpg").unlink()
    insert(None)
    for name in ("astronaut0.jpg", "hopper1.jpg", "new.jpg"):
        photo(root / name)
    daemon.process.send_signal(signal.SIGCONT)
    kept("offline", "another disk")
    run("umount", root)
    kept("online")
    # Cards changed between two looks.
    daemon.process.send_signal(signal.SIGSTOP)
    run("umount", root)
    insert(None)
    photo(root / "astronaut0.jpg")
    daemon.process.send_signal(signal.SIGCONT)
    kept("offline", "another disk")
    # On a third, everything is, in another folder, and one photo more: it is the root, and comes back by itself.
    run("umount", root)
    insert(None)
    copy(negatives, root / "sorted")
    photo(root / "one more.jpg")
    eventually(lambda: stage.root(root)["state"] == "online")
    stage.settle(root)
    eventually(lambda: groups(stage.people) == EVERYBODY and not stage.dangling())
    assert (stage.faces(), {hash_: stage.photos()[hash_] for hash_ in photos}) == (faces, photos)
    # A disk is given up for another: what was on it is gone, what is on the other is there.
    run("umount", root)
    insert(negatives, "both.jpg")
    place(root / "both.jpg", root / "changed.jpg")
    with (root / "changed.jpg").open("ab") as file:
        file.write(b"more")
    os.unlink(root / "both.jpg")
    eventually(lambda: "another disk" in stage.root(root)["detail"])
    with open_library(config_file.load(stage.config)) as library:
        assert library.accept(str(root))["known"] == 10
        with pytest.raises(CannotDecide):
            library.accept(str(stage.folder))
    stage.settle(root)
    eventually(lambda: stage.root(root)["state"] == "online")
    eventually(lambda: not stage.dangling())
    assert {hash_: stage.photos()[hash_] for hash_ in photos} == photos, "what is gone is remembered for a while"
    with open_library(config_file.load(stage.config)) as library, pytest.raises(CannotDecide):
        library.accept(str(root))
    assert daemon.stop() == 0


@pytest.mark.promise("offline")
def test_a_disk_pulled_out_in_the_middle_of_the_first_pass(tmp_path: Path) -> None:
    fenced(scene_of_a_disk_pulled_out, tmp_path, probe=DISK)


def scene_of_a_disk_pulled_out(stage: Stage) -> None:
    root, count = stage.folder / "photos", 1500

    def insert() -> None:
        run("mount", "-t", "tmpfs", "none", root)
        for number in range(count):
            photo(root / f"{number % 40}" / f"{number}.jpg", f"{number} " * 4000)

    stage.write(root, workers=SLEEPY)
    insert()
    daemon = Daemon(stage.config, stage.folder)
    stage.own(daemon)
    eventually(stage.database.exists)
    identified = "SELECT count(*) FROM files WHERE state = 'identified'"
    for step in (1, count // 3):
        while _count(stage, identified) < step:
            time.sleep(0.01)
        daemon.process.send_signal(signal.SIGSTOP)
        known = _count(stage, "SELECT count(*) FROM files")
        run("umount", "--lazy", root)  # whoever reads a file there may go on with it
        daemon.process.send_signal(signal.SIGCONT)
        eventually(lambda: _count(stage, "SELECT count(*) FROM roots WHERE state = 'offline'") == 1)
        assert _count(stage, "SELECT count(*) FROM files") >= known
        assert _count(stage, "SELECT count(*) FROM files WHERE missing_since IS NOT NULL OR state = 'failed'") == 0
        insert()
    stage.settle(root)
    assert daemon.stop() == 0


def _count(stage: Stage, sql: str) -> int:
    try:
        ((count,),) = stage.rows(sql)
    except sqlite3.OperationalError:  # the daemon has only begun to make it
        return 0
    return int(count)


def _look_again(daemon: Daemon, stage: Stage) -> None:
    """Have the daemon compare everything, and wait until it has nothing left to do."""
    assert daemon.process.poll() is None
    with open_library(config_file.load(stage.config)) as library:
        library.scan()
        eventually(lambda: not library.progress()["busy"])
