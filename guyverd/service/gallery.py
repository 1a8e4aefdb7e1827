"""The page that shows what was found: one HTML file that needs nothing else, and loads nothing from anywhere. Pure."""

from __future__ import annotations

import base64
import html
import os
import unicodedata
import urllib.parse
from dataclasses import dataclass

from guyverd.service.api import Row

MARK = "<!-- guyverd: found pictures -->"
"""Stands on the second line of each page, so that one is told from a file of somebody's own."""
_SAFETY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { margin: 1.5rem auto; padding: 0 1rem; max-width: 90rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; }
p { margin: .2rem 0 1rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 14px; }
figure { margin: 0; border: 1px solid #8884; border-radius: 8px; overflow: hidden; }
.seen { position: relative; height: 220px; background: #8882; display: grid; place-items: center; }
.seen > div { position: relative; display: inline-block; line-height: 0; }
.seen img { max-width: 100%; max-height: 220px; }
.seen i { position: absolute; border: 2px solid #fc3; border-radius: 3px; box-shadow: 0 0 0 1px #0008; }
.seen .face { position: absolute; right: 6px; bottom: 6px; height: 76px; border-radius: 6px; outline: 1px solid #fffa; }
.seen span { padding: 1rem; text-align: center; font-size: .9rem; }
figcaption { padding: .5rem .7rem .6rem; overflow-wrap: anywhere; }
figcaption small { display: block; opacity: .75; }
b { font-variant-numeric: tabular-nums; }
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is seen of one row."""

    whole: bytes
    """JPEG."""
    face: bytes | None
    """JPEG; None where none is known in it."""
    width: int
    """Pixels of the upright original."""
    height: int


def head(title: str, about: str, count: int) -> str:
    """The beginning of the page."""
    told = f"{_text(about)} " if about else ""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            MARK,
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_SAFETY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{_text(title)}</h1><p>{told}{count:,} {'picture' if count == 1 else 'pictures'}</p><main>\n",
        ]
    )


def card(row: Row, shown: Shown | str) -> str:
    """One row of `Library.search` or `Library.together`; `shown` tells in words why nothing can be seen of it."""
    name = os.path.basename(row["file"]) if row["file"] else "no file of it is there now"
    where = "" if row["start"] is None else f" {_clock(row['start'])}–{_clock(row['end'])}"
    caption = f"<b>{_text(name)}</b>{where}"
    if row["file"]:
        caption = f'<a href="{_link(row)}" title="{_text(row["file"])}">{caption}</a>'
    told = [_text(line) for line in _told(row)]
    lines = "".join(f"<small>{line}</small>" for line in told)
    return f'<figure><div class="seen">{_seen(row, shown)}</div><figcaption>{caption}{lines}</figcaption></figure>\n'


def tail() -> str:
    """The end of the page."""
    return "</main></body></html>\n"


def _told(row: Row) -> list[str]:
    lines = []
    if "confidence" in row:
        sure = f"{100 * row['confidence']:.0f} % sure" if row["confidence"] < 0.995 else "more than 99 % sure"
        who = row["name"] or (f"person {row['person']}" if row["person"] is not None else "nobody known")
        measures = [f"distance {row['distance']:.3f}"] if row["distance"] is not None else []
        measures += [f"margin {row['margin']:.2f}"] if row["margin"] is not None else []
        lines += [f"{sure}, {who}", ", ".join([*measures, "by the person" if row["through"] else "by likeness"])]
    if row["taken_at"]:
        lines.append(row["taken_at"].replace("T", " ")[:16])
    if alike := len(row.get("duplicates") or ()):
        lines.append(f"and {alike} that {'is' if alike == 1 else 'are'} all but the same")
    return lines


def _seen(row: Row, shown: Shown | str) -> str:
    if isinstance(shown, str):
        return f"<span>{_text(shown)}</span>"
    frame = ""
    box = row.get("box")
    if box is not None and shown.width and shown.height and (row["start"] is None or row.get("at") is not None):
        left, top = 100 * box[0] / shown.width, 100 * box[1] / shown.height
        across, down = 100 * (box[2] - box[0]) / shown.width, 100 * (box[3] - box[1]) / shown.height
        frame = f'<i style="left:{left:.2f}%;top:{top:.2f}%;width:{across:.2f}%;height:{down:.2f}%"></i>'
    face = "" if shown.face is None else f'<img class="face" alt="" src="{_data(shown.face)}">'
    return f'<div><img alt="" src="{_data(shown.whole)}">{frame}</div>{face}'


def _link(row: Row) -> str:
    """The original, of a video from the moment on."""
    path = urllib.parse.quote(os.fsencode(row["file"]))
    moment = "" if row["start"] is None else f"#t={row['start']:.2f},{row['end']:.2f}"
    return f"file://{path}{moment}"


def _data(picture: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode('ascii')}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def _text(text: str) -> str:
    """With nothing in it that could leave its place: marks, control characters, turned directions, lone surrogates."""
    plain = "".join(
        char if unicodedata.category(char)[0] != "C" or char == "\u200d" else _escaped(char) for char in text
    )
    return html.escape(plain, quote=True)


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
