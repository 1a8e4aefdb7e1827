"""The config file on disk: where it lies, how it is read and written. The one place that couples `config` to files."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import stat
from pathlib import Path

import platformdirs
import yaml

from guyverd import private
from guyverd.config import Config, parse, render
from guyverd.errors import ConfigError, ConfigExists, ConfigNotFound, GuyverError

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
    """Read and check the config at `path`. Raises ConfigNotFound or ConfigError.

    It names the folders that are read and written, so it is refused where somebody else could have changed it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            _check_ours(path, os.fstat(file.fileno()))
            text = file.read()
    except FileNotFoundError:
        raise ConfigNotFound(path=path) from None
    except (OSError, ValueError) as problem:  # ValueError: not UTF-8
        raise ConfigError(where=str(path), detail=f"cannot be read: {problem}") from problem
    return loads(text, path)


def _check_ours(path: Path, status: os.stat_result) -> None:
    """Raises ConfigError unless only we and root could have written it; `status` is that of the open file.

    A device, which nobody leaves anything in, is nobody's config.
    """
    if stat.S_ISREG(status.st_mode):
        found = private.exposed(os.fspath(path), status, root_may_own=True) or private.exposed_above(path)
        if found is not None:
            hint = f"`{found.cure}`, once you know that nobody changed it."
            raise ConfigError(where=found.path, detail=f"{found.detail}, so this config is not trusted", hint=hint)


def loads(text: str, path: Path) -> Config:
    """The config that `text`, read from `path`, describes."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        mapping = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        detail = str(getattr(problem, "problem", None) or problem)
        raise ConfigError(where=where, detail=f"not valid YAML: {detail}", hint=_yaml_hint(detail)) from problem
    except Exception as problem:
        # `!!int ""` is an IndexError, `2001-99-99` a ValueError, a reference to itself a RecursionError, and so on:
        # PyYAML lets pass whatever its constructors raise.
        raise ConfigError(where=str(path), detail=f"not valid YAML: {problem}") from problem
    return parse(
        mapping,
        base=path.absolute().parent,
        home=Path.home(),
        default_state=default_state(path),
        lines=_lines(node, path),
        source=str(path),
    )


def _yaml_hint(problem: str) -> str:
    if "'\\t'" in problem:
        return "Indent with spaces; YAML allows no tabs there."
    return "Look at that line and the one above it: a missing colon, quote or space, or another indentation?"


def _lines(root: yaml.Node | None, path: Path) -> dict[tuple[str, ...], int]:
    """The line of each heading and each setting below it.

    No deeper: references can make a small text mean an endless tree. Raises ConfigError where a key stands twice,
    of which YAML would silently take the last, or is no word.
    """
    lines: dict[tuple[str, ...], int] = {}
    headings = _keys(root, (), path, lines)
    for heading, node in headings:
        _keys(node, heading, path, lines)
    return lines


def _keys(
    node: yaml.Node | None, above: tuple[str, ...], path: Path, lines: dict[tuple[str, ...], int]
) -> list[tuple[tuple[str, ...], yaml.Node]]:
    found = []
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        line = key.start_mark.line + 1
        if key.tag != "tag:yaml.org,2002:str":
            shown = f"`{key.value}`" if isinstance(key, yaml.ScalarNode) else "that"
            raise ConfigError(where=f"{path}, line {line}", detail=f"unknown key {shown}; keys are words")
        here = (*above, str(key.value))
        if here in lines:
            raise ConfigError(
                where=f"{path}, line {line}", detail=f"`{key.value}` stands twice, first in line {lines[here]}"
            )
        lines[here] = line
        found.append((here, value))
    return found


def write(path: Path, config: Config) -> None:
    """Write a commented config, never over an existing file. Raises ConfigExists or ConfigError."""
    try:
        # Whatever the umask, nobody else may write it: `load` would refuse that.
        private.make_folder(path.absolute().parent, 0o755)
    except OSError as problem:
        raise ConfigError(where=str(path), detail=f"its folder cannot be made: {problem.strerror}") from problem
    try:
        new = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(new, "w", encoding="utf-8") as file:
            try:
                file.write(render(config))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                path.unlink()  # half a config would be worse than none
                raise
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

    The first library of a user is the default one; each further folder gets a library of its own beside it. A folder
    is itself by whatever path it is reached. Raises ConfigError where a config that may be the one is there but
    wrong: a second library of the same photos would find every face anew.
    """
    default = default_path()
    wanted = os.path.realpath(photos)
    if not os.path.lexists(default):
        return default, None
    known = load(default)
    if _watches_only(known, wanted):
        return default, known
    slug = re.sub(r"[^a-z0-9]+", "-", Path(wanted).name.lower()).strip("-") or "photos"
    stem = f"{slug}-{hashlib.sha256(os.fsencode(wanted)).hexdigest()[:8]}"
    for path in sorted(set(default.parent.glob("*.yaml")) - {default}):
        try:
            config = load(path)
        except GuyverError:
            if path.stem.startswith(stem):
                raise
            continue  # some other file, or another library's trouble
        if _watches_only(config, wanted):
            return path, config
    free = (
        default.parent / f"{stem}{more}.yaml" for more in itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
    )
    return next(path for path in free if not os.path.lexists(path)), None


def _watches_only(config: Config, folder: str) -> bool:
    return [os.path.realpath(root) for root in config.photos] == [folder]
