"""Faces of a picture, numbered, and the question which of them is meant."""

from __future__ import annotations

import os
import shutil
import sys

import click

from guyverd.cli import output, session
from guyverd.cli.format import box_size
from guyverd.cli.graphics import SIDE, best_way, drawn, per_row, row_of
from guyverd.cli.output import Column, Row
from guyverd.cli.session import Session

NUMBERED = [
    Column("face", lambda row: row["number"], right=True),
    Column("left, top", lambda row: f"{row['box'][0]}, {row['box'][1]}"),
    Column("size", lambda row: box_size(row["box"])),
]


def which_face(here: Session, path: str, answer: Row) -> int | None:
    """Show the faces of a picture, numbered, and ask which is meant; None where none is chosen.

    `answer` is that of `Library.search` for the picture, or moment of a video, at `path`.
    """
    faces = answer["faces"]
    output.table(NUMBERED, faces, empty="There is no face in this picture.")
    way = best_way(os.environ, sys.stdout) if output.interactive(sys.stdout) else "none"
    if way != "none":
        cut = session.face_pictures(here.config, path, answer["at"], [face["box"] for face in faces], SIDE)
        each = per_row(shutil.get_terminal_size().columns)
        for start in range(0, len(faces), each):
            output.draw(drawn(row_of(cut[start : start + each]), way, os.environ))
    text: str = click.prompt(
        "Which face", default="", show_default=False, err=True, prompt_suffix=f" (1 to {len(faces)}, or nothing)? "
    )
    while text.strip():
        if text.strip().isascii() and text.strip().isdigit() and 1 <= int(text) <= len(faces):
            return int(text)
        text = click.prompt("Which face", default="", show_default=False, err=True, prompt_suffix="? ")
    return None
