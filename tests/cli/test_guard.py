"""Whatever goes wrong: one line on standard error, and an exit code for each family of errors."""

from __future__ import annotations

import inspect
import logging
import re
import string

import click
import pytest

from guyverd import errors
from guyverd.cli import output
from guyverd.cli.format import safe
from guyverd.errors import ConfigError, ControlError, GuyverError
from tests.cli.conftest import Run
from tests.cli.fake import FakeLibrary

pytestmark = pytest.mark.usefixtures("config")


def every_class() -> list[type[GuyverError]]:
    found = [item for item in vars(errors).values() if inspect.isclass(item) and issubclass(item, GuyverError)]
    return sorted(found, key=lambda cls: cls.__name__)


def example(cls: type[GuyverError]) -> GuyverError:
    """An error of the class with an ugly text in every field that its message or hint names."""
    if cls is ConfigError:
        return ConfigError(where="x\ny", detail="it is \x1b[31mwrong")
    texts = (inspect.getdoc(cls) or "") + cls.hint
    names = {name for _, name, _, _ in string.Formatter().parse(texts) if name}
    return cls(**dict.fromkeys(names, "a \x1b[31m\nb\u202e \udcff"))


def documented_codes() -> dict[str, int]:
    """Class -> exit code, from the tree in the module's docstring."""
    codes: dict[str, int] = {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.fullmatch(r"[\s│]*(?:[├└]── )?(\w+)\s+(\d+)\s*([\w, ]*)", line)
        if match:
            for name in [match[1], *filter(None, match[3].replace(" ", "").split(","))]:
                codes[name] = int(match[2])
    return codes


@pytest.mark.parametrize("cls", every_class(), ids=lambda cls: cls.__name__)
def test_every_error_is_one_line_and_has_its_code(run: Run, library: FakeLibrary, cls: type[GuyverError]) -> None:
    library.trouble = example(cls)
    result = run("people", "--json")
    assert result.exit_code == documented_codes()[cls.__name__]
    assert result.stdout == ""
    assert re.fullmatch(r"guyverd: [^\x00-\x1f\u202e\udcff]+\n", result.stderr), ascii(result.stderr)
    assert safe(" ".join(library.trouble.advice.split())) in result.stderr


def test_an_error_in_mid_list_comes_after_what_was_printed(
    run: Run, library: FakeLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(hidden: bool) -> object:
        yield library.everyone[0]
        raise ControlError(detail="it went away")

    monkeypatch.setattr(library, "people", breaking)
    result = run("people", "--json")
    assert result.exit_code == 11
    assert result.stdout.count("\n") == 1
    assert result.output.index("Alice") < result.output.index("it went away")


def test_the_unexpected(run: Run, library: FakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    library.trouble = ZeroDivisionError("by\nzero \x1b[31m")
    result = run("status")
    assert result.exit_code == 1
    assert result.stderr == (
        "guyverd: unexpected ZeroDivisionError: by zero \\x1b[31m. "
        "Run it again with GUYVERD_DEBUG=1 in the environment for the traceback.\n"
    )
    monkeypatch.setenv("GUYVERD_DEBUG", "1")
    traced = run("status")
    assert traced.exit_code == 1
    assert "Traceback (most recent call last)" in traced.stderr
    assert "\x1b" not in traced.stderr


def test_a_broken_connection_is_not_taken_for_a_closed_output(run: Run, library: FakeLibrary) -> None:
    library.trouble = BrokenPipeError(32, "Broken pipe")
    result = run("status")
    assert result.exit_code == 1
    assert "unexpected BrokenPipeError" in result.stderr


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c(run: Run, library: FakeLibrary, stop: BaseException) -> None:
    library.trouble = stop
    result = run("people")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "guyverd: interrupted.\n")


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["people", "--nonsense"], ["name", "12"], ["search", "x", "-k", "y"]]
)
def test_wrong_usage(run: Run, library: FakeLibrary, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert library.calls == []


def test_a_config_that_is_missing_or_wrong(run: Run, library: FakeLibrary, tmp_path: object) -> None:
    missing = run("--config", "/nowhere/x.yaml", "people")
    assert missing.exit_code == 3
    assert missing.stderr.startswith("guyverd: There is no config at /nowhere/x.yaml. Write one with `guyverd init")
    wrong = run("--config", "/dev/null", "people")
    assert wrong.exit_code == 3
    assert library.calls == []


def test_warnings_of_the_library_are_notes(run: Run, library: FakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    log = logging.getLogger("guyverd.service")

    def warning() -> list[object]:
        log.info("not shown")
        log.warning("%s: damaged", "/x\n\x1b[31m.jpg")
        return []

    monkeypatch.setattr(library, "failures", warning)
    result = run("failures", "--json")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "/x\\n\\x1b[31m.jpg: damaged\n"
    assert logging.getLogger("guyverd").propagate
    assert not logging.getLogger("guyverd").handlers


def test_output_lost_has_the_general_code() -> None:
    assert output.OutputLost(detail="No space left on device").exit_code == 1
