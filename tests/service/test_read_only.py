"""Photos are only ever read: nothing below the roots changes, whatever is done, and read-only mounts are enough."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.conftest import ASTRONAUT, HOPPER, copy
from tests.service.sacred import WATCH
from tests.service.test_people_folder_paths import everything

pytestmark = pytest.mark.promise("read-only")

TOP = Path(__file__).parent.parent.parent
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def can_mount() -> bool:
    """Whether a namespace with mounts of our own can be had."""
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", READ_ONLY, "/usr", "true"], capture_output=True, check=False, timeout=60
    )
    return done.returncode == 0


@pytest.fixture
def photos(tmp_path: Path, negatives: Path) -> Path:
    """All kinds of things that lie among photos."""
    folder = copy(negatives, tmp_path / "photos")
    for who in (ASTRONAUT, HOPPER):
        copy(negatives, folder / "labelled" / who, f"{who}*.jpg")
    (folder / f"{ASTRONAUT}0.mov").write_bytes(b"the video of a live photo")
    (folder / f"{ASTRONAUT}0.xmp").write_bytes(b"<x:xmpmeta/>")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / "link.jpg").symlink_to(f"{ASTRONAUT}0.jpg")
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"\xff\xd8 none either")
    for path in folder.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    return folder


@pytest.fixture
def config(photos: Path, short_path: Path) -> Path:
    """A config in a folder with room for sockets; the files beside it are those of the session."""
    path = short_path / "config.yaml"
    path.write_text(
        f"photos: [{photos}]\npeople: {short_path / 'People'}\nstate: {short_path / 'state'}\n"
        "watch: {quiet: 300 ms, ceiling: 3 s, poll: 1 s}\nworkers: {count: 2}\n"
    )
    return path


def session(config: Path, photos: Path, *kinds: str, read_only: bool) -> list[str]:
    """What was noted of a session in which everything is watched; it has to come to its end."""
    watch, log = config.parent / "watch", config.parent / "noted"
    watch.mkdir()
    (watch / "sitecustomize.py").write_text(WATCH)
    environment = {
        **os.environ,
        "PYTHONPATH": str(watch),
        "SACRED": str(photos),
        "SACRED_LOG": str(log),
        "HOME": str(config.parent),
        "XDG_RUNTIME_DIR": str(config.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("RUNTIME_DIRECTORY", None)
    program = [sys.executable, "-m", "tests.service.sacred", str(config), *kinds]
    if read_only:
        program = ["unshare", "-Urm", "sh", "-c", READ_ONLY, str(photos), *program]
    done = subprocess.run(program, env=environment, cwd=TOP, capture_output=True, text=True, check=False, timeout=800)
    daemon = config.parent / "out" / "log"
    assert done.returncode == 0, done.stdout + done.stderr + (daemon.read_text() if daemon.exists() else "")
    assert "Traceback" not in daemon.read_text()
    return log.read_text().splitlines()


def unchanged(photos: Path, before: dict[str, tuple[int, int, int]]) -> None:
    """The time of the last change of each inode cannot be set back: not a byte, name, right or time was touched."""
    assert everything(photos) == before


@pytest.mark.torture
@pytest.mark.timeout(300)
def test_a_session_on_photos_that_are_mounted_read_only(photos: Path, config: Path) -> None:
    """And nothing that would be refused there is even tried."""
    if not can_mount():
        pytest.skip("no namespace with mounts of its own can be had here")
    before = {**everything(photos), **everything(photos.parent)}
    noted = session(config, photos, read_only=True)
    assert [line for line in noted if not line.startswith("begun ")] == []
    assert len(noted) >= 4, "the session, the daemon and its workers were watched"
    assert {**everything(photos), **everything(photos.parent)} == before


@pytest.mark.torture
@pytest.mark.timeout(900)
@pytest.mark.parametrize("read_only", [True, False])
def test_every_kind_of_link_and_command_leaves_photos_as_they_are(photos: Path, config: Path, read_only: bool) -> None:
    """Also where they could be written. A hard link changes how many names a file has, by the user's wish, no more."""
    if read_only and not can_mount():
        pytest.skip("no namespace with mounts of its own can be had here")
    kinds = ["relative", "absolute", "copy"]
    before = everything(photos)
    content = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    noted = session(config, photos, *kinds, read_only=read_only)
    assert [line for line in noted if not line.startswith("begun ")] == []
    unchanged(photos, before)
    assert content == {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_hard_links_change_nothing_but_the_number_of_names(photos: Path, config: Path, tmp_path: Path) -> None:
    text = config.read_text().replace(f"people: {config.parent}", f"people: {tmp_path}")
    config.write_text(text)
    kept = {path: (path.read_bytes(), path.lstat()) for path in photos.rglob("*") if path.is_file()}
    noted = session(config, photos, "hard", read_only=False)
    assert [line for line in noted if not line.startswith("begun ")] == []
    for path, (data, status) in kept.items():
        now = path.lstat()
        assert path.read_bytes() == data
        assert (now.st_ino, now.st_mtime_ns, now.st_mode, now.st_uid) == (
            status.st_ino,
            status.st_mtime_ns,
            status.st_mode,
            status.st_uid,
        )


def test_whatever_could_change_something_would_be_noted(photos: Path, tmp_path: Path) -> None:
    """The watch above is worth something."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    deeds = [
        "open(p + '/astronaut0.jpg', 'r+b')",
        "os.open(p + '/new', os.O_CREAT | os.O_WRONLY)",
        "os.utime(p + '/astronaut0.jpg')",
        "os.chmod(p + '/astronaut0.jpg', 0o644)",
        "os.chmod(p, 0o755)",
        "os.rename(p + '/astronaut0.jpg', p + '/b')",
        "os.rename('b', p + '/astronaut0.jpg', src_dir_fd=os.open(p, os.O_RDONLY))",
        "os.link(p + '/astronaut0.jpg', p + '/c')",
        "os.symlink('x', p + '/d')",
        "os.mkdir(p + '/e')",
        "os.rmdir(p + '/e')",
        "os.unlink(p + '/c')",
        "os.truncate(p + '/astronaut0.jpg', 10)",
        "open(o + '/through', 'a')",
    ]
    (tmp_path / "through").symlink_to(photos / "astronaut1.jpg")
    program = "import os\n" + "".join(f"p, o = {str(photos)!r}, {str(tmp_path)!r}; {deed}\n" for deed in deeds)
    program += f"open({str(photos)!r} + '/astronaut2.jpg', 'rb'); os.listdir({str(photos)!r}); open('/dev/null', 'w')\n"
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "watch"),
        "SACRED": str(photos),
        "SACRED_LOG": str(tmp_path / "noted"),
    }
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
    noted = [line for line in (tmp_path / "noted").read_text().splitlines() if line.startswith("CHANGES")]
    assert len(noted) == len(deeds), noted
