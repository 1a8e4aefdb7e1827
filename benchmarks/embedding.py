"""Faces described in a second: dlib as installed beside ours, and ours beside what this machine's sgemm does.

    python benchmarks/embedding.py [--quick]

Both get the same eight chips at a time. The sgemm rate is that of numpy's float32 product of two square matrices; the
work of the network is counted from the shapes of its convolutions and products, a multiplication and an addition each.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Target, arguments, begin, interleaved, table

if TYPE_CHECKING:
    from guyverd.model import Pixels

_BATCH = 8


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--repetitions", type=int, default=15)
    chosen = parser.parse_args()
    repetitions = 2 if chosen.quick else chosen.repetitions
    begin(f"Embedding, {_BATCH} chips of 150 x 150 pixels at a time (best of {repetitions}, in turns)")

    import numpy as np

    from benchmarks import network
    from guyverd.faces.dlib_engine import DlibEngine
    from guyverd.faces.onnx_engine import OnnxEngine
    from guyverd.faces.weights import Weights

    chips = _chips()
    dlib, ours = DlibEngine(), OnnxEngine()
    apart = float(np.abs(dlib.embed(chips) - ours.embed(chips)).max())
    side = 256 if chosen.quick else network.SIDE
    contenders = {"dlib": lambda: dlib.embed(chips), "ours": lambda: ours.embed(chips), "sgemm": network.sgemm(side)}
    interleaved(contenders, 1)
    taken = interleaved(contenders, repetitions)
    best = {name: min(seconds) for name, seconds in taken.items()}
    work = network.gigaflop(Weights.EMBEDDING, np.zeros((1, 3, 150, 150), np.float32))
    peak = 2 * side**3 / 1e9 / best["sgemm"]
    rate = work * _BATCH / best["ours"]
    table(
        ["contender", "ms a face", "faces/s", "GFLOP/s"],
        [
            [name, f"{seconds / _BATCH * 1e3:.2f}", f"{_BATCH / seconds:.1f}", f"{work * _BATCH / seconds:.1f}"]
            for name, seconds in best.items()
            if name != "sgemm"
        ]
        + [[f"sgemm {side} x {side}", "–", "–", f"{peak:.1f}"]],
    )
    table(
        ["what", "measured", "target", ""],
        [
            ["ours against dlib as installed, faces/s", *Target(12).show(best["dlib"] / best["ours"])],
            ["ours against sgemm, GFLOP/s", *Target(70, "%", digits=0).show(100 * rate / peak)],
            ["largest difference between the vectors", *Target(1e-5, "", at_most=True, digits=8).show(apart)],
        ],
    )
    print(f"The network takes {work:.3f} GFLOP for a face.")


def _chips() -> Pixels:
    """Four variations of each portrait's face, aligned as always."""
    import numpy as np

    from benchmarks.pictures import portraits
    from guyverd.faces.dlib_engine import DlibEngine

    engine = DlibEngine()
    found = []
    for pixels, face in portraits():
        (chip,) = engine.chips(pixels, [engine.landmarks(pixels, face)])
        found += [np.roll(chip, shift, axis=1) for shift in range(_BATCH // 2)]
    return np.ascontiguousarray(np.stack(found))


if __name__ == "__main__":
    main()
