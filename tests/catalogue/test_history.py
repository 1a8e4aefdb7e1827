"""Any history of two folders against a model of dictionaries: files are written, moved and lost, disks come and go,
surveys and events see some of it, in any order, and what is forgotten is exactly what may be.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from guyverd.catalogue.store import Catalogue
from guyverd.model import PhotoId, RootId, RootState, SeenFile, Stamp
from guyverd.watch.reconcile import reconcile
from tests.catalogue.conftest import OTHER, ROOT, content, read
from tests.promises import scaled

ROOTS = st.sampled_from([ROOT, OTHER])
PATHS = st.sampled_from([b"a.jpg", b"a/1.jpg", b"a-b.jpg", b"a0", b"a/\xff.jpg", b"b\n.jpg"])
CONTENTS = st.sampled_from(["x", "y", "z"])


class AnyHistory(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.catalogue = Catalogue(os.fsencode(Path(self.folder.name) / "c.db"), clock=self.now)
        self.catalogue.files.configure([ROOT, OTHER])
        self.ids: dict[bytes, RootId] = {root.path: root.id for root in self.catalogue.files.roots()}
        self.disk: dict[bytes, dict[bytes, tuple[str, Stamp]]] = {ROOT: {}, OTHER: {}}
        self.away: set[bytes] = set()
        self.configured = {ROOT, OTHER}
        self.done: dict[bytes, int] = {}
        """The photo of each content that was read and not forgotten since."""
        self.clock = 1

    def teardown(self) -> None:
        self.catalogue.close()
        self.folder.cleanup()

    def now(self) -> str:
        return f"2026-01-01T00:{self.clock:04d}+00:00"

    def in_reach(self, root: bytes) -> bool:
        return root in self.configured and root not in self.away

    # ---- what happens on the disks -----------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        for n, root in enumerate((ROOT, OTHER)):
            self.write(root, b"a.jpg", "xy"[n])
        self.settle()

    @rule(root=ROOTS, path=PATHS, what=CONTENTS)
    def write(self, root: bytes, path: bytes, what: str) -> None:
        self.clock += 1
        self.disk[root][path] = (what, Stamp(len(what), self.clock, self.clock))

    @rule(root=ROOTS, path=PATHS, other=ROOTS, to=PATHS)
    def move(self, root: bytes, path: bytes, other: bytes, to: bytes) -> None:
        if path in self.disk[root]:
            what, stamp = self.disk[root].pop(path)
            self.disk[other][to] = (what, stamp)

    @rule(root=ROOTS, path=PATHS)
    def delete(self, root: bytes, path: bytes) -> None:
        self.disk[root].pop(path, None)

    @rule(root=ROOTS)
    def go_away_or_come_back(self, root: bytes) -> None:
        self.away ^= {root}
        state = RootState.OFFLINE if root in self.away else RootState.ONLINE
        self.catalogue.files.set_root(self.ids[root], None, state, "")

    @rule(root=ROOTS)
    def leave_or_join_the_config(self, root: bytes) -> None:
        self.configured ^= {root}
        self.catalogue.files.configure([one for one in (ROOT, OTHER) if one in self.configured])

    # ---- what is seen of it ------------------------------------------------------------------------------------------

    @rule(root=ROOTS, scope=st.just(b"") | st.sampled_from([b"a", b"b"]) | PATHS)
    def look(self, root: bytes, scope: bytes) -> None:
        """A survey of a root or a folder, or one settled path."""
        if not self.in_reach(root):
            return
        self.clock += 1
        inside = {
            path: stamp
            for path, (_, stamp) in self.disk[root].items()
            if not scope or path == scope or path.startswith(scope + b"/")
        }
        known = self.catalogue.files.known(self.ids[root], scope)
        assert [one.path for one in known] == sorted(one.path for one in known)
        changes = reconcile(known, [SeenFile(path, stamp) for path, stamp in inside.items()])
        self.catalogue.files.apply(self.ids[root], changes, self.now())
        after = self.catalogue.files.known(self.ids[root], scope)
        assert {one.path: one.stamp for one in after if not one.missing} == inside

    @rule(limit=st.integers(1, 9), readable=st.booleans())
    def identify(self, limit: int, readable: bool) -> None:
        found, failed = [], []
        for file in self.catalogue.files.pending(limit):
            assert self.in_reach(file.root)
            held = self.disk[file.root].get(file.relative)
            if held is None:
                self.catalogue.files.vanished(file.id, self.now())
            elif readable:
                found.append((file.id, held[1], content(held[0])))
            else:
                failed.append((file.id, "permission denied"))
        known = {row["hash"] for row in self.catalogue._db.rows("SELECT hash FROM photos")}
        assert self.catalogue.files.identified(found) == len({hash_ for _, _, hash_ in found} - known)
        self.catalogue.files.failed(failed)

    @rule(limit=st.integers(1, 9))
    def read(self, limit: int) -> None:
        for photo in self.catalogue.photos.pending(limit):
            assert photo.hash not in self.done, "its faces are known"
            held = [
                self.disk[root][path[len(root) + 1 :]][0]
                for root in (ROOT, OTHER)
                for path in photo.paths
                if root not in self.away and path.startswith(root + b"/") and path[len(root) + 1 :] in self.disk[root]
            ]
            if any(content(what) == photo.hash for what in held):
                read(self.catalogue, photo.id, 2)
                self.done[photo.hash] = photo.id
            elif held:
                self.catalogue.files.again(photo.id)
            else:
                self.catalogue.files.gone(photo.id, self.now())

    @rule(grace=st.integers(0, 6))
    def forget(self, grace: int) -> None:
        before = f"2026-01-01T00:{max(0, self.clock - grace):04d}+00:00"
        paths = {number: path for path, number in self.ids.items()}
        held: dict[int, list[bool]] = {row["id"]: [] for row in self.catalogue._db.rows("SELECT id FROM photos")}
        for row in self.catalogue._db.rows("SELECT * FROM files WHERE photo_id IS NOT NULL"):
            late = row["missing_since"] is not None and row["missing_since"] < before
            held[row["photo_id"]].append(late and self.in_reach(paths[row["root_id"]]))
        expected = {photo for photo, files in held.items() if all(files)}
        faces = {
            row["id"]
            for row in self.catalogue._db.rows("SELECT id, photo_id FROM faces")
            if row["photo_id"] in expected
        }
        assert self.catalogue.files.overdue(before) == (len(expected), len(held))
        assert set(self.catalogue.files.forget(before)) == faces
        left = {row["id"] for row in self.catalogue._db.rows("SELECT id FROM photos")}
        assert left == set(held) - expected
        self.done = {hash_: photo for hash_, photo in self.done.items() if photo in left}

    @rule()
    def settle(self) -> None:
        """Whatever happened: when everything was seen, the catalogue says what is on the disks."""
        for root in (ROOT, OTHER):
            self.look(root, b"")
            if self.in_reach(root):
                self.catalogue.files.retry_failed(self.ids[root])
        for _ in range(3):  # bytes that changed unseen are asked for once more
            self.identify(1000, True)
            self.read(1000)
        paths = self.catalogue.files.paths_of(list(self.done.values()))
        for root in self.configured - self.away:
            for path, (what, _) in self.disk[root].items():
                assert root + b"/" + path in paths[self.done[content(what)]]
        reachable = {
            root + b"/" + path: what
            for root in self.configured - self.away
            for path, (what, _) in self.disk[root].items()
        }
        for photo, files in paths.items():
            for file in files:
                root = ROOT if file.startswith(ROOT + b"/") else OTHER
                assert root in self.configured
                if self.in_reach(root):
                    assert self.done[content(reachable[file])] == photo
        assert self.catalogue.photos.first_unread() is None
        assert self.catalogue.files.pending(1) == []

    # ---- always ------------------------------------------------------------------------------------------------------

    @invariant()
    def is_sound(self) -> None:
        assert self.catalogue.integrity() == self.catalogue.contradictions() == []
        photos = {row["hash"]: row["id"] for row in self.catalogue._db.rows("SELECT id, hash FROM photos")}
        assert {hash_: photos.get(hash_) for hash_ in self.done} == self.done, (
            "a photo keeps its number while it is kept"
        )
        present = [PhotoId(row["photo_id"]) for row in self.catalogue._db.rows("SELECT photo_id FROM present_files")]
        assert self.catalogue.counts().files == len(present)
        assert self.catalogue.counts().photos == len(set(present) - {None})


AnyHistory.TestCase.settings = settings(
    max_examples=scaled(25, 200), stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestAnyHistory = pytest.mark.promise("any-order")(AnyHistory.TestCase)
