"""What is wrong with a library, for the command line; and a report of it for others, without pictures or names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def examine(path: Path) -> Iterator[Row]:
    """Look at the library of the config at `path`, and at the machine; each verdict as it is found.

    {`name`, `verdict` ("ok", "unknown", "warning", "fault"), `detail`: what is, `cure`: what to type, or nothing}. It
    works whatever is broken, and whoever holds the library.
    """
    from guyverd.service.pipeline.examining.examination import Examination  # noqa: PLC0415  it loads the rooms

    return (finding.told() for finding in Examination(path).findings())


def bundle(path: Path, target: Path) -> Row:
    """Put a report on the library of the config at `path` into a new file, without pictures or names.

    Returns {`file`, `size`, `contents` [{`name`, `size`, `about`}]}. Raises ExportError.
    """
    from guyverd import config_file  # noqa: PLC0415
    from guyverd.errors import GuyverError  # noqa: PLC0415
    from guyverd.service import packing  # noqa: PLC0415
    from guyverd.service.pipeline import bundling  # noqa: PLC0415  it loads the rooms

    try:
        config = config_file.load(path)
        sacred = [*config.photos, config.people]
    except GuyverError:
        sacred = []
    parts = bundling.collect(path)
    size = packing.write(target, parts, sacred)
    contents = [{"name": part.name, "size": len(part.content), "about": bundling.ABOUT[part.name]} for part in parts]
    return {"file": str(target), "size": size, "contents": contents}
