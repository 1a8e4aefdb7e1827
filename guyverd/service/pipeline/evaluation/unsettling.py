"""What becomes of the people in a library when photos arrive in other ways, or a few more arrive."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from guyverd.config import Config
from guyverd.evaluation.metrics import agreement, bcubed
from guyverd.evaluation.stability import Churn, affected, churn
from guyverd.service.api import Row
from guyverd.service.pipeline.evaluation.labelling import Truth
from guyverd.service.pipeline.evaluation.rehearsing import Material, Rehearsal
from guyverd.service.tasks import Audience

if TYPE_CHECKING:
    from guyverd.model import IntArray

MORE = 100
"""Photos that are added at once; a quarter of the library where it is not four times as large."""
SINGLES = 20
"""How often one photo is added."""
BATCH = 50
"""Photos in a batch, where they arrive in batches."""
_SEED = 4


def unsettle(material: Material, truth: Truth, config: Config, folder: Path, audience: Audience) -> Row:
    """Rehearse all of it below `folder`, which is empty: the `stability` of `service.evaluation.evaluate`.

    `added`: so many photos at once, so often, and the shares of the faces that were there before (see
    `evaluation.stability`); and, where everybody with photos enough for a folder has a name, how many of these lost a
    face. `orders`: three orders, all at once, with the least agreement between two of them. `arrivals`: other portions
    in the first of these orders, and all faces grouped anew as a whole, each with its agreement with all at once.
    """
    stage = _Stage(material, truth, config, folder)
    count = len(material.photos)
    with audience.steps("other ways to arrive", 6 + -(-count // BATCH) + count) as step:
        orders = [np.arange(count, dtype=np.int64)]
        orders += [np.random.default_rng(_SEED + more).permutation(count).astype(np.int64) for more in (1, 2)]
        together = [stage.after(order, None, step) for order in orders]
        batches = stage.after(orders[0], BATCH, step)
        single = stage.after(orders[0], 1, step)
        anew = stage.anew(orders[0], step)
        added = stage.added(step)
    agreements = [agreement(one, other) for one, other in itertools.combinations(together, 2)]
    ways = (
        ("all at once", together[0]),
        (f"{BATCH} at a time", batches),
        ("one by one", single),
        ("grouped anew", anew),
    )
    return {
        "added": added,
        "orders": {
            "bcubed_f": [stage.score(people) for people in together],
            "agreement": min(agreements),
            "mean_agreement": sum(agreements) / len(agreements),
        },
        "arrivals": [
            {"how": how, "bcubed_f": stage.score(people), "agreement": agreement(together[0], people)}
            for how, people in ways
        ],
    }


class _Stage:
    """Rehearsals of one material, each in a folder of its own."""

    def __init__(self, material: Material, truth: Truth, config: Config, folder: Path) -> None:
        self._material = material
        self._truth = truth
        self._config = config
        self._folder = folder
        self._numbers = itertools.count()

    def _place(self) -> Path:
        return self._folder / str(next(self._numbers))

    def score(self, people: IntArray) -> float:
        """BCubed F of the labelled faces."""
        found = self._truth.found
        return bcubed(self._truth.people[found], people[self._truth.rows[found]]).f

    def after(self, order: IntArray, batch: int | None, step: Callable[[], object]) -> IntArray:
        """Everybody's person when all photos came in that order, so many at a time."""
        with Rehearsal(self._place(), self._material, self._config.clustering, order) as library:
            while library.arrived < len(order):
                library.arrive(batch)
                step()
            return library.people()

    def anew(self, order: IntArray, step: Callable[[], object]) -> IntArray:
        """Everybody's group where all faces are there and are grouped anew."""
        with Rehearsal(self._place(), self._material, self._config.clustering, order) as library:
            library.arrive()
            step()
            return library.regrouped()

    def added(self, step: Callable[[], object]) -> list[Row]:
        """What one photo more does, time after time, and what many at once do."""
        with_faces = np.flatnonzero(np.diff(self._material.starts) > 0)
        more = np.random.default_rng(_SEED).permutation(with_faces)[: min(MORE, len(with_faces) // 4)]
        every = np.arange(len(self._material.photos), dtype=np.int64)
        order = np.concatenate([np.setdiff1d(every, more), more]).astype(np.int64)
        base = Rehearsal(self._place(), self._material, self._config.clustering, order)
        with base:
            base.arrive(len(order) - len(more))
        step()
        rows = [self._add(base, 1, min(SINGLES, len(more))), self._add(base, len(more), 1)] if len(more) else []
        step()
        return rows

    def _add(self, base: Rehearsal, count: int, times: int) -> Row:
        """So many photos more, so often: once to people without names, and once to people who have one."""
        with base.copied(self._place()) as library:
            changes = Churn(0, 0, 0, 0)
            for _ in range(times):
                there, before = library.there(), library.people()
                library.arrive(count)
                changes += churn(before[there], library.people()[there])
        with base.copied(self._place()) as library:
            before = library.people()
            people, sizes = np.unique(before[before > 0], return_counts=True)
            named = people[sizes >= self._config.folders.min_photos].tolist()
            library.name({person: f"Person {person}" for person in named})
            library.arrive(count * times)
            lost = affected(before, library.people(), named)
        return {
            "photos": count,
            "times": times,
            "faces": changes.faces // times,
            "moved": changes.share,
            "company": changes.company_share,
            "settled": changes.settled / changes.faces if changes.faces else 0.0,
            "named": len(named),
            "named_affected": lost,
        }
