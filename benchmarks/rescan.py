"""A second scan of a library in which nothing changed: 100,000 files, none of which may be opened.

    python benchmarks/rescan.py [--quick] [--files N]

The files are real, with a few bytes each, and the catalogue knows them as read, with 1.9 faces each, 2,000 people and a
link for each photo of theirs. Every file that Python code of this process opens, or lists, is noted by an audit hook;
native code here opens none, for pictures are decoded in worker processes only, and whether one ran is noted as well.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Target, arguments, begin, children, progress, scratch, table


class Notes:
    """What was opened below a folder, and how many directories were listed, while `on`."""

    def __init__(self, root: Path) -> None:
        self.on = False
        self.opened: list[str] = []
        self.listed = 0
        self._root = os.fspath(root) + "/"
        sys.addaudithook(self._note)

    def _note(self, event: str, given: tuple[object, ...]) -> None:
        if not self.on or event not in ("open", "os.scandir", "os.listdir") or not given:
            return
        path = given[0]
        if isinstance(path, bytes | str | os.PathLike):
            name = os.fsdecode(path)
            if (name + "/").startswith(self._root):
                if event == "open":
                    self.opened.append(name)
                else:
                    self.listed += 1


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--files", type=int, default=100_000)
    chosen = parser.parse_args()
    files = 100 if chosen.quick else chosen.files
    begin(f"A second scan of {files:,} unchanged files")

    from benchmarks.libraries import build
    from benchmarks.passes import scan
    from guyverd.service.access import open_library

    with scratch() as folder:
        config = build(folder, photos=files, faces=files * 19 // 10, people=max(2, files // 50))
        notes = Notes(folder / "photos")
        workers = _Workers()
        progress("scanning")
        began = time.perf_counter()
        with open_library(config) as library:
            notes.on = True
            workers.start()
            now = scan(library)
            seconds = time.perf_counter() - began
            workers.over.set()
            notes.on = False
            again = time.perf_counter()
            scan(library)
            warm = time.perf_counter() - again
        notes.on = True
        with open(config.photos[0] / "000" / "IMG_000000.jpg", "rb"):
            notes.on = False
        if len(notes.opened) == 0:
            raise RuntimeError("the hook saw nothing of a file that was opened")
        control = notes.opened.pop()
    progress("")
    table(
        ["what", "measured", "target", ""],
        [
            ["from opening the library until all is done", *Target(10, "s", at_most=True, digits=2).show(seconds)],
            ["another one in the same process", *Target(10, "s", at_most=True, digits=2).show(warm)],
            ["photo files opened", *Target(0, "", at_most=True, digits=0).show(len(notes.opened))],
            ["photos read", *Target(0, "", at_most=True, digits=0).show(now["photos_done"])],
            ["worker processes seen", *Target(0, "", at_most=True, digits=0).show(len(workers.seen))],
        ],
    )
    found = now["files_found"]
    print(
        f"{found:,} files found in {notes.listed:,} directories listed: {found / seconds:,.0f} files/s. "
        f"(The hook does see a file that is opened: {Path(control).name}.)"
    )


class _Workers(threading.Thread):
    """Looks a hundred times a second which processes this one has started."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.seen: set[int] = set()

    def run(self) -> None:
        while not self.over.wait(0.01):
            self.seen.update(children(os.getpid()))


if __name__ == "__main__":
    main()
