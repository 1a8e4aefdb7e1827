"""What tests share: the development photos, which may be absent, and two portraits that are always there."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.promises import Tally, begin_torture

# Machines are slow now and then, and Hypothesis builds its tables of characters in the first test that needs them.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")

# Nobody's own cache is used or filled; tests share one, with the programs they start.
os.environ["CACHE_DIRECTORY"] = tempfile.mkdtemp(prefix="guyverd-cache-")
atexit.register(shutil.rmtree, os.environ["CACHE_DIRECTORY"], ignore_errors=True)

_SHOWN = "promises"
_RESULTS = Tally()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="only what shows a promise, and that as hard as can be")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--torture"):
        begin_torture()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under torture only what shows a promise is run, else everything but what is torture."""
    hard = config.getoption("--torture")
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        shown = [str(name) for mark in item.iter_markers("promise") for name in mark.args]
        item.user_properties.append((_SHOWN, shown))
        wanted = bool(shown) if hard else item.get_closest_marker("torture") is None
        (kept if wanted else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # A test counts once: with its call, or with the phase that kept it from being called.
    outcome = report.outcome if report.when == "call" or report.outcome != "passed" else ""
    for key, shown in report.user_properties:
        if key == _SHOWN and isinstance(shown, list):
            _RESULTS.add(shown, outcome, report.duration)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--torture"):
        terminalreporter.section("promises")
        for line in _RESULTS.table():
            terminalreporter.write_line(line)


ALBUM = Path(__file__).resolve().parent.parent.parent / "shared" / "photos"


@pytest.fixture(scope="session")
def album() -> Path:
    """The folder of development photos beside the project; tests that ask for it carry the mark `album`."""
    if not ALBUM.is_dir():
        pytest.skip(f"the development photos are not here ({ALBUM})")
    return ALBUM


@pytest.fixture(scope="session")
def astronaut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait of Eileen Collins, JPEG, 512 × 512 (NASA; it comes with scikit-image)."""
    from PIL import Image
    from skimage import data

    path = tmp_path_factory.mktemp("portraits") / "astronaut.jpg"
    Image.fromarray(data.astronaut()).save(path, quality=95)  # type: ignore[no-untyped-call]
    return path


@pytest.fixture(scope="session")
def grace_hopper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait of Grace Hopper, JPEG, 512 × 600 (US Navy; it comes with matplotlib)."""
    import matplotlib

    path = tmp_path_factory.mktemp("portraits") / "grace_hopper.jpg"
    path.write_bytes((Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").read_bytes())
    return path


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder of its own whose path leaves room for a socket's name, which may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="g-") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """Whatever a test does with the program's log, the next one finds it as it was."""
    logger = logging.getLogger("guyverd")
    before = logger.handlers, logger.propagate, logger.level
    yield
    logger.handlers, logger.propagate = before[0], before[1]
    logger.setLevel(before[2])
