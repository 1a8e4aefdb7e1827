"""The set-up on a bare machine: what is missing is named with its package; `make run` passes any path on unharmed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
TOOLS = ("sh", "echo", "cat", "dirname", "uname", "cksum", "rm", "mkdir", "env", "make")
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

# A Python of another version, or one that lacks parts: the real one, told to say so.
ODD_PYTHON = """
import importlib.util, os, sys, sysconfig
version, lacks = {version!r}, {lacks!r}
sys.version_info = tuple(version)
real_find, real_path = importlib.util.find_spec, sysconfig.get_path
importlib.util.find_spec = lambda name, *rest: None if "venv" in lacks and name == "ensurepip" else real_find(name)
sysconfig.get_path = lambda name, *rest: {folder!r} if name == "include" else real_path(name)
exec(sys.argv[2])
"""


class Machine:
    """A PATH that holds nothing but what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.folder = folder
        self.bin.mkdir(parents=True)
        for name in TOOLS:
            if found := shutil.which(name):
                (self.bin / name).symlink_to(found)

    def program(self, name: str, script: str = "exit 0") -> Path:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def python(self, name: str, version: tuple[int, int], *lacks: str) -> Path:
        include = self.folder / f"include-{name}"
        include.mkdir(exist_ok=True)
        if "header" not in lacks:
            (include / "Python.h").touch()
        body = self.folder / f"{name}.py"
        body.write_text(ODD_PYTHON.format(version=version, lacks=lacks, folder=str(include)))
        return self.program(name, f'exec "{sys.executable}" "{body}" "$@"')

    def preflight(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / "sh"), str(PROJECT / "scripts" / "preflight"), *arguments],
            env={"PATH": str(self.bin), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Linux on x86_64 with a compiler, and no Python yet."""
    made = Machine(tmp_path / "machine")
    made.program("c++")
    made.program("uname", 'case $1 in -s) echo Linux ;; -m) echo "${FAKE_CPU:-x86_64}" ;; esac')
    return made


def packages(told: subprocess.CompletedProcess[str]) -> list[str]:
    lines = [line for line in told.stderr.splitlines() if "apt install" in line]
    assert len(lines) == 1, told.stderr
    return lines[0].removeprefix("  sudo apt install ").split()


# ---- preflight -------------------------------------------------------------------------------------------------------


def test_a_complete_machine_gives_its_python(machine: Machine) -> None:
    python = machine.python("python3", (3, 12))
    told = machine.preflight()
    assert (told.returncode, told.stdout.strip(), told.stderr) == (0, str(python), "")
    assert machine.preflight("--packages").stdout == ""


def test_everything_that_is_missing_is_named_at_once(machine: Machine) -> None:
    machine.python("python3", (3, 11), "venv", "header")
    (machine.bin / "c++").unlink()
    told = machine.preflight(FAKE_CPU="armv7l")
    assert told.returncode == 1
    assert told.stdout == ""
    assert packages(told) == ["python3.11-venv", "python3.11-dev", "g++", "cmake"]
    assert machine.preflight("--packages", FAKE_CPU="armv7l").stdout.split() == packages(told)


@pytest.mark.parametrize(("part", "package"), [("venv", "python3.13-venv"), ("header", "python3.13-dev")])
def test_a_part_of_python_that_is_missing(machine: Machine, part: str, package: str) -> None:
    machine.python("python3", (3, 13), part)
    assert packages(machine.preflight()) == [package]


def test_no_compiler(machine: Machine) -> None:
    machine.python("python3", (3, 11))
    (machine.bin / "c++").unlink()
    assert packages(machine.preflight()) == ["g++"]
    machine.program("clang++")
    assert machine.preflight(CXX="clang++ -stdlib=libc++").returncode == 0


@pytest.mark.parametrize(("cpu", "needed"), [("x86_64", False), ("aarch64", False), ("armv7l", True)])
def test_cmake_is_asked_for_only_where_dlib_is_compiled(machine: Machine, cpu: str, needed: bool) -> None:
    machine.python("python3", (3, 11))
    told = machine.preflight(FAKE_CPU=cpu)
    assert (packages(told) if told.returncode else []) == (["cmake"] if needed else [])
    machine.program("cmake")
    assert machine.preflight(FAKE_CPU=cpu).returncode == 0


@pytest.mark.parametrize("version", [(3, 10), (3, 14), (2, 7)])
def test_a_python_too_old_or_too_new(machine: Machine, version: tuple[int, int]) -> None:
    machine.python("python3", version)
    machine.program("apt-cache", '[ "$2" = python3.12 ]')
    told = machine.preflight()
    assert "python3 is {}.{}".format(*version) in told.stderr
    assert packages(told) == ["python3.12", "python3.12-venv", "python3.12-dev"]


def test_no_python_at_all(machine: Machine) -> None:
    told = machine.preflight()
    assert packages(told) == ["python3.11", "python3.11-venv", "python3.11-dev"]
    assert "PYTHON=" in told.stderr


def test_the_first_python_that_lacks_nothing_is_taken(machine: Machine) -> None:
    machine.python("python3", (3, 10))
    machine.program("python3.13", "exit 127")  # a version manager's shim
    machine.python("python3.12", (3, 12), "header")
    complete = machine.python("python3.11", (3, 11))
    assert machine.preflight().stdout.strip() == str(complete)


def test_python_can_be_chosen(machine: Machine, tmp_path: Path) -> None:
    machine.python("python3", (3, 11))
    chosen = machine.python("my python", (3, 13))
    assert machine.preflight(PYTHON=str(chosen)).stdout.strip() == str(chosen)
    chosen = machine.python("my python", (3, 9))
    told = machine.preflight(PYTHON=str(chosen))
    assert told.returncode == 1
    assert "is 3.9" in told.stderr


# ---- make ------------------------------------------------------------------------------------------------------------


class Clone:
    """The project's set-up in a folder of its own, with a `python3` that notes what it was asked to install."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        self.folder = folder
        self.machine = machine
        self.home = folder.parent / "home"
        self.home.mkdir()
        folder.mkdir()
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy(PROJECT / name, folder)
        shutil.copytree(PROJECT / "scripts", folder / "scripts")
        self.log = folder.parent / "log"
        self.log.touch()
        self.argv = folder.parent / "argv.json"
        guyverd = folder.parent / "guyverd"
        guyverd.write_text(
            f"#!{sys.executable}\nimport json, os, sys\njson.dump([os.fsdecode(a) for a in map(os.fsencode, "
            f"sys.argv[1:])], open({str(self.argv)!r}, 'w'))\n"
        )
        guyverd.chmod(0o755)
        for name in ("cp", "chmod", "touch", "pwd"):
            if found := shutil.which(name):
                (machine.bin / name).symlink_to(found)
        # One program plays the system's Python and the virtual environment's.
        probe = machine.python("probe", (3, 12))
        machine.program(
            "python3",
            f"""
case "$*" in
--version) echo Python 3.12.0 ;;
"-m venv"*) echo venv >>"{self.log}"; mkdir -p "$3/bin"; cp "{machine.bin}/python3" "$3/bin/python" ;;
*"pip "*install*) echo "pip $*" >>"{self.log}"; [ -z "$BREAK" ] || exit 1; cp "{guyverd}" .venv/bin/guyverd ;;
"-c "*importlib*) exec "{probe}" "$@" ;;
"-c "*) ;;
*) echo "unexpected: $*" >&2; exit 9 ;;
esac""",
        )

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env={"PATH": str(self.machine.bin), "HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def done(self) -> list[str]:
        """What was done since last asked."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines


@pytest.fixture
def clone(tmp_path: Path, machine: Machine) -> Clone:
    return Clone(tmp_path / "a clone", machine)


def test_make_alone_explains(clone: Clone) -> None:
    told = clone.make()
    assert told.returncode == 0
    assert "make run PHOTOS=DIR [PEOPLE=DIR]" in told.stdout
    assert clone.done() == []


def test_set_up_is_done_once(clone: Clone) -> None:
    assert clone.make("setup").returncode == 0
    assert [line.split()[0] for line in clone.done()] == ["venv", "pip"]
    again = clone.make("setup")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert clone.done() == []


def test_those_who_run_it_need_not_download_what_tests_need(clone: Clone) -> None:
    clone.make("setup")
    assert "dev" not in " ".join(clone.done())
    clone.make("setup-dev")
    done = clone.done()
    assert "venv" not in done
    assert any(".[dev]" in line for line in done)
    assert any("--no-deps face-recognition==1.3.0" in line for line in done)
    clone.make("setup")
    assert clone.done() == []


def test_a_changed_pyproject_is_installed_again_without_starting_over(clone: Clone) -> None:
    clone.make("setup")
    clone.done()
    with (clone.folder / "pyproject.toml").open("a") as file:
        file.write("\n# changed\n")
    assert clone.make("setup").returncode == 0
    assert [line.split()[0] for line in clone.done()] == ["pip"]


def test_an_interrupted_set_up_is_done_from_the_start(clone: Clone) -> None:
    assert clone.make("setup", BREAK="yes").returncode != 0
    clone.done()
    assert clone.make("setup").returncode == 0
    assert [line.split()[0] for line in clone.done()] == ["venv", "pip"]


def test_a_clone_that_was_moved_is_set_up_again(clone: Clone) -> None:
    clone.make("setup")
    clone.done()
    clone.folder = clone.folder.rename(clone.folder.with_name("moved"))
    assert clone.make("setup").returncode == 0
    assert [line.split()[0] for line in clone.done()] == ["venv", "pip"]


def test_what_the_machine_lacks_ends_the_set_up(clone: Clone) -> None:
    (clone.machine.bin / "c++").unlink()
    told = clone.make("setup")
    assert told.returncode == 2
    assert "sudo apt install g++" in told.stderr
    assert clone.done() == []
    assert not (clone.folder / ".venv").exists()


ODD_NAMES = [
    "plain",
    "with space",
    "$HOME",
    "$(touch pwned)",
    "`touch pwned`",
    "it's",
    'say "hi"',
    "a;b&c|d",
    "#5",
    "é東",
]
ODD_NAMES += ["100%", "a=b", "-x", "*", "back\\slash", "$", "$$", "(", "a$(b"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_folder_reaches_guyverd_as_it_is(clone: Clone, tmp_path: Path, name: str) -> None:
    photos = tmp_path / "photos" / name
    photos.mkdir(parents=True)
    people = f"{tmp_path}/people/{name}"
    told = clone.make("run", f"PHOTOS={photos}", f"PEOPLE={people}")
    assert told.returncode == 0, told.stderr
    assert json.loads(clone.argv.read_text()) == ["run", "--photos", str(photos), "--people", people]
    assert not list(tmp_path.rglob("pwned"))


def test_people_may_be_left_to_guyverd(clone: Clone, tmp_path: Path) -> None:
    assert clone.make("run", f"PHOTOS={tmp_path}").returncode == 0
    assert json.loads(clone.argv.read_text()) == ["run", "--photos", str(tmp_path)]


def test_a_tilde_is_the_home(clone: Clone) -> None:
    (clone.home / "My Pictures").mkdir()
    assert clone.make("run", "PHOTOS=~/My Pictures", "PEOPLE=~/People").returncode == 0
    argv = json.loads(clone.argv.read_text())
    assert argv[2:] == [f"{clone.home}/My Pictures", "--people", f"{clone.home}/People"]
    assert clone.make("run", "PHOTOS=~").returncode == 0
    assert json.loads(clone.argv.read_text())[2] == str(clone.home)


def test_the_folder_may_come_from_the_environment(clone: Clone, tmp_path: Path) -> None:
    assert clone.make("run", PHOTOS=str(tmp_path)).returncode == 0
    assert json.loads(clone.argv.read_text())[2] == str(tmp_path)


@pytest.mark.parametrize("arguments", [[], ["PHOTOS="], ["PHOTOS=/no/such/folder"], ["PHOTOS=pyproject.toml"]])
def test_no_folder_is_told_before_anything_is_installed(clone: Clone, arguments: list[str]) -> None:
    told = clone.make("run", *arguments)
    assert told.returncode == 2
    ours = [line for line in told.stderr.splitlines() if not line.startswith("make: ")]
    assert len(ours) == 1
    assert "PHOTOS" in ours[0]
    assert clone.done() == []
    assert not clone.argv.exists()


@pytest.mark.parametrize("script", ["scripts/preflight", "scripts/setup", "scripts/run"])
def test_scripts_are_plain_shell(script: str) -> None:
    checked = subprocess.run(["sh", "-n", str(PROJECT / script)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert os.access(PROJECT / script, os.X_OK)


def test_continuous_integration_runs_the_tests() -> None:
    assert os.access(PROJECT / ".ci" / "run", os.X_OK)
    assert (PROJECT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
