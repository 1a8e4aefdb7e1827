"""What faces and people are said to be, replayed: unit cases, then properties of any log."""

from __future__ import annotations

import dataclasses
import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.model import (
    AlbumId,
    Author,
    Decision,
    DecisionId,
    DecisionKind,
    FaceId,
    PersonId,
    PhotoId,
    SavedAlbum,
    Standing,
)
from guyverd.people.decisions import Replay, replay, undone

K = DecisionKind


def said(
    kind: DecisionKind,
    person: int | None = None,
    other: int | None = None,
    faces: tuple[int, ...] = (),
    *,
    name: str | None = None,
    undoes: int | None = None,
    author: Author = Author.USER,
) -> Decision:
    return Decision(
        DecisionId(0),
        "",
        kind,
        author,
        None if person is None else PersonId(person),
        None if other is None else PersonId(other),
        name,
        tuple(FaceId(face) for face in faces),
        None if undoes is None else DecisionId(undoes),
    )


def kept(
    album: int | None, title: str | None, people: tuple[int, ...] = (1, 2), without: tuple[int, ...] = ()
) -> Decision:
    """An album is saved, or, where it has a number, changed; without a title it is removed."""
    whom = tuple(PersonId(person) for person in people)
    saved = None if title is None else SavedAlbum(title, whom, "2023", None, frozenset(map(PhotoId, without)))
    number = None if album is None else AlbumId(album)
    return dataclasses.replace(said(K.ALBUM), album=number, saved=saved)


def titles(*log: Decision) -> dict[int, str]:
    return {int(album): saved.title for album, saved in standing(*log).albums.items()}


def numbered(*log: Decision) -> list[Decision]:
    return [dataclasses.replace(one, id=DecisionId(number)) for number, one in enumerate(log, 1)]


def standing(*log: Decision) -> Standing:
    return replay(numbered(*log))


# ---- one word after another ------------------------------------------------------------------------------------------


def test_faces_are_pinned_and_barred_and_the_later_word_wins() -> None:
    said_yes, said_no = said(K.CONFIRM, 1, faces=(10, 11)), said(K.REJECT, 1, faces=(11,))
    found = standing(said_yes, said_no)
    assert found.pinned == {10: 1}
    assert found.barred == {(11, 1)}
    found = standing(said_no, said_yes)
    assert found.pinned == {10: 1, 11: 1}
    assert found.barred == frozenset()
    assert standing(said_yes, said(K.CONFIRM, 2, faces=(10,))).pinned == {10: 2, 11: 1}
    assert standing(said_yes, said(K.REJECT, 2, faces=(10,))).pinned == {10: 1, 11: 1}, "of another person"


def test_a_split_is_two_people_and_a_later_merge_makes_them_one() -> None:
    split = said(K.SPLIT, 1, 2, (10,))
    found = standing(said(K.CONFIRM, 1, faces=(10, 11)), split)
    assert found.pinned == {10: 2, 11: 1}
    assert found.apart_people == {(1, 2)}
    found = standing(split, said(K.MERGE, 2, 1))
    assert found.pinned == {10: 2}
    assert found.apart_people == frozenset()
    assert found.forwards == {1: 2}
    assert standing(split, said(K.MERGE, 2, 1, author=Author.GUYVERD)).refused == (2,), "not by itself"
    assert standing(split, said(K.MERGE, 3, 1)).apart_people == {(2, 3)}, "who absorbs one is not the other"
    assert standing(said(K.MERGE, 1, 2), split).refused == (2,)


def test_a_merge_takes_the_words_along() -> None:
    found = standing(
        said(K.CONFIRM, 2, faces=(10,)),
        said(K.REJECT, 2, faces=(11,)),
        said(K.HIDE, 2),
        said(K.REJECT, 1, faces=(10,)),
        said(K.MERGE, 1, 2),
    )
    assert found.pinned == {10: 1}
    assert found.barred == {(11, 1)}, "who was known as the second is the first now"
    assert found.hidden == frozenset()
    assert standing(said(K.HIDE, 1), said(K.MERGE, 1, 2)).hidden == {1}
    assert standing(said(K.MERGE, 1, 2), said(K.HIDE, 2), said(K.NAME, 2, name="Al")).names == {1: "Al"}
    assert standing(said(K.HIDE, 1), said(K.UNHIDE, 1)).hidden == frozenset()


