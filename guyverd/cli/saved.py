"""Saved albums in words."""

from __future__ import annotations

from guyverd.cli.format import person, plural
from guyverd.cli.output import Row


def sentence(album: Row) -> str:
    """What a decision says of an album: `before` and `now` are the album, or null where it is not there."""
    before, now = album["before"], album["now"]
    if now is None:
        return f"there is no album {album['id'] if before is None else before['title']} any more"
    title = f"album {now['title']}"
    if before is None:
        return f"{title} shows {shown_in(now)}"
    said = []
    if now["title"] != before["title"]:
        title = f"album {before['title']}"
        said.append(f"is called {now['title']}")
    if shown_in(now) != shown_in(before):
        said.append(f"shows {shown_in(now)}")
    out, back = set(now["without"]) - set(before["without"]), set(before["without"]) - set(now["without"])
    said += [f"is without {plural(len(out), 'photo')}"] if out else []
    said += [f"has {plural(len(back), 'photo')} back"] if back else []
    return f"{title} {' and '.join(said) or 'is as it was'}"


def shown_in(saved: Row) -> str:
    """Whom an album shows, and from when: Alice (1) and Bob (2) together since 2023."""
    people = [person(one) for one in saved["people"]]
    together = people[0] if len(people) == 1 else f"{', '.join(people[:-1])} and {people[-1]} together"
    days = [f" {word} {saved[word]}" for word in ("since", "until") if saved[word] is not None]
    return together + "".join(days)
