"""One worker process as the thread that owns it sees it: started, given a job at a time, let go or killed.

Whatever it does, the thread is never kept longer than a job's deadline: it speaks to the process without ever waiting
for it, bounds what it takes from it, and notices its death also where something else still holds its socket.
"""
# ruff: noqa: S301  what is unpickled was pickled by a worker that this module started

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from guyverd.errors import DeadlineExceeded, WorkerDied
from guyverd.faces import limits
from guyverd.faces.worker import BEGINS, HEAD, LEAVES, MOST_BYTES, Terms

_PREPARE = 300.0
"""Seconds until a process must be ready for its first job; models may have to be built."""
_LEAVE = 5.0
"""Seconds until a process that was let go is killed."""
_GONE = 2.0
"""Seconds until one that was killed is taken for gone: what hangs in the kernel, as at a dead disk, dies later."""
_LOOK = 1.0
"""Seconds after which it is looked whether the process lives, while it is waited for."""
_LATE = 0.5
"""Seconds by which a wait may be longer than asked. One that is later tells that this process stood still as well."""
_BLINK = 0.001
"""Seconds; what is less cannot be waited for."""
_PIECE = 1 << 18
_PROGRAM = "from guyverd.faces.worker import main; main()"
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job in a process."""

    value: object = None
    error: BaseException | None = None
    stays: bool = False
    """Whether the process is there for another."""
    begun: bool = True
    """Whether the task saw the job at all."""
    cause: str = ""
    """Of the process's death."""


class Patience:
    """Seconds that may pass, as far as whoever waits sees them pass.

    While the whole machine, or this process with its workers, stands still (suspended, stopped by a signal), nobody
    can get anything done, and nothing is counted: of a wait that was longer than asked, no more than was asked. Nor
    does time run out in such a wait, for what was waited for had no chance to come.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._left = seconds
        self._clock = clock
        self._asked = 0.0
        self._since = clock()

    def next(self) -> float | None:
        """How long to wait now, at most; None where time has run out. Each call tells of the end of the last wait."""
        took = self._clock() - self._since
        late = self._asked > 0 and took > self._asked + _LATE
        self._left -= min(took, self._asked)
        over = self._left < _BLINK
        if over and not late:
            return None
        self._asked = _LOOK if over else min(_LOOK, self._left)
        self._since = self._clock()
        return self._asked


class Process:
    """One process. All but `kill` and `alive` are for the thread that made it."""

    def __init__(self, terms: Terms) -> None:
        """Start it. Raises OSError."""
        self.terms = terms
        self._new = True
        self._killed = False
        self._received = bytearray()
        self._socket, theirs = socket.socketpair()
        try:
            self._socket.setblocking(False)
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # Found where this program found them, also where it runs from a folder of its sources.
                env={**limits.environment(), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                # Ctrl-C is for this program, which ends its workers; and whatever they start is of their group.
                process_group=0,
            )
        except BaseException:
            self._socket.close()
            raise
        finally:
            theirs.close()

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        if self._popen.returncode is not None:
            return False
        try:
            # It stays a zombie, so that its group cannot become anybody else's before that is killed too.
            return os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:
            return False

    def kill(self) -> None:
        """End it and what it started, whatever they do."""
        self._killed = True
        self._kill_group()

    def _kill_group(self) -> None:
        if self._popen.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(self._popen.pid, signal.SIGKILL)

    def do(self, payload: bytes, deadline: float) -> Outcome:
        """Have one job done; the process is as good as gone unless the outcome says that it stays.

        `deadline` seconds are for each part of it.
        """
        begun = False
        try:
            patience = Patience(_PREPARE)
            if self._new:
                self._new = False
                self._send(pickle.dumps(self.terms), patience)
            self._send(payload, patience)
            while True:
                message = self._receive(patience)
                if message == BEGINS:
                    begun = True
                    patience = Patience(deadline)
                    continue
                succeeded, value = pickle.loads(memoryview(message)[1:])
                stays = not message.startswith(LEAVES)
                return Outcome(value, stays=stays) if succeeded else Outcome(error=value, stays=stays)
        except TimeoutError:
            self.kill()
        except (EOFError, OSError):
            cause = self._cause()
            return Outcome(error=WorkerDied(detail=cause), begun=begun, cause=cause)
        except Exception as problem:
            # An answer that cannot be read.
            self.kill()
            return Outcome(error=WorkerDied(detail=f"{type(problem).__name__}: {problem}"))
        if not begun:
            return Outcome(begun=False, cause=f"it was not ready within {_PREPARE:g} seconds")
        return Outcome(error=DeadlineExceeded(seconds=f"{deadline:g}"))

    def end(self) -> None:
        """See to it that it ends, by itself, since nobody speaks to it any more, or killed; and what it started too."""
        self._socket.close()
        if not self._killed:
            self._gone_within(_LEAVE)
        self._kill_group()
        if self._gone_within(_GONE):
            self._popen.wait()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _send(self, data: bytes, patience: Patience) -> None:
        rest = memoryview(HEAD.pack(len(data)) + data)
        while rest:
            self._wait(select.POLLOUT, patience)
            with contextlib.suppress(BlockingIOError):
                rest = rest[self._socket.send(rest) :]

    def _receive(self, patience: Patience) -> bytes:
        """The next message. Raises EOFError when the process died, TimeoutError, and ValueError for what is none."""
        needed = HEAD.size
        while True:
            if len(self._received) >= HEAD.size:
                (size,) = HEAD.unpack_from(self._received)
                if not 0 < size <= MOST_BYTES:
                    raise ValueError(f"an answer of {size} bytes")
                needed = HEAD.size + size
            if len(self._received) >= needed:
                message = bytes(memoryview(self._received)[HEAD.size : needed])
                del self._received[:needed]
                return message
            self._wait(select.POLLIN, patience)
            with contextlib.suppress(BlockingIOError):
                piece = self._socket.recv(_PIECE)
                if not piece:
                    raise EOFError
                self._received += piece

    def _wait(self, what: int, patience: Patience) -> None:
        """Until the socket can be read or written. Raises TimeoutError, or EOFError when the process is not there."""
        poll = select.poll()
        poll.register(self._socket, what)
        while (seconds := patience.next()) is not None:
            if poll.poll(1000 * seconds):
                return
            # Killed, and yet there: it hangs in the kernel. Dead, and yet no end: it left a child with its socket.
            # What it said before that is heard.
            if (self._killed or not self.alive) and not poll.poll(0):
                raise EOFError
        raise TimeoutError

    def _gone_within(self, seconds: float) -> bool:
        patience, pause = Patience(seconds), 0.001
        while self.alive:
            if patience.next() is None:
                return False
            time.sleep(pause)
            pause = min(0.05, 2 * pause)
        return True

    def _cause(self) -> str:
        """What it died of."""
        if not self._gone_within(_GONE):
            self.kill()
            return "it no longer answered"
        self._kill_group()
        code = self._popen.wait()
        if code >= 0:
            return f"exit code {code}"
        try:
            number = signal.Signals(-code)
        except ValueError:
            return f"killed by signal {-code}"
        if number in _CRASHES:
            return f"it crashed ({number.name})"
        return f"killed by {number.name}{', mostly because memory ran out' if number is signal.SIGKILL else ''}"
