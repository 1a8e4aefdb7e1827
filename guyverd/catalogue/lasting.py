"""Folders that outlast a power cut: whoever syncs a file in a new folder has not synced that folder's own name."""

from __future__ import annotations

import os
from contextlib import suppress


def anchor(folder: bytes) -> None:
    """Have a folder, and those above it on its disk, survive a power cut, whoever made them, and when.

    Those that may not be opened were not made by us. Raises OSError where the disk does not take it.
    """
    folder = os.path.realpath(folder)
    device = os.stat(folder).st_dev
    while os.stat(folder).st_dev == device:
        _settle(folder)
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


def _settle(folder: bytes) -> None:
    with suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
