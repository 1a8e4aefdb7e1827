"""A whole session with a library whose photos may only be read: `python -m tests.service.sacred CONFIG`.

To be run where the photo folders are mounted read-only, or watched by `WATCH`. It starts the daemon and uses every
command that has to do with photos, through it and without it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner
from PIL import Image

from guyverd import config_file
from guyverd.cli import main
from guyverd.config import Config
from guyverd.service.access import open_library
from guyverd.service.api import Library

WATCH = '''
"""Notes every call that could change something below $SACRED, in this process."""
import os, sys
_ROOT, _LOG = os.path.realpath(os.environ["SACRED"]), os.environ["SACRED_LOG"]
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_busy = []

def _note(text):
    file = os.open(_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, (text + "\\n").encode("utf-8", "backslashreplace"))
    os.close(file)

def _below(path, folder=-1, follow=False):
    if isinstance(path, int):
        try:
            path = os.readlink(f"/proc/self/fd/{path}")
        except OSError:
            return False
    path = os.fsdecode(path)
    if not os.path.isabs(path) and isinstance(folder, int) and folder >= 0:
        path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
    path = os.path.abspath(path)
    above, name = os.path.split(path)
    real = os.path.realpath(path) if follow else os.path.join(os.path.realpath(above), name)
    return real == _ROOT or real.startswith(_ROOT + "/")

def _touches(event, a):
    if event == "open":
        return bool((a[2] or 0) & _WRITING) and _below(a[0], follow=True)
    if event in ("os.rename", "os.link"):
        source = event == "os.rename" and _below(a[0], a[2])
        return source or _below(a[1], a[3])
    if event == "os.symlink":
        return _below(a[1], a[2])
    if event in ("os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.utime"):
        through = event in ("os.chmod", "os.chown", "os.utime")
        return _below(a[0], a[-1] if isinstance(a[-1], int) else -1, follow=through)
    if event in ("os.truncate", "os.setxattr", "os.removexattr", "shutil.move", "shutil.rmtree"):
        return _below(a[0], follow=True)
    return False

def _hook(event, arguments):
    if _busy or not (event == "open" or event.startswith(("os.", "shutil."))):
        return
    _busy.append(event)
    try:
        if _touches(event, arguments):
            _note(f"CHANGES {event} {arguments!r}")
    except Exception as problem:
        _note(f"UNSURE {event} {arguments!r}: {problem!r}")
    finally:
        _busy.pop()

_note(f"begun {os.getpid()}")
sys.addaudithook(_hook)
'''


def command(config: Path, *words: str, code: int = 0, given: str = "") -> str:
    """Run a command in this process."""
    done = CliRunner().invoke(main, ["--config", str(config), *words], input=given)
    assert done.exit_code == code, (words, done.exit_code, done.output, done.exception)
    return done.output


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def follow(library: Library) -> None:
    """Wait until a scan is done."""
    library.scan()
    until(lambda: not library.progress()["busy"])


def words(path: Path, config: Config, out: Path) -> None:
    """Everything that can be said and asked, as commands."""
    photos = config.photos[0]
    pictures = sorted(photos.rglob("*.jpg"))
    one, other = (next(str(item) for item in pictures if item.name.startswith(who)) for who in ("astronaut", "hopper"))
    with open_library(config) as library:
        ids = [str(row["id"]) for row in library.people()]
        faces = list(library.faces(ids[0]))
        box = faces[0]["box"]
    command(path, "name", ids[0], "Ada")
    command(path, "name", ids[1], "Bob")
    command(path, "rename", "Bob", "Bob B.")
    command(path, "confirm", "Ada", str(faces[0]["face"]))
    command(path, "reject", "Ada", str(faces[1]["face"]))
    command(path, "undo")
    command(path, "split", "Ada", str(faces[1]["face"]), "--name", "Cy")
    command(path, "merge", "Ada", "Cy")
    command(path, "hide", "Bob B.")
    command(path, "unhide", "Bob B.")
    command(path, "album", "Ada & Bob B.")
    command(path, "who", one)
    command(path, "search", one, "--face", "1", "--copy-to", str(out / "found"))
    command(path, "box", one, *map(str, box), code=6)
    command(path, "export", "Ada", str(out / "export"))
    command(path, "export", "Ada", str(photos / "export"), code=12)
    command(path, "crops", "Ada", "--out", str(out / "crops"))
    command(path, "crops", "Ada", "--out", str(photos / "crops"), code=12)
    kid = out / f"kid {time.monotonic_ns()}"
    command(path, "follow", one, "--face", "1", "--as", "Ada", "--to", str(kid), "--copy", "--past")
    command(path, "follow", "Ada", "--as", "Ada's", "--to", str(photos / "kid"), code=12)
    with open_library(config) as library:
        until(lambda: all(row["delivered"] and not row["waiting"] for row in library.follows()))
    command(path, "unfollow", "Ada")
    command(path, "recluster")
    command(path, "folders", "rebuild")
    for question in ("people", "faces", "log", "failures", "status", "check"):
        command(path, question, "--json")
    command(path, "who", other, "--json")


def backups(path: Path, config: Config, out: Path) -> None:
    """Saved elsewhere, and refused among the photos."""
    command(path, "backup", str(out / "family.tar.gz"))
    done = CliRunner().invoke(main, ["--config", str(path), "backup", str(config.photos[0] / "family.tar.gz")])
    assert done.exit_code != 0
    assert not (config.photos[0] / "family.tar.gz").exists()


def daemon_session(path: Path, config: Config, out: Path) -> None:
    """Through a daemon."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(out / "n"))
        supervisor.settimeout(120)
        program = [sys.executable, "-m", "guyverd", "--config", str(path), "run"]
        with (out / "log").open("ab") as log:
            daemon = subprocess.Popen(
                program, env={**os.environ, "NOTIFY_SOCKET": str(out / "n")}, stderr=log, stdout=log
            )
        try:
            while b"READY=1" not in supervisor.recv(4096):
                pass
            with open_library(config) as library:
                until(lambda: not library.progress()["busy"] and library.status()["counts"]["people"] == 2)
            words(path, config, out)
            # By hand: one of hers is taken away, another is put there.
            own = config.people / "Ada" / "own.jpg"
            with Image.open(next(config.photos[0].rglob("hopper0.jpg"))) as opened:
                opened.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(own)
            next(item for item in (config.people / "Ada").iterdir() if "astronaut3" in item.name).unlink()
            with open_library(config) as library:
                until(lambda: any(row["kind"] == "reject" and row["source"] for row in library.log()))
                follow(library)
            backups(path, config, out)
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(timeout=30) == 0
        finally:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()


def own_session(path: Path, kinds: list[str], out: Path) -> None:
    """Without one: every kind of link, sheets and covers, readings anew, repairs, evaluation."""
    text = path.read_text()
    for links in kinds:
        for layout in ("person", "year"):
            path.write_text(f"{text}folders: {{links: {links}, layout: {layout}, contact_sheet: yes, cover: yes}}\n")
            with open_library(config_file.load(path)) as library:
                follow(library)
                library.folders_rebuild()
    config = config_file.load(path)
    command(path, "scan", "--all")
    command(path, "check", "--repair")
    backups(path, config, out)
    command(path, "recluster", "--apply")
    command(path, "evaluate", str(config.photos[0] / "labelled"), "--no-stability", "--html", str(out / "page.html"))


def run(path: Path, kinds: list[str]) -> None:
    """The session, in a folder of its own beside the config."""
    out = path.parent / "out"
    out.mkdir()
    daemon_session(path, config_file.load(path), out)
    if kinds:
        own_session(path, kinds, out)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
