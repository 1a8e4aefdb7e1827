"""init, run, scan, status, check, failures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guyverd import config_file
from tests.cli.conftest import Daemon, Run, parsed
from tests.cli.fake import FakeLibrary

# ---- init ------------------------------------------------------------------------------------------------------------


def test_init_writes_the_default_config(run: Run, home: Path) -> None:
    result = run("init", "--photos", home / "photos", "--people", home / "People")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    path = home / "config" / "config.yaml"
    written = config_file.load(path)
    assert written.photos == (home / "photos",)
    assert written.people == home / "People"
    for told in (path, written.people, written.state, "guyverd run"):
        assert str(told) in result.stderr
    assert "--config" not in result.stderr


def test_init_with_everything(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b", "c d"):
        (home / name).mkdir()
    monkeypatch.chdir(home)
    result = run(
        "--config",
        "my lib.yaml",
        "init",
        "--photos",
        "photos",
        "c d",
        "--photos",
        "b/",
        "--people",
        "P",
        "--state",
        "S",
    )
    assert result.exit_code == 0, result.output
    written = config_file.load(home / "my lib.yaml")
    assert written.photos == (home / "photos", home / "b", home / "c d")
    assert (written.people, written.state) == (home / "P", home / "S")
    assert f"guyverd --config '{home}/my lib.yaml' run" in result.stderr


def test_init_leaves_an_existing_config_alone(run: Run, home: Path, config: Path) -> None:
    before = config.read_text()
    result = run("init", "--photos", home / "photos", "--people", home / "P")
    assert result.exit_code == 3
    assert "exists already" in result.stderr
    assert config.read_text() == before


@pytest.mark.parametrize(("photos", "told"), [("nowhere", "there is no folder"), ("file", "is not a folder")])
@pytest.mark.parametrize("command", ["init", "run"])
def test_photo_folders_must_be_folders(
    run: Run, home: Path, daemon: Daemon, command: str, photos: str, told: str
) -> None:
    (home / "file").touch()
    result = run(command, "--photos", home / photos, "--people", home / "P")
    assert result.exit_code == 3
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (home / "config").exists()
    assert daemon.started == []


def test_init_refuses_what_cannot_work(run: Run, home: Path) -> None:
    result = run("init", "--photos", home / "photos", "--people", home / "photos")
    assert result.exit_code == 3
    assert not (home / "config").exists()
    assert run("init", "--people", home / "P").exit_code == 2


# ---- run -------------------------------------------------------------------------------------------------------------


def test_run_with_a_config(run: Run, home: Path, config: Path, daemon: Daemon) -> None:
    result = run("run")
    assert result.exit_code == 0
    ((path, loaded, json_log),) = daemon.started
    assert (path, loaded.photos, json_log) == (config, (home / "photos",), False)
    assert result.stderr.splitlines() == [
        f"Watching {home}/photos; the folders of people appear in {home}/people (config: {config}).",
        "Ask from another terminal: guyverd people",
    ]
    as_json = run("run", "--log-json")
    assert (as_json.stdout, as_json.stderr) == ("", ""), "every line of the log must be JSON"
    assert daemon.started[1] == (config, loaded, True)


def test_run_without_a_config(run: Run, daemon: Daemon) -> None:
    result = run("run")
    assert result.exit_code == 3
    assert "guyverd init" in result.stderr
    assert daemon.started == []


def test_run_people_without_photos(run: Run, home: Path, config: Path, daemon: Daemon) -> None:
    assert run("run", "--people", home / "P").exit_code == 2
    assert daemon.started == []


def test_run_writes_a_config_for_a_folder_once(run: Run, home: Path, daemon: Daemon) -> None:
    first = run("run", "--photos", home / "photos")
    assert first.exit_code == 0, first.output
    (path, loaded, _), *_rest = daemon.started
    assert path == home / "config" / "config.yaml"
    assert loaded.people == home / "People"
    assert f"(config: {path})" in first.stderr
    second = run("run", "--photos", home / "photos" / ".." / "photos")
    assert second.exit_code == 0, second.output
    assert daemon.started[1] == daemon.started[0]
    assert second.stderr == first.stderr


def test_run_on_a_second_folder_has_a_library_of_its_own(run: Run, home: Path, config: Path, daemon: Daemon) -> None:
    (home / "wedding").mkdir()
    result = run("run", "--photos", home / "wedding", "--people", home / "guests")
    assert result.exit_code == 0, result.output
    ((path, loaded, _),) = daemon.started
    assert path != config
    assert (loaded.photos, loaded.people) == ((home / "wedding",), home / "guests")
    assert f"guyverd --config {path} people" in result.stderr
    assert loaded.state != config_file.load(config).state


def test_run_with_another_people_folder_than_the_config_says(
    run: Run, home: Path, config: Path, daemon: Daemon
) -> None:
    assert run("run", "--photos", home / "photos", "--people", home / "people").exit_code == 0
    result = run("run", "--photos", home / "photos", "--people", home / "other")
    assert result.exit_code == 3
    assert "Leave out --people" in result.stderr
    assert str(home / "people") in result.stderr
    assert len(daemon.started) == 1


def test_run_with_a_named_config(run: Run, home: Path, daemon: Daemon) -> None:
    named = home / "my.yaml"
    assert run("--config", named, "run", "--photos", home / "photos").exit_code == 0
    assert run("--config", named, "run", "--photos", home / "photos").exit_code == 0
    assert [started[0] for started in daemon.started] == [named, named]
    (home / "other").mkdir()
    result = run("--config", named, "run", "--photos", home / "other")
    assert result.exit_code == 3
    assert "Leave out --photos" in result.stderr
    assert len(daemon.started) == 2


# ---- scan ------------------------------------------------------------------------------------------------------------


def test_scan_waits_until_the_pass_is_over(run: Run, config: Path, library: FakeLibrary) -> None:
    result = run("scan")
    assert result.exit_code == 0
    assert [call[0] for call in library.calls] == [
        "open",
        "scan",
        "progress",
        "progress",
        "progress",
        "status",
        "close",
    ]
    assert result.stdout == (
        "40 photos read, 80 faces found, 1 failure, in 0 s; the library has 3 people in 41 photos.\n"
    )


def test_scan_as_json(run: Run, config: Path, library: FakeLibrary) -> None:
    last = library.passes[-1]
    (row,) = parsed(run("scan", "--json"))
    assert row == last
    assert list(row) == [
        "busy",
        "phase",
        "files_found",
        "photos_total",
        "photos_done",
        "videos_total",
        "videos_done",
        "films",
        "faces",
        "failures",
        "rate",
        "eta",
        "quiet_until",
    ]


def test_scan_in_quiet_hours_tells_what_waits(run: Run, config: Path, library: FakeLibrary) -> None:
    library.passes[-1] |= {"photos_done": 10, "quiet_until": "07:00"}
    result = run("scan")
    assert result.exit_code == 0
    assert "30 photos wait until 07:00" in result.stderr


def test_ctrl_c_in_a_scan(run: Run, config: Path, library: FakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(library, "progress", interrupted)
    result = run("scan")
    assert result.exit_code == 130
    assert result.stdout == ""
    assert "What was done is kept" in result.stderr
    assert library.calls[-1] == ("close",), "the library must be left in order"


# ---- status, check, failures -----------------------------------------------------------------------------------------


def test_status(run: Run, config: Path, library: FakeLibrary) -> None:
    (row,) = parsed(run("status", "--json"))
    assert row == FakeLibrary().status()
    result = run("status")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) < 24
    for told in (
        "the daemon runs as process 4711",
        "41 in 47 files",
        "2 files, 30 photos, 12.5 photos/s, 1 min 15 s left",
        "4, after every other program; one takes up to 480.0 MB",
        "catalogue 1.2 MB, index 890 bytes",
        "/photos\\n",
        "online, watched by events, 42 files",
        "offline, not watched, 5 files, never compared yet; the folder is not there",
        "! 5 photos would be forgotten: paused",
        "dlib 20.0.0",
    ):
        assert told in result.stdout


def test_status_at_rest(run: Run, config: Path, library: FakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = library.status()
    answer["daemon"] = {"pid": None, "since": None, "running": False}
    answer["backlog"] = {"files": 0, "photos": 0, "faces": 0}
    answer["workers"] |= {"running": False, "memory": 0}
    answer |= {"rate": 0.0, "eta": None, "notices": [], "sizes": {"catalogue": 0, "index": None}}
    monkeypatch.setattr(library, "status", lambda: answer)
    told = run("status").stdout
    assert "no daemon runs" in told
    assert "waiting    nothing" in told
    assert "workers" not in told
    assert "!" not in told


def test_check(run: Run, config: Path, library: FakeLibrary) -> None:
    assert parsed(run("check", "--json")) == [{"checks": library.checks}]
    result = run("check", "--repair")
    assert result.exit_code == 0
    assert [line.split()[:2] for line in result.stdout.splitlines()[1:]] == [["index", "ok"], ["links", "ok"]]
    assert [call for call in library.calls if call[0] == "check"] == [("check", False), ("check", True)]


def test_check_that_fails(run: Run, config: Path, library: FakeLibrary) -> None:
    library.checks[0]["ok"] = False
    for arguments in (["check"], ["check", "--json"], ["check", "--repair"]):
        result = run(*arguments)
        assert result.exit_code == 13
        assert "index" in result.stdout
        assert result.stderr.startswith("guyverd: 1 of 2 checks failed.")
    assert "guyverd check --repair" in run("check").stderr
    assert "guyverd check --repair" not in run("check", "--repair").stderr
    library.checks[0]["repaired"] = True
    result = run("check", "--repair")
    assert result.exit_code == 0
    assert "repaired" in result.stdout


def test_failures(run: Run, config: Path, library: FakeLibrary) -> None:
    (row,) = parsed(run("failures", "--json"))
    assert list(row) == ["file", "reason", "state", "attempts", "at"]
    assert os.fsencode(row["file"]) == b"/photos/caf\xe9.jpg"
    assert run("failures").stdout.splitlines()[1].split() == [
        "2024-05-01T12:00:00",
        "failed",
        "1",
        "truncated",
        r"/photos/caf\udce9.jpg",
    ]
