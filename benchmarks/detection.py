"""What each way to look for faces costs and finds: the table that the levels and the smallest face were chosen from.

    python benchmarks/detection.py [--quick] [--folder DIR --labels CSV]

Without a folder it makes photos of 0.3 to 50 MP with eight faces each, from 1/30 to 1/8 of their width. With one, CSV
has a line for each face in its photos: `file` (relative to DIR), `left`, `top`, `right`, `bottom`, in pixels of the
upright photo; a photo without a face has a line with empty edges. A second file, --doubtful, of the same form, names
boxes that count neither as faces nor as false alarms.

CPU seconds from the bytes of the file to boxes, one thread. `face_recognition` finds faces as the line "HOG, enlarged
twofold" does, or, with model="cnn", as "CNN, enlarged twofold" (through our engine, which gives the same boxes, in a
twentieth of the time; it is left out above 4 MP). A line marked * finds more than every line that costs less.
"""

from __future__ import annotations

import csv
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import arguments, begin, progress, scratch, table

if TYPE_CHECKING:
    from guyverd.model import Box, Pixels

_SIZES = (0.3, 1.0, 3.0, 12.0, 50.0)
_MOST_FOR_CNN = 4e6
_FULL = 1 << 30
"""Pixels on the longer side that no picture has: decoded as it is."""

Look = Callable[["Pixels"], "list[Box]"]


@dataclass
class Contender:
    """A way to look, and what came of it."""

    name: str
    enough: int
    look: Look
    most: float = float("inf")
    """Pixels; larger photos are left out, and with them the contender's claim to a mark."""
    seconds: float = 0.0
    photos: int = 0
    found: int = 0
    false: int = 0

    def take(self, photo: Labelled) -> None:
        """Have it look at a photo."""
        from guyverd.media.still import read_picture

        data = photo.path.read_bytes()
        began = time.process_time()
        picture = read_picture(data, path=bytes(photo.path), enough=self.enough)
        if picture.width * picture.height > self.most:
            return
        boxes = [box.scaled(1 / picture.scale) for box in self.look(picture.pixels)]
        self.seconds += time.process_time() - began
        self.photos += 1
        found, false = photo.judge(boxes)
        self.found += found
        self.false += false


@dataclass(frozen=True)
class Labelled:
    """A photo, the faces in it, and boxes nobody is sure of."""

    path: Path
    faces: tuple[Box, ...]
    doubtful: tuple[Box, ...] = ()

    def judge(self, boxes: Iterable[Box]) -> tuple[int, int]:
        """How many of the faces are among `boxes`, and how many of those are no faces."""
        left = list(boxes)
        found = 0
        for face in self.faces:
            match = next((box for box in left if alike(face, box)), None)
            if match is not None:
                left.remove(match)
                found += 1
        return found, sum(not any(alike(box, other) for other in self.doubtful) for box in left)


def alike(a: Box, b: Box) -> bool:
    """Whether two boxes are of one face: they overlap by a third of their union, or each holds the other's middle."""
    across = min(a.right, b.right) - max(a.left, b.left)
    down = min(a.bottom, b.bottom) - max(a.top, b.top)
    if across <= 0 or down <= 0:
        return False
    union = a.width * a.height + b.width * b.height - across * down
    close = 0.4 < a.width / b.width < 2.5
    return across * down > 0.35 * union or (close and _holds_middle(a, b) and _holds_middle(b, a))


def _holds_middle(a: Box, b: Box) -> bool:
    return a.left < (b.left + b.right) / 2 < a.right and a.top < (b.top + b.bottom) / 2 < a.bottom


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--doubtful", type=Path)
    parser.add_argument("--each", type=int, default=2, help="made photos of each size")
    chosen = parser.parse_args()
    if (chosen.folder is None) != (chosen.labels is None):
        parser.error("--folder and --labels go together")
    with scratch() as folder:
        if chosen.folder is not None:
            photos = labelled(chosen.folder, chosen.labels, chosen.doubtful)
        else:
            photos = made(folder, (0.3,) if chosen.quick else _SIZES, 1 if chosen.quick else chosen.each)
        faces = sum(len(photo.faces) for photo in photos)
        begin(f"Ways to look for faces: {len(photos)} photos, {faces} faces")
        ways = contenders()
        for number, photo in enumerate(photos):
            progress(f"photo {number + 1} of {len(photos)}")
            for way in ways:
                way.take(photo)
    report(ways, len(photos))


def labelled(folder: Path, labels: Path, doubtful: Path | None) -> list[Labelled]:
    """The photos that `labels` names."""
    unsure = _boxes(doubtful) if doubtful else {}
    return [
        Labelled(folder / name, tuple(boxes), tuple(unsure.get(name, ()))) for name, boxes in _boxes(labels).items()
    ]


def _boxes(path: Path) -> dict[str, list[Box]]:
    from guyverd.model import Box

    found: dict[str, list[Box]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            boxes = found[row["file"]]
            if row["left"]:
                boxes.append(Box(*(round(float(row[edge])) for edge in ("left", "top", "right", "bottom"))))
    return found


def made(folder: Path, sizes: Iterable[float], each: int) -> list[Labelled]:
    """Photos with known faces."""
    from benchmarks.pictures import several

    photos = []
    for size in sizes:
        for photo in several(folder / f"{size:g}", size, each):
            photos.append(Labelled(photo.path, photo.faces))
    return photos


def contenders() -> list[Contender]:
    """All that are compared, with their models loaded."""
    from guyverd.faces.dlib_engine import DlibEngine
    from guyverd.faces.engine import Engine
    from guyverd.faces.find import FaceFinder, resized
    from guyverd.faces.onnx_engine import OnnxEngine
    from guyverd.faces.policy import LEVELS, Policy, policy
    from guyverd.faces.reference import picture

    hog, cnn = DlibEngine("hog"), OnnxEngine()

    def enlarged(engine: Engine, factor: float) -> Look:
        def look(pixels: Pixels) -> list[Box]:
            return [item.box.scaled(1 / factor) for item in engine.detect(resized(pixels, factor))]

        return look

    def ours(how: Policy) -> Look:
        finder = FaceFinder(OnnxEngine(step=how.step), how)
        return lambda pixels: [item.box for item in finder.detect(pixels)]

    ways = [
        Contender("HOG", _FULL, enlarged(hog, 1)),
        Contender("HOG, enlarged twofold", _FULL, enlarged(hog, 2)),
        Contender("CNN", _FULL, enlarged(cnn, 1), most=_MOST_FOR_CNN),
        Contender("CNN, enlarged twofold", _FULL, enlarged(cnn, 2), most=_MOST_FOR_CNN),
    ]
    for level in LEVELS:
        for smallest in (0.08, 0.05, 0.04, 0.03):
            how = policy(level, smallest)
            ways.append(Contender(f"{level}, smallest {smallest:.0%}", how.decoded, ours(how)))
    for way in ways:
        way.look(picture())
    return ways


def report(ways: list[Contender], photos: int) -> None:
    rows = []
    best = -1
    for way in sorted(ways, key=lambda way: way.seconds / max(1, way.photos)):
        whole = way.photos == photos
        mark = "*" if whole and way.found > best else ""
        best = max(best, way.found) if whole else best
        count = "" if whole else f"of {way.photos} photos"
        milliseconds = 1000 * way.seconds / max(1, way.photos)
        rows.append([way.name, f"{milliseconds:.0f}", way.found, way.false, mark, count])
    table(["", "CPU ms/photo", "found", "false alarms", "", ""], rows)


if __name__ == "__main__":
    main()
