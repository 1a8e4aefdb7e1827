"""Names read from the catalogue's file, with as few imports as a shell that completes a word can wait for."""

from __future__ import annotations

import os
from pathlib import Path

from guyverd.catalogue.glance import follows_in, names_in


def named(state: Path, *, hidden: bool | None = None) -> list[str]:
    """See `service.names.names`."""
    return sorted(
        names_in(os.fsencode(state / "catalogue.db"), hidden=hidden), key=lambda name: (name.casefold(), name)
    )


def followed(state: Path) -> list[str]:
    """See `service.names.follow_names`."""
    return sorted(follows_in(os.fsencode(state / "catalogue.db")), key=lambda name: (name.casefold(), name))
