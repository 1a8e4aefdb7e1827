"""Disks that are full, read-only or forbidden: real ones, small, in a mount namespace of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.promise("disk")

PROJECT = Path(__file__).parents[2]

PREAMBLE = """
import os, sys, subprocess
from guyverd.errors import PeopleFolderError
from guyverd.folders.apply import PeopleTree
from guyverd.folders.marker import MARKER
from guyverd.folders.linking import Style
from guyverd.folders.plan import plan
from tests.folders.model import MemoryLedger, photo, shelf, tree_of

mount_point = os.fsencode(sys.argv[1])
root = mount_point + b"/People"
tree, ledger = PeopleTree(root), MemoryLedger()

def mount(options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", mount_point], check=True)

def apply(*shelves, style="relative"):
    changes = plan(shelves, ledger.published(), ledger.homes, style=Style(tree.real, "Unnamed", style))
    return changes, tree.apply(changes, ledger)

def photos(*numbers):
    return [photo(b"/nowhere/%d.jpg" % number) for number in numbers]

def links():
    return {path: what[3:] for path, what in tree_of(root).items() if what.startswith(b"-> ")}

def rows():
    return {path: row.target for path, row in ledger.rows.items()}

def refused(call):
    try:
        call()
    except PeopleFolderError as error:
        return error
    raise AssertionError("it was allowed")
"""


def in_namespace(tmp_path: Path, script: str, *prefix: str) -> None:
    """Run a script where it may mount; its assertions are ours."""
    prefix = prefix or ("unshare", "-Urm")
    if shutil.which(prefix[0]) is None:
        pytest.skip(f"{prefix[0]} is not installed")
    probe = ["mount", "-t", "tmpfs", "none", str(tmp_path)] if prefix[0] == "unshare" else ["true"]
    if subprocess.run([*prefix, *probe], capture_output=True, check=False).returncode:
        pytest.skip(f"this machine does not allow `{' '.join([*prefix, *probe[:3]])}`")
    done = subprocess.run(
        [*prefix, sys.executable, "-c", PREAMBLE + script, str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_disk_that_fills_up_ends_the_run_with_a_true_ledger(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
mount("size=1m,nr_inodes=30")
tree.prepare()
people = shelf(1, "Alice", *photos(*range(20))), shelf(2, "Bob", *photos(*range(20)))
changes, applied = apply(*people)
assert 10 < applied.made < 30, applied
assert [text for _, text in applied.problems] == ["no space left on device"], applied
assert links() == rows() and len(links()) == applied.made
assert not [name for name in os.listdir(root) if name.startswith(b".guyverd-tmp")]

subprocess.run(["mount", "-o", "remount,nr_inodes=1000", mount_point], check=True)
changes, applied = apply(*people)
assert applied.problems == (), applied
assert links() == rows() and len(links()) == 40
""",
    )


def test_a_full_disk_leaves_the_link_that_was_to_be_replaced(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
mount("size=1m,nr_inodes=30")
tree.prepare()
changes, applied = apply(shelf(1, "Alice", *photos(1, 2)))
before = links()
number = 0
while True:
    try:
        open(root + b"/fill%d" % number, "wb").close()
    except OSError:
        break
    number += 1
moved = [photo(b"/elsewhere/%d.jpg" % number) for number in (1, 2)]
changes, applied = apply(shelf(1, "Alice", *moved))
assert len(changes.make) == len(changes.remove) == 2
assert applied.made == 0 and len(applied.problems) == 1, applied
assert links() == rows() == before
error = refused(tree.prepare)
assert "full" in error.message and error.advice
os.unlink(root + b"/fill0")
changes, applied = apply(shelf(1, "Alice", *moved))
assert applied.made == 2 and links() == rows()
""",
    )


def test_no_room_for_the_marker(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
mount("size=4k,nr_inodes=30")
with open(mount_point + b"/fill", "wb") as file:
    file.write(b"x" * 4096)
error = refused(tree.prepare)
assert "full" in error.message, error.message
assert os.listdir(root) == []
""",
    )


def test_a_disk_that_becomes_read_only(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
mount("size=1m")
tree.prepare()
apply(shelf(1, "Alice", *photos(1, 2)), shelf(2, "Bob", *photos(1)))
before = links()
subprocess.run(["mount", "-o", "remount,ro", mount_point], check=True)
error = refused(tree.prepare)
assert "read-only" in error.message and error.advice
for people in ([shelf(1, "Alice", *photos(1, 3))], [shelf(1, "Carol", *photos(1, 2, 3))], []):
    changes, applied = apply(*people)
    assert (applied.made, applied.removed, applied.renamed) == (0, 0, 0)
    assert [text for _, text in applied.problems] == ["read-only file system"], applied
    assert links() == rows() == before
subprocess.run(["mount", "-o", "remount,rw", mount_point], check=True)
changes, applied = apply(shelf(1, "Carol", *photos(1, 2, 3)))
assert applied.problems == () and links() == rows() and len(links()) == 3
""",
    )


def test_an_unmounted_disk_is_not_an_empty_one(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
root = mount_point
tree = PeopleTree(root)
mount("size=1m")
tree.prepare()
apply(shelf(1, "Alice", *photos(1, 2)))
before = rows()
subprocess.run(["umount", mount_point], check=True)
refused(tree.check)
refused(lambda: apply())
refused(lambda: apply(shelf(1, "Bob", *photos(1, 2, 3))))
refused(lambda: tree.recover(ledger.published(), ledger))
refused(lambda: tree.prepare(expected=True))
assert rows() == before and os.listdir(mount_point) == []
""",
    )


def test_folders_we_may_not_write_to_are_problems_and_the_rest_goes_on(tmp_path: Path) -> None:
    # root may write everywhere, unless it gives up that capability
    caps = "-dac_override,-dac_read_search,-fowner"
    drop = ("setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}") if os.geteuid() == 0 else ("env",)
    in_namespace(
        tmp_path,
        """
tree.prepare()
people = [shelf(1, "Alice", *photos(1, 2)), shelf(2, "Bob", *photos(1, 2)), shelf(3, None, *photos(1))]
apply(*people)
before = rows()
os.chmod(root + b"/Alice", 0o555)
changes, applied = apply(shelf(1, "Alice", *photos(3)), shelf(2, "Bob", *photos(3)))
assert {path for path, _ in applied.problems} == {b"Alice"}, applied
assert {text for _, text in applied.problems} == {"permission denied"}
assert links() == rows()
assert sorted(rows()) == [b"Alice/undated_1.jpg", b"Alice/undated_2.jpg", b"Bob/undated_3.jpg"]
os.chmod(root + b"/Alice", 0o000)
assert {state for _, state in tree.verify(ledger.published())} == {"unreadable", "dangling"}
assert len(tree.recover(ledger.published(), ledger)) == 3
os.chmod(root + b"/Alice", 0o755)
os.chmod(root, 0o555)
assert "may not write" in refused(tree.prepare).message
changes, applied = apply(shelf(1, "Carol", *photos(1, 2)))
assert applied.problems and applied.renamed == 0, applied
assert links() == rows()
os.chmod(root, 0o755)
changes, applied = apply(*people)
assert applied.problems == (), applied
assert links() == rows() == before
""",
        *drop,
    )
