"""What has been missing for long, whatever becomes of the clock on the wall."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.catalogue.passing import Moment, moved, set_by
from guyverd.catalogue.rows import RootRow
from guyverd.catalogue.store import Catalogue
from guyverd.model import Changes
from guyverd.service.pipeline.clocks import Clocks, this_moment
from tests.catalogue.conftest import add, ids
from tests.promises import scaled

pytestmark = pytest.mark.promise("time")

HOUR, DAY, YEAR = 3600.0, 86_400.0, 365.25 * 86_400.0
GRACE = 7 * DAY
START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class Machine:
    """A machine's clocks, and how much time really passed."""

    def __init__(self, wall: float = START) -> None:
        self.wall = wall
        self.running = 100.0
        self.boot = 1
        self.passed = 0.0
        self.on = 0.0

    def __call__(self) -> Moment:
        return Moment(self.wall, self.running, str(self.boot))

    def text(self) -> str:
        return datetime.fromtimestamp(self.wall, UTC).isoformat(timespec="seconds")

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.running += seconds
        self.passed += seconds
        self.on += seconds

    def set(self, seconds: float) -> None:
        self.wall = max(0.0, self.wall + seconds)

    def off(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds
        self.running = 5.0
        self.boot += 1


def missing(catalogue: Catalogue, root: RootRow, path: bytes, machine: Machine) -> None:
    catalogue.files.apply(root.id, Changes(gone=(ids(catalogue, root)[path],)), machine.text())


def overdue(catalogue: Catalogue, machine: Machine, grace: float = GRACE) -> int:
    return catalogue.files.overdue(Clocks(catalogue, grace, machine).long_ago())[0]


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def gone(catalogue: Catalogue, root: RootRow, machine: Machine) -> Callable[[], bool]:
    """A photo that has been missing since just now; tells whether it would be forgotten."""
    add(catalogue, root, {b"a.jpg": "one", b"b.jpg": "two"})
    assert overdue(catalogue, machine) == 0
    missing(catalogue, root, b"a.jpg", machine)
    return lambda: overdue(catalogue, machine) > 0


def test_after_the_grace_and_not_before(gone: Callable[[], bool], machine: Machine) -> None:
    machine.wait(GRACE - HOUR)
    assert not gone()
    machine.wait(2 * HOUR)
    assert gone()


def test_a_clock_set_on_by_a_year_makes_nobody_forget(gone: Callable[[], bool], machine: Machine) -> None:
    machine.wait(HOUR)
    machine.set(YEAR)
    for _ in range(6):
        assert not gone()
        machine.wait(DAY)
    assert not gone()
    machine.wait(DAY)
    assert gone(), "and it does not take longer than it should"


def test_a_clock_set_back_by_ten_years_keeps_nothing_for_ten_years(gone: Callable[[], bool], machine: Machine) -> None:
    machine.wait(HOUR)
    machine.set(-10 * YEAR)
    assert not gone()
    machine.wait(GRACE - 2 * HOUR)
    assert not gone()
    machine.wait(2 * HOUR)
    assert gone()


def test_what_went_missing_after_the_clock_was_set_and_before_that_was_seen(
    catalogue: Catalogue, root: RootRow, machine: Machine
) -> None:
    for by in (YEAR, -10 * YEAR):
        add(catalogue, root, {b"%d.jpg" % by: str(by)})
        assert overdue(catalogue, machine) == 0
        machine.wait(HOUR)
        machine.set(by)
        missing(catalogue, root, b"%d.jpg" % by, machine)
        machine.wait(60.0)
        assert overdue(catalogue, machine) == 0
        machine.wait(GRACE - HOUR)
        assert overdue(catalogue, machine) == 0
        machine.wait(2 * HOUR)
        assert overdue(catalogue, machine) == 1
        catalogue.files.forget("9999")


def test_off_for_a_year_is_not_missing_for_a_year(gone: Callable[[], bool], machine: Machine) -> None:
    """While the machine was off nobody could bring it back either, and its clock may say anything."""
    machine.wait(HOUR)
    machine.off(YEAR)
    assert not gone()
    machine.off(-3 * YEAR)
    assert not gone()
    machine.wait(GRACE)
    assert gone()


def test_who_only_comes_by_now_and_then_forgets_in_the_end(gone: Callable[[], bool], machine: Machine) -> None:
    for _ in range(4):
        assert not gone()
        machine.off(30 * DAY)
        machine.wait(60.0)
    assert not gone(), "a quarter each, less what is left of the day it began"
    machine.off(30 * DAY)
    assert gone()


def test_asleep_is_on(gone: Callable[[], bool], machine: Machine) -> None:
    machine.wait(GRACE + HOUR)  # its clock goes on
    assert gone()


def test_small_steps_are_how_clocks_are_kept_right() -> None:
    assert set_by(Moment(0, 0, "a"), Moment(DAY + 40, DAY, "a"), 0) == 0.0
    assert set_by(Moment(0, 0, "a"), Moment(DAY + 90, DAY, "a"), 0) == 90.0


def test_times_to_come_are_never_since_when_something_is_missing(
    catalogue: Catalogue, root: RootRow, machine: Machine
) -> None:
    """As after an update from a version that did not look."""
    add(catalogue, root, {b"a.jpg": "one"})
    machine.set(YEAR)
    missing(catalogue, root, b"a.jpg", machine)
    machine.set(-YEAR)
    assert overdue(catalogue, machine) == 0
    machine.wait(GRACE + HOUR)
    assert overdue(catalogue, machine) == 1


@pytest.mark.parametrize(
    "kept", ["", "null", "[]", '{"wall": "x"}', '{"wall": 1e999, "running": 1, "boot": 3}', "[" * 99_999]
)
def test_a_moment_that_is_none_is_no_moment(catalogue: Catalogue, machine: Machine, kept: str) -> None:
    catalogue._db.write(lambda db: db.execute("INSERT INTO meta (key, value) VALUES ('moment', ?)", (kept,)))
    assert overdue(catalogue, machine) == 0
    machine.wait(HOUR)
    assert overdue(catalogue, machine) == 0


def test_the_machines_clocks() -> None:
    one, other = this_moment(), this_moment()
    assert one.boot == other.boot
    assert one.running <= other.running
    assert abs(one.wall - datetime.now(UTC).timestamp()) < 60
    assert set_by(one, other, 0.0) == 0.0


steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0, 3 * DAY)),
        st.tuples(st.just("set"), st.sampled_from([YEAR, -10 * YEAR, HOUR, -HOUR, 90.0, -90.0, 30 * YEAR])),
        st.tuples(st.just("off"), st.floats(-YEAR, 2 * YEAR)),
        st.tuples(st.just("gone"), st.just(0.0)),
        st.tuples(st.just("look"), st.just(0.0)),
    ),
    max_size=25,
)


