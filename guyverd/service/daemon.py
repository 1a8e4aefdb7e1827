"""The daemon's life: take the lock, open the library, listen, follow the disk, until a signal says to stop.

READY=1 is sent when the first comparison with the disk is durable. The watchdog is fed by a round trip through the
coordinator and the catalogue's writer: a daemon that is stuck anywhere is restarted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from guyverd.config import Config
from guyverd.config_file import load
from guyverd.errors import ControlError, GuyverError, StateError
from guyverd.service.access import owned
from guyverd.service.control import socket_path
from guyverd.service.journal import Journal
from guyverd.service.lock import Lock
from guyverd.service.logs import Log, configure
from guyverd.service.notify import notify, watchdog_interval
from guyverd.service.pipeline.coordinator import Coordinator
from guyverd.service.pipeline.queries import LocalLibrary
from guyverd.service.prometheus import Writer
from guyverd.service.serving import Server

log = logging.getLogger(__name__)

_STOPPING = (signal.SIGTERM, signal.SIGINT)
_LAST = 9.0
"""Seconds after the wish to stop at which whatever still goes on is cut off."""


class Wishes:
    """What signals ask for; to be made and entered in the main thread, and asked in any.

    The interpreter itself writes the number of each signal into a socket, and a thread reads it. A handler in Python
    would not do: it runs between two steps of the main thread, which may be long, and a signal that comes just before a
    wait for a lock would end that wait only with the next signal.
    """

    def __init__(self, give_up: Callable[[], None] | None = None, patience: float = _LAST) -> None:
        """`give_up` is called when so many seconds after the wish to stop there is still something that goes on."""
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)
        self._before: dict[int, Any] = {}
        self._fd_before = -1
        self._give_up = give_up or _end_at_once
        self._patience = patience
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._reread = False
        self._look = False
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)

    def __enter__(self) -> Wishes:
        self._thread.start()
        self._fd_before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _ignore) for number in (*_STOPPING, signal.SIGHUP)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # Who was told to stop does so; to be told again on the last steps must not make it a sudden death.
            signal.signal(number, signal.SIG_IGN if self.stopping else handler)
        signal.set_wakeup_fd(self._fd_before)
        self._write.close()
        self._thread.join()
        self._read.close()

    @property
    def stopping(self) -> bool:
        """Whether it is to end."""
        return self._stop.is_set()

    def stopping_within(self, seconds: float) -> bool:
        """Wait that long for the wish to end."""
        return self._stop.wait(seconds)

    def wait(self) -> None:
        """Until it is to end, the config is to be read again, or somebody wants the main thread to `look`."""
        with self._changed:
            self._changed.wait_for(lambda: self.stopping or self._reread or self._look)
            self._look = False

    @property
    def rereading(self) -> bool:
        """Whether the config is to be read again."""
        return self._reread

    def begin_to_reread(self) -> None:
        """The config is read from now on: whoever wished for that before, however often, has it."""
        self._reread = False

    def look(self) -> None:
        """Have the main thread look whether the coordinator ended; from any thread."""
        with self._changed:
            self._look = True
            self._changed.notify_all()

    def _listen(self) -> None:
        until: float | None = None
        while True:
            self._read.settimeout(None if until is None else max(0.001, until - time.monotonic()))
            try:
                numbers = self._read.recv(4096)
            except TimeoutError:
                self._give_up()
                return
            if not numbers:
                return
            with self._changed:
                if until is None and not {*_STOPPING}.isdisjoint(numbers):
                    until = time.monotonic() + self._patience
                    self._stop.set()
                self._reread = self._reread or signal.SIGHUP in numbers
                self._changed.notify_all()


def _ignore(number: int, frame: FrameType | None) -> None:
    """A signal with a handler is one that is told; what it asks for is read from the socket."""


def _end_at_once() -> None:
    """Whatever hangs, hangs: a process that is killed loses nothing either, and its workers die with it."""
    log.error("Something did not come to an end within %g s; what was under way is done the next time.", _LAST)
    os._exit(0)


def run(config_path: Path, config: Config, *, json_log: bool) -> None:
    """Be the daemon of one library until SIGTERM or SIGINT; SIGHUP rereads the config.

    Raises AlreadyRunning, StateError, CatalogueError, PeopleFolderError and the like when it cannot start, and
    ControlError when it had to give up.
    """
    journal = Journal()
    lines = configure(config.log.level, as_json=json_log, journal=journal)
    with Wishes() as wishes, owned(config.state, wishes.stopping_within) as lock:
        try:
            while lock is not None and _life(config, lock, wishes, lines, journal):
                wishes.begin_to_reread()
                config = _reread(config_path, config)
                lines = configure(config.log.level, as_json=json_log, journal=journal)
        except GuyverError as problem:
            journal.give_up(problem)
            raise
        finally:
            lines.tell(at_once=True)
            if lock is not None:
                journal.save(config.state)


def _life(config: Config, lock: Lock, wishes: Wishes, lines: Log, journal: Journal) -> bool:
    """One life with one config. Returns whether the config is to be read again."""
    log.info("Starting on %s.", ", ".join(str(path) for path in config.photos))
    coordinator = Coordinator(config)
    try:
        coordinator.publishing.prepare()
        coordinator.metrics.read_from("log_lines_held_back", lambda: lines.held_back)
        library = LocalLibrary(coordinator, daemon=True, journal=journal)
        server = Server(library, socket_path(config.state), coordinator.metrics)
    except BaseException:
        coordinator.stop()
        raise
    lock.tell(str(server.path))
    coordinator.start(watch=True)
    attendant = threading.Thread(target=_attend, args=(coordinator, library, wishes), name="attendant", daemon=True)
    attendant.start()
    figures = None if config.log.metrics is None else Writer(config.log.metrics, config.state, library.status)
    if figures is not None:
        figures.start()
    try:
        again = _wait(coordinator, wishes)
    finally:
        notify("STOPPING=1")
        log.info("Stopping: what is under way is finished or put back.")
        lock.tell(None)
        server.close()
        if figures is not None:
            figures.stop()
        coordinator.stop()
        attendant.join(timeout=5)
    if coordinator.fault is not None:
        raise ControlError(detail=f"it gave up after repeated errors: {coordinator.fault!r}")
    # It may have been told so while it came to an end.
    again = again and not wishes.stopping
    if again:
        log.info("Reading the config again.")
    else:
        log.info("Stopped.")
    return again


def _wait(coordinator: Coordinator, wishes: Wishes) -> bool:
    """Wait until it is to end; tells whether to begin again with the config as it is then."""
    while not wishes.stopping and not coordinator.ended.is_set():
        if wishes.rereading:
            return True
        wishes.wait()
    return False


def _attend(coordinator: Coordinator, library: LocalLibrary, wishes: Wishes) -> None:
    """Tell the supervisor when we are ready and that we live; wake the main thread when the coordinator ended."""
    coordinator.ready.wait()
    if not coordinator.ended.is_set():
        notify(f"READY=1\nMAINPID={os.getpid()}\nSTATUS=Watching")
        with contextlib.suppress(GuyverError):  # it may be told to stop at this very moment
            counts = library.status()["counts"]
            log.info("Ready: %d files, %d people so far.", counts["files"], counts["people"])
    interval = watchdog_interval()
    while not coordinator.ended.wait(None if interval is None else interval / 3):
        assert interval is not None
        began = time.monotonic()
        try:
            alive = library.alive(interval)
        except StateError:
            alive = True  # a full disk is an answer too, and a new start would not empty it
        except (GuyverError, TimeoutError):
            continue
        if alive and time.monotonic() - began < interval:
            notify("WATCHDOG=1")
    wishes.look()


def _reread(path: Path, config: Config) -> Config:
    try:
        found = load(path)
    except GuyverError as problem:
        log.error("The config was not taken over: %s %s", problem.message, problem.advice)
        return config
    if found.state != config.state:
        log.error("The config was not taken over: `state` cannot change while guyverd runs. Restart it.")
        return config
    return found
