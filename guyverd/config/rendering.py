"""A `Config` to the commented YAML that says the same."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from guyverd.config.settings import Config
from guyverd.config.units import Unit, quoted

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
                out += [f"{item.name}:", *(f"  - {quoted(text)}" for text in texts)]
            else:
                out.append(f"{item.name}: {quoted(str(texts))}")
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
