"""Every benchmark runs on its smallest input and prints its table; what it measured is nobody's promise here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ARGUMENTS = {"photos.py": ["--no-cnn"], "library.py": ["--peer"]}
SAYS = {
    "clustering.py": ["pairwise F", "one photo among 4,000", "3,000"],
    "cold.py": ["guyverd --help", "guyverd people, no daemon", "guyverd people, a daemon answers"],
    "detector.py": ["dlib, CNN", "ours, CNN", "ours against dlib as installed", "the boxes of the two are the same"],
    "embedding.py": ["dlib", "ours against dlib as installed, faces/s", "ours against sgemm, GFLOP/s"],
    "folders.py": ["made from nothing", "one new photo of two people with few", "read back, nothing done there"],
    "library.py": ["guyverd, 2 workers", "face_recognition (HOG), 1 process", "faces"],
    "million.py": ["first comparison", "slowest `status`", "2,000 files, 2,000 photos"],
    "people.py": ["set", "BCubed F", "portraits", "1.000"],
    "photos.py": ["face_recognition (HOG)", "guyverd against face_recognition (HOG)"],
    "rescan.py": ["photo files opened", "worker processes seen", "IMG_000000.jpg"],
    "search.py": ["memory for a face", "search, from socket to answer, median", "workers rest"],
    "videos.py": ["for a second of processor time", "decoding, all frames", "looking for faces"],
    "workers.py": ["workers", "memory of one worker"],
}


@pytest.mark.parametrize("name", SAYS)
def test_it_prints_its_table(name: str, short_path: Path) -> None:
    if name == "library.py":
        pytest.importorskip("face_recognition")
    more = ["--workers", "2"] if name == "library.py" else []
    done = subprocess.run(
        [sys.executable, f"benchmarks/{name}", "--quick", *ARGUMENTS.get(name, []), *more],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(short_path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for words in SAYS[name]:
        assert words in done.stdout
    assert re.search(r"cores, \d+ GB.*\d{4}-\d\d-\d\d\nPython 3", done.stdout), "on what it was measured"
    assert list(short_path.glob("guyverd-bench-*")) == [], "nothing is left behind"
    if name == "rescan.py":
        for what in ("photo files opened", "photos read", "worker processes seen"):
            assert re.search(rf"^{what} +0 +<= 0 +met$", done.stdout, re.M), done.stdout
        assert "100 files found in" in done.stdout


def test_every_command_among_the_benchmarks_is_tested_here() -> None:
    commands = {path.name for path in (ROOT / "benchmarks").glob("*.py") if "\nif __name__ ==" in path.read_text()}
    assert set(SAYS) <= commands
    # The table of detectors has its own way to be small.
    assert commands - set(SAYS) <= {"detection.py"}
