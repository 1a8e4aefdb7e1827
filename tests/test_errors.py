"""Every error a person can meet has a message, advice and an exit code, and survives pickling and the wire."""

from __future__ import annotations

import ast
import inspect
import json
import pickle
import re
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import guyverd.errors
from guyverd.errors import ConfigError, ExportError, FaceChoice, GuyverError, NameTaken, PictureError, UnknownPerson

PACKAGE = Path(guyverd.errors.__file__).parent
CLASSES = {
    name: cls
    for name, cls in vars(guyverd.errors).items()
    if inspect.isclass(cls) and issubclass(cls, GuyverError) and cls.__module__ == "guyverd.errors"
}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def needed(cls: type[GuyverError]) -> set[str]:
    """The fields that the class's message and hint speak of."""
    return placeholders(cls.__doc__ or "") | placeholders(cls.hint)


def sample(cls: type[GuyverError]) -> GuyverError:
    return cls(**{name: f"the {name}" for name in needed(cls)})


def documented_codes() -> dict[str, int]:
    """The tree in the module's docstring: class name to exit code."""
    codes = {}
    for line in (guyverd.errors.__doc__ or "").splitlines():
        if match := re.search(r"(\w+)\s+(\d+)(?:\s+([\w, ]+))?$", line):
            for name in [match[1], *re.findall(r"\w+", match[3] or "")]:
                codes[name] = int(match[2])
    return codes


def raised_in(source: Path) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CLASSES:
                yield node, name


def test_every_exit_code_is_the_documented_one() -> None:
    assert {name: cls.exit_code for name, cls in CLASSES.items()} == documented_codes()


def test_one_family_has_one_exit_code_and_no_two_share_one() -> None:
    codes = Counter(cls.exit_code for cls in GuyverError.__subclasses__())
    assert {code for code, families in codes.items() if families > 1} == {ConfigError.exit_code}
    assert 2 not in codes, "2 is wrong usage"
    for cls in CLASSES.values():
        for child in cls.__subclasses__():
            assert cls is GuyverError or child.exit_code == cls.exit_code


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_message_and_advice_read_like_sentences(cls: type[GuyverError]) -> None:
    error = sample(cls)
    assert cls.__dict__["__doc__"], "its docstring is what the user reads"
    assert str(error) == error.message
    for name in needed(cls):
        assert f"the {name}" in error.message + error.advice
    for text in filter(None, (error.message, error.advice)):
        assert "\n" not in text
        assert not re.search(r"[{}]", text)
    assert error.message.endswith(".")
    assert error.advice.endswith((".", "the hint", ""))


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_survives_pickling(cls: type[GuyverError]) -> None:
    error = sample(cls)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert copy.fields == error.fields
    assert (copy.message, copy.advice) == (error.message, error.advice)


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_survives_the_wire(cls: type[GuyverError]) -> None:
    error = sample(cls)
    copy = GuyverError.from_wire(json.loads(json.dumps(error.to_wire())))
    assert type(copy) is cls
    assert (copy.message, copy.advice, copy.exit_code) == (error.message, error.advice, error.exit_code)


def test_paths_that_are_bytes_are_shown_as_text() -> None:
    error = PictureError(path=b"/photos/Zo\xc3\xab \xff.jpg", detail=7)
    assert error.message == "/photos/Zoë \\xff.jpg: 7."
    assert GuyverError.from_wire(error.to_wire()).message == error.message


def test_a_path_keeps_its_question_mark_and_a_detail_its_own_full_stop() -> None:
    assert PictureError(path="who?.jpg", detail="odd").message == "who?.jpg: odd."
    assert ConfigError(where="a.yaml, line 2", detail="did you mean `quiet`?").message.endswith("`quiet`?")
    assert ExportError(path="/x", detail="No space left.").message == "/x: No space left."


@given(st.text(), st.binary())
def test_any_field_can_be_shown_printed_and_sent(detail: str, path: bytes) -> None:
    error = PictureError(path=path, detail=detail)
    error.message.encode("utf-8")
    assert "\n" not in error.message
    assert GuyverError.from_wire(json.loads(json.dumps(error.to_wire()))).message == error.message


def test_a_lone_surrogate_can_be_printed() -> None:
    assert UnknownPerson(person="a\udcffb\ud800").message == "No person is numbered or named a\\udcffb\\ud800."


@pytest.mark.parametrize(
    "wire",
    [
        {"type": "FromTheFuture", "fields": {"detail": "so it is"}},
        {"type": "NameTaken", "fields": {"detail": "so it is"}},
        {"type": "ConfigError", "fields": {"detail": "so it is"}},
        {"type": "FaceChoice", "fields": {"path": "so it is", "face": 3}},
    ],
)
def test_what_another_version_sends_is_still_told(wire: dict[str, object]) -> None:
    error = GuyverError.from_wire(wire)
    assert type(error) is GuyverError
    assert str(wire["type"]) in error.message
    assert "so it is" in error.message


@pytest.mark.parametrize("wire", [{}, {"type": 3, "fields": [1]}, {"fields": None}])
def test_nonsense_on_the_wire_is_a_plain_error(wire: dict[str, object]) -> None:
    assert type(GuyverError.from_wire(wire)) is GuyverError


def test_a_field_that_is_missing_is_noticed_where_it_is_raised() -> None:
    with pytest.raises(KeyError):
        FaceChoice(path="x")
    assert "person 4" in NameTaken(name="Ada", person=4, other=7).message


@pytest.mark.parametrize("source", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_whoever_raises_gives_every_field_that_is_spoken_of(source: Path) -> None:
    for call, name in raised_in(source):
        given_fields = {keyword.arg for keyword in call.keywords}
        if None in given_fields:
            continue  # **fields: cannot be seen from here
        told = inspect.signature(CLASSES[name]).parameters.values()
        required = needed(CLASSES[name]) - {one.name for one in told if one.default is not one.empty}
        assert required <= given_fields, f"{source.name}:{call.lineno}: {name} lacks {required - given_fields}"
