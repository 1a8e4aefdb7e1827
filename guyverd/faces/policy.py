"""How a picture is looked at: from what a person wants to what the detector gets.

Pure. The detector knows faces from 80 px on, so the smallest face that matters, as a share of the picture's longer
side, says how large the canvas must be; the level says how much work goes into it. `docs/benchmarks.md` has what each
costs and finds.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOW = 80
"""Pixels; the smallest face that the detectors find."""
LEVELS = ("fast", "balanced", "thorough")
"""`fast` is content with faces twice as wide as the smallest, `thorough` also finds some that are narrower."""
_LEAST_DECODED = 1500
"""Pixels on the longer side of what is decoded: a face that fills a fifteenth still fills a chip of 150 px with what is
around it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to a picture."""

    canvas: int
    """Pixels; the longer side of the picture that the detector gets."""
    enlarge: float
    """A smaller picture is enlarged to the canvas, at most this many times."""
    step: float
    """Each level of the pyramid has this share of the size of the one before."""
    decoded: int
    """Pixels; a picture may be decoded at a reduced size as long as its longer side has so many."""


_FACTORS = {"fast": (0.5, 2.0, 2 / 3), "balanced": (1.0, 2.5, 2 / 3), "thorough": (1.5, 3.0, 0.8)}
"""For each level: the canvas relative to what the smallest face asks for, how far small pictures are enlarged, and the
step. With steps of 0.64 some faces begin to fall between two sizes; below that, many."""


def policy(level: str, smallest: float) -> Policy:
    """For one of `LEVELS` and the width of the smallest face that matters, as a share of the longer side."""
    factor, enlarge, step = _FACTORS[level]
    canvas = round(factor * WINDOW / smallest)
    return Policy(canvas, enlarge, step, max(_LEAST_DECODED, canvas))
