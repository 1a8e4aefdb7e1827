"""Runs a program as one of our systemd units would, without systemd: `python -m tests.confined UNIT HOME PROGRAM …`.

The unit file itself is read, so that what is tested is what is shipped. A user and a mount namespace give the walls
that are made of mounts, libseccomp (which systemd uses too) those that are made of system calls, whose groups are
resolved by `systemd-analyze`. What only a running systemd can do is left out: control groups, device access, hidden
processes. `unmet()` tells why it cannot be done here.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)

# mount(2), mount_setattr(2), prctl(2), capset(2)
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR, _AT_RECURSIVE, _AT_FDCWD, _RDONLY = 442, 0x8000, -100, 1
_CAPBSET_DROP, _NO_NEW_PRIVS = 24, 38

# seccomp
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NE, _MASKED_EQ = 1, 7
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_NAMESPACES = 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x00020000

FAMILIES = {"AF_UNIX": 1}


def settings_of(unit: Path) -> dict[str, list[str]]:
    """Every setting of a unit, with its values in their order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if match := re.fullmatch(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def unmet() -> str | None:
    """What is missing here to run something so; None where all is there."""
    for program in ("unshare", "systemd-analyze"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return "there is no libseccomp"
    walls = [sys.executable, "-c", "from tests import confined; confined.read_only('/', [])"]
    done = subprocess.run(["unshare", "-Urmn", *walls], capture_output=True, text=True, check=False, timeout=60)
    return None if done.returncode == 0 else f"no namespaces can be had: {done.stderr.strip()[-200:]}"


def command(unit: Path, home: Path, program: Sequence[str]) -> list[str]:
    """What to run so that `program` is run as `unit` would for a user with that home."""
    return ["unshare", "-Urmn", sys.executable, "-m", "tests.confined", str(unit), str(home), *program]


# ---- walls of mounts -------------------------------------------------------------------------------------------------


class _MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def _checked(result: int, what: str) -> None:
    if result != 0:
        problem = ctypes.get_errno()
        raise OSError(problem, f"{what}: {os.strerror(problem)}")


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), None)
    _checked(_LIBC.mount(*arguments), f"mount {target}")


def _set(path: str, *, read_only: bool, deep: bool) -> None:
    attr = _MountAttr(set=_RDONLY if read_only else 0, clear=0 if read_only else _RDONLY)
    size, how = ctypes.c_size_t(ctypes.sizeof(attr)), _AT_RECURSIVE if deep else 0
    called = _LIBC.syscall(_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), how, ctypes.byref(attr), size)
    _checked(called, f"mount_setattr {path}")


def read_only(root: str, writable: Sequence[str]) -> None:
    """Make everything below `root` read-only but these folders, in the mount namespace we are in."""
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    for path in writable:
        _mount(path, path, "", _MS_BIND | _MS_REC)
    _set(root, read_only=True, deep=True)
    for path in writable:
        _set(path, read_only=False, deep=False)


def _private_tmp(kept: Sequence[str]) -> None:
    """Empty folders for temporary files, in which only those kept are still seen, which really lie elsewhere."""
    for place in ("/tmp", "/var/tmp"):
        inside = [path for path in dict.fromkeys(kept) if path.startswith(place + "/")]
        inside = [path for path in inside if not any(path.startswith(other + "/") for other in inside)]
        held = {path: os.open(path, os.O_PATH) for path in inside}
        _mount("tmpfs", place, "tmpfs", 0)
        for path, file in held.items():
            os.makedirs(path)
            _mount(f"/proc/self/fd/{file}", path, "", _MS_BIND | _MS_REC)
            os.close(file)


# ---- walls of system calls -------------------------------------------------------------------------------------------


class _Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class _Filter:
    """One filter of system calls; a call must pass all that are loaded."""

    def __init__(self, otherwise: int) -> None:
        self._lib = ctypes.CDLL("libseccomp.so.2")
        self._lib.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._lib.seccomp_init(ctypes.c_uint32(otherwise)))
        assert self._context

    def rule(self, action: int, name: str, *when: tuple[int, int, int, int]) -> None:
        """What becomes of a call of that name, where its arguments compare so."""
        number = self._lib.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # else this machine has no such call
            compare = (_Compare * max(1, len(when)))(*(_Compare(*one) for one in when))
            action_ = ctypes.c_uint32(action)
            added = self._lib.seccomp_rule_add_array(self._context, action_, number, len(when), compare)
            assert added == 0, (name, added)

    def load(self) -> None:
        loaded = self._lib.seccomp_load(self._context)
        assert loaded == 0, loaded


