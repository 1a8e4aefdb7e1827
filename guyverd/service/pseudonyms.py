"""What may stand in a report for strangers, and what stands there instead of the rest. Pure.

Nothing is looked for that must not be told. It is the other way round: a word is kept where it is one of the program's
own (`vocabulary`), and everything else is replaced. So nobody needs to know all names and paths of a library, and a
report of one that cannot be read any more is as safe as any other. What can remain of somebody's is a word in lower
case that the program uses too.

A path becomes the same pseudonym wherever it stands, so that lines about one file can still be told to be so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from guyverd.service.doctor.finding import Figure, Finding, Value, plain
from guyverd.service.vocabulary import Vocabulary

REPLACED = "…"
_MOMENT = re.compile(r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:\+00:00|Z)?")
_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,4}){1,3}(?:\.?(?:post|dev|rc|a|b)\d{1,3})?")
_SLASHED = {"kB/s", "MB/s", "GB/s", "bytes/s", "photos/s", "and/or"}
_HOLDER = "\ue000{}\ue001"
"""Stands in for what was replaced already; both characters are taken out of what is given."""
_TOKEN = re.compile(r"\ue000\d+\ue001(?:/\S*)?|\S*/\S*|\w+|\s+|.", re.DOTALL)
_HELD = re.compile(r"\ue000(\d+)\ue001")
_HARMLESS = frozenset(" .,:;!?()[]{}<>%'\"`=+-*&|#@~^$" + "’…×–·→")
_BOUNDARY = r"(?=/|\s|[\"'`,:;.!?)\]}]|$)"


class Clean(str):
    """A text that holds nothing of anybody's."""

    __slots__ = ()


class Pseudonyms:
    """Replaces, and remembers by what. `known` names paths by what they are for, such as "state folder"."""

    def __init__(self, known: Mapping[str, str], vocabulary: Vocabulary, extensions: Sequence[str] = ()) -> None:
        """`extensions` of files may be told: lower case, without the dot."""
        self._words = vocabulary
        self._extensions = frozenset(extensions)
        self._paths: dict[str, int] = {}
        # The longest first: what is in a folder is not merely in the one above.
        self._known = sorted(
            ((path.rstrip("/"), label) for path, label in known.items() if path.rstrip("/")),
            key=lambda item: -len(item[0]),
        )
        either = "|".join(re.escape(path) for path, _ in self._known)
        self._known_in = re.compile(f"(?<![\\w.~-])(?:{either}){_BOUNDARY}") if either else None
        self._labels = dict(self._known)

    def path(self, path: str) -> Clean:
        """A pseudonym for a whole path."""
        for known, label in self._known:
            if path in (known, f"{known}/"):
                return Clean(f"<{label}>")
            if path.startswith(f"{known}/"):
                return Clean(f"<{label}>/{self._numbered(path)}")
        return self._numbered(path)

    def _numbered(self, path: str) -> Clean:
        number = self._paths.setdefault(path, len(self._paths) + 1)
        extension = path.rpartition("/")[2].rpartition(".")[2].lower()
        return Clean(f"<path {number}>" + (f".{extension}" if extension in self._extensions else ""))

    def text(self, text: str) -> Clean:
        """A text of any origin: paths as pseudonyms, numbers as N, unknown words as `REPLACED`."""
        if isinstance(text, Clean):
            return text
        if _MOMENT.fullmatch(text) or _VERSION.fullmatch(text):
            return Clean(text)
        held: list[str] = []

        def hold(label: str) -> str:
            held.append(label)
            return _HOLDER.format(len(held) - 1)

        text = re.sub("[\ue000\ue001]", "", text)
        if self._known_in is not None:
            text = self._known_in.sub(lambda match: hold(f"<{self._labels[match[0]]}>"), text)
        told = []
        before = ""
        for token in _TOKEN.findall(text):
            told.append(self._token(token, before, held))
            before += token if not token.isspace() else " "
        return Clean(re.sub(f"{REPLACED}(?:\\s*{REPLACED})+", REPLACED, "".join(told)))

    def _token(self, token: str, before: str, held: Sequence[str]) -> str:
        if (found := _HELD.match(token)) is not None:
            rest = token[found.end() :]
            label = held[int(found[1])]
            return f"{label}/{self._numbered(label + rest)}" if rest.strip("/") else label
        if token.isspace():
            return " "
        if "/" in token:
            bare = token.strip("().,;:!?")
            return token if bare in _SLASHED else str(self._numbered(token))
        if re.fullmatch(r"\w+", token):
            return self._word(token, before)
        return token if token in _HARMLESS else REPLACED

    def _word(self, token: str, before: str) -> str:
        if token.isascii() and token.isdecimal():
            return "N"
        first = not before.strip() or before.endswith((". ", "! ", "? ", ": ", "; ", "] "))
        words = self._words
        if token in words.words or token in words.marks or (first and token in words.openings):
            return token
        return REPLACED

    def template(self, template: str, arguments: Sequence[object]) -> Clean:
        """A line of the log from its fixed text and what was filled in."""
        if template not in self._words.texts:
            return self.text(_filled(template, arguments))
        shown = [argument if _is_number(argument) else self.whole(str(argument)) for argument in arguments]
        return Clean(_filled(template, shown))

    def whole(self, text: str) -> Clean:
        """A text that may be a path as a whole, whatever is in it."""
        if isinstance(text, Clean):
            return text
        return self.path(text) if text.startswith("/") else self.text(text)

    def finding(self, finding: Finding) -> dict[str, Clean]:
        """A verdict of the doctor."""
        return {name: Clean(value) for name, value in finding.told(self._shown).items()}

    def _shown(self, value: Value) -> str:
        if isinstance(value, Path):
            return self.path(str(value))
        if isinstance(value, Figure | int | float):
            return plain(value)
        return self.text(value)

    def value(self, value: object) -> object:
        """Whatever JSON can carry, with every text in it replaced, keys too."""
        if isinstance(value, str):
            return self.whole(value)
        if isinstance(value, Mapping):
            return {self.whole(key): self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        if value is None or isinstance(value, bool) or _is_number(value):
            return value
        return self.text(str(value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _filled(template: str, arguments: Sequence[object]) -> str:
    try:
        return template % tuple(arguments)
    except (TypeError, ValueError):
        return template
