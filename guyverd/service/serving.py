"""The daemon's end of the socket: a few requests at a time, and none that can keep others out.

One thread waits for everybody at once: it lets in only the user who runs the daemon, and root, and reads requests as
they come. Only a whole request gets a thread, of which there are a few. So whoever connects and says nothing, says it
slowly, or says it without end costs a moment, and is shown out; and whoever does not fetch a long list keeps a place
for lists, never all places.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from io import BufferedWriter
from pathlib import Path
from typing import Any

from guyverd.errors import BadRequest, ControlError, GuyverError, StateError
from guyverd.service.api import LISTS, METHODS, PICTURED, Library, Row
from guyverd.service.metrics import Metrics
from guyverd.service.peers import peer_uid

log = logging.getLogger(__name__)

MOST_AT_WORK = 32
"""Requests that are answered at once, each by a thread."""
MOST_LISTING = 24
"""Of these, how many may be lists, which wait for whoever reads them."""
MOST_WAITING = 64
"""Callers who have not said everything yet, or wait for a thread. More wait outside, in the kernel's queue."""
LONGEST_REQUEST = 1 << 20
_QUEUE = 128
_SPEAK = 5.0
"""Seconds in which a request must be said."""
_HURRY = 0.25
"""The same where others wait outside. Whoever is a program says it at once."""
_ANSWER = 900.0
"""Seconds a caller may take to fetch the next piece of an answer: somebody reads it in a pager."""
_BREATHE = 0.5
"""Seconds to wait when there are no more descriptors or threads to be had."""
_PIECE = 1 << 16


@dataclass(eq=False, slots=True)
class _Caller:
    """Somebody who connected."""

    connection: socket.socket
    since: float
    heard: bytearray = field(default_factory=bytearray)
    picture: int | None = None
    """The descriptor they sent along."""

    @property
    def line(self) -> bytes:
        return bytes(self.heard.partition(b"\n")[0])

    def leave(self) -> None:
        self.connection.close()
        if self.picture is not None:
            os.close(self.picture)
            self.picture = None


@dataclass(frozen=True, eq=False, slots=True)
class _Request:
    """What somebody wants, or why that cannot be understood."""

    caller: _Caller
    method: str
    params: dict[str, Any]
    problem: GuyverError | None = None


class _Gone(Exception):
    """Whoever asked does not listen any more."""


