"""The daemon's life: take the lock, open the library, listen, follow the disk, until a signal says to stop.

READY=1 is sent when the first comparison with the disk is durable. The watchdog is fed by a round trip through the
coordinator and the catalogue's writer: a daemon that is stuck anywhere is restarted.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
from pathlib import Path
from types import FrameType

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

log = logging.getLogger(__name__)

_STOP, _RELOAD, _LOOK = "stop", "reload", "look"


def run(config_path: Path, config: Config, *, json_log: bool) -> None:
    """Be the daemon of one library until SIGTERM or SIGINT; SIGHUP rereads the config.

    Raises AlreadyRunning, StateError, CatalogueError, PeopleFolderError and the like when it cannot start, and
    ControlError when it had to give up.
    """
    configure(config.log.level, as_json=json_log)
    wishes: queue.SimpleQueue[str] = queue.SimpleQueue()

    def on_signal(number: int, _: FrameType | None) -> None:
        wishes.put(_RELOAD if number == signal.SIGHUP else _STOP)

    # Taken before the signals are: who waits for the lock can be stopped as any command.
    with owned(config.state) as lock:
        before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        try:
            while True:
                again = _life(config, lock, wishes)
                if not again:
                    return
                config = _reread(config_path, config)
                configure(config.log.level, as_json=json_log)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _life(config: Config, lock: Lock, wishes: queue.SimpleQueue[str]) -> bool:
    """One life with one config. Returns whether the config is to be read again."""
    log.info("Starting on %s.", ", ".join(str(path) for path in config.photos))
    coordinator = Coordinator(config)
    try:
        coordinator.publishing.prepare()
        library = LocalLibrary(coordinator, daemon=True)
        server = Server(library, socket_path(config.state))
    except BaseException:
        coordinator.stop()
        raise
    lock.tell(str(server.path))
    coordinator.start(watch=True)
    attendant = threading.Thread(target=_attend, args=(coordinator, library, wishes), name="attendant", daemon=True)
    attendant.start()
    try:
        wish = _wait(coordinator, wishes)
    finally:
        notify("STOPPING=1")
        log.info("Stopping: what is under way is finished or put back.")
        lock.tell(None)
        server.close()
        coordinator.stop()
        attendant.join(timeout=5)
    if coordinator.fault is not None:
        raise ControlError(detail=f"it gave up after repeated errors: {coordinator.fault!r}")
    log.info("Stopped." if wish == _STOP else "Reading the config again.")
    return wish == _RELOAD


def _wait(coordinator: Coordinator, wishes: queue.SimpleQueue[str]) -> str:
    while True:
        # Python runs signal handlers between two steps of the main thread; an endless wait on a lock is such a step.
        wish = wishes.get()
        if wish in (_STOP, _RELOAD):
            return wish
        if coordinator.ended.is_set():
            return _STOP


def _attend(coordinator: Coordinator, library: LocalLibrary, wishes: queue.SimpleQueue[str]) -> None:
    """Tell the supervisor when we are ready and that we live; wake the main thread when the coordinator ended."""
    coordinator.ready.wait()
    if not coordinator.ended.is_set():
        notify(f"READY=1\nMAINPID={os.getpid()}\nSTATUS=Watching")
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
    wishes.put(_LOOK)


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
