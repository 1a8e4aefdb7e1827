"""The completion scripts, read by the real shells where they are installed."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pty
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guyverd import config_file
from guyverd.catalogue.store import Catalogue
from tests.cli.conftest import Run

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_valid(run: Run, tmp_path: Path, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_GUYVERD_COMPLETE" in result.stdout
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed; only the text was checked")
    script = tmp_path / "script"
    script.write_text(result.stdout)
    subprocess.run([shell, "-n", str(script)], check=True)


def test_another_shell_is_refused(run: Run) -> None:
    assert run("completion", "tcsh").exit_code == 2


@pytest.mark.parametrize(
    ("words", "cword", "wanted"),
    [("guyverd fa", 1, {"faces", "failures"}), ("guyverd search --c", 2, {"--copy-to", "--clips"})],
)
def test_what_is_completed(words: str, cword: int, wanted: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from guyverd.cli import main; main(prog_name='guyverd')"],
        env={**os.environ, "_GUYVERD_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(cword)},
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )
    assert {line.partition(",")[2] for line in done.stdout.decode().splitlines()} == wanted


# ---- names -----------------------------------------------------------------------------------------------------------

NASTY = 'O\'Brian "Ob" $HOME `id` \\z*'
"""Everything a shell might make something of."""

Complete = Callable[..., list[str]]


@pytest.fixture
def known(config: Path) -> Path:
    """A library with names, as the default one; returns the catalogue's file."""
    state = config_file.load(config).state
    state.mkdir(parents=True)
    people = [
        ("Alice Liddell", 0),
        ("Al, the second", 0),
        ("Ärmel", 0),
        (NASTY, 0),
        ("Quiet One", 1),
        ("two\nlines", 0),
    ]
    with Catalogue(os.fsencode(state / "catalogue.db")) as catalogue:
        for name, hidden in people:
            catalogue._db.write(functools.partial(_add, name=name, hidden=hidden))
        catalogue._db.write(lambda db: db.execute("UPDATE people SET merged_into = 1 WHERE name = 'Ärmel'"))
    return state / "catalogue.db"


def _add(db: Any, *, name: str, hidden: int) -> None:
    db.execute("INSERT INTO people (name, created_at, hidden) VALUES (?, '2026-01-01', ?)", (name, hidden))


@pytest.fixture
def complete(home: Path) -> Complete:
    """What the program offers for the last word of a line, and that it says nothing else."""

    def ask(
        *words: str,
        program: str = "from guyverd.cli import main; main(prog_name='guyverd')",
        kinds: tuple[str, ...] = ("plain",),
    ) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={
                **os.environ,
                "_GUYVERD_COMPLETE": "bash_complete",
                "COMP_WORDS": "\n".join(("guyverd", *words)),
                "COMP_CWORD": str(len(words)),
            },
            cwd=PROJECT,
            capture_output=True,
            check=True,
        )
        assert done.stderr == b""
        lines = done.stdout.decode().strip("\n").splitlines()  # one line end even where there is nothing
        assert all(line.partition(",")[0] in kinds for line in lines)
        return [line.partition(",")[2] for line in lines]

    return ask


@pytest.mark.usefixtures("known")
def test_names_are_completed_wherever_a_person_is_meant(complete: Complete) -> None:
    both = ["Al, the second", "Alice Liddell"]
    for words in (
        ["person"],
        ["name"],
        ["rename"],
        ["merge"],
        ["merge", "12"],
        ["confirm"],
        ["reject"],
        ["split"],
        ["export"],
        ["crops"],
        ["log"],
        ["hide"],
        ["faces", "--person"],
        ["box", "a.jpg", "1", "1", "9", "9", "--person"],
        ["review", "--person"],
        ["different", "--people"],
        ["different", "--people", "12"],
        ["timeline"],
        ["together", "12"],
        ["together", "12", "--without"],
        ["search", "a.jpg", "--with"],
    ):
        assert complete(*words, "aL") == both, words
    assert complete("person", "alice") == ["Alice Liddell"]
    assert complete("person", "Zoe") == []
    assert complete("person", "'alice l") == ["Alice Liddell"], "a quote that was opened"


