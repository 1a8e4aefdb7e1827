"""What an evaluation or a search for settings is asked for, and who is told how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from guyverd.service.api import Row

if TYPE_CHECKING:
    from guyverd.config import Config

RULES = ("largest", "centre")
"""Which face of a photo its folder's name speaks of: see `evaluation.labelled.Rule`."""


class Audience(Protocol):
    """Who is told how far it has come."""

    def follow(self, first: Row, look: Callable[[], Row]) -> Row:
        """Show the pass that `first` began until it is over; returns its last state."""

    def steps(self, what: str, total: int) -> AbstractContextManager[Callable[[], object]]:
        """Show that many equal steps; what it gives is called after each."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be looked at."""

    photos: Path
    """Absolute."""
    labels: Path | None = None
    """A CSV of boxes with names; None where folders are named after people."""
    rule: str = RULES[0]
    settings: Config | None = None
    """Whose settings are tried; None for the defaults."""
    keep: Path | None = None
    """A folder to keep what was found in photos, for the next time."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What an evaluation does beside the plain scores."""

    stability: bool = True
    compare: bool = False
    page: Path | None = None
    review: bool = True
    queries: int = 500
    """Photos, chosen by chance, that a search is asked with; 0 leaves it out."""
    films: int = 0
    """Films made of the photos, in which people are looked for; 0 leaves it out."""