def test_faces_that_are_one_person_are_spoken_of_together() -> None:
    same = said(K.SAME, 1, faces=(11, 10))
    found = standing(same)
    assert found.together == {(10, 11)}
    assert found.pinned == {10: 1, 11: 1}
    assert standing(same, said(K.CONFIRM, 2, faces=(10,))).pinned == {10: 2, 11: 2}
    found = standing(same, said(K.REJECT, 1, faces=(10,)))
    assert found.pinned == {}
    assert found.barred == {(10, 1), (11, 1)}
    found = standing(said(K.CONFIRM, 1, faces=(10,)), said(K.CONFIRM, 2, faces=(11,)), said(K.SAME, 2, 1, (10, 11)))
    assert found.pinned == {10: 2, 11: 2}
    assert found.forwards == {1: 2}
    assert standing(said(K.SAME, 1, faces=(10, 10)), said(K.SAME, 1, faces=(10,))).refused == (1, 2)
    assert standing(said(K.SAME, 1, 2, (10, 11)), said(K.MERGE, 1, 2)).refused == (2,)
    assert standing(said(K.MERGE, 1, 2), said(K.SAME, 1, 2, (10, 11))).refused == ()
    assert standing(said(K.MERGE, 3, 2), said(K.SAME, 1, 2, (10, 11))).refused == (2,)


def test_two_faces_that_differ_are_no_longer_one() -> None:
    one, two = said(K.SAME, 1, faces=(10, 11)), said(K.SAME, 1, faces=(11, 12))
    found = standing(one, two, said(K.DIFFERENT, 1, faces=(10, 11)))
    assert found.apart == {(10, 11)}
    assert found.together == {(11, 12)}, "who was only bound to the one that left goes along"
    assert found.pinned == {10: 1}
    found = standing(one, two, said(K.DIFFERENT, 1, faces=(10, 12)))
    assert found.together == {(10, 11)}
    assert found.pinned == {10: 1, 11: 1}
    found = standing(said(K.DIFFERENT, faces=(10, 12)), one, two)
    assert found.apart == frozenset()
    assert found.together == {(10, 11), (11, 12)}, "the later word wins"
    assert standing(said(K.DIFFERENT, faces=(10, 10)), said(K.DIFFERENT, 1, 1)).refused == (1, 2)
    confirmed = said(K.CONFIRM, 1, faces=(10, 11))
    assert standing(said(K.DIFFERENT, faces=(10, 11)), confirmed).apart == frozenset()
    assert standing(confirmed, said(K.DIFFERENT, 1, faces=(10, 11))).pinned == {10: 1}
    found = standing(
        said(K.CONFIRM, 1, faces=(10,)),
        said(K.CONFIRM, 2, faces=(11,)),
        said(K.DIFFERENT, faces=(10, 11)),
        said(K.MERGE, 1, 2),
    )
    assert found.apart == frozenset()
    assert found.pinned == {10: 1, 11: 1}


def test_what_guyverd_finds_never_beats_the_user() -> None:
    found, differ = said(K.SAME, faces=(11, 10), author=Author.GUYVERD), said(K.DIFFERENT, faces=(10, 11))
    assert standing(found).alike == {(10, 11)}
    assert standing(found).together == frozenset()
    assert standing(found, differ).alike == standing(differ, found).alike == frozenset()


def test_a_box_and_an_apply() -> None:
    log = (said(K.BOX, 1, faces=(10,)), said(K.BOX, faces=(11,)), said(K.APPLY))
    assert standing(*log) == Standing(pinned={FaceId(10): PersonId(1)})
    assert standing(*log).last == 3


def test_an_album_is_saved_changed_and_removed() -> None:
    named, us, other = said(K.NAME, 1, name="Al"), kept(None, "Us"), kept(None, "Others", (3,))
    assert titles(named, us, other) == {2: "Us", 3: "Others"}, "its number is that of the decision"
    found = standing(named, us, kept(2, "We", without=(7,)))
    assert found.albums == {2: SavedAlbum("We", (PersonId(1), PersonId(2)), "2023", None, frozenset({PhotoId(7)}))}
    assert titles(us, kept(1, None)) == {}
    assert titles(us, kept(1, None), us) == {3: "Us"}
    assert standing(kept(None, None)).refused == (1,), "nothing is saved, and nothing removed"


