"""The config file on disk: where it lies, how it is read and written. The one place that couples `config` to files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import yaml

from guyverd.config import Config, parse, render
from guyverd.errors import ConfigError, ConfigExists, ConfigNotFound

ENVIRONMENT = "GUYVERD_CONFIG"


def default_path() -> Path:
    """The config used when none is named: $GUYVERD_CONFIG, else config.yaml in the user's config folder."""
    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else Path(platformdirs.user_config_dir("guyverd")) / "config.yaml"


def default_state(path: Path) -> Path:
    """The state folder of a config that names none: one per config file."""
    data = Path(platformdirs.user_data_dir("guyverd"))
    if path.absolute() == default_path().absolute():
        return data / "default"
    return data / f"{path.stem}-{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:8]}"


def load(path: Path) -> Config:
    """Read and check the config at `path`. Raises ConfigNotFound or ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigNotFound(path=path) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(where=str(path), detail=f"cannot be read: {problem}") from problem
    return loads(text, path)


def loads(text: str, path: Path) -> Config:
    """The config that `text`, read from `path`, describes."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        mapping = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        detail = str(getattr(problem, "problem", None) or problem)
        raise ConfigError(where=where, detail=f"not valid YAML: {detail}") from problem
    except (ValueError, RecursionError) as problem:
        raise ConfigError(where=str(path), detail=f"not valid YAML: {problem}") from problem
    return parse(
        mapping,
        base=path.absolute().parent,
        home=Path.home(),
        default_state=default_state(path),
        lines=dict(_lines(node, (), path)),
        source=str(path),
    )


def _lines(node: yaml.Node | None, above: tuple[str, ...], path: Path) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                where = f"{path}, line {key.start_mark.line + 1}"
                raise ConfigError(where=where, detail=f"`{name}` stands twice")
            seen.add(name)
            yield (*above, name), key.start_mark.line + 1
            yield from _lines(value, (*above, name), path)


def write(path: Path, config: Config) -> None:
    """Write a commented config, never over an existing file. Raises ConfigExists or ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(render(config))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigExists(path=path) from None
    except OSError as problem:
        raise ConfigError(where=str(path), detail=f"cannot be written: {problem.strerror}") from problem


def make(photos: list[Path], people: Path, state: Path | None, path: Path) -> Config:
    """A checked config with the defaults for everything but the paths, as `init` writes it."""
    mapping = {
        "photos": [os.fspath(item.absolute()) for item in photos],
        "people": os.fspath(people.absolute()),
    }
    if state is not None:
        mapping["state"] = os.fspath(state.absolute())
    return parse(
        mapping,
        base=path.absolute().parent,
        home=Path.home(),
        default_state=default_state(path),
        source=str(path),
    )


def library_of(photos: Path) -> tuple[Path, Config | None]:
    """The config that watches exactly the folder `photos`, or the path where a new one for it belongs.

    The first library of a user is the default one; each further folder gets a library of its own beside it.
    """
    default = default_path()
    wanted = photos.absolute()
    if not default.exists():
        return default, None
    for path in [default, *sorted(set(default.parent.glob("*.yaml")) - {default})]:
        try:
            config = load(path)
        except ConfigError:
            continue
        if config.photos == (wanted,):
            return path, config
    slug = re.sub(r"[^a-z0-9]+", "-", wanted.name.lower()).strip("-") or "photos"
    return default.parent / f"{slug}-{hashlib.sha256(os.fsencode(wanted)).hexdigest()[:8]}.yaml", None
