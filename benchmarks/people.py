"""How well folders fit people: a whole pass over labelled photos, scored against the labels.

    python benchmarks/people.py [FOLDER ...]

Each FOLDER holds a folder of photos for each person. The pass is the real one, in a state folder of its own that is
removed at the end. Without a folder it takes variations of the two portraits that the development dependencies carry,
which shows that the benchmark works and not how good the grouping is.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from guyverd import config_file
from guyverd.evaluation.labelled import Rule, label_faces, labelled_files
from guyverd.evaluation.metrics import evaluate
from guyverd.model import Box
from guyverd.service.access import open_library
from guyverd.service.api import Row


def main() -> None:
    parser = argparse.ArgumentParser(description="Score a pass over folders of labelled photos.")
    parser.add_argument("folders", nargs="*", type=Path, help="each holds a folder for each person")
    parser.add_argument("--rule", choices=[str(rule) for rule in Rule], default=str(Rule.LARGEST))
    chosen = parser.parse_args()
    print(
        "set            photos  labelled  people  clusters  pair P  pair R  pair F  BCubed F  collisions  misplaced  s"
    )
    with tempfile.TemporaryDirectory() as scratch:
        for folder in chosen.folders or [_portraits(Path(scratch) / "portraits")]:
            _score(folder.absolute(), Rule(chosen.rule), Path(tempfile.mkdtemp(dir=scratch)))


def _score(folder: Path, rule: Rule, scratch: Path) -> None:
    config = config_file.make([folder], scratch / "People", scratch / "state", scratch / "config.yaml")
    began = time.monotonic()
    with open_library(config) as library:
        library.scan()
        while (progress := library.progress())["busy"]:
            if sys.stderr.isatty():
                print(f"\r{progress['photos_done']} of {progress['photos_total']}", end="\r", file=sys.stderr)
            time.sleep(0.2)
        seconds = time.monotonic() - began
        by_file: dict[str, list[Row]] = defaultdict(list)
        for face in library.faces():
            for path in face["files"]:
                by_file[path].append(face)
    truth, found, photos, told = [], [], [], []
    for path, person in labelled_files(os.fspath(folder)):
        text = os.fsdecode(path)
        faces = by_file.get(text, [])
        # A copy of a photo is the same photo, and counts once.
        if not faces or faces[0]["photo"] in photos:
            continue
        with Image.open(text) as image:
            width, height = image.size
        place = label_faces([Box(*face["box"]) for face in faces], width, height, rule)
        if place is not None:
            truth.append(person)
            found.append(faces[place]["person"] or 0)
            photos.append(faces[place]["photo"])
    names = {person: number for number, person in enumerate(sorted(set(truth)))}
    report = evaluate(np.array([names[person] for person in truth]), np.array(found, dtype=np.int64), np.array(photos))
    print(
        f"{folder.name:<14} {progress['photos_done']:>6}  {report.faces:>8}  {report.people:>6}  {report.clusters:>8}"
        f"  {report.pairwise.precision:>6.3f}  {report.pairwise.recall:>6.3f}  {report.pairwise.f:>6.3f}"
        f"  {report.bcubed.f:>8.3f}  {report.collisions:>10}  {report.misplaced:>9.3f}  {seconds:.0f}"
    )
    if report.people <= 50:
        for person in names:
            where = Counter(cluster for name, cluster in zip(truth, found, strict=True) if name == person)
            told.append(f"  {person}: " + ", ".join(_part(*part) for part in where.most_common()))
        mixed = [c for c in set(found) - {0} if len({n for n, f in zip(truth, found, strict=True) if f == c}) > 1]
        print("\n".join([*told, f"  numbers that stand for more than one person: {sorted(mixed) or 'none'}"]))


def _part(cluster: int, count: int) -> str:
    return f"{count} waiting" if cluster == 0 else f"{count} in {cluster:04d}"


def _portraits(folder: Path) -> Path:
    import matplotlib
    from PIL import ImageEnhance
    from skimage import data

    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    astronaut = Image.fromarray(data.astronaut())  # type: ignore[no-untyped-call]
    for name, image in (("Eileen Collins", astronaut), ("Grace Hopper", Image.open(hopper))):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            varied = ImageEnhance.Brightness(image.convert("RGB")).enhance(0.75 + 0.1 * number).rotate(2 * number - 5)
            varied.save(folder / name / f"{number}.jpg")
            os.utime(folder / name / f"{number}.jpg", (1_600_000_000, 1_600_000_000))
    return folder


if __name__ == "__main__":
    main()
