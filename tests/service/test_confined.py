"""The daemon within the walls of its systemd units: read-only disk, no privileges, few system calls, no network."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from guyverd import config_file
from guyverd.service.access import open_library
from tests import confined
from tests.service.conftest import ASTRONAUT, HOPPER, copy, eventually, place, tree
from tests.service.test_people_folder_paths import everything

UNITS = Path(__file__).parent.parent.parent / "systemd"
BOTH = pytest.mark.parametrize(
    "unit",
    [
        pytest.param(UNITS / "guyverd@.service", id="system"),
        pytest.param(UNITS / "guyverd.service", id="user", marks=pytest.mark.torture),
    ],
)
pytestmark = [
    pytest.mark.promise("units"),
    pytest.mark.skipif(confined.unmet() is not None, reason=str(confined.unmet())),
]


class Confined:
    """A home, in which programs run as the unit has them run."""

    def __init__(self, unit: Path, home: Path) -> None:
        self.unit = unit
        self.home = home
        for folder in (".local/share/guyverd", "People", "run", "cache", "Pictures"):
            (home / folder).mkdir(parents=True)
            (home / folder).chmod(0o700)
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / ".local" / "share"),
            "RUNTIME_DIRECTORY": str(home / "run"),
            "CACHE_DIRECTORY": str(home / "cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.environment.pop("XDG_RUNTIME_DIR", None)

    def begun(self, *program: str, **more: str) -> subprocess.Popen[str]:
        command = confined.command(self.unit, self.home, [sys.executable, *program])
        return subprocess.Popen(
            command,
            env={**self.environment, **more},
            cwd=Path(__file__).parent.parent.parent,
            stdout=subprocess.PIPE,
            stderr=(self.home / "log").open("ab"),
            text=True,
        )

    def done(self, program: str) -> str:
        process = self.begun("-c", program)
        told, _ = process.communicate(timeout=60)
        assert process.returncode == 0, (self.home / "log").read_text()
        return told


@pytest.fixture
def walls(unit: Path, short_path: Path) -> Confined:
    return Confined(unit, short_path / "home")


PROBE = """
import ctypes, json, mmap, os, resource, socket
home = os.environ["HOME"]
told = {}
def attempt(name, what):
    try:
        what()
        told[name] = "done"
    except OSError as problem:
        told[name] = os.strerror(problem.errno)
def write(path):
    with open(path, "w") as file:
        file.write("x")
