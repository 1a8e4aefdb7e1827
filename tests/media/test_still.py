"""Pictures of every kind, made here so that what they show is known."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pillow_heif
import pytest
import skimage.data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFile

from guyverd.errors import PictureUnreadable
from guyverd.media.still import Picture, read_picture
from tests.promises import scaled

if TYPE_CHECKING:
    from guyverd.model import Pixels

pillow_heif.register_heif_opener()

ASTRONAUT: Image.Image = Image.fromarray(skimage.data.astronaut()).crop((100, 0, 420, 240))  # type: ignore[no-untyped-call]
DATE = "2021:05:04 03:02:01"


def encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def read(data: bytes, **options: Any) -> Picture:
    picture = read_picture(data, path=b"/photos/a.jpg", **options)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.flags.c_contiguous
    assert picture.pixels.ndim == 3
    assert picture.pixels.shape[2] == 3
    return picture


def difference(a: Pixels, b: Pixels) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def reason(data: bytes, **options: Any) -> str:
    with pytest.raises(PictureUnreadable) as caught:
        read_picture(data, path=b"/photos/\xff.jpg", **options)
    assert "\n" not in str(caught.value)
    return str(caught.value.fields["detail"])


LOSSY = [("JPEG", {"quality": 95}), ("WEBP", {"quality": 95}), ("AVIF", {"quality": 95}), ("HEIF", {"quality": 95})]
LOSSLESS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("BMP", {}),
]


@pytest.mark.parametrize(("format_", "options"), LOSSY + LOSSLESS)
def test_every_format(format_: str, options: dict[str, Any]) -> None:
    picture = read(encoded(ASTRONAUT, format_, **options))
    assert (picture.width, picture.height, picture.scale, picture.format) == (320, 240, 1.0, format_)
    allowed = 0 if (format_, options) in LOSSLESS else 4
    assert difference(picture.pixels, np.asarray(ASTRONAUT)) <= allowed


def test_the_first_frame_of_an_animation_counts() -> None:
    for format_ in ("GIF", "WEBP", "PNG", "TIFF"):
        frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
        data = encoded(frames[0], format_, save_all=True, append_images=frames[1:])
        assert difference(read(data).pixels, np.asarray(frames[0])) < 4, format_


def test_two_pictures_in_one_jpeg() -> None:
    data = encoded(ASTRONAUT, "MPO", save_all=True, append_images=[ASTRONAUT.rotate(180)], quality=95)
    picture = read(data)
    assert picture.format == "JPEG"
    assert difference(picture.pixels, np.asarray(ASTRONAUT)) < 4


# ---- upright ---------------------------------------------------------------------------------------------------------

STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_orientation(format_: str, orientation: int) -> None:
    how = STORED[orientation]
    stored = ASTRONAUT if how is None else ASTRONAUT.transpose(how)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    # As bytes, because only so does pillow-heif's encoder turn the tag into the boxes that count in HEIF.
    data = encoded(stored, format_, exif=exif.tobytes(), **({} if format_ == "TIFF" else {"quality": 95}))
    picture = read(data)
    assert (picture.width, picture.height) == (320, 240)
    assert difference(picture.pixels, np.asarray(ASTRONAUT)) < 4


def test_a_heif_is_turned_by_its_own_boxes_only() -> None:
    # Encoders that turn the pixels by box often leave the EXIF tag behind; obeying both would turn twice.
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = encoded(ASTRONAUT.transpose(Image.Transpose.ROTATE_90), "HEIF", exif=exif.tobytes(), quality=95)
    assert b"irot" in data
    assert pillow_heif.open_heif(io.BytesIO(data)).size == (320, 240)
    assert difference(read(data).pixels, np.asarray(ASTRONAUT)) < 4
    # The tag alone says nothing.
    unturned = encoded(ASTRONAUT, "HEIF", exif=exif, quality=95)
    assert b"irot" not in unturned
    assert difference(read(unturned).pixels, np.asarray(ASTRONAUT)) < 4


def test_turned_and_reduced() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    big = ASTRONAUT.resize((3200, 2400))
    data = encoded(big.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)
    picture = read(data, enough=320)
    assert (picture.width, picture.height, picture.pixels.shape) == (3200, 2400, (300, 400, 3))
    assert picture.scale == 1 / 8
    assert difference(picture.pixels, np.asarray(ASTRONAUT.resize((400, 300)))) < 5


@pytest.mark.parametrize("orientation", [0, 9, 255, "6"])
def test_an_orientation_that_is_none(orientation: object) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation if orientation != "6" else ExifTags.Base.Make] = orientation
    assert difference(read(encoded(ASTRONAUT, "PNG", exif=exif)).pixels, np.asarray(ASTRONAUT)) == 0


# ---- size ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format_", "enough", "factor"),
    [
        *((format_, enough, 1) for format_ in ("JPEG", "PNG", "HEIF") for enough in (1000, 320, 161)),
        *((format_, enough, 2) for format_ in ("JPEG", "PNG", "HEIF") for enough in (160, 107)),
        # JPEG is decoded at a half, a quarter or an eighth; that is not below what is enough, and leaves little to do.
        *((format_, 100, 3) for format_ in ("PNG", "HEIF")),
        ("JPEG", 100, 2),
        *((format_, 33, 9) for format_ in ("PNG", "HEIF")),
        ("JPEG", 33, 8),
        ("JPEG", 20, 16),
    ],
)
def test_reduced_by_a_whole_number_to_no_less_than_enough(format_: str, enough: int, factor: int) -> None:
    picture = read(encoded(ASTRONAUT, format_, quality=95), enough=enough)
    reference = ASTRONAUT.reduce(factor)
    assert picture.pixels.shape[1::-1] == reference.size
    assert (picture.width, picture.height) == (320, 240)
    assert picture.scale == 1 / factor
    assert difference(picture.pixels, np.asarray(reference)) < 5


@settings(max_examples=40, deadline=None)
@given(st.integers(12, 300), st.integers(12, 300), st.integers(50, 400), st.sampled_from(["JPEG", "PNG"]))
def test_a_picture_keeps_its_shape(width: int, height: int, enough: int, format_: str) -> None:
    picture = read(encoded(Image.new("RGB", (width, height), "teal"), format_), enough=enough)
    rows, columns, _ = picture.pixels.shape
    assert (picture.width, picture.height) == (width, height)
    assert min(enough, max(width, height)) <= max(rows, columns) < 2 * enough
    assert 0 <= columns - width * picture.scale < 1
    assert 0 <= rows - height * picture.scale < 1
    assert np.abs(picture.pixels.astype(int) - np.array([0, 128, 128])).max() <= 3


# ---- modes -----------------------------------------------------------------------------------------------------------

RAMP = np.linspace(0, 1, 256).reshape(1, -1).repeat(32, axis=0)
GREY = np.round(RAMP * 255).astype(np.uint8)


def tiff(values: np.ndarray[Any, Any]) -> bytes:
    return encoded(Image.fromarray(values), "TIFF")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(Image.fromarray(np.round(RAMP * 65535).astype(np.uint16)), "PNG"), id="16-bit PNG"),
        pytest.param(tiff(np.round(RAMP * 65535).astype(np.uint16)), id="16-bit TIFF"),
        pytest.param(tiff(np.round(RAMP * 4095).astype(np.uint16)), id="12 bits in 16"),
        pytest.param(tiff(np.round(RAMP * (2**31 - 1)).astype(np.int32)), id="32-bit"),
        pytest.param(tiff(np.round(RAMP * 2000 - 1000).astype(np.int32)), id="below zero"),
        pytest.param(tiff(RAMP.astype(np.float32)), id="0 to 1"),
        pytest.param(tiff((RAMP * 255).astype(np.float32)), id="0 to 255"),
        pytest.param(tiff((RAMP * 1e6 - 5).astype(np.float32)), id="any float"),
        pytest.param(tiff(GREY), id="8-bit"),
    ],
)
def test_grey_of_any_depth_is_scaled_not_clipped(data: bytes) -> None:
    pixels = read(data).pixels
    assert np.abs(pixels.astype(int) - GREY[..., None]).max() <= 1


def test_dark_and_broken_floats() -> None:
    values = np.full((8, 8), np.nan, np.float32)
    assert read(tiff(values)).pixels.max() == 0
    values[0, 0], values[1, 1] = np.inf, 0.5
    assert read(tiff(values)).pixels[1, 1, 0] == 128
    assert read(tiff(np.zeros((8, 8), np.uint16))).pixels.max() == 0


def test_sixteen_bit_colour() -> None:
    rows = b"".join(b"\0" + struct.pack(">3H", 65535, 32768, 256) * 4 for _ in range(4))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert read(png).pixels[0, 0].tolist() == [255, 128, 1]


def test_printers_colours() -> None:
    for format_ in ("JPEG", "TIFF"):
        data = encoded(ASTRONAUT.convert("CMYK"), format_, **({"quality": 95} if format_ == "JPEG" else {}))
        assert difference(read(data).pixels, np.asarray(ASTRONAUT)) < 4, format_


def test_lab_colours() -> None:
    lab = Image.new("LAB", (8, 8), (255, 128, 128))
    assert read(encoded(lab, "TIFF")).pixels.min() > 250


def test_palettes_and_single_bits() -> None:
    palette = ASTRONAUT.quantize(256)
    for format_ in ("PNG", "GIF", "TIFF", "BMP"):
        assert difference(read(encoded(palette, format_)).pixels, np.asarray(palette.convert("RGB"))) == 0
    bits = ASTRONAUT.convert("1")
    for format_ in ("PNG", "TIFF", "BMP"):
        assert difference(read(encoded(bits, format_)).pixels, np.asarray(bits.convert("RGB"))) == 0


def test_a_palette_is_reduced_as_colours() -> None:
    palette = ASTRONAUT.quantize(256)
    reference = palette.convert("RGB").resize((160, 120), Image.Resampling.BOX)
    assert difference(read(encoded(palette, "PNG"), enough=160).pixels, np.asarray(reference)) < 3


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_becomes_white(mode: str) -> None:
    image = ASTRONAUT.convert(mode)
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 100, 240))
    image.putalpha(alpha)
    pixels = read(encoded(image, "PNG")).pixels
    assert pixels[:, :100].min() == 255
    opaque = np.asarray(ASTRONAUT.convert(mode).convert("RGB"))
    assert difference(np.ascontiguousarray(pixels[:, 100:]), opaque[:, 100:]) == 0


def test_a_transparent_palette_colour_becomes_white() -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(1, (0, 0, 4, 8))
    pixels = read(encoded(image, "PNG", transparency=0)).pixels
    assert pixels[0, 0].tolist() == [200, 100, 50]
    assert pixels[0, 7].tolist() == [255, 255, 255]


def test_an_alpha_channel_nobody_meant_is_dropped() -> None:
    image = ASTRONAUT.convert("RGBA")
    image.putalpha(0)
    assert difference(read(encoded(image, "TIFF")).pixels, np.asarray(ASTRONAUT)) == 0


# ---- capture time ----------------------------------------------------------------------------------------------------

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r xmp:CreateDate="1999-01-02T03:04:05"/></x:xmpmeta>'


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_capture_time(format_: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "guyverd"  # an Exif without a main directory counts as empty
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = DATE
    assert read(encoded(ASTRONAUT, format_, exif=exif.tobytes())).taken_at == "2021-05-04T03:02:01"
    assert read(encoded(ASTRONAUT, format_)).taken_at is None


@pytest.mark.parametrize("format_", ["JPEG", "WEBP", "HEIF", "AVIF"])
def test_capture_time_from_xmp(format_: str) -> None:
    assert read(encoded(ASTRONAUT, format_, xmp=XMP)).taken_at == "1999-01-02T03:04:05"


def test_capture_time_from_xmp_in_png() -> None:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    assert read(encoded(ASTRONAUT, "PNG", pnginfo=info)).taken_at == "1999-01-02T03:04:05"


def test_broken_metadata_does_not_cost_the_picture() -> None:
    data = encoded(ASTRONAUT, "JPEG", exif=b"Exif\0\0MM\0*" + b"\xff" * 60, quality=95)
    picture = read(data)
    assert picture.taken_at is None
    assert difference(picture.pixels, np.asarray(ASTRONAUT)) < 4


# ---- broken files ----------------------------------------------------------------------------------------------------


def test_reasons() -> None:
    assert reason(b"") == "the file is empty"
    assert "no picture" in reason(b"hello, this is text")
    assert "cut short" in reason(encoded(ASTRONAUT, "JPEG")[:-3000])
    assert "only 1 × 9 pixels" in reason(encoded(Image.new("L", (1, 9)), "PNG"))
    assert "a line" in reason(encoded(Image.new("L", (9000, 2)), "PNG"), enough=4096)
    assert "0.001 million" in reason(encoded(Image.new("L", (40, 40)), "PNG"), most_pixels=1000)


def test_the_path_is_shown_even_if_it_is_no_text() -> None:
    with pytest.raises(PictureUnreadable) as caught:
        read_picture(b"", path=b"/photos/\xff.jpg")
    assert caught.value.fields["path"] == "/photos/\udcff.jpg"


def test_a_bomb_is_refused_before_it_unfolds() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    assert "pixels" in reason(png)


def test_formats_that_are_not_wanted() -> None:
    for format_ in ("PPM", "ICO", "JPEG2000", "TGA", "PDF"):
        assert "no picture of a format" in reason(encoded(ASTRONAUT, format_))


def test_running_out_of_memory_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: ImageFile.ImageFile) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    assert "more memory" in reason(encoded(ASTRONAUT, "JPEG"))


def test_settings_of_others_are_not_obeyed_and_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    # face_recognition does this on import.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert "cut short" in reason(encoded(ASTRONAUT, "JPEG")[:-3000])
    assert read(encoded(ASTRONAUT, "JPEG")).width == 320
    assert (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS) == (True, 10)


def test_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(encoded(ASTRONAUT, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05" + b"\x01\x02" * 30))


SMALL = ASTRONAUT.resize((64, 48))
SAMPLES = [encoded(SMALL, format_) for format_ in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF")]


@pytest.mark.promise("fuzz")
# The same examples every time: a decoder that crashes would take the whole test run with it.
@settings(max_examples=scaled(150, 3000), derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SAMPLES), st.data())
def test_damaged_bytes_give_a_picture_or_a_reason(sample: bytes, data: st.DataObject) -> None:
    broken = bytearray(sample)
    for _ in range(data.draw(st.integers(0, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    broken = broken[: data.draw(st.integers(0, len(broken)))] if data.draw(st.booleans()) else broken
    try:
        picture = read_picture(bytes(broken), path=b"a", most_pixels=1_000_000)
    except PictureUnreadable as error:
        assert error.fields["detail"]  # noqa: PT017
    else:
        assert picture.pixels.shape[2] == 3
