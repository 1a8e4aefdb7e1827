"""What import-linter cannot hold: the size of modules, that each says what it is for, how light the program starts."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import guyverd

PACKAGE = Path(guyverd.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
EACH = pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))

HEAVY = ("numpy", "dlib", "hnswlib", "networkx", "PIL", "pillow_heif", "sqlite_utils", "watchdog")
"""Libraries that do the work: a command that only asks the daemon needs none, and they take a second to load."""


def lines(module: Path) -> int:
    return len(module.read_text(encoding="utf-8").splitlines())


@EACH
def test_a_module_is_no_longer_than_600_lines(module: Path) -> None:
    assert lines(module) <= 600


def test_half_of_all_modules_are_short() -> None:
    assert statistics.median(lines(module) for module in MODULES if module.name != "__init__.py") <= 300


@EACH
def test_a_module_says_what_it_is_for(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_bytes()))


@EACH
def test_only_the_command_line_prints(module: Path) -> None:
    if module.is_relative_to(PACKAGE / "cli"):
        return
    for node in ast.walk(ast.parse(module.read_bytes())):
        assert not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"), (
            f"{module.name}:{node.lineno}: use logging"
        )


@pytest.mark.promise("read-only")
@pytest.mark.parametrize("room", ["watch", "media", "faces"])
def test_the_rooms_that_touch_photos_call_nothing_that_changes_a_disk(room: str) -> None:
    """Photos are only ever read. What these rooms are given as a root, they cannot write to.

    `faces/models.py` keeps the cache of networks: it knows its own folder, and of photos nothing.
    """
    changing = {"rename", "renames", "replace", "remove", "unlink", "rmdir", "removedirs", "symlink", "link", "mkdir"}
    changing |= {"makedirs", "truncate", "ftruncate", "chmod", "chown", "utime", "setxattr", "removexattr", "write"}
    for module in sorted({*(PACKAGE / room).rglob("*.py")} - {PACKAGE / "faces" / "models.py"}):
        for node in ast.walk(ast.parse(module.read_bytes())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                assert node.attr not in changing, f"{module.name}:{node.lineno}: os.{node.attr}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
                path = node.args[0]
                if isinstance(path, ast.Constant) and str(path.value).startswith("/proc/self/"):
                    continue  # the process itself, and no disk
                modes = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
                assert all(isinstance(mode, ast.Constant) and mode.value in {"r", "rb"} for mode in modes), (
                    f"{module.name}:{node.lineno}: opened for writing"
                )


@pytest.mark.skipif(
    "def main(" not in (PACKAGE / "cli" / "__init__.py").read_text(encoding="utf-8"),
    reason="the command line is not there yet",
)
@pytest.mark.parametrize("arguments", [["--help"], ["people", "--help"], ["run", "--help"]], ids=" ".join)
def test_help_loads_none_of_the_heavy_libraries(arguments: list[str]) -> None:
    program = f"""
import sys
sys.argv = ["guyverd", *{arguments!r}]
from guyverd.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", *sorted({set(HEAVY)!r} & set(sys.modules)))
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1].split() == ["LOADED"]
