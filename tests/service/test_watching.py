"""Nothing on disk is missed: the queue overflows, watches run out, trees come and go, file systems are silent."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises import scaled
from tests.service.conftest import copy, eventually, groups
from tests.service.disk import SLEEPY, Stage, fenced, on_disk, photo, run, staged
from tests.service.test_scan import EVERYBODY


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path) as made:
        yield made


# ---- the queue of events ---------------------------------------------------------------------------------------------


@pytest.mark.promise("overflow")
def test_events_that_overflowed_are_made_up_for_in_the_root_concerned_alone(stage: Stage) -> None:
    with open("/proc/sys/fs/inotify/max_queued_events") as file:
        most = int(file.read())
    if most > 100_000:
        pytest.skip(f"a queue of {most} events takes too long to fill")
    root, other = stage.folder / "photos", stage.folder / "other"
    stage.write(root, other, watch="{quiet: 300 ms, ceiling: 3 s, poll: 10 min, rescan: 10 min}", workers=SLEEPY)
    for number in range(30):
        photo(root / "old" / f"{number}.jpg")
        photo(root / "leaving" / f"{number}.jpg")
        photo(other / f"{number}.jpg")
    daemon = stage.start()
    stage.settle(root, other)
    before = stage.photos()
    scans = dict(stage.rows("SELECT path, scanned_at FROM roots"))
    time.sleep(1.1)  # the catalogue notes times in seconds

    daemon.process.send_signal(signal.SIGSTOP)
    # More events than the queue holds, none of them like the one before.
    for number in range(most // 2 + 100):
        path = os.fsencode(root / "old" / f"{number}.passing")
        os.mknod(path)
        os.unlink(path)
    # None of all this is told of.
    for number in range(scaled(300, 20_000)):
        photo(root / "new" / f"{number % 100}" / f"{number}.jpg")
    for number in range(10):
        (root / "old" / f"{number}.jpg").unlink()
        (root / "old" / f"{number + 10}.jpg").rename(root / "old" / f"renamed{number}.jpg")
    photo(root / "old" / "25.jpg", "other bytes")
    (root / "new" / "deep").mkdir()
    (root / "leaving").rename(root / "new" / "deep" / "er")
    (root / "new" / "unseen").mkdir()
    daemon.process.send_signal(signal.SIGCONT)
    stage.settle(root, other, seconds=240)

    assert "overflowed" in stage.log()
    now = dict(stage.rows("SELECT path, scanned_at FROM roots"))
    assert now[os.fsencode(root)] > scans[os.fsencode(root)]
    assert now[os.fsencode(other)] == scans[os.fsencode(other)], "the other root was compared as well"
    stage.remembers(before, root, other)
    # Folders that were made meanwhile are followed, and those that moved are followed where they are.
    photo(root / "new" / "unseen" / "late.jpg")
    photo(root / "new" / "deep" / "er" / "late.jpg")
    stage.settle(root, other)


# ---- the limit of watches --------------------------------------------------------------------------------------------


@pytest.mark.promise("watch-limit")
def test_more_folders_than_watches(tmp_path: Path) -> None:
    fenced(scene_of_few_watches, tmp_path, probe="echo 50 > /proc/sys/user/max_inotify_watches")


def scene_of_few_watches(stage: Stage) -> None:
    def limit(watches: int) -> None:
        Path("/proc/sys/user/max_inotify_watches").write_text(str(watches))

    root, other = stage.folder / "photos", stage.folder / "other"
    folders = [root / f"y{number // 12:02}" / f"m{number % 12:02}" for number in range(120)]
    for folder in folders:
        photo(folder / "a.jpg")
        photo(folder / "b.jpg")
    stage.write(root, other, watch="{quiet: 300 ms, ceiling: 3 s, poll: 1 s, rescan: 10 min}", workers=SLEEPY)
    limit(50)
    daemon = stage.start()
    stage.settle(root, other)
    # Each look takes what it can get, and gives back what is for others.
    figures = (44, 130 + 1 - 44)
    eventually(lambda: (stage.root(root)["folders_watched"], stage.root(root)["folders_polled"]) == figures)
    told = stage.root(root)
    assert told["watched"] == "partly"
    assert "`sudo sysctl fs.inotify.max_user_watches=" in told["detail"]
    assert "`sudo sysctl fs.inotify.max_user_watches=" in stage.log()
    assert "Folders watched: " in stage.log()
    eventually(lambda: "Folders watched: 44;" in stage.log())
    assert stage.root(other)["watched"] == "events", "its own watch is taken from what is left to others"
    before = stage.photos()

    # In every folder, watched or not, something comes, changes, moves and goes; some folders do, too.
    for number, folder in enumerate(folders):
        photo(folder / "new.jpg")
        photo(folder / "a.jpg", f"changed {number}")
        (folder / "b.jpg").rename(folders[(number + 60) % 120] / f"from {number}.jpg")
    stage.settle(root, other)
    for number in range(0, 120, 10):
        shutil.rmtree(folders[number])
        folders[number + 1].rename(other / f"moved{number}")
        folders[number + 2].rename(folders[number + 3] / "inner")
        photo(folders[number + 4] / "made" / "at" / "once" / "x.jpg")
    stage.settle(root, other)
    # The same folders once more: what was free was taken by others, and all is still heard of.
    for folder in sorted({Path(os.fsdecode(path)).parent for path in on_disk(root, other)}):
        photo(folder / "last.jpg")
    stage.settle(root, other)
    stage.remembers(before, root, other)
    scans = stage.rows("SELECT scanned_at FROM roots WHERE path = ?", os.fsencode(root))

    limit(10_000)
    eventually(lambda: stage.root(root)["watched"] == "events")
    assert stage.root(root)["detail"] == ""
    assert "all of it is followed by events again" in stage.log()
    photo(folders[-1] / "by event.jpg")
    stage.settle(root, other)
    assert stage.rows("SELECT scanned_at FROM roots WHERE path = ?", os.fsencode(root)) == scans, (
        "the whole root was compared, where its unwatched folders are enough"
    )
    assert daemon.stop() == 0


# ---- trees -----------------------------------------------------------------------------------------------------------


@pytest.mark.promise("trees")
def test_trees_that_are_made_moved_and_renamed_are_read_once(stage: Stage, negatives: Path) -> None:
    one, two, outside = stage.folder / "one", stage.folder / "two", stage.folder / "outside"
    stage.write(one, two)
    copy(negatives, outside / "a" / "b" / "c", "*[02468].jpg")
    copy(negatives, outside / "a" / "d", "*[13579].jpg")
    copy(negatives, outside / "a" / "d", "both.jpg")
    daemon = stage.start()

    def rest() -> None:
        stage.settle(one, two)
        eventually(lambda: groups(stage.people) == EVERYBODY and not stage.dangling())

    # A deep tree copied in at once, its folders and files made as fast as can be.
    run("cp", "-r", "--preserve=timestamps", outside / "a", one / "a")
    rest()
    photos, faces = stage.photos(), stage.faces()
    assert len(photos) == 9

    def unmoved() -> None:
        assert stage.photos() == photos, "a photo was read twice"
        assert stage.faces() == faces

    # From one root to the other, into a folder made in the same moment, and a copy of it elsewhere.
    (two / "x" / "y").mkdir(parents=True)
    (one / "a").rename(two / "x" / "y" / "a")
    run("cp", "-r", two / "x" / "y" / "a", one / "again")
    rest()
    unmoved()
    shutil.rmtree(two / "x")
    rest()
    unmoved()
    # Out, and in again under another name; nothing is left meanwhile.
    (one / "again").rename(stage.folder / "away")
    stage.settle(one, two)
    eventually(lambda: not stage.links())
    (stage.folder / "away").rename(two / "back")
    rest()
    unmoved()

    # A root is renamed: the config still names it where it was.
    links = stage.links()
    two.rename(stage.folder / "renamed")
    eventually(lambda: stage.root(two)["state"] == "offline")
    photo(stage.folder / "renamed" / "meanwhile.txt")
    assert stage.links() == links
    (stage.folder / "renamed").rename(two)
    eventually(lambda: stage.root(two)["state"] == "online")
    rest()
    unmoved()
    # Renamed again, and this time the config follows.
    two.rename(stage.folder / "renamed")
    stage.write(one, stage.folder / "renamed")
    daemon.process.send_signal(signal.SIGHUP)
    two = stage.folder / "renamed"
    eventually(lambda: bool(stage.links()) and all("/renamed/" in target for target in stage.links().values()))
    rest()
    unmoved()
    assert daemon.stop() == 0


# ---- file systems that say nothing -----------------------------------------------------------------------------------

OVERLAY = (
    "cd $(mktemp -d) && mkdir lower upper work merged &&"
    " mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,userxattr merged; code=$?;"
    " umount merged; rm -rf $PWD; exit $code"
)


@pytest.mark.promise("silent")
def test_what_is_changed_beneath_an_overlay_is_found(tmp_path: Path) -> None:
    fenced(scene_of_an_overlay, tmp_path, probe=OVERLAY)


def scene_of_an_overlay(stage: Stage) -> None:
    lower, merged = stage.folder / "lower", stage.folder / "photos"
    for folder in ("upper", "work", "photos"):
        (stage.folder / folder).mkdir()
    photo(lower / "year" / "a.jpg")
    places = f"lowerdir={lower},upperdir={stage.folder / 'upper'},workdir={stage.folder / 'work'},userxattr"
    run("mount", "-t", "overlay", "overlay", "-o", places, merged)
    stage.write(merged, workers=SLEEPY)
    daemon = stage.start()
    stage.settle(merged)
    told = stage.root(merged)
    assert told["watched"] == "polled"
    assert "overlay" in told["detail"]
    scans = stage.rows("SELECT scanned_at FROM roots")
    photo(lower / "year" / "beneath.jpg")
    assert b"beneath.jpg" in os.listdir(os.fsencode(merged / "year"))
    stage.settle(merged)
    # What is done in the merged folder itself is heard of as anywhere.
    photo(merged / "year" / "above.jpg")
    stage.settle(merged)
    eventually(lambda: stage.rows("SELECT scanned_at FROM roots") > scans)
    assert daemon.stop() == 0


@pytest.mark.promise("silent")
def test_what_is_done_in_an_overlay_itself_is_heard_at_once(tmp_path: Path) -> None:
    fenced(scene_of_a_slow_overlay, tmp_path, probe=OVERLAY)


def scene_of_a_slow_overlay(stage: Stage) -> None:
    (stage.folder / "lower").mkdir()
    for folder in ("upper", "work", "photos"):
        (stage.folder / folder).mkdir()
    merged = stage.folder / "photos" / "below"
    merged.mkdir()
    places = f"lowerdir={stage.folder}/lower,upperdir={stage.folder}/upper,workdir={stage.folder}/work,userxattr"
    run("mount", "-t", "overlay", "overlay", "-o", places, merged)
    stage.write(stage.folder / "photos", watch="{quiet: 300 ms, ceiling: 3 s, poll: 1 h}", workers=SLEEPY)
    stage.start()
    told = stage.root(stage.folder / "photos")
    assert (told["watched"], told["folders_polled"]) == ("partly", 1)
    photo(merged / "deep" / "above.jpg")
    stage.settle(stage.folder / "photos")
