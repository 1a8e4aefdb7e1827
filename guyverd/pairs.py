"""Pairs of numbers of any kind: who stands in a pair with whom, and what hangs together through them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

Number = TypeVar("Number", bound=int)


def partners(pairs: Iterable[tuple[Number, Number]]) -> dict[Number, set[Number]]:
    """For each number in a pair those it stands in a pair with."""
    found: dict[Number, set[Number]] = defaultdict(set)
    for one, other in pairs:
        found[one].add(other)
        found[other].add(one)
    return dict(found)


def components(pairs: Iterable[tuple[Number, Number]]) -> dict[Number, Number]:
    """For each number in a pair the smallest of all that it hangs together with, be it by way of others."""
    ends = partners(pairs)
    found: dict[Number, Number] = {}
    for first in sorted(ends):
        waiting = [first]
        while waiting:
            number = waiting.pop()
            if number not in found:
                found[number] = first
                waiting += ends[number]
    return found
