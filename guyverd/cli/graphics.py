"""Pictures on a terminal: with its own protocol where it has one (kitty's, iTerm2's, sixel), else as coloured blocks.

What a terminal can is asked of it: those that know pictures say so within moments, all others keep silent.
"""

from __future__ import annotations

import base64
import io
import os
import re
import select
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

WAYS = ("auto", "kitty", "iterm2", "sixel", "blocks", "none")
LINES = 8
"""Of the terminal that a row of faces takes."""
SIDE = 160
"""Pixels of a face where the terminal shows pixels."""
_GAP = 8
_CHUNK = 4096
_PATIENCE = 0.3
"""Seconds in which a terminal has answered what it can."""
COLUMNS = 2 * LINES + 1
"""Of the terminal that a face takes with the gap; characters are about twice as high as wide."""
_ASKED = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"
"""Whether it knows kitty's pictures, and what it is: the second is answered by all, so nobody waits for the first."""


def best_way(environment: Mapping[str, str], terminal: IO[str]) -> str:
    """How pictures are best shown on a terminal that is both read and written."""
    if environment.get("TERM", "dumb") in ("dumb", "unknown") or "NO_COLOR" in environment:
        return "none"
    if environment.get("TERM_PROGRAM") in ("iTerm.app", "WezTerm") or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    answer = _asked(terminal)
    if b"\x1b_Gi=31;OK" in answer:
        return "kitty"
    attributes = re.search(rb"\x1b\[\?([0-9;]*)c", answer)
    if attributes and b"4" in attributes[1].split(b";"):
        return "sixel"
    return "blocks"


def _asked(terminal: IO[str]) -> bytes:
    """What the terminal answers; nothing where it does not in time."""
    import termios
    import tty

    try:
        here = sys.stdin.fileno()
        before = termios.tcgetattr(here)
    except (OSError, ValueError, termios.error):
        return b""
    got = b""
    try:
        tty.setcbreak(here)
        terminal.flush()
        os.write(terminal.fileno(), _ASKED)
        end = time.monotonic() + _PATIENCE
        while not re.search(rb"\x1b\[\?[0-9;]*c", got) and (left := end - time.monotonic()) > 0:
            if not select.select([here], [], [], left)[0]:
                break
            got += os.read(here, 1024)
    finally:
        termios.tcsetattr(here, termios.TCSAFLUSH, before)
    return got


def row_of(faces: Sequence[bytes | None]) -> Image:
    """Faces side by side, JPEGs; a grey field for one that cannot be shown."""
    from PIL import Image, ImageOps

    strip = Image.new("RGB", (len(faces) * (SIDE + _GAP) - _GAP, SIDE), (0, 0, 0))
    for at, face in enumerate(faces):
        tile = Image.new("RGB", (SIDE, SIDE), (96, 96, 96))
        if face is not None:
            with Image.open(io.BytesIO(face)) as opened:
                tile = ImageOps.fit(opened.convert("RGB"), (SIDE, SIDE))
        strip.paste(tile, (at * (SIDE + _GAP), 0))
    return strip


def drawn(strip: Image, way: str, environment: Mapping[str, str]) -> str:
    """What to write to have a row of faces shown `LINES` high; the cursor is below it afterwards."""
    if way == "kitty":
        return _kitty(strip)
    if way == "iterm2":
        data = base64.b64encode(_png(strip)).decode()
        return f"\x1b]1337;File=inline=1;height={LINES};preserveAspectRatio=1:{data}\a\n"
    if way == "sixel":
        return sixel(strip) + "\n"
    if way == "blocks":
        return _blocks(strip, exact=environment.get("COLORTERM") in ("truecolor", "24bit"))
    return ""


def per_row(across: int) -> int:
    """How many faces fit side by side on a terminal of so many columns."""
    return max(1, (across + 1) // COLUMNS)


def _png(strip: Image) -> bytes:
    made = io.BytesIO()
    strip.save(made, "PNG")
    return made.getvalue()


def _kitty(strip: Image) -> str:
    data = base64.b64encode(_png(strip)).decode()
    pieces = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    told = []
    for number, piece in enumerate(pieces):
        first = f"a=T,f=100,q=2,r={LINES}," if number == 0 else ""
        told.append(f"\x1b_G{first}m={int(number + 1 < len(pieces))};{piece}\x1b\\")
    return "".join(told) + "\n"


def sixel(strip: Image) -> str:
    """The picture in DEC's format: bands of six lines, and in each a run of columns for each colour."""
    few = strip.quantize(64)
    palette = few.getpalette() or []
    across, down = few.size
    pixels = few.tobytes()
    colours = sorted(set(pixels))
    told = [f'\x1bP0;1q"1;1;{across};{down}']
    told += [
        f"#{one};2;" + ";".join(str(round(part * 100 / 255)) for part in palette[3 * one : 3 * one + 3])
        for one in colours
    ]
    for top in range(0, down, 6):
        lines = [pixels[y * across : (y + 1) * across] for y in range(top, min(top + 6, down))]
        for colour in sorted(set(b"".join(lines))):
            columns = (sum((line[x] == colour) << bit for bit, line in enumerate(lines)) for x in range(across))
            told.append(f"#{colour}{_runs(bytes(63 + column for column in columns))}$")
        told.append("-")
    return "".join(told) + "\x1b\\"


def _runs(columns: bytes) -> str:
    return re.sub(rb"(.)\1{3,}", lambda run: b"!%d%c" % (len(run[0]), run[1][0]), columns, flags=re.DOTALL).decode(
        "ascii"
    )


def _blocks(strip: Image, *, exact: bool) -> str:
    """Two pixels in each character: the upper in the colour of the text, the lower in that of the ground."""
    tiles = (strip.width + _GAP) // (SIDE + _GAP)
    small = strip.resize((tiles * COLUMNS - 1, 2 * LINES))
    pixels = small.load()
    assert pixels is not None
    lines = []
    for y in range(0, small.height, 2):
        line = ""
        for x in range(small.width):
            if (x + 1) % COLUMNS == 0:
                line += "\x1b[0m "
                continue
            line += f"\x1b[{_colour(pixels[x, y], 38, exact)};{_colour(pixels[x, y + 1], 48, exact)}m▀"
        lines.append(line + "\x1b[0m")
    return "\n".join(lines) + "\n"


def _colour(pixel: object, ground: int, exact: bool) -> str:
    assert isinstance(pixel, tuple)
    red, green, blue = pixel[:3]
    if exact:
        return f"{ground};2;{red};{green};{blue}"
    # The cube of 6 x 6 x 6 colours that every terminal with 256 has.
    return f"{ground};5;{16 + 36 * round(red / 51) + 6 * round(green / 51) + round(blue / 51)}"