@settings(max_examples=scaled(150, 5000), deadline=None)
@given(steps)
def test_nothing_is_forgotten_before_its_time_whatever_the_clock_does(todo: list[tuple[str, float]]) -> None:
    """Time that the machine was on counts as it was; each time it was off, at most a quarter of the grace."""
    machine, before = Machine(), Moment(START, 100.0, "1")
    noted: list[tuple[str, float, int]] = []  # what stands in the catalogue; how long it was on then, how often off
    offs = 0
    for what, seconds in [*todo, ("look", 0.0)]:
        if what == "wait":
            machine.wait(seconds)
        elif what == "set":
            machine.set(seconds)
        elif what == "off":
            offs += 1
            machine.off(max(seconds, -machine.wall))
        if what not in ("gone", "look"):
            continue
        # Whatever is noted is noted in a turn that began with a look.
        now = machine()
        by, wall = set_by(before, now, GRACE / 4), datetime.fromtimestamp(now.wall, UTC)
        noted = [(moved(text, by, wall), on, off) for text, on, off in noted]
        before = now
        for text, on, off in noted:
            if datetime.fromisoformat(text) < wall - timedelta(seconds=GRACE):
                most = machine.on - on + (offs - off) * GRACE / 4
                # Steps of up to a minute are believed.
                assert most > GRACE - 60 * (len(todo) + 1), (text, most / DAY)
        if what == "gone":
            noted.append((machine.text(), machine.on, offs))


def test_a_clock_that_is_set_is_noticed_before_anything_is_noted(
    catalogue: Catalogue, root: RootRow, machine: Machine
) -> None:
    """Set back and on again in between: what was noted by the wrong clock is right again afterwards."""
    add(catalogue, root, {b"a.jpg": "one"})
    clocks = Clocks(catalogue, GRACE, machine)
    for by in (-10 * YEAR, 11 * YEAR):
        clocks.look()
        machine.wait(HOUR)
        machine.set(by)
        clocks.look()
        if by < 0:
            missing(catalogue, root, b"a.jpg", machine)
    assert catalogue.files.overdue(clocks.long_ago())[0] == 0
    machine.wait(GRACE - 2 * HOUR)
    assert catalogue.files.overdue(clocks.long_ago())[0] == 0
    machine.wait(2 * HOUR)
    assert catalogue.files.overdue(clocks.long_ago())[0] == 1


def test_a_look_at_clocks_that_nobody_set_writes_nothing(
    catalogue: Catalogue, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(catalogue, GRACE, machine)
    clocks.look()
    monkeypatch.setattr(catalogue.passing, "look", None)
    for _ in range(100):
        machine.wait(HOUR)
        machine.set(5.0)
        clocks.look()
    machine.set(HOUR)
    with pytest.raises(TypeError):
        clocks.look()


def test_what_is_told(catalogue: Catalogue, machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    """That a clock was set is a warning; that a machine was off for a week is none."""
    caplog.set_level("INFO")
    clocks = Clocks(catalogue, GRACE, machine)
    clocks.look()
    machine.off(9 * DAY)
    clocks.look()
    machine.set(-3 * DAY)
    clocks.look()
    machine.set(DAY)
    clocks.look()
    assert [(record.levelname, record.getMessage().partition(":")[0]) for record in caplog.records] == [
        ("INFO", "The machine was off"),
        ("WARNING", "The clock was set back by 3 days, 0"),
        ("WARNING", "The clock was set on by 1 day, 0"),
    ]
