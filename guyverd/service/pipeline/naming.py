"""Names read from the catalogue's file, with as few imports as a shell that completes a word can wait for."""

from __future__ import annotations

import os
from pathlib import Path

from guyverd.catalogue.glance import names_in


def named(state: Path, *, hidden: bool | None = None) -> list[str]:
    """See `service.names.names`."""
    return sorted(
        names_in(os.fsencode(state / "catalogue.db"), hidden=hidden), key=lambda name: (name.casefold(), name)
    )
