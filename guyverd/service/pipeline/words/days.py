"""Days as people give them: a whole year, a month, or one day. Pure."""

from __future__ import annotations

import datetime
import re

from guyverd.errors import DaysContradict, NoDay

_DAY = re.compile(r"([0-9]{4})(-[0-9]{2})?(-[0-9]{2})?")


def checked(since: str | None, until: str | None) -> None:
    """Raise NoDay for what is neither YYYY nor YYYY-MM nor YYYY-MM-DD, DaysContradict where no day is in both."""
    for day in (since, until):
        if day is not None and not _is_one(day):
            raise NoDay(day=repr(day))
    # As texts they stand in order, but that a year comes before its months, and a month before its days: of the last
    # year or month the end counts, and "~" sorts behind every digit and dash.
    if since is not None and until is not None and since > until + "~":
        raise DaysContradict(since=since, until=until)


def _is_one(text: str) -> bool:
    found = _DAY.fullmatch(text)
    if found is None:
        return False
    try:
        datetime.date.fromisoformat(f"{found[1]}{found[2] or '-01'}{found[3] or '-01'}")
    except ValueError:
        return False
    return True
