"""Figures of the machine. Whatever it does not tell is left out; nothing here takes long."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from guyverd.catalogue.inspection import sqlite_version
from guyverd.service.doctor.system import Read, Written

NEEDED = {
    "dlib": ("dlib-bin", "dlib"),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "onnx": ("onnx",),
    "hnswlib": ("hnswlib",),
    "watchdog": ("watchdog",),
    "sqlite_utils": ("sqlite-utils",),
    "numpy": ("numpy",),
    "PIL": ("Pillow",),
    "pillow_heif": ("pillow-heif",),
    "av": ("av",),
    "networkx": ("networkx",),
    "yaml": ("PyYAML",),
    "face_recognition_models": ("face_recognition_models",),
}
"""What is imported, and what the packages that have it are called."""
_TRIAL = 4_000_000
_SMALL_WRITES = 5
_TRIAL_SECONDS = 5.0
_MOST_READ = 32_000_000
_MOST_PHOTOS = 20
_SHOWN = ("LoadState", "ActiveState", "SubState", "Result", "NRestarts")


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def text_of(path: str) -> str:
    """A small file of /proc or /sys; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


def number_in(path: str) -> int | None:
    """The number that such a file holds."""
    text = text_of(path).strip()
    return int(text) if text.isdecimal() else None


def instances(pid: str) -> tuple[int, int]:
    """The inotify instances of a process, and the watches in them, as far as we may see them."""
    count = held = 0
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for number in os.listdir(folder):
            with contextlib.suppress(OSError):
                if os.readlink(f"{folder}/{number}") == "anon_inode:inotify":
                    count += 1
                    held += text_of(f"/proc/{pid}/fdinfo/{number}").count("inotify wd:")
    return count, held


def all_instances() -> tuple[int, int]:
    """The same of all processes of this user."""
    us = os.geteuid()
    count = held = 0
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == us:
                some, watches = instances(pid)
                count, held = count + some, held + watches
    return count, held


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped, as by Ctrl-Z."""
    _, _, rest = text_of(f"/proc/{pid}/stat").rpartition(") ")
    return rest[:1] in ("T", "t")


def available_memory() -> float | None:
    """Bytes of memory that could be had without anything being put out; None where that is not told."""
    for line in text_of("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024.0
    return None


def versions() -> tuple[dict[str, str], list[str], tuple[int, ...]]:
    """Libraries with their versions, those that are missing, and SQLite's version."""
    found = {"Python": platform.python_version(), "SQLite": sqlite_version()}
    missing = []
    for module, packages in NEEDED.items():
        if importlib.util.find_spec(module) is None:
            missing.append(packages[0])
            continue
        for package in packages:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                found[package] = importlib.metadata.version(package)
                break
    return found, missing, tuple(int(part) for part in sqlite_version().split(".") if part.isdecimal())


def units() -> dict[str, dict[str, str]]:
    """What systemd says of our units, of the user and of the system; nothing where there is none."""
    if shutil.which("systemctl") is None or not os.path.isdir("/run/systemd/system"):
        return {}
    found = {}
    for name, options in (("user", ["--user"]), ("system", [])):
        command = ["systemctl", *options, "show", "guyverd.service", f"--property={','.join(_SHOWN)}"]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
            pairs = (line.partition("=") for line in done.stdout.splitlines())
            found[name] = {key: value for key, _, value in pairs if key in _SHOWN}
    return found


def write_trial(folder: Path) -> Written:
    """Write some MB there and have them synced, then some small pieces. Raises OSError."""
    piece = os.urandom(1 << 16)
    with tempfile.TemporaryFile(dir=folder, prefix=".guyverd-doctor-") as file:
        began = time.perf_counter()
        written = 0
        while written < _TRIAL and time.perf_counter() - began < _TRIAL_SECONDS:
            written += file.write(piece)
        file.flush()
        os.fsync(file.fileno())
        took = time.perf_counter() - began
        syncs = []
        for at in range(_SMALL_WRITES):
            start = time.perf_counter()
            os.pwrite(file.fileno(), piece[:4096], 4096 * at)
            os.fsync(file.fileno())
            syncs.append(time.perf_counter() - start)
            if sum(syncs) > _TRIAL_SECONDS:
                break
    return Written(written, took, statistics.median(syncs))


def read_trial(photos: Iterable[bytes]) -> Read:
    """Read some photos to their end, as far as some seconds and MB go; from the disk, where the system lets us."""
    began = time.perf_counter()
    total, failed = 0, 0
    firsts: list[float] = []
    for path in photos:
        if len(firsts) >= _MOST_PHOTOS or total >= _MOST_READ or time.perf_counter() - began > _TRIAL_SECONDS:
            break
        start = time.perf_counter()
        try:
            for at, piece in enumerate(_pieces(path)):
                if at == 0:
                    firsts.append(time.perf_counter() - start)
                total += len(piece)
        except OSError:
            failed += 1
    took = time.perf_counter() - began
    return Read(len(firsts), total, took, statistics.median(firsts) if firsts else 0.0, failed)


def _pieces(path: bytes) -> Iterator[bytes]:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    with open(os.open(path, flags), "rb", buffering=0) as file:
        with contextlib.suppress(OSError, AttributeError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while piece := file.read(1 << 18):
            yield piece
