"""The names of people and saved searches, for a shell that completes them: nothing is opened, begun or waited for."""

from __future__ import annotations

from pathlib import Path


def names(state: Path, *, hidden: bool | None = None) -> list[str]:
    """Everybody's name, by the alphabet; with `hidden`, only of those who are hidden, or of those who are not.

    Raises CatalogueError where there is no catalogue, or none that can be read at once.
    """
    from guyverd.service.pipeline.naming import named  # noqa: PLC0415  only `service.pipeline` knows the catalogue

    return named(state, hidden=hidden)


def follow_names(state: Path) -> list[str]:
    """The names of all saved searches, likewise."""
    from guyverd.service.pipeline.naming import followed  # noqa: PLC0415  as above

    return followed(state)
