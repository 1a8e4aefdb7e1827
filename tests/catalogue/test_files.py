from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.model import Changes, FileId, PhotoState, RootIdentity, RootState
from tests.catalogue.conftest import NOW, OTHER, ROOT, add, content, identify, ids, library, read, seen

NASTY = [b"a-b", b"a.b", b"a/x", b"a/y/z", b"a0", b"a", b"a\xff/x", b"a\n/x", b"A/x", b"a/\xfe"]
LATER = "2026-02-01T00:00:00+00:00"


def files_of(catalogue: Catalogue, photo: int) -> tuple[bytes, ...]:
    return catalogue.files.paths_of([photo])[photo]


def test_what_lies_below_a_folder_whatever_it_is_called(catalogue: Catalogue, root: RootRow) -> None:
    catalogue.files.apply(root.id, Changes(new=tuple(seen(path) for path in NASTY)), NOW)

    def below(scope: bytes) -> set[bytes]:
        return {known.path for known in catalogue.files.known(root.id, scope)}

    assert below(b"") == set(NASTY)
    assert below(b"a") == {b"a", b"a/x", b"a/y/z", b"a/\xfe"}
    assert below(b"a/y") == {b"a/y/z"}
    assert below(b"a\xff") == {b"a\xff/x"}
    assert below(b"b") == set()


def test_a_root_that_is_not_configured_any_more_takes_its_files_along_and_back(
    catalogue: Catalogue, root: RootRow
) -> None:
    library(catalogue, root, [1, 1])
    catalogue.files.configure([OTHER])
    assert catalogue.counts().photos == 0
    assert catalogue.files.forget("9999") == []
    catalogue.files.configure([ROOT])
    assert [one.path for one in catalogue.files.roots()] == [ROOT]
    assert catalogue.counts().photos == 2


def test_how_a_root_was_found_is_kept(catalogue: Catalogue, root: RootRow) -> None:
    catalogue.files.set_root(root.id, RootIdentity(1, 2), RootState.ONLINE, "")
    catalogue.files.set_root(root.id, None, RootState.OFFLINE, "it is away")
    catalogue.files.scanned(root.id, NOW)
    found = catalogue.files.roots()[0]
    assert (found.identity, found.state, found.detail, found.scanned_at) == (
        RootIdentity(1, 2), RootState.OFFLINE, "it is away", NOW,
    )  # fmt: skip


def test_nothing_is_taken_up_in_a_root_that_is_away(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"1.jpg": "one"})
    catalogue.files.apply(root.id, Changes(new=(seen(b"2.jpg"),)), NOW)
    catalogue.files.set_root(root.id, None, RootState.OFFLINE, "away")
    assert catalogue.files.pending(10) == []
    assert catalogue.photos.pending(10) == []
    assert catalogue.counts().photos == 1, "its photos are not gone"


@pytest.mark.parametrize("gone_first", [True, False])
def test_a_move_keeps_the_photo_whichever_half_is_seen_first(
    catalogue: Catalogue, root: RootRow, gone_first: bool
) -> None:
    library(catalogue, root, [1])
    gone = Changes(gone=(ids(catalogue, root)[b"000.jpg"],))
    new = Changes(new=(seen(b"moved.jpg"),))
    for change in (gone, new) if gone_first else (new, gone):
        catalogue.files.apply(root.id, change, NOW)
    identify(catalogue, {b"moved.jpg": "photo 0"})
    if not gone_first:
        assert catalogue.counts().missing_files == 0
    assert files_of(catalogue, 1) == (b"/photos/moved.jpg",)
    assert list(ids(catalogue, root)) == [b"moved.jpg"]
    assert catalogue.counts().photos == 1
    assert catalogue.counts().faces == 1


def test_copies_are_one_photo_and_the_first_stands_for_it(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"b.jpg": "same"})
    add(catalogue, root, {b"a.jpg": "same"})
    assert files_of(catalogue, 1) == (b"/photos/b.jpg", b"/photos/a.jpg")
    assert catalogue.counts().photos == 1
    catalogue.files.apply(root.id, Changes(gone=(ids(catalogue, root)[b"b.jpg"],)), NOW)
    assert files_of(catalogue, 1) == (b"/photos/a.jpg",)


