from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.folders.names import folder_names, link_names
from guyverd.folders.spare import byte_key, is_spare_of, spare_name
from guyverd.published import OwnerId, ShelfPhoto

from .model import CALM, photo


def name_of(name: str | None, person: int = 7) -> str:
    return folder_names([(OwnerId(person), name)], "Unnamed")[OwnerId(person)].decode()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Alice", "Alice"),
        (None, "Unnamed/0007"),
        ("Zoë", "Zoë"),
        ("Zoe\u0308", "Zoë"),
        ("AC/DC", "AC_DC"),
        ('a<b>c:d"e\\f|g?h*i', "a_b_c_d_e_f_g_h_i"),
        ("a\0b\x1bc\x7fd", "a_b_c_d"),
        ("two\nlines\tand\u2028more", "two lines and more"),
        ("\u202eecilA\u2066", "ecilA"),
        ("..hidden", "hidden"),
        (" . J. R. . ", "J. R"),
        (".", "Unnamed (7)"),
        ("..", "Unnamed (7)"),
        ("", "Unnamed (7)"),
        (" \u200f", "Unnamed (7)"),
        ("CON", "_CON"),
        ("aux.txt", "_aux.txt"),
        ("lpt1", "_lpt1"),
        ("Conny", "Conny"),
        ("Unnamed", "Unnamed (7)"),
        ("UNNAMED", "UNNAMED (7)"),
        ("\ud800x", "_x"),
        ("李雷", "李雷"),
        (".guyverd-people", "guyverd-people"),
    ],
)
def test_a_name_becomes_a_legal_folder(name: str | None, folder: str) -> None:
    assert name_of(name) == folder


def test_numbers_have_four_digits_or_more() -> None:
    assert name_of(None, 123456) == "Unnamed/123456"


def test_a_long_name_is_cut_between_characters() -> None:
    folder = name_of("é" * 300)
    assert folder == "é" * 100


def test_the_lowest_id_keeps_the_plain_name() -> None:
    people = [(OwnerId(9), "ALICE"), (OwnerId(3), "Alice"), (OwnerId(5), "alice"), (OwnerId(4), "Alice (5)")]
    assert folder_names(people, "Unnamed") == {3: b"Alice", 4: b"Alice (5)", 5: b"alice (5) (5)", 9: b"ALICE (9)"}


def test_albums_come_after_people_and_nobody_takes_a_name_that_is_taken() -> None:
    owners = [(OwnerId(-2), "Alice"), (OwnerId(-1), "Ski"), (OwnerId(5), "Alice"), (OwnerId(6), "Bob")]
    found = folder_names(owners, "Unnamed", {"bob", "bob (6)", "unnamed/0007"})
    assert found == {5: b"Alice", 6: b"Bob (6) (6)", -1: b"Ski", -2: b"Alice (2)"}
    assert folder_names([(OwnerId(7), None)], "Unnamed", {"unnamed/0007"}) == {7: b"Unnamed/0007 (7)"}


def test_invisible_characters_do_not_make_another_name() -> None:
    names = folder_names([(OwnerId(1), "Alice"), (OwnerId(2), "Ali\u200bce")], "Unnamed")
    assert names[OwnerId(2)].endswith(b" (2)")


HARD = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.text(alphabet="aAßẞſsS./ ()12\u0345\u03b9\u0399\u0130iI\u0307éE\u0301\u200d", max_size=6),
    st.sampled_from(["Unnamed", "unnamed", "a", "A", "a (2)", "CON", "", "x" * 300, "İ" * 150]),
)
PEOPLE = st.dictionaries(st.integers(1, 30).map(OwnerId), HARD, max_size=12)


@CALM
@given(PEOPLE)
def test_folders_are_legal_and_distinct_without_case(people: dict[OwnerId, str | None]) -> None:
    folders = folder_names(people.items(), "Unnamed")
    assert folders.keys() == people.keys()
    texts = [folder.decode() for folder in folders.values()]
    for fold in (
        lambda text: unicodedata.normalize("NFC", text).casefold(),
        lambda text: unicodedata.normalize("NFC", text.casefold()),
        lambda text: unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold()),
        str.lower,
        str.upper if all(text.isascii() for text in texts) else str,
    ):
        assert len({fold(text) for text in texts}) == len(texts)
        assert all(fold(text) != fold("Unnamed") for text in texts)
    for person, text in zip(folders, texts, strict=True):
        if people[person] is None:
            assert text == f"Unnamed/{person:04d}"
            continue
        assert 0 < len(text.encode()) <= 230
        assert text == unicodedata.normalize("NFC", text)
        assert not set(text) & set('/\\<>:"|?*')
        assert text[0] not in ". "
        assert text[-1] not in ". "
        assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in text)