def calls_in(group: str) -> set[str]:
    """The system calls of a group such as @system-service."""
    told = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", group], capture_output=True, text=True, check=True
    )
    found: set[str] = set()
    for line in told.stdout.splitlines()[1:]:
        name = line.strip()
        if name and not name.startswith("#"):
            found |= calls_in(name) if name.startswith("@") else {name}
    return found


def _filters(settings: dict[str, list[str]]) -> list[_Filter]:
    def yes(key: str) -> bool:
        return settings.get(key) == ["yes"]

    allowed = calls_in("@default")
    for value in settings["SystemCallFilter"]:
        groups = [calls_in(group) for group in value.removeprefix("~").split()]
        allowed = allowed.difference(*groups) if value.startswith("~") else allowed.union(*groups)
    # The last program is started through it, and systemd does so before the filter counts.
    calls = _Filter(_ERRNO | _EPERM)
    for name in sorted(allowed | {"execve", "seccomp", "prctl"}):
        calls.rule(_ALLOW, name)

    more = _Filter(_ALLOW)
    for family in settings["RestrictAddressFamilies"]:
        more.rule(_ERRNO | _EAFNOSUPPORT, "socket", (0, _NE, FAMILIES[family], 0))
    if yes("MemoryDenyWriteExecute"):
        both = mmap.PROT_WRITE | mmap.PROT_EXEC
        more.rule(_ERRNO | _EPERM, "mmap", (2, _MASKED_EQ, both, both))
        for name in ("mprotect", "pkey_mprotect"):
            more.rule(_ERRNO | _EPERM, name, (2, _MASKED_EQ, mmap.PROT_EXEC, mmap.PROT_EXEC))
        more.rule(_ERRNO | _EPERM, "shmat", (2, _MASKED_EQ, 0o100000, 0o100000))
    if yes("RestrictNamespaces"):
        for bit in (1 << place for place in range(32) if _NAMESPACES & 1 << place):
            more.rule(_ERRNO | _EPERM, "clone", (0, _MASKED_EQ, bit, bit))
            more.rule(_ERRNO | _EPERM, "unshare", (0, _MASKED_EQ, bit, bit))
        more.rule(_ERRNO | _ENOSYS, "clone3")
        more.rule(_ERRNO | _EPERM, "setns")
    if yes("RestrictRealtime"):
        for policy in (1, 2, 6):
            more.rule(_ERRNO | _EPERM, "sched_setscheduler", (1, _MASKED_EQ, 0xFF, policy))
    if yes("RestrictSUIDSGID"):
        for bit in (0o4000, 0o2000):
            more.rule(_ERRNO | _EPERM, "chmod", (1, _MASKED_EQ, bit, bit))
            more.rule(_ERRNO | _EPERM, "fchmod", (1, _MASKED_EQ, bit, bit))
            more.rule(_ERRNO | _EPERM, "fchmodat", (2, _MASKED_EQ, bit, bit))
    return [more, calls]


# ---- all together ----------------------------------------------------------------------------------------------------


def _bytes(value: str) -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(memory * float(value[:-1]) / 100) if value.endswith("%") else int(value)


def _drop_capabilities() -> None:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for number in range(last + 1):
        _checked(_LIBC.prctl(_CAPBSET_DROP, number, 0, 0, 0), "prctl")
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _checked(_LIBC.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def main(unit: Path, home: str, program: Sequence[str]) -> None:
    """Build the walls around this process and become the program."""
    settings = settings_of(unit)
    filters = _filters(settings)

    def placed(path: str) -> str:
        return path.replace("%h", home).replace("/home/%i", home)

    interfaces = [path for path in ("/dev", "/proc", "/sys") if os.path.ismount(path)]
    if settings["PrivateTmp"] == ["yes"]:
        interfaces += ["/tmp", "/var/tmp"]
        sources = str(Path(__file__).parent.parent)
        _private_tmp([home, sources, sys.prefix, sys.base_prefix])
    assert settings["ProtectSystem"] == ["strict"]
    made = [os.environ["RUNTIME_DIRECTORY"], os.environ["CACHE_DIRECTORY"]]
    read_only("/", [*map(placed, settings["ReadWritePaths"]), *made])
    for path in interfaces:
        _set(path, read_only=False, deep=False)
    for key in settings:
        if key.startswith("Limit"):
            limit = int(settings[key][0])
            resource.setrlimit(getattr(resource, f"RLIMIT_{key.removeprefix('Limit')}"), (limit, limit))
    most = _bytes(settings["MemoryMax"][0])
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    os.umask(int(settings["UMask"][0], 8))
    os.nice(int(settings["Nice"][0]))
    assert settings["CapabilityBoundingSet"] == [""]
    os.chdir("/")
    assert settings["NoNewPrivileges"] == ["yes"]
    _checked(_LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    _drop_capabilities()
    for one in filters:
        one.load()
    os.execvp(program[0], list(program))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
