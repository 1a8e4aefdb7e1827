"""What can be told of a path: the words between the observer, which speaks them, and the debouncer, which gathers them.

An event is a hint that a look is worth while, never the truth about the path: the file may be gone again, or be the
same as before, by the time somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """What may have happened to a path."""

    TOUCHED = "touched"
    """A file may have been created or changed."""
    GONE = "gone"
    """A file or a directory was deleted or moved away."""
    SUBTREE = "subtree"
    """A directory appeared, or must be looked through for another reason."""
    OVERFLOW = "overflow"
    """Events were lost somewhere below this root."""


@dataclass(frozen=True, slots=True)
class PathEvent:
    """One event below one root."""

    kind: EventKind
    root: bytes
    """The root's absolute path, as it was given to the observer."""
    path: bytes
    """Relative to the root; b"" is the root itself."""
