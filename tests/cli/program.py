"""The program `guyverd` as a process of its own, with the fake library: `python -m tests.cli.program ARGUMENTS`.

$FAKE_FACES makes the library hold that many faces; $FAKE_WARNING is a file it warns of in a scan. $FAKE_CALLS is a file
for the answers it is given in a review, $FAKE_REFUSES a question that takes none; with $FAKE_BEGUN it asks about the
people folder first.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
from typing import Any

from guyverd.cli import main, session
from tests.cli.fake import FakeLibrary


def _opened(config: object) -> Any:
    library = FakeLibrary()
    library.warning = os.environ.get("FAKE_WARNING", "")
    many = int(os.environ.get("FAKE_FACES", "0"))
    if many:
        library.every_face = library.every_face[:2] * (many // 2)
    if calls := os.environ.get("FAKE_CALLS"):
        library.answers = pathlib.Path(calls)
    if "FAKE_BEGUN" in os.environ:
        library.questions.insert(0, library.begun)
    library.refuses = os.environ.get("FAKE_REFUSES", "")
    return contextlib.nullcontext(library)


if __name__ == "__main__":
    session.open_library = _opened
    main(prog_name="guyverd")
