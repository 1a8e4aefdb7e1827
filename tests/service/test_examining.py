"""The doctor in front of real libraries: well, broken in every way, held by others, hanging."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.config import Config
from guyverd.service.access import open_library
from guyverd.service.api import Row
from guyverd.service.doctor.finding import Finding, Verdict
from guyverd.service.lock import held
from guyverd.service.pipeline.examining import examination, machine, models
from guyverd.service.pipeline.examining.examination import Examination
from guyverd.service.pipeline.examining.tree import walk
from guyverd.watch.scanner import Rules
from tests.service.conftest import Daemon, copy, scan

pytestmark = pytest.mark.promise("report")

WriteConfig = Callable[..., Path]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """One test looks at the models themselves; for the others that would be a waste of seconds."""
    if "models" not in request.node.name:
        monkeypatch.setattr(examination, "models", lambda faces, workers: (None, "onnxruntime cpu"))


def examined(path: Path, **how: float) -> dict[str, Row]:
    found = [finding.told() for finding in Examination(path, **how).findings()]
    assert len({row["name"] for row in found}) == len(found)
    assert all("\n" not in row["detail"] + row["cure"] for row in found)
    return {row["name"]: row for row in found}


def verdicts(rows: dict[str, Row], verdict: str) -> set[str]:
    return {name for name, row in rows.items() if row["verdict"] == verdict}


@pytest.fixture
def path(photos: Path, write_config: WriteConfig) -> Path:
    """The config of a library that was never at work."""
    return write_config(photos)


@pytest.fixture(scope="module")
def well(negatives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config of a library that was; nobody may change it for long."""
    folder = tmp_path_factory.mktemp("well")
    photos = copy(negatives, folder / "photos")
    (photos / "broken.jpg").write_bytes(b"no picture")
    (photos / "empty.png").write_bytes(b"")
    for name in ("astronaut0.nef", "alone.NEF", "x.jxl"):
        (photos / name).write_bytes(b"raw")
    path = folder / "config.yaml"
    path.write_text(f"photos: [{photos}]\npeople: {folder}/People\nstate: {folder}/state\nworkers: {{count: 2}}\n")
    scan(config_file.load(path))
    return path


def like(well: Path, folder: Path, people: Path | None = None) -> Config:
    """The config of a library with a copy of the other's state folder, to be harmed."""
    config = config_file.load(well)
    shutil.copytree(config.state, folder / "state")
    path = folder / "config.yaml"
    path.write_text(
        f"photos: [{config.photos[0]}]\npeople: {people or config.people}\nstate: {folder}/state\n"
        "workers: {count: 2}\n"
    )
    return config_file.load(path)


def test_a_library_that_is_well(well: Path) -> None:
    rows = examined(well)
    assert verdicts(rows, "fault") == set()
    assert verdicts(rows, "unknown") == set()
    assert rows["config"]["detail"] == f"{well} is right"
    assert rows["catalogue"]["detail"].startswith("whole, ")
    assert "faces, exactly as it was saved" in rows["index"]["detail"]
    assert "11 pictures, compared in full" in rows["photo folder 1"]["detail"]
    assert "photos, the first byte after" in rows["photo disk"]["detail"]
    assert "links" in rows["people folder"]["detail"]
    assert rows["codecs"]["verdict"] == "warning"
    assert "1 jxl, 1 nef" in rows["codecs"]["detail"], "the one beside its picture is no loss"
    assert rows["daemon"]["cure"] == "guyverd run"
    assert rows["failures"]["verdict"] == "warning"
    assert rows["failures"]["detail"].startswith("2 files could not be read (1: ")
    assert "the file is empty" in rows["failures"]["detail"]
    state = config_file.load(well).state
    assert not [name for name in os.listdir(state) if "doctor" in name], "nothing is left behind"


def test_before_the_first_run_nothing_is_wrong_and_nothing_is_made(path: Path, tmp_path: Path) -> None:
    before = sorted(os.listdir(tmp_path))
    rows = examined(path)
    assert verdicts(rows, "fault") == set()
    assert rows["state folder"]["detail"].endswith("is made at the first run")
    assert sorted(os.listdir(tmp_path)) == before


def test_without_a_config_it_tells_how_to_get_one(tmp_path: Path) -> None:
    rows = examined(tmp_path / "none.yaml")
    assert verdicts(rows, "fault") == {"config"}
    assert "guyverd init" in rows["config"]["cure"]
    assert {"versions", "memory", "processors"} <= set(rows)


def test_a_config_that_is_wrong_is_told_with_its_line(path: Path) -> None:
    path.write_text(path.read_text() + "\nfoldres: {}\n")
    rows = examined(path)
    assert "unknown key `foldres`; did you mean `folders`?" in rows["config"]["detail"]
    assert rows["config"]["verdict"] == "fault"


