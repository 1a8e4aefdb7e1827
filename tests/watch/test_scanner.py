from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.model import SeenFile, Stamp
from guyverd.watch.scanner import DISK, Directory, Entry, Rules, Scan, Unreadable, hidden, look, scan
from tests.watch.fakes import DEVICE, ROOT, FakeDisk

PLAIN = Rules()


def wanted(name: bytes) -> bool:
    return name.lower().endswith((b".jpg", b".png"))


def paths(fs: FakeDisk, scope: bytes = b"", rules: Rules = PLAIN) -> list[bytes]:
    return [file.path for file in Scan(ROOT, scope, rules, wanted, fs)]


def test_order_is_that_of_whole_paths_as_bytes_and_only_wanted_files_come() -> None:
    fs = FakeDisk({b"b/2.jpg": 1, b"b/1.jpg": 1, b"a.jpg": 1, b"z.jpg": 0, b"b.txt": 1, b"b/\xff.jpg": 1, b"Z.JPG": 1})
    assert paths(fs) == [b"Z.JPG", b"a.jpg", b"b/1.jpg", b"b/2.jpg", b"b/\xff.jpg", b"z.jpg"]
    fs = FakeDisk({b"a/1.jpg": 1, b"a.jpg": 1, b"a0.jpg": 1, b"a b/1.jpg": 1, b"a.b/c/1.jpg": 1, b"a/b.jpg": 1})
    assert paths(fs) == [b"a b/1.jpg", b"a.b/c/1.jpg", b"a.jpg", b"a/1.jpg", b"a/b.jpg", b"a0.jpg"]


def test_a_name_that_the_disk_tells_twice_is_one_file() -> None:
    class Stuttering(FakeDisk):
        @contextmanager
        def scandir(self, path: bytes) -> Iterator[Iterator[Entry]]:
            with super().scandir(path) as entries:
                yield iter([one for item in entries for one in (item, item)])

    assert paths(Stuttering({b"a.jpg": 1, b"b/1.jpg": 1})) == [b"a.jpg", b"b/1.jpg"]


def test_stamps_are_what_the_disk_says() -> None:
    fs = FakeDisk({b"a.jpg": 12})
    stamp = Stamp(12, 5_000_000_000, fs.inode(ROOT + b"/a.jpg"))
    assert list(Scan(ROOT, b"", PLAIN, wanted, fs)) == [SeenFile(b"a.jpg", stamp)]


def test_links_are_never_followed_nor_yielded() -> None:
    fs = FakeDisk({b"a.jpg": 1}, links=[b"b.jpg", b"folder"])
    assert paths(fs) == [b"a.jpg"]
    assert fs.listed == [b""]
    assert look(ROOT, b"b.jpg", PLAIN, wanted, fs) is None
    assert look(ROOT, b"folder/x.jpg", PLAIN, wanted, fs) is None
    assert paths(fs, b"folder") == []


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        ((), [b"@eaDir/a.jpg", b"a.jpg", b"a.tmp.jpg"]),
        (("@eaDir",), [b"a.jpg", b"a.tmp.jpg"]),
        (("*.tmp.*", "@*"), [b"a.jpg"]),
        (("A.JPG",), [b"@eaDir/a.jpg", b"a.jpg", b"a.tmp.jpg"]),
        (("?.jpg",), [b"a.tmp.jpg"]),
        (("*",), []),
    ],
)
def test_ignored_names_and_dot_names_are_passed_over(ignore: tuple[str, ...], expected: list[bytes]) -> None:
    fs = FakeDisk({b"@eaDir/a.jpg": 1, b"a.jpg": 1, b"a.tmp.jpg": 1, b".trash/a.jpg": 1, b".a.jpg": 1})
    assert paths(fs, rules=Rules(ignore)) == expected


def test_a_pattern_matches_one_character_not_one_byte_and_spares_names_that_are_not_utf8() -> None:
    rules = Rules(("?.jpg",))
    assert rules.pass_over("é.jpg".encode())
    assert rules.pass_over(b"\xe9.jpg")
    assert not rules.pass_over(b"\xe9\xe9.jpg")


