"""A process that lets a library live again and again, each time in a child that dies, or meets failing disks.

It is started with the shim loaded, takes one job a line as JSON from standard input, and answers each with a line. Its
children are forked, so that nothing is imported twice.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from guyverd.errors import GuyverError
from guyverd.service.access import open_library
from guyverd.service.api import Row
from tests.service.crash.disk import Disk, Outage, Record
from tests.service.crash.life import Place, live, stand, words
from tests.service.crash.shim import Kind, Shim

_PATIENCE = 150.0
"""Seconds after which a child that does not come to an end tells where it is."""
_BEGUN = "begun"
PROJECT = Path(__file__).parents[3]


class Driver:
    """The other side: has jobs done by a process of its own."""

    def __init__(self, shim: Path, base: Path) -> None:
        self.base = base
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.service.crash.driver", str(base)],
            cwd=PROJECT,
            env={
                **os.environ,
                "LD_PRELOAD": str(shim),
                "PYTHONPATH": str(PROJECT),
                "OPENBLAS_NUM_THREADS": "1",
                "HOME": str(base.parent),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def do(self, job: str, **told: Any) -> Any:
        """Have one job done. Raises AssertionError with what went wrong in it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"job": job, **told}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the driver died"
        answer = json.loads(line)
        assert answer["problem"] is None, f"{job} {told}: {answer['problem']}"
        return answer["result"]


# ---- in the process --------------------------------------------------------------------------------------------------


class Jobs:
    """What can be asked for."""

    def __init__(self, base: Path, shim: Shim) -> None:
        self._place = Place(base)
        self._shim = shim
        self._reference: Row = {}
        self._record: Record | None = None
        self._log = base.parent / "record"

    def undisturbed(self, sections: str | None = None) -> Row:
        """One life from beginning to end, and how all stands then: what every other must come to."""
        base = self._place.base
        self._place = Place(base) if sections is None else Place(base, sections)
        self._anew()
        live(self._place)
        self._reference = stand(self._place)
        return self._reference

    def record(self) -> Row:
        """The same, recorded.

        The answer tells after which deed it begins, how many there are, at which a word was acknowledged, and the
        points of each kind of change.
        """
        base = self._place.base
        shutil.rmtree(base, ignore_errors=True)
        base.mkdir()

        def child() -> None:
            self._shim.below(base)
            self._shim.record(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600))
            self._place.prepare()
            self._shim.mark(_BEGUN)
            live(self._place, self._shim.mark)
            self._shim.off()

        self._forked(child)
        self._record = Record(self._log, base)
        # As seen from outside: what is done to photos is not among the points.
        self._anew()

        def counting() -> None:
            self._shim.below(self._place.kept)
            self._shim.record(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600))
            live(self._place)
            self._shim.off()

        self._forked(counting)
        inside = Record(self._log, self._place.kept)
        begun, *marks = (at for at, deed in enumerate(self._record.deeds, 1) if deed.kind is Kind.MARK)
        return {
            "begun": begun,
            "deeds": len(self._record.deeds),
            "marks": marks,
            "points": {kind.name: inside.points([kind]) for kind in Kind if kind < Kind.READ},
        }

    def killed(self, points: list[int], half: bool) -> Row:
        """Die at the first point, begin again, die at the next one, and so on; then live to the end."""
        self._anew()
        died = 0
        for point in points:

            def child(point: int = point) -> None:
                self._shim.below(self._place.kept)
                self._shim.kill(point, half=half)
                live(self._place)

            died += self._forked(child, may_die=True)
        return {"died": died, "different": self._ends_alike()}

    def outage(self, cut: int, manner: str, sector: int, seed: int, lying: bool = False) -> Row:
        """The power fails; what is left must hold every word that was acknowledged, and the life goes on from there.

        A disk that is `lying` forgot its syncs.
        """
        assert self._record is not None
        disk = Disk(self._record, Outage(cut, manner, sector, seed, lying), self._place.kept.name)
        made = disk.write(self._place.base)
        said = len(self._record.marks(cut)) - 1

        state = self._place.kept / "state" / "catalogue.db"
        if state.exists():
            self._forked(lambda: _renumber(state, made))

        def child() -> None:
            if said or state.exists():
                with open_library(self._place.config()) as library:
                    found = words(library)
                    wanted = self._reference["log"]
                    assert found[:said] == wanted[:said], f"acknowledged: {wanted[:said]}; there: {found}"
                    assert found == wanted[: len(found)], f"nobody said that: {found}"
                    wrong = [row for row in library.check()["checks"] if not row["ok"]]
                    hard = [row for row in wrong if row["name"] not in ("index", "people folder")]
                    assert not hard, hard

        self._forked(child)
        return {"lost": disk.lost, "different": self._ends_alike()}

    def calls(self, kinds: list[str], within: str) -> int:
        """How many calls of these kinds one life makes below a folder."""
        self._anew()
        told = self._place.base.parent / "calls"

        def child() -> None:
            self._shim.below(self._place.base / within)
            self._shim.counting(Kind[kind] for kind in kinds)
            live(self._place)
            told.write_text(str(self._shim.count()))

        self._forked(child)
        return int(told.read_text())

    def failing(self, kinds: list[str], within: str, point: int, times: int, error: int) -> Row:
        """So many calls fail from that one on; everything is said until it is heard, and comes out as if none had."""
        self._anew()
        told = self._place.base.parent / "told"

        def child() -> None:
            self._shim.below(self._place.base / within)
            self._shim.fail(point, times, (Kind[kind] for kind in kinds), error)
            refused: list[str] = []
            deadline = time.monotonic() + 120
            while True:
                try:
                    refused += live(self._place, patient=True, hand=self._shim.exempt)
                    break
                except GuyverError as problem:
                    refused.append(problem.message)
                    assert time.monotonic() < deadline, refused[-1]
            met = self._shim.count() >= point
            self._shim.off()
            different = _differences(self._reference, stand(self._place))
            told.write_text(json.dumps({"refused": refused, "met": met, "different": different}))

        self._forked(child)
        answer: Row = json.loads(told.read_text())
        answer["different"] += self._ends_alike()
        return answer

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _anew(self) -> None:
        shutil.rmtree(self._place.base, ignore_errors=True)
        self._place.prepare()

    def _ends_alike(self) -> list[str]:
        """Go on, undisturbed, to the end. Returns what is not as in a life that never was interrupted."""
        told = self._place.base.parent / "end"

        def child() -> None:
            live(self._place)
            told.write_text(json.dumps(stand(self._place)))

        self._forked(child)
        return _differences(self._reference, json.loads(told.read_text()))

    def _forked(self, work: Callable[[], None], *, may_die: bool = False) -> bool:
        """Do it in a child. Tells whether that was killed. Raises RuntimeError where it failed."""
        said = self._place.base.parent / "child"
        said.write_bytes(b"")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                # A file and no pipe: who is killed leaves it whole.
                os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND), 2)
                faulthandler.dump_traceback_later(_PATIENCE, exit=True)
                logging.basicConfig(stream=sys.stderr, force=True, level=logging.INFO)
                work()
                status = 0
            except BaseException:
                self._shim.off()
                traceback.print_exc()
            finally:
                self._shim.off()
                sys.stderr.flush()
                os._exit(status)
        status = os.waitpid(child, 0)[1]
        if may_die and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return True
        if status:
            raise RuntimeError(f"status {status}:\n{said.read_text()[-6000:]}")
        return False


