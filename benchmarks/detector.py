"""The CNN detector on a picture of one megapixel: dlib as installed beside ours.

    python benchmarks/detector.py [--quick] [--megapixels N]

dlib takes six seconds and 1.2 GB for a megapixel, so it is asked three times only. dlib's HOG detector is shown too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Target, arguments, begin, interleaved, scratch, table

if TYPE_CHECKING:
    from guyverd.faces.engine import Engine
    from guyverd.model import Box, Pixels


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--megapixels", type=float, default=1.0)
    chosen = parser.parse_args()
    repetitions = 1 if chosen.quick else chosen.repetitions
    megapixels = 0.3 if chosen.quick else chosen.megapixels
    begin(f"CNN detector on {megapixels:g} MP, not enlarged (best of {repetitions}, in turns)")

    from benchmarks.pictures import make
    from guyverd.faces.dlib_engine import DlibEngine
    from guyverd.faces.onnx_engine import OnnxEngine

    with scratch() as folder:
        pixels = _pixels(make(folder / "picture.jpg", megapixels, seed=1).path)
    engines: dict[str, Engine] = {
        "dlib, CNN": DlibEngine("cnn"),
        "ours, CNN": OnnxEngine("cnn"),
        "dlib, HOG": DlibEngine("hog"),
    }
    # The first look loads the models.
    found = {name: engine.detect(pixels) for name, engine in engines.items()}
    taken = interleaved(
        {name: lambda engine=engine: engine.detect(pixels) for name, engine in engines.items()},  # type: ignore[misc]
        repetitions,
    )
    best = {name: min(seconds) for name, seconds in taken.items()}
    table(
        ["contender", "ms", "faces found"],
        [[name, f"{best[name] * 1e3:.0f}", len(faces)] for name, faces in found.items()],
    )
    boxes = [sorted(_edges(face.box) for face in found[name]) for name in ("dlib, CNN", "ours, CNN")]
    table(
        ["what", "measured", "target", ""],
        [["ours against dlib as installed", *Target(15).show(best["dlib, CNN"] / best["ours, CNN"])]],
    )
    height, width = pixels.shape[:2]
    print(f"{width} x {height} pixels; the boxes of the two are {'' if boxes[0] == boxes[1] else 'NOT '}the same.")


def _pixels(path: Path) -> Pixels:
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        return np.array(image)


def _edges(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right, box.bottom


if __name__ == "__main__":
    main()
