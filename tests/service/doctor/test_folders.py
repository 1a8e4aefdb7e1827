"""Verdicts on the folders: figures in, a verdict and a cure out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guyverd.errors import PeopleFolderError
from guyverd.service.doctor import folders
from guyverd.service.doctor.finding import Finding

pytestmark = pytest.mark.promise("report")


def told(finding: Finding) -> tuple[str, str, str]:
    row = finding.told()
    return row["verdict"], row["detail"], row["cure"]


@pytest.mark.parametrize(
    ("exists", "problem", "exposed", "verdict"),
    [
        (True, "", None, "ok"),
        (False, "", None, "ok"),
        (True, "Read-only file system", None, "fault"),
        (False, "/srv cannot be written", None, "fault"),
        (True, "", ("everybody may write it", "chmod go-w /s"), "fault"),
    ],
)
def test_the_state_folder(exists: bool, problem: str, exposed: tuple[str, str] | None, verdict: str) -> None:
    row = told(folders.state_folder(Path("/s"), exists=exists, problem=problem, exposed=exposed))
    assert row[0] == verdict
    assert bool(row[2]) is (verdict != "ok")
    if exposed:
        assert row[2] == "chmod go-w /s"


PEOPLE = folders.People(
    path=Path("/People"),
    published=5,
    there=True,
    problem=None,
    writable=True,
    read_only=False,
    links="relative",
    kind="ext4",
    other_disk=False,
    paused=False,
)


@pytest.mark.parametrize(
    ("changes", "verdict", "cure"),
    [
        ({}, "ok", ""),
        ({"there": False, "published": 0, "writable": False}, "ok", ""),
        ({"there": False, "published": None, "writable": False}, "ok", ""),
        (
            {"problem": PeopleFolderError(path="/People", detail="its marker is missing", hint="Mount it.")},
            "fault",
            "Mount",
        ),
        ({"writable": False}, "fault", "ls -ld"),
        ({"read_only": True}, "fault", "findmnt"),
        ({"kind": "exfat"}, "fault", "links: copy"),
        ({"kind": "exfat", "links": "copy"}, "ok", ""),
        ({"kind": "cifs", "links": "hard"}, "fault", "links: copy"),
        ({"links": "hard", "other_disk": True}, "fault", "links: relative"),
        ({"other_disk": True}, "ok", ""),
        ({"paused": True}, "warning", "guyverd folders resume"),
    ],
)
def test_the_people_folder(changes: dict[str, Any], verdict: str, cure: str) -> None:
    row = told(folders.people_folder(replace(PEOPLE, **changes)))
    assert row[0] == verdict
    assert cure in row[2]


ROOT = folders.Root(
    number=1,
    path=Path("/photos"),
    there=True,
    state="online",
    detail="",
    pictures=12000,
    videos=0,
    folders=40,
    unreadable=0,
    first=None,
    counted_all=True,
    kind="",
    watched="events",
    scanned=100.0,
)


@pytest.mark.parametrize(
    ("changes", "verdict", "part", "cure"),
    [
        ({}, "ok", "12,000 pictures, compared in full 1.7 min ago", ""),
        ({"videos": 1400}, "ok", "12,000 pictures and 1,400 videos, compared in full 1.7 min ago", ""),
        ({"videos": 1}, "ok", "12,000 pictures and 1 video, compared", ""),
        ({"counted_all": False}, "ok", "at least 12,000", ""),
        ({"kind": "nfs4"}, "ok", "nfs4 sends no events, so it is polled", ""),
        ({"watched": "polled", "detail": "no watch left"}, "ok", "not watched by events: no watch left", ""),
        ({"watched": "partly", "detail": "3 are not"}, "ok", "partly watched by events: 3 are not", ""),
        ({"there": False}, "fault", "is not there", "Mount its disk"),
        ({"state": "offline", "detail": "another folder"}, "fault", "another folder", "Mount its disk"),
        (
            {"unreadable": 3, "first": (Path("/photos/a b"), "Permission denied")},
            "warning",
            "3 places",
            "'/photos/a b'",
        ),
        ({"scanned": None}, "warning", "never compared", "guyverd scan"),
        ({"scanned": 13 * 3600.0}, "warning", "13.0 h ago, and should be every 6.0 h", "guyverd scan"),
    ],
)
def test_a_photo_folder(changes: dict[str, Any], verdict: str, part: str, cure: str) -> None:
    finding = folders.root(replace(ROOT, **changes), 6 * 3600.0)
    row = told(finding)
    assert finding.check == "photo folder 1"
    assert row[0] == verdict
    assert part in row[1]
    assert cure in row[2]


def test_saved_searches() -> None:
    assert told(folders.saved_searches(0, 0, 0)) == ("ok", "nobody is followed", "")
    assert told(folders.saved_searches(2, 7, 0)) == ("ok", "2 are followed, 7 files wait", "")
    row = told(folders.saved_searches(2, 1200, 1))
    assert row[0] == "warning"
    assert "1,200 files wait" in row[1]
    assert row[2].startswith("guyverd follows")