@pytest.mark.usefixtures("known")
def test_a_search_is_completed_with_names_and_files(complete: Complete) -> None:
    assert complete("search", "aL", kinds=("plain", "file")) == ["Al, the second", "Alice Liddell", "aL"]
    assert complete("search", "zoe", kinds=("file",)) == ["zoe"]


@pytest.mark.usefixtures("known")
def test_the_hidden_are_offered_to_be_unhidden_and_not_to_be_hidden(complete: Complete) -> None:
    assert complete("unhide", "") == ["Quiet One"]
    assert complete("person", "q") == ["Quiet One"]
    assert complete("hide", "q") == []
    assert complete("hide", "") == ["Al, the second", "Alice Liddell", NASTY], (
        "nobody absorbed, and no name of two lines"
    )


def test_whatever_is_wrong_the_shell_hears_nothing(complete: Complete, known: Path) -> None:
    known.write_bytes(b"no catalogue at all")
    assert complete("person", "") == []
    known.unlink()
    assert complete("person", "") == []
    assert not known.exists(), "and nothing is made"
    Path(os.environ["GUYVERD_CONFIG"]).write_text("photos: [")
    assert complete("person", "") == []


@pytest.mark.usefixtures("known")
def test_another_config_is_asked_where_one_is_named(complete: Complete, home: Path) -> None:
    other = home / "other.yaml"
    other.write_text(f"photos: {home}/photos\npeople: {home}/people\nstate: {home}/empty\n")
    assert complete("--config", str(other), "person", "") == []


@pytest.mark.usefixtures("known")
def test_a_name_costs_no_daemon_and_none_of_the_libraries_that_do_the_work(complete: Complete, home: Path) -> None:
    told = home / "told"
    program = (
        "import sys, json, atexit\n"
        f"atexit.register(lambda: open({str(told)!r}, 'w').write(json.dumps(sorted(sys.modules))))\n"
        "from guyverd.cli import main\nmain(prog_name='guyverd')"
    )
    assert complete("person", "alice", program=program) == ["Alice Liddell"]
    loaded = set(json.loads(told.read_text()))
    assert "guyverd.catalogue.glance" in loaded
    assert not loaded & {"numpy", "PIL", "sqlite_utils", "hnswlib", "onnxruntime", "guyverd.service.lock"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("person ali\t", ["person", "Alice Liddell"]),
        ("person Alice\\ L\t", ["person", "Alice Liddell"]),
        ('person "ali\t', ["person", "Alice Liddell"]),
        ("person 'alice l\t", ["person", "Alice Liddell"]),
        ("merge al\tice\t o\t", ["merge", "Alice Liddell", NASTY]),
        ('merge o\t "o\t', ["merge", NASTY, NASTY]),
        ("merge 'o\t 12", ["merge", NASTY, "12"]),
        ("person al\t,\t", ["person", "Al, the second"]),
        ("fac\t --person ali\t --js\t", ["faces", "--person", "Alice Liddell", "--json"]),
    ],
)
def test_bash_writes_a_name_so_that_it_is_one_word(
    run: Run, known: Path, home: Path, tmp_path: Path, typed: str, wanted: list[str]
) -> None:
    told = tmp_path / "told"
    program = tmp_path / "bin" / "guyverd"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\nsys.path.insert(0, {str(PROJECT)!r})\n"
        "if '_GUYVERD_COMPLETE' in os.environ:\n"
        "    from guyverd.cli import main\n    main(prog_name='guyverd')\n"
        f"open({str(told)!r}, 'w').write(json.dumps(sys.argv[1:]))\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "Alice Liddell").mkdir()
    script = tmp_path / "script"
    script.write_text(run("completion", "bash").stdout)
    ours, theirs = pty.openpty()
    bash = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "TERM": "dumb", "LC_ALL": "C.UTF-8"},
        start_new_session=True,
    )
    os.close(theirs)
    drain = threading.Thread(target=_drained, args=(ours,), daemon=True)
    drain.start()
    try:
        os.write(ours, f"bind 'set bell-style none'; . {script}\nguyverd {typed}\nexit\n".encode())
        bash.wait(20)
    finally:
        bash.kill()
        bash.wait()
        drain.join(5)
        os.close(ours)
    assert json.loads(told.read_text()) == wanted


def _drained(terminal: int) -> None:
    with contextlib.suppress(OSError):  # the other end is closed
        while os.read(terminal, 4096):
            pass
