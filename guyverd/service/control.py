"""The local API: where the Unix socket is on which the daemon answers (`serving`), and the `Library` that asks it.

One request per connection, a line of JSON: `{"method": …, "params": {…}}`. The answer is lines of JSON: an object
`{"result": …}`, or `{"item": …}` for each row of a list and then `{"end": true}`, or `{"error": …}` at any point.
Only the user who runs the daemon, and root, are answered. A picture to be asked about may come along with the line as
an open file (SCM_RIGHTS).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from guyverd import private
from guyverd.errors import ControlError, DaemonSilent, GuyverError, StateError
from guyverd.service import handing
from guyverd.service.api import Row
from guyverd.service.lock import Holder
from guyverd.service.peers import peer_uid

_LONGEST_SOCKET_PATH = 100
_CONNECT = 5.0
_QUEUE = 30.0
"""Seconds a caller waits until there is room for one more."""
_ANSWER = 900.0
"""Seconds a caller waits for an answer: `check --repair` of a large library takes minutes."""


def _runtime_folders() -> Iterator[Path]:
    """Where a socket may lie, best first: what the supervisor made for us, the user's runtime folder, a private one."""
    if made := os.environ.get("RUNTIME_DIRECTORY"):
        yield Path(made.split(":")[0])
    if user := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(user) / "guyverd"
    yield Path(tempfile.gettempdir()) / f"guyverd-{os.getuid()}"


def socket_path(state: Path) -> Path:
    """Where the daemon of the library in `state` listens: a runtime folder, under a name made from `state`.

    Raises StateError where there is no folder that only this user can write and whose path a socket may have.
    """
    name = f"{hashlib.sha256(os.fsencode(state.absolute())).hexdigest()[:16]}.sock"
    for folder in _runtime_folders():
        with contextlib.suppress(OSError):
            private.make_folder(folder, 0o700)
            if _is_private(folder) and len(os.fsencode(folder / name)) <= _LONGEST_SOCKET_PATH:
                return folder / name
    raise StateError(path=tempfile.gettempdir(), detail="there is no folder for a socket that only you can write")


def _is_private(folder: Path) -> bool:
    """Whether it is a folder of ours, itself and no link to one, that nobody else can write or put another for."""
    status = folder.lstat()
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
    return ours and private.exposed_above(folder) is None


