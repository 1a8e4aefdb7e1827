"""A mapping, as YAML gives it, to a `Config`.

Pure. Anything that is not understood is an error that names the key, the line and what would be right.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from guyverd.config.secrets import secret_in
from guyverd.config.settings import PATHS, RETIRED, Config, meaning
from guyverd.config.units import Unit
from guyverd.errors import ConfigError

Lines = Mapping[tuple[str, ...], int]
"""The line, from 1, on which each key stands."""


def parse(
    mapping: object,
    *,
    base: Path,
    home: Path,
    default_state: Path,
    lines: Lines | None = None,
    source: str = "config",
) -> Config:
    """The configuration that `mapping` describes.

    Relative paths are taken from `base`, `~` from `home`; `lines` gives each key's line for messages. Raises
    ConfigError on anything unknown, of the wrong kind or contradictory.
    """
    reader = _Reader(lines or {}, source)
    if not isinstance(mapping, Mapping):
        raise reader.error((), "expected keys with values, such as `photos:`")
    # Before anything else could show it in a message.
    reader.check_secrets(mapping)
    reader.check_keys(mapping, Config, ())
    for key in ("photos", "people"):
        if mapping.get(key) in (None, [], ""):
            raise reader.error((key,), f"`{key}` is missing: {meaning(Config, key)}")
    listed = mapping["photos"] if isinstance(mapping["photos"], list) else [mapping["photos"]]
    photos = tuple(reader.path(item, ("photos",), base, home) for item in listed)
    people = reader.path(mapping["people"], ("people",), base, home)
    named_state = mapping.get("state")
    state = default_state if named_state is None else reader.path(named_state, ("state",), base, home)
    _check_paths(reader, photos, people, state)
    hints = get_type_hints(Config)
    sections = {
        item.name: reader.section(hints[item.name], mapping.get(item.name), (item.name,))
        for item in fields(Config)
        if item.name not in PATHS
    }
    config = Config(photos=photos, people=people, state=state, **sections)
    if config.watch.ceiling < config.watch.quiet:
        raise reader.error(("watch", "ceiling"), "`ceiling` must not be shorter than `quiet`")
    if (metrics := config.log.metrics) is not None and any(metrics.is_relative_to(one) for one in (*photos, people)):
        raise reader.error(("log", "metrics"), f"{metrics} must lie outside the photo folders and the people folder")
    if (backups := config.backup.folder) is not None and any(backups.is_relative_to(one) for one in (*photos, people)):
        raise reader.error(("backup", "folder"), f"{backups} must lie outside the photo folders and the people folder")
    return config


def _check_paths(reader: _Reader, photos: Sequence[Path], people: Path, state: Path) -> None:
    for index, root in enumerate(photos):
        for other in photos[:index]:
            if root == other or root.is_relative_to(other) or other.is_relative_to(root):
                raise reader.error(("photos",), f"{root} and {other} overlap; name only the outer one")
        if people == root or root.is_relative_to(people):
            raise reader.error(("people",), f"the photo folder {root} must not lie in the people folder {people}")
        # Nobody looks for photos below a name that begins with a dot, so the usual state folder may lie in a home.
        hidden = state.is_relative_to(root) and any(part.startswith(".") for part in state.relative_to(root).parts)
        if root.is_relative_to(state) or (state.is_relative_to(root) and not hidden):
            raise reader.error(("state",), f"state {state} and the photo folder {root} must not lie in one another")
    if state == people or state.is_relative_to(people) or people.is_relative_to(state):
        raise reader.error(("state",), f"state {state} and the people folder {people} must not lie in one another")


def _brief(value: object) -> str:
    """What was written, short enough for a message; YAML's references can make small texts mean huge values."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


class _Reader:
    """Reads values and tells where they stood when one is wrong."""

    def __init__(self, lines: Lines, source: str) -> None:
        self.lines = lines
        self.source = source

    def error(self, key: tuple[str, ...], detail: str) -> ConfigError:
        line = next((self.lines[key[:n]] for n in range(len(key), -1, -1) if key[:n] in self.lines), None)
        where = self.source if line is None else f"{self.source}, line {line}"
        return ConfigError(where=where, detail=detail)

    def check_secrets(self, mapping: Mapping[object, object]) -> None:
        if (found := secret_in(mapping)) is not None:
            key, what = found
            error = self.error(key, f"`{_brief('.'.join(key))}` is {what}; guyverd needs none, for it talks to nobody")
            hint = "Take it out; and where others could read this file, use another from now on."
            raise ConfigError(where=str(error.fields["where"]), detail=str(error.fields["detail"]), hint=hint)

    def check_keys(self, mapping: Mapping[object, object], cls: type, above: tuple[str, ...]) -> None:
        known = [item.name for item in fields(cls)]
        for key in mapping:
            if key not in known:
                if (instead := RETIRED.get(".".join((*above, str(key))))) is not None:
                    raise self.error(
                        (*above, str(key)), f"there is no `{'.'.join((*above, str(key)))}` any more; {instead}"
                    )
                close = difflib.get_close_matches(str(key), known, 1)
                help_ = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
                raise self.error((*above, str(key)), f"unknown key `{_brief('.'.join((*above, str(key))))}`; {help_}")

    def section(self, cls: type, value: object, key: tuple[str, ...]) -> Any:
        if value is None:
            return cls()
        if not isinstance(value, Mapping):
            raise self.error(key, f"`{key[-1]}` is a heading; its settings stand below it, indented")
        self.check_keys(value, cls, key)
        found = {}
        for item in fields(cls):
            if item.name in value:
                unit: Unit = item.metadata["unit"]
                try:
                    found[item.name] = unit.read(value[item.name])
                except ValueError as problem:
                    here = (*key, item.name)
                    raise self.error(here, f"`{'.'.join(here)}: {_brief(value[item.name])}`: {problem}") from None
        return cls(**found)

    def path(self, value: object, key: tuple[str, ...], base: Path, home: Path) -> Path:
        if not isinstance(value, str) or not value or "\0" in value:
            raise self.error(key, f"`{key[-1]}`: expected a path, not {_brief(value)!r}")
        if value == "~" or value.startswith("~/"):
            value = f"{home}/{value[2:]}"
        elif value.startswith("~"):
            raise self.error(key, f"`{key[-1]}: {_brief(value)}`: only your own home can be written with ~")
        if value.startswith("//"):
            value = "/" + value.lstrip("/")  # POSIX keeps two slashes apart from one; nobody here means that
        # Lexical only: a link is followed when the folder is opened, not here.
        parts: list[str] = []
        for part in (base / value).parts:
            if part == "..":
                if len(parts) > 1:
                    parts.pop()
            else:
                parts.append(part)
        return Path(*parts)