def test_a_file_that_is_gone_comes_back_without_being_read(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [2])
    file = ids(catalogue, root)[b"000.jpg"]
    catalogue.files.apply(root.id, Changes(gone=(file,)), NOW)
    assert catalogue.counts().faces == 0
    assert catalogue.files.known(root.id)[0].missing
    catalogue.files.apply(root.id, Changes(returned=(file,)), LATER)
    assert catalogue.counts().faces == 2
    assert catalogue.files.pending(10) == []


def test_a_changed_file_is_identified_again_and_may_be_another_photo(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    catalogue.files.apply(root.id, Changes(changed=((ids(catalogue, root)[b"000.jpg"], seen(b"000.jpg", 2)),)), NOW)
    assert files_of(catalogue, 1) == (b"/photos/000.jpg",), "it stays in its folders while it is read"
    identify(catalogue, {b"000.jpg": "edited"})
    assert files_of(catalogue, 1) == ()
    assert files_of(catalogue, 2) == (b"/photos/000.jpg",)
    assert catalogue.files.forget("2000") == [], "its face is waited for: the new photo may show it too"
    read(catalogue, 2, 0)
    assert catalogue.files.forget("2000") == [1], "content that no path holds is forgotten at once"


def test_cannot_read_is_not_deleted(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1])
    file = ids(catalogue, root)[b"000.jpg"]
    catalogue.files.apply(root.id, Changes(changed=((file, seen(b"000.jpg", 2)),)), NOW)
    catalogue.files.failed([(file, "permission denied")])
    assert catalogue.counts().faces == 1
    (failure,) = catalogue.photos.failures()
    assert (failure.file, failure.reason) == (b"/photos/000.jpg", "permission denied")
    catalogue.files.retry_failed(root.id)
    assert [pending.id for pending in catalogue.files.pending(10)] == [file]


def test_only_what_has_been_missing_long_enough_is_forgotten(catalogue: Catalogue, root: RootRow) -> None:
    library(catalogue, root, [1, 2, 1])
    files = ids(catalogue, root)
    catalogue.files.apply(root.id, Changes(gone=(files[b"000.jpg"],)), NOW)
    catalogue.files.apply(root.id, Changes(gone=(files[b"001.jpg"],)), LATER)
    assert catalogue.files.overdue(NOW) == (0, 3)
    assert catalogue.files.overdue(LATER) == (1, 3)
    catalogue.files.set_root(root.id, None, RootState.OFFLINE, "away")
    assert catalogue.files.overdue("9999") == (0, 3)
    assert catalogue.files.forget("9999") == []
    catalogue.files.set_root(root.id, None, RootState.ONLINE, "")
    assert catalogue.files.forget(LATER) == [1]
    assert catalogue.files.forget("9999") == [2, 3]
    assert list(ids(catalogue, root)) == [b"002.jpg"]
    assert catalogue.integrity() == []


def test_a_photo_whose_files_vanish_while_it_waits(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"1.jpg": "one", b"2.jpg": "two"})
    first, second = catalogue.photos.pending(10)
    catalogue.files.gone(first.id, NOW)
    catalogue.files.again(second.id)
    assert catalogue.photos.pending(10) == []
    assert [file.path for file in catalogue.files.pending(10)] == [b"/photos/2.jpg"]
    identify(catalogue, {b"2.jpg": "two"})
    assert [photo.id for photo in catalogue.photos.pending(10)] == [second.id]
    catalogue.files.vanished(FileId(2), NOW)
    assert catalogue.photos.pending(10) == []


