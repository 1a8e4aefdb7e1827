"""Pictures with damaged boxes, directories, profiles and packets: in a worker, each gives a picture or a reason."""

from __future__ import annotations

import datetime
import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator

import pytest
from PIL import Image, ImageCms

from guyverd.errors import DeadlineExceeded, PictureUnreadable, WorkerDied
from guyverd.faces.pool import WorkerPool
from guyverd.media.still import read_picture
from tests.media import bombs
from tests.promises import scaled

pytestmark = pytest.mark.promise("fuzz", "metadata")

EACH = 40
"""Pictures from one seed."""
_NUMBERS = (0, 1, 2, 7, 8, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1)
_TAGS = (0x9003, 0x9004, 0x0132, 0x9290, 0x9291, 0x9011, 0x9010, 0x0112, 0x8769, 0x8825, 0xA005, 0x010F, 0x927C, 0xEA1C)
_TEXTS = (
    *(b"2021:05:04 03:02:01\0", b"%s%n{0}$(x)`x`", b"../../../etc/passwd\0", b"<script>\0"),
    *(b"\x1b]0;x\x07\0", b"\xff" * 20),
)


def _directory(chance: random.Random) -> bytes:
    """A TIFF of directories with any tags, types, counts and places, which may lead anywhere."""
    entries = [
        [
            (chance.choice(_TAGS), chance.randrange(14), chance.choice((*_NUMBERS, 1, 1, 20)), chance.choice(_NUMBERS))
            for _ in range(chance.randrange(0, 9))
        ]
        for _ in range(chance.randrange(1, 4))
    ]
    made = bytearray(bombs.tiff(*entries, following=lambda _: chance.randrange(len(entries))))
    made += chance.choice(_TEXTS) * chance.randrange(1, 4)
    if chance.random() < 0.3:
        made[:2] = b"MM"
    return bytes(made)


def _packet(chance: random.Random) -> bytes:
    pieces = (
        *(b"<x:xmpmeta ", b"xmp:CreateDate=", b'"2020-01-02"', b"&b;", b"]]>", b"%00", b"\0", b"\xff", b"<" * 50),
        b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>",
        *(b"<exif:DateTimeOriginal>", b"</exif:DateTimeOriginal>", b" " * 500),
    )
    return b"".join(chance.choice(pieces) for _ in range(chance.randrange(0, 60)))


def _jpeg(chance: random.Random) -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    segments = [
        (0xE1, b"Exif\0\0" + _directory(chance)),
        (0xE1, bombs.XMP + _packet(chance)),
        (0xE2, b"ICC_PROFILE\0" + bytes((chance.randrange(3), chance.randrange(3))) + _damaged(profile, chance)),
        (0xE2, b"MPF\0" + _directory(chance)),
        (0xED, b"Photoshop 3.0\0" + bytes(chance.randrange(256) for _ in range(60))),
        (0xFE, chance.choice(_TEXTS)),
    ]
    some = chance.sample(segments, chance.randrange(1, len(segments)))
    return bombs.jpeg(None, *[(kind, body[:65_500]) for kind, body in some])


def _png(chance: random.Random) -> bytes:
    chunks = [
        bombs.chunk(b"eXIf", _directory(chance)),
        bombs.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _packet(chance)),
        bombs.chunk(b"iCCP", b"x\0\0" + _damaged(zlib.compress(b"profile" * 9), chance)),
        bombs.chunk(b"acTL", struct.pack(">II", chance.choice(_NUMBERS), 0)),
        bombs.chunk(b"fcTL", struct.pack(">IIIII", *(chance.choice(_NUMBERS) for _ in range(5))) + b"\0" * 6),
        bombs.chunk(b"tRNS", bytes(chance.randrange(9))),
        bombs.chunk(b"gAMA", bytes(chance.randrange(6))),
        bombs.chunk(b"pHYs", struct.pack(">IIB", 0, 2**31, 9)),
    ]
    return bombs.png(*chance.sample(chunks, chance.randrange(1, len(chunks))))


def _tiff(chance: random.Random) -> bytes:
    known = bombs.grey(chance.choice((1, 8, 64, 65_535)), chance.choice((1, 8, 64, 65_535)))
    entries = [
        (tag, chance.choice((kind, 3, 4, 5, 12)), chance.choice((count, *_NUMBERS)), chance.choice((value, *_NUMBERS)))
        if chance.random() < 0.3
        else (tag, kind, count, value)
        for tag, kind, count, value in known
    ]
    return bombs.tiff(entries, *[entries] * chance.randrange(2)) + bytes(chance.randrange(5000))


