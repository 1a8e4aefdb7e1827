"""The program as a process: pipes that close, odd encodings, terminals, full disks, and how fast it starts."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.cli import output
from guyverd.cli.format import width
from guyverd.cli.output import Column
from tests.cli.fake import LONG

PROJECT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "tests.cli.program"]
HEAVY = {"numpy", "dlib", "hnswlib", "PIL", "pillow_heif", "rich", "sqlite3", "sqlite_utils", "networkx", "yaml"}


@pytest.fixture
def environment(config: Path) -> dict[str, str]:
    wanted = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**wanted, "PYTHONUTF8": "0", "PYTHONIOENCODING": "utf-8", "TERM": "xterm-256color"}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*PROGRAM, *arguments], env=environment, cwd=PROJECT, capture_output=True, timeout=60, check=False
    )


def on_a_terminal(environment: dict[str, str], *arguments: str, columns: int = 80) -> tuple[int, str]:
    """Exit code and everything the terminal got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(
        [*PROGRAM, *arguments], env=environment, cwd=PROJECT, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        got = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError as problem:
                if problem.errno != errno.EIO:  # how Linux tells that the other side was closed
                    raise
                break
            if not block:
                break
            got += block
    os.close(ours)
    return process.returncode, got.decode()


def test_a_reader_that_goes_away(environment: dict[str, str]) -> None:
    environment["FAKE_FACES"] = "200000"
    for options in ([], ["--json"]):
        with subprocess.Popen(
            [*PROGRAM, "faces", *options],
            env=environment,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141


def test_standard_output_closed_from_the_start(environment: dict[str, str]) -> None:
    script = f"{sys.executable} -m tests.cli.program people >&-"
    done = subprocess.run(["sh", "-c", script], env=environment, cwd=PROJECT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_under_standard_output(environment: dict[str, str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, "people", "--json"],
            env=environment,
            cwd=PROJECT,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"guyverd: The output could not be written: No space left on device.\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding(environment: dict[str, str], encoding: str) -> None:
    environment["PYTHONIOENCODING"] = encoding
    for command in (["people"], ["faces"], ["status"], ["person", "Alice"], ["--help"], ["completion", "bash"]):
        done = run(environment, *command)
        assert done.returncode == 0, done.stderr
        done.stdout.decode(encoding)
    nobody = run(environment, "people").stdout.decode(encoding).splitlines()[-1]
    assert nobody.split() == ["31", "–" if encoding == "utf-8" else "-", "1", "1", "–" if encoding == "utf-8" else "-"]


def test_arguments_and_json_with_bytes_that_are_no_text(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*PROGRAM, "who", b"caf\xe9.jpg", "--json"], env=environment, cwd=PROJECT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert os.fsencode(json.loads(done.stdout)["path"]) == os.fsencode(PROJECT) + b"/caf\xe9.jpg"


def test_away_from_a_terminal_there_is_no_colour_and_nothing_is_cut(environment: dict[str, str]) -> None:
    environment["COLUMNS"] = "40"
    done = run(environment, "faces")
    assert b"\x1b" not in done.stdout + done.stderr
    assert LONG in done.stdout.decode()


def test_on_a_terminal_names_stay_harmless(environment: dict[str, str]) -> None:
    code, got = on_a_terminal(environment, "people", columns=120)
    assert code == 0
    assert "\x1b[1m" in got, "titles are bold on a terminal"
    assert "[bold]Eve[/bold] :smile:" in got
    assert r"\x1b[31m\n\u202egnp.exe" in got
    assert "\x1b[31m" not in got
    assert "\u202e" not in got


def test_on_a_narrow_terminal_paths_are_folded_not_cut(environment: dict[str, str]) -> None:
    environment["NO_COLOR"] = "1"
    code, got = on_a_terminal(environment, "person", "12", columns=60)
    assert code == 0
    assert "…" not in got
    letters = "".join(re.sub(r"\x1b\[[0-9;]*m", "", got).split())
    assert letters.count("averylongfolder") == 6
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 60 for line in got.splitlines()[1:])


@pytest.mark.parametrize(
    ("across", "expected"), [(80, [4, 30, 20]), (40, [4, 16, 16]), (50, [4, 22, 20]), (5, [4, 8, 8])]
)
def test_the_widest_columns_give_way_first(across: int, expected: list[int]) -> None:
    columns = [Column("id", str), Column("file", str, long=True), Column("folder", str, long=True)]
    widths = [4, 30, 20]
    output._narrow(columns, widths, across)
    assert widths == expected


@given(st.text(alphabet="ab漢字e\u0301😀 /", max_size=30), st.integers(2, 9))
def test_folding_loses_nothing_and_fits(text: str, across: int) -> None:
    pieces = output._folded(text, across)
    assert "".join(pieces) == text
    assert all(width(piece) <= across for piece in pieces)


def test_no_color(environment: dict[str, str]) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9]")
    assert colour.search(on_a_terminal(environment, "scan")[1])
    environment["NO_COLOR"] = "1"
    assert not colour.search(on_a_terminal(environment, "scan")[1])


def test_a_scan_on_a_terminal_shows_a_bar(environment: dict[str, str]) -> None:
    code, got = on_a_terminal(environment, "scan", columns=80)
    assert code == 0
    assert "reading photos" in got
    assert "━" in got
    assert "10 of 40 photos, 1 min 15 s left" in got
    assert "42 files found, 20 faces, 1 failure, 12.5 photos/s" in got
    assert "40 photos read, 80 faces found" in got.splitlines()[-1]


def test_warnings_in_a_scan_do_not_spoil_the_bar(environment: dict[str, str]) -> None:
    environment["FAKE_WARNING"] = "/photos/[bold]x\x1b[2J.jpg"
    code, got = on_a_terminal(environment, "scan", columns=80)
    assert code == 0
    assert "\x1b[2J" not in got
    assert r"/photos/[bold]x\x1b[2J.jpg: damaged" in got
    assert got.index("damaged") < got.index("10 of 40 photos")


def test_help_and_completion_import_nothing_heavy(environment: dict[str, str]) -> None:
    code = "import sys; from guyverd.cli import main; main(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    for arguments in (["--help"], ["search", "--help"], ["completion", "fish"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], env=environment, cwd=PROJECT, capture_output=True, check=True
        )
        loaded = {name.partition(".")[0] for name in done.stdout.decode().splitlines()[-1].split()}
        assert "click" in loaded
        assert not loaded & HEAVY


def test_tables_on_a_terminal_need_no_rich(environment: dict[str, str]) -> None:
    environment["PYTHONPROFILEIMPORTTIME"] = "1"
    code, got = on_a_terminal(environment, "people")
    assert code == 0
    assert "guyverd.cli.copying" in got, "what the command is made of"
    assert "rich." not in got


def test_plain_tables_need_no_rich(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], "people"],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )
    assert b"guyverd.cli.copying" in done.stderr, "what the command is made of"
    assert b"rich." not in done.stderr
