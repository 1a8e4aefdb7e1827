"""How good the grouping is, on photos that somebody labelled: the real pipeline runs, and what it makes is scored."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from guyverd.catalogue.store import Catalogue
from guyverd.config import Config
from guyverd.errors import NothingLabelled
from guyverd.evaluation import comparators, metrics, standard
from guyverd.evaluation.labelled import Rule
from guyverd.evaluation.metrics import Scores
from guyverd.service.api import Row
from guyverd.service.lock import held
from guyverd.service.pipeline.evaluation.labelling import Truth, compare, read_labels
from guyverd.service.pipeline.evaluation.picturing import write_page
from guyverd.service.pipeline.evaluation.rehearsing import Material
from guyverd.service.pipeline.evaluation.retrieving import retrieve
from guyverd.service.pipeline.evaluation.screening import screen
from guyverd.service.pipeline.evaluation.searching import search
from guyverd.service.pipeline.evaluation.unsettling import unsettle
from guyverd.service.pipeline.evaluation.workplace import workplace
from guyverd.service.pipeline.grouping import Grouping
from guyverd.service.pipeline.local import working_library
from guyverd.service.pipeline.review.asking import effort
from guyverd.service.tasks import Audience, Extras, Task

if TYPE_CHECKING:
    from guyverd.model import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass of the real pipeline left."""

    config: Config
    material: Material
    truth: Truth
    seconds: float


def evaluate(task: Task, extras: Extras, audience: Audience) -> Row:
    """See `service.evaluation.evaluate`."""
    standard.require()
    with passed(task, audience) as done:
        material, truth = done.material, done.truth
        vectors, people = material.vectors(), material.people()
        scores = scored("guyverd", truth, material, people, vectors)
        with Catalogue(_catalogue(done.config)) as catalogue:
            grouping = Grouping(done.config, catalogue)
            retrieval = retrieve(material, truth, catalogue, grouping.index, grouping.measuring.now())
            searched = None
            if extras.queries:
                with TemporaryDirectory(prefix="guyverd-rehearsal-") as folder:
                    searched = search(
                        material,
                        truth,
                        catalogue,
                        grouping,
                        config=done.config,
                        folder=Path(folder),
                        count=extras.queries,
                        audience=audience,
                    )
            known = truth.of_rows(len(material))
            # It names people in this state; what else is told of it has been read from it before.
            review = effort(catalogue, grouping, material.faces(), known) if extras.review else None
        films = None
        if extras.films:
            with TemporaryDirectory(prefix="guyverd-films-") as folder:
                films = screen(
                    material, truth, config=done.config, folder=Path(folder), most=extras.films, audience=audience
                )
        stability = None
        if extras.stability:
            with TemporaryDirectory(prefix="guyverd-rehearsal-") as folder:
                stability = unsettle(material, truth, done.config, Path(folder), audience)
        answer = {
            "folder": os.fspath(task.photos),
            "photos": len(material.photos),
            "faces": len(material),
            "labelled": len(truth.found),
            "people": len(np.unique(truth.people[truth.found])),
            "not_found": len(truth.rows) - len(truth.found),
            "unreadable": truth.unreadable,
            "contradicting": truth.contradicting,
            "seconds": round(done.seconds, 1),
            "scores": scores,
            "retrieval": asdict(retrieval),
            "search": searched,
            "films": films,
            "review": review,
            "stability": stability,
            "methods": _others(truth, material, vectors, audience) if extras.compare else None,
            "page": None,
        }
        if extras.page is not None:
            title = f"Where guyverd is confused: {task.photos.name}"
            write_page(extras.page, _figures(answer), material, truth, people=people, title=title)
            answer["page"] = os.fspath(extras.page)
        return answer


@contextmanager
def passed(task: Task, audience: Audience) -> Iterator[Passed]:
    """One pass of the real pipeline over the photos, in a state that is gone when the block ends, unless it is kept.

    Raises EvaluationError where the labels are wrong or no labelled face was found, and what a scan raises.
    """
    labels = read_labels(task.photos, task.labels)
    with workplace(task.photos, task.settings, task.keep) as config:
        began = time.monotonic()
        with held(config.state), working_library(config) as library:
            audience.follow(library.scan(), library.progress)
            failed = [os.fsencode(row["file"]) for row in library.failures()]
        seconds = time.monotonic() - began
        with Catalogue(_catalogue(config)) as catalogue:
            material = Material(catalogue.readings.all())
        truth = compare(labels, material, failed, Rule(task.rule))
        if not len(truth.found):
            raise NothingLabelled(path=task.photos)
        yield Passed(config, material, truth, seconds)


def _catalogue(config: Config) -> bytes:
    return os.fsencode(config.state / "catalogue.db")


def scored(method: str, truth: Truth, material: Material, people: IntArray, vectors: FloatArray) -> Row:
    """The measures of one grouping: `people`, int64[faces of the material], 0 for nobody.

    All are about the labelled faces; only collisions are counted among all.
    """
    rows, real = truth.rows[truth.found], truth.people[truth.found]
    report = metrics.evaluate(real, people[rows], material.photo_of[rows])
    report = replace(report, collisions=metrics.collisions(material.photo_of, people))
    return {
        "method": method,
        "clusters": report.clusters,
        "surplus": report.surplus,
        "unattached": report.unattached,
        "pairwise": _scores(report.pairwise),
        "bcubed": _scores(report.bcubed),
        "misplaced": report.misplaced,
        "collisions": report.collisions,
        **asdict(standard.standard(real, people[rows], vectors[rows])),
    }


def _scores(scores: Scores) -> Row:
    return {"precision": scores.precision, "recall": scores.recall, "f": scores.f}


def _others(truth: Truth, material: Material, vectors: FloatArray, audience: Audience) -> list[Row]:
    """The same faces grouped by other methods; each face without a label counts as a person for k-means."""
    count = len(np.unique(truth.people[truth.found])) + len(material) - len(truth.found)
    methods = comparators.methods()
    rows = []
    with audience.steps("other methods", len(methods)) as step:
        for method in methods:
            if method.most is None or len(material) <= method.most:
                began = time.monotonic()
                people = method.run(vectors, count)
                seconds = round(time.monotonic() - began, 2)
                rows.append(
                    {
                        **scored(method.name, truth, material, people, vectors),
                        "settings": method.settings,
                        "seconds": seconds,
                    }
                )
            step()
    return rows


def _figures(answer: Row) -> list[tuple[str, str]]:
    scores, retrieval = answer["scores"], answer["retrieval"]
    sensitivity, precision = (retrieval[key] for key in ("sensitivity", "precision"))
    return [
        ("photos", f"{answer['photos']:,}"),
        ("labelled faces", f"{answer['labelled']:,}"),
        ("people", f"{answer['people']:,}"),
        ("groups", f"{scores['clusters']:,}"),
        ("pairwise F", f"{scores['pairwise']['f']:.3f}"),
        ("BCubed F", f"{scores['bcubed']['f']:.3f}"),
        ("faces in a group of mostly somebody else", f"{scores['misplaced']:.1%}"),
        ("all photos of a person from one: sensitivity", "–" if sensitivity is None else f"{sensitivity:.3f}"),
        ("and precision", "–" if precision is None else f"{precision:.3f}"),
    ]
