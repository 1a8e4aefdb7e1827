"""What can be configured: every key with its unit, default and meaning, and a pure parser for it.

`parse` turns a mapping, as YAML gives it, into a `Config`. It touches no disk. Anything it does not understand is an
error that names the key, the line and what would be right.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from guyverd.errors import ConfigError

Lines = Mapping[tuple[str, ...], int]
"""The line, from 1, on which each key stands."""


@dataclass(frozen=True, slots=True)
class Unit:
    """How a value is written, read and shown."""

    name: str
    read: Callable[[object], Any]
    """Raises ValueError with a sentence that says what is expected."""
    show: Callable[[Any], str] = str


def _number_with(units: Mapping[str, float], example: str) -> Callable[[object], float]:
    pattern = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z%]+)\s*")

    def read(value: object) -> float:
        match = pattern.fullmatch(value) if isinstance(value, str) else None
        if match is None or match[2] not in units:
            raise ValueError(f"expected a number with a unit ({', '.join(units)}), such as {example}")
        return float(match[1]) * units[match[2]]

    return read


def _shown_with(units: Mapping[str, float]) -> Callable[[float], str]:
    def show(value: float) -> str:
        name, factor = next(((n, f) for n, f in reversed(list(units.items())) if value >= f), next(iter(units.items())))
        return f"{value / factor:g} {name}"

    return show


def _whole(at_least: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
            raise ValueError(f"expected a whole number, {at_least} or more")
        return value

    return read


def _between(low: float, high: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"expected a number from {low:g} to {high:g}")
        return float(value)

    return read


def _yes_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")  # noqa: TRY004  one kind of error for every wrong value
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("expected a text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError("expected a list of texts")
    return tuple(value)


def _folder_name(value: object) -> str:
    text = _text(value)
    if "/" in text or text.startswith(".") or len(text.encode()) > 200:
        raise ValueError("expected a plain folder name: no slash, no dot at its start")
    return text


def _choice(*names: str) -> Unit:
    def read(value: object) -> str:
        if value not in names:
            raise ValueError(f"expected one of: {', '.join(names)}")
        return str(value)

    return Unit("one of " + ", ".join(names), read)


_DURATIONS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"MB": 1e6, "GB": 1e9}

DURATION = Unit("time: ms, s, min, h, d", _number_with(_DURATIONS, "'2 s'"), _shown_with(_DURATIONS))
SIZE = Unit("memory: MB, GB", _number_with(_SIZES, "'2 GB'"), _shown_with(_SIZES))
PIXELS = Unit("pixels: px", lambda v: round(_number_with({"px": 1.0}, "'40 px'")(v)), lambda value: f"{value:g} px")
SHARE = Unit("share: %", _number_with({"%": 0.01}, "'20 %'"), lambda value: f"{value * 100:g} %")
YES_NO = Unit("true or false", _yes_no, lambda value: "true" if value else "false")
FOLDER_NAME = Unit("a folder name", _folder_name)
PATTERNS = Unit("a list of patterns", _texts)


def count(at_least: int) -> Unit:
    """A whole number."""
    return Unit(f"a whole number, {at_least} or more", _whole(at_least))


def number(low: float, high: float) -> Unit:
    """A number within bounds."""
    return Unit(f"a number from {low:g} to {high:g}", _between(low, high), lambda value: f"{value:g}")


def setting(default: object, unit: Unit, doc: str) -> Any:
    """A dataclass field that the config file can set."""
    return field(default=default, metadata={"unit": unit, "doc": doc})


def section(cls: type, doc: str) -> Any:
    """A dataclass field that holds a group of settings."""
    return field(default_factory=cls, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Watch:
    """How changes on disk are noticed."""

    quiet: float = setting(2.0, DURATION, "a file is read when it has not changed for this long")
    ceiling: float = setting(60.0, DURATION, "a file that never stops changing is read after this long all the same")
    rescan: float = setting(6 * 3600.0, DURATION, "every photo folder is compared in full this often")
    poll: float = setting(120.0, DURATION, "and this often where the file system sends no events (network, FUSE)")
    ignore: tuple[str, ...] = setting(
        ("@eaDir", "lost+found", "*.tmp", "*.part", "*.crdownload"),
        PATTERNS,
        "names of files and folders to pass over, * and ? allowed; names that begin with a dot always are",
    )
    removal_grace: float = setting(
        7 * 86400.0, DURATION, "a photo missing for this long is forgotten, its faces with it"
    )
    removal_limit: float = setting(
        0.2, SHARE, "if more than this share of all photos would be forgotten at once, nothing is"
    )


@dataclass(frozen=True, slots=True)
class Faces:
    """How faces are looked for."""

    smallest: int = setting(40, PIXELS, "faces narrower than this in the original are left out")
    canvas: int = setting(
        2000,
        PIXELS,
        "pictures are reduced, or enlarged up to twice, to this length before faces are looked for",
    )
    detector: str = setting(
        "hog", _choice("hog", "cnn"), "hog is fast; cnn finds more faces and takes many times as long"
    )


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes that read pictures."""

    count: int = setting(0, count(0), "how many; 0 means one per processor core")
    deadline: float = setting(120.0, DURATION, "a picture that takes longer is given up")
    memory: float = setting(4e9, SIZE, "address space one worker may take")
    gentle: bool = setting(True, YES_NO, "let every other program go first (low CPU and disk priority)")
    idle: float = setting(30.0, DURATION, "workers and models leave memory when there was nothing to do for this long")


