"""What is noted for a saved search gets into its folder once, whatever hinders it and whoever meddles there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from guyverd import config
from guyverd.catalogue.following import Asked, Place
from guyverd.catalogue.store import Catalogue
from guyverd.errors import DeliveryStopped, StateError
from guyverd.followed import Follow, Form, Wanted
from guyverd.model import Changes, FileId, SeenFile, Stamp
from guyverd.service.pipeline.clipping import Clipper
from guyverd.service.pipeline.following.delivering import Delivering, Ended
from tests.films import film, nobody
from tests.service.faults import Crash, Disk, Fault, installed

RAM = Path("/dev/shm")
NAMES = ("a/one.jpg", "a/two.jpg", "b/one.jpg", "b/odd \udcff.jpg")
TWO = (NAMES[0], NAMES[2])


class Library:
    """Photos on disk that the catalogue knows, and saved searches with folders of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.photos = folder / "photos"
        self.catalogue = Catalogue(os.fsencode(folder / "catalogue.db"))
        self.catalogue.files.configure([os.fsencode(self.photos)])
        self.clipper = Clipper(config.Workers())
        self.hindered = False
        self._numbers = itertools.count(1)
        for name in NAMES:
            self.write(name, name.encode("utf-8", "surrogateescape") * 100)

    def write(self, name: str, data: bytes) -> None:
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.know()

    def know(self) -> None:
        """Have the catalogue know what is on disk."""
        root = self.catalogue.files.roots()[0].id
        there = {os.fsencode(path.relative_to(self.photos)): path for path in self.photos.rglob("*.*")}
        known = {file.path: file.id for file in self.catalogue.files.known(root)}
        seen = {path: SeenFile(path, _stamp(place)) for path, place in there.items()}
        new = tuple(seen[path] for path in sorted(seen.keys() - known.keys()))
        changed = tuple((known[path], seen[path]) for path in sorted(seen.keys() & known.keys()))
        gone = tuple(known[path] for path in sorted(known.keys() - seen.keys()))
        self.catalogue.files.apply(root, Changes(new, changed, (), gone), "2026")
        found = [
            (FileId(file.id), file.stamp, digest(self.photos / os.fsdecode(file.relative)))
            for file in self.catalogue.files.pending(1000)
        ]
        self.catalogue.files.identified(found)

    def follow(self, *names: str, form: Form = Form.LINK, folder: Path | None = None, mounted: bool = False) -> Follow:
        """A saved search that found these."""
        number = next(self._numbers)
        where = folder or self.folder / f"kid {number}"
        where.mkdir(exist_ok=True)
        place = Place(os.fsencode(where), mounted, form, False)
        saved = self.catalogue.follows.add(f"kid {number}", Asked("x"), place, past=False)
        self.want(saved, *names)
        return saved

    def want(self, saved: Follow, *names: str) -> None:
        found = [Wanted(digest(self.photos / name)) for name in names or NAMES]
        self.catalogue.follows.want(saved.id, found, [])

    def delivering(self) -> Delivering:
        """As after a new start."""
        sacred = [os.fsencode(self.photos), os.fsencode(self.folder / "People")]
        return Delivering(self.catalogue, lambda: sacred, self.clipper, lambda: not self.hindered)

    def deliver(self, saved: Follow) -> int:
        return self.delivering().deliver(saved).made


def digest(path: Path) -> bytes:
    return hashlib.blake2b(path.read_bytes(), digest_size=32).digest()


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


def where(saved: Follow) -> Path:
    return Path(os.fsdecode(saved.folder))


def tree(folder: Path) -> dict[str, str | bytes]:
    """Each name with what the link says, or with the file's bytes."""
    return {one.name: str(one.readlink()) if one.is_symlink() else one.read_bytes() for one in folder.iterdir()}


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    # Hundreds of runs, each of which waits for the disk several times.
    with tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as folder:
        made = Library(Path(folder))
        yield made
        made.clipper.close()
        made.catalogue.close()


def as_wanted(library: Library, form: Form, names: Sequence[str] = NAMES) -> dict[str, str | bytes]:
    """What a folder holds when these are delivered."""
    called = {NAMES[0]: "one.jpg", NAMES[1]: "two.jpg", NAMES[2]: "one (2).jpg", NAMES[3]: "odd \udcff.jpg"}
    paths = {called[path]: library.photos / path for path in names}
    return {name: str(path) if form is Form.LINK else path.read_bytes() for name, path in paths.items()}


every_form = pytest.mark.parametrize("form", list(Form))


