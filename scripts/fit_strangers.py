"""Fit the model of strangers that likenesses are measured against: guyverd/people/strangers.npz.

    python scripts/fit_strangers.py STATE

STATE is the state folder of a library of many different people, each with few photos (such as a folder of press
photos), read by the engine in use. What is kept is a mixture of 48 normal distributions: no face, and no part of the
mixture that fewer than 30 people made.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.mixture import GaussianMixture

from guyverd.catalogue.store import Catalogue
from guyverd.people import strangers
from guyverd.people.directions import unit

if TYPE_CHECKING:
    import numpy.typing as npt

    from guyverd.model import FloatArray

PARTS = 48
LEAST_PEOPLE = 30
MOST_OF_ONE = 2
"""Faces taken from one folder: nobody weighs more than that."""


def main() -> None:
    """Fit the model to the faces of a library, look at how many made each part of it, and write it."""
    parser = argparse.ArgumentParser(description="Fit the model of strangers.")
    parser.add_argument("state", type=Path, help="the state folder of a library with many people")
    chosen = parser.parse_args()
    with Catalogue(os.fsencode(chosen.state / "catalogue.db")) as catalogue:
        faces = list(catalogue.photos.faces())
        paths = catalogue.files.paths_of(sorted({face.photo for face in faces}))
        table = catalogue.photos.table(np.array([face.id for face in faces]))
    where = {face.id: os.path.dirname(paths[face.photo][0]) for face in faces}
    model, people, least = fit(table.vectors, np.array([where[face] for face in table.ids.tolist()]))
    print(f"faces from {people} folders; at least {least:.0f} people in each of {PARTS} parts")
    if least < LEAST_PEOPLE:
        raise SystemExit(f"A part of the mixture was made by fewer than {LEAST_PEOPLE} people: nothing was written.")
    model.save(strangers.SHIPPED)


def fit(vectors: FloatArray, folders: npt.NDArray[Any]) -> tuple[strangers.Strangers, int, float]:
    """The model of these faces, float32[n, 128]; how many folders they lie in; by how few people a part was made."""
    taken: Counter[object] = Counter()
    kept = []
    for row in np.random.default_rng(1).permutation(len(vectors)).tolist():
        if taken[folders[row]] < MOST_OF_ONE:
            taken[folders[row]] += 1
            kept.append(row)
    directions = unit(vectors[kept]).astype(np.float64)
    axes = np.linalg.svd(directions - directions.mean(axis=0), full_matrices=False)[2]
    turned = directions @ axes.T
    mixture = GaussianMixture(PARTS, covariance_type="diag", reg_covar=1e-5, random_state=0, max_iter=200).fit(turned)
    whose = np.unique(folders[kept], return_inverse=True)[1]
    share = mixture.predict_proba(turned)
    least = min(float(np.minimum(1, np.bincount(whose, weights=part)).sum()) for part in share.T)
    parts = (axes, mixture.weights_, mixture.means_, mixture.covariances_)
    return strangers.Strangers(*(part.astype(np.float32) for part in parts)), len(taken), least


if __name__ == "__main__":
    main()
