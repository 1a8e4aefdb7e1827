"""The completion scripts, read by the real shells where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
    [("guyverd fa", 1, {"faces", "failures"}), ("guyverd search --", 2, {"--face", "--copy-to", "--json", "--help"})],
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
