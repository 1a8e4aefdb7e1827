from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.model import Changes, FileId, KnownFile, SeenFile, Stamp
from guyverd.watch.reconcile import below, piecewise, reconcile
from tests.promises import scaled

OLD, NEW = Stamp(1, 1, 1), Stamp(2, 2, 2)


def known(number: int, path: bytes, stamp: Stamp = OLD, *, missing: bool = False) -> KnownFile:
    return KnownFile(FileId(number), path, stamp, missing)


def test_every_kind_of_change() -> None:
    before = [
        known(1, b"same"),
        known(2, b"changed"),
        known(3, b"gone"),
        known(4, b"returned", missing=True),
        known(5, b"back and changed", missing=True),
        known(6, b"long gone", missing=True),
    ]
    seen = [
        SeenFile(b"z new", NEW),
        SeenFile(b"same", OLD),
        SeenFile(b"changed", NEW),
        SeenFile(b"returned", OLD),
        SeenFile(b"back and changed", NEW),
        SeenFile(b"a new", NEW),
    ]
    assert reconcile(before, iter(seen)) == Changes(
        new=(seen[0], seen[5]),
        changed=((FileId(2), seen[2]), (FileId(5), seen[4])),
        returned=(FileId(4),),
        gone=(FileId(3),),
    )


@pytest.mark.promise("names")
def test_nothing_below_what_cannot_be_read_is_gone() -> None:
    before = [known(1, b"a/b/c.jpg"), known(2, b"a/bc.jpg"), known(3, b"ab/c.jpg"), known(4, b"a/b")]
    assert reconcile(before, [], [b"a/b"]).gone == (2, 3)
    assert reconcile(before, [], [b"a"]).gone == (3,)
    assert reconcile(before, [], [b""]).gone == ()
    assert reconcile(before, []).gone == (1, 2, 3, 4)


def test_what_was_seen_below_an_unreadable_directory_counts_all_the_same() -> None:
    seen = [SeenFile(b"a/x", NEW), SeenFile(b"a/y", NEW)]
    assert reconcile([known(1, b"a/x")], seen, [b"a"]) == Changes(new=(seen[1],), changed=((FileId(1), seen[0]),))


def test_the_last_sight_of_a_path_wins() -> None:
    assert reconcile([], [SeenFile(b"a", OLD), SeenFile(b"a", NEW)]).new == (SeenFile(b"a", NEW),)
    assert not reconcile([known(1, b"a")], [SeenFile(b"a", NEW), SeenFile(b"a", OLD)])


parts = st.sampled_from([b"a", b"b", b"c"])
some_path = st.lists(parts, min_size=1, max_size=3).map(b"/".join)
stamps = st.sampled_from([OLD, NEW, Stamp(1, 1, 2)])
seen_files = st.lists(st.builds(SeenFile, some_path, stamps), max_size=15)
known_files = st.dictionaries(some_path, st.tuples(stamps, st.booleans()), max_size=15).map(
    lambda found: [known(n, path, stamp, missing=missing) for n, (path, (stamp, missing)) in enumerate(found.items())]
)
blocked_paths = st.frozensets(st.one_of(st.just(b""), some_path), max_size=3)


def apply(before: list[KnownFile], changes: Changes) -> list[KnownFile]:
    """What the catalogue does with changes."""
    stamp = {number: file.stamp for number, file in changes.changed}
    back = set(stamp) | set(changes.returned)
    after = [
        KnownFile(f.id, f.path, stamp.get(f.id, f.stamp), (f.missing and f.id not in back) or f.id in changes.gone)
        for f in before
    ]
    return after + [known(1000 + n, file.path, file.stamp) for n, file in enumerate(changes.new)]


def covered(path: bytes, blocked: frozenset[bytes]) -> bool:
    return any(not folder or path == folder or path.startswith(folder + b"/") for folder in blocked)


