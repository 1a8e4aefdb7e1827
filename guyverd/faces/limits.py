"""What a worker process may take, what it holds, and how many of them the machine has room for."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import platform
import resource
import signal
import threading
from collections.abc import Iterator

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
EACH = 600e6
"""Bytes of memory to reckon with for a worker: photos of 12 MP take less, of 100 MP somewhat more."""
_NICE = 10
_OOM = 500
"""Thousandths of the machine's memory that a worker counts for beyond what it holds, when the kernel runs out of it and
chooses whom to kill: a worker rather than the daemon, or anybody's work."""
_PR_SET_PDEATHSIG = 1
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "ppc64le": 273, "s390x": 282, "armv7l": 314, "i686": 289}
_IOPRIO_WHO_PROCESS = 1
_BEST_EFFORT_LAST = (2 << 13) | 7
"""The lowest place of the class every program is in. Idle, the class below, may wait without end on a busy disk."""


def environment() -> dict[str, str]:
    """This process's environment, as a worker should have it; what the user set stands.

    Numeric libraries use one thread: there is a worker per core already, and each thread's stack and buffers count
    against its memory. They and the allocator look at it when they load, so it must be there from the start.
    """
    return {**dict.fromkeys(_THREADS, "1"), **os.environ}


def restrain(parent: int, memory: float, gentle: bool) -> None:
    """Bind this process: it dies with `parent`, takes at most `memory` bytes of address space, leaves no core file.

    With `gentle` every other program goes first. Where memory runs out it is the first to be killed. Ctrl-C is the
    parent's to hear; SIGTERM ends the process at once, also in the middle of C code.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with(parent)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_AS, int(memory))
    _die_first()
    _silence()
    if gentle:
        go_last()


def go_last() -> None:
    """Let every other program go before this thread, and what it starts, at the processor and at the disk."""
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + _NICE))
    _last_at_the_disk()


def resting() -> int:
    """Bytes of memory this process holds now; 0 where that is not told."""
    fields = _read("/", "proc/self/statm").split()
    return int(fields[1]) * resource.getpagesize() if len(fields) > 1 else 0


def peak() -> int:
    """The most bytes of memory this process ever held; 0 where that is not told."""
    # The kernel's own figure for this program: ru_maxrss begins with what the parent held when it forked.
    for line in _read("/", "proc/self/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def give_back() -> None:
    """Return to the system what was freed: the allocator keeps it for itself, in the shape of the largest picture."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def cores(root: str = "/") -> int:
    """Processor cores this process may use: its affinity, and the CPU quota of its control groups where lower.

    `root` is where /proc and /sys are found.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = min(_quotas(root), default=math.inf)
    return max(1, min(usable, math.floor(quota) if math.isfinite(quota) else usable))


def memory(root: str = "/") -> float:
    """Bytes of memory there are for this process and its like: the machine's, or its control groups' where lower."""
    found = [math.inf]
    for line in _read(root, "proc/meminfo").splitlines():
        fields = line.split()
        if line.startswith("MemTotal:") and fields[1].isdecimal():
            found.append(int(fields[1]) * 1024.0)
    for folder, version in _groups(root, "memory"):
        limit = _read(root, f"{folder}/{'memory.max' if version == 2 else 'memory.limit_in_bytes'}").strip()
        # No limit is "max" in version 2, a number beyond all memory in version 1.
        if limit.isdecimal() and int(limit) > 0:
            found.append(float(limit))
    return min(found)


def workers(root: str = "/") -> int:
    """How many workers there is room for: one for each core, as long as three quarters of the memory hold them."""
    room = 0.75 * memory(root) / EACH
    return max(1, min(cores(root), math.floor(room) if math.isfinite(room) else cores(root)))


def _quotas(root: str) -> Iterator[float]:
    """The quotas, in cores, of the group this process is in and of every group around it."""
    for folder, version in _groups(root, "cpu"):
        if version == 2:
            quota, _, period = _read(root, f"{folder}/cpu.max").strip().partition(" ")
        else:
            quota = _read(root, f"{folder}/cpu.cfs_quota_us").strip()
            period = _read(root, f"{folder}/cpu.cfs_period_us").strip()
        # No limit is "max" in version 2, -1 in version 1.
        if quota.isdecimal() and period.isdecimal() and int(period) > 0:
            yield int(quota) / int(period)


def _groups(root: str, controller: str) -> Iterator[tuple[str, int]]:
    """The folders of the control group this process is in and of every group around it, each with its version."""
    for line in _read(root, "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            base, version = "sys/fs/cgroup", 2
        elif controller in controllers.split(","):
            base, version = f"sys/fs/cgroup/{controller}", 1
        else:
            continue
        parts = [part for part in path.split("/") if part and part != ".."]
        for depth in range(len(parts), -1, -1):
            yield "/".join([base, *parts[:depth]]), version


def _read(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path), encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _die_with(parent: int) -> None:
    _die_with_whoever_made_us()
    # The kernel's promise is not inherited.
    os.register_at_fork(after_in_child=_die_with_whoever_made_us)
    # It may have died before the kernel was told.
    if os.getppid() != parent:
        os._exit(1)


def _die_with_whoever_made_us() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _die_first() -> None:
    with contextlib.suppress(OSError, ValueError), open("/proc/self/oom_score_adj", "r+", encoding="ascii") as file:
        score = min(1000, int(file.read()) + _OOM)
        file.seek(0)
        file.write(str(score))


def _lower(what: int, limit: int) -> None:
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(what, (limit, limit))


def _silence() -> None:
    """C libraries print their complaints about a picture; what matters comes back as an exception."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)


def _last_at_the_disk() -> None:
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).syscall(number, _IOPRIO_WHO_PROCESS, 0, _BEST_EFFORT_LAST)
