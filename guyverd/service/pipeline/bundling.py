"""What goes into a report for strangers: everything that tells how guyverd is, and nothing of whose it is.

Every text passes `Pseudonyms` on its way into the file: what is added here later is as safe as what is here now. Each
part is gathered for itself, so that it works whatever is broken.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from guyverd import __version__
from guyverd.config import Config
from guyverd.faces.models import folder as models_folder
from guyverd.service.packing import Part
from guyverd.service.pipeline import bundled
from guyverd.service.pipeline.examining.examination import Examination
from guyverd.service.prometheus import exposition
from guyverd.service.pseudonyms import Clean, Pseudonyms
from guyverd.service.vocabulary import vocabulary

ABOUT = {
    "README.txt": "what this is",
    "doctor.json": "what `guyverd doctor` found",
    "environment.json": "versions of the system and of libraries, memory, processors, kinds of file systems",
    "config.json": "the settings; paths and names of yours as pseudonyms",
    "catalogue.json": "how the catalogue's file is: its tables, how many rows, what SQLite says of it",
    "failures.json": "why pictures could not be read, grouped, with how many of each",
    "state.json": "the files in the state folder: sizes and permissions",
    "status.json": "what the daemon told of itself, and what it counted and timed",
    "metrics.prom": "the same figures for Prometheus",
    "log.jsonl": "the last lines of its log, without what was filled in",
}
"""Every file of a report, and what it is for."""

_README = """\
A report of guyverd {version}, made by `guyverd bundle` for whoever is to help.

It holds no picture, no name, no path and no face. Words that are not guyverd's own were replaced by {replaced}, numbers
in texts of others by N, and paths by pseudonyms such as <path 7>, which are the same wherever the path stood.

Look into it before you send it:

{contents}
"""


def collect(path: Path) -> list[Part]:
    """The report on the library of the config at `path`."""
    seen = Examination(path)
    findings = list(seen.findings())
    hidden = Pseudonyms(known_paths(path, seen.config), vocabulary(), bundled.extensions())
    status = None if seen.status is None else {**seen.status, "state": "", "people_folder": ""}
    parts: dict[str, Callable[[], object]] = {
        "doctor.json": lambda: [hidden.finding(finding) for finding in findings],
        "environment.json": lambda: bundled.environment(seen),
        "config.json": lambda: bundled.settings(seen.config),
        "catalogue.json": lambda: bundled.catalogue(seen, hidden),
        "failures.json": lambda: bundled.failures(seen, hidden),
        "state.json": lambda: bundled.state(seen.config),
        "status.json": lambda: status,
        "metrics.prom": lambda: None if status is None else Clean(exposition(status, "bundle", time.time())),
        "log.jsonl": lambda: [bundled.line(row, hidden) for row in bundled.lines(seen)],
    }
    contents = "\n".join(f"  {name:<18} {about}" for name, about in ABOUT.items())
    readme = _README.format(version=__version__, replaced="…", contents=contents)
    return [Part("README.txt", readme.encode())] + [
        Part(name, _written(name, gather, hidden)) for name, gather in parts.items()
    ]


def _written(name: str, gather: Callable[[], object], hidden: Pseudonyms) -> bytes:
    try:
        value = gather()
    except Exception as problem:
        # What cannot be had must not cost the rest; its message may hold anything.
        value = {"problem": type(problem).__name__}
    if isinstance(value, Clean):
        return value.encode()
    told = hidden.value(value)
    if name.endswith(".jsonl") and isinstance(told, list):
        return "".join(json.dumps(row) + "\n" for row in told).encode()
    return (json.dumps(told, indent=1) + "\n").encode()


def known_paths(path: Path, config: Config | None) -> dict[str, str]:
    """Paths that are told by what they are for."""
    named: list[tuple[str, Path | str]] = [
        ("temporary", tempfile.gettempdir()),
        ("home", os.path.expanduser("~")),
        ("python", sys.prefix),
        ("program", Path(__file__).parents[3]),
        ("cache", models_folder()),
        ("config folder", path.absolute().parent),
        ("config", path.absolute()),
    ]
    if config is not None:
        named += [("people folder", config.people), ("state folder", config.state)]
        named += [(f"photo folder {number}", root) for number, root in enumerate(config.photos, 1)]
    found: dict[str, str] = {}
    for label, place in named:
        for spelt in (os.fspath(place), os.path.realpath(place)):
            found[spelt] = label
    found.pop("/", None)
    return found
