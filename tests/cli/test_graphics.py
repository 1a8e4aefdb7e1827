"""Pictures on a terminal, decoded again as a terminal would."""

from __future__ import annotations

import base64
import fcntl
import io
import os
import pty
import re
import select
import struct
import sys
import termios
import threading

import numpy as np
import pytest
from PIL import Image

from guyverd.cli.graphics import COLUMNS, LINES, SIDE, best_way, drawn, per_row, row_of, sixel


def face(colour: tuple[int, int, int]) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (176, 150), colour).save(made, "JPEG", quality=95)
    return made.getvalue()


RED, BLUE = (200, 20, 30), (10, 30, 220)


@pytest.fixture
def strip() -> Image.Image:
    return row_of([face(RED), None, face(BLUE)])


def near(pixel: object, colour: tuple[int, int, int], by: int = 24) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(int(one) - other) <= by for one, other in zip(pixel, colour, strict=True))


def middles(image: Image.Image) -> list[object]:
    scale = image.width / (3 * SIDE)
    return [image.getpixel((int((at + 0.5) * SIDE * scale), image.height // 2)) for at in range(3)]


def test_faces_stand_side_by_side(strip: Image.Image) -> None:
    assert strip.height == SIDE
    first, missing, last = middles(strip)
    assert near(first, RED)
    assert near(missing, (96, 96, 96))
    assert near(last, BLUE)


def test_kitty_gets_a_png_in_pieces(strip: Image.Image) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (SIDE, 500, 3), dtype=np.uint8))
    text = drawn(noise, "kitty", {})
    pieces = re.findall("\x1b_G([^;]*);([^\x1b]*)\x1b\\\\", text)
    assert "".join(f"\x1b_G{head};{data}\x1b\\" for head, data in pieces) + "\n" == text
    assert len(pieces) > 2
    assert all(len(data) <= 4096 for _, data in pieces)
    assert f"a=T,f=100,q=2,r={LINES},m=1" == pieces[0][0]
    assert [head for head, _ in pieces[1:]] == ["m=1"] * (len(pieces) - 2) + ["m=0"]
    with Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in pieces)))) as seen:
        assert seen.tobytes() == noise.tobytes()
    assert drawn(row_of([None]), "kitty", {}).count("m=0") == 1


def test_iterm_gets_a_png(strip: Image.Image) -> None:
    match = re.fullmatch("\x1b]1337;File=inline=1;height=8;preserveAspectRatio=1:(.*)\a\n", drawn(strip, "iterm2", {}))
    assert match
    with Image.open(io.BytesIO(base64.b64decode(match[1]))) as seen:
        assert seen.tobytes() == strip.tobytes()