def test_an_album_keeps_whom_it_was_made_of() -> None:
    us, one = kept(None, "Us"), said(K.MERGE, 3, 2)
    found = standing(us, one)
    assert found.albums[AlbumId(1)].people == (1, 2)
    assert [found.survivor(person) for person in found.albums[AlbumId(1)].people] == [1, 3]
    again = standing(us, one, said(K.UNDO, undoes=2))
    assert [again.survivor(person) for person in again.albums[AlbumId(1)].people] == [1, 2]


def test_undos_of_albums() -> None:
    us, we, gone = kept(None, "Us"), kept(1, "We"), kept(1, None)
    assert titles(us, said(K.UNDO, undoes=1)) == {}
    assert titles(us, said(K.UNDO, undoes=1), said(K.UNDO, undoes=2)) == {1: "Us"}
    assert titles(us, we, said(K.UNDO, undoes=2)) == {1: "Us"}
    assert titles(us, we, gone, said(K.UNDO, undoes=3)) == {1: "We"}
    log = (us, we, said(K.UNDO, undoes=1))
    assert titles(*log) == {}, "what was changed of it goes along"
    assert standing(*log).refused == ()
    assert titles(*log, said(K.UNDO, undoes=3)) == {1: "We"}, "and comes back with it"
    assert titles(us, gone, said(K.UNDO, undoes=2), we, said(K.UNDO, undoes=3)) == {}, "it was removed all the same"


@pytest.mark.parametrize(
    "kind", [K.NAME, K.CONFIRM, K.REJECT, K.MERGE, K.SPLIT, K.HIDE, K.UNHIDE, K.DIFFERENT, K.ALBUM]
)
def test_what_is_said_of_nobody_cannot_be(kind: DecisionKind) -> None:
    assert standing(said(kind)).refused == (1,)


# ---- undo ------------------------------------------------------------------------------------------------------------


def test_an_undo_of_an_undo_says_it_again() -> None:
    log = numbered(
        said(K.NAME, 1, name="Al"),
        said(K.NAME, 1, name="Bo"),
        said(K.UNDO, undoes=2),
        said(K.UNDO, undoes=3),
        said(K.UNDO, undoes=2),
    )
    assert replay(log[:3]).names == {1: "Al"}
    assert replay(log[:4]).names == {1: "Bo"}
    assert replay(log).names == {1: "Al"}
    assert undone(log) == {2: 5, 3: 4}
    assert standing(said(K.UNDO, undoes=1), said(K.UNDO, undoes=9), said(K.UNDO)).refused == (1, 2, 3)


def test_a_name_that_a_merge_handed_on_goes_with_its_naming() -> None:
    log = (said(K.NAME, 2, name="Al"), said(K.MERGE, 1, 2, name="Al"))
    assert standing(*log).names == {1: "Al"}
    assert standing(*log, said(K.UNDO, undoes=1)).names == {}
    assert standing(*log, said(K.UNDO, undoes=2)).names == {2: "Al"}


def test_what_guyverd_found_and_the_user_took_back_is_denied() -> None:
    merge = said(K.MERGE, 1, 2, author=Author.GUYVERD)
    found = standing(merge, said(K.UNDO, undoes=1))
    assert (found.forwards, found.apart_people) == ({}, frozenset({(PersonId(1), PersonId(2))}))
    assert standing(merge, said(K.UNDO, undoes=1), merge).refused == (3,), "not by itself a second time"
    assert standing(merge, said(K.UNDO, undoes=1), said(K.UNDO, undoes=2)).forwards == {2: 1}
    alike = said(K.SAME, faces=(10, 11), author=Author.GUYVERD)
    assert standing(alike, said(K.UNDO, undoes=1), alike).alike == frozenset()
    same = said(K.SAME, 1, faces=(10, 11))
    assert standing(alike, same, said(K.UNDO, undoes=1)).together == {(10, 11)}, "the user's own word stays"


