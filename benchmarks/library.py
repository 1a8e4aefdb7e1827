"""A whole pass over real photos, from files to a people folder, beside the same photos through `face_recognition`.

    python benchmarks/library.py [--folder DIR]... [--workers N] [--peer] [--quick]

The pass is that of a first scan: it starts workers, loads models, finds everything, groups it and makes links, in a
state folder of its own that is removed at the end. --peer has `face_recognition` load, locate (its default, HOG) and
encode each of the same photos, in one process; that takes long. Without a folder it makes six photos of 3 MP.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Meter, Target, alone, arguments, begin, cores, progress, scratch, table

if TYPE_CHECKING:
    from benchmarks.passes import Pass


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--folder", type=Path, action="append", help="may be given several times")
    parser.add_argument("--workers", type=int, default=cores(), help="(default: one for each core)")
    parser.add_argument("--peer", action="store_true", help="face_recognition too")
    chosen = parser.parse_args()
    begin(f"A whole pass, {chosen.workers} workers, beside one process of face_recognition")

    with scratch() as folder:
        folders = [path.absolute() for path in chosen.folder or [_made(folder / "made", quick=chosen.quick)]]
        done, failed, people = _ours(folder, folders, chosen.workers)
        rows = [_row(f"guyverd, {chosen.workers} workers", done)]
        ratios = []
        if chosen.peer:
            from benchmarks.passes import peer

            progress(f"face_recognition, {done.photos} photos")
            theirs: Pass = alone(peer, sorted(done.faces), "hog")
            rows.append(_row("face_recognition (HOG), 1 process", theirs))
            ratios = [
                ["photos/s, all workers", f"{theirs.usage.seconds / done.usage.seconds:.1f} x", "", ""],
                ["CPU seconds saved", *Target(3).show(theirs.usage.cpu / done.usage.cpu)],
                ["faces", *Target(1, digits=2).show(done.count / max(1, theirs.count))],
            ]
    progress("")
    table(["contender", "photos", "s", "photos/s", "CPU s", "peak MB of a process", "faces"], rows)
    if ratios:
        table(["guyverd against face_recognition", "measured", "target", ""], ratios)
    print(f"{people} people; {failed} photos could not be read.")


def _made(folder: Path, *, quick: bool) -> Path:
    from benchmarks.pictures import several

    several(folder, 0.5 if quick else 3.0, 2 if quick else 6)
    return folder


def _ours(scratch: Path, folders: list[Path], workers: int) -> tuple[Pass, int, int]:
    """The pass, with an entry for every photo that could be read; how many could not; how many people were found."""
    from benchmarks.libraries import config_for
    from benchmarks.passes import Pass, faces_in, scan
    from guyverd.service.access import open_library

    config = config_for(folders, scratch, workers=workers)
    with Meter() as meter, open_library(config) as library:
        now = scan(library, "guyverd")
    with open_library(config) as library:
        boxes = faces_in(library)
        failed = {row["file"] for row in library.failures()}
        people = len(list(library.people()))
    faces = {path: boxes.get(path, []) for path in _pictures(folders) if path not in failed}
    return Pass(meter.usage, now["photos_done"] - now["failures"], faces, meter.worker_peak), now["failures"], people


def _pictures(folders: list[Path]) -> list[str]:
    """The paths of all picture files, one of those that have the same content."""
    import hashlib

    from guyverd.media.kinds import is_picture

    found: dict[bytes, str] = {}
    for folder in folders:
        for above, below, names in os.walk(folder):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in sorted(names):
                path = os.path.join(above, name)
                if is_picture(os.fsencode(name)) and not name.startswith(".") and not os.path.islink(path):
                    found.setdefault(hashlib.sha256(Path(path).read_bytes()).digest(), path)
    return sorted(found.values())


def _row(name: str, done: Pass) -> list[object]:
    used = done.usage
    return [
        name,
        done.photos,
        f"{used.seconds:.1f}",
        f"{done.photos / used.seconds:.2f}",
        f"{used.cpu:.1f}",
        f"{used.peak / 1e6:.0f}",
        done.count,
    ]


if __name__ == "__main__":
    main()
