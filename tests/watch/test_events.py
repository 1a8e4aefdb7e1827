"""Real inotify on a real disk. Every wait has a limit and ends as soon as what is waited for is there."""

from __future__ import annotations

import logging
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guyverd.watch import events as events_module
from guyverd.watch.events import EventKind, Observer, PathEvent, Watching
from guyverd.watch.inotify_tree import InotifyTree

TOUCHED, GONE, SUBTREE, OVERFLOW = EventKind.TOUCHED, EventKind.GONE, EventKind.SUBTREE, EventKind.OVERFLOW
Told = tuple[EventKind, bytes]
WHOLE = (b"",)


class Ears:
    """Collects events of one root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = os.fsencode(root)
        self.heard: queue.SimpleQueue[PathEvent] = queue.SimpleQueue()
        self.observer = Observer(self.heard.put)
        self.marks = 0

    def until(self, *expected: Told) -> list[Told]:
        """Everything heard until each of `expected` was heard."""
        told: list[Told] = []
        missing = set(expected)
        deadline = time.monotonic() + 10
        while missing:
            try:
                event = self.heard.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"not heard: {missing}; heard: {told[-50:]}")
            assert event.root == self.name
            told.append((event.kind, event.path))
            missing.discard(told[-1])
        return told

    def rest(self) -> list[Told]:
        """Everything up to now: inotify keeps order, so a last file of our own marks the end."""
        self.marks += 1
        mark = b"end%d" % self.marks
        os.mknod(self.name + b"/" + mark)  # one event, where opening and closing it would make two
        return [item for item in self.until((TOUCHED, mark)) if item[1] != mark]


@pytest.fixture
def ears(tmp_path: Path) -> Iterator[Ears]:
    root = tmp_path / "root"
    (root / "old").mkdir(parents=True)
    (root / "old" / "a.jpg").write_bytes(b"a")
    ears = Ears(root)
    ears.observer.start()
    assert ears.observer.watch(ears.name) == Watching(True, "")
    yield ears
    ears.observer.stop()


def test_a_new_file_is_touched_and_again_while_it_is_written(ears: Ears) -> None:
    with (ears.root / "old" / "b.jpg").open("wb", buffering=0) as file:
        assert ears.until((TOUCHED, b"old/b.jpg")) == [(TOUCHED, b"old/b.jpg")]
        file.write(b"x")
        ears.until((TOUCHED, b"old/b.jpg"))
    ears.until((TOUCHED, b"old/b.jpg"))
    assert {kind for kind, _ in ears.rest()} <= {TOUCHED}


def test_a_hard_link_and_a_rewrite_are_touched(ears: Ears) -> None:
    os.link(ears.root / "old" / "a.jpg", ears.root / "linked.jpg")
    assert ears.rest() == [(TOUCHED, b"linked.jpg")]
    (ears.root / "old" / "a.jpg").write_bytes(b"other")
    assert set(ears.rest()) == {(TOUCHED, b"old/a.jpg")}


def test_deleted_files_are_gone(ears: Ears) -> None:
    (ears.root / "old" / "a.jpg").unlink()
    assert ears.rest() == [(GONE, b"old/a.jpg")]


def test_reading_listing_and_changing_attributes_is_silent(ears: Ears) -> None:
    photo = ears.root / "old" / "a.jpg"
    photo.read_bytes()
    list((ears.root / "old").iterdir())
    photo.chmod(0o600)
    os.utime(photo)
    assert ears.rest() == []


def test_a_file_moved_inside_is_gone_and_touched(ears: Ears) -> None:
    (ears.root / "old" / "a.jpg").rename(ears.root / "b.jpg")
    assert ears.rest() == [(GONE, b"old/a.jpg"), (TOUCHED, b"b.jpg")]


def test_files_moved_out_and_in(ears: Ears, tmp_path: Path) -> None:
    (ears.root / "old" / "a.jpg").rename(tmp_path / "a.jpg")
    assert ears.rest() == [(GONE, b"old/a.jpg")]
    (tmp_path / "a.jpg").rename(ears.root / "old" / "c.jpg")
    assert ears.rest() == [(TOUCHED, b"old/c.jpg")]


@pytest.mark.promise("trees")
def test_directories_made_at_once_are_followed_to_the_bottom(ears: Ears) -> None:
    for n in range(20):
        (ears.root / f"n{n}" / "x" / "y" / "z").mkdir(parents=True)
    told = ears.rest()
    assert {(SUBTREE, b"n%d" % n) for n in range(20)} <= set(told)
    assert {kind for kind, _ in told} == {SUBTREE}
    for n in range(20):
        (ears.root / f"n{n}" / "x" / "y" / "z" / "a.jpg").write_bytes(b"a")
    assert set(ears.rest()) == {(TOUCHED, b"n%d/x/y/z/a.jpg" % n) for n in range(20)}


@pytest.mark.promise("trees")
def test_a_directory_moved_inside_is_gone_and_a_subtree_and_watched_where_it_is(ears: Ears) -> None:
    (ears.root / "old" / "deep").mkdir()
    ears.rest()
    (ears.root / "old").rename(ears.root / "new")
    assert ears.rest() == [(GONE, b"old"), (SUBTREE, b"new")]
    (ears.root / "new" / "deep" / "b.jpg").write_bytes(b"b")
    assert set(ears.rest()) == {(TOUCHED, b"new/deep/b.jpg")}


@pytest.mark.promise("trees")
def test_a_directory_moved_out_is_not_heard_of_any_more_and_moved_in_again_it_is(ears: Ears, tmp_path: Path) -> None:
    away = tmp_path / "away"
    (ears.root / "old" / "deep").mkdir()
    ears.rest()
    (ears.root / "old").rename(away)
    assert ears.rest() == [(GONE, b"old")]
    (away / "b.jpg").write_bytes(b"b")
    (away / "deep" / "c.jpg").write_bytes(b"b")
    (ears.root / "old").mkdir()
    assert ears.rest() == [(SUBTREE, b"old")]
    away.rename(ears.root / "back")
    assert ears.rest() == [(SUBTREE, b"back")]
    (ears.root / "back" / "deep" / "d.jpg").write_bytes(b"d")
    assert set(ears.rest()) == {(TOUCHED, b"back/deep/d.jpg")}


@pytest.mark.promise("trees")
def test_a_directory_moved_into_one_just_made_keeps_its_watch(ears: Ears) -> None:
    for n in range(30):
        box = ears.root / f"box{n}"
        inner = ears.root / f"inner{n}"
        inner.mkdir()
        box.mkdir()
        inner.rename(box / "inner")
    ears.rest()
    for n in range(30):
        (ears.root / f"box{n}" / "inner" / "a.jpg").write_bytes(b"a")
    assert set(ears.rest()) == {(TOUCHED, b"box%d/inner/a.jpg" % n) for n in range(30)}


@pytest.mark.promise("trees")
def test_a_directory_replaced_by_another_of_its_name_is_watched(ears: Ears, tmp_path: Path) -> None:
    for n in range(10):
        (ears.root / "old").rename(tmp_path / f"old{n}")
        (ears.root / "old" / "sub").mkdir(parents=True)
    ears.rest()
    (ears.root / "old" / "sub" / "b.jpg").write_bytes(b"b")
    (tmp_path / "old9" / "sub" / "c.jpg").write_bytes(b"c")
    assert set(ears.rest()) == {(TOUCHED, b"old/sub/b.jpg")}


@pytest.mark.promise("trees")
def test_a_deleted_tree_is_gone(ears: Ears) -> None:
    shutil.rmtree(ears.root / "old")
    assert (GONE, b"old") in ears.rest()


def test_names_that_are_not_utf8(ears: Ears) -> None:
    folder = ears.name + b"/caf\xe9\n"
    os.mkdir(folder)
    assert ears.rest() == [(SUBTREE, b"caf\xe9\n")]
    with open(folder + b"/\xff\xfe.jpg", "wb"):
        pass
    assert set(ears.rest()) == {(TOUCHED, b"caf\xe9\n/\xff\xfe.jpg")}


def test_names_with_a_dot_are_not_reported_until_they_lose_it(ears: Ears) -> None:
    (ears.root / ".cache" / "x").mkdir(parents=True)
    (ears.root / ".cache" / "x" / "a.jpg").write_bytes(b"a")
    (ears.root / "old" / ".b.jpg.Xy12").write_bytes(b"b")
    (ears.root / "old" / ".b.jpg.Xy12").rename(ears.root / "old" / "b.jpg")
    assert ears.rest() == [(TOUCHED, b"old/b.jpg")]
    (ears.root / ".cache").rename(ears.root / "cache")
    assert ears.rest() == [(SUBTREE, b"cache")]
    (ears.root / "cache" / "x" / "a.jpg").unlink()
    assert ears.rest() == [(GONE, b"cache/x/a.jpg")]


def test_links_are_never_followed(ears: Ears, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (ears.root / "link").symlink_to(tmp_path / "elsewhere")
    (ears.root / "loop").symlink_to(ears.root)
    assert set(ears.rest()) == {(TOUCHED, b"link"), (TOUCHED, b"loop")}
    (tmp_path / "elsewhere" / "a.jpg").write_bytes(b"a")
    assert ears.rest() == []
    assert ears.observer.watch(ears.name).events
    (tmp_path / "elsewhere" / "b.jpg").write_bytes(b"b")
    assert ears.rest() == []


def test_a_root_that_is_a_link_is_watched_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "root").symlink_to("real")
    ears = Ears(tmp_path / "root")
    ears.observer.watch(ears.name)
    ears.observer.start()
    (tmp_path / "real" / "sub" / "a.jpg").write_bytes(b"a")
    assert set(ears.rest()) == {(TOUCHED, b"sub/a.jpg")}
    ears.observer.stop()


@pytest.mark.parametrize("how", ["deleted", "moved"])
@pytest.mark.promise("trees")
def test_a_root_that_goes_away_says_so_and_can_be_watched_again(ears: Ears, tmp_path: Path, how: str) -> None:
    if how == "deleted":
        shutil.rmtree(ears.root)
    else:
        ears.root.rename(tmp_path / "moved")
    assert ears.until((GONE, b""))[-1] == (GONE, b"")
    assert ears.observer.watching(ears.name) == Watching(False, "the folder was deleted or moved away", WHOLE)
    assert ears.observer.watch(ears.name) == Watching(False, "there is no such folder", WHOLE)
    assert ears.observer.renew(ears.name) == WHOLE
    if how == "moved":
        (tmp_path / "moved" / "x.jpg").write_bytes(b"x")
    ears.root.mkdir()
    assert ears.observer.watch(ears.name) == Watching(True, "")
    assert ears.rest() == []


def test_events_between_watch_and_start_are_kept(tmp_path: Path) -> None:
    ears = Ears(tmp_path)
    ears.observer.watch(ears.name)
    (tmp_path / "early").mkdir()
    ears.observer.start()
    ears.until((SUBTREE, b"early"))
    ears.observer.stop()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "inotify"]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_after_unwatch_nothing_more_is_heard(ears: Ears) -> None:
    ears.observer.unwatch(ears.name)
    assert threads() == []
    (ears.root / "b.jpg").write_bytes(b"b")
    time.sleep(0.1)
    assert ears.heard.empty()
    ears.observer.unwatch(ears.name)
    with pytest.raises(KeyError):
        ears.observer.watching(ears.name)


def test_stop_ends_threads_quickly_gives_everything_back_and_start_begins_anew(tmp_path: Path) -> None:
    roots = [tmp_path / f"r{n}" for n in range(4)]
    for root in roots:
        (root / "sub").mkdir(parents=True)
    heard: queue.SimpleQueue[PathEvent] = queue.SimpleQueue()
    observer = Observer(heard.put)
    before = descriptors()
    for started in (True, False, True):
        if started:
            observer.start()
            observer.start()
        for root in roots:
            assert observer.watch(os.fsencode(root)).events
        assert len(threads()) == (4 if started else 0)
        if started:
            (roots[3] / "sub" / "a.jpg").write_bytes(b"a")
            assert heard.get(timeout=10).path == b"sub/a.jpg"
        begin = time.monotonic()
        observer.stop()
        observer.stop()
        assert time.monotonic() - begin < 2
        assert threads() == []
        assert descriptors() == before


def test_stopping_at_once_leaks_no_descriptor(tmp_path: Path) -> None:
    before = descriptors()
    for _ in range(50):
        observer = Observer(lambda event: None)
        observer.start()
        observer.watch(os.fsencode(tmp_path))
        observer.stop()
    assert descriptors() == before


def test_a_sink_that_fails_is_logged_and_the_watch_lives_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    heard: queue.SimpleQueue[PathEvent] = queue.SimpleQueue()

    def sink(event: PathEvent) -> None:
        if event.path == b"bad":
            raise RuntimeError("no")
        heard.put(event)

    observer = Observer(sink)
    observer.start()
    observer.watch(os.fsencode(tmp_path))
    with caplog.at_level(logging.ERROR):
        (tmp_path / "bad").mkdir()
        (tmp_path / "good").mkdir()
        assert heard.get(timeout=10).path == b"good"
    observer.stop()
    assert "was lost" in caplog.text


def test_a_missing_root_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    observer = Observer(lambda event: None)
    for name in ("none", "file"):
        root = os.fsencode(tmp_path / name)
        assert observer.watch(root) == Watching(False, "there is no such folder", WHOLE)
        assert observer.watching(root) == Watching(False, "there is no such folder", WHOLE)
    observer.stop()


@pytest.mark.promise("silent")
def test_a_silent_file_system_is_named_and_what_this_machine_does_there_is_heard(
    ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "silent", lambda root: "nfs4")
    watching = ears.observer.watch(ears.name)
    assert (watching.events, watching.polled) == (False, WHOLE)
    assert "nfs4" in watching.detail
    assert ears.observer.renew(ears.name) == WHOLE
    (ears.root / "old" / "a.jpg").unlink()
    assert ears.rest() == [(GONE, b"old/a.jpg")]


@pytest.mark.promise("silent")
def test_a_silent_file_system_further_down_is_named_and_the_rest_is_heard(
    ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        events_module, "silent_below", lambda root: [(b"p/nas", "cifs"), (b".gvfs/phone", "fuse.gvfsd-fuse")]
    )
    watching = ears.observer.watch(ears.name)
    assert (watching.events, watching.polled) == (False, (b"p/nas",))
    assert "p/nas (cifs)" in watching.detail
    assert ears.observer.renew(ears.name) == (b"p/nas",)
    (ears.root / "old" / "a.jpg").unlink()
    assert ears.rest() == [(GONE, b"old/a.jpg")]


# ---- limits ----------------------------------------------------------------------------------------------------------


def in_namespace(script: str, *arguments: str) -> str:
    """The output of a Python script run as root of a user namespace of its own, where limits can be lowered."""
    command = ["unshare", "-Urm", sys.executable, "-c", script, *arguments]
    probe = "echo 50 > /proc/sys/user/max_inotify_watches && mount -t tmpfs none /mnt"
    try:
        able = subprocess.run(["unshare", "-Urm", "sh", "-c", probe], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no `unshare` here")
    if able.returncode:
        pytest.skip(f"no user namespace to lower a limit in: {able.stderr.decode().strip()}")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


PREAMBLE = """
import os, queue, sys
from guyverd.watch.events import Observer
root = os.fsencode(sys.argv[1])
heard = queue.SimpleQueue()
observer = Observer(heard.put)
observer.start()
def show(watching):
    print(watching.events, watching.detail)
