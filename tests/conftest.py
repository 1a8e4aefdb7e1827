"""What tests share: the development photos, which may be absent, and two portraits that are always there."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Machines are slow now and then, and Hypothesis builds its tables of characters in the first test that needs them.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")

# Nobody's own cache is used or filled; tests share one, with the programs they start.
os.environ["CACHE_DIRECTORY"] = tempfile.mkdtemp(prefix="guyverd-cache-")
atexit.register(shutil.rmtree, os.environ["CACHE_DIRECTORY"], ignore_errors=True)

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
