"""The confusion page: the worst mixes and splits as pictures, in one HTML file that needs nothing else; pure."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from guyverd.evaluation.confusion import Confusion
from guyverd.model import Box

MOST = 24
"""Confusions of each kind that are shown."""
FACES = 24
"""Faces of one part that are shown; how many more there are is told."""
PARTS = 12
"""Parts of one confusion that are shown."""
MARGIN = 0.1
"""By how much of its size a box is made larger for its picture."""

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0 2rem; }
td { padding: .15rem 1.5rem .15rem 0; }
td + td { text-align: right; font-variant-numeric: tabular-nums; }
section { border-top: 1px solid #8886; padding: .6rem 0 1rem; }
h3 { margin: .3rem 0; font-size: 1rem; }
h4 { margin: .7rem 0 .3rem; font-weight: normal; font-size: .92rem; }
.faces { display: flex; flex-wrap: wrap; gap: 4px; }
.faces img, .faces span { width: 88px; height: 88px; object-fit: cover; border-radius: 4px; background: #8883; }
.faces span { display: grid; place-items: center; font-size: .8rem; text-align: center; overflow: hidden; }
.most img { outline: 2px solid #3a7; outline-offset: -2px; }
.less img { outline: 2px solid #c53; outline-offset: -2px; }
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One face as the page shows it."""

    file: str
    picture: bytes | None
    """JPEG; None where the photo could not be read any more."""


def enlarged(box: Box, width: int, height: int) -> Box:
    """The box with `MARGIN` of its size added all around, cut at the edges of a picture of that size."""
    across, down = round(MARGIN * box.width), round(MARGIN * box.height)
    return Box(
        max(0, box.left - across),
        max(0, box.top - down),
        min(width, box.right + across),
        min(height, box.bottom + down),
    )


def page(
    title: str,
    figures: Sequence[tuple[str, str]],
    mixes: Sequence[Confusion],
    splits: Sequence[Confusion],
    *,
    names: Mapping[int, str],
    show: Callable[[int], Shown],
) -> str:
    """The page. `figures` are pairs of what was measured; `names` has each person's; `show` gives the face of a row."""
    told = "".join(f"<tr><td>{_text(what)}</td><td>{_text(value)}</td></tr>" for what, value in figures)
    mixed = [_section(f"Group {item.number}", item, _by_person(item, names), show) for item in mixes[:MOST]]
    split = [_section(names[item.number], item, _by_group(item), show) for item in splits[:MOST]]
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{_text(title)}</h1><table>{told}</table>",
            f"<h2>Mixes</h2><p>{_many(mixes, 'groups hold', 'several people')}</p>",
            *mixed,
            f"<h2>Splits</h2><p>{_many(splits, 'people are', 'in several groups')}</p>",
            *split,
            "</body></html>\n",
        ]
    )


def _many(confusions: Sequence[Confusion], some: str, what: str) -> str:
    if not confusions:
        return f"No {some} {what}."
    worst = f" The worst {MOST} are shown." if len(confusions) > MOST else ""
    return f"{len(confusions)} {some} {what}; those with most faces beside the largest part come first.{worst}"


def _by_person(item: Confusion, names: Mapping[int, str]) -> list[tuple[str, tuple[int, ...]]]:
    return [(names[part.person], part.rows) for part in item.parts]


def _by_group(item: Confusion) -> list[tuple[str, tuple[int, ...]]]:
    """The groups, and as the last one all faces that are attached to nobody."""
    groups = [(f"group {part.group}", part.rows) for part in item.parts if part.group]
    nobody = tuple(row for part in item.parts if not part.group for row in part.rows)
    return [*groups, ("attached to nobody", nobody)] if nobody else groups


def _section(
    called: str, item: Confusion, parts: Sequence[tuple[str, tuple[int, ...]]], show: Callable[[int], Shown]
) -> str:
    shown = "".join(
        _part(who, rows, "most" if at == 0 else "less", show) for at, (who, rows) in enumerate(parts[:PARTS])
    )
    more = f"<p>and {len(parts) - PARTS} parts more</p>" if len(parts) > PARTS else ""
    told = f"{item.faces} faces, {item.wrong} beside the largest part"
    return f"<section><h3>{_text(called)}: {told}</h3>{shown}{more}</section>"


def _part(called: str, rows: tuple[int, ...], kind: str, show: Callable[[int], Shown]) -> str:
    pictures = "".join(_face(show(row)) for row in rows[:FACES])
    more = f"<span>and {len(rows) - FACES} more</span>" if len(rows) > FACES else ""
    return f'<h4>{_text(called)} ({len(rows)})</h4><div class="faces {kind}">{pictures}{more}</div>'


def _face(shown: Shown) -> str:
    file = _text(shown.file)
    if shown.picture is None:
        return f'<span title="{file}">not readable</span>'
    data = base64.b64encode(shown.picture).decode("ascii")
    return f'<img alt="" title="{file}" src="data:image/jpeg;base64,{data}">'


def _text(text: str) -> str:
    # Bytes of file names that are no UTF-8 come as lone surrogates, which no file in UTF-8 can hold.
    return html.escape(text.encode("utf-8", "backslashreplace").decode("utf-8"), quote=True)
