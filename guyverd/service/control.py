"""The local API: a Unix socket on which the daemon answers, and the `Library` that asks it.

One request per connection, a line of JSON: `{"method": …, "params": {…}}`. The answer is lines of JSON: an object
`{"result": …}`, or `{"item": …}` for each row of a list and then `{"end": true}`, or `{"error": …}` at any point.
Only the user who runs the daemon, and root, are answered.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedRWPair
from pathlib import Path
from typing import Any

from guyverd.errors import BadRequest, ControlError, DaemonSilent, GuyverError, StateError
from guyverd.service.api import LISTS, METHODS, Library, Row
from guyverd.service.lock import Holder
from guyverd.service.metrics import Metrics

log = logging.getLogger(__name__)
Stream = BufferedRWPair

_LONGEST_REQUEST = 1 << 20
_LONGEST_SOCKET_PATH = 100
_CONNECT = 5.0
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
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
            ours = status.st_uid == os.getuid() and not status.st_mode & 0o022
            if ours and len(os.fsencode(folder / name)) <= _LONGEST_SOCKET_PATH:
                return folder / name
    raise StateError(path=tempfile.gettempdir(), detail="there is no folder for a socket that only you can write")


class Server:
    """Answers requests, each in a thread of its own, until it is closed."""

    def __init__(self, library: Library, path: Path, metrics: Metrics | None = None) -> None:
        self.path = path
        self._library = library
        self._metrics = metrics or Metrics()
        with contextlib.suppress(FileNotFoundError):
            # We hold the library's lock, so a socket that is there is a dead one's.
            path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            before = os.umask(0o177)
            try:
                self._socket.bind(os.fspath(path))
            finally:
                os.umask(before)
            self._socket.listen(16)
        except OSError as problem:
            self._socket.close()
            raise StateError(path=path, detail=problem.strerror or str(problem)) from problem
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; requests in hand are finished or dropped with the process."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(timeout=5)
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), name="request", daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_CONNECT)
            if _peer_uid(connection) not in (0, os.getuid()):
                return
            with connection.makefile("rwb") as stream:
                self._converse(connection, stream)

    def _converse(self, connection: socket.socket, stream: Stream) -> None:
        method = "unknown"
        try:
            method, params = _request(stream.readline(_LONGEST_REQUEST))
            connection.settimeout(_ANSWER)
            with self._metrics.timing("request", method):
                self._reply(stream, method, params)
        except GuyverError as problem:
            self._metrics.count("request_failures", label=method)
            _send(stream, {"error": problem.to_wire()})
        except OSError:
            raise
        except Exception as problem:
            self._metrics.count("request_failures", label=method)
            log.exception("The request %s failed", method)
            _send(stream, {"error": ControlError(detail=f"{type(problem).__name__}: {problem}").to_wire()})

    def _reply(self, stream: Stream, method: str, params: dict[str, Any]) -> None:
        result = getattr(self._library, method)(**params)
        if method in LISTS:
            for item in result:
                _send(stream, {"item": item})
            _send(stream, {"end": True})
        else:
            _send(stream, {"result": result})


def _request(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        request = json.loads(line)
        method, params = request["method"], request.get("params", {})
        if method not in METHODS or not isinstance(params, dict):
            raise BadRequest(detail=f"{method!r} is no request")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise BadRequest(detail=str(problem)) from None
    return method, params


def _send(stream: Stream, message: Row) -> None:
    stream.write(json.dumps(message).encode("ascii") + b"\n")


def _peer_uid(connection: socket.socket) -> int:
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


class RemoteLibrary:
    """The `Library` of a running daemon; every call is one connection."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder

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
        self, path: str, box: list[int], person: str | None = None, name: str | None = None, dry: bool = False
    ) -> Row:
        """See `Library.box`."""
        return self._one("box", path=path, box=box, person=person, name=name, dry=dry or None)

    def folders(self) -> Row:
        """See `Library.folders`."""
        return self._one("folders")

    def folders_resume(self, accept: bool = False, dry: bool = False) -> Row:
        """See `Library.folders_resume`."""
        return self._one("folders_resume", accept=accept or None, dry=dry or None)

    def folders_rebuild(self, dry: bool = False) -> Row:
        """See `Library.folders_rebuild`."""
        return self._one("folders_rebuild", dry=dry or None)

    def who(self, path: str) -> Row:
        """See `Library.who`."""
        return self._one("who", path=path)

    def search(self, path: str, k: int = 20, face: int | None = None) -> Row:
        """See `Library.search`."""
        return self._one("search", path=path, k=k, face=face)

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

    def check(self, repair: bool = False) -> Row:
        """See `Library.check`."""
        return self._one("check", repair=repair)

    def scan(self, again: bool = False, every: bool = False) -> Row:
        """See `Library.scan`."""
        return self._one("scan", again=again or None, every=every or None)

    def progress(self) -> Row:
        """See `Library.progress`."""
        return self._one("progress")

    def _one(self, method: str, **params: object) -> Row:
        for message in self._messages(method, params):
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

    def _messages(self, method: str, params: dict[str, object]) -> Iterator[Row]:
        if self._holder.socket is None:
            raise DaemonSilent(pid=self._holder.pid)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_CONNECT)
                connection.connect(self._holder.socket)
                connection.settimeout(_ANSWER)
                request = {
                    "method": method,
                    "params": {key: value for key, value in params.items() if value is not None},
                }
                connection.sendall(json.dumps(request).encode("ascii") + b"\n")
                with connection.makefile("rb") as stream:
                    for line in stream:
                        message = json.loads(line)
                        if "error" in message:
                            raise GuyverError.from_wire(message["error"])
                        yield message
        except (OSError, ValueError) as problem:
            raise DaemonSilent(pid=self._holder.pid) from problem