attempt("photos", lambda: write(home + "/Pictures/x"))
attempt("home", lambda: write(home + "/x"))
attempt("etc", lambda: write("/etc/guyverd-was-here"))
attempt("people", lambda: write(home + "/People/x"))
attempt("state", lambda: write(home + "/.local/share/guyverd/x"))
attempt("runtime", lambda: write(home + "/run/x"))
attempt("tmp", lambda: write("/tmp/x"))
attempt("internet", lambda: socket.socket(socket.AF_INET))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt("unix", lambda: socket.socket(socket.AF_UNIX))
attempt("writable code", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))
libc = ctypes.CDLL(None, use_errno=True)
def called(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)
attempt("namespace", lambda: called("unshare", 0x10000000))
attempt("mount", lambda: called("mount", b"none", b"/mnt", b"tmpfs", 0, None))
attempt("ptrace", lambda: called("ptrace", 16, os.getppid(), 0, 0))
attempt("chown", lambda: os.chown(home + "/run/x", 1, 1))
attempt("setuid", lambda: os.setuid(1))
attempt("suid", lambda: os.chmod(home + "/run/x", 0o4755))
attempt("realtime", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
told["mode"] = oct(os.stat(home + "/People/x").st_mode & 0o777)
told["core"] = resource.getrlimit(resource.RLIMIT_CORE)[0]
status = open("/proc/self/status").read().split()
told["privileges"] = [status[status.index(key) + 1] for key in ("NoNewPrivs:", "Seccomp:", "CapEff:", "CapBnd:")]
print(json.dumps(told))
"""
CLOSED = "Read-only file system"
FORBIDDEN = "Operation not permitted"


@BOTH
def test_the_walls_hold(walls: Confined) -> None:
    """What is tested within them would mean nothing without."""
    told = json.loads(walls.done(PROBE))
    assert told == {
        **dict.fromkeys(("photos", "home", "etc"), CLOSED),
        **dict.fromkeys(("people", "state", "runtime", "tmp", "unix"), "done"),
        **dict.fromkeys(("internet", "netlink"), "Address family not supported by protocol"),
        **dict.fromkeys(("writable code", "namespace", "mount", "ptrace", "chown", "setuid", "suid"), FORBIDDEN),
        "realtime": FORBIDDEN,
        "mode": "0o600",
        "core": 0,
        "privileges": ["1", "2", "0" * 16, "0" * 16],
    }


@BOTH
@pytest.mark.promise("read-only")
@pytest.mark.timeout(300)
def test_a_whole_session_within_them(walls: Confined, negatives: Path, tmp_path: Path) -> None:
    """Photos are read by workers, people named, folders kept, new photos seen; the photos are as they were."""
    photos = copy(negatives, walls.home / "Pictures")
    path, people = walls.home / "config.yaml", walls.home / "People"
    state = walls.home / ".local" / "share" / "guyverd" / "default"
    path.write_text(
        f"photos: [{photos}]\npeople: {people}\nstate: {state}\n"
        "watch: {quiet: 300 ms, ceiling: 3 s, poll: 1 s}\nworkers: {count: 2}\n"
    )
    before = everything(photos)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(walls.home / "notify"))
        supervisor.settimeout(120)
        more = {"NOTIFY_SOCKET": str(walls.home / "notify"), "WATCHDOG_USEC": "6000000"}
        daemon = walls.begun("-m", "guyverd", "--config", str(path), "run", **more)
        try:
            told = b""
            while b"READY=1" not in told:
                told = supervisor.recv(4096)
            _is_confined(daemon.pid)
            _live(path, photos, negatives, people, tmp_path)
            while b"WATCHDOG=1" not in supervisor.recv(4096):
                pass
            daemon.terminate()
            assert daemon.wait(timeout=30) == 0
        finally:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()
    after = everything(photos)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {str(photos / "later.jpg")}
    assert "Traceback" not in (walls.home / "log").read_text()
    written = {item.name for item in walls.home.iterdir()}
    assert written == {".local", "People", "run", "cache", "Pictures", "config.yaml", "log", "notify"}


def _is_confined(pid: int) -> None:
    status = Path(f"/proc/{pid}/status").read_text().split()
    told = [status[status.index(key) + 1] for key in ("NoNewPrivs:", "Seccomp:", "CapEff:", "CapBnd:")]
    assert told == ["1", "2", "0" * 16, "0" * 16]


def _live(path: Path, photos: Path, negatives: Path, people: Path, tmp_path: Path) -> None:
    """What a user does, from outside of the walls."""
    with open_library(config_file.load(path)) as library:
        eventually(lambda: not library.progress()["busy"] and library.status()["counts"]["people"] == 2, 120)
        assert library.status()["counts"]["failures"] == 0
        # Behind the walls nobody sees this folder for temporary files: the picture is handed over.
        outside = shutil.copy(photos / f"{ASTRONAUT}1.jpg", tmp_path / "outside.jpg")
        (face,) = library.who(str(outside))["faces"]
        library.name(str(face["person"]["id"]), "Eileen")
        assert len(tree(people)["Eileen"]) == 5
        with Image.open(negatives / f"{HOPPER}2.jpg") as opened:
            opened.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "later.jpg")
        place(tmp_path / "later.jpg", photos / "later.jpg")
        eventually(lambda: any("later.jpg" in links for links in tree(people).values()), 60)
        assert all(row["ok"] for row in library.check()["checks"])
        assert library.folders()["state"] == "kept"
