"""The command line with a fake library behind its one seam, and a config of its own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from guyverd.cli import main, progress, session
from guyverd.config import Config
from tests.cli.fake import FakeLibrary
from tests.cli.fake_evaluation import FakeEvaluator

Run = Callable[..., Result]


class Daemon:
    """Records how the daemon would have been started."""

    def __init__(self) -> None:
        self.started: list[tuple[Path, Config, bool]] = []

    def __call__(self, path: Path, config: Config, *, json_log: bool) -> None:
        self.started.append((path, config, json_log))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos, and a default config that is not there yet."""
    (tmp_path / "photos").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("GUYVERD_CONFIG", str(tmp_path / "config" / "config.yaml"))
    monkeypatch.delenv("GUYVERD_DEBUG", raising=False)
    monkeypatch.setattr(progress, "POLL", 0.0)
    return tmp_path


@pytest.fixture
def config(home: Path) -> Path:
    """The default config, for the folder `photos`."""
    path = home / "config" / "config.yaml"
    path.parent.mkdir()
    path.write_text(f"photos: {home}/photos\npeople: {home}/people\n")
    return path


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    """The fake behind the seam."""
    fake = FakeLibrary()

    @contextlib.contextmanager
    def opened(config: Config) -> Iterator[FakeLibrary]:
        fake.calls.append(("open", config.photos))
        try:
            yield fake
        finally:
            fake.calls.append(("close",))

    monkeypatch.setattr(session, "open_library", opened)
    for name in ("backup", "backups", "restore", "repair"):
        monkeypatch.setattr(session, name, getattr(fake, f"{name}_"))
    monkeypatch.setattr(session, "examine", fake.examine)
    monkeypatch.setattr(session, "bundle", fake.bundle)
    return fake


@pytest.fixture
def evaluator(monkeypatch: pytest.MonkeyPatch) -> FakeEvaluator:
    """The fake evaluation behind its seams."""
    fake = FakeEvaluator()
    monkeypatch.setattr(session, "evaluate", fake.evaluate)
    monkeypatch.setattr(session, "tune", fake.tune)
    return fake


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """The daemon behind the seam."""
    recorder = Daemon()
    monkeypatch.setattr(session, "run_daemon", recorder)
    return recorder


@pytest.fixture
def run(home: Path) -> Run:
    """Run a command line; standard output and error come apart."""

    def really(*args: object) -> Result:
        return CliRunner().invoke(main, [str(arg) for arg in args])

    return really


def parsed(result: Result) -> list[dict[str, Any]]:
    """The JSON Lines a command printed; nothing else may stand on standard output."""
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]