def test_a_catalogue_that_is_damaged(well: Path, tmp_path: Path) -> None:
    database = like(well, tmp_path).state / "catalogue.db"
    data = bytearray(database.read_bytes())
    for page in range(4, len(data) // 4096, 2):
        data[4096 * page : 4096 * page + 64] = b"\x5a" * 64
    database.write_bytes(data)
    rows = examined(tmp_path / "config.yaml")
    assert rows["catalogue"]["verdict"] == "fault"
    assert "keep a copy of the file" in rows["catalogue"]["cure"]
    assert "photo folder 1" in rows, "the rest is looked at all the same"


def test_a_catalogue_that_is_none(path: Path, config: Config) -> None:
    config.state.mkdir(mode=0o700)
    (config.state / "catalogue.db").write_bytes(b"this is no catalogue " * 500)
    rows = examined(path)
    assert rows["catalogue"]["verdict"] == "fault"
    assert "not a database" in rows["catalogue"]["detail"]


def test_a_state_folder_that_others_may_write(path: Path, config: Config) -> None:
    config.state.mkdir()
    config.state.chmod(0o777)
    row = examined(path)["state folder"]
    assert row["verdict"] == "fault"
    assert "everybody may write it" in row["detail"]
    assert row["cure"] == f"chmod go-w '{config.state}'"


def test_a_file_in_place_of_the_state_folder(path: Path, config: Config) -> None:
    config.state.write_text("")
    rows = examined(path)
    assert rows["state folder"]["verdict"] == "fault"


def test_a_people_folder_that_is_gone(well: Path, tmp_path: Path) -> None:
    like(well, tmp_path, tmp_path / "Nobody")
    rows = examined(tmp_path / "config.yaml")
    assert rows["people folder"]["verdict"] == "fault"
    assert "check --repair" in rows["people folder"]["cure"]


def test_a_photo_folder_that_is_gone(well: Path) -> None:
    photos = config_file.load(well).photos[0]
    photos.rename(photos.with_name("elsewhere"))
    try:
        rows = examined(well)
    finally:
        photos.with_name("elsewhere").rename(photos)
    assert rows["photo folder 1"]["verdict"] == "fault"
    assert "its people and links stay" in rows["photo folder 1"]["detail"]
    assert rows["photo disk"]["verdict"] == "fault"


def test_an_index_that_is_not_what_was_saved(well: Path, tmp_path: Path) -> None:
    (saved,) = (like(well, tmp_path).state / "index").glob("*.hnsw")
    saved.write_bytes(saved.read_bytes()[:-1] + b"\x00\x01")
    rows = examined(tmp_path / "config.yaml")
    assert rows["index"]["verdict"] == "warning"
    assert "rebuilt from the catalogue" in rows["index"]["detail"]


def test_somebody_else_at_work(path: Path, config: Config) -> None:
    with held(config.state):
        rows = examined(path)
    assert rows["daemon"]["verdict"] == "ok"
    assert f"process {os.getpid()}" in rows["daemon"]["detail"]


def test_a_daemon_that_runs_then_hangs(
    path: Path, start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start(path)
    daemon.told("READY=1")
    rows = examined(path)
    assert verdicts(rows, "fault") == set()
    assert f"the daemon (process {daemon.process.pid}) answers" in rows["daemon"]["detail"]
    assert rows["workers"]["verdict"] == "ok"
    assert "0 watched by other" not in rows["watch limits"]["detail"] or rows["watch limits"]["verdict"] == "ok"
    monkeypatch.setattr(examination, "_ANSWER", 0.5)
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        rows = examined(path)
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    assert verdicts(rows, "fault") == {"daemon"}
    assert rows["daemon"]["cure"] == f"kill -CONT {daemon.process.pid}"
    assert rows["catalogue"]["verdict"] == "ok", "it is read all the same"


def test_a_check_that_fails_or_hangs_costs_only_its_own_verdict(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Finding:
        raise RuntimeError("no\nway")

    stuck = threading.Event()
    monkeypatch.setattr(Examination, "_clock", lambda self: broken())
    monkeypatch.setattr(Examination, "_memory", lambda self: stuck.wait(60) and broken())
    rows = examined(path, patience=3.0)
    stuck.set()
    assert rows["clock"]["verdict"] == "unknown"
    assert rows["clock"]["detail"] == "it could not be looked at: RuntimeError: no way"
    assert rows["memory"]["verdict"] == "unknown"
    assert "no answer within 3 s" in rows["memory"]["detail"]
    assert verdicts(rows, "unknown") >= {"clock", "memory"}
    assert rows["versions"]["verdict"] == "ok"


def test_the_models_are_compared_with_dlib(config: Config) -> None:
    problem, runtime = models.models(config.faces, config.workers)
    assert problem is None
    assert runtime.startswith("onnxruntime ")
    assert runtime.endswith(" cpu")


def test_codecs_are_there() -> None:
    assert models.missing_codecs() == []


def test_a_walk_leaves_out_what_is_left_out_and_ends_in_time(tmp_path: Path) -> None:
    for name in (
        "a/1.jpg",
        "a/.hidden/2.jpg",
        "b/People/3.jpg",
        "b/People/.guyverd-people",
        "c@eaDir/4.jpg",
        "d/5.nef",
        "d/6.MOV",
        "d/7.wmv",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    rules = Rules(("c@eaDir",))
    seen = walk(os.fsencode(tmp_path), rules, time.monotonic() + 60)
    assert (seen.folders, seen.pictures, seen.videos) == (5, 1, 1)
    assert dict(seen.unread) == {"nef": 1, "wmv": 1}
    assert (seen.unreadable, seen.counted_all) == (0, True)
    late = walk(os.fsencode(tmp_path), rules, time.monotonic() - 1)
    assert (late.folders, late.counted_all) == (0, False)


def test_the_trials_stay_within_their_bounds(tmp_path: Path) -> None:
    written = machine.write_trial(tmp_path)
    assert 0 < written.size <= 4_100_000
    assert os.listdir(tmp_path) == []
    for number in range(30):
        (tmp_path / f"{number}.jpg").write_bytes(b"x" * 1000)
    os.mkfifo(tmp_path / "pipe.jpg")
    paths = [os.fsencode(tmp_path / f"{number}.jpg") for number in range(30)]
    read = machine.read_trial([b"/not/there", os.fsencode(tmp_path / "pipe.jpg"), *paths])
    assert read.photos <= 20
    assert read.failed == 1
    assert read.size <= 20_000


# ---- in a namespace of its own ---------------------------------------------------------------------------------------


def apart(script: str, *arguments: str) -> list[str]:
    """A command that runs a script of the shell in namespaces of its own; skips where there are none."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no `unshare` here")
    probe = "mount -t tmpfs none /mnt && echo 50 >/proc/sys/user/max_inotify_watches"
    able = subprocess.run(["unshare", "-Urm", "sh", "-c", probe], capture_output=True, check=False)
    if able.returncode:
        pytest.skip("no namespace of our own can be had here")
    return ["unshare", "-Urm", "sh", "-c", script, "sh", *arguments]


def doctor(command: list[str]) -> tuple[int, dict[str, Row]]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    rows = json.loads(done.stdout.splitlines()[-1])["checks"]
    return done.returncode, {row["name"]: row for row in rows}


DOCTOR = '"$1" -m guyverd --config "$2" doctor --json'


def test_a_disk_that_can_only_be_read(well: Path) -> None:
    state = str(config_file.load(well).state)
    script = f'mount --bind "$3" "$3" && mount -o remount,bind,ro "$3" && {DOCTOR}'
    code, rows = doctor(apart(script, sys.executable, str(well), state))
    assert code == 13
    assert {"state folder", "free space"} <= verdicts(rows, "fault")
    assert "mounted read-only" in rows["free space"]["detail"]
    assert "Read-only file system" in rows["state folder"]["detail"]
    assert rows["state disk"]["verdict"] == "unknown"


def test_a_limit_of_watches_that_is_too_low(path: Path, config: Config) -> None:
    for number in range(30):
        (config.photos[0] / str(number)).mkdir()
    script = f"echo 20 >/proc/sys/user/max_inotify_watches && {DOCTOR}"
    code, rows = doctor(apart(script, sys.executable, str(path)))
    row = rows["watch limits"]
    assert row["verdict"] == "warning"
    assert "31 folders are to be watched" in row["detail"]
    assert "fs.inotify.max_user_watches=524288" in row["cure"]
    assert code == 0, "a warning is no fault"


def test_the_verdict_of_a_small_disk(path: Path, config: Config) -> None:
    config.state.mkdir(mode=0o700)
    script = f'mount -t tmpfs -o size=20M,mode=700 none "$3" && {DOCTOR}'
    code, rows = doctor(apart(script, sys.executable, str(path), str(config.state)))
    assert code == 13
    assert rows["free space"]["verdict"] == "fault"
    assert rows["state folder"]["verdict"] == "ok"


def test_every_verdict_is_one_of_four() -> None:
    assert {str(verdict) for verdict in Verdict} == {"ok", "unknown", "warning", "fault"}


def test_what_the_doctor_says_while_another_command_works(well: Path) -> None:
    with open_library(config_file.load(well)) as library:
        library.status()
        rows = examined(well)
    assert verdicts(rows, "fault") == set()
    assert rows["catalogue"]["verdict"] == "ok"
