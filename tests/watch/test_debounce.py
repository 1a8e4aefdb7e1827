from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd.watch.debounce import Debouncer, Settled
from guyverd.watch.path_event import EventKind, PathEvent

QUIET, CEILING = 2.0, 10.0
TOUCHED, GONE, SUBTREE, OVERFLOW = EventKind.TOUCHED, EventKind.GONE, EventKind.SUBTREE, EventKind.OVERFLOW


def event(kind: EventKind, path: bytes, root: bytes = b"/r") -> PathEvent:
    return PathEvent(kind, root, path)


def one(path: bytes, root: bytes = b"/r") -> Settled:
    return Settled(root, path, subtree=False)


def tree(path: bytes, root: bytes = b"/r") -> Settled:
    return Settled(root, path, subtree=True)


def waiting(*events: PathEvent, most: int = 2000) -> Debouncer:
    """All of them added at 0."""
    debouncer = Debouncer(QUIET, CEILING, most)
    for item in events:
        debouncer.add(item, 0)
    return debouncer


def test_a_path_settles_when_it_has_been_quiet() -> None:
    debouncer = waiting(event(TOUCHED, b"a"))
    assert debouncer.deadline() == 2
    debouncer.add(event(TOUCHED, b"a"), 1)
    assert debouncer.due(2.9) == ()
    assert debouncer.deadline() == 3
    assert debouncer.due(3) == (one(b"a"),)
    assert debouncer.due(100) == ()
    assert debouncer.deadline() is None
    assert len(debouncer) == 0


def test_a_later_path_does_not_hold_up_an_earlier_one() -> None:
    debouncer = waiting(event(TOUCHED, b"a"))
    debouncer.add(event(TOUCHED, b"b"), 1)
    assert debouncer.deadline() == 2
    assert debouncer.due(2) == (one(b"a"),)
    assert debouncer.deadline() == 3


def test_a_path_that_never_rests_settles_at_the_ceiling() -> None:
    debouncer = waiting(event(TOUCHED, b"a"))
    for now in range(1, 10):
        debouncer.add(event(TOUCHED, b"a"), now)
        assert debouncer.due(now + 0.9) == ()
    assert debouncer.deadline() == CEILING
    assert debouncer.due(CEILING) == (one(b"a"),)


def test_both_halves_of_a_move_come_together_in_order() -> None:
    debouncer = waiting(event(GONE, b"z"), event(TOUCHED, b"a"))
    assert debouncer.due(2) == (one(b"z"), one(b"a"))


def test_a_subtree_takes_up_what_waits_and_what_comes_below_it() -> None:
    debouncer = waiting(event(TOUCHED, b"d/a"), event(TOUCHED, b"da"), event(SUBTREE, b"d/e"), event(SUBTREE, b"d"))
    debouncer.add(event(GONE, b"d/e/f"), 1)
    debouncer.add(event(SUBTREE, b"d/e"), 1)
    assert len(debouncer) == 2
    assert debouncer.due(2.5) == (one(b"da"),)
    assert debouncer.due(3) == (tree(b"d"),)


def test_a_subtree_inherits_the_oldest_ceiling() -> None:
    debouncer = waiting(event(TOUCHED, b"d/a"))
    for now in range(1, 10):
        debouncer.add(event(TOUCHED, b"d/a"), now)
    debouncer.add(event(SUBTREE, b"d"), 9.5)
    assert debouncer.due(9.9) == ()
    assert debouncer.due(10) == (tree(b"d"),)


def test_a_path_that_became_a_directory_or_is_gone_again_is_still_looked_through() -> None:
    assert waiting(event(GONE, b"d"), event(SUBTREE, b"d")).due(2) == (tree(b"d"),)
    assert waiting(event(SUBTREE, b"d"), event(GONE, b"d")).due(2) == (tree(b"d"),)
    assert waiting(event(SUBTREE, b"d"), event(TOUCHED, b"d")).due(2) == (tree(b"d"),)


@pytest.mark.parametrize("kind", [SUBTREE, GONE])
def test_what_happens_to_the_root_concerns_all_of_it(kind: EventKind) -> None:
    assert waiting(event(TOUCHED, b"a"), event(kind, b""), event(TOUCHED, b"b/c")).due(2) == (tree(b""),)


def test_an_overflow_is_a_look_through_that_root_only() -> None:
    debouncer = waiting(event(TOUCHED, b"a"), event(TOUCHED, b"b", b"/s"), event(OVERFLOW, b"anything"))
    assert debouncer.due(2) == (tree(b""), one(b"b", b"/s"))


def test_too_many_paths_become_one_look_through_their_root() -> None:
    paths = [b"%d" % n for n in range(5)]
    others = [event(TOUCHED, path, b"/s") for path in paths]
    assert len(waiting(*(event(TOUCHED, path) for path in paths), *others, most=5)) == 10
    debouncer = waiting(*(event(TOUCHED, path) for path in [*paths, b"one more"]), *others, most=5)
    assert len(debouncer) == 6
    assert debouncer.due(2) == (tree(b""), *(one(path, b"/s") for path in paths))


