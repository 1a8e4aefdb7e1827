"""What can be configured: every key with its unit, default and meaning, and a pure parser for it.

`parse` turns a mapping, as YAML gives it, into a `Config`. It touches no disk. Anything it does not understand is an
error that names the key, the line and what would be right.
"""

from __future__ import annotations

import difflib
import re
import reprlib
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from decimal import Decimal
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


def _measure(name: str, units: Mapping[str, str], such: str, low: str, high: str) -> Unit:
    """A number with a unit, such as `such`, from `low` to `high`; `units` gives each name's factor, smallest first.

    Reckoned in decimals: what is shown reads back as exactly the same number.
    """
    factors = {unit: Decimal(factor) for unit, factor in units.items()}
    pattern = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z%]+)\s*", re.ASCII)

    def number_in(text: object) -> Decimal | None:
        match = pattern.fullmatch(text) if isinstance(text, str) else None
        return None if match is None or match[2] not in factors else Decimal(match[1]) * factors[match[2]]

    least, most = number_in(low), number_in(high)
    assert least is not None
    assert most is not None

    def read(value: object) -> float:
        number = number_in(value)
        if number is None:
            raise ValueError(f"expected a number with a unit ({', '.join(factors)}), such as {such}")
        if not least <= number <= most:
            raise ValueError(f"expected {low} to {high}")
        return float(number)

    def show(value: float) -> str:
        exact = Decimal(repr(value))
        # The largest unit that makes it a short number; failing that the finest, in which every number ends.
        for unit, factor in reversed(factors.items()):
            if exact >= factor and exact / factor * 1000 % 1 == 0:
                return f"{_plain(exact / factor)} {unit}"
        unit, factor = next(iter(factors.items()))
        return f"{_plain(exact / factor)} {unit}"

    return Unit(name, read, show)


