"""The words that this program itself uses in what it says: only these may stand in a report for strangers.

They are taken from its own text, so that a new message needs nothing done here. Whatever else a text holds came from
somebody's disk, name or picture.
"""

from __future__ import annotations

import ast
import builtins
import errno
import functools
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

_DECODERS = """
    cannot identify image file broken truncated data stream when reading decoder error unrecognized bytes not processed
    bad header corrupt invalid unexpected end marker segment unsupported compression bits per sample samples mode frame
    tile seek past beyond unknown wrong format size limit pixels exceeds could be decompression bomb buffer overrun
    premature input memory allocation failed plugin loading no such object codec item reference box empty zero division
    index out of range list string tuple float integer negative value too large small many few read write io operation
    closed argument must required positional missing found expected got width height palette colour color transparency
    scan line strip offset count tag directory checksum chunk signature interlace filter huffman quantization table
"""
"""What Pillow, libheif and Python say of pictures that they cannot read."""
_FIRST_NAMES = {"Grace", "Hope", "Joy", "Mark", "May", "Rose", "Will"}
"""Of openings, what somebody may be called."""
_UNITS = "Errno kB MB GB TB ms min px MP x86_64 aarch64 arm64 riscv64 ppc64le s390x"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words, by where they may stand."""

    words: frozenset[str]
    """In lower case, anywhere; also names of settings, and of parts of the program."""
    openings: frozenset[str]
    """With a capital, at the beginning of a sentence."""
    marks: frozenset[str]
    """Abbreviations, names of errors and of signals, anywhere."""
    texts: frozenset[str]
    """Whole texts of the program, such as what a line in the log is made from."""


@functools.cache
def vocabulary() -> Vocabulary:
    """The words of this program; none at all where its text is not there to be read."""
    texts: set[str] = set()
    modules: set[str] = set()
    for path, source in _sources(resources.files("guyverd"), "guyverd"):
        modules.update(re.findall(r"\w+", path))
        texts.update(_texts(ast.parse(source), whole=path == "guyverd/errors"))
    told = [*texts, _DECODERS, *(os.strerror(number) for number in errno.errorcode)]
    words, openings = set(modules), set[str]()
    marks = {*_UNITS.split(), *errno.errorcode.values(), *(one.name for one in signal.Signals)}
    marks.update(name for name in dir(builtins) if name.endswith(("Error", "Exception", "Exit", "Interrupt")))
    for text in told:
        words.update(re.findall(r"(?<!\w)[a-z][a-z0-9_]*(?!\w)", text))
        marks.update(re.findall(r"(?<!\w)[A-Z]{2,}[A-Z0-9]*(?!\w)", text))
        openings.update(match[1] for match in re.finditer(r"(?:^|[.!?:;] )([A-Z][a-z]*)(?!\w)", text))
    words.update(word.lower() for number in errno.errorcode for word in re.findall(r"[A-Za-z]+", os.strerror(number)))
    openings -= _FIRST_NAMES
    # One that is but a word could be anybody's.
    whole = frozenset(text for text in texts if re.search("%[sdfr.]|[a-z]{2}.* .*[a-z]{2}", text))
    return Vocabulary(frozenset(words), frozenset(openings), frozenset(marks), whole)


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _sources(entry, f"{name}/{entry.name}")
        elif entry.name.endswith(".py"):
            yield f"{name}/{entry.name.removesuffix('.py')}", entry.read_bytes()


def _texts(tree: ast.AST, *, whole: bool) -> Iterator[str]:
    """The texts in a module; its docstrings, which are for who reads it, only if it is to be the `whole`."""
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body and not whole:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                skipped.add(id(first.value))
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and whole:
            yield node.name
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value
        if isinstance(node, ast.keyword | ast.arg) and node.arg is not None:
            yield node.arg
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