class RemoteLibrary:
    """The `Library` of a running daemon; every call is one connection."""

    def __init__(self, holder: Holder, patience: float = _ANSWER) -> None:
        """`patience`: seconds to wait for a line of an answer."""
        self._holder = holder
        self._patience = patience

    def status(self) -> Row:
        """See `Library.status`."""
        return self._one("status")

    def people(self, hidden: bool = False) -> Iterable[Row]:
        """See `Library.people`."""
        return self._many("people", hidden=hidden or None)

    def person(self, person: str) -> Row:
        """See `Library.person`."""
        return self._one("person", person=person)

    def faces(self, person: str | None = None) -> Iterable[Row]:
        """See `Library.faces`."""
        return self._many("faces", person=person)

    def name(self, person: str, name: str, dry: bool = False) -> Row:
        """See `Library.name`."""
        return self._one("name", person=person, name=name, dry=dry or None)

    def merge(self, person: str, other: str, dry: bool = False) -> Row:
        """See `Library.merge`."""
        return self._one("merge", person=person, other=other, dry=dry or None)

    def confirm(self, person: str, faces: Sequence[str] = (), dry: bool = False) -> Row:
        """See `Library.confirm`."""
        return self._one("confirm", person=person, faces=list(faces), dry=dry or None)

    def reject(self, person: str, faces: Sequence[str], dry: bool = False) -> Row:
        """See `Library.reject`."""
        return self._one("reject", person=person, faces=list(faces), dry=dry or None)

    def split(self, person: str, faces: Sequence[str], name: str | None = None, dry: bool = False) -> Row:
        """See `Library.split`."""
        return self._one("split", person=person, faces=list(faces), name=name, dry=dry or None)

    def hide(self, person: str, dry: bool = False) -> Row:
        """See `Library.hide`."""
        return self._one("hide", person=person, dry=dry or None)

    def unhide(self, person: str, dry: bool = False) -> Row:
        """See `Library.unhide`."""
        return self._one("unhide", person=person, dry=dry or None)

    def same(self, face: str, other: str, dry: bool = False) -> Row:
        """See `Library.same`."""
        return self._one("same", face=face, other=other, dry=dry or None)

    def different(self, face: str, other: str, people: bool = False, dry: bool = False) -> Row:
        """See `Library.different`."""
        return self._one("different", face=face, other=other, people=people, dry=dry or None)

    def undo(self, decision: int | None = None, dry: bool = False) -> Row:
        """See `Library.undo`."""
        return self._one("undo", decision=decision, dry=dry or None)

    def redo(self, decision: int | None = None, dry: bool = False) -> Row:
        """See `Library.redo`."""
        return self._one("redo", decision=decision, dry=dry or None)

    def recluster(self, apply: bool = False, strictness: float | None = None, stamp: str | None = None) -> Row:
        """See `Library.recluster`."""
        return self._one("recluster", apply=apply or None, strictness=strictness, stamp=stamp)

    def log(self, person: str | None = None, face: str | None = None) -> Iterable[Row]:
        """See `Library.log`."""
        return self._many("log", person=person, face=face)

    def review(self, limit: int = 20) -> Iterable[Row]:
        """See `Library.review`."""
        return self._many("review", limit=limit)

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
        """See `Library.answer`."""
        given = {"question": question, "answer": answer, "but": list(but), "decisions": list(decisions)}
        return self._one("answer", **given, name=name, person=person)

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
        """See `Library.box`."""
        given: dict[str, object] = {"path": path, "box": box, "person": person, "name": name, "dry": dry or None}
        return self._pictured("box", given, path, opened)

    def folders(self) -> Row:
        """See `Library.folders`."""
        return self._one("folders")

    def folders_resume(self, accept: bool = False, dry: bool = False) -> Row:
        """See `Library.folders_resume`."""
        return self._one("folders_resume", accept=accept or None, dry=dry or None)

    def folders_rebuild(self, dry: bool = False) -> Row:
        """See `Library.folders_rebuild`."""
        return self._one("folders_rebuild", dry=dry or None)

    def who(self, path: str, *, at: float | None = None, opened: int | None = None) -> Row:
        """See `Library.who`."""
        return self._pictured("who", {"path": path, "at": at}, path, opened)

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
        """See `Library.search`."""
        given: dict[str, object] = {"query": query, "k": k, "face": face, "since": since, "until": until}
        given |= {"within": within, "kind": kind, "least": least, "at": at, "every": every or None}
        given |= {"company": list(company) or None, "without": list(without) or None, "direct": direct or None}
        given |= {"duplicates": duplicates or None, "person": person or None}
        return self._asked("search", given) if person else self._pictured("search", given, query, opened)

    def together(
        self,
        people: Sequence[str],
        *,
        since: str | None = None,
        until: str | None = None,
        within: str | None = None,
        without: Sequence[str] = (),
        kind: str | None = None,
    ) -> Iterable[Row]:
        """See `Library.together`."""
        given = {"since": since, "until": until, "within": within, "kind": kind}
        return self._many("together", people=list(people), **given, without=list(without) or None)

    def timeline(self, person: str) -> Iterable[Row]:
        """See `Library.timeline`."""
        return self._many("timeline", person=person)

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
        """See `Library.follow`."""
        given: dict[str, object] = {"query": query, "name": name, "folder": folder, "face": face, "at": at}
        given |= {"person": person or None, "copy": copy or None, "clips": clips or None, "past": past or None}
        return self._asked("follow", given) if person else self._pictured("follow", given, query, opened)

    def follows(self) -> Iterable[Row]:
        """See `Library.follows`."""
        return self._many("follows")

    def unfollow(self, name: str) -> Row:
        """See `Library.unfollow`."""
        return self._one("unfollow", name=name)

    def album(
        self,
        people: Sequence[str],
        title: str | None = None,
        since: str | None = None,
        until: str | None = None,
        dry: bool = False,
    ) -> Row:
        """See `Library.album`."""
        given = {"people": list(people), "title": title, "since": since, "until": until}
        return self._one("album", **given, dry=dry or None)

    def albums(self) -> Iterable[Row]:
        """See `Library.albums`."""
        return self._many("albums")

    def album_rename(self, album: str, title: str, dry: bool = False) -> Row:
        """See `Library.album_rename`."""
        return self._one("album_rename", album=album, title=title, dry=dry or None)

    def album_remove(self, album: str, dry: bool = False) -> Row:
        """See `Library.album_remove`."""
        return self._one("album_remove", album=album, dry=dry or None)

    def failures(self) -> Iterable[Row]:
        """See `Library.failures`."""
        return self._many("failures")

    def journal(self) -> Iterable[Row]:
        """See `Library.journal`."""
        return self._many("journal")

    def accept(self, folder: str, dry: bool = False) -> Row:
        """See `Library.accept`."""
        return self._one("accept", folder=folder, dry=dry or None)

    def forget(self, apply: bool = False, stamp: str | None = None) -> Row:
        """See `Library.forget`."""
        return self._one("forget", apply=apply or None, stamp=stamp)

    def check(self, repair: bool = False) -> Row:
        """See `Library.check`."""
        return self._one("check", repair=repair)

    def scan(self, again: bool = False, every: bool = False) -> Row:
        """See `Library.scan`."""
        return self._one("scan", again=again or None, every=every or None)

    def progress(self) -> Row:
        """See `Library.progress`."""
        return self._one("progress")

    def _pictured(self, method: str, params: dict[str, object], path: str, opened: int | None) -> Row:
        """Hand the picture over, opened with the rights of whoever asks."""
        file = handing.opened(path) if opened is None else opened
        try:
            return self._asked(method, params, file)
        finally:
            if opened is None:
                os.close(file)

    def _one(self, method: str, **params: object) -> Row:
        return self._asked(method, params)

    def _asked(self, method: str, params: dict[str, object], picture: int | None = None) -> Row:
        for message in self._messages(method, params, picture):
            if "result" in message:
                result: Row = message["result"]
                return result
        raise DaemonSilent(pid=self._holder.pid)

    def _many(self, method: str, **params: object) -> Iterator[Row]:
        messages = self._messages(method, params)
        # The first line is read at once, so that an error is raised by the call and not somewhere in a loop.
        first = next(messages, None)
        if first is None:
            raise DaemonSilent(pid=self._holder.pid)
        return self._items(first, messages)

    def _items(self, first: Row, messages: Iterator[Row]) -> Iterator[Row]:
        message: Row | None = first
        while message is not None:
            if "end" in message:
                return
            yield message["item"]
            message = next(messages, None)
        raise DaemonSilent(pid=self._holder.pid)

    def _messages(self, method: str, params: dict[str, object], picture: int | None = None) -> Iterator[Row]:
        if self._holder.socket is None:
            raise DaemonSilent(pid=self._holder.pid)
        request = {"method": method, "params": {key: value for key, value in params.items() if value is not None}}
        line = json.dumps(request).encode("ascii") + b"\n"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                self._connect(connection, self._holder.socket)
                connection.settimeout(self._patience)
                # Who has heard enough may have answered, and gone, before everything is said.
                with contextlib.suppress(BrokenPipeError):
                    sent = 0 if picture is None else socket.send_fds(connection, [line], [picture])
                    connection.sendall(line[sent:])
                with connection.makefile("rb") as stream:
                    for answer in stream:
                        message = json.loads(answer)
                        if "error" in message:
                            raise GuyverError.from_wire(message["error"])
                        yield message
        except (OSError, ValueError) as problem:
            raise DaemonSilent(pid=self._holder.pid) from problem

    def _connect(self, connection: socket.socket, address: str) -> None:
        connection.settimeout(_CONNECT)
        deadline = time.monotonic() + _QUEUE
        while True:
            try:
                connection.connect(address)
                break
            except BlockingIOError:
                # Too many are waiting already.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        # What is asked and handed over is for our own daemon. (Root may ask anybody's.)
        if os.getuid() != 0 and (uid := peer_uid(connection)) not in (0, os.getuid()):
            raise ControlError(detail=f"what answers at {address} is run by user {uid}")