def limit(name, value):
    with open(f"/proc/sys/user/max_inotify_{name}", "w") as file:
        file.write(str(value))
"""


@pytest.mark.promise("watch-limit")
def test_where_watches_run_out_the_rest_is_named_and_some_are_left_to_others(tmp_path: Path) -> None:
    for n in range(60):
        (tmp_path / "big" / f"d{n:02}" / "deep").mkdir(parents=True)
    (tmp_path / "small").mkdir()
    script = """
limit("watches", 50)
big = root + b"/big"
show(observer.watch(big))
def count():
    now = observer.watching(big)
    print(now.folders, len(now.polled), not any(b"/" in path for path in now.polled))
count()
show(observer.watch(root + b"/small"))  # its root is watched from what was left to others
observer.unwatch(root + b"/small")
print("polled again:", len(observer.renew(big)))
count()
left = observer.watching(big).polled
# What becomes free is used at the next look.
kept = sorted({b"d%02d" % n for n in range(60)} - set(left))
for name in kept[:10]:
    os.rmdir(big + b"/" + name + b"/deep")
    os.rmdir(big + b"/" + name)
while observer.watching(big).folders > 34:
    heard.get(timeout=20)
print("due:", set(observer.renew(big)) >= {path for path in left if os.path.exists(big + b"/" + path)})
count()
# So is a limit that was raised.
limit("watches", 500)
print("due:", len(observer.renew(big)), observer.renew(big))
show(observer.watching(big))
print(observer.watching(big).folders)
observer.stop()
"""
    told = in_namespace(PREAMBLE + script, str(tmp_path)).splitlines()
    assert told[0].startswith(
        "False the system's limit of watched folders is reached; `sudo sysctl fs.inotify.max_user_watches"
    )
    assert told[0].endswith(
        "Folders watched: 44; not watched, and compared from time to time with all that is in them: 60"
    )
    assert told[1:] == [
        "44 60 False",
        "True ",
        "polled again: 60",
        "44 60 False",
        "due: True",
        "44 50 False",
        "due: 50 ()",
        "True ",
        "101",
    ]


@pytest.mark.promise("watch-limit")
def test_a_limit_reached_later_leaves_out_what_came_last(tmp_path: Path) -> None:
    script = """
