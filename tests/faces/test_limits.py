"""How many workers the machine has room for, on control groups made up here."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.faces import limits
from guyverd.faces.limits import cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


def make(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return str(root)


V2 = "sys/fs/cgroup"
V1 = "sys/fs/cgroup/cpu"
IN_V2 = {"proc/self/cgroup": "0::/a.slice/b.service\n"}
IN_V1 = {"proc/self/cgroup": "7:memory:/x\n4:cpu,cpuacct:/box\n"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        (IN_V2, 8),
        ({**IN_V2, f"{V2}/a.slice/b.service/cpu.max": "max 100000\n"}, 8),
        ({**IN_V2, f"{V2}/a.slice/b.service/cpu.max": "300000 100000\n"}, 3),
        ({**IN_V2, f"{V2}/a.slice/b.service/cpu.max": "250000 100000\n"}, 2),
        ({**IN_V2, f"{V2}/a.slice/b.service/cpu.max": "20000 100000\n"}, 1),
        ({**IN_V2, f"{V2}/a.slice/b.service/cpu.max": "9900000 100000\n"}, 8),
        # The narrowest group around it counts, not the nearest.
        ({**IN_V2, f"{V2}/a.slice/b.service/cpu.max": "600000 100000\n", f"{V2}/a.slice/cpu.max": "200000 100000"}, 2),
        ({**IN_V2, f"{V2}/cpu.max": "400000 100000\n"}, 4),
        ({**IN_V2, f"{V2}/a.slice/other.service/cpu.max": "100000 100000\n"}, 8),
        ({**IN_V2, f"{V2}/a.slice/cpu.max": "100000 0\n"}, 8),
        ({**IN_V1, f"{V1}/box/cpu.cfs_quota_us": "-1\n", f"{V1}/box/cpu.cfs_period_us": "100000\n"}, 8),
        ({**IN_V1, f"{V1}/box/cpu.cfs_quota_us": "500000\n", f"{V1}/box/cpu.cfs_period_us": "100000\n"}, 5),
        # In a container the path is the host's, and only the mount's own root is there.
        ({**IN_V1, f"{V1}/cpu.cfs_quota_us": "150000\n", f"{V1}/cpu.cfs_period_us": "50000\n"}, 3),
    ],
)
def test_quotas(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    assert cores(make(tmp_path, files)) == expected


GB = 1_000_000_000
HOST = {"proc/meminfo": "MemFree: 1 kB\nMemTotal:       16000000 kB\n"}


@pytest.mark.parametrize(
    ("files", "memory", "workers"),
    [
        ({}, float("inf"), 8),
        (HOST, 16_384_000_000, 8),
        ({"proc/meminfo": "MemTotal: 4000000 kB\n"}, 4_096_000_000, 5),
        ({"proc/meminfo": "MemTotal: 500000 kB\n"}, 512_000_000, 1),
        ({"proc/meminfo": "MemTotal: lots\n"}, float("inf"), 8),
        ({**HOST, **IN_V2, f"{V2}/a.slice/b.service/memory.max": "max\n"}, 16_384_000_000, 8),
        ({**HOST, **IN_V2, f"{V2}/a.slice/memory.max": f"{2 * GB}\n"}, 2 * GB, 2),
        ({**HOST, **IN_V2, f"{V2}/a.slice/memory.max": f"{99 * GB}\n"}, 16_384_000_000, 8),
        ({**HOST, **IN_V1, "sys/fs/cgroup/memory/x/memory.limit_in_bytes": f"{GB}\n"}, GB, 1),
        ({**HOST, **IN_V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 16_384_000_000, 8),
        ({**HOST, **IN_V2, f"{V2}/cpu.max": "300000 100000\n", f"{V2}/memory.max": f"{20 * GB}"}, 16_384_000_000, 3),
    ],
)
def test_room(tmp_path: Path, files: dict[str, str], memory: float, workers: int) -> None:
    root = make(tmp_path, files)
    assert limits.memory(root) == memory
    assert limits.workers(root) == workers


def test_a_thread_that_goes_last_leaves_the_others_where_they_were() -> None:
    found: list[int] = []

    def go() -> None:
        before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        limits.go_last()
        found.extend((before, os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))

    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    assert found == [own, min(19, own + 10)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own


def test_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5})
    assert cores(make(tmp_path, {**IN_V2, f"{V2}/cpu.max": "400000 100000\n"})) == 2


@given(text=st.text(st.characters(max_codepoint=127), max_size=60))
def test_nothing_the_kernel_says_raises(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.getbasetemp() / "odd"
    assert 1 <= cores(make(root, {"proc/self/cgroup": text, f"{V2}/cpu.max": text})) <= 8
    assert 1 <= cores(make(root, {**IN_V2, f"{V2}/a.slice/cpu.max": text})) <= 8
    assert 1 <= limits.workers(make(root, {**IN_V2, f"{V2}/a.slice/memory.max": text, "proc/meminfo": text})) <= 8


def test_the_users_own_number_of_threads_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    found = limits.environment()
    assert (found["OMP_NUM_THREADS"], found["OPENBLAS_NUM_THREADS"]) == ("3", "1")
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_what_a_process_holds_is_told() -> None:
    before = limits.resting()
    held = bytearray(os.urandom(1)) * 50_000_000
    assert limits.resting() - before > 45_000_000
    del held
    limits.give_back()
    assert limits.resting() - before < 25_000_000
    assert limits.peak() - before > 45_000_000
