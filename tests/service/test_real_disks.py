"""A daemon with real faces on small disks that fill up and become read-only under it, in a namespace of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

SCRIPT = """
import os, subprocess, sys
from pathlib import Path
from guyverd import config_file
from guyverd.service.access import open_library
from tests.service.conftest import ASTRONAUT, HOPPER, Daemon, copy, eventually, groups, place, tree
from tests.service.test_scan import EVERYBODY

base, negatives = Path(sys.argv[1]), Path(sys.argv[2])
photos, state, people = base / "photos", base / "state", base / "People"
for folder in (photos, state, people):
    folder.mkdir()
    folder.chmod(0o700)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "none", state], check=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=200,mode=755", "none", people], check=True)
path = base / "config.yaml"
path.write_text(
    f"photos: [{photos}]\\npeople: {people}\\nstate: {state}\\n"
    "watch: {quiet: 300 ms, ceiling: 3 s, poll: 1 s}\\nworkers: {count: 1}\\n"
)
config = config_file.load(path)

def fill(folder):
    with (folder / ".fill").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass

def inodes(folder):
    (folder / ".many").mkdir()
    number = 0
    while True:
        try:
            (folder / ".many" / str(number)).touch()
        except OSError:
            return
        number += 1

def notices():
    with open_library(config) as library:
        return " ".join(library.status()["notices"])

def sound():
    with open_library(config) as library:
        return [row for row in library.check()["checks"] if not row["ok"]]

daemon = Daemon(path, base)
try:
    daemon.told("READY=1")

    # The state folder is full, and there is more to write than fits into what its files have already.
    fill(state)
    copy(negatives, photos, f"{ASTRONAUT}*.jpg")
    (photos / "more").mkdir()
    for number in range(6000):
        (photos / "more" / f"{number}.jpg").touch()
    eventually(lambda: "full" in notices(), 120)
    assert daemon.process.poll() is None
    for file in (photos / "more").iterdir():
        file.unlink()
    (state / ".fill").unlink()
    eventually(lambda: len(groups(people)) == 1 and notices() == "", 90)

    # Then the people folder has no room for a link more.
    inodes(people)
    copy(negatives, photos)
    eventually(lambda: "its disk is full" in notices(), 60)
    with open_library(config) as library:
        assert library.status()["counts"]["faces"] == 10, "the rest goes on"
    for file in (people / ".many").iterdir():
        file.unlink()
    (people / ".many").rmdir()
    eventually(lambda: groups(people) == EVERYBODY and notices() == "", 90)

    # Then it can only be read. What is said meanwhile is heard.
    subprocess.run(["mount", "-o", "remount,ro", people], check=True)
    with open_library(config) as library:
        somebody = next(row["person"] for row in library.faces() if ASTRONAUT in row["files"][0])
        assert library.name(str(somebody), "Eileen")["decision"] is not None
    eventually(lambda: "read-only" in notices(), 60)
    assert "Eileen" not in tree(people)
    subprocess.run(["mount", "-o", "remount,rw", people], check=True)
    eventually(lambda: "Eileen" in tree(people) and notices() == "", 90)

    assert groups(people) == EVERYBODY
    assert sound() == []
    assert daemon.stop() == 0
    log = daemon.log.read_text()
    assert "Traceback" not in log, log
except BaseException:
    print(daemon.log.read_text()[-4000:], file=sys.stderr)
    raise
finally:
    if daemon.process.poll() is None:
        daemon.process.kill()
"""


@pytest.mark.promise("disk")
@pytest.mark.torture
@pytest.mark.timeout(900)
def test_disks_fill_up_and_become_read_only_under_a_daemon(short_path: Path, negatives: Path) -> None:
    prefix = ["unshare", "-Urm"]
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    probe = subprocess.run([*prefix, "mount", "-t", "tmpfs", "none", str(short_path)], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine does not allow `unshare -Urm mount -t tmpfs`")
    done = subprocess.run(
        [*prefix, sys.executable, "-c", SCRIPT, str(short_path), str(negatives)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert done.returncode == 0, done.stderr