@CALM
@given(PEOPLE, HARD)
def test_one_more_person_renames_nobody(people: dict[OwnerId, str | None], name: str | None) -> None:
    before = folder_names(people.items(), "Unnamed")
    after = folder_names([(OwnerId(99), name), *people.items()], "Unnamed")
    assert {person: after[person] for person in people} == before


# ---- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "taken_at", "name"),
    [
        (b"/p/IMG.jpg", "2024-05-17T10:11:12+02:00", b"2024-05-17_IMG.jpg"),
        (b"/p/IMG.jpg", None, b"undated_IMG.jpg"),
        (b"/p/IMG.jpg", "", b"undated_IMG.jpg"),
        (b"/p/IMG.jpg", "0000-00-00T00:00:00", b"undated_IMG.jpg"),
        (b"/p/IMG.jpg", "2024-W20-5", b"undated_IMG.jpg"),
        (b"/p/IMG.jpg", "20240517T101112", b"undated_IMG.jpg"),
        (b"/p/\xff\xfe.jpg", "2024-05-17", b"2024-05-17_\xff\xfe.jpg"),
        (b"/p/a\nb\x1b.jpg", "2024-05-17", b"2024-05-17_a_b_.jpg"),
        (b"/p/" + b"x" * 251 + b".jpg", "2024-05-17", b"2024-05-17_" + b"x" * 240 + b".jpg"),
        (b"/p/" + b"\xc3\xa9" * 148 + b".jpg", "2024-05-17", b"2024-05-17_" + b"\xc3\xa9" * 120 + b".jpg"),
        (b"/p/x." + b"y" * 250, "2024-05-17", b"2024-05-17_x." + b"y" * 242),
    ],
)
def test_a_link_is_called_by_date_and_file(target: bytes, taken_at: str | None, name: bytes) -> None:
    assert link_names([photo(target, taken_at)]) == {target: name}


def test_the_first_of_a_clash_keeps_the_plain_name() -> None:
    names = link_names([photo(b"/p/2/A.JPG"), photo(b"/p/1/a.jpg")])
    assert names[b"/p/1/a.jpg"] == b"undated_a.jpg"
    assert names[b"/p/2/A.JPG"].startswith(b"undated_A~")
    assert names[b"/p/2/A.JPG"].endswith(b".JPG")
    more = link_names([photo(t) for t in (b"/p/2/A.JPG", b"/p/1/a.jpg", b"/p/3/a.jpg")])
    assert {target: more[target] for target in names} == names


BASENAMES = st.one_of(
    st.binary(min_size=1, max_size=300).filter(lambda name: b"/" not in name),
    st.sampled_from([b"a.jpg", b"A.jpg", b"a", "é.jpg".encode(), "e\u0301.jpg".encode(), b"x" * 260 + b".jpg"]),
)
TARGETS = st.builds(lambda folder, name: b"/p/%d/" % folder + name, st.integers(0, 3), BASENAMES)
PHOTOS = st.builds(photo, TARGETS, st.sampled_from([None, "2024-05-17T00:00:00", "nonsense"]))


@pytest.mark.promise("names")
@CALM
@given(st.lists(PHOTOS, max_size=10))
def test_links_are_legal_and_distinct_without_case(photos: list[ShelfPhoto]) -> None:
    names = link_names(photos)
    assert names.keys() == {photo.target for photo in photos}
    unique = list({photo.target: photo for photo in reversed(photos)}.values())
    assert names == link_names(unique)
    assert len({byte_key(name) for name in names.values()}) == len(names)
    for target, name in names.items():
        assert 0 < len(name) <= 255
        assert not any(byte < 32 or byte in b"/\x7f" for byte in name)
        extension = os.path.splitext(b"x_" + os.path.basename(target))[1]
        if 0 < len(extension) <= 16 and not any(byte < 32 or byte == 127 for byte in extension):
            assert name.endswith(extension)


@CALM
@given(st.lists(PHOTOS, max_size=8, unique_by=lambda photo: photo.target), PHOTOS)
def test_one_more_photo_renames_at_most_one_link(photos: list[ShelfPhoto], extra: ShelfPhoto) -> None:
    before = link_names(photos)
    after = link_names([*photos, extra])
    changed = [target for target in before if before[target] != after[target]]
    assert len(changed) <= (extra.target not in before)
    if all(extra.target > target for target in before):
        assert not changed


@CALM
@given(BASENAMES, st.integers(2, 999), st.booleans())
def test_a_spare_name_is_known_again(name: bytes, number: int, folder: bool) -> None:
    spare = spare_name(name[:255], number, folder=folder)
    assert len(spare) <= 255
    assert spare != name[:255]
    assert is_spare_of(spare, name[:255], folder=folder)