def test_who_was_parted_and_put_together_again_stays_whole() -> None:
    parted = said(K.APPLY, 1, author=Author.GUYVERD)
    assert standing(parted) == Standing()
    assert standing(parted, said(K.UNDO, undoes=1)).whole == {1}
    assert standing(parted, said(K.UNDO, undoes=1), said(K.UNDO, undoes=2)).whole == frozenset()
    assert standing(parted, said(K.UNDO, undoes=1), said(K.MERGE, 2, 1)).whole == {2}
    assert standing(parted, said(K.MERGE, 2, 1), said(K.UNDO, undoes=1)).whole == {2}
    assert standing(said(K.APPLY), said(K.UNDO, undoes=1)).whole == frozenset(), "the user's own plan, taken back"


# ---- any log ---------------------------------------------------------------------------------------------------------

PEOPLE = st.integers(1, 5)
FACES = st.integers(10, 16)
PAIRS = st.tuples(FACES, FACES)
SOME = st.lists(FACES, min_size=1, max_size=3).map(tuple)
AUTHORS = st.sampled_from(Author)
WORDS = st.one_of(
    st.builds(lambda p, n: said(K.NAME, p, name=n), PEOPLE, st.sampled_from(["Al", "Bo", None])),
    st.builds(said, st.sampled_from([K.HIDE, K.UNHIDE]), PEOPLE),
    st.builds(lambda kind, p, f: said(kind, p, faces=f), st.sampled_from([K.CONFIRM, K.REJECT, K.BOX]), PEOPLE, SOME),
    st.builds(lambda p, q, by: said(K.MERGE, p, q, author=by), PEOPLE, PEOPLE, AUTHORS),
    st.builds(lambda p, q, f: said(K.SPLIT, p, q, f), PEOPLE, PEOPLE, SOME),
    st.builds(
        lambda p, q, f, by: said(K.SAME, p, q, f, author=by), st.none() | PEOPLE, st.none() | PEOPLE, PAIRS, AUTHORS
    ),
    st.builds(lambda p, f: said(K.DIFFERENT, p, faces=f), st.none() | PEOPLE, PAIRS),
    st.builds(lambda p, q: said(K.DIFFERENT, p, q), PEOPLE, PEOPLE),
    st.builds(lambda p: said(K.APPLY, p, author=Author.GUYVERD), PEOPLE),
    st.builds(
        lambda album, title, people, photos: kept(album, title, tuple(people), tuple(photos)),
        st.none() | st.integers(1, 14),
        st.sampled_from(["Us", "We", None]),
        st.sets(PEOPLE, min_size=1, max_size=3),
        st.sets(st.integers(1, 3)),
    ),
)
LOGS = st.lists(WORDS, max_size=14).map(lambda log: numbered(*log))
WITH_UNDOS = st.lists(WORDS | st.builds(lambda n: said(K.UNDO, undoes=n), st.integers(1, 14)), max_size=14).map(
    lambda log: numbered(*log)
)


@given(WITH_UNDOS, st.randoms(use_true_random=False))
def test_the_order_of_the_lines_and_their_number_do_not_matter(log: list[Decision], chance: random.Random) -> None:
    twice = [*log, *log]
    chance.shuffle(twice)
    assert replay(twice) == replay(log)
    assert undone(twice) == undone(log)


@given(WITH_UNDOS)
def test_what_stands_is_free_of_contradictions(log: list[Decision]) -> None:
    found = replay(log)
    absorbed = set(found.forwards)
    for person in range(1, 6):
        assert found.survivor(PersonId(person)) not in absorbed
    told_of = {
        *found.names,
        *found.hidden,
        *found.whole,
        *found.pinned.values(),
        *(person for _, person in found.barred),
    }
    told_of |= {person for pair in found.apart_people for person in pair}
    assert not told_of & absorbed, "everybody spoken of stands"
    assert not found.barred & {(face, person) for face, person in found.pinned.items()}
    groups = components(found.together)
    for one, other in found.apart:
        assert one < other
        assert not any({one, other} <= group for group in groups)
        assert one not in found.pinned or found.pinned[one] != found.pinned.get(other)
    for group in groups:
        assert len({found.pinned.get(face) for face in group}) == 1, "one person or nobody"
    assert not found.alike & found.apart
    for pairs in (found.together, found.alike, found.apart_people):
        assert all(one < other for one, other in pairs)


