"""Small files that unfold to much, or never end: what is sent to those who decode whatever they are given."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, size: tuple[int, int] = (64, 64), rows: bytes | None = None) -> bytes:
    """A grey PNG with these chunks before its pixels; `rows` are those, packed."""
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * (size[0] + 1) * size[1]) if rows is None else rows
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *chunks, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    )


def zeros(count: int) -> bytes:
    """So many zeros, packed: a thousandth of them."""
    packer = zlib.compressobj(9)
    step = 1 << 20
    return b"".join(packer.compress(bytes(step)) for _ in range(count // step)) + packer.flush()


def jpeg(size: tuple[int, int] | None = None, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG with these segments, that says it has another size."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(file, "JPEG")
    data = bytearray(file.getvalue())
    if size is not None:
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", size[1], size[0])
    extra = b"".join(bytes((0xFF, kind)) + struct.pack(">H", len(body) + 2) + body for kind, body in segments)
    return bytes(data[:2]) + extra + bytes(data[2:])


def tiff(*directories: list[tuple[int, int, int, int]], following: Callable[[int], int] | None = None) -> bytes:
    """A TIFF of these directories of (tag, type, count, value); `following` tells where the next one of each is."""
    starts, at = [], 8
    for entries in directories:
        starts.append(at)
        at += 2 + 12 * len(entries) + 4
    body = bytearray()
    for number, entries in enumerate(directories):
        body += struct.pack("<H", len(entries))
        body += b"".join(struct.pack("<HHII", *entry) for entry in entries)
        after = starts[number + 1] if number + 1 < len(starts) else 0
        body += struct.pack("<I", after if following is None else starts[following(number)])
    return b"II*\0" + struct.pack("<I", 8) + bytes(body)


SHORT, LONG, UNDEFINED, ASCII, RATIONAL = 3, 4, 7, 2, 5


def grey(width: int, height: int, *more: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    """A directory of a grey picture of that size whose one strip is said to lie somewhere."""
    known = [
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, 1, 8),
        (259, SHORT, 1, 1),
        (262, SHORT, 1, 1),
        (273, LONG, 1, 8),
        (277, SHORT, 1, 1),
        (278, LONG, 1, height),
        (279, LONG, 1, width * height % (1 << 32)),
    ]
    return sorted([*known, *more])


def gif(size: tuple[int, int], frame: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    Image.new("P", (16, 16)).save(file, "GIF")
    data = bytearray(file.getvalue())
    data[6:10] = struct.pack("<HH", *size)
    if frame is not None:
        at = data.index(b",", 13)
        data[at + 5 : at + 9] = struct.pack("<HH", *frame)
    return bytes(data)


def webp(size: tuple[int, int]) -> bytes:
    """A WebP whose canvas is said to be that large."""
    canvas = struct.pack("<I", 0x10)[:4] + struct.pack("<I", size[0] - 1)[:3] + struct.pack("<I", size[1] - 1)[:3]
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "WEBP")
    picture = file.getvalue()[12:]
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + canvas + picture
    return b"RIFF" + struct.pack("<I", len(body)) + body


def heif(size: tuple[int, int], format_: str = "HEIF") -> bytes:
    """A HEIF or AVIF that says it has another size, in all its boxes."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(file, format_)
    data = bytearray(file.getvalue())
    at = -1
    while (at := data.find(b"ispe", at + 1)) >= 0:
        data[at + 8 : at + 16] = struct.pack(">II", *size)
    return bytes(data)


def grid(rows: int, columns: int) -> bytes:
    """A HEIF of boxes within boxes within boxes."""
    inner = b"meta"
    for _ in range(rows * columns):
        inner = struct.pack(">I4s", len(inner) + 8, b"meta") + inner
    brand = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic")
    return brand + inner


def exif(body: bytes) -> tuple[int, bytes]:
    return 0xE1, b"Exif\0\0" + body


def looped(count: int) -> bytes:
    """Directories each of which leads to the one before."""
    entries = [[(271, ASCII, 4, 0x41414141), (0x8769, LONG, 1, 8)] for _ in range(count)]
    return tiff(*entries, following=lambda number: (number - 1) % count)


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "haha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(20))
    + b']><x:xmpmeta xmlns:x="adobe:ns:meta/"><xmp:CreateDate>&u;</xmp:CreateDate></x:xmpmeta>'
)
XMP = b"http://ns.adobe.com/xap/1.0/\0"
_WIDE = 1 << 27


