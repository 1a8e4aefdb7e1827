"""Photos that harm whoever decodes them, for real: a daemon's workers do what a mark in a photo's bytes says.

Python runs a `sitecustomize` that it finds at its start; the one written here changes Pillow in workers, and no more.
"""

from __future__ import annotations

import os
from pathlib import Path

MARK = b"GUYVERD-HARM:"
_RUN, _TRIES = "HARM_RUN", "HARM_TRIES"

_SITE = """
import os, sys

MARK = b"GUYVERD-HARM:"


def _do(harm):
    import ctypes, re, signal, time
    if harm.startswith("child and "):
        if not os.fork():
            time.sleep(3600)
            os._exit(0)
        harm = harm.removeprefix("child and ")
    if harm == "segfault":
        ctypes.string_at(0)
    elif harm == "abort":
        os.abort()
    elif harm == "illegal":
        os.kill(os.getpid(), signal.SIGILL)
    elif harm == "exit":
        os._exit(0)
    elif harm == "killed":
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory runs out
    elif harm == "spin":
        re.match(r"(a+)+$", "a" * 64 + "b")  # in C, with the interpreter's lock, for ever
    elif harm == "deaf":
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        time.sleep(3600)
    elif harm == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif harm == "huge":
        bytearray(50 << 30)
    elif harm == "eat":
        eaten = []
        while True:
            eaten.append(b"x" * 20_000_000)
    elif harm == "garbage":
        from guyverd.faces import worker
        worker._line._socket.sendall(b"\\xff" * 100)
        time.sleep(3600)
    elif harm == "threads":
        import threading
        for _ in range(8):
            threading.Thread(target=time.sleep, args=(3600,)).start()
        ctypes.string_at(0)
    elif harm.startswith("slow "):
        until = time.process_time() + float(harm[5:])
        while time.process_time() < until:
            pass
    elif harm == "quit":
        sys.exit(5)


def _watch():
    from PIL import Image

    opened = Image.open

    def harmful(fp, *args, **kwargs):
        data = fp.getvalue() if hasattr(fp, "getvalue") else b""
        at = data.rfind(MARK)
        if at >= 0:
            harm = data[at + len(MARK):].partition(b";")[0].decode()
            with open(os.environ["HARM_TRIES"], "a") as tries:
                tries.write(f"{harm} {os.getpid()}\\n")
            _do(harm)
        return opened(fp, *args, **kwargs)

    Image.open = harmful


if any("guyverd.faces.worker" in word for word in sys.orig_argv):
    _watch()
"""


class Harm:
    """What makes a daemon's workers suffer, and finds what is left of them."""

    def __init__(self, folder: Path) -> None:
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(_SITE)
        self._tries = folder / "tries"
        self._tries.touch()
        before = os.environ.get("PYTHONPATH")
        root = str(Path(__file__).parents[2])
        self.environment = {
            "PYTHONPATH": os.pathsep.join([str(site), root, *([before] if before else [])]),
            _RUN: str(folder),
            _TRIES: str(self._tries),
        }
        """What a daemon is to be started with."""

    def mark(self, photo: Path, harm: str) -> None:
        """Have that photo do harm; it stays one that everybody else can read."""
        times = (photo.stat().st_atime_ns, photo.stat().st_mtime_ns)
        photo.write_bytes(photo.read_bytes() + MARK + harm.encode() + b";")
        os.utime(photo, ns=times)

    def tries(self, harm: str) -> int:
        """How often a worker met it."""
        return sum(line.rpartition(" ")[0] == harm for line in self._tries.read_text().splitlines())

    def processes(self) -> list[int]:
        """Everything that was started with this environment and is there, zombies too where they can be told."""
        wanted = f"{_RUN}={os.fsdecode(os.path.dirname(self._tries))}".encode()
        found = []
        for entry in os.scandir("/proc"):
            if entry.name.isdecimal():
                try:
                    with open(f"/proc/{entry.name}/environ", "rb") as file:
                        if wanted in file.read().split(b"\0"):
                            found.append(int(entry.name))
                except OSError:
                    continue
        return found


def children(pid: int) -> list[int]:
    """The children of all threads of a process, zombies among them."""
    found: list[int] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
        except OSError:
            continue
    return found


def memory(pid: int, what: str = "VmRSS") -> int:
    """Bytes a process holds, or with VmHWM ever held."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(f"{what}:"))
