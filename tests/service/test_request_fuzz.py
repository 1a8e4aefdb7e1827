"""Any bytes as a request, and any text in the files of the state folder: an answer in words, and nothing else."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guyverd.errors import PeopleFolderError
from guyverd.folders import marker
from guyverd.model import IndexStamp
from guyverd.people.index import FaceIndex
from guyverd.people.index_file import IndexRefused
from guyverd.service.api import METHODS
from guyverd.service.lock import holder
from guyverd.service.serving import Server
from tests.cli.fake import FakeLibrary
from tests.promises import scaled

pytestmark = [pytest.mark.promise("fuzz"), pytest.mark.timeout(1800)]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["person", "path", "k", "limit", "opened", "x"])
requests = st.one_of(
    st.binary(max_size=200),
    values.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"method": st.sampled_from(sorted(METHODS)) | values},
        optional={"params": st.dictionaries(names, values) | values},
    ).map(lambda value: json.dumps(value).encode()),
    st.integers(1, 100_000).map(lambda depth: b"[" * depth),
    st.integers(1, 60_000).map(lambda digits: b'{"method": ' + b"9" * digits + b"}"),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = Path("/tmp") / f"guyverd-fuzz-{tmp_path_factory.getbasetemp().name}-{id(tmp_path_factory):x}.sock"
    library: Any = FakeLibrary()
    server = Server(library, path)
    yield path
    server.close()


def ask(path: Path, request: bytes) -> list[bytes]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        connection.sendall(request.replace(b"\n", b" ") + b"\n")
        with connection.makefile("rb") as answer:
            return answer.read().splitlines()


@settings(deadline=None, max_examples=scaled(100, 5000), suppress_health_check=[HealthCheck.too_slow])
@given(requests)
def test_any_request_has_an_answer(served: Path, request: bytes) -> None:
    lines = ask(served, request)
    assert lines, "silence is no answer"
    for line in lines:
        assert set(json.loads(line)) <= {"result", "item", "end", "error"}
    last = json.loads(lines[-1])
    assert not {"result", "end", "error"}.isdisjoint(last)
    # And the next one is answered as ever.
    assert "result" in json.loads(ask(served, b'{"method": "status"}')[0])


@settings(deadline=None, max_examples=scaled(100, 5000))
@given(st.one_of(st.binary(max_size=3000), values.map(lambda value: json.dumps(value).encode())))
def test_any_bytes_in_the_lock_tell_nothing_while_nobody_holds_it(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    state = tmp_path_factory.getbasetemp() / "locked"
    state.mkdir(exist_ok=True)
    (state / "lock").write_bytes(data)
    assert holder(state) is None


@settings(deadline=None, max_examples=scaled(60, 3000))
@given(
    st.binary(max_size=5000),
    st.text(max_size=40),
    st.integers(-5, 10_000),
    st.text(max_size=80),
    st.integers(-(2**70), 2**70),
)
def test_any_stamp_of_an_index_is_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, file: str, size: int, hash_: str, count: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "index"
    folder.mkdir(exist_ok=True)
    (folder / "faces-1.hnsw").write_bytes(data)
    for name in (file, "faces-1.hnsw", "../faces-1.hnsw", "/dev/zero", "\0"):
        with pytest.raises(IndexRefused) as caught:
            FaceIndex.load(str(folder).encode(), IndexStamp(name, size, hash_, count))
        assert str(caught.value)


@settings(deadline=None, max_examples=scaled(60, 2000))
@given(st.binary(max_size=3000))
def test_any_bytes_in_the_marker_are_a_marker_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Only that it is there counts, and nothing in it is obeyed."""
    folder = tmp_path_factory.getbasetemp() / "people"
    folder.mkdir(exist_ok=True)
    (folder / marker.MARKER.decode()).write_bytes(data)
    try:
        marker.check(str(folder).encode())
    except PeopleFolderError as problem:
        assert problem.message  # noqa: PT017
    assert (folder / marker.MARKER.decode()).read_bytes() == data