limit("watches", 50)
show(observer.watch(root))
for n in range(60):
    os.mkdir(root + b"/d%d" % n)
told = set()
while not told >= {b"d%d" % n for n in range(60)}:
    event = heard.get(timeout=20)
    assert event.kind == "subtree", event
    told.add(event.path)
now = observer.watching(root)
print(now.events, now.folders, len(now.polled))
# Watched and unwatched folders come and go, and each is known by the name that it has then.
gone = sorted(now.polled)[:2]
os.rename(root + b"/" + gone[0], root + b"/renamed")
os.rmdir(root + b"/" + gone[1])
os.mknod(root + b"/end")
while heard.get(timeout=20).path != b"end":
    pass
print(set(observer.watching(root).polled) == set(now.polled) - set(gone) | {b"renamed"})
observer.stop()
"""
    first, later, last = in_namespace(PREAMBLE + script, str(tmp_path)).splitlines()
    assert first == "True "
    assert later == "False 44 17"
    assert last == "True"


@pytest.mark.promise("watch-limit")
def test_the_limit_of_instances_is_told(tmp_path: Path) -> None:
    script = """
limit("instances", 0)
show(observer.watch(root))
observer.stop()
"""
    told = in_namespace(PREAMBLE + script, str(tmp_path))
    assert told.startswith("False")
    assert "sysctl fs.inotify.max_user_instances" in told


@pytest.mark.promise("offline")
def test_an_unmounted_file_system_asks_for_a_look_at_everything_once(tmp_path: Path) -> None:
    script = """