@dataclass(frozen=True, slots=True)
class People:
    """How faces become people."""

    link_distance: float = setting(
        0.31, number(0.05, 1.0), "faces nearer than this may be one person: distance of unit vectors, 0 to 2"
    )
    merge_distance: float = setting(
        0.31, number(0.05, 1.0), "two unnamed groups whose average distance is below this become one"
    )
    margin: float = setting(
        1.5, number(1.0, 10.0), "the evidence for a person must be this many times that for the runner-up"
    )
    neighbours: int = setting(40, count(4), "nearest faces looked at for each face")
    poor_quality: float = setting(
        0.2, number(0.0, 1.0), "faces of lower quality may join a person but never connect two"
    )


@dataclass(frozen=True, slots=True)
class Folders:
    """How the people folder looks."""

    min_photos: int = setting(3, count(1), "a person without a name gets a folder from this many photos on")
    links: str = setting("relative", _choice("relative", "absolute"), "how a link points to its photo")
    unnamed: str = setting("Unnamed", FOLDER_NAME, "the folder that holds people without a name")


@dataclass(frozen=True, slots=True)
class Log:
    """What is told while it runs."""

    level: str = setting("info", _choice("debug", "info", "warning", "error"), "how much is told")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; every path absolute."""

    photos: tuple[Path, ...] = field(metadata={"doc": "folders with your photos; guyverd only ever reads them"})
    people: Path = field(metadata={"doc": "where the folders of links appear; it may lie inside a photo folder"})
    state: Path = field(metadata={"doc": "where guyverd keeps its catalogue and index"})
    watch: Watch = section(Watch, "How changes on disk are noticed")
    faces: Faces = section(Faces, "How faces are looked for")
    workers: Workers = section(Workers, "The processes that read pictures")
    clustering: People = section(People, "How faces become people")
    folders: Folders = section(Folders, "How the people folder looks")
    log: Log = section(Log, "What is told while it runs")


PATHS = ("photos", "people", "state")


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
    reader.check_keys(mapping, Config, ())
    for key in ("photos", "people"):
        if mapping.get(key) in (None, [], ""):
            raise reader.error((key,), f"`{key}` is missing: {_doc(Config, key)}")
    listed = mapping["photos"] if isinstance(mapping["photos"], list) else [mapping["photos"]]
    photos = tuple(reader.path(item, ("photos",), base, home) for item in listed)
    people = reader.path(mapping["people"], ("people",), base, home)
    state = reader.path(mapping["state"], ("state",), base, home) if mapping.get("state") else default_state
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
    return config


def _check_paths(reader: _Reader, photos: Sequence[Path], people: Path, state: Path) -> None:
    for index, root in enumerate(photos):
        for other in photos[:index]:
            if root == other or root.is_relative_to(other) or other.is_relative_to(root):
                raise reader.error(("photos",), f"{root} and {other} overlap; name only the outer one")
        if people == root or root.is_relative_to(people):
            raise reader.error(("people",), f"the photo folder {root} must not lie in the people folder {people}")
        if state == root or state.is_relative_to(root) or root.is_relative_to(state):
            raise reader.error(("state",), f"state {state} and the photo folder {root} must not lie in one another")
    if state == people or state.is_relative_to(people) or people.is_relative_to(state):
        raise reader.error(("state",), f"state {state} and the people folder {people} must not lie in one another")


def _doc(cls: type, name: str) -> str:
    item: Field[Any] = next(item for item in fields(cls) if item.name == name)
    return str(item.metadata["doc"])


class _Reader:
    """Reads values and tells where they stood when one is wrong."""

    def __init__(self, lines: Lines, source: str) -> None:
        self.lines = lines
        self.source = source

    def error(self, key: tuple[str, ...], detail: str) -> ConfigError:
        line = next((self.lines[key[:n]] for n in range(len(key), -1, -1) if key[:n] in self.lines), None)
        where = self.source if line is None else f"{self.source}, line {line}"
        return ConfigError(where=where, detail=detail)

    def check_keys(self, mapping: Mapping[object, object], cls: type, above: tuple[str, ...]) -> None:
        known = [item.name for item in fields(cls)]
        for key in mapping:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, 1)
                help_ = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
                raise self.error((*above, str(key)), f"unknown key `{'.'.join((*above, str(key)))}`; {help_}")

    def section(self, cls: type, value: object, key: tuple[str, ...]) -> Any:
        if value is None:
            return cls()
        if not isinstance(value, Mapping):
            raise self.error(key, f"`{key[-1]}` holds settings, not a value")
        self.check_keys(value, cls, key)
        found = {}
        for item in fields(cls):
            if item.name in value:
                unit: Unit = item.metadata["unit"]
                try:
                    found[item.name] = unit.read(value[item.name])
                except ValueError as problem:
                    here = (*key, item.name)
                    raise self.error(here, f"`{'.'.join(here)}: {value[item.name]}`: {problem}") from None
        return cls(**found)

    def path(self, value: object, key: tuple[str, ...], base: Path, home: Path) -> Path:
        if not isinstance(value, str) or not value or "\0" in value:
            raise self.error(key, f"`{key[-1]}`: expected a path, not {value!r}")
        if value == "~" or value.startswith("~/"):
            value = str(home / value[2:])
        # Lexical only: a link is followed when the folder is opened, not here.
        parts: list[str] = []
        for part in (base / value).parts:
            if part == "..":
                if len(parts) > 1:
                    parts.pop()
            else:
                parts.append(part)
        return Path(*parts)


def render(config: Config, *, show_paths: Mapping[str, object] | None = None) -> str:
    """The commented YAML that says what `config` says: every key with its meaning, unit and value.

    `show_paths` replaces the text of path keys (the example shows `~/Pictures`, not somebody's home).
    """
    shown = {
        "photos": [str(path) for path in config.photos],
        "people": str(config.people),
        "state": str(config.state),
    }
    shown.update(show_paths or {})  # type: ignore[arg-type]
    out = [
        "# guyverd's configuration. Everything but `photos` and `people` may be left out: the values are the defaults.",
        "# `guyverd run` reads it at its start and again on SIGHUP.",
    ]
    for item in fields(Config):
        out.append("")
        value = getattr(config, item.name)
        if is_dataclass(value):
            out += [f"# {item.metadata['doc']}.", f"{item.name}:"]
            for inner in fields(value):
                out += _rendered(inner, getattr(value, inner.name))
        else:
            out.append(f"# {item.metadata['doc']}")
            texts = shown[item.name]
            if isinstance(texts, list):
                out += [f"{item.name}:", *(f"  - {_quoted(text)}" for text in texts)]
            else:
                out.append(f"{item.name}: {_quoted(str(texts))}")
    return "\n".join(out) + "\n"


def _rendered(item: Field[Any], value: object) -> list[str]:
    unit: Unit = item.metadata["unit"]
    assert item.default is not MISSING
    default = "" if value == item.default else f" Default: {_value_text(unit, item.default)}."
    lines = [f"  # {item.metadata['doc'][0].upper()}{item.metadata['doc'][1:]}. [{unit.name}]{default}"]
    return [*lines, f"  {item.name}: {_value_text(unit, value)}"]


def _value_text(unit: Unit, value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_quoted(str(item)) for item in value) + "]"
    return unit.show(value)


def _quoted(text: str) -> str:
    """A YAML scalar: plain where that is safe, else in double quotes."""
    if re.fullmatch(r"[~/A-Za-z0-9][A-Za-z0-9_./+ -]*[A-Za-z0-9]|[A-Za-z0-9]", text) and text != "~":
        return text
    escaped = "".join(
        char
        if char.isprintable() and char not in '"\\'
        else f"\\u{ord(char):04x}"
        if ord(char) < 0x10000
        else f"\\U{ord(char):08x}"
        for char in text
    )
    return f'"{escaped}"'