def decoded(text: str) -> Image.Image:
    """What a terminal makes of a sixel picture."""
    match = re.fullmatch('\x1bP0;1q"1;1;([0-9]+);([0-9]+)(.*)\x1b\\\\', text, re.DOTALL)
    assert match
    across, down = int(match[1]), int(match[2])
    pixels = np.zeros((down + 6, across, 3), np.uint8)
    covered = np.zeros((down + 6, across), int)
    colours: dict[int, tuple[int, ...]] = {}
    x = top = colour = 0
    for token in re.finditer(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([$-])|([?-~])", match[3]):
        if token[1]:
            colours[int(token[1])] = tuple(round(int(part) * 255 / 100) for part in token.group(2, 3, 4))
        elif token[5]:
            colour = int(token[5])
        elif token[8]:
            x, top = 0, top + 6 * (token[8] == "-")
        else:
            value = ord(token[7] or token[9]) - 63
            for _ in range(int(token[6] or 1)):
                for bit in range(6):
                    if value >> bit & 1:
                        pixels[top + bit, x] = colours[colour]
                        covered[top + bit, x] += 1
                x += 1
            assert x <= across
    assert (covered[:down] == 1).all(), "each pixel is painted once"
    assert not covered[down:].any()
    return Image.fromarray(pixels[:down])


def test_sixel_shows_the_picture(strip: Image.Image) -> None:
    seen = decoded(sixel(strip))
    assert seen.size == strip.size
    difference = np.abs(np.asarray(seen, int) - np.asarray(strip, int))
    assert difference.mean() < 4
    assert drawn(strip, "sixel", {}) == sixel(strip) + "\n"


def test_sixel_of_any_size_and_of_many_colours() -> None:
    noise = Image.fromarray(np.random.default_rng(2).integers(0, 255, (13, 17, 3), dtype=np.uint8))
    assert decoded(sixel(noise)).size == (17, 13)
    assert decoded(sixel(Image.new("RGB", (1, 1)))).size == (1, 1)


@pytest.mark.parametrize("environment", [{"COLORTERM": "truecolor"}, {}])
def test_blocks_are_as_wide_as_they_say(strip: Image.Image, environment: dict[str, str]) -> None:
    lines = drawn(strip, "blocks", environment).splitlines()
    assert len(lines) == LINES
    for line in lines:
        assert len(re.sub("\x1b\\[[0-9;]*m", "", line)) == 3 * COLUMNS - 1
        assert line.endswith("\x1b[0m")
    told = re.findall("\x1b\\[38;(?:2;(\\d+);(\\d+);(\\d+)|5;(\\d+));48[^m]*m▀", lines[LINES // 2])
    if environment:
        assert near(tuple(map(int, told[COLUMNS // 2][:3])), RED)
        assert near(tuple(map(int, told[-COLUMNS // 2][:3])), BLUE)
    else:
        cube = int(told[COLUMNS // 2][3]) - 16
        assert near((cube // 36 * 51, cube // 6 % 6 * 51, cube % 6 * 51), RED, 30)


def test_nothing_is_drawn_where_nothing_can_be(strip: Image.Image) -> None:
    assert drawn(strip, "none", {}) == ""


def test_at_least_one_face_fits() -> None:
    assert per_row(80) == 4
    assert per_row(5) == 1


# ---- what a terminal can ---------------------------------------------------------------------------------------------


def way_on(answer: bytes, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> tuple[str, bytes]:
    """What is chosen on a terminal that answers so, and what it was asked."""
    ours, theirs = pty.openpty()
    asked = b""

    done = threading.Event()

    def be_the_terminal() -> None:
        nonlocal asked
        while not done.is_set():
            if select.select([ours], [], [], 0.05)[0]:
                asked += os.read(ours, 1024)
                if asked.endswith(b"\x1b[c"):
                    os.write(ours, answer)

    thread = threading.Thread(target=be_the_terminal, daemon=True)
    with os.fdopen(theirs, "r+b", buffering=0) as raw:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        terminal = io.TextIOWrapper(raw, write_through=True)
        monkeypatch.setattr(sys, "stdin", terminal)
        before = termios.tcgetattr(theirs)
        thread.start()
        found = best_way(environment, terminal)
        assert termios.tcgetattr(theirs) == before, "it is as it was"
        done.set()
        thread.join()
        terminal.detach()
    os.close(ours)
    return found, asked


XTERM = {"TERM": "xterm-256color"}


@pytest.mark.parametrize(
    ("answer", "way"),
    [
        (b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c", "kitty"),
        (b"\x1b[?62;4;22c", "sixel"),
        (b"\x1b[?1;2c", "blocks"),
        (b"\x1b[?64;42;14c", "blocks"),
        (b"", "blocks"),
    ],
)
def test_a_terminal_says_what_it_can(answer: bytes, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, asked = way_on(answer, monkeypatch, XTERM)
    assert found == way
    assert b"\x1b_Gi=31" in asked


def test_a_silent_terminal_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guyverd.cli.graphics._PATIENCE", 0.0)
    assert way_on(b"\x1b[?62;4c", monkeypatch, XTERM)[0] == "blocks", "it came too late"


@pytest.mark.parametrize(
    ("environment", "way"),
    [
        ({"TERM": "dumb"}, "none"),
        ({}, "none"),
        ({**XTERM, "NO_COLOR": "1"}, "none"),
        ({**XTERM, "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({**XTERM, "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({**XTERM, "LC_TERMINAL": "iTerm2"}, "iterm2"),
    ],
)
def test_some_are_known_without_being_asked(
    environment: dict[str, str], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, asked = way_on(b"", monkeypatch, environment)
    assert (found, asked) == (way, b"")


def test_without_a_terminal_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert best_way(XTERM, io.StringIO()) == "blocks"