def _plain(number: Decimal) -> str:
    """Decimals without an exponent, which YAML would take for a text, and without idle zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _whole(at_least: int, at_most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not at_least <= value <= at_most:
            raise ValueError(f"expected a whole number from {at_least} to {at_most}")
        return value

    return read


def _between(low: float, high: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"expected a number from {low:g} to {high:g}")
        return float(value)

    return read


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("expected a text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError("expected a list of texts, such as ['*.tmp', '*.part']")
    return tuple(value)


def _folder_name(value: object) -> str:
    text = _text(value)
    plain = "/" not in text and not text.startswith(".") and text.isprintable() and text == text.strip()
    if not plain or len(text.encode()) > 200:
        raise ValueError("expected a plain folder name: no slash, no dot at its start, 200 bytes at most")
    return text


def _choice(*names: str) -> Unit:
    def read(value: object) -> str:
        if value not in names:
            raise ValueError(f"expected one of: {', '.join(names)}")
        return str(value)

    return Unit("one of " + ", ".join(names), read)


def duration(low: str = "0 s") -> Unit:
    """A time, kept in seconds; at most a century, which every clock can wait for."""
    units = {"ms": "0.001", "s": "1", "min": "60", "h": "3600", "d": "86400"}
    return _measure("time: ms, s, min, h, d", units, "2 s", low, "36500 d")


def pixels(low: str = "1 px") -> Unit:
    """A length in whole pixels."""
    measure = _measure("pixels: px", {"px": "1"}, "40 px", low, "100000 px")

    def read(value: object) -> int:
        length = measure.read(value)
        if length != int(length):
            raise ValueError("expected whole pixels")
        return int(length)

    return Unit(measure.name, read, measure.show)


def share(low: str = "0 %", high: str = "100 %") -> Unit:
    """A share of a whole, kept as 0 to 1."""
    return _measure("share: %", {"%": "0.01"}, "5 %", low, high)


DURATION = duration()
SIZE = _measure("memory: MB, GB", {"MB": "1e6", "GB": "1e9"}, "2 GB", "500 MB", "100000 GB")
PIXELS = pixels()
SHARE = share()
FOLDER_NAME = Unit("a folder name", _folder_name, lambda name: _quoted(name))  # noqa: PLW0108  defined below
PATTERNS = Unit("a list of patterns", _texts, lambda value: "[" + ", ".join(map(_quoted, value)) + "]")


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of every day, by the clock on the wall; it may pass midnight."""

    begin: int
    """Minutes after midnight, 0 to 1439."""
    end: int
    """The minute in which it is over; another one than `begin`."""

    def holds(self, minute: int) -> bool:
        """Whether that minute of a day is within."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def __str__(self) -> str:
        return f"{_clock(self.begin)}-{_clock(self.end)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _hours(value: object) -> Hours | None:
    if value is None or value == "":
        return None
    found = re.fullmatch(r"\s*([0-9]{1,2}):([0-9]{2})\s*[-–]\s*([0-9]{1,2}):([0-9]{2})\s*", str(value), re.ASCII)
    expected = 'expected two times of a day, such as "22:00-07:00", or "" for never'
    if found is None or not isinstance(value, str):
        raise ValueError(expected)
    hours, minutes = [int(found[1]), int(found[3])], [int(found[2]), int(found[4])]
    begin, end = (60 * hour + minute for hour, minute in zip(hours, minutes, strict=True))
    if max(minutes) > 59 or begin >= 1440 or end > 1440:
        raise ValueError(expected)
    if begin == end % 1440:
        raise ValueError("expected two different times")
    return Hours(begin, end % 1440)


HOURS = Unit('hours: "22:00-07:00"', _hours, lambda value: '""' if value is None else f'"{value}"')


def count(at_least: int, at_most: int = 1_000_000) -> Unit:
    """A whole number."""
    return Unit(f"a whole number, {at_least} or more", _whole(at_least, at_most))


def number(low: float, high: float) -> Unit:
    """A number within bounds."""
    return Unit(
        f"a number from {low:g} to {high:g}", _between(low, high), lambda value: _plain(Decimal(repr(float(value))))
    )


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
    rescan: float = setting(6 * 3600.0, duration("100 ms"), "every photo folder is compared in full this often")
    poll: float = setting(
        120.0, duration("100 ms"), "and this often where the file system sends no events (network, FUSE)"
    )
    ignore: tuple[str, ...] = setting(
        ("@eaDir", "lost+found", "*.tmp", "*.part", "*.crdownload"),
        PATTERNS,
        "names of files and folders to pass over, * and ? allowed; those that begin with a dot always are",
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

    smallest: float = setting(
        0.04,
        share("2 %", "40 %"),
        "the narrowest face that matters, as a share of the picture's longer side; half of it takes four times as long",
    )
    level: str = setting(
        "balanced",
        _choice("fast", "balanced", "thorough"),
        "how hard faces are looked for: fast is content with faces twice as wide, in a third of the time; thorough "
        "finds some that the others miss, in three times the time",
    )
    device: str = setting(
        "cpu", _choice("cpu", "gpu"), "gpu uses a graphics processor where onnxruntime has one, and else the cpu"
    )


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes that read pictures."""

    count: int = setting(0, count(0, 1024), "how many; 0 means one per processor core, or fewer where memory is scarce")
    deadline: float = setting(120.0, duration("1 s"), "a picture that takes longer is given up")
    memory: float = setting(4e9, SIZE, "address space one worker may take")
    speed: str = setting(
        "gentle",
        _choice("gentle", "full"),
        "gentle lets every other program go first (low CPU and disk priority), full does not",
    )
    full_speed_hours: Hours | None = setting(
        None, HOURS, "between these times of the day, by the local clock, full speed all the same; empty means never"
    )
    quiet_hours: Hours | None = setting(
        None, HOURS, "between these the daemon reads no photo: what arrives waits; empty means never"
    )
    idle: float = setting(30.0, DURATION, "workers and models leave memory when there was nothing to do for this long")


