"""An evaluation that was never run, with the shapes of `guyverd.service.evaluation`."""

from __future__ import annotations

from typing import Any

from guyverd.service.evaluation import Audience, Extras, Task

Row = dict[str, Any]


def scores(method: str, f: float, **more: object) -> Row:
    both = {"precision": 0.99, "recall": f, "f": f}
    return {
        "method": method,
        "clusters": 12,
        "surplus": 0.2,
        "unattached": 3,
        "pairwise": both,
        "bcubed": both,
        "misplaced": 0.0125,
        "collisions": 0,
        "ari": 0.9,
        "ami": 0.8,
        "homogeneity": 1.0,
        "completeness": 0.7,
        "v_measure": 0.82,
        "fowlkes_mallows": 0.9,
        "silhouette": None,
        **more,
    }


ADDED = {
    "photos": 1,
    "times": 20,
    "faces": 1000,
    "moved": 0.001,
    "company": 0.01,
    "settled": 0.02,
    "named": 17,
    "named_affected": 1,
}
STABILITY = {
    "added": [ADDED, {**ADDED, "photos": 100, "times": 1}],
    "orders": {"bcubed_f": [0.95, 0.951, 0.952], "agreement": 0.981, "mean_agreement": 0.99},
    "arrivals": [
        {"how": "all at once", "bcubed_f": 0.95, "agreement": 1.0},
        {"how": "one by one", "bcubed_f": 0.94, "agreement": 0.98},
    ],
}

RETRIEVAL = {
    "queries": 900,
    "answered": 890,
    "sensitivity": 0.95,
    "precision": 0.99,
    "hit_rate": 0.9825,
    "pooled_sensitivity": 0.925,
    "pooled_precision": 0.985,
}
BIN = {"low": 0.9, "high": 0.95, "count": 120, "queries": 60, "said": 0.931, "right": 0.942, "off": False}
SEARCH = {
    "sure": 0.9,
    "inside": RETRIEVAL,
    "outside": {**RETRIEVAL, "queries": 500, "sensitivity": 0.871},
    "calibration": {
        "answers": 150,
        "brier": 0.02,
        "error": 0.011,
        "level": 0.85,
        "bins": [{**BIN, "low": 0.0, "high": 0.1, "count": 30, "said": 0.05, "right": 0.4, "off": True}, BIN],
    },
}
FILMS = {
    "films": 2,
    "unread": 0,
    "length": 90.0,
    "seconds": 6.0,
    "shown": 32,
    "photos": 900,
    "queries": 20,
    "absent": 4,
    "moments": 40,
    "answered": 39,
    "precision": 0.994,
    "recall": 0.961,
    "time_precision": 0.98,
    "time_recall": 0.93,
    "edge": {"median": 0.04, "most": 0.52},
}
REVIEW = {"answers": 880, "reached": True, "share": 0.95, "baseline": 1091, "baseline_share": 0.95, "least": 746}


class FakeEvaluator:
    """Answers at once; `calls` tells what was asked, and `steps` how many steps it showed."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.trouble: BaseException | None = None
        self.worthwhile = True
        self.folds = 5

    def evaluate(self, task: Task, extras: Extras, audience: Audience) -> Row:
        self.calls.append(("evaluate", task, extras))
        if self.trouble is not None:
            raise self.trouble
        audience.follow(self._progress(True), lambda: self._progress(False))
        with audience.steps("other ways to arrive", 2) as step:
            step()
            step()
        others = [scores("HDBSCAN", 0.7, settings="unit vectors", seconds=1.5)]
        return {
            "folder": str(task.photos),
            "photos": 1200,
            "faces": 1300,
            "labelled": 1190,
            "people": 10,
            "not_found": 10,
            "unreadable": 2,
            "contradicting": 1,
            "seconds": 61.0,
            "scores": scores("guyverd", 0.96),
            "retrieval": RETRIEVAL,
            "search": SEARCH if extras.queries else None,
            "films": FILMS if extras.films else None,
            "review": REVIEW if extras.review else None,
            "stability": STABILITY if extras.stability else None,
            "methods": others if extras.compare else None,
            "page": None if extras.page is None else str(extras.page),
        }

    def tune(self, task: Task, audience: Audience) -> Row:
        self.calls.append(("tune", task))
        return {
            "folder": str(task.photos),
            "labelled": 1190,
            "people": 10,
            "tried": 45,
            "default": {"margin": 1.5},
            "best": {"margin": 2.0},
            "default_score": 0.95,
            "best_score": 0.962,
            "gain": 0.01,
            "error": 0.002,
            "folds": self.folds,
            "worthwhile": self.worthwhile,
            "yaml": "clustering:\n  margin: 2" if self.worthwhile else "",
        }

    @staticmethod
    def _progress(busy: bool) -> Row:
        return {
            "busy": busy,
            "phase": "reading" if busy else "idle",
            "files_found": 1200,
            "photos_total": 1200,
            "photos_done": 600,
            "videos_total": 0,
            "videos_done": 0,
            "films": [],
            "faces": 600,
            "failures": 0,
            "rate": 12.0,
            "eta": 50.0,
            "quiet_until": None,
        }
