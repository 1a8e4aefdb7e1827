"""Settings that suit somebody's labelled photos: by each candidate all of them are grouped anew."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from guyverd.config import People, Unit
from guyverd.evaluation.tuning import Candidates, Settings, Tuned, tune
from guyverd.service.api import Row
from guyverd.service.pipeline.evaluation.evaluating import Passed, passed
from guyverd.service.pipeline.evaluation.rehearsing import Rehearsal
from guyverd.service.tasks import Audience, Task

if TYPE_CHECKING:
    from guyverd.model import IntArray

SEARCH = (
    Candidates("strictness", (-1.5, -1.0, -0.7, -0.4, -0.2, 0.0, 0.2, 0.4, 0.7, 1.0, 1.5)),
    Candidates("group_bonus", (0.0, 0.4, 0.7, 0.85, 1.0, 1.15, 1.3, 1.6, 2.0)),
    Candidates("margin", (1.0, 1.2, 1.5, 2.0, 3.0)),
    Candidates("poor_quality", (0.0, 0.1, 0.2, 0.3, 0.4)),
)
"""Settings of `clustering` and what is tried of each. The number of neighbours is no matter of taste and stays."""
_SEED = 5


def search(task: Task, audience: Audience) -> Row:
    """See `service.evaluation.tune`."""
    with passed(task, audience) as done:
        tuned = _tuned(done, audience)
        return {
            "folder": str(task.photos),
            "labelled": len(done.truth.found),
            "people": len(np.unique(done.truth.people[done.truth.found])),
            "tried": tuned.tried,
            "default": dict(tuned.default),
            "best": dict(tuned.best),
            "default_score": tuned.default_score,
            "best_score": tuned.best_score,
            "gain": tuned.gain,
            "error": tuned.error,
            "folds": len(tuned.gains),
            "worthwhile": tuned.worthwhile,
            "yaml": yaml(tuned) if tuned.worthwhile else "",
        }


def _tuned(done: Passed, audience: Audience) -> Tuned:
    settings, material, truth = done.config.clustering, done.material, done.truth
    order = np.arange(len(material.photos), dtype=np.int64)
    rows = truth.rows[truth.found]
    default: Settings = {item.name: getattr(settings, item.name) for item in SEARCH}
    # Each candidate once from where the search begins; how many more there will be, nobody knows.
    with (
        audience.steps("settings", sum(len(item.values) for item in SEARCH)) as step,
        TemporaryDirectory(prefix="guyverd-rehearsal-") as folder,
        Rehearsal(Path(folder), material, settings, order) as library,
    ):
        library.arrive()

        def group(chosen: Settings) -> IntArray:
            found = library.regrouped(replace(settings, **chosen))[rows]  # type: ignore[arg-type]
            step()
            return found

        return tune(truth.people[truth.found], group, default, SEARCH, seed=_SEED)


def yaml(tuned: Tuned) -> str:
    """The settings that are to be other than the default, as they stand in a config."""
    units: dict[str, Unit] = {item.name: item.metadata["unit"] for item in fields(People)}
    changed = {name: value for name, value in tuned.best.items() if value != tuned.default[name]}
    return "\n".join(["clustering:", *(f"  {name}: {units[name].show(value)}" for name, value in changed.items())])
