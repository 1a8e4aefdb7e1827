"""A library of three people in memory, with the shapes of `guyverd.service.api` and names chosen to do harm."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from guyverd.errors import (
    CannotDecide,
    CatalogueDamaged,
    FaceChoice,
    FollowTaken,
    NameTaken,
    NoFaceFound,
    NoSuchQuestion,
    UnknownFollow,
    UnknownPerson,
    WhomToFollow,
)
from guyverd.service.api import Library
from guyverd.service.metrics import Metrics

Row = dict[str, Any]

EVIL = "[bold]Eve[/bold] :smile: \x1b[31m\n\u202egnp.exe"
"""Markup, an emoji code, a colour, a line end and a bidi override."""
ODD = "/photos/caf\udce9.jpg"
"""A path that is not UTF-8, as os.fsdecode gives it."""

CLIP = "/photos/clip.mp4"

LONG = "/photos/" + "a very long folder name indeed/" * 6 + "IMG_0001.jpg"


def _face(face: int, person: int | None, files: list[str]) -> Row:
    return {
        "face": face,
        "person": person,
        "photo": face * 10,
        "files": files,
        "box": [10, 20, 110, 140],
        "confidence": 1.25,
        "quality": 0.75,
        "taken_at": "2024-05-01T12:00:00",
        "manual": face == 3,
        "start": None,
        "end": None,
        "at": None,
    }


def _picture(
    photo: int,
    files: list[str],
    taken_at: str | None,
    size: tuple[int, int],
    moments: list[list[float]] | None = None,
) -> Row:
    """A photo of a person, or with moments a video."""
    told = {"photo": photo, "files": files, "taken_at": taken_at, "width": size[0], "height": size[1]}
    video = moments is not None
    return {**told, "kind": "video" if video else "photo", "duration": 60.0 if video else None, "moments": moments}


def _found(
    file: str,
    photo: int,
    confidence: float,
    *,
    distance: float,
    margin: float | None,
    person: int,
    through: bool = True,
    start: float | None = None,
    end: float | None = None,
    duplicates: Sequence[str] = (),
) -> Row:
    """A photo that was found, or with a start and end a moment of a video."""
    alike = {"face": 9, "box": [10, 20, 110, 140], "distance": 0.25, "evidence": 6.0, "confidence": 0.99}
    return {
        "file": file,
        "files": [file],
        "photo": photo,
        "kind": "photo" if start is None else "video",
        "face": photo // 10,
        "box": [10, 20, 110, 140],
        "distance": distance,
        "evidence": 6.5,
        "margin": margin,
        "person": person,
        "name": "Alice" if person == 12 else EVIL,
        "through": through,
        "confidence": confidence,
        "taken_at": "2024-05-01T12:00:00",
        "start": start,
        "end": end,
        "at": None if start is None else start + 0.25,
        "duplicates": [
            {"file": one, "files": [one], "photo": 90, **alike, "taken_at": "2024-05-01T12:00:01"} for one in duplicates
        ],
    }


def decision_row(
    number: int | None,
    kind: str,
    person: Row | None = None,
    other: Row | None = None,
    faces: Sequence[int] = (),
    name: str | None = None,
) -> Row:
    """A row of the log in which every face belonged to person 12 before and to nobody after."""
    moves = [{"face": face, "was": 12, "now": None} for face in faces]
    return {
        "decision": number,
        "at": "2024-05-01T12:00:00+00:00",
        "kind": kind,
        "author": "user",
        "person": person,
        "other": other,
        "name": name,
        "faces": list(faces),
        "album": None,
        "undoes": None,
        "subject": None,
        "source": None,
        "moved": len(moves),
        "moves": moves,
    }


US: Row = {
    "title": "Us",
    "people": [{"id": 12, "name": "Alice"}, {"id": 31, "name": None}],
    "since": "2023",
    "until": None,
    "without": [7],
}
"""An album."""

ALICE: Row = {"id": 12, "name": "Alice", "faces": 1234}
PERSON_31: Row = {"id": 31, "name": None, "faces": 7}


def _question(
    question: str,
    kind: str,
    person: Row | None,
    *,
    others: Sequence[Row] = (),
    faces: Sequence[int] = (),
    shown: int = 0,
    beside: int = 0,
) -> Row:
    def pictures(count: int) -> list[Row]:
        sizes = {"width": 640, "height": 480, "at": None}
        return [
            {"face": at, "photo": at, "file": f"/photos/{at}.jpg", "box": [10, 20, 110, 140], **sizes}
            for at in range(1, count + 1)
        ]

    return {
        "question": question,
        "kind": kind,
        "person": person,
        "others": list(others),
        "faces": list(faces),
        "settles": 7,
        "likely": 0.9,
        "evidence": None if person is None else 2.5,
        "worth": 5.6,
        "because": None,
        "shown": pictures(shown),
        "beside": pictures(beside),
    }


class FakeLibrary:
    """Answers from lists; `calls` tells what was asked.

    `trouble` is raised by every method when set; `warning` is logged once by `progress`.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.trouble: BaseException | None = None
        self.handed: bytes | None = None
        """What was read from the open file that came with the last picture."""
        self.warning = ""
        self.everyone: list[Row] = [
            {"id": 12, "name": "Alice", "faces": 1234, "photos": 1000, "folder": "/people/Alice", "hidden": False},
            {"id": 3, "name": EVIL, "faces": 7, "photos": 6, "folder": "/people/Eve", "hidden": False},
            {"id": 31, "name": None, "faces": 1, "photos": 1, "folder": None, "hidden": False},
        ]
        self.every_face: list[Row] = [
            _face(1, 12, [LONG, "/photos/copy.jpg"]),
            _face(2, 3, [ODD]),
            _face(3, None, []),
        ]
        self.pictures: list[Row] = [
            _picture(10, [LONG], "2024-05-01T12:00:00", (4000, 3000)),
            _picture(20, [ODD], None, (640, 480)),
        ]
        self.decisions: list[Row] = [
            decision_row(1, "name", {"id": 3, "name": EVIL}, name=EVIL),
            decision_row(2, "reject", {"id": 12, "name": "Alice"}, None, [1]),
        ]
        self.said_already = False
        self.dry = False
        self.settled = False
        self.kept = 0
        self.answered: dict[str, str] = {}
        self.answers: Path | None = None
        self.refuses = ""
        self.questions: list[Row] = [
            _question("who-31", "who", {"id": 31, "name": None, "faces": 3}, faces=[1, 2, 3], shown=3, beside=3),
            _question("same-12-0d3f", "same", ALICE, others=[PERSON_31], faces=[5, 6], shown=6, beside=3),
            _question("one-12-77aa", "one", ALICE, faces=[8, 9, 10], shown=6, beside=3),
            _question("belong-12-11", "belong", ALICE, faces=[11], shown=6, beside=1),
            _question("who-f13", "who", None, faces=[13], shown=1),
        ]
        self.begun: Row = {
            **_question("belong-12-ab12cd", "belong", ALICE, faces=[21, 22, 23], shown=6, beside=3),
            "because": "you put party.jpg into Alice",
        }
        """A question about the people folder, to be put among the others."""
        self.faces_in_picture = 1
        self.found: list[Row] = [
            _found(LONG, 10, 0.9987, distance=0.2, margin=5.25, person=12, duplicates=["/photos/burst.jpg"]),
            _found(CLIP, 40, 0.98, distance=0.3, margin=None, person=12, start=12.25, end=19.5),
            _found(CLIP, 40, 0.9, distance=0.31, margin=3.0, person=12, start=3723.0, end=3723.5),
            _found(ODD, 20, 0.5, distance=0.9, margin=-0.5, person=3, through=False),
        ]
        """What a search finds: photos, and two moments of one video."""
        self.followed: list[Row] = [
            {
                "id": 1,
                "name": "Our kid",
                "shows": "/home/kid.jpg",
                "person": {"id": 12, "name": "Alice"},
                "folder": "/kid",
                "form": "link",
                "clips": False,
                "since": "2024-05-01T12:00:00+00:00",
                "delivered": 7,
                "waiting": 0,
                "problem": None,
            },
            {
                "id": 2,
                "name": EVIL,
                "shows": ODD,
                "person": None,
                "folder": "/usb/odd",
                "form": "copy",
                "clips": True,
                "since": "2024-05-02T12:00:00+00:00",
                "delivered": 0,
                "waiting": 3,
                "problem": "Nothing is put into /usb/odd: it is not there.",
            },
        ]
        """Saved searches."""
        self.months: list[Row] = [
            {"month": "2023-11", "photos": 3, "videos": 0},
            {"month": "2024-01", "photos": 40, "videos": 2},
            {"month": "2024-05", "photos": 1, "videos": 1},
            {"month": None, "photos": 2, "videos": 0},
        ]
        self.in_one_photo = 0
        self.in_album = 4
        self.changes: list[str] = []
        self.saved = [US]
        self.damaged: CatalogueDamaged | None = None
        """What every check meets until it is repaired."""
        self.checks: list[Row] = [
            {"name": "index", "ok": True, "detail": "3 faces", "repaired": False},
            {"name": "links", "ok": True, "detail": "2 links", "repaired": False},
        ]
        self.findings: list[Row] = [
            {"name": "config", "verdict": "ok", "detail": f"{ODD} is right", "cure": ""},
            {"name": "clock", "verdict": "unknown", "detail": "nobody knows", "cure": ""},
            {"name": "daemon", "verdict": "warning", "detail": "no daemon runs", "cure": "guyverd run"},
        ]
        """What the doctor finds."""
        self.passes: list[Row] = [
            self._progress("scanning", total=0, done=0),
            self._progress("reading", total=40, done=10),
            self._progress("grouping", total=40, done=40),
            self._progress("idle", total=40, done=40),
        ]

    @staticmethod
    def _progress(phase: str, *, total: int, done: int) -> Row:
        busy = phase != "idle"
        return {
            "busy": busy,
            "phase": phase,
            "files_found": 42,
            "photos_total": total,
            "photos_done": done,
            "videos_total": 0,
            "videos_done": 0,
            "films": [],
            "faces": done * 2,
            "failures": 1 if done else 0,
            "rate": 12.5 if done else 0.0,
            "eta": 75.0 if done and busy else None,
            "quiet_until": None,
        }

    def _asked(self, *call: object, dry: bool = False) -> None:
        self.calls.append((*call, "dry") if dry else call)
        self.dry = dry
        if self.trouble is not None:
            raise self.trouble

    def bundle(self, path: Path, target: Path) -> Row:
        """What stands behind `guyverd bundle`; no part of the Library."""
        self.calls.append(("bundle", path, target))
        contents = [{"name": "doctor.json", "size": 1234, "about": "what was found"}]
        return {"file": str(target), "size": 567, "contents": contents}

    def examine(self, path: Path) -> Iterator[Row]:
        """What stands behind `guyverd doctor`; no part of the Library."""
        self.calls.append(("examine", path))
        return iter(self.findings)

    def status(self) -> Row:
        self._asked("status")
        return {
            "version": "0.1.0",
            "daemon": {"pid": 4711, "since": "2024-05-01T12:00:00", "running": True},
            "photos_found": 41,
            "state": "/state",
            "people_folder": "/people",
            "backlog": {"files": 2, "photos": 30, "videos": 0, "faces": 0},
            "films": [],
            "rate": 12.5,
            "eta": 75.0,
            "workers": {"count": 4, "running": True, "gentle": True, "memory": 480_000_000, "seconds": 12.5},
            "roots": [
                {
                    "path": "/photos\n",
                    "state": "online",
                    "watched": "events",
                    "folders_watched": 7,
                    "folders_polled": 0,
                    "detail": "",
                    "files": 42,
                    "last_full_scan": "2024-05-01T12:00:00",
                },
                {
                    "path": "/mnt/nas",
                    "state": "offline",
                    "watched": "offline",
                    "folders_watched": 0,
                    "folders_polled": 0,
                    "detail": "the folder is not there",
                    "files": 5,
                    "last_full_scan": None,
                },
            ],
            "counts": {"files": 47, "photos": 41, "videos": 0, "faces": 1242, "people": 3, "named": 2, "failures": 1},
            "sizes": {"catalogue": 1_234_567, "index": 890},
            "versions": {"python": "3.11.7", "dlib": "20.0.0"},
            "backup": {
                "every": 86400.0,
                "folder": "/state/backups",
                "last": {
                    "file": "/state/backups/guyverd-1.tar.gz",
                    "at": "2024-05-01T12:00:00+00:00",
                    "size": 1_000_000,
                },
                "problem": None,
            },
            "notices": ["5 photos would be forgotten: paused"],
            "metrics": Metrics().values(),
        }

    def people(self, hidden: bool = False) -> Iterator[Row]:
        self._asked("people", hidden)
        yield from (row for row in self.everyone if row["hidden"] == hidden)

    def _find(self, person: str) -> Row:
        for row in self.everyone:
            if person in (str(row["id"]), row["name"]):
                return row
        raise UnknownPerson(person=person)

    def person(self, person: str) -> Row:
        self._asked("person", person)
        return {**self._find(person), "pictures": self.pictures}

    def faces(self, person: str | None = None) -> Iterable[Row]:
        self._asked("faces", person)
        wanted = None if person is None else self._find(person)["id"]
        return [row for row in self.every_face if wanted is None or row["person"] == wanted]

    def name(self, person: str, name: str, dry: bool = False) -> Row:
        self._asked("name", person, name, dry=dry)
        found = self._find(person)
        for other in self.everyone:
            if other["name"] == name and other is not found:
                raise NameTaken(name=name, person=other["id"], other=found["id"])
        decision = None if found["name"] == name else 41
        told = {"id": found["id"], "name": name, "previous": found["name"], "folder": f"/people/{name}"}
        return {**told, "decision": decision, "dry_run": dry}

    def merge(self, person: str, other: str, dry: bool = False) -> Row:
        self._asked("merge", person, other, dry=dry)
        kept, gone = self._find(person), self._find(other)
        return {
            "id": kept["id"],
            "name": kept["name"],
            "faces": kept["faces"] + gone["faces"],
            "photos": kept["photos"] + gone["photos"],
            "folder": kept["folder"],
            "hidden": kept["hidden"],
            "absorbed": gone["id"],
            "left_out": self.in_one_photo,
            "decision": 41,
            "dry_run": dry,
        }

    def _decided(
        self, kind: str, person: Row | None = None, other: Row | None = None, faces: Iterable[str] = ()
    ) -> Row:
        named = [None if one is None else {"id": one["id"], "name": one["name"]} for one in (person, other)]
        if self.said_already:
            nothing = dict.fromkeys(
                ("decision", "at", "author", "person", "other", "name", "album", "undoes", "subject")
            )
            return {**decision_row(None, kind), **nothing, "kept": 0, "dry_run": self.dry}
        row = decision_row(41, kind, named[0], named[1], [int(face) for face in faces if face.isdigit()])
        return {**row, "kept": self.kept, "dry_run": self.dry}

    def confirm(self, person: str, faces: Sequence[str] = (), dry: bool = False) -> Row:
        self._asked("confirm", person, *faces, dry=dry)
        return self._decided("confirm", self._find(person), None, faces or ["1", "2"])

    def reject(self, person: str, faces: Sequence[str], dry: bool = False) -> Row:
        self._asked("reject", person, *faces, dry=dry)
        return self._decided("reject", self._find(person), None, faces)

    def split(self, person: str, faces: Sequence[str], name: str | None = None, dry: bool = False) -> Row:
        self._asked("split", person, *faces, *([name] if name else []), dry=dry)
        return self._decided("split", self._find(person), {"id": 32, "name": name}, faces)

    def hide(self, person: str, dry: bool = False) -> Row:
        self._asked("hide", person, dry=dry)
        return self._decided("hide", self._find(person))

    def unhide(self, person: str, dry: bool = False) -> Row:
        self._asked("unhide", person, dry=dry)
        return self._decided("unhide", self._find(person))

    def same(self, face: str, other: str, dry: bool = False) -> Row:
        self._asked("same", face, other, dry=dry)
        return self._decided("same", self.everyone[0], None, [face, other])

    def different(self, face: str, other: str, people: bool = False, dry: bool = False) -> Row:
        self._asked("different", face, other, people, dry=dry)
        if people:
            return self._decided("different", self._find(face), self._find(other))
        return self._decided("different", self.everyone[0], None, [face, other])

    def undo(self, decision: int | None = None, dry: bool = False) -> Row:
        self._asked("undo", decision, dry=dry)
        return self._taken_back(again=False)

    def redo(self, decision: int | None = None, dry: bool = False) -> Row:
        self._asked("redo", decision, dry=dry)
        return self._taken_back(again=True)

    def _taken_back(self, *, again: bool) -> Row:
        about = decision_row(40, "reject", {"id": 12, "name": "Alice"}, None, [1])
        keys = ("decision", "kind", "person", "other", "name", "faces", "album")
        row = {**self._decided("undo"), "undoes": 40}
        return {**row, "subject": {**{key: about[key] for key in keys}, "again": again}}

    def log(self, person: str | None = None, face: str | None = None) -> Iterator[Row]:
        self._asked("log", person, face)
        for row in self.decisions:
            told = {key: row[key] for key in row if key not in ("moved", "moves")}
            yield {**told, "undone_by": None, "moved": row["moved"], "moves": row["moves"]}

    def recluster(self, apply: bool = False, strictness: float | None = None, stamp: str | None = None) -> Row:
        self._asked("recluster", apply, strictness, stamp)
        moves = [
            {"face": 1, "files": [LONG], "was": {"id": 12, "name": "Alice"}, "now": None, "group": 1},
            {"face": 2, "files": [ODD], "was": None, "now": {"id": 3, "name": EVIL}, "group": None},
            {"face": 3, "files": [], "was": {"id": 31, "name": None}, "now": None, "group": None},
        ]
        if apply:
            moves[0]["now"] = {"id": 32, "name": None}
        return {
            "stamp": "0a1b2c3d4e",
            "strictness": 0.0 if strictness is None else strictness,
            "faces": 1242,
            "people": 3,
            "moved": 0 if self.settled else len(moves),
            "appearing": [] if self.settled else [{"group": 1, "id": 32 if apply else None, "faces": 2}],
            "vanishing": [] if self.settled else [{"id": 31, "faces": 1}],
            "decision": 42 if apply and not self.settled else None,
            "moves": [] if self.settled else moves,
        }

    def _numbered(self, path: str) -> list[Row]:
        if not self.faces_in_picture:
            raise NoFaceFound(path=path, smallest="5 %")
        return [
            {"number": number, "box": [100 * number, 20, 100 * number + 80, 110], "confidence": 1.5, "quality": 0.9}
            for number in range(1, self.faces_in_picture + 1)
        ]

    def review(self, limit: int = 20) -> Iterable[Row]:
        self._asked("review", limit)
        return [row for row in self.questions if row["question"] not in self.answered][:limit]

    def answer(
        self,
        question: str,
        answer: str,
        but: Sequence[int] = (),
        *,
        name: str | None = None,
        person: str | None = None,
        decisions: Sequence[int] = (),
    ) -> Row:
        self._asked("answer", question, answer, list(but), name, person, list(decisions))
        if self.answers is not None:
            with self.answers.open("a") as file:
                file.write(json.dumps([question, answer, list(but), name, person, list(decisions)]) + "\n")
        if question == self.refuses:
            raise CannotDecide(detail="it was refused", hint="Try another.")
        if answer == "undo":
            self.answered.pop(question)
            return {"question": question, "answer": answer, "decisions": [], "moved": 0}
        if question not in {row["question"] for row in self.questions}:
            raise NoSuchQuestion(question=question)
        for other in self.everyone:
            if name is not None and other["name"] == name:
                raise NameTaken(name=name, person=other["id"], other=31)
        self.answered[question] = answer
        made = [] if answer == "skip" else [100 + len(self.answered)]
        return {"question": question, "answer": answer, "decisions": made, "moved": 7 * len(made)}

    def box(
        self,
        path: str,
        box: list[int],
        person: str | None = None,
        name: str | None = None,
        dry: bool = False,
        *,
        opened: int | None = None,
    ) -> Row:
        self._picture(opened)
        self._asked("box", path, box, person, name, dry=dry)
        who = None if person is None else self._find(person)
        if name is not None:
            who = {"id": 40, "name": name, "folder": f"/people/{name}"}
        return {
            "face": 77,
            "photo": 10,
            "box": box,
            "quality": 0.5,
            "person": None if who is None else who["id"],
            "name": None if who is None else who["name"],
            "folder": None if who is None else who["folder"],
            "decision": 41,
            "dry_run": dry,
        }

    def album(
        self,
        people: Sequence[str],
        title: str | None = None,
        since: str | None = None,
        until: str | None = None,
        dry: bool = False,
    ) -> Row:
        self._asked("album", list(people), title, since, until, dry)
        return self._album_told(None, {**US, "title": title or US["title"], "since": since, "until": until}, dry)

    def folders(self) -> Row:
        self._asked("folders")
        return {
            "path": "/people",
            "state": "paused" if self.changes else "kept",
            "detail": "all 3 links are missing" if self.changes else "",
            "watched": "events",
            "layout": "person",
            "links": "relative",
            "folders": {"named": 2, "unnamed": 1, "albums": 0},
            "count": 3,
            "placed": 1,
            "own": 1,
            "waiting": 0,
            "asked": 1,
            "changes": list(self.changes),
            "more_changes": 0,
        }

    def folders_resume(self, accept: bool = False, dry: bool = False) -> Row:
        self._asked("folders_resume", accept, dry)
        return {"accepted": accept, "acts": list(self.changes), "more_acts": 0, "dry_run": dry}

    def folders_rebuild(self, dry: bool = False) -> Row:
        self._asked("folders_rebuild", dry)
        return {"made": 2, "removed": 1, "renamed": 0, "problems": ["Alice: it is read-only"], "dry_run": dry}

    def albums(self) -> Iterator[Row]:
        self._asked("albums")
        for row in self.saved:
            told = {"photos": self.in_album, "left_out": 1, "folder": "/people/Us" if self.in_album else None}
            yield {"id": 5, **{key: row[key] for key in ("title", "people", "since", "until")}, **told}

    def album_rename(self, album: str, title: str, dry: bool = False) -> Row:
        self._asked("album_rename", album, title, dry)
        return self._album_told(US, {**US, "title": title}, dry)

    def album_remove(self, album: str, dry: bool = False) -> Row:
        self._asked("album_remove", album, dry)
        return self._album_told(US, None, dry)

    def _album_told(self, before: Row | None, now: Row | None, dry: bool) -> Row:
        row = self._decided("album")
        if row["decision"] is not None:
            row["album"] = {"id": 5, "before": before, "now": now}
        folder = None if now is None or not self.in_album else f"/people/{now['title']}"
        row |= {"source": None, "dry_run": dry, "photos": 0 if now is None else self.in_album, "folder": folder}
        first = ("decision", "at", "kind", "author", "person", "other", "name", "faces", "album", "undoes", "subject")
        last = ("source", "moved", "moves", "kept", "dry_run", "photos", "folder")
        return {key: row[key] for key in (*first, *last)}

    def follow(
        self,
        query: str,
        name: str,
        folder: str,
        face: int | None = None,
        *,
        at: float | None = None,
        person: bool = False,
        copy: bool = False,
        clips: bool = False,
        past: bool = False,
        opened: int | None = None,
    ) -> Row:
        self._picture(opened)
        given: Row = {"at": at, "person": person, "copy": copy, "clips": clips, "past": past}
        told = {key: value for key, value in given.items() if value}
        self._asked("follow", query, name, folder, face, told)
        if name == "Our kid":
            raise FollowTaken(follow=name)
        who = self._find(query) if person else None
        if not person and face is None and self.faces_in_picture > 1:
            raise WhomToFollow(path=query, count=self.faces_in_picture)
        row = {**self.followed[0], "id": 3, "name": name, "shows": query, "folder": folder, "clips": clips}
        row |= {"person": None if who is None else {"id": who["id"], "name": who["name"]}}
        return {**row, "form": "copy" if copy else "link", "delivered": 2 if past else 0, "waiting": 0}

    def follows(self) -> Iterator[Row]:
        self._asked("follows")
        yield from self.followed

    def unfollow(self, name: str) -> Row:
        self._asked("unfollow", name)
        for row in self.followed:
            if name in (row["name"], str(row["id"])):
                return row
        raise UnknownFollow(follow=repr(name))

    def _picture(self, opened: int | None) -> None:
        self.handed = None if opened is None else os.pread(opened, 1 << 20, 0)

    def who(self, path: str, *, at: float | None = None, opened: int | None = None) -> Row:
        self._picture(opened)
        self._asked("who", path, *([] if at is None else [at]))
        known = {
            "person": {"id": 12, "name": "Alice"},
            "evidence": 7.35,
            "distance": 0.1234,
            "runner_up": {"id": 31, "name": None, "evidence": -1.5, "distance": 0.5},
        }
        unknown = {"person": None, "evidence": None, "distance": None, "runner_up": None}
        faces = [{**face, **(known if face["number"] == 1 else unknown)} for face in self._numbered(path)]
        return {"path": path, "width": 640, "height": 480, "enough": 3.9, "faces": faces}

    def search(
        self,
        query: str,
        k: int = 20,
        face: int | None = None,
        *,
        every: bool = False,
        since: str | None = None,
        until: str | None = None,
        within: str | None = None,
        company: Sequence[str] = (),
        without: Sequence[str] = (),
        kind: str | None = None,
        least: float | None = None,
        duplicates: bool = False,
        direct: bool = False,
        at: float | None = None,
        person: bool = False,
        opened: int | None = None,
    ) -> Row:
        self._picture(opened)
        given: Row = {"every": every, "since": since, "until": until, "within": within, "company": list(company)}
        given |= {"without": list(without), "kind": kind, "least": least, "duplicates": duplicates}
        given |= {"direct": direct, "at": at, "person": person}
        told = {key: value for key, value in given.items() if value is not None and value is not False and value != []}
        self._asked("search", query, k, face, told)
        who = self._find(query) if person else None
        faces = [] if person else self._numbered(query)
        if face is not None and face > len(faces):
            raise FaceChoice(path=query, count=len(faces), face=face)
        chosen = face or (1 if len(faces) == 1 else None)
        found = [row for row in self.found if kind in (None, row["kind"])] if person or chosen else []
        alice = {"id": 12, "name": "Alice", "confidence": 0.9987}
        return {
            "path": None if person else query,
            "at": at,
            "person": None if who is None else {"id": who["id"], "name": who["name"]},
            "width": None if person else 640,
            "height": None if person else 480,
            "faces": faces,
            "face": chosen,
            "through": alice if found and not direct else None,
            "total": len(found),
            "results": found if every else found[:k],
        }

    def together(
        self,
        people: Sequence[str],
        *,
        since: str | None = None,
        until: str | None = None,
        within: str | None = None,
        without: Sequence[str] = (),
        kind: str | None = None,
    ) -> Iterator[Row]:
        self._asked("together", list(people), since, until, within, list(without), kind)
        shown = [self._find(person) for person in people]
        keys = ("file", "files", "photo", "kind", "taken_at", "start", "end")
        for row in self.found if len(shown) < 3 else []:
            if kind in (None, row["kind"]):
                both = [{"id": one["id"], "name": one["name"], "face": 1 + at} for at, one in enumerate(shown)]
                yield {**{key: row[key] for key in keys}, "people": both}

    def timeline(self, person: str) -> Iterator[Row]:
        self._asked("timeline", person)
        self._find(person)
        yield from self.months

    def accept(self, folder: str, dry: bool = False) -> Row:
        self._asked("accept", folder, dry)
        if folder == "/photos":
            raise CannotDecide(detail="/photos is there, and is what it was", hint="Nothing is to be done.")
        return {"path": folder, "detail": "the folder is not there", "known": 5, "dry_run": dry}

    def forget(self, apply: bool = False, stamp: str | None = None) -> Row:
        self._asked("forget", apply, stamp)
        if apply and stamp != "65a1b2c3-0d4e5f6a7b":
            raise CannotDecide(detail="what would be forgotten is not what was shown any more", hint="Look again.")
        return {
            "stamp": "65a1b2c3-0d4e5f6a7b",
            "photos": 0 if self.settled else 1200,
            "total": 4000,
            "replaced": 2,
            "files": 1198,
            "faces": 2300,
            "spoken_of": 7,
            "in_grace": 1,
            "folders": [{"root": "/photos", "folder": "caf\udce9\u202e", "files": 1198, "since": "2024-05-01"}],
            "more_folders": 3,
            "people": [
                {"id": 12, "name": "Alice", "photos": 900, "left": 100},
                {"id": 3, "name": EVIL, "photos": 6, "left": 0},
            ],
            "nameless": 4,
            "forgotten": apply,
        }

    def failures(self) -> Iterable[Row]:
        self._asked("failures")
        yield {
            "file": ODD,
            "reason": "truncated",
            "state": "failed",
            "attempts": 1,
            "at": "2024-05-01T12:00:00",
        }

    def journal(self) -> Iterable[Row]:
        self._asked("journal")
        yield {
            "at": "2024-05-01T12:00:00.000+00:00",
            "level": "warning",
            "from": "guyverd.fake",
            "message": f"{ODD}: truncated",
            "template": "%s: %s",
            "arguments": [ODD, "truncated"],
            "file": ODD,
        }

    def backup_(self, config: object, to: Path | None) -> Row:
        self._asked("backup", to)
        return {**BACKUP, **({} if to is None else {"file": str(to)})}

    def backups_(self, config: object) -> Iterator[Row]:
        self._asked("backups")
        yield BACKUP

    def restore_(self, config: object, file: Path, *, check: bool) -> Row:
        self._asked("restore", file, check)
        aside = None if check else "/state/replaced-20240501T120000Z"
        told = {"restored": not check, "upgraded": False, "aside": aside, "other": False}
        return {**BACKUP, "file": str(file), **told}

    def repair_(self, config: object, problem: CatalogueDamaged) -> Row:
        self._asked("repair", problem.message)
        self.damaged = None
        return {"how": "restored", "detail": f"restored from {BACKUP['file']}", "aside": "/state/replaced"}

    def check(self, repair: bool = False) -> Row:
        self._asked("check", repair)
        if self.damaged is not None:
            raise self.damaged
        return {"checks": self.checks}

    def scan(self, again: bool = False, every: bool = False) -> Row:
        self._asked("scan", *(["again"] * again), *(["every"] * every))
        return self.passes.pop(0)

    def progress(self) -> Row:
        self._asked("progress")
        if self.warning:
            logging.getLogger("guyverd.fake").warning("%s: damaged", self.warning)
            self.warning = ""
        return self.passes.pop(0)


BACKUP: Row = {
    "file": "/state/backups/guyverd-20240501T120000Z.tar.gz",
    "at": "2024-05-01T12:00:00+00:00",
    "size": 1_000_000,
    "guyverd": "0.1.0",
    "photos": 41,
    "faces": 1242,
    "people": 3,
    "named": 2,
    "decisions": 7,
}

_: Library = FakeLibrary()
"""mypy compares the fake with the Protocol here."""
