"""The contact sheet of a folder: a page that shows its photos and videos in a browser. Pure: the same give the same.

It holds no script and asks for nothing from elsewhere: what it shows are the links beside it.
"""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from urllib.parse import quote

PAGE = b"index.html"
COVER = b"cover.jpg"
HEAD = 64
"""Bytes that tell whether a picture is a cover of ours."""
_SAID = b"a cover by guyverd"
_COMMENT = b"\xff\xfe" + (len(_SAID) + 2).to_bytes(2, "big") + _SAID

_STYLE = """\
:root { color-scheme: light dark; font: 16px/1.4 system-ui, sans-serif; }
body { margin: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
p { margin: 0; opacity: .7; }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .75rem; margin: 0; padding: 0; }
li { list-style: none; min-width: 0; font-size: .8rem; overflow-wrap: anywhere; }
img { display: block; width: 100%; height: 11rem; object-fit: cover; border-radius: .4rem; background: #8883; }
a { color: inherit; }"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A photo on a sheet."""

    path: bytes
    """Of its link, relative to the folder."""
    taken_at: str | None
    """ISO 8601."""
    companions: tuple[bytes, ...] = ()
    """Links of what belongs to it, relative to the folder."""
    moments: tuple[tuple[float, float], ...] | None = None
    """Of a video: from when to when the person is seen, in seconds, where that is known; None for a photo."""


_SHOWN = 3
"""Moments that are told of a video."""
_PLAYER = "display:block;width:100%;height:11rem;object-fit:cover;border-radius:.4rem;background:#8883"
"""As pictures are shown; not in the page's style, so that sheets of before are still known for ours."""


def contact_sheet(title: str, entries: Iterable[Entry]) -> bytes:
    """The page for a folder of these photos: by year and date, those without a date last."""
    shown = sorted(entries, key=lambda entry: (entry.taken_at is None, entry.taken_at or "", entry.path))
    videos = sum(entry.moments is not None for entry in shown)
    counts = [_count(len(shown) - videos, "photo")] if len(shown) > videos or not videos else []
    count = " and ".join([*counts, *([_count(videos, "video")] if videos else [])])
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="generator" content="guyverd">',
        f"<title>{_text(title)}</title>",
        f"<style>\n{_STYLE}\n</style>",
        "</head>",
        "<body>",
        f"<h1>{_text(title)}</h1>",
        f"<p>{count}</p>",
    ]
    for year, inside in groupby(shown, key=lambda entry: (entry.taken_at or "")[:4]):
        lines += [f"<h2>{_text(year) or 'Undated'}</h2>", "<ul>", *map(_item, inside), "</ul>"]
    lines += ["</body>", "</html>", ""]
    return "\n".join(lines).encode()


_LINES = (b"<h1>", b"<p>", b"<h2>", b"<ul>", b"</ul>", b'<li><a href="', b"<title>")


def is_sheet(page: bytes) -> bool:
    """Whether that is a whole contact sheet as it was made, and nobody wrote into it."""
    begins, ends = contact_sheet("", ()).partition(b"<title>")[0], b"</body>\n</html>\n"
    if not page.startswith(begins) or not page.endswith(ends):
        return False
    inner = page[len(begins) : -len(ends)]
    style = f"<style>\n{_STYLE}\n</style>\n</head>\n<body>\n".encode()
    title, found, body = inner.partition(style)
    return bool(found) and all(line.startswith(_LINES) for line in (title + body).splitlines())


def digest(content: bytes) -> bytes:
    """What tells one page from another, as the ledger keeps it."""
    return blake2b(content, digest_size=16).hexdigest().encode()


def as_cover(picture: bytes) -> bytes:
    """A JPEG with a comment that says it is a cover of ours, wherever it is copied to."""
    return picture[:2] + _COMMENT + picture[2:]


def is_cover(head: bytes) -> bool:
    """Whether that is how a cover of ours begins."""
    return head[2:].startswith(_COMMENT)


def _item(entry: Entry) -> str:
    name, link = _text(os.path.basename(entry.path)), _link(entry.path)
    beside = "".join(f' <a href="{_link(one)}">{_text(os.path.basename(one))}</a>' for one in entry.companions)
    told = _text((entry.taken_at or "")[:10])
    picture = f'<img loading="lazy" decoding="async" src="{link}" alt="{name}">'
    if entry.moments is not None:
        # A browser shows the frame at which it would begin to play.
        link += f"#t={entry.moments[0][0]:.2f}" if entry.moments else ""
        picture = f'<video muted preload="metadata" src="{link}" style="{_PLAYER}"></video>'
        told = " ".join([*([told] if told else []), *_times(entry.moments)])
    return f'<li><a href="{link}" title="{name}">{picture}</a>{told}{beside}</li>'


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _times(moments: Sequence[tuple[float, float]]) -> list[str]:
    shown = [f"{_clock(start)}–{_clock(end)}" for start, end in moments[:_SHOWN]]
    return [*shown, *(["…"] if len(moments) > _SHOWN else [])]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _link(path: bytes) -> str:
    # The colon of "a:b" would make a scheme of "a"; it is quoted, as is every byte that is not plain.
    return quote(path, safe="/")


def _text(text: str | bytes) -> str:
    """As it may stand in a page: what cannot be shown becomes U+FFFD."""
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogateescape")
    shown = text.decode("utf-8", "replace")
    return html.escape("".join(char if char.isprintable() else "\ufffd" for char in shown))
