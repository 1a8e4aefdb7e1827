from __future__ import annotations

import datetime
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.media.metadata import filmed_at, filmed_at_in_stream, taken_at
from tests.promises import scaled

ORIGINAL, DIGITIZED, CHANGED = 0x9003, 0x9004, 0x0132
SUB_ORIGINAL, SUB_CHANGED = 0x9291, 0x9290
OFFSET_ORIGINAL, OFFSET_DIGITIZED = 0x9011, 0x9012


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({ORIGINAL: "2021:05:04 03:02:01"}, "2021-05-04T03:02:01"),
        ({ORIGINAL: b"2021:05:04 03:02:01\x00junk"}, "2021-05-04T03:02:01"),
        ({ORIGINAL: ("2021:05:04 03:02:01",)}, "2021-05-04T03:02:01"),
        ({ORIGINAL: "2021:05:04 03:02:01", OFFSET_ORIGINAL: "+02:00"}, "2021-05-04T03:02:01+02:00"),
        ({ORIGINAL: "2021:05:04 03:02:01", OFFSET_ORIGINAL: "-0930"}, "2021-05-04T03:02:01-09:30"),
        ({ORIGINAL: "2021:05:04 03:02:01", OFFSET_ORIGINAL: "Z"}, "2021-05-04T03:02:01+00:00"),
        ({ORIGINAL: "2021:05:04 03:02:01", OFFSET_ORIGINAL: "+25:00"}, "2021-05-04T03:02:01"),
        ({ORIGINAL: "2021:05:04 03:02:01", OFFSET_DIGITIZED: "+02:00"}, "2021-05-04T03:02:01"),
        ({ORIGINAL: "2021:05:04 03:02:01", SUB_ORIGINAL: "5"}, "2021-05-04T03:02:01.500"),
        ({ORIGINAL: "2021:05:04 03:02:01", SUB_ORIGINAL: "004999"}, "2021-05-04T03:02:01.004"),
        ({ORIGINAL: "2021:05:04 03:02:01", SUB_ORIGINAL: "00"}, "2021-05-04T03:02:01"),
        ({ORIGINAL: "2021:05:04 03:02:01", SUB_ORIGINAL: "½"}, "2021-05-04T03:02:01"),
        ({ORIGINAL: "2021-05-04T03:02:01"}, "2021-05-04T03:02:01"),
        ({ORIGINAL: "2021:05:04 03:02"}, "2021-05-04T03:02:00"),
        ({ORIGINAL: "2021:05:04"}, "2021-05-04"),
        ({ORIGINAL: "1838:04:24 08:00:00"}, "1838-04-24T08:00:00"),
        ({DIGITIZED: "2021:05:04 03:02:01", CHANGED: "2022:01:01 00:00:00"}, "2021-05-04T03:02:01"),
        ({CHANGED: "2022:01:01 00:00:00", SUB_CHANGED: "25"}, "2022-01-01T00:00:00.250"),
        ({ORIGINAL: "0000:00:00 00:00:00", DIGITIZED: "2021:05:04 03:02:01"}, "2021-05-04T03:02:01"),
        ({}, None),
        ({ORIGINAL: ""}, None),
        ({ORIGINAL: "0000:00:00 00:00:00"}, None),
        ({ORIGINAL: "    :  :     :  :  "}, None),
        ({ORIGINAL: "2021:13:04 03:02:01"}, None),
        ({ORIGINAL: "2021:02:30 03:02:01"}, None),
        ({ORIGINAL: "2021:05:04 24:02:01"}, None),
        ({ORIGINAL: "1904:01:01 00:00:00"}, None),
        ({ORIGINAL: "2201:01:01 00:00:00"}, None),
        ({ORIGINAL: "9999:99:99 99:99:99"}, None),
        ({ORIGINAL: "٢٠٢١:٠٥:٠٤ ٠٣:٠٢:٠١"}, None),
        ({ORIGINAL: 7, DIGITIZED: None, CHANGED: (1, 2)}, None),
    ],
)
def test_exif(tags: dict[int, object], expected: str | None) -> None:
    assert taken_at(tags) == expected


@pytest.mark.parametrize(
    ("xmp", "expected"),
    [
        ('<rdf:Description xmp:CreateDate="2020-01-02T03:04:05+01:00"/>', "2020-01-02T03:04:05+01:00"),
        ("<xmp:CreateDate>2020-01-02T03:04:05.5Z</xmp:CreateDate>", "2020-01-02T03:04:05.500+00:00"),
        ("<photoshop:DateCreated>1987-05-02</photoshop:DateCreated>", "1987-05-02"),
        (b"<exif:DateTimeOriginal>2019-12-31T23:59:59</exif:DateTimeOriginal>\0\0", "2019-12-31T23:59:59"),
        (
            "<x exif:DateTimeOriginal='2019-12-31T23:59:59' xmp:CreateDate='2020-01-01T00:00:00'/>",
            "2019-12-31T23:59:59",
        ),
        ("<x exif:DateTimeOriginal='0000-00-00' xmp:CreateDate='2020-01-01T00:00:00'/>", "2020-01-01T00:00:00"),
        ('<x xmp:CreateDate="2020-13-02"/>', None),
        ('<!DOCTYPE x [<!ENTITY d "2020-01-02">]><xmp:CreateDate>&d;</xmp:CreateDate>', None),
        ("<xmp:CreateDate>", None),
        (b"\xff\xfe\x00", None),
        (7, None),
    ],
)
def test_xmp(xmp: object, expected: str | None) -> None:
    assert taken_at({}, xmp) == expected