import subprocess
subprocess.run(["mount", "-t", "tmpfs", "none", root], check=True)
os.makedirs(root + b"/a/b/c")
show(observer.watch(root))
subprocess.run(["umount", root], check=True)
event = heard.get(timeout=20)
print(event.kind, event.path, observer.watching(root).detail, heard.empty())
observer.stop()
"""
    first, later = in_namespace(PREAMBLE + script, str(tmp_path)).splitlines()
    assert first == "True "
    assert later == "overflow b'' a file system in it was unmounted True"


def test_a_folder_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    (tmp_path / "root" / "locked").mkdir(parents=True)
    (tmp_path / "root" / "open").mkdir()
    (tmp_path / "root" / "locked").chmod(0)
    script = """
import ctypes
# In a namespace root may read everything all the same: give that power up first.
libc = ctypes.CDLL(None, use_errno=True)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
assert libc.capset(header, (ctypes.c_uint32 * 6)()) == 0
show(observer.watch(root))
observer.watch(root + b"/locked")
show(observer.watching(root + b"/locked"))
observer.stop()
"""
    try:
        told = in_namespace(PREAMBLE + script, str(tmp_path / "root")).splitlines()
    finally:
        (tmp_path / "root" / "locked").chmod(0o700)
    assert told == [
        "True folders in it that cannot be read: 1",
        "False it cannot be watched: Permission denied",
    ]


def blocked(ears: Ears) -> tuple[threading.Event, Callable[[], None]]:
    """Holds the reading thread inside the sink until the returned function is called."""
    entered, let_go = threading.Event(), threading.Event()

    def sink(event: PathEvent) -> None:
        if event.path == b"block":
            entered.set()
            let_go.wait(60)
        else:
            ears.heard.put(event)

    ears.observer.stop()
    ears.observer = Observer(sink)
    ears.observer.start()
    ears.observer.watch(ears.name)
    return entered, let_go.set


@pytest.mark.promise("overflow")
def test_an_overflow_is_told_and_directories_it_hid_are_watched(ears: Ears) -> None:
    entered, let_go = blocked(ears)
    (ears.root / "block").mkdir()
    assert entered.wait(10)
    with open("/proc/sys/fs/inotify/max_queued_events") as file:
        most = int(file.read())
    if most > 100_000:
        pytest.skip(f"a queue of {most} events takes too long to fill")
    for n in range(most // 2 + 100):  # created and deleted: two events each, none alike
        path = ears.root / "old" / f"{n}"
        os.mknod(path)
        path.unlink()
    (ears.root / "hidden" / "deep").mkdir(parents=True)
    let_go()
    ears.until((OVERFLOW, b""))
    assert (OVERFLOW, b"") not in ears.rest()
    (ears.root / "hidden" / "deep" / "a.jpg").write_bytes(b"a")
    (ears.root / "old" / "b.jpg").write_bytes(b"b")
    assert set(ears.rest()) == {(TOUCHED, b"hidden/deep/a.jpg"), (TOUCHED, b"old/b.jpg")}
    assert ears.observer.watching(ears.name) == Watching(True, "")


def test_closing_while_a_large_tree_is_being_watched_does_not_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(50):
        (tmp_path / f"d{n}").mkdir()
    real, begun = os.scandir, threading.Event()

    def slow(path: bytes) -> object:
        begun.set()
        time.sleep(0.2)
        return real(path)

    monkeypatch.setattr("guyverd.watch.inotify_tree.os.scandir", slow)
    tree = InotifyTree(os.fsencode(tmp_path), lambda event: None)
    planting = threading.Thread(target=tree.plant)
    planting.start()
    assert begun.wait(10)
    begin = time.monotonic()
    tree.close()
    planting.join(5)
    assert time.monotonic() - begin < 2
    assert not planting.is_alive()
    assert not tree.alive()
