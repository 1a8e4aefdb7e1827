"""From file to catalogue: the same large JPEGs through `face_recognition`, as a user calls it, and through guyverd.

    python benchmarks/photos.py [--quick] [--megapixels N] [--rounds N] [--faces N] [--cnn | --no-cnn]

`face_recognition` loads, locates (its default, HOG) and encodes; guyverd hashes, decodes, finds, describes, stores,
groups and makes links, with one worker and everything as it is without a config; and once more with `level: fast`. In
each round all get the same photos, none of them twice. The photos have eight faces each unless told otherwise, from
1/30 to 1/8 of their width. Starting up and loading models is not counted on any side.

`face_recognition` with model="cnn" enlarges photos twofold unless told otherwise, and then takes 48 GB for 12 MP. Here
it does not enlarge, which is to its advantage: 12 GB and a minute and a half. It gets one photo: of full size where
--cnn says so or 14 GB are free, else one of a quarter of the pixels, and its time is then multiplied by four.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Target, alone, arguments, begin, free_memory, progress, scratch, table

if TYPE_CHECKING:
    from benchmarks.passes import Pass
    from benchmarks.pictures import Photo

_CNN_NEEDS = 14e9


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--megapixels", type=float, default=12.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--each", type=int, default=4, help="photos in a round")
    parser.add_argument("--faces", type=int, default=8, choices=range(1, 9), help="in each photo")
    parser.add_argument("--cnn", action="store_true", default=None, help="model='cnn' on a photo of full size")
    parser.add_argument("--no-cnn", action="store_false", dest="cnn", help="leave model='cnn' out")
    chosen = parser.parse_args()
    megapixels = 0.5 if chosen.quick else chosen.megapixels
    rounds, each = (1, 1) if chosen.quick else (chosen.rounds, chosen.each)
    begin(
        f"File to catalogue, JPEGs of {megapixels:g} MP with {chosen.faces} faces, one worker, "
        f"{rounds} rounds of {each} photos in turns"
    )

    from benchmarks.passes import ours, peer
    from benchmarks.pictures import several
    from guyverd.config import Faces

    with scratch() as folder:
        warm, *photos = several(folder / "pictures", megapixels, rounds * each + 1, chosen.faces)
        theirs, mine, fast = [], [], []
        with (
            ours(folder / "ours", workers=1) as library,
            ours(folder / "fast", workers=1, level="fast") as other,
        ):
            library.warm([warm.path])
            other.warm([warm.path])
            for start in range(0, len(photos), each):
                paths = [photo.path for photo in photos[start : start + each]]
                progress(f"round {start // each + 1} of {rounds}")
                mine.append(library.run(paths))
                fast.append(other.run(paths))
                theirs.append(alone(peer, [str(path) for path in paths], "hog"))
        rows = [
            _row("face_recognition (HOG)", theirs, photos),
            _row("guyverd", mine, photos),
            _row("guyverd, level: fast", fast, photos),
        ]
        per_photo = _seconds(mine) / len(photos)
        hog = _seconds(theirs) / len(photos) / per_photo
        ratios = [
            ["guyverd against face_recognition (HOG)", *Target(16).show(hog)],
            ["the same, level: fast", *Target(16).show(_seconds(theirs) / _seconds(fast))],
        ]
        told = ""
        if chosen.cnn is not False:
            times, cnn, photo = _cnn(folder, megapixels, whole=chosen.cnn or free_memory() > _CNN_NEEDS)
            rows.append(
                _row(f"face_recognition (CNN), 1 photo{', 1/4 of the pixels' if times > 1 else ''}", [cnn], [photo])
            )
            ratio = times * cnn.usage.seconds / per_photo
            ratios.append(['guyverd against face_recognition (model="cnn")', *Target(250).show(ratio)])
            told = f"The CNN's seconds are multiplied by {times} in the ratio." if times > 1 else ""
    progress("")
    usual = Faces().smallest
    table(["contender", "s a photo", "photos/s", "CPU s a photo", "peak MB", f"faces >= {usual:.0%}", "faces"], rows)
    table(["what", "measured", "target", ""], ratios)
    print(
        f"Faces: found of those placed; first only those as wide as `smallest` asks for ({usual:.0%}). {told}".rstrip()
    )


def _cnn(folder: Path, megapixels: float, *, whole: bool) -> tuple[int, Pass, Photo]:
    """How much smaller the photo was than the others, what came of it, and the photo."""
    from benchmarks.passes import peer
    from benchmarks.pictures import several

    times = 1 if whole else 4
    (photo,) = several(folder / "cnn", megapixels / times, 1)
    progress("face_recognition with model='cnn'")
    return times, alone(peer, [str(photo.path)], "cnn"), photo


def _seconds(passes: list[Pass]) -> float:
    return sum(one.usage.seconds for one in passes)


def _found(passes: list[Pass], photos: list[Photo]) -> str:
    boxes = {path: found for one in passes for path, found in one.faces.items()}
    found = sum(photo.found(boxes.get(str(photo.path), [])) for photo in photos)
    return f"{found} of {sum(len(photo.faces) for photo in photos)}"


def _row(name: str, passes: list[Pass], photos: list[Photo]) -> list[object]:
    from guyverd.config import Faces

    count = len(photos)
    seconds = _seconds(passes)
    return [
        name,
        f"{seconds / count:.2f}",
        f"{count / seconds:.3f}",
        f"{sum(one.usage.cpu for one in passes) / count:.2f}",
        f"{max(one.usage.peak for one in passes) / 1e6:.0f}",
        _found(passes, [photo.of_at_least(Faces().smallest) for photo in photos]),
        _found(passes, photos),
    ]


if __name__ == "__main__":
    main()