def _differences(wanted: Row, found: Row) -> list[str]:
    # Through JSON, which knows no tuples.
    wanted, found = json.loads(json.dumps(wanted)), json.loads(json.dumps(found))
    return [f"{key}: {found[key]} instead of {wanted[key]}" for key in wanted if found[key] != wanted[key]]


def _renumber(catalogue: Path, made: dict[int, os.stat_result]) -> None:
    """Files and folders that were written anew have other numbers and times than a disk would have kept for them.

    The connection stays open, so that whoever looks next finds the log as the outage left it, and not put away.
    """
    db = _OPEN[0] = sqlite3.connect(catalogue, isolation_level=None)
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for table, key in (("roots", "id"), ("homes", "owner"), ("links", "path"), ("files", "id")):
        columns = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        if "inode" not in columns:
            continue
        for one, inode in db.execute(f"SELECT {key}, inode FROM {table} WHERE inode IS NOT NULL").fetchall():
            if inode in made:
                db.execute(f"UPDATE {table} SET inode = ? WHERE {key} = ?", (made[inode].st_ino, one))
                if "mtime_ns" in columns:
                    db.execute(f"UPDATE {table} SET mtime_ns = ? WHERE {key} = ?", (made[inode].st_mtime_ns, one))
    for key, text in db.execute("SELECT key, value FROM custody").fetchall() if "custody" in tables else ():
        told = json.loads(text) if text.startswith("{") else {}
        if "inode" not in told:
            continue
        status = made[told["inode"]]
        told["inode"] = status.st_ino
        if "second" in told:
            told["second"] = status.st_ctime_ns // 1_000_000_000
        db.execute("UPDATE custody SET value = ? WHERE key = ?", (json.dumps(told), key))


_OPEN: dict[int, sqlite3.Connection] = {}


def main() -> None:
    """Answer jobs until there are no more."""
    jobs = Jobs(Path(sys.argv[1]), Shim())
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        told = json.loads(line)
        answer: Row = {"problem": None, "result": None}
        try:
            answer["result"] = getattr(jobs, told.pop("job"))(**told)
        except Exception as problem:
            answer["problem"] = f"{type(problem).__name__}: {problem}"
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
