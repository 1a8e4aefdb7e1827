"""The C library's calls below some folders, recorded or hindered: `shim.c`, compiled where there is a compiler."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")


class Kind(IntEnum):
    """What was done; the numbers are those of `shim.c`."""

    CREATE = 0
    TRUNCATE = 1
    WRITE = 2
    SYNC = 3
    RENAME = 4
    UNLINK = 5
    LINK = 6
    READ = 7
    LIST = 8
    OPEN = 9
    MARK = 10


def compiled(folder: Path) -> Path | None:
    """The shim as a library in that folder; None where there is no compiler, or none that can make it."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        return None
    library = folder / "shim.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, check=False)
    return library if done.returncode == 0 else None


class Shim:
    """The shim that this process was started with."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(os.environ["LD_PRELOAD"])
        self._library.shim_count.restype = ctypes.c_long

    def below(self, *folders: Path) -> None:
        """Which folders it is about."""
        self._library.shim_below("\n".join(map(os.path.realpath, folders)).encode())

    def record(self, file: int) -> None:
        """Write all that changes a file to that one; syncing does nothing but be recorded."""
        self._library.shim_record(file)

    def mark(self, text: str) -> None:
        """Write a mark among it."""
        self._library.shim_mark(text.encode())

    def kill(self, point: int, *, half: bool) -> None:
        """Die in place of that change, the first being 1; where it is a write and `half`, after half of it."""
        self._library.shim_kill(ctypes.c_long(point), int(half))

    def fail(self, point: int, times: int, kinds: Iterable[Kind], error: int) -> None:
        """Let so many calls of these kinds fail, from that one on."""
        mask = sum(1 << kind for kind in kinds)
        self._library.shim_fail(ctypes.c_long(point), ctypes.c_long(times), ctypes.c_uint(mask), error)

    def counting(self, kinds: Iterable[Kind]) -> None:
        """Count the calls of these kinds, and let them be."""
        self._library.shim_count_only(ctypes.c_uint(sum(1 << kind for kind in kinds)))

    @contextlib.contextmanager
    def exempt(self) -> Iterator[None]:
        """What this thread does meanwhile does not fail."""
        self._library.shim_exempt(1)
        try:
            yield
        finally:
            self._library.shim_exempt(0)

    def count(self) -> int:
        """Calls since then."""
        return int(self._library.shim_count())

    def off(self) -> None:
        """Let everything be."""
        self._library.shim_off()