class Server:
    """Answers requests until it is closed."""

    def __init__(self, library: Library, path: Path, metrics: Metrics | None = None) -> None:
        """Listen at `path`, in a folder only we can write. Raises StateError."""
        self.path = path
        self._library = library
        self._metrics = metrics or Metrics()
        self._guard = threading.Lock()
        self._ready: deque[_Request] = deque()
        self._at_work = 0
        self._listing = 0
        self._closed = False
        self._waiting: set[_Caller] = set()
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        self._socket = _listening(path)
        for end in (self._woken, self._wake, self._socket):
            end.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; requests in hand are finished or dropped with the process."""
        self._closed = True
        self._look()
        self._thread.join(timeout=5)
        self._wake.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    # ---- the thread that listens -------------------------------------------------------------------------------------

    def _serve(self) -> None:
        rest = 0.0
        try:
            while not self._closed:
                now = time.monotonic()
                self._show_out(now)
                if not self._hire():
                    rest = now + _BREATHE
                self._listen(listen=now >= rest and not self._full())
                for key, _ in self._selector.select(self._patience(now, rest)):
                    if key.fileobj is self._socket:
                        if not self._let_in():
                            rest = time.monotonic() + _BREATHE
                    elif key.fileobj is self._woken:
                        with contextlib.suppress(BlockingIOError):
                            self._woken.recv(_PIECE)
                    else:
                        self._hear(key.data)
        except Exception:
            log.exception("Nobody answers commands any more")
        finally:
            self._socket.close()
            for caller in self._waiting:
                caller.leave()
            self._selector.close()
            self._woken.close()

    def _look(self) -> None:
        """Have that thread look what there is to do."""
        with contextlib.suppress(OSError):
            self._wake.send(b"\0")

    def _listen(self, *, listen: bool) -> None:
        known = self._socket.fileno() in self._selector.get_map()
        if listen and not known:
            self._selector.register(self._socket, selectors.EVENT_READ)
        elif known and not listen:
            self._selector.unregister(self._socket)

    def _full(self) -> bool:
        return len(self._waiting) + len(self._ready) >= MOST_WAITING

    def _patience(self, now: float, rest: float) -> float | None:
        time_to_speak = _HURRY if self._full() else _SPEAK
        moments = [caller.since + time_to_speak for caller in self._waiting]
        if rest > now:
            moments.append(rest)
        return max(0.0, min(moments) - now) if moments else None

    def _let_in(self) -> bool:
        """Take one caller. Tells whether that can be done at all."""
        try:
            connection, _ = self._socket.accept()
        except BlockingIOError:
            return True  # they went
        except OSError as problem:
            log.warning("Somebody who wants to ask something must wait: %s", problem.strerror)
            return False
        try:
            welcome = peer_uid(connection) in (0, os.getuid())
        except OSError:
            welcome = False
        if not welcome:
            connection.close()
            return True
        connection.setblocking(False)
        caller = _Caller(connection, time.monotonic())
        self._waiting.add(caller)
        self._selector.register(connection, selectors.EVENT_READ, caller)
        return True

    def _hear(self, caller: _Caller) -> None:
        try:
            data, files, _, _ = socket.recv_fds(caller.connection, _PIECE, 1, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            self._let_go(caller)
            caller.leave()
            return
        for file in files:
            if caller.picture is None:
                caller.picture = file
            else:
                os.close(file)
        caller.heard += data
        if not data or b"\n" in data or len(caller.heard) > LONGEST_REQUEST:
            self._let_go(caller)
            with self._guard:
                self._ready.append(_understood(caller))

    def _let_go(self, caller: _Caller) -> None:
        self._waiting.discard(caller)
        self._selector.unregister(caller.connection)

    def _show_out(self, now: float) -> None:
        """Whoever took too long to say what they want."""
        time_to_speak = _HURRY if self._full() else _SPEAK
        for caller in [one for one in self._waiting if one.since + time_to_speak <= now]:
            self._let_go(caller)
            caller.leave()

    # ---- threads that answer -----------------------------------------------------------------------------------------

    def _hire(self) -> bool:
        """A thread for each request that may have one. Tells whether there are threads to be had."""
        while (request := self._next()) is not None:
            try:
                threading.Thread(target=self._work, args=(request,), name="request", daemon=True).start()
            except RuntimeError as problem:
                log.warning("A request must wait: %s", problem)
                self._done(request)
                with self._guard:
                    self._ready.appendleft(request)
                return False
        return True

    def _next(self) -> _Request | None:
        with self._guard:
            if self._at_work >= MOST_AT_WORK:
                return None
            for request in self._ready:
                lists = request.method in LISTS
                if not lists or self._listing < MOST_LISTING:
                    self._ready.remove(request)
                    self._at_work += 1
                    self._listing += lists
                    return request
        return None

    def _done(self, request: _Request) -> None:
        with self._guard:
            self._at_work -= 1
            self._listing -= request.method in LISTS

    def _work(self, request: _Request) -> None:
        caller = request.caller
        try:
            with contextlib.suppress(_Gone, OSError):
                caller.connection.settimeout(_ANSWER)
                with caller.connection.makefile("wb") as stream:
                    self._answer(stream, request)
        finally:
            caller.leave()
            self._done(request)
            self._look()

    def _answer(self, stream: BufferedWriter, request: _Request) -> None:
        try:
            with self._metrics.timing("request", request.method):
                self._reply(stream, request)
        except GuyverError as problem:
            self._metrics.count("request_failures", label=request.method)
            _send(stream, {"error": problem.to_wire()})
        except _Gone:
            raise
        except Exception as problem:
            self._metrics.count("request_failures", label=request.method)
            log.exception("The request %s failed", request.method)
            _send(stream, {"error": ControlError(detail=f"{type(problem).__name__}: {problem}").to_wire()})

    def _reply(self, stream: BufferedWriter, request: _Request) -> None:
        if request.problem is not None:
            raise request.problem
        params = request.params
        if request.caller.picture is not None and request.method in PICTURED:
            params = {**params, "opened": request.caller.picture}
        result = getattr(self._library, request.method)(**params)
        if request.method in LISTS:
            for item in result:
                _send(stream, {"item": item})
            _send(stream, {"end": True})
        else:
            _send(stream, {"result": result})


def _listening(path: Path) -> socket.socket:
    try:
        # We hold the library's lock, so a socket that is there is a dead one's.
        path.unlink(missing_ok=True)
    except OSError as problem:
        raise StateError(path=path, detail=problem.strerror or str(problem)) from problem
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)
        try:
            listening.bind(os.fspath(path))
        finally:
            os.umask(before)
        listening.listen(_QUEUE)
    except OSError as problem:
        listening.close()
        raise StateError(path=path, detail=problem.strerror or str(problem)) from problem
    return listening


def _understood(caller: _Caller) -> _Request:
    try:
        method, params = _read(caller.line)
    except BadRequest as problem:
        return _Request(caller, "unknown", {}, problem)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        return _Request(caller, "unknown", {}, BadRequest(detail=str(problem)))
    return _Request(caller, method, params)


def _read(line: bytes) -> tuple[str, dict[str, Any]]:
    if len(line) > LONGEST_REQUEST:
        raise BadRequest(detail="it is too long")
    request = json.loads(line)
    method, params = request["method"], request.get("params", {})
    # A descriptor comes as one, and never as a number somebody wrote.
    if method not in METHODS or not isinstance(params, dict) or "opened" in params:
        raise BadRequest(detail=f"{method!r} is no request")
    return method, params


def _send(stream: BufferedWriter, message: Row) -> None:
    line = json.dumps(message).encode("ascii") + b"\n"
    try:
        stream.write(line)
    except OSError as problem:
        raise _Gone from problem