@every_form
def test_each_is_there_once_under_its_own_name(library: Library, form: Form) -> None:
    saved = library.follow(form=form)
    assert library.deliver(saved) == 4
    assert tree(where(saved)) == as_wanted(library, form)
    assert library.deliver(saved) == 0
    assert library.catalogue.follows.tallies()[saved.id].delivered == 4
    if form is Form.COPY:
        copied, original = where(saved) / "two.jpg", library.photos / "a/two.jpg"
        assert copied.stat().st_mtime_ns == original.stat().st_mtime_ns
        assert stat.S_IMODE(copied.stat().st_mode) & 0o777 == 0o644 & ~_umask()


def _umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before


@every_form
def test_what_somebody_takes_away_stays_away(library: Library, form: Form) -> None:
    saved = library.follow(form=form)
    library.deliver(saved)
    (where(saved) / "one.jpg").unlink()
    (where(saved) / "two.jpg").rename(where(saved) / "mine.jpg")
    before = tree(where(saved))
    library.deliver(saved)
    assert tree(where(saved)) == before


@every_form
def test_nothing_of_anybody_is_overwritten(library: Library, form: Form) -> None:
    saved = library.follow(form=form)
    (where(saved) / "one.jpg").write_bytes(b"mine")
    (where(saved) / "one (2).jpg").mkdir()
    (where(saved) / "two.jpg").symlink_to("nowhere")
    library.deliver(saved)
    found = {one.name for one in where(saved).iterdir()}
    assert found == {"one.jpg", "one (2).jpg", "one (3).jpg", "one (4).jpg", "two.jpg", "two (2).jpg", "odd \udcff.jpg"}
    assert (where(saved) / "one.jpg").read_bytes() == b"mine"
    assert os.readlink(where(saved) / "two.jpg") == "nowhere"


@every_form
def test_two_saved_searches_may_share_a_folder(library: Library, form: Form) -> None:
    first = library.follow(form=form)
    second = library.follow(form=form, folder=where(first))
    assert library.deliver(first) == library.deliver(second) == 4
    assert tree(where(first)) == as_wanted(library, form)


@pytest.mark.promise("kill")
@every_form
def test_killed_at_any_call_everything_is_there_once(library: Library, form: Form) -> None:
    killed, at = True, 0
    while killed:
        at += 1
        saved = library.follow(*TWO, form=form)
        disk = Disk(str(library.folder))
        disk.set(Fault(at))
        with installed(disk), disk.watched():
            try:
                library.deliver(saved)
                killed = False
            except Crash:
                killed = True
        library.deliver(saved)
        assert tree(where(saved)) == as_wanted(library, form, TWO), disk.struck
        assert library.deliver(saved) == 0
    assert at > 20


@pytest.mark.promise("disk")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=lambda number: errno.errorcode[number])
@every_form
def test_an_error_at_any_call_costs_nothing_but_time(library: Library, form: Form, number: int) -> None:
    for at in itertools.count(1, 2):
        saved = library.follow(*TWO, form=form)
        disk = Disk(str(library.folder))
        disk.set(Fault(at, number))
        with installed(disk), disk.watched(), contextlib.suppress(DeliveryStopped, StateError):
            library.deliver(saved)
        library.deliver(saved)
        # Which of the two comes first depends on which had to wait.
        found, wanted = tree(where(saved)), as_wanted(library, form, TWO)
        assert (found.keys(), {*found.values()}) == (wanted.keys(), {*wanted.values()}), disk.struck
        if not disk.struck:
            break
    assert at > 20


def test_the_folder_is_never_made_again(library: Library) -> None:
    saved = library.follow()
    where(saved).rmdir()
    with pytest.raises(DeliveryStopped, match="not there"):
        library.deliver(saved)
    assert not where(saved).exists()
    where(saved).mkdir()
    assert library.deliver(saved) == 4


def test_where_a_disk_was_mounted_one_must_be(library: Library) -> None:
    saved = library.follow(mounted=True)
    with pytest.raises(DeliveryStopped, match="not mounted"):
        library.deliver(saved)
    assert tree(where(saved)) == {}


def test_a_folder_of_photos_is_left_alone_by_whatever_name(library: Library) -> None:
    around = library.folder / "by another way"
    around.symlink_to(library.photos / "a")
    for folder in (library.photos / "a", around):
        saved = library.follow(folder=folder)
        before = tree(library.photos / "a")
        with pytest.raises(DeliveryStopped, match="lies in"):
            library.deliver(saved)
        assert tree(library.photos / "a") == before
    around.unlink()


@every_form
def test_what_is_not_as_it_was_read_waits(library: Library, form: Form) -> None:
    library.write("later.jpg", b"as it was read")
    saved = library.follow("later.jpg", "a/one.jpg", form=form)
    (library.photos / "later.jpg").write_bytes(b"and somebody changed it")
    assert library.deliver(saved) == 1
    assert set(tree(where(saved))) == {"one.jpg"}
    library.write("later.jpg", b"as it was read")
    assert library.deliver(saved) == 1
    assert set(tree(where(saved))) == {"one.jpg", "later.jpg"}
    (library.photos / "later.jpg").unlink()
    library.know()


