"""One story of a library, and at each call that guyverd makes of the system an error, or its death.

Every step of the story is settled before the next begins. So wherever it was hindered, all must end as if it had not
been: the same files, people, links and words.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from guyverd.model import PersonId
from guyverd.service.pipeline.queries import LocalLibrary
from guyverd.service.pipeline.words.deciding import log_of
from tests.promises import scaled, torture
from tests.service.faults import Fault
from tests.service.world import World, a_world

RAM = Path("/dev/shm")


def says(world: World, job: Callable[[LocalLibrary], object]) -> None:
    """Say it until it is heard. What was not acknowledged may have been heard all the same."""
    before = len(world.log)
    # A fault may last for forty calls, and what is said meanwhile is refused, perhaps at its first.
    for _ in range(50):
        if world.say(job) or len(log_of(world.work.catalogue)) > before:
            return
    raise AssertionError("nobody hears it")


def home(world: World, photo: str) -> Path:
    """The one folder of a person that holds a photo, by the name of its file."""
    (folder,) = {path.parent for path in world.links() if Path(os.readlink(path)).name == f"{photo}.jpg"}
    return folder


def link(world: World, photo: str) -> Path:
    """The one link to a photo."""
    return home(world, photo) / f"undated_{photo}.jpg"


def person(world: World, photo: str) -> str:
    """The number of the one in a photo."""
    (who,) = {
        row[0]
        for row in world.work.catalogue._db.rows(
            "SELECT person_id FROM faces JOIN files USING (photo_id) WHERE CAST(path AS TEXT) LIKE ?",
            (f"%{photo}.jpg",),
        )
    }
    return str(who)


def first_photos(world: World) -> None:
    photos, archive = world.roots
    for who in range(3):
        for at in range(3):
            world.write(photos / f"day {who}" / f"{who}{at}.jpg", world.fresh(who))
    world.write(photos / "both.jpg", world.fresh(0, 1))
    world.write(archive / "old" / "two.jpg", world.fresh(2, 1))
    world.write(photos / "spoilt.jpg", world.fresh_spoilt())


def a_name_said(world: World) -> None:
    who = person(world, "00")
    says(world, lambda library: library.name(who, "Ada"))


def a_folder_renamed(world: World) -> None:
    world.move(home(world, "10"), world.people / "Bea")


def a_day_at_the_desk(world: World) -> None:
    photos, archive = world.roots
    world.write(photos / "day 0" / "00.jpg", world.fresh(0), instead=True)
    world.delete(photos / "day 1" / "10.jpg")
    world.move(photos / "day 1" / "11.jpg", archive / "11.jpg")
    world.move(photos / "day 2", photos / "day 3")
    world.copy(photos / "both.jpg", archive / "copy.jpg")
    world.touch(photos / "spoilt.jpg")


def a_link_moved(world: World) -> None:
    world.move(link(world, "12"), world.people / "Ada" / "undated_12.jpg")


def a_link_deleted(world: World) -> None:
    world.delete(link(world, "01"))


def a_photo_dropped(world: World) -> None:
    world.put_own(world.people / "Ada" / "own.jpg", world.fresh(0))


def a_folder_made(world: World) -> None:
    world.make(world.people / "Cy")
    world.move(link(world, "20"), world.people / "Cy" / "undated_20.jpg")


def an_album(world: World) -> None:
    says(world, lambda library: library.album(["Ada", "Bea"]))


def two_are_one(world: World) -> None:
    who = person(world, "21")
    says(world, lambda library: library.merge("Cy", who))


def that_was_wrong(world: World) -> None:
    says(world, lambda library: library.undo())


def somebody_hidden(world: World) -> None:
    world.move(world.people / "Bea", world.trash / "Bea")


def a_disk_unplugged(world: World) -> None:
    world.take_away(world.roots[0], replaced=True)


def and_plugged_in(world: World) -> None:
    world.bring_back(world.roots[0])


STORY = [
    first_photos,
    a_name_said,
    a_folder_renamed,
    a_day_at_the_desk,
    a_link_moved,
    a_link_deleted,
    a_photo_dropped,
    a_folder_made,
    an_album,
    two_are_one,
    that_was_wrong,
    somebody_hidden,
    a_disk_unplugged,
    and_plugged_in,
]


def told(place: Path, fault: Fault | None, links: str = "relative") -> tuple[dict[str, object], int, list[str]]:
    """How it ends, how many calls were made, and which were hindered."""
    place.mkdir()
    with a_world(place, fault, links=links) as world:
        for chapter in STORY:
            chapter(world)
            world.rest(mend=False)
        end: dict[str, object] = {
            "people": _people(world),
            "log": [(one.kind.value, one.name, _unnumbered(one.source)) for one in log_of(world.work.catalogue)],
            "links": sorted(
                (_unnumbered(str(path.relative_to(world.people))), path.resolve().read_bytes())
                for path in world.links()
            ),
            "files": sorted(str(path.relative_to(place)) for path in world.files()),
        }
        return end, world.disk.count, world.disk.struck


def _people(world: World) -> set[tuple[str | None, frozenset[tuple[str, int]]]]:
    """Name and faces of everybody with a face, and of nobody; what number they have depends on the order of photos."""
    names = world.work.catalogue.people.names()
    held: dict[PersonId | None, set[tuple[str, int]]] = {}
    for row in world.work.catalogue._db.rows(
        "SELECT hash, ordinal, person_id FROM faces JOIN photos ON photos.id = photo_id"
    ):
        held.setdefault(row["person_id"], set()).add((row["hash"].hex(), row["ordinal"]))
    return {(None if who is None else names[who], frozenset(faces)) for who, faces in held.items()}


def _unnumbered(text: str | None) -> str:
    return re.sub(r"Unnamed/\d+", "Unnamed/…", text or "")


def _ends(number: int, error: int, calls: int) -> tuple[str, dict[str, object]]:
    """Which call was hindered first, and how it ends; what went wrong, where it does not."""
    place = Path(tempfile.mkdtemp(dir=RAM if os.access(RAM, os.W_OK) else None))
    try:
        end, _, struck = told(place / "world", Fault(number, error, calls))
    except Exception as problem:
        return f"call {number}", {"problem": f"{type(problem).__name__}: {problem}"}
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return f"call {number}: {struck[0] if struck else 'none'}", end


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], int]:
    """How it ends, and how many calls that takes."""
    end, count, struck = told(tmp_path_factory.mktemp("every") / "world", None)
    assert not struck
    assert count > 1000, "or little was counted"
    return end, count


def _each(
    undisturbed: tuple[dict[str, object], int], faults: Iterable[tuple[int, int, int]]
) -> Iterator[tuple[str, dict[str, object]]]:
    """What ends otherwise; under torture on all processors."""
    wanted, _ = undisturbed
    if torture():
        with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
            ended = list(pool.map(_ends, *zip(*faults, strict=True), chunksize=20))
    else:
        ended = [_ends(*fault) for fault in faults]
    for call, end in ended:
        wrong = {part: end.get(part, end) for part in wanted if end.get(part) != wanted[part]}
        if wrong:
            yield call, wrong


def _numbers(count: int, few: int, seed: int) -> list[int]:
    """Every call under torture; else some, spread evenly."""
    if torture():
        return list(range(1, count + 1))
    step = count // few
    return [min(count, 1 + seed * 17 % step + at * step) for at in range(few)]


@pytest.mark.promise("any-order", "disk")
@pytest.mark.timeout(3600)
def test_an_error_at_any_call_changes_nothing_in_the_end(undisturbed: tuple[dict[str, object], int]) -> None:
    numbers = _numbers(undisturbed[1], 8, 1)
    faults = [(number, (errno.EIO, errno.ENOSPC)[number % 2], 1) for number in numbers]
    assert list(_each(undisturbed, faults)) == []


@pytest.mark.promise("any-order", "kill")
@pytest.mark.timeout(3600)
def test_death_at_any_call_changes_nothing_in_the_end(undisturbed: tuple[dict[str, object], int]) -> None:
    faults = [(number, 0, 1) for number in _numbers(undisturbed[1], 8, 2)]
    assert list(_each(undisturbed, faults)) == []


@pytest.mark.promise("any-order", "disk")
@pytest.mark.timeout(3600)
def test_errors_that_last_change_nothing_in_the_end(undisturbed: tuple[dict[str, object], int]) -> None:
    numbers = _numbers(undisturbed[1], 4, 3)[:: scaled(1, 5)]
    faults = [(number, (errno.EIO, errno.ESTALE)[number % 2], 40) for number in numbers]
    assert list(_each(undisturbed, faults)) == []
