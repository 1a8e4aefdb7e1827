"""What the benchmarks share: one thread for each contender, the line about the machine, timers, tables.

Only the standard library is imported at the top: a worker process imports the program that started it, and whatever
that loads would be counted as the worker's memory.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
for _name in THREADS:
    # Numeric libraries read it when they load, here and in every child process.
    os.environ[_name] = "1"

# Some of its releases keep a record of their use and send it to their maker, unless told not to before they load.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_LIBRARIES = ("dlib-bin", "dlib", "onnxruntime", "numpy", "Pillow", "face-recognition")


# ---- the machine -----------------------------------------------------------------------------------------------------


def machine() -> str:
    """What the figures of a run were measured on, in two lines."""
    versions = []
    for name in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{name} {importlib.metadata.version(name)}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {cores()} cores, {memory:.0f} GB, {platform.system()}; {datetime.now(UTC):%Y-%m-%d}\n"
        f"Python {platform.python_version()}, {', '.join(versions)}; one thread for each contender"
    )


def _processor() -> str:
    model, features = platform.machine(), ""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() == "flags":
                known = set(value.split())
                features = next((name for name in ("avx512f", "avx2", "avx") if name in known), "")
    return f"{model} ({features})" if features else model


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> float:
    """Bytes that programs can still take without anything being swapped out."""
    with contextlib.suppress(OSError), open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"))


# ---- tables ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure has to be."""

    limit: float
    unit: str = "x"
    at_most: bool = False
    digits: int = 1

    def met(self, measured: float) -> bool:
        """Whether `measured` is good enough."""
        return measured <= self.limit if self.at_most else measured >= self.limit

    def show(self, measured: float) -> tuple[str, str, str]:
        """Three cells: what was measured, what it has to be, and whether it is."""
        sign = "<=" if self.at_most else ">="
        return (
            f"{measured:.{self.digits}f} {self.unit}",
            f"{sign} {self.limit:g} {self.unit}",
            "met" if self.met(measured) else "not met",
        )


def begin(title: str) -> None:
    """Print what is measured and on what."""
    print(f"{title}\n{machine()}\n", flush=True)


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns; a column of which every cell begins with a digit or a sign stands to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in [list(titles), *cells]) for at in range(len(titles))]
    right = [all(row[at][:1] in "0123456789-+.–" for row in cells) for at in range(len(titles))]
    for row in [list(titles), *cells]:
        padded = [
            cell.rjust(wide) if to_right else cell.ljust(wide)
            for cell, wide, to_right in zip(row, widths, right, strict=True)
        ]
        print("  ".join(padded).rstrip())
    print(flush=True)


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the option that every benchmark has."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="the smallest input: shows that it works, its figures say little"
    )
    return parser


# ---- timers ----------------------------------------------------------------------------------------------------------


def interleaved(contenders: Mapping[str, Callable[[], object]], repetitions: int) -> dict[str, list[float]]:
    """Seconds of each repetition of each contender, taken in turns, so that a slow moment of the machine hits all."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repetitions):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - began)
    return taken


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


# ---- processes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """What a piece of work took."""

    seconds: float
    cpu: float
    """Processor seconds, of this process and its children."""
    peak: int
    """Bytes: the most that one process held at a time (resident)."""


class Meter:
    """Watches this process and its children while a block runs; `usage` tells afterwards what they took.

    Children are looked at ten times a second: the kernel keeps their highest memory, and at most a tenth of a second
    of a child's processor time is missed. A child that did nothing meanwhile belongs to something else.
    """

    def __init__(self) -> None:
        self.usage = Usage(0.0, 0.0, 0)
        self.worker_peak = 0
        """Bytes: the most that one child process held."""
        self._seen: dict[int, tuple[float, int]] = {}
        self._over = threading.Event()

    def __enter__(self) -> Meter:
        self._watch()
        self._before = {pid: cpu for pid, (cpu, _) in self._seen.items()}
        self._seen.clear()
        _forget_peak()
        self._own = _own_cpu()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._began = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self._began
        self._over.set()
        self._thread.join()
        self._watch()
        spent = {pid: cpu - self._before.get(pid, 0.0) for pid, (cpu, _) in self._seen.items()}
        cpu = _own_cpu() - self._own + sum(spent.values())
        self.worker_peak = max((peak for pid, (_, peak) in self._seen.items() if spent[pid] > 0), default=0)
        self.usage = Usage(seconds, cpu, max(peak_of(os.getpid()), self.worker_peak))

    def _run(self) -> None:
        while not self._over.wait(0.1):
            self._watch()

    def _watch(self) -> None:
        for pid in children(os.getpid()):
            with contextlib.suppress(OSError, ValueError, IndexError):
                # One that has just ended tells no memory any more.
                self._seen[pid] = (_cpu_of(pid), max(peak_of(pid), self._seen.get(pid, (0.0, 0))[1]))


def children(pid: int) -> list[int]:
    """The processes that `pid` started, and those that they started."""
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                below.setdefault(int(_stat(int(name))[1]), []).append(int(name))
    found, waiting = [], [pid]
    while waiting:
        for child in below.get(waiting.pop(), ()):
            found.append(child)
            waiting.append(child)
    return found


def _stat(pid: int) -> list[str]:
    """What the kernel tells of a process in one line, from its state on; the name before may hold anything."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def _cpu_of(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_of(pid: int) -> int:
    """Bytes: the most that the process ever held (resident); 0 where that is not told."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _forget_peak() -> None:
    """Begin the count of this process's highest memory anew."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def alone(work: Callable[..., Any], *given: object) -> Any:
    """What `work(*given)` returns, run in a new process: nothing it loads is there before or stays afterwards.

    `work` is a function at the top of a module. An exception there is raised here as RuntimeError, with its text.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(there, work, given))
    process.start()
    there.close()
    try:
        succeeded, value = here.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{work.__name__} died with exit code {process.exitcode}") from None
    finally:
        here.close()
    process.join()
    if not succeeded:
        raise RuntimeError(f"{work.__name__}: {value}")
    return value


def _answer(pipe: Any, work: Callable[..., Any], given: tuple[object, ...]) -> None:
    try:
        answer = (True, work(*given))
    except Exception as problem:
        answer = (False, f"{type(problem).__name__}: {problem}")
    pipe.send(answer)
    pipe.close()


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder below the working directory's disk or $TMPDIR, removed at the end."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="guyverd-bench-") as name:
        yield Path(name)


def progress(text: str) -> None:
    """Tell somebody who watches what goes on; nothing where nobody does."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
