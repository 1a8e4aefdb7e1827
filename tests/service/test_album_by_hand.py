"""An album of real people, sorted by hand with a daemon at work: everybody gets their name by renaming folders."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service.conftest import Daemon
from tests.service.hand import Hand

pytestmark = pytest.mark.album


def test_everybody_gets_a_name(
    album: Path, tmp_path: Path, write_config: Callable[..., Path], start: Callable[..., Daemon]
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(album / "albums" / "friends8", photos)
    actors = {photo.stem: photo.parent.name for photo in photos.rglob("*.*")}
    hand = Hand(write_config(photos, folders="{min_photos: 1}"), start)
    hand.looks_on()
    assert {photo for shown in hand.people.values() for photo in shown} | {*hand.unknown} == {*actors}

    # Whoever has several folders is one person: the second gets the name of the first, in small letters.
    named: dict[str, str] = {}
    for folder in sorted({path.rsplit("/", 1)[0] for path in hand.tree}):
        number = str(int(folder.removeprefix("Unnamed/")))
        (who,) = {actors[photo] for photo in hand.people[number]}
        if who not in named:
            named[who] = folder
            hand.mv(folder, who)
            hand.said("name", f"renamed {folder} to {who}")
            hand.people[who] = hand.people.pop(number)
        else:
            hand.mv(folder, who.lower())
            hand.said("merge", f"renamed {folder} to {who.lower()}")
            hand.goes(who.lower(), who)
            hand.people[who] |= hand.people.pop(number)
        hand.settled()
    assert len(named) >= 6

    for who, shown in sorted(hand.people.items()):
        assert {actors[photo] for photo in shown} == {who}
