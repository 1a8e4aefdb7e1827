from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from guyverd.errors import AmbiguousPerson, BadRequest, ControlError, DaemonSilent, GuyverError, UnknownPerson
from guyverd.service.api import METHODS, Library
from guyverd.service.control import RemoteLibrary
from guyverd.service.lock import Holder
from guyverd.service.serving import Server
from tests.cli.fake import FakeLibrary

pytestmark = pytest.mark.promise("socket")

ODD = os.fsdecode(b"caf\xe9\nx\xff.jpg")


@pytest.fixture
def fake() -> FakeLibrary:
    return FakeLibrary()


@pytest.fixture
def served(tmp_path: Path, fake: FakeLibrary) -> Iterator[Path]:
    server = Server(fake, tmp_path / "s.sock")
    yield server.path
    server.close()
    assert not server.path.exists()


@pytest.fixture
def remote(served: Path) -> RemoteLibrary:
    return RemoteLibrary(Holder(os.getpid(), str(served)))


def raw(path: Path, request: bytes) -> list[dict[str, object]]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            return [json.loads(line) for line in stream]


def test_what_comes_through_the_socket_is_what_the_library_says(fake: FakeLibrary, remote: RemoteLibrary) -> None:
    assert remote.status() == json.loads(json.dumps(fake.status()))
    assert list(remote.people()) == list(fake.people())
    assert list(remote.faces()) == list(fake.faces())
    assert list(remote.failures()) == list(fake.failures())
    assert set(remote.progress()) == set(fake.progress())  # the fake goes on with each call
    assert remote.check() == fake.check()


def test_every_method_of_the_protocol_can_be_asked() -> None:
    public = {name for name in vars(Library) if not name.startswith("_")}
    assert public == set(METHODS)
    assert all(callable(getattr(RemoteLibrary, name)) for name in METHODS)


@pytest.mark.promise("names")
def test_names_that_are_not_utf8_survive_both_ways(fake: FakeLibrary, remote: RemoteLibrary, tmp_path: Path) -> None:
    odd = f"{tmp_path}/{ODD}"
    Path(odd).write_bytes(b"a picture")
    assert remote.who(odd)["path"] == odd
    assert fake.calls[-1] == ("who", odd)
    assert fake.handed == b"a picture"


@pytest.mark.parametrize("problem", [UnknownPerson(person="7"), AmbiguousPerson(person="Al", ids="1, 2")])
def test_errors_keep_their_class_message_and_exit_code(
    fake: FakeLibrary, remote: RemoteLibrary, problem: GuyverError
) -> None:
    def fail(person: str) -> dict[str, object]:
        raise problem

    fake.person = fail  # type: ignore[method-assign]
    with pytest.raises(type(problem)) as caught:
        remote.person("7")
    assert (caught.value.message, caught.value.exit_code) == (problem.message, problem.exit_code)


def test_an_error_of_a_list_is_raised_by_the_call_itself(fake: FakeLibrary, remote: RemoteLibrary) -> None:
    def fail(person: str | None = None) -> Iterator[dict[str, object]]:
        raise UnknownPerson(person="7")

    fake.faces = fail  # type: ignore[method-assign]
    with pytest.raises(UnknownPerson):
        remote.faces("7")


def test_an_unexpected_fault_becomes_a_control_error_and_the_server_lives(
    fake: FakeLibrary, remote: RemoteLibrary
) -> None:
    fake.status = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(ControlError, match="ZeroDivisionError"):
        remote.status()
    assert list(remote.people())


@pytest.mark.parametrize(
    "request_",
    [b"\n", b"nonsense\n", b"[]\n", b'{"method": "__init__"}\n', b'{"method": "close"}\n', b'{"method": 1}\n', b"{}\n",
     b'{"method": "people", "params": 3}\n', b"\xff\xfe\n", b"[" * 100_000 + b"\n"],
)  # fmt: skip
def test_nonsense_is_refused_and_the_server_lives(served: Path, remote: RemoteLibrary, request_: bytes) -> None:
    (answer,) = raw(served, request_)
    error = answer["error"]
    assert isinstance(error, dict)
    assert error["type"] == BadRequest.__name__
    assert remote.progress()


def test_unknown_parameters_are_refused(served: Path) -> None:
    (answer,) = raw(served, b'{"method": "person", "params": {"persn": "7"}}\n')
    assert "error" in answer


def test_a_client_that_says_nothing_holds_up_nobody(served: Path, remote: RemoteLibrary) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(served))
        assert remote.progress()


def test_no_daemon_behind_the_socket_is_said(tmp_path: Path) -> None:
    for socket_name in (None, str(tmp_path / "nothing.sock")):
        with pytest.raises(DaemonSilent, match="process 12"):
            RemoteLibrary(Holder(12, socket_name)).status()


def test_a_daemon_that_dies_in_the_middle_of_a_list_is_said(tmp_path: Path) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    listening.listen()

    def half() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b'{"item": {"id": 1}}\n')

    thread = threading.Thread(target=half)
    thread.start()
    rows = iter(RemoteLibrary(Holder(12, str(tmp_path / "s"))).people())
    assert next(rows) == {"id": 1}
    with pytest.raises(DaemonSilent):
        next(rows)
    thread.join()
    listening.close()


def test_a_dead_daemons_socket_is_replaced(tmp_path: Path, fake: FakeLibrary) -> None:
    path = tmp_path / "s"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    server = Server(fake, path)
    assert RemoteLibrary(Holder(1, str(path))).progress()
    server.close()