def test_exif_goes_before_xmp() -> None:
    xmp = "<xmp:CreateDate>2020-01-02T03:04:05</xmp:CreateDate>"
    assert taken_at({CHANGED: "2021:05:04 03:02:01"}, xmp) == "2021-05-04T03:02:01"
    assert taken_at({ORIGINAL: "0000:00:00 00:00:00"}, xmp) == "2020-01-02T03:04:05"


values = st.one_of(
    st.text(),
    st.binary(),
    st.integers(),
    st.none(),
    st.floats(),
    st.tuples(st.text()),
    st.lists(st.binary(), max_size=2),
)
numbers = st.sampled_from([ORIGINAL, DIGITIZED, CHANGED, SUB_ORIGINAL, SUB_CHANGED, OFFSET_ORIGINAL, OFFSET_DIGITIZED])
almost = st.from_regex(
    r"\A[0-9]{4}[:-][0-9]{2}[:-][0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{0,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?\Z"
)


@pytest.mark.promise("fuzz", "metadata")
@settings(max_examples=scaled(100, 5000), deadline=None)
@given(st.dictionaries(numbers, values | almost), values)
def test_nothing_a_file_says_raises(tags: dict[int, object], xmp: object) -> None:
    found = taken_at(tags, xmp)
    if found is not None:
        assert 1826 <= datetime.datetime.fromisoformat(found).year <= 2200


@given(
    st.datetimes(datetime.datetime(1905, 1, 1), datetime.datetime(2200, 1, 1)),  # noqa: DTZ001  a clock without a zone
    st.none() | st.integers(-14 * 60, 14 * 60),
)
def test_a_date_comes_back_as_it_was_written(moment: datetime.datetime, offset: int | None) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    tags: dict[int, object] = {
        ORIGINAL: moment.strftime("%Y:%m:%d %H:%M:%S"),
        SUB_ORIGINAL: f"{moment.microsecond // 1000:03}",
    }
    if offset is not None:
        tags[OFFSET_ORIGINAL] = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
        moment = moment.replace(tzinfo=datetime.timezone(datetime.timedelta(minutes=offset)))
    found = taken_at(tags)
    assert found is not None
    assert datetime.datetime.fromisoformat(found) == moment


@pytest.mark.promise("fuzz", "metadata")
@pytest.mark.parametrize(
    "packet",
    [
        "<xmp:CreateDate " * 60_000,
        '<x xmp:CreateDate="' + " " * 900_000,
        "xmp:CreateDate" + " " * 900_000 + "=",
        "<" * 1_000_000,
    ],
)
def test_hostile_xmp_is_read_in_a_blink(packet: str) -> None:
    begun = time.monotonic()
    assert taken_at({}, packet) is None
    assert time.monotonic() - begun < 2


APPLE = "com.apple.quicktime.creationdate"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"creation_time": "2005-10-28T17:36:40.000000Z"}, "2005-10-28T17:36:40+00:00"),
        ({"creation_time": "2005-10-28 17:36:40"}, "2005-10-28T17:36:40"),
        ({"creation_time": "2021-05-04T01:02:03Z", APPLE: "2021-05-04T03:02:03+0200"}, "2021-05-04T03:02:03+02:00"),
        ({"creation_time": "2021-05-04T01:02:03Z", APPLE: "yesterday"}, "2021-05-04T01:02:03+00:00"),
        ({"date": "2021-05-04"}, "2021-05-04"),
        ({"creation_time": "1904-01-01T00:00:00Z"}, None),
        ({"creation_time": "1970-01-01T00:00:00Z"}, None),
        ({"creation_time": "1970-01-01T00:00:00Z", "date": "2021"}, None),
        ({"creation_time": "9999-99-99T00:00:00Z"}, None),
        ({}, None),
    ],
)
def test_a_film_tells_when_it_was_taken(tags: dict[str, str], expected: str | None) -> None:
    assert filmed_at(tags) == expected


def note(*pairs: str) -> bytes:
    """What a camcorder leaves in its pictures: pairs of a number and four bytes, all in hexadecimal."""
    body = bytes.fromhex("".join(pairs))
    return bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM" + bytes((len(pairs),)) + body


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (("18 04 201105", "19 04030201"), "2011-05-04T03:02:01+02:00"),
        (("18 80 201105", "19 04030201"), "2011-05-04T03:02:01"),
        (("18 2b 201105", "19 04030201"), "2011-05-04T03:02:01-05:30"),
        (("18 44 201105", "19 04030201"), "2011-05-04T03:02:01+03:00"),
        (("70 00000000", "18 00 201112", "19 31235959", "1a 00000000"), "2011-12-31T23:59:59+00:00"),
        (("18 00 201113", "19 04030201"), None),
        (("18 00 20ab05", "19 04030201"), None),
        (("18 00 201105",), None),
        ((), None),
    ],
)
def test_a_camcorder_tells_it_in_the_pictures(pairs: tuple[str, ...], expected: str | None) -> None:
    assert filmed_at_in_stream(note(*pairs)) == expected


@given(st.binary(max_size=60))
def test_any_note_is_read_or_not(rest: bytes) -> None:
    for data in (rest, note()[:-1] + rest):
        found = filmed_at_in_stream(data)
        assert found is None or datetime.datetime.fromisoformat(found)