def bombs(*, large: bool = False) -> dict[str, Callable[[], bytes]]:
    """What is to be read, by name; the `large` ones take a moment to make."""
    found: dict[str, Callable[[], bytes]] = {
        "PNG of 2³¹ squared": lambda: png(size=(2**31 - 1, 2**31 - 1), rows=b""),
        "PNG of 60,000 squared": lambda: png(size=(60_000, 60_000), rows=b""),
        "PNG with a profile of zeros": lambda: png(chunk(b"iCCP", b"x\0\0" + zeros(_WIDE))),
        "PNG with a text of zeros": lambda: png(chunk(b"zTXt", b"x\0\0" + zeros(_WIDE))),
        "PNG with an international text of zeros": lambda: png(
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zeros(_WIDE))
        ),
        "PNG with a hundred texts": lambda: png(*[chunk(b"zTXt", b"x%d\0\0" % n + zeros(1 << 20)) for n in range(99)]),
        "PNG with more pixels than it says": lambda: png(rows=zeros(_WIDE)),
        "JPEG of 65,535 squared": lambda: jpeg((65_535, 65_535)),
        "JPEG of 15,000 squared with nothing in it": lambda: jpeg((15_000, 15_000)),
        "JPEG with looped Exif": lambda: jpeg(None, exif(looped(50))),
        "JPEG with Exif that is huge": lambda: jpeg(
            None, exif(tiff([(0x9003, ASCII, 2**32 - 1, 8), (0x0132, RATIONAL, 2**31, 4), (0x8769, LONG, 2**30, 2)]))
        ),
        "JPEG with Exif that leads to itself": lambda: jpeg(
            None, exif(tiff([(0x8769, LONG, 1, 8), (0xA005, LONG, 1, 8), (0x8825, LONG, 1, 8)]))
        ),
        "JPEG with nested XMP": lambda: jpeg(None, (0xE1, XMP + nested(9000))),
        "JPEG with a billion laughs": lambda: jpeg(None, (0xE1, XMP + LAUGHS)),
        "JPEG with 60,000 profiles": lambda: jpeg(
            None, *[(0xE2, b"ICC_PROFILE\0" + bytes((n % 255 + 1, 255)) + b"x" * 9) for n in range(60_000)]
        ),
        "TIFF of 2³² squared": lambda: tiff(grey(2**32 - 1, 2**32 - 1)),
        "TIFF of 100,000 squared": lambda: tiff(grey(100_000, 100_000)),
        "TIFF of 15,000 squared with nothing in it": lambda: tiff(grey(15_000, 15_000)),
        "TIFF of directories that lead to themselves": lambda: tiff(grey(64, 64), grey(64, 64), following=lambda _: 0),
        "TIFF of 60,000 directories": lambda: tiff(*[grey(64, 64)] * 60_000),
        "TIFF with a tag without end": lambda: tiff(grey(64, 64, (34675, UNDEFINED, 2**32 - 1, 8))),
        "TIFF with strips without end": lambda: tiff(
            sorted([*[e for e in grey(64, 64) if e[0] not in (273, 279)], (273, LONG, 2**30, 8), (279, LONG, 2**30, 8)])
        ),
        "TIFF with samples without end": lambda: tiff(
            sorted(
                [*[e for e in grey(64, 64) if e[0] not in (258, 277)], (258, SHORT, 65_535, 8), (277, SHORT, 1, 65_535)]
            )
        ),
        "GIF of 65,535 squared": lambda: gif((65_535, 65_535)),
        "GIF with a frame of 65,535 squared": lambda: gif((16, 16), (65_535, 65_535)),
        "WebP of 2²⁴ squared": lambda: webp((1 << 24, 1 << 24)),
        "WebP of 16,383 squared": lambda: webp((16_383, 16_383)),
        "HEIF of 2³¹ squared": lambda: heif((2**31 - 1, 2**31 - 1)),
        "HEIF of 65,535 squared": lambda: heif((65_535, 65_535)),
        "AVIF of 2³¹ squared": lambda: heif((2**31 - 1, 2**31 - 1), "AVIF"),
        "AVIF of 65,535 squared": lambda: heif((65_535, 65_535), "AVIF"),
        "HEIF of boxes in boxes": lambda: grid(100, 100),
        "BMP of 2³¹ squared": lambda: (
            b"BM"
            + struct.pack("<IHHI", 70, 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, 2**31 - 1, 2**31 - 1, 1, 24, 0, 0, 0, 0, 0, 0)
        ),
        "BMP of 60,000 squared by repetition": lambda: (
            b"BM"
            + struct.pack("<IHHI", 70, 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 8, 1, 0, 0, 0, 0, 0)
            + b"\xff\0" * 99
        ),
    }
    if large:
        found |= {
            "PNG of 16,000 squared, packed to a thousandth": lambda: png(
                size=(15_500, 15_500), rows=zeros(15_501 * 15_500 + (1 << 20))
            ),
            "PNG with a profile of 4 GB": lambda: png(chunk(b"iCCP", b"x\0\0" + zeros(1 << 32))),
            "PNG with a text of 4 GB": lambda: png(chunk(b"zTXt", b"x\0\0" + zeros(1 << 32))),
            "TIFF of 500,000 directories": lambda: tiff(*[grey(64, 64)] * 500_000),
        }
    return found
