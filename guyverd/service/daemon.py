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
from pathlib import Path
from types import FrameType
from typing import Any

from guyverd.config import Config
from guyverd.config_file import load
from guyverd.errors import ControlError, GuyverError
from guyverd.service.access import owned
from guyverd.service.control import Server, socket_path
from guyverd.service.lock import Lock
from guyverd.service.logs import configure
from guyverd.service.notify import notify, watchdog_interval
from guyverd.service.pipeline.coordinator import Coordinator
from guyverd.service.pipeline.queries import LocalLibrary
from guyverd.service.prometheus import Writer

log = logging.getLogger(__name__)

_STOPPING = (signal.SIGTERM, signal.SIGINT)
_LOOK = 0
"""No signal's number: look whether the coordinator ended."""


class Wishes:
    """What signals ask for; to be made, entered and asked in the main thread.

    The interpreter itself writes the number of each signal into a socket. A handler in Python would not do: it runs
    between two steps of the main thread, and a signal that comes just before a wait for a lock would end that wait only
    with the next signal.
    """

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)
        self._before: dict[int, Any] = {}
        self._fd_before = -1

    def __enter__(self) -> Wishes:
        self._fd_before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _ignore) for number in (*_STOPPING, signal.SIGHUP)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        self._read.close()
        self._write.close()

    def next(self) -> int:
        """The number of the next signal, or what `look` writes; waits for it."""
        return self._read.recv(1)[0]

    def look(self) -> None:
        """Have the main thread look whether the coordinator ended; from any thread."""
        with contextlib.suppress(OSError):
            self._write.send(bytes((_LOOK,)))


def _ignore(number: int, frame: FrameType | None) -> None:
    """A signal with a handler is one that is told; what it asks for is read from the socket."""


def run(config_path: Path, config: Config, *, json_log: bool) -> None:
    """Be the daemon of one library until SIGTERM or SIGINT; SIGHUP rereads the config.

    Raises AlreadyRunning, StateError, CatalogueError, PeopleFolderError and the like when it cannot start, and
    ControlError when it had to give up.
    """
    configure(config.log.level, as_json=json_log)
    # Taken before the signals are: who waits for the lock can be stopped as any command.
    with owned(config.state) as lock, Wishes() as wishes:
        while _life(config, lock, wishes):
            config = _reread(config_path, config)
            configure(config.log.level, as_json=json_log)


def _life(config: Config, lock: Lock, wishes: Wishes) -> bool:
    """One life with one config. Returns whether the config is to be read again."""
    log.info("Starting on %s.", ", ".join(str(path) for path in config.photos))
    coordinator = Coordinator(config)
    try:
        coordinator.publishing.prepare()
        library = LocalLibrary(coordinator, daemon=True)
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
    log.info("Reading the config again." if again else "Stopped.")
    return again


def _wait(coordinator: Coordinator, wishes: Wishes) -> bool:
    """Wait until it is to end; tells whether to begin again with the config as it is then."""
    while True:
        wish = wishes.next()
        if wish == signal.SIGHUP:
            return True
        if wish in _STOPPING or coordinator.ended.is_set():
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
