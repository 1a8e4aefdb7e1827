"""How many workers the machine has room for, on control groups made up here."""

from __future__ import annotations

import os
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


def test_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5})
    assert cores(make(tmp_path, {**IN_V2, f"{V2}/cpu.max": "400000 100000\n"})) == 2


@given(text=st.text(st.characters(max_codepoint=127), max_size=60))
def test_nothing_the_kernel_says_raises(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.getbasetemp() / "odd"
    assert 1 <= cores(make(root, {"proc/self/cgroup": text, f"{V2}/cpu.max": text})) <= 8
    assert 1 <= cores(make(root, {**IN_V2, f"{V2}/a.slice/cpu.max": text})) <= 8


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
