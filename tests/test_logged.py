"""Every line of the log: its text is fixed, and what it is about stands in fields of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import guyverd
from guyverd.service.journal import FIELDS

pytestmark = pytest.mark.promise("report")

PACKAGE = Path(guyverd.__file__).parent
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    for module in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_bytes())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in ("log", "logger")
            ):
                yield f"{module.relative_to(PACKAGE)}:{node.lineno}", node


CALLS = dict(calls())


def test_there_are_some() -> None:
    assert len(CALLS) > 30


@pytest.mark.parametrize("where", CALLS)
def test_the_text_of_a_line_is_fixed(where: str) -> None:
    """So that lines of one kind can be counted together, and a report for others can keep it."""
    text = CALLS[where].args[0]
    assert isinstance(text, ast.Constant), "what varies is passed beside it"


@pytest.mark.parametrize("where", CALLS)
def test_a_line_that_names_a_path_says_so_in_a_field(where: str) -> None:
    call = CALLS[where]
    names_a_path = any("fsdecode" in ast.unparse(argument) for argument in call.args)
    extra = next((keyword.value for keyword in call.keywords if keyword.arg == "extra"), None)
    assert extra is not None or not names_a_path
    if isinstance(extra, ast.Dict):
        named = {key.value for key in extra.keys if isinstance(key, ast.Constant)}
        assert named <= set(FIELDS), "others are not written"
