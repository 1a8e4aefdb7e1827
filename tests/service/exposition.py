"""A strict reader of Prometheus' text format 0.0.4: whatever is not exactly as the format says is an error."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL})(?:,{_LABEL})*)\}})? (-?(?:\d+(?:\.\d+)?(?:e[+-]\d+)?))")
_KINDS = ("counter", "gauge", "summary", "histogram", "untyped")
_UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}

Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    """What stands under one HELP and TYPE."""

    name: str
    help: str
    kind: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)
    """By full name and labels."""


def read(text: str) -> dict[str, Family]:
    """The families by name. Raises AssertionError."""
    assert text.endswith("\n"), "the last line must end"
    assert text.isascii()
    families: dict[str, Family] = {}
    current: Family | None = None
    lines = iter(text.split("\n")[:-1])
    for line in lines:
        if line.startswith("# HELP "):
            match = re.fullmatch(rf"# HELP ({_NAME}) ((?:[^\\\n]|\\[\\n])+)", line)
            assert match, line
            kind = re.fullmatch(rf"# TYPE ({_NAME}) (\w+)", next(lines))
            assert kind, f"TYPE follows HELP: {line}"
            assert kind[1] == match[1], "of the same name"
            assert kind[2] in _KINDS
            assert match[1] not in families, "all lines of one family stand together"
            assert current is None or current.samples, "a family has samples"
            current = families[match[1]] = Family(match[1], match[2], kind[2])
            continue
        assert not line.startswith("#"), line
        assert current is not None
        match = _SAMPLE.fullmatch(line)
        assert match, line
        suffix = match[1].removeprefix(current.name)
        assert suffix in (("_sum", "_count") if current.kind == "summary" else ("",)), line
        labels = tuple((name, _unescaped(value)) for name, value in re.findall(_LABEL, match[2] or ""))
        assert len({name for name, _ in labels}) == len(labels), "a label stands once"
        key = match[1], tuple(sorted(labels))
        assert key not in current.samples, f"twice: {line}"
        current.samples[key] = float(match[7])
    assert current is not None
    assert current.samples
    for family in families.values():
        if family.kind == "counter":
            assert family.name.endswith("_total")
            assert all(value >= 0 for value in family.samples.values())
        else:
            assert not family.name.endswith("_total")
    return families


def _unescaped(value: str) -> str:
    return re.sub(r'\\["\\n]', lambda match: _UNESCAPED[match[0]], value)
