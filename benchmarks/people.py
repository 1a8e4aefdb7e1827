"""How well folders fit people on several sets of labelled photos: a line of `guyverd evaluate` for each.

    python benchmarks/people.py [FOLDER ...]

Each FOLDER holds a folder of photos for each person. Without one it takes variations of the two portraits that the
development dependencies carry, which shows that it works and not how good the grouping is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PIL import Image, ImageEnhance

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import common
from guyverd.cli import progress
from guyverd.service.evaluation import RULES, Extras, Task, evaluate

TITLES = (
    *("set", "photos", "labelled", "people", "groups", "pair P", "pair R", "pair F", "BCubed F", "collisions"),
    *("misplaced", "sensitivity", "precision", "s"),
)


def main() -> None:
    parser = common.arguments(str(__doc__))
    parser.add_argument("folders", nargs="*", type=Path, help="each holds a folder for each person")
    parser.add_argument("--rule", choices=RULES, default=RULES[0])
    parser.add_argument("--keep", type=Path, help="a folder to keep what was found in photos, for the next time")
    chosen = parser.parse_args()
    common.begin("How well folders fit people")
    with common.scratch() as scratch:
        rows = []
        for folder in (not chosen.quick and chosen.folders) or [_portraits(scratch / "portraits")]:
            keep = None if chosen.keep is None else chosen.keep.absolute() / folder.absolute().name
            rows.append(_scored(Task(folder.absolute(), rule=chosen.rule, keep=keep)))
        common.table(TITLES, rows)


def _scored(task: Task) -> list[str]:
    answer = evaluate(task, Extras(stability=False, review=False, queries=0), progress)
    scores, found = answer["scores"], answer["retrieval"]
    pairs = scores["pairwise"]
    return [
        task.photos.name,
        *(str(answer[key]) for key in ("photos", "labelled", "people")),
        str(scores["clusters"]),
        *(f"{pairs[key]:.3f}" for key in ("precision", "recall", "f")),
        f"{scores['bcubed']['f']:.3f}",
        str(scores["collisions"]),
        f"{scores['misplaced']:.1%}",
        *("–" if found[key] is None else f"{found[key]:.3f}" for key in ("sensitivity", "precision")),
        f"{answer['seconds']:.0f}",
    ]


def _portraits(folder: Path) -> Path:
    import matplotlib
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