def components(pairs: frozenset[tuple[FaceId, FaceId]]) -> list[set[FaceId]]:
    groups: list[set[FaceId]] = []
    for pair in pairs:
        touched = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if not group & set(pair)] + [set(pair).union(*touched)]
    return groups


@given(WITH_UNDOS)
def test_what_does_not_count_was_never_said(log: list[Decision]) -> None:
    log = [dataclasses.replace(one, author=Author.USER) for one in log]
    gone = undone(log)
    left = [one for one in log if one.kind is not K.UNDO and one.id not in gone]
    assert dataclasses.replace(replay(log), refused=()) == dataclasses.replace(replay(left), refused=())


@given(WITH_UNDOS, st.data())
def test_a_log_that_grows_says_the_same(log: list[Decision], data: st.DataObject) -> None:
    replayed = Replay()
    left = list(log)
    while left:
        count = data.draw(st.integers(1, len(left)))
        replayed.add(left[:count])
        left = left[count:]
    assert replayed.standing == replay(log)
    assert replayed.standing.last == replay(log).last
    assert list(replayed.log) == log


@given(LOGS, st.data())
def test_undo_then_redo_changes_nothing(log: list[Decision], data: st.DataObject) -> None:
    if not log:
        return
    target = data.draw(st.integers(1, len(log)))
    taken_back = numbered(*log, said(K.UNDO, undoes=target))
    without = [one for one in log if one.id != target]
    if log[target - 1].author is Author.USER:
        assert replay(taken_back) == replay(without)
    again = numbered(*taken_back, said(K.UNDO, undoes=len(log) + 1))
    assert replay(again) == replay(log)


@given(LOGS, WORDS)
def test_the_last_word_holds(log: list[Decision], last: Decision) -> None:
    log = numbered(*log, last)
    found, last = replay(log), log[-1]
    if last.id in found.refused:
        return
    person = None if last.person is None else found.survivor(last.person)
    other = None if last.other is None else found.survivor(last.other)
    if last.kind in (K.CONFIRM, K.BOX):
        assert all(found.pinned[face] == person for face in last.faces)
    elif last.kind is K.REJECT:
        assert all((face, person) in found.barred for face in last.faces)
    elif last.kind is K.SPLIT:
        assert all(found.pinned[face] == other for face in last.faces)
        assert tuple(sorted((person or 0, other or 0))) in found.apart_people
    elif last.kind is K.MERGE:
        assert person == other
    elif last.kind is K.NAME:
        assert person is not None
        assert found.names.get(person) == last.name
    elif last.kind is K.SAME and last.author is Author.USER:
        assert tuple(sorted(last.faces)) in found.together
    elif last.kind is K.DIFFERENT and last.faces:
        assert tuple(sorted(last.faces)) in found.apart
    elif last.kind is K.ALBUM and last.album is None:
        assert found.albums[AlbumId(last.id)] == last.saved
    elif last.kind is K.ALBUM and last.album is not None:
        there = last.album in replay(log[:-1]).albums
        assert found.albums.get(last.album) == (last.saved if there else None)


@given(LOGS)
def test_faces_that_nobody_spoke_of_are_in_no_word(log: list[Decision]) -> None:
    spoken = {face for one in log for face in one.faces}
    found = replay(log)
    pairs = found.together | found.apart | found.alike
    assert {face for pair in pairs for face in pair} | set(found.pinned) | {face for face, _ in found.barred} <= spoken
    for one, other in combinations(sorted(spoken), 2):
        if (one, other) in pairs:
            assert any({one, other} <= set(decision.faces) for decision in log)


@given(WITH_UNDOS)
def test_every_album_is_as_it_was_last_saved(log: list[Decision]) -> None:
    """Told from the log alone, without replaying it: an album is there from when it is saved until it is removed."""
    gone = undone(log)
    told = [one for one in log if one.kind is K.ALBUM and one.id not in gone]
    wanted: dict[AlbumId, SavedAlbum | None] = {}
    for one in (one for one in told if one.album is None and one.saved is not None):
        album = AlbumId(one.id)
        states = [later.saved for later in told if later.id > one.id and later.album == album]
        if None not in states:
            wanted[album] = (states or [one.saved])[-1]
    assert replay(log).albums == wanted