def test_failures_are_listed_with_their_reason_until_the_bytes_change(catalogue: Catalogue, root: RootRow) -> None:
    add(catalogue, root, {b"bad.jpg": "bad", b"slow.jpg": "slow", b"good.jpg": "good"})
    bad, slow, good = catalogue.photos.pending(10)
    catalogue.photos.failed(bad.id, PhotoState.FAILED, "cut short", 0, NOW)
    catalogue.photos.failed(slow.id, PhotoState.PENDING, "too slow", 1, NOW)
    assert [photo.attempts for photo in catalogue.photos.pending(10)] == [1, 0]
    catalogue.photos.failed(slow.id, PhotoState.QUARANTINED, "too slow", 3, NOW)
    read(catalogue, good.id)
    rows = {row.file: (row.state, row.reason, row.attempts) for row in catalogue.photos.failures()}
    assert rows == {b"/photos/bad.jpg": ("failed", "cut short", 0), b"/photos/slow.jpg": ("quarantined", "too slow", 3)}
    assert catalogue.counts().failures == 2
    catalogue.files.apply(root.id, Changes(changed=((ids(catalogue, root)[b"bad.jpg"], seen(b"bad.jpg", 2)),)), NOW)
    identify(catalogue, {b"bad.jpg": "mended"})
    assert [row.file for row in catalogue.photos.failures()] == [b"/photos/slow.jpg"]


PATHS = st.sampled_from([b"a.jpg", b"b.jpg", b"d/a.jpg", b"d/b.jpg"])
CONTENTS = st.sampled_from(["x", "y", "z"])


class AnyDay(RuleBasedStateMachine):
    """Files come, change, move and go at random; the catalogue must agree with a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.catalogue = Catalogue(os.fsencode(Path(self.folder.name) / "c.db"), clock=lambda: NOW)
        self.catalogue.files.configure([ROOT])
        self.root = self.catalogue.files.roots()[0]
        self.disk: dict[bytes, str] = {}
        self.clock = 1

    def teardown(self) -> None:
        self.catalogue.close()
        self.folder.cleanup()

    def observe(self) -> None:
        """What a survey would report; the stamp changes with every write."""
        known = {known.path: known for known in self.catalogue.files.known(self.root.id)}
        held = {path: self.disk[path] for path in self.disk}
        changes = Changes(
            new=tuple(seen(path, self.clock) for path in held if path not in known),
            changed=tuple((known[path].id, seen(path, self.clock)) for path in held if path in known),
            gone=tuple(one.id for path, one in known.items() if path not in held and not one.missing),
        )
        self.catalogue.files.apply(self.root.id, changes, NOW)

    @rule(path=PATHS, what=CONTENTS)
    def write(self, path: bytes, what: str) -> None:
        self.clock += 1
        self.disk[path] = what
        self.observe()

    @rule(path=PATHS, to=PATHS)
    def move(self, path: bytes, to: bytes) -> None:
        if path in self.disk:
            self.disk[to] = self.disk.pop(path)
            self.observe()

    @rule(path=PATHS)
    def delete(self, path: bytes) -> None:
        self.disk.pop(path, None)
        self.observe()

    @rule()
    def identify(self) -> None:
        identify(self.catalogue, self.disk)

    @rule()
    def look(self) -> None:
        for photo in self.catalogue.photos.pending(10):
            read(self.catalogue, photo.id, 2)

    @rule()
    def forget(self) -> None:
        self.catalogue.files.forget("9999")

    @invariant()
    def agrees(self) -> None:
        assert self.catalogue.integrity() == self.catalogue.contradictions() == []
        present = {one.path for one in self.catalogue.files.known(self.root.id) if not one.missing}
        assert present == set(self.disk)
        pending = {file.relative for file in self.catalogue.files.pending(100)}
        photos = self.catalogue._db.rows(
            "SELECT files.path, photos.hash FROM files JOIN photos ON photos.id = photo_id WHERE missing_since IS NULL"
        )
        for row in photos:
            if row["path"] not in pending:
                assert row["hash"] == content(self.disk[row["path"]])
        assert {row["path"] for row in photos} | pending == present


AnyDay.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestAnyDay = AnyDay.TestCase
