"""Many quick changes by a random hand: whatever the order, nothing may stay unheard and no directory unwatched."""

from __future__ import annotations

import os
import queue
import random
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from guyverd.watch.events import EventKind, Observer, PathEvent
from tests.promises import scaled


def tree(root: bytes) -> tuple[dict[bytes, int], list[bytes]]:
    """Inodes of the files, and the directories, relative to `root`."""
    files, folders = {}, []
    for folder, _, names in os.walk(root):
        folders.append(os.path.relpath(folder, root).removeprefix(b"."))
        for name in names:
            path = os.path.join(folder, name)
            with suppress(FileNotFoundError):
                files[os.path.relpath(path, root)] = os.lstat(path).st_ino
    return files, folders


def shuffle(root: bytes, outside: bytes, rng: random.Random, steps: int, prefix: str) -> None:
    """Create, move, delete at random. Two hands may work at once, so anything may fail."""
    for step in range(steps):
        _, folders = tree(root)
        here, there = rng.choice(folders), rng.choice(folders)
        name = f"{prefix}{step}".encode()
        try:
            match rng.randrange(8):
                case 0 | 1 | 2:
                    os.makedirs(os.path.join(root, here, name, b"sub", b"sub"))
                    os.mknod(os.path.join(root, here, name, b"sub", b"file"))
                case 3:
                    os.mknod(os.path.join(root, here, name))
                case 4 | 5 if here:
                    os.rename(os.path.join(root, here), os.path.join(root, there, name))
                case 6 if here:
                    os.rename(os.path.join(root, here), os.path.join(outside, name))
                    back = rng.choice(sorted(os.listdir(outside)))
                    os.rename(os.path.join(outside, back), os.path.join(root, there, b"back" + name))
                case 7 if here and rng.random() < 0.3:
                    shutil.rmtree(os.path.join(root, here))
        except (OSError, IndexError):
            continue


def covered(path: bytes, told: set[tuple[EventKind, bytes]]) -> bool:
    above = {path[:end] for end, byte in enumerate(path) if byte == ord("/")} | {path}
    return any((kind, folder) in told for folder in above for kind in (EventKind.SUBTREE, EventKind.GONE)) or bool(
        told & {(EventKind.TOUCHED, path), (EventKind.OVERFLOW, b"")}
    )


@pytest.mark.promise("trees")
@pytest.mark.parametrize("seed", range(8))
def test_every_difference_is_told_and_every_directory_stays_watched(tmp_path: Path, seed: int) -> None:
    root, outside = os.fsencode(tmp_path / "root"), os.fsencode(tmp_path / "outside")
    os.mkdir(root)
    os.mkdir(outside)
    shuffle(root, outside, random.Random(seed), 40, "before")
    heard: queue.SimpleQueue[PathEvent] = queue.SimpleQueue()
    observer = Observer(heard.put)
    observer.start()
    before = None
    if seed % 2:  # with half of the seeds, changes begin while the tree is still being watched
        assert observer.watch(root).events
        before, _ = tree(root)
    hands = [
        threading.Thread(target=shuffle, args=(root, outside, random.Random(seed + n), 60, f"hand{n}-"))
        for n in (100, 200)
    ]
    for hand in hands:
        hand.start()
    if before is None:
        assert observer.watch(root).events
        before, _ = tree(root)  # the service scans only after `watch`
    for hand in hands:
        hand.join()
    told: set[tuple[EventKind, bytes]] = set()
    with suppress(queue.Empty):  # a directory just made is watched a moment later; its SUBTREE stands for what is in it
        while True:
            event = heard.get(timeout=0.5)
            told.add((event.kind, event.path))
    after, folders = tree(root)
    for folder in folders:
        os.mknod(os.path.join(root, folder, b"probe"))
    expected = {os.path.join(folder, b"probe") for folder in folders}
    deadline = time.monotonic() + 10
    while not expected <= {path for kind, path in told if kind is EventKind.TOUCHED}:
        try:
            event = heard.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        told.add((event.kind, event.path))
    observer.stop()
    assert expected - {path for kind, path in told if kind is EventKind.TOUCHED} == set()
    different = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert {path for path in different if not covered(path, told)} == set()


@pytest.mark.promise("watch-limit")
@pytest.mark.parametrize("seed", range(scaled(2, 20)))
def test_with_few_watches_every_directory_is_watched_or_named(tmp_path: Path, seed: int) -> None:
    command = ["unshare", "-Ur", sys.executable, "-m", __name__, str(tmp_path), str(seed)]
    probe = "echo 30 > /proc/sys/user/max_inotify_watches"
    try:
        able = subprocess.run(["unshare", "-Ur", "sh", "-c", probe], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no `unshare` here")
    if able.returncode:
        pytest.skip(f"no user namespace to lower a limit in: {able.stderr.decode().strip()}")
    folder = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stderr


def few_watches(place: Path, seed: int) -> None:
    """In a namespace of its own: two hands at work, looks now and then, and a limit that is raised and lowered."""

    def limit(watches: int) -> None:
        Path("/proc/sys/user/max_inotify_watches").write_text(str(watches))

    root, outside = os.fsencode(place / "root"), os.fsencode(place / "outside")
    os.mkdir(root)
    os.mkdir(outside)
    rng = random.Random(seed)
    for number in range(40):
        os.makedirs(os.path.join(root, b"%d" % (number % 7), b"%d" % number))
    shuffle(root, outside, rng, 20, "before")
    limit(10)
    heard: queue.SimpleQueue[PathEvent] = queue.SimpleQueue()
    observer = Observer(heard.put)
    observer.start()
    assert not observer.watch(root).events
    before, _ = tree(root)
    hands = [
        threading.Thread(target=shuffle, args=(root, outside, random.Random(seed + n), 60, f"hand{n}-"))
        for n in (100, 200)
    ]
    for hand in hands:
        hand.start()
    compared: set[bytes] = set()
    while any(hand.is_alive() for hand in hands):
        compared.update(observer.renew(root))
        limit(rng.choice((10, 30, 60)))
        time.sleep(0.01)
    told: set[tuple[EventKind, bytes]] = set()
    with suppress(queue.Empty):
        while True:
            event = heard.get(timeout=0.5)
            told.add((event.kind, event.path))
    after, folders = tree(root)
    # What is to be compared at the next look, before whatever is watched from then on changes once more.
    compared.update(observer.renew(root))
    told.update((EventKind.SUBTREE, path) for path in compared)
    different = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    missed = {path for path in different if (EventKind.SUBTREE, b"") not in told and not covered(path, told)}
    assert missed == set()

    polled = observer.watching(root).polled
    for folder in folders:
        os.mknod(os.path.join(root, folder, b"probe"))
    left = {
        os.path.join(folder, b"probe")
        for folder in folders
        if not any(folder == path or folder.startswith(path + b"/") for path in polled)
    }
    while left:
        left.discard(heard.get(timeout=10).path)
    held = observer.watching(root).folders
    observer.stop()
    assert 1 <= held <= 60


if __name__ == "__main__":
    few_watches(Path(sys.argv[1]), int(sys.argv[2]))
