"""What a saved search delivers of the faces it found. Pure.

Who counts is told by `people.finding`, as for a search; here it becomes files: a photo or video once, or each moment of
a video once, whatever is found in it later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guyverd.followed import Shown, Wanted
from guyverd.people.moments import NEARLY

Span = tuple[float, float]
"""From, to: seconds from the beginning of a video."""


def to_deliver(found: Sequence[Shown], known: Iterable[Wanted], *, clips: bool) -> list[Wanted]:
    """What is to be put into a folder because these faces were found, in their order.

    `known` is what was noted for it before. A photo, or a whole video, comes once. Of a video with `clips` each moment
    does: tracks that touch or nearly do are one, and one that overlaps what was noted before is known already, however
    far it reaches now.
    """
    held = list(known)
    whole = {one.hash for one in held if one.start is None}
    wanted: dict[bytes, list[Span]] = {}
    for one in found:
        if one.hash in whole:
            continue
        spans = wanted.setdefault(one.hash, [])
        if clips and one.video and one.start is not None and one.end is not None:
            spans.append((one.start, one.end))
    made: list[Wanted] = []
    for hash_, spans in wanted.items():
        if not spans:
            made.append(Wanted(hash_))
            continue
        before = [(one.start, one.end) for one in held if one.hash == hash_ and one.start is not None]
        made += [
            Wanted(hash_, start, end)
            for start, end in joined(spans)
            if not any(first < end and (last is None or start < last) for first, last in before)
        ]
    return made


def joined(spans: Iterable[Span], nearly: float = NEARLY) -> list[Span]:
    """Times as few spans, ascending: those that overlap, or are at most `nearly` seconds apart, are one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start - found[-1][1] <= nearly:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