@dataclass(frozen=True, slots=True)
class People:
    """How faces become people."""

    link_distance: float = setting(
        0.31, number(0.05, 1.0), "faces nearer than this may be one person: distance of unit vectors, 0 to 2"
    )
    merge_distance: float = setting(
        0.325, number(0.05, 1.0), "two unnamed groups whose average distance is below this become one"
    )
    margin: float = setting(
        1.5, number(1.0, 10.0), "the evidence for a person must be this many times that for the runner-up"
    )
    neighbours: int = setting(40, count(4, 1000), "nearest faces looked at for each face")
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
    state: Path = field(
        metadata={"doc": "where guyverd keeps its catalogue and index; outside the photo folders and the people folder"}
    )
    watch: Watch = section(Watch, "How changes on disk are noticed")
    faces: Faces = section(Faces, "How faces are looked for")
    workers: Workers = section(Workers, "The processes that read pictures")
    clustering: People = section(People, "How faces become people")
    folders: Folders = section(Folders, "How the people folder looks")
    log: Log = section(Log, "What is told while it runs")


PATHS = ("photos", "people", "state")

RETIRED = {
    "faces.canvas": "`smallest` says how large pictures are looked at",
    "faces.detector": "`level` says how hard faces are looked for",
    "workers.gentle": "write `speed: gentle` where it was true, `speed: full` where it was false",
}
"""Keys of earlier versions, with what to write now."""


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


def _doc(cls: type, name: str) -> str:
    item: Field[Any] = next(item for item in fields(cls) if item.name == name)
    return str(item.metadata["doc"])


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


_PREFACE = (
    "guyverd's configuration. `guyverd run` reads it when it starts, and again on SIGHUP.",
    "Only `photos` and `people` must be there. Every other key may be left out and then has its default, which is the "
    "value here unless the comment above names another. [Square brackets] tell the unit or the choice.",
    "A path is absolute, starts at your home (~/Pictures), or is relative to the folder of this file; one with a colon "
    'or a # in it is written in quotes: "/media/disk #2".',
)


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
    out = [line for paragraph in _PREFACE for line in [*_comment(paragraph), "#"]][:-1]
    for item in fields(Config):
        out.append("")
        value = getattr(config, item.name)
        if is_dataclass(value):
            out += [*_comment(_sentence(item.metadata["doc"])), f"{item.name}:"]
            for inner in fields(value):
                out += _rendered(inner, getattr(value, inner.name))
        else:
            out += _comment(_sentence(item.metadata["doc"]))
            texts = shown[item.name]
            if isinstance(texts, list):
                out += [f"{item.name}:", *(f"  - {_quoted(text)}" for text in texts)]
            else:
                out.append(f"{item.name}: {_quoted(str(texts))}")
    return "\n".join(out) + "\n"


def example() -> str:
    """What config.example.yaml holds: every key with its default, for somebody whose photos are in ~/Pictures."""
    here = Path("/")
    shown = {"photos": ["~/Pictures"], "people": "~/People", "state": "~/.local/share/guyverd/default"}
    return render(Config(photos=(here,), people=here, state=here), show_paths=shown)


def _sentence(doc: str) -> str:
    return f"{doc[0].upper()}{doc[1:]}."


def _rendered(item: Field[Any], value: object) -> list[str]:
    unit: Unit = item.metadata["unit"]
    assert item.default is not MISSING
    default = "" if value == item.default else f" Default:\xa0{unit.show(item.default)}."
    unbroken = unit.name.replace(" ", "\xa0")
    comment = f"{_sentence(item.metadata['doc'])} [{unbroken}]{default}"
    return [*(f"  {line}" for line in _comment(comment)), f"  {item.name}: {unit.show(value)}"]


def _comment(text: str) -> list[str]:
    lines = textwrap.wrap(text, 96, initial_indent="# ", subsequent_indent="# ", break_long_words=False)
    return [line.replace("\xa0", " ") for line in lines]


def _quoted(text: str) -> str:
    """A YAML scalar: plain for an ordinary path or word, else in double quotes."""
    # The words that YAML reads as something else are those of `yes`, `off`, `null`: none has six letters.
    if re.fullmatch(r"(~?/|[A-Za-z]{6})([A-Za-z0-9_./+ -]*[A-Za-z0-9])?", text):
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