def test_excluded_directories_and_people_folders_are_not_entered() -> None:
    fs = FakeDisk({b"a.jpg": 1, b"out/a.jpg": 1, b"people/.guyverd-people": 1, b"people/Ann/a.jpg": 1})
    rules = Rules(excluded=frozenset({(DEVICE, fs.inode(ROOT + b"/out"))}))
    assert paths(fs, rules=rules) == [b"a.jpg"]
    for scope in (b"out", b"out/a.jpg", b"people", b"people/Ann", b"people/Ann/a.jpg"):
        assert paths(fs, scope, rules) == []
        assert look(ROOT, scope, rules, wanted, fs) is None


@pytest.mark.parametrize("scope", [b".git", b".git/a", b"x/skip/y", b"x/skip/y/a.jpg", b"nowhere", b"a.jpg/below"])
def test_a_scope_out_of_bounds_yields_nothing(scope: bytes) -> None:
    fs = FakeDisk({b".git/a/a.jpg": 1, b"x/skip/y/a.jpg": 1, b"a.jpg": 1})
    run = Scan(ROOT, scope, Rules(("skip",)), wanted, fs)
    assert list(run) == []
    assert run.unreadable == []


def test_a_scope_may_be_a_directory_or_a_file() -> None:
    fs = FakeDisk({b"x/a.jpg": 1, b"x/y/b.jpg": 1, b"c.jpg": 1, b"x.jpg": 1})
    assert paths(fs, b"x") == [b"x/a.jpg", b"x/y/b.jpg"]
    assert paths(fs, b"x/y/b.jpg") == [b"x/y/b.jpg"]
    assert paths(fs, b"x/y/none.jpg") == []


@pytest.mark.promise("names")
def test_an_unreadable_directory_is_named_and_the_rest_goes_on() -> None:
    fs = FakeDisk(
        {b"a/a.jpg": 1, b"b/b.jpg": 1, b"c.jpg": 1, b"d.jpg": 1}, broken={b"a": errno.EACCES, b"c.jpg": errno.EIO}
    )
    run = Scan(ROOT, b"", PLAIN, wanted, fs)
    assert [file.path for file in run] == [b"b/b.jpg", b"d.jpg"]
    assert run.unreadable == [(b"a", "Permission denied"), (b"c.jpg", "Input/output error")]
    list(run)
    assert len(run.unreadable) == 2


def test_a_root_that_is_away_is_unreadable_whatever_the_scope() -> None:
    fs = FakeDisk({b"a.jpg": 1}, vanishing={b""})
    for scope in (b"", b"x", b"a.jpg"):
        run = scan(ROOT, scope, PLAIN, wanted, fs)
        assert list(run) == []
        assert run.unreadable == [(b"", "No such file or directory")]
        assert look(ROOT, scope, PLAIN, wanted, fs) == Unreadable(b"", "No such file or directory")


def test_a_root_that_holds_the_marker_or_is_excluded_concludes_nothing() -> None:
    marked = FakeDisk({b"a.jpg": 1, b".guyverd-people": 0})
    out = FakeDisk({b"a.jpg": 1})
    for fs, rules in ((marked, PLAIN), (out, Rules(excluded=frozenset({(DEVICE, out.inode(ROOT))})))):
        run = Scan(ROOT, b"", rules, wanted, fs)
        assert list(run) == []
        assert [path for path, _ in run.unreadable] == [b""]


def test_what_vanishes_during_the_scan_is_gone_and_not_unreadable() -> None:
    fs = FakeDisk({b"a/a.jpg": 1, b"b.jpg": 1, b"c.jpg": 1}, vanishing={b"a", b"b.jpg"})
    run = Scan(ROOT, b"", PLAIN, wanted, fs)
    assert [file.path for file in run] == [b"c.jpg"]
    assert run.unreadable == []


def test_a_scope_that_vanishes_between_look_and_listing_concludes_nothing() -> None:
    class Fleeting(FakeDisk):
        def scandir(self, path):  # type: ignore[no-untyped-def]
            self.vanishing.add(b"x")
            return super().scandir(path)

    run = Scan(ROOT, b"x", PLAIN, wanted, Fleeting({b"x/a.jpg": 1}))
    assert list(run) == []
    assert run.unreadable == [(b"x", "No such file or directory")]