def test_names_that_only_begin_alike_are_not_below() -> None:
    debouncer = waiting(event(SUBTREE, b"a"), event(TOUCHED, b"a.jpg"), event(TOUCHED, b"ab/c"))
    assert debouncer.due(2) == (tree(b"a"), one(b"a.jpg"), one(b"ab/c"))


@pytest.mark.parametrize(("quiet", "ceiling", "most"), [(-1, 1, 1), (2, 1, 1), (1, 2, 0)])
def test_senseless_delays_are_refused(quiet: float, ceiling: float, most: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        Debouncer(quiet, ceiling, most)


def test_no_quiet_delay_settles_at_once() -> None:
    debouncer = Debouncer(0, 0)
    debouncer.add(event(TOUCHED, b"a"), 5)
    assert debouncer.due(5) == (one(b"a"),)


# ---- properties ------------------------------------------------------------------------------------------------------

roots = st.sampled_from([b"/r", b"/s"])
paths = st.lists(st.sampled_from([b"a", b"b", b"ab"]), max_size=3).map(b"/".join)
steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 1.0, 1.5, 4.0]),  # time passed since the last step
        st.one_of(st.none(), st.builds(PathEvent, st.sampled_from(list(EventKind)), roots, paths)),  # None: ask
    ),
    max_size=60,
)


def covers(settled: Settled, root: bytes, path: bytes) -> bool:
    if settled.root != root:
        return False
    return settled.path == path or (settled.subtree and (not settled.path or path.startswith(settled.path + b"/")))


@settings(max_examples=300)
@given(steps, st.integers(1, 6), st.booleans())
def test_nothing_is_lost_nothing_is_early_nothing_is_late(
    found: list[tuple[float, PathEvent | None]], most: int, prompt: bool
) -> None:
    """A model that keeps, for each path, its first and last event since it was last covered.

    `prompt` follows every deadline, as the service does; else only the steps themselves ask.
    """
    debouncer = Debouncer(QUIET, CEILING, most)
    now = 0.0
    open_paths: dict[tuple[bytes, bytes], tuple[float, float, bool]] = {}

    def certainly_due() -> list[float]:
        """When something must settle, whatever was merged with what: a root all at rest, a path at its ceiling."""
        rest = [max(last for (r, _), (_, last, _) in open_paths.items() if r == root) for root, _ in open_paths]
        return [last + QUIET for last in rest] + [first + CEILING for first, _, _ in open_paths.values()]

    def ask(moment: float) -> None:
        settled = debouncer.due(moment)
        assert len({(item.root, item.path) for item in settled}) == len(settled)
        for item in settled:
            below = {key: open_paths[key] for key in open_paths if covers(item, *key)}
            assert below, "settled without an event"
            rested = all(moment >= last + QUIET for _, last, _ in below.values())
            tired = any(moment >= first + CEILING for first, _, _ in below.values())
            assert rested or tired, "too early"
            assert item.subtree or not any(whole for _, _, whole in below.values()), "a look through became a look"
        for key in [key for key in open_paths if any(covers(item, *key) for item in settled)]:
            del open_paths[key]
        assert all(due > moment for due in certainly_due()), "too late"
        deadline = debouncer.deadline()
        assert (deadline is None) == (not open_paths) == (len(debouncer) == 0)
        assert deadline is None or deadline > moment, "the caller would spin"

    def follow(until: float) -> None:
        while prompt and (deadline := debouncer.deadline()) is not None and deadline <= until:
            ask(max(deadline, now))
            for first, last, _ in open_paths.values():
                assert first + CEILING > deadline, "later than the ceiling"
                assert last + CEILING > deadline, "later than promised"

    for passed, item in found:
        follow(now + passed)
        now += passed
        if item is None:
            ask(now)
            continue
        debouncer.add(item, now)
        path = b"" if item.kind is OVERFLOW else item.path
        first, _, whole = open_paths.get((item.root, path), (now, now, False))
        open_paths[item.root, path] = (first, now, whole or path == b"" or item.kind is SUBTREE)
        deadline = debouncer.deadline()
        assert deadline is not None
        assert deadline <= min(certainly_due())
    prompt = True
    last_event = now
    follow(last_event + CEILING)
    assert not open_paths
    assert len(debouncer) == 0


@given(st.lists(st.builds(PathEvent, st.just(TOUCHED), roots, paths), max_size=40), st.integers(1, 5))
def test_never_more_paths_wait_than_allowed(found: list[PathEvent], most: int) -> None:
    debouncer = Debouncer(QUIET, CEILING, most)
    for item in found:
        debouncer.add(item, 0)
    assert len(debouncer) <= most * len({item.root for item in found})
    assert all(any(covers(s, e.root, e.path) for s in debouncer.due(QUIET)) for e in found[:1])