@given(known_files, seen_files, blocked_paths)
def test_applied_changes_make_the_catalogue_agree_with_the_disk(
    before: list[KnownFile], seen: list[SeenFile], blocked: frozenset[bytes]
) -> None:
    changes = reconcile(before, seen, blocked)
    after = apply(before, changes)
    on_disk = {file.path: file.stamp for file in seen}
    protected = {
        f.path: f.stamp for f in before if not f.missing and f.path not in on_disk and covered(f.path, blocked)
    }
    assert {f.path: f.stamp for f in after if not f.missing} == on_disk | protected
    assert {f.path for f in before} | on_disk.keys() == {f.path for f in after}
    assert len({f.path for f in after}) == len(after)
    assert not reconcile(after, seen, blocked)
    was_missing = {f.id for f in before if f.missing}
    assert not was_missing & set(changes.gone)
    assert set(changes.returned) <= was_missing


@given(known_files, seen_files)
def test_each_known_file_changes_in_one_way_at_most(before: list[KnownFile], seen: list[SeenFile]) -> None:
    changes = reconcile(before, seen)
    touched = [number for number, _ in changes.changed] + [*changes.returned, *changes.gone]
    assert len(touched) == len(set(touched))
    order = [file.path for file in seen]
    assert [f.path for f in changes.new] == sorted((f.path for f in changes.new), key=order.index)


# ---- in pieces -------------------------------------------------------------------------------------------------------


class Shelf:
    """What is known, asked for in pieces; it notes how much was held at a time."""

    def __init__(self, files: Iterable[KnownFile]) -> None:
        self.files = sorted(files, key=lambda one: one.path)
        self.most = 0

    def __call__(self, after: bytes | None, through: bytes | None, most: int) -> list[KnownFile]:
        found = [
            one
            for one in self.files
            if (after is None or one.path > after) and (through is None or one.path <= through)
        ][:most]
        self.most = max(self.most, len(found))
        return found


def together(pieces: Iterable[Changes]) -> Changes:
    every = list(pieces)
    return Changes(
        tuple(one for piece in every for one in piece.new),
        tuple(one for piece in every for one in piece.changed),
        tuple(one for piece in every for one in piece.returned),
        tuple(one for piece in every for one in piece.gone),
    )


@pytest.mark.promise("scale")
@settings(max_examples=scaled(200, 5000))
@given(known_files, seen_files, blocked_paths, st.integers(1, 6))
def test_pieces_say_together_what_is_said_of_the_whole(
    before: list[KnownFile], seen: list[SeenFile], blocked: frozenset[bytes], most: int
) -> None:
    on_disk = sorted({file.path: file for file in seen}.values(), key=lambda one: one.path)
    shelf, drawn = Shelf(before), 0

    def entries() -> Iterator[SeenFile]:
        nonlocal drawn
        for file in on_disk:
            drawn += 1
            yield file

    pieces = []
    for piece in piecewise(shelf, entries(), most):
        pieces.append(piece)
        assert len(piece.gone) + len(piece.changed) + len(piece.returned) <= most, "of what is known no more is held"
        assert drawn <= most * len(pieces), "nor is more taken from the disk than was compared, and the next piece"
    found = together(pieces)
    paths = {one.id: one.path for one in before}
    found = replace(found, gone=tuple(one for one in found.gone if not below(paths[one], blocked)))
    expected = reconcile(shelf.files, on_disk, blocked)
    assert found == expected, "in the same order, too"
    assert shelf.most <= most


def test_a_piece_sees_what_became_known_since_the_piece_before() -> None:
    shelf = Shelf([known(1, b"a")])
    pieces = piecewise(shelf, [SeenFile(b"a", OLD), SeenFile(b"b", OLD), SeenFile(b"c", OLD)], 1)
    assert not next(pieces)
    shelf.files.append(known(2, b"b"))
    assert not next(pieces)
    assert next(pieces).new == (SeenFile(b"c", OLD),)
    assert not together(pieces)


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_nothing_on_either_side_ends_too(most: int) -> None:
    assert together(piecewise(Shelf([]), [], most)) == Changes()
    assert together(piecewise(Shelf([known(1, b"a"), known(2, b"b")]), [], most)).gone == (1, 2)
    assert len(together(piecewise(Shelf([]), [SeenFile(b"a", OLD), SeenFile(b"b", OLD)], most)).new) == 2