def test_look_tells_one_path() -> None:
    fs = FakeDisk({b"x/a.jpg": 3, b"x/a.txt": 3, b"x/bad.jpg": 3}, folders=[b"empty"], broken={b"x/bad.jpg": errno.EIO})
    assert look(ROOT, b"x/a.jpg", PLAIN, wanted, fs) == next(iter(Scan(ROOT, b"x/a.jpg", PLAIN, wanted, fs)))
    assert look(ROOT, b"", PLAIN, wanted, fs) == Directory(b"")
    assert look(ROOT, b"empty", PLAIN, wanted, fs) == Directory(b"empty")
    assert look(ROOT, b"x/a.txt", PLAIN, wanted, fs) is None
    assert look(ROOT, b"x/none.jpg", PLAIN, wanted, fs) is None
    assert look(ROOT, b"x/a.jpg/deep.jpg", PLAIN, wanted, fs) is None
    assert look(ROOT, b"x/bad.jpg", PLAIN, wanted, fs) == Unreadable(b"x/bad.jpg", "Input/output error")


@pytest.mark.promise("scale")
def test_very_deep_trees_need_no_recursion() -> None:
    deep = b"/".join([b"d"] * 1500)
    fs = FakeDisk({deep + b"/a.jpg": 1})
    assert paths(fs) == [deep + b"/a.jpg"]


names = st.sampled_from([b"a", b"b", b"a.jpg", b"a0.jpg", b"d.jpg", b".e", b"f.txt", b"\xff.jpg", b"skip", b"a b"])
trees = st.lists(st.lists(names, min_size=1, max_size=5).map(b"/".join), max_size=25)


def _tree(found: list[bytes]) -> dict[bytes, int]:
    """Without paths that would be a file and a directory at once."""
    kept: dict[bytes, int] = {}
    for path in found:
        above = {path[:i] for i, byte in enumerate(path) if byte == ord("/")}
        if not above & kept.keys() and not any(other.startswith(path + b"/") for other in kept):
            kept[path] = len(path)
    return kept


@given(trees)
def test_scans_of_any_scope_agree_with_a_filter_over_all_files(found: list[bytes]) -> None:
    files = _tree(found)
    fs = FakeDisk(files)
    rules = Rules(("skip",))

    def passes(path: bytes) -> bool:
        parts = path.split(b"/")
        return wanted(parts[-1]) and not any(hidden(part) or part == b"skip" for part in parts)

    expected = sorted(path for path in files if passes(path))
    assert paths(fs, rules=rules) == expected
    for scope in {path.rpartition(b"/")[0] for path in files} | set(files):
        assert paths(fs, scope, rules) == [p for p in expected if not scope or p == scope or p.startswith(scope + b"/")]
    for path in files:
        seen = look(ROOT, path, rules, wanted, fs)
        assert (seen.path if isinstance(seen, SeenFile) else None) == (path if passes(path) else None)


# ---- the real disk ---------------------------------------------------------------------------------------------------


@pytest.mark.promise("names")
def test_on_disk_with_odd_names_links_pipes_and_a_linked_root(tmp_path: Path) -> None:
    real = os.fsencode(tmp_path / "real")
    deep = real + b"/" + b"/".join([b"d%02d" % n for n in range(60)])
    os.makedirs(deep)
    for name in (b"a\xff\xfe.jpg", b"new\nline.jpg", b"b.txt", b"empty.jpg"):
        with open(os.path.join(deep, name), "wb") as file:
            file.write(b"" if name == b"empty.jpg" else b"x")
    os.symlink(real, os.path.join(deep, b"loop"))
    os.symlink(os.path.join(deep, b"empty.jpg"), real + b"/link.jpg")
    os.mkfifo(real + b"/pipe.jpg")
    os.symlink(real, os.fsencode(tmp_path / "root"))
    root = os.fsencode(tmp_path / "root")
    run = Scan(root, b"", PLAIN, wanted, DISK)
    found = list(run)
    assert [file.path.rpartition(b"/")[2] for file in found] == [b"a\xff\xfe.jpg", b"empty.jpg", b"new\nline.jpg"]
    assert run.unreadable == []
    for seen in found:
        status = os.lstat(root + b"/" + seen.path)
        assert seen.stamp == Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
        assert look(root, seen.path, PLAIN, wanted) == seen
    assert look(root, b"pipe.jpg", PLAIN, wanted) is None
    assert look(root, b"link.jpg", PLAIN, wanted) is None


def test_on_disk_a_root_that_is_missing_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name in ("none", "file"):
        run = Scan(os.fsencode(tmp_path / name), b"", PLAIN, wanted)
        assert list(run) == []
        assert [path for path, _ in run.unreadable] == [b""]
