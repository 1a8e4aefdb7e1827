from __future__ import annotations

import threading
import time

from guyverd.people.turns import Turns


def test_turns_are_taken_in_the_order_in_which_they_were_asked_for() -> None:
    turns, order = Turns(), []

    def wait(number: int) -> None:
        with turns:
            order.append(number)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(5)]
    with turns:
        for number, thread in enumerate(threads):
            thread.start()
            while len(turns._queue) < number + 2:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(5))


def test_who_comes_again_and_again_lets_others_in_between() -> None:
    turns, order = Turns(), []
    inside, waiting = threading.Event(), threading.Event()

    def again_and_again() -> None:
        for _ in range(3):
            with turns:
                order.append("again")
                inside.set()
                waiting.wait(10)

    busy = threading.Thread(target=again_and_again)
    busy.start()
    inside.wait(10)

    def once() -> None:
        with turns:
            order.append("other")

    other = threading.Thread(target=once)
    other.start()
    while len(turns._queue) < 2:
        time.sleep(0.001)
    waiting.set()
    for thread in (busy, other):
        thread.join()
    assert order == ["again", "other", "again", "again"]


def test_a_turn_ends_where_it_fails() -> None:
    turns = Turns()
    for _ in range(2):
        try:
            with turns:
                raise ValueError
        except ValueError:
            pass
    assert not turns._queue
