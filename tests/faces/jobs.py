"""What the pool's tests have workers do; a module of its own, because workers import it by name."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable

import numpy as np

from guyverd.errors import EngineError, PictureUnreadable
from guyverd.faces import worker
from guyverd.faces.worker import another_part

CHILDREN = "JOBS_CHILDREN"
"""The environment's name for a file that tells which processes jobs have left."""

kept: list[bytearray] = []
started: list[int] = []


def note_start() -> None:
    started.append(os.getpid())


def fail_to_start() -> None:
    raise EngineError(detail="no weights here")


class Unpicklable(Exception):
    def __init__(self, first: str, second: Callable[[], None]) -> None:
        super().__init__(first)
        self.second = second


class Misleading(Exception):
    """Pickles, but cannot be unpickled: its arguments are not those of its constructor."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)


def work(job: str) -> object:
    """Do what `job` names."""
    return _JOBS[job]()


def _disk_priority() -> int | None:
    """(class << 13) | level, by ioprio_get; None where its number is not known here."""
    number = {"x86_64": 252, "aarch64": 31}.get(os.uname().machine)
    return None if number is None else int(ctypes.CDLL(None).syscall(number, 1, 0))


def _facts() -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "starts": list(started),
        "nice": os.nice(0),
        "memory": resource.getrlimit(resource.RLIMIT_AS),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "sigint": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "disk": _disk_priority(),
        "stderr": os.readlink("/proc/self/fd/2"),
        "native threads": len(os.listdir("/proc/self/task")),
        "oom": int(open("/proc/self/oom_score_adj", encoding="ascii").read()),
    }


def _loop() -> None:
    while True:
        pass


def _c_loop() -> None:
    # Holds the interpreter's lock all the while: no Python signal handler could run.
    ctypes.PyDLL(None).pause()


def _abort() -> None:
    os.abort()


def _segfault() -> None:
    ctypes.string_at(0)


def _exit() -> None:
    sys.exit(3)


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _huge() -> float:
    return float(np.zeros(50_000_000_000, np.uint8).sum())


def _raise() -> None:
    raise PictureUnreadable(path="a.jpg", detail="it is broken")


def _value_error() -> None:
    raise ValueError("seven")


def _unpicklable() -> None:
    raise Unpicklable("cannot travel", lambda: None)


def _misleading() -> None:
    raise Misleading("cannot", "travel")


def _unpicklable_result() -> object:
    return lambda: None


def _nap() -> int:
    time.sleep(0.2)
    return os.getpid()


def _grow() -> int:
    """Keep 40 MB more than before."""
    kept.append(bytearray(b"x") * 40_000_000)
    return os.getpid()


def _swell() -> int:
    """Need 400 MB in pieces, and none of it afterwards."""
    pieces = [bytearray(b"x") * 100_000 for _ in range(4000)]
    del pieces
    return os.getpid()


def _parts() -> int:
    """Take long, in parts that do not."""
    for _ in range(4):
        another_part()
        time.sleep(0.6)
    return os.getpid()


def _doze() -> str:
    """Take 1.2 seconds of the processor's time, so that none is won while it is stopped."""
    until = time.process_time() + 1.2
    while time.process_time() < until:
        pass
    return "dozed"


def _long_part() -> None:
    another_part()
    another_part()
    time.sleep(60)


def child() -> int:
    """A process of its own that outlives the job, with all that the worker has open; its pid goes to a file."""
    pid = os.fork()
    if not pid:
        time.sleep(600)
        os._exit(0)
    with open(os.environ[CHILDREN], "a", encoding="ascii") as file:
        file.write(f"{pid}\n")
    return pid


def _child_and(then: Callable[[], object]) -> Callable[[], object]:
    def job() -> object:
        child()
        return then()

    return job


def _says(data: bytes, then: Callable[[], object]) -> Callable[[], object]:
    """Write that to the parent as it is, as a worker might whose memory is damaged."""

    def job() -> object:
        assert worker._line is not None
        worker._line._socket.sendall(data)
        return then()

    return job


def _touched() -> int:
    """Take memory and use it until there is no more."""
    pieces: list[bytearray] = []
    while True:
        pieces.append(bytearray(b"x") * 50_000_000)


def _deaf() -> None:
    """Hear no signal that can be ignored, and sleep."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(600)


_JOBS: dict[str, Callable[[], object]] = {
    "facts": _facts,
    "loop": _loop,
    "c loop": _c_loop,
    "abort": _abort,
    "segfault": _segfault,
    "exit": _exit,
    "killed": _killed,
    "huge": _huge,
    "raise": _raise,
    "value error": _value_error,
    "unpicklable": _unpicklable,
    "misleading": _misleading,
    "unpicklable result": _unpicklable_result,
    "nap": _nap,
    "grow": _grow,
    "swell": _swell,
    "parts": _parts,
    "long part": _long_part,
    "doze": _doze,
    "long answer": lambda: b"0123456789" * 3_000_000,
    "child": child,
    "child and crash": _child_and(_segfault),
    "child and hang": _child_and(_loop),
    "child and exit": _child_and(lambda: os._exit(7)),
    "endless answer": _says(worker.HEAD.pack(1 << 40), _loop),
    "half an answer": _says(worker.HEAD.pack(1000) + b"s" * 10, _loop),
    "no answer": _says(worker.HEAD.pack(0), _loop),
    "nonsense": _says(worker.HEAD.pack(5) + b"s\x80\x04?!", _loop),
    "touched": _touched,
    "deaf": _deaf,
}