@pytest.mark.promise("kill")
def test_a_link_leads_to_where_its_photo_has_moved(library: Library) -> None:
    killed, at = True, 0
    while killed:
        at += 1
        library.write("here.jpg", b"wherever it is")
        saved = library.follow("here.jpg", "a/one.jpg")
        library.deliver(saved)
        (where(saved) / "one.jpg").unlink()
        (library.photos / "here.jpg").rename(library.photos / "b" / "there.jpg")
        library.know()
        disk = Disk(str(library.folder))
        disk.set(Fault(at))
        with installed(disk), disk.watched():
            try:
                assert library.delivering().mend(saved) == 1
                killed = False
            except Crash:
                killed = True
        library.delivering().mend(saved)
        assert tree(where(saved)) == {"here.jpg": str(library.photos / "b" / "there.jpg")}, disk.struck
        assert library.delivering().mend(saved) == 0
        (library.photos / "b" / "there.jpg").unlink()
        library.know()
    assert at > 5


def test_a_link_that_is_somebodys_now_is_left_as_it_is(library: Library) -> None:
    library.write("here.jpg", b"wherever it is")
    saved = library.follow("here.jpg")
    library.deliver(saved)
    (where(saved) / "here.jpg").unlink()
    (where(saved) / "here.jpg").write_bytes(b"mine")
    (library.photos / "here.jpg").rename(library.photos / "there.jpg")
    library.know()
    library.delivering().mend(saved)
    assert tree(where(saved)) == {"here.jpg": b"mine"}
    (library.photos / "there.jpg").unlink()
    library.know()


def test_what_cannot_be_copied_hinders_nothing_else(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from guyverd.folders import shapes

    real = shapes.write_copy

    def broken(source: bytes, *rest: object) -> os.stat_result:
        if source.endswith(b"a/one.jpg"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(source, *rest)  # type: ignore[arg-type]

    saved = library.follow(form=Form.COPY)
    with monkeypatch.context() as patch:
        patch.setattr(shapes, "write_copy", broken)
        delivering = library.delivering()
        assert delivering.deliver(saved).made == 3
        assert list(delivering.aside.values()) == ["input/output error"]
        assert delivering.deliver(saved).made == 0
    delivering.aside.clear()
    assert delivering.deliver(saved).made == 1
    assert sorted(tree(where(saved)).values(), key=str) == sorted(as_wanted(library, Form.COPY).values(), key=str)


def test_a_copy_that_is_stopped_leaves_nothing_behind(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = library.follow(form=Form.COPY)
    monkeypatch.setattr(library, "hindered", True)
    with pytest.raises(Ended):
        library.deliver(saved)
    assert tree(where(saved)) == {}
    monkeypatch.setattr(library, "hindered", False)
    assert library.deliver(saved) == 4


def test_whoever_gets_much_lets_others_have_their_turn(library: Library) -> None:
    for form, some in ((Form.COPY, 1), (Form.LINK, 4)):
        saved = library.follow(form=form)
        assert library.delivering().deliver(saved, lambda: False) == (some, some < 4)
        assert library.delivering().deliver(saved) == (4 - some, False)


def test_whoever_has_ended_gets_nothing_more(library: Library) -> None:
    saved = library.follow()
    library.catalogue.follows.end(saved.id)
    assert library.deliver(saved) == 0
    assert tree(where(saved)) == {}


def test_a_moment_is_cut_out_and_what_cannot_be_is_told(
    library: Library, tmp_path: Path, without: Callable[[str], None]
) -> None:
    film(tmp_path / "party.mp4", nobody(4.0))
    library.write("party.mp4", (tmp_path / "party.mp4").read_bytes())
    library.write("broken.mp4", b"no film")
    saved = library.follow("a/one.jpg")
    moments = [Wanted(digest(library.photos / name), 1.0, 2.5) for name in ("party.mp4", "broken.mp4")]
    library.catalogue.follows.want(saved.id, moments, [])
    delivering = library.delivering()
    assert delivering.deliver(saved).made == 2
    assert set(tree(where(saved))) == {"one.jpg", "party 00.01-00.02.mp4"}
    assert len(delivering.aside) == 1
    clip = where(saved) / "party 00.01-00.02.mp4"
    assert 1.0 < _seconds(clip) < 4.0
    without("party.mp4")


@pytest.fixture
def without(library: Library) -> Callable[[str], None]:
    """Take a file out of the library again."""

    def gone(name: str) -> None:
        (library.photos / name).unlink()
        library.know()

    return gone


def _seconds(path: Path) -> float:
    import av

    with av.open(str(path)) as container:
        return (container.duration or 0) / 1_000_000
