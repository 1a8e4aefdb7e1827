"""State folders on disks that are full, read-only or lost: real ones, small, in a mount namespace of their own."""

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
import numpy as np
from guyverd.catalogue.store import Catalogue
from guyverd.errors import CatalogueError, StateError
from guyverd.model import Assignment, Changes, FaceId, PersonId, PhotoId
from tests.catalogue.conftest import NOW, ROOT, add, call, library, read, seen

mount_point = os.fsencode(sys.argv[1])
path = mount_point + b"/catalogue.db"

def mount(options, *more):
    subprocess.run(["mount", *more, "-o", options, "none", mount_point], check=True)

def new(size):
    mount("size=" + size, "-t", "tmpfs")

def opened():
    return Catalogue(path, clock=lambda: NOW)

def refused(call):
    try:
        call()
    except StateError as error:
        assert error.exit_code == 8 and error.advice and mount_point.decode() in error.message
        return error.message
    raise AssertionError("it was allowed")

def begun(catalogue):
    catalogue.files.configure([ROOT])
    faces = library(catalogue, catalogue.files.roots()[0], [2, 2, 2])
    catalogue.people.assign([Assignment(FaceId(one), None, one % 2, 0.9) for one in faces], [], 3, NOW)
    call(catalogue, 1, "Al")

def said(catalogue):
    shelves = catalogue.shelves.of_people(1)
    return catalogue.counts(), catalogue.people.all(), shelves, catalogue.decisions.log(), catalogue.files.known(1)

def sound(catalogue):
    return catalogue.integrity() == catalogue.contradictions() == []
"""


def in_namespace(tmp_path: Path, script: str) -> None:
    """Run a script where it may mount; its assertions are ours."""
    prefix = ["unshare", "-Urm"]
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    probe = subprocess.run([*prefix, "mount", "-t", "tmpfs", "none", str(tmp_path)], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine does not allow `unshare -Urm mount -t tmpfs`")
    done = subprocess.run(
        [*prefix, sys.executable, "-c", PREAMBLE + script, str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_a_disk_that_fills_up_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
new("2m")
with opened() as catalogue:
    begun(catalogue)
    root = catalogue.files.roots()[0].id
    told, before = 0, None
    for n in range(10_000):
        before = said(catalogue) if n % 20 == 0 else before
        batch = tuple(seen(b"%05d/%03d.jpg" % (n, one)) for one in range(50))
        try:
            catalogue.files.apply(root, Changes(new=batch), NOW)
        except StateError as error:
            assert "full" in error.message and "space" in error.advice, error.message
            break
        told += 1
    else:
        raise AssertionError("the disk never filled up")
    assert told > 5
    # What was told to be durable is there, the batch that failed is not, not even half.
    assert catalogue.counts().files == 3 + told * 50
    assert sound(catalogue)
    stand = said(catalogue)
    for call in (
        lambda: catalogue.files.apply(root, Changes(new=batch * 20), NOW),
        lambda: read(catalogue, 1, 400),
    ):
        assert "full" in refused(call)
    assert said(catalogue) == stand and catalogue.counts().faces == 6

    mount("remount,size=20m")
    catalogue.files.apply(root, Changes(new=batch), NOW)
    read(catalogue, 1, 400)
    assert catalogue.counts().files == 3 + (told + 1) * 50 and catalogue.counts().faces == 404
    assert sound(catalogue)
with opened() as catalogue:
    assert catalogue.counts().files == 3 + (told + 1) * 50
    assert [decision.name for decision in catalogue.decisions.log()] == ["Al"]
    assert sound(catalogue)
""",
    )


def test_a_disk_full_at_the_end_still_holds_everything_told(tmp_path: Path) -> None:
    """Closing would move the WAL into the file, for which there is no room."""
    in_namespace(
        tmp_path,
        """
new("1m")
catalogue = opened()
begun(catalogue)
stand = said(catalogue)
fill = os.open(mount_point + b"/fill", os.O_WRONLY | os.O_CREAT)
try:
    while os.write(fill, b"x" * 4096):
        pass
except OSError:
    os.close(fill)
assert os.statvfs(mount_point).f_bavail == 0
catalogue.close()
os.unlink(mount_point + b"/fill")
with opened() as catalogue:
    assert said(catalogue) == stand and sound(catalogue)
""",
    )


def test_a_disk_too_small_for_a_catalogue_is_said_at_the_start(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
new("40k")
assert "full" in refused(opened)
mount("remount,size=4m")
with opened() as catalogue:
    begun(catalogue)
    assert sound(catalogue)
""",
    )


def test_a_read_only_state_folder_is_said_and_left_as_it_is(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
new("4m")
mount("remount,ro")
refused(opened)
mount("remount,rw")
with opened() as catalogue:
    begun(catalogue)
    stand = said(catalogue)
before = open(path, "rb").read()
mount("remount,ro")
refused(opened)
assert open(path, "rb").read() == before
mount("remount,rw")
with opened() as catalogue:
    assert said(catalogue) == stand and sound(catalogue)
""",
    )


def test_a_catalogue_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
new("4m")
with opened() as catalogue:
    begun(catalogue)
    stand = said(catalogue)
before = open(path, "rb").read()
subprocess.run(["mount", "--bind", path, path], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
with opened() as catalogue:
    # It can be read; the first word to it is refused.
    assert said(catalogue) == stand
    assert "readonly" in refused(lambda: catalogue.files.configure([ROOT]))
    refused(catalogue.beat)
    assert said(catalogue) == stand
assert open(path, "rb").read() == before
subprocess.run(["umount", path], check=True)
with opened() as catalogue:
    assert said(catalogue) == stand and sound(catalogue)
""",
    )
