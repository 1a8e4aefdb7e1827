"""Every command is documented, in its help and in docs/cli.md, and both say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from guyverd.cli import main
from guyverd.cli.guard import INTERRUPTED, READER_GONE
from guyverd.service.api import METHODS, Library
from tests.cli.conftest import Run, parsed
from tests.cli.fake import FakeLibrary
from tests.cli.test_guard import every_class

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
GLOBAL = {"--config", "--version", "--help", "--json"}

DATA = {
    "scan": [],
    "status": [],
    "people": [],
    "person": ["12"],
    "faces": [],
    "name": ["12", "Alice"],
    "rename": ["12", "Alice"],
    "merge": ["12", "31"],
    "confirm": ["12", "1"],
    "reject": ["12", "1"],
    "split": ["12", "1"],
    "same": ["1", "2"],
    "different": ["1", "2"],
    "hide": ["12"],
    "unhide": ["12"],
    "undo": [],
    "redo": [],
    "log": [],
    "recluster": [],
    "review": [],
    "box": ["/x.jpg", "10", "20", "110", "140", "--name", "Bob"],
    "album": ["Alice & Bob"],
    "albums": [],
    "folders": [],
    "who": ["/x.jpg"],
    "search": ["Alice"],
    "together": ["Alice", "31"],
    "timeline": ["12"],
    "follow": ["Alice", "--as", "Us", "--to", "OUT"],
    "follows": [],
    "unfollow": ["1"],
    "export": ["12", "OUT"],
    "crops": ["12", "--out", "OUT"],
    "failures": [],
    "accept": ["/mnt/nas"],
    "forget": [],
    "check": [],
    "backup": [],
    "backups": [],
    "restore": ["FILE"],
    "doctor": [],
    "bundle": ["OUT"],
    "evaluate": ["PHOTOS"],
    "tune": ["PHOTOS"],
}
"""Every command that prints data, with arguments that work."""


SAID = ("confirm", "reject", "split", "same", "different", "hide", "unhide", "undo", "redo")
"""Commands that record a decision, and print it in the same way."""


def sections() -> dict[str, str]:
    parts = re.split(r"^### (\S+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def command(name: str) -> click.Command:
    return main.commands[name]


def long_options(one: click.Command) -> set[str]:
    return {max(item.opts, key=len) for item in one.params if isinstance(item, click.Option)}


every_command = pytest.mark.parametrize("name", list(main.commands))


def test_the_page_has_exactly_the_commands() -> None:
    assert list(sections()) == list(main.commands)
    assert re.findall(r"^\| \[`guyverd (\S+)`\]\(#(\S+)\) \|", PAGE, re.MULTILINE) == [(n, n) for n in main.commands]


@every_command
def test_help_has_a_sentence_and_examples(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    text = result.stdout
    examples = re.search(r"\n  Examples:\n((?:    guyverd .*\n)+)", text)
    assert examples, text
    assert 1 <= examples[1].count("\n") <= 3
    assert re.search(rf"\b{name}\b", examples[1])
    first = (command(name).help or "").splitlines()[0]
    assert re.fullmatch(r"[A-Z].*\.", first)
    assert run(name, "-h").stdout == text
    assert first in run("--help").stdout, "it must be short enough for the list of commands"


@every_command
def test_every_option_is_explained(name: str) -> None:
    for item in command(name).params:
        if isinstance(item, click.Option):
            assert item.help, item.opts


@every_command
def test_examples_use_only_options_that_exist(name: str) -> None:
    for line in re.findall(r"^ +guyverd (.*)$", command(name).help or "", re.MULTILINE):
        ours = line.partition(" | ")[0]
        used = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", ours)) - {"--config"}
        known = {option for item in command(name).params for option in item.opts}
        assert used <= known, line


@every_command
def test_the_page_names_each_option_and_no_other(name: str) -> None:
    section = sections()[name]
    assert f"`guyverd {name}" in section
    wanted = long_options(command(name))
    named = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+|-[a-z]\b)", section))
    assert wanted <= named
    assert named - wanted <= GLOBAL - {"--json"}
    usage = section[section.index("`guyverd") :].split("`")[1]
    for item in command(name).params:
        if isinstance(item, click.Argument) and item.nargs == 1 and not isinstance(item.type, click.Choice):
            assert re.search(rf"\b{(item.metavar or '').strip('[]')}\b", usage), usage
        if isinstance(item.type, click.Choice):
            assert "|".join(item.type.choices) in usage


def test_json_is_an_option_of_every_command_with_data() -> None:
    assert {name for name in main.commands if "--json" in long_options(command(name))} == set(DATA)


@pytest.mark.usefixtures("config", "evaluator")
@pytest.mark.parametrize("name", list(DATA))
def test_the_page_lists_the_json_keys(run: Run, library: FakeLibrary, home: Path, name: str) -> None:
    places = {"OUT": str(home / "out"), "PHOTOS": str(home / "photos")}
    arguments = [places.get(argument, argument) for argument in DATA[name]]
    rows = parsed(run(name, *arguments, "--json"))
    match = re.search(r"^JSON(, one object| Lines)[^:]*: ((?:`\w+`,?\s*)+)", sections()[name], re.MULTILINE)
    assert match, "the section says what it prints"
    assert re.findall(r"`(\w+)`", match[2]) == list(rows[0])
    if match[1] == ", one object":
        assert len(rows) == 1


@pytest.mark.usefixtures("config")
def test_the_page_lists_the_keys_of_a_search_without_a_choice(run: Run, library: FakeLibrary, home: Path) -> None:
    library.faces_in_picture = 2
    (home / "x.jpg").write_bytes(b"")
    (row,) = parsed(run("search", home / "x.jpg", "--json"))
    first, second, third, *others, last = (f"`{key}`" for key in row)
    told = f"{first}, {second}, {third} (which is empty), and {', '.join(others)} and {last} of the picture"
    assert told in " ".join(sections()["search"].split())


@pytest.mark.usefixtures("config")
def test_the_page_lists_the_keys_of_what_is_inside(run: Run, library: FakeLibrary) -> None:
    inner = {"person": "pictures", "review": "shown", "who": "faces", "check": "checks", "search": "duplicates"}
    inner["together"] = "people"
    for name, key in {**inner, "doctor": "checks", "bundle": "contents"}.items():
        row = parsed(run(name, *DATA[name], "--json"))[0]
        match = re.search(rf"Each of `{key}` has ((?:(?:and )?`\w+`,?\s*)+)", " ".join(sections()[name].split()))
        assert match
        assert set(re.findall(r"`(\w+)`", match[1])) == set(row[key][0])


def test_the_page_lists_the_exit_codes() -> None:
    table = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    raised = {cls.exit_code for cls in every_class()}
    assert table == sorted({0, 2, INTERRUPTED, READER_GONE} | raised)


def test_every_use_case_has_a_command() -> None:
    # `progress` is what `scan` shows, `answer` what `review` gives, `journal` what `bundle` collects; `album` and
    # `folders` do all that is done with one.
    within = {"progress", "answer", "journal", "album_rename", "album_remove", "folders_resume", "folders_rebuild"}
    assert set(METHODS) - within <= set(main.commands)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_fake_has_the_documented_keys(method: str) -> None:
    """The fake is worth no more than its likeness: every key it gives stands in the Protocol's docstring."""
    arguments: dict[str, list[object]] = {
        "person": ["12"],
        "name": ["12", "A"],
        "merge": ["12", "31"],
        "confirm": ["12", ["1"]],
        "reject": ["12", ["1"]],
        "split": ["12", ["1"]],
        "same": ["1", "2"],
        "different": ["1", "2"],
        "hide": ["12"],
        "unhide": ["12"],
        "answer": ["who-31", "yes"],
        "album": [["Alice & Bob"]],
        "album_rename": ["Us", "We"],
        "album_remove": ["Us"],
        "box": ["/x", [1, 2, 30, 40], "12"],
        "who": ["/x"],
        "search": ["/x"],
        "together": [["Alice", "31"]],
        "timeline": ["12"],
        "follow": ["/x", "Us", "/kid"],
        "unfollow": ["1"],
        "accept": ["/mnt/nas"],
    }
    answer = getattr(FakeLibrary(), method)(*arguments.get(method, []))
    related = {"person": ["people"], "merge": ["people"], "scan": ["progress"]}
    related |= {name: ["log", "confirm"] for name in SAID}
    related |= {"follow": ["follows"], "unfollow": ["follows"]}
    related |= {name: ["log", "confirm", "album"] for name in ("album", "album_rename", "album_remove")}
    documented = "".join(getattr(Library, name).__doc__ for name in {method, *related.get(method, [])})
    documented += Library.who.__doc__ or "" if method == "search" else ""
    keys = set(re.findall(r"`(\w+)`", documented))
    assert top_keys(answer if isinstance(answer, dict) else next(iter(answer))) <= keys


def top_keys(value: object) -> set[str]:
    """All keys in a row, also of the rows in it; those of `versions` and `metrics` are names of what they tell of."""
    if isinstance(value, dict):
        inner = [top_keys(item) for key, item in value.items() if key not in ("versions", "metrics")]
        return set(value).union(*inner)
    return set().union(*map(top_keys, value)) if isinstance(value, list) else set()