def _saved(format_: str) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0132] = "2021:05:04 03:02:01"
    file = io.BytesIO()
    image = Image.radial_gradient("L").resize((64, 48)).convert("RGB")
    image.save(file, format_, exif=exif.tobytes(), xmp=bombs.LAUGHS)
    return file.getvalue()


def _boxes(format_: str) -> Callable[[random.Random], bytes]:
    sample = _saved(format_)
    kinds = b"ftyp meta hdlr pitm iinf infe iloc iprp ipco ipma ispe irot pixi av1C hvcC colr iref cdsc mdat".split()

    def make(chance: random.Random) -> bytes:
        data = bytearray(sample)
        for _ in range(chance.randrange(1, 4)):
            at = data.find(chance.choice(kinds))
            if at < 4:
                continue
            what = chance.randrange(4)
            if what == 0:  # its size
                data[at - 4 : at] = struct.pack(">I", chance.choice(_NUMBERS))
            elif what == 1:  # its kind
                data[at : at + 4] = chance.choice(kinds)
            elif what == 2:  # some number in it
                place = at + 4 * chance.randrange(1, 12)
                data[place : place + 4] = struct.pack(">I", chance.choice(_NUMBERS))
            else:  # once more
                data[at - 4 : at - 4] = data[at - 4 : at + chance.randrange(4, 200)]
        return bytes(data)

    return make


def _damaged(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, some left out or doubled."""
    made = bytearray(data)
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(made)) if made else 0
        what = chance.randrange(3)
        if what == 0 and made:
            made[at] = chance.randrange(256)
        elif what == 1:
            del made[at : at + chance.randrange(1, 30)]
        else:
            made[at:at] = made[at : at + chance.randrange(1, 30)]
    return bytes(made)


def _anything(format_: str) -> Callable[[random.Random], bytes]:
    sample = _saved(format_) if format_ in ("WEBP", "HEIF", "AVIF", "JPEG") else _plain(format_)
    return lambda chance: _damaged(sample, chance)


def _plain(format_: str) -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").resize((64, 48)).convert("P" if format_ == "GIF" else "RGB").save(file, format_)
    return file.getvalue()


def _kinds() -> dict[str, Callable[[random.Random], bytes]]:
    return {
        "JPEG segments": _jpeg,
        "PNG chunks": _png,
        "TIFF tags": _tiff,
        "HEIF boxes": _boxes("HEIF"),
        "AVIF boxes": _boxes("AVIF"),
        **{f"{format_} bytes": _anything(format_) for format_ in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "HEIF", "AVIF")},
    }


KINDS = (
    *("JPEG segments", "PNG chunks", "TIFF tags", "HEIF boxes", "AVIF boxes"),
    *(f"{name} bytes" for name in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "HEIF", "AVIF")),
)


def read(job: tuple[str, int]) -> dict[str, int]:
    """In a worker: how many pictures of a kind were read, and how many not. Anything but a reason is raised."""
    kind, seed = job
    make = _kinds()[kind]
    found = {"read": 0, "refused": 0, "dated": 0}
    for number in range(EACH):
        chance = random.Random(f"{kind} {seed} {number}")
        data = make(chance)
        try:
            picture = read_picture(data, path=b"/photos/a.jpg", most_pixels=4_000_000)
        except PictureUnreadable as problem:
            detail = str(problem.fields["detail"])
            if not detail or len(detail) > 300 or "\n" in detail:
                raise RuntimeError(f"{kind} {seed} {number}: {detail!r}") from None
            found["refused"] += 1
        except Exception as problem:
            raise RuntimeError(f"{kind} {seed} {number}: {type(problem).__name__}: {problem}") from problem
        else:
            assert picture.pixels.ndim == 3
            found["read"] += 1
            if picture.taken_at is not None:
                datetime.datetime.fromisoformat(picture.taken_at)
                found["dated"] += 1
    return found


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool[tuple[str, int], dict[str, int]]]:
    made = WorkerPool[tuple[str, int], dict[str, int]](read, count=1, deadline=120.0, memory=4e9, gentle=False)
    yield made
    made.stop_now()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_picture_gives_a_picture_or_a_reason(
    kind: str, pool: WorkerPool[tuple[str, int], dict[str, int]]
) -> None:
    total = {"read": 0, "refused": 0, "dated": 0}
    died = 0
    for seed in range(scaled(2, 80)):
        try:
            found = pool.submit((kind, seed)).result(600)
        except (WorkerDied, DeadlineExceeded):
            # C code may be harmed by anything; that is what workers are for.
            died += 1
            continue
        total = {key: total[key] + found[key] for key in total}
    assert died <= scaled(0, 1)
    assert total["read"] + total["refused"] > 0
    assert total["refused"] > 0 or "segments" in kind or "chunks" in kind, "nothing was damaged"
