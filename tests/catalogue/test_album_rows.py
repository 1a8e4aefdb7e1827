"""Albums in the log of decisions: what is written is what is read, also by somebody else than guyverd."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guyverd.catalogue.store import Catalogue
from guyverd.model import AlbumId, Author, Decision, DecisionId, DecisionKind, PersonId, PhotoId, SavedAlbum
from guyverd.people.decisions import replay
from tests.catalogue.conftest import NOW

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1)
DAYS = st.none() | st.sampled_from(["2023", "2023-05", "2023-05-01"])
ALBUMS = st.builds(
    SavedAlbum,
    TEXTS,
    st.lists(st.integers(1, 2**62).map(PersonId), min_size=1).map(tuple),
    DAYS,
    DAYS,
    st.frozensets(st.integers(1, 2**62).map(PhotoId)),
)


def about(number: int, album: int | None, saved: SavedAlbum | None, source: str | None = None) -> Decision:
    whose = None if album is None else AlbumId(album)
    return Decision(
        DecisionId(number), NOW, DecisionKind.ALBUM, Author.USER, None, None, None, (), None, source, whose, saved
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.none() | st.integers(1, 4), ALBUMS, st.none() | TEXTS), max_size=4))
def test_what_is_said_of_albums_is_read_as_it_was_written(
    told: list[tuple[int | None, SavedAlbum, str | None]],
) -> None:
    log = [about(number, album, saved, source) for number, (album, saved, source) in enumerate(told, 1)]
    log.append(about(len(log) + 1, 1, None))
    with tempfile.TemporaryDirectory() as folder:
        path = os.fsencode(Path(folder) / "c.db")
        with Catalogue(path) as catalogue:
            for count, decision in enumerate(log, 1):
                assert catalogue.decisions.record(decision, replay(log[:count])).decision == decision
        with Catalogue(path) as again:
            assert again.decisions.log() == log


def test_an_album_can_be_read_with_sql(catalogue: Catalogue) -> None:
    saved = SavedAlbum("Us", (PersonId(2), PersonId(1)), "2023", None, frozenset({PhotoId(9), PhotoId(4)}))
    log = [about(1, None, saved, "mkdir Us"), about(2, 1, None)]
    for count, decision in enumerate(log, 1):
        catalogue.decisions.record(decision, replay(log[:count]))
    new, gone = catalogue._db.rows("SELECT kind, source, album_id, saved, faces, person_id FROM decisions ORDER BY id")
    assert (new["kind"], new["source"], new["album_id"], new["person_id"]) == ("album", "mkdir Us", None, None)
    told = {"title": "Us", "people": [2, 1], "since": "2023", "until": None, "without": [4, 9]}
    assert json.loads(new["saved"]) == told
    assert (gone["album_id"], gone["saved"], gone["source"]) == (1, None, None)
