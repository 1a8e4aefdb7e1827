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
