"""The socket: whom it lets in, where it lies, and that no caller can keep others out."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guyverd import config_file
from guyverd.errors import ControlError, GuyverError, StateError
from guyverd.service import control, serving
from guyverd.service.access import open_library
from guyverd.service.api import Row
from guyverd.service.control import RemoteLibrary, socket_path
from guyverd.service.lock import Holder, holder
from guyverd.service.serving import LONGEST_REQUEST, MOST_AT_WORK, MOST_LISTING, MOST_WAITING, Server
from tests.cli.fake import FakeLibrary
from tests.promises import scaled, torture
from tests.service.conftest import Daemon, copy, eventually

pytestmark = pytest.mark.promise("socket")

STATUS = b'{"method": "status"}\n'
OTHER = 65_533
"""A user who is nobody here."""


@pytest.fixture
def fake() -> FakeLibrary:
    return FakeLibrary()


@pytest.fixture
def served(short_path: Path, fake: FakeLibrary) -> Iterator[Path]:
    server = Server(fake, short_path / "s.sock")
    yield server.path
    server.close()


@pytest.fixture
def remote(served: Path) -> RemoteLibrary:
    return RemoteLibrary(Holder(os.getpid(), str(served)))


def connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(60)
    deadline = time.monotonic() + 60
    while True:
        try:
            connection.connect(str(path))
        except BlockingIOError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        else:
            return connection


def answer(connection: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(1 << 16):
            found += piece
    return found


# ---- who is let in ---------------------------------------------------------------------------------------------------

ASK = """
import os, socket, sys
os.setgroups([]) if os.geteuid() == 0 else None
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(30)
try:
    connection.connect(sys.argv[1])
    connection.sendall(b'{"method": "status"}\\n')
    print("answered" if connection.recv(100) else "shown out")
except PermissionError:
    print("no entry")
except ConnectionError:
    print("shown out")
"""


def as_another(path: Path) -> str:
    """What somebody else gets who asks there."""
    program = [sys.executable, "-c", ASK, str(path)]
    if os.geteuid() == 0:
        command = [*program, str(OTHER)]
    else:
        unshare = shutil.which("unshare")
        if unshare is None:
            pytest.skip("there is no unshare")
        # In a user namespace with more than our own user, its number 1 is somebody else outside.
        command = [unshare, "--user", "--map-root-user", "--map-auto", *program, "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        pytest.skip(f"nobody else can be had here: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()


def test_the_socket_is_ours_alone_and_so_is_its_folder(short_path: Path, served: Path) -> None:
    assert stat.S_IMODE(served.stat().st_mode) == 0o600
    assert stat.S_IMODE(short_path.stat().st_mode) == 0o700


def test_somebody_else_cannot_connect(served: Path) -> None:
    served.parent.chmod(0o755)
    assert as_another(served) == "no entry"


def test_somebody_else_who_can_connect_is_not_answered(served: Path, remote: RemoteLibrary) -> None:
    """The peer is asked for by number, whatever became of the permissions."""
    served.parent.chmod(0o755)
    served.chmod(0o777)
    assert as_another(served) == "shown out"
    assert remote.status()


def test_what_is_run_by_somebody_else_is_not_asked(
    served: Path, remote: RemoteLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture is handed to our own daemon only."""
    monkeypatch.setattr(control, "peer_uid", lambda _: OTHER)
    monkeypatch.setattr(os, "getuid", lambda: OTHER + 1)
    with pytest.raises(ControlError, match=f"run by user {OTHER}"):
        remote.status()


# ---- where it lies ---------------------------------------------------------------------------------------------------


@pytest.fixture
def only_temporary(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No runtime folder: the folder for temporary files is what is left, and this is ours in it."""
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(short_path))
    return short_path / f"guyverd-{os.getuid()}"


def test_it_lies_in_a_private_folder(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    one, other = socket_path(Path("/a/state")), socket_path(Path("/b/state"))
    assert one.parent == other.parent == short_path / "guyverd"
    assert one != other
    assert one == socket_path(Path("/a/state"))
    assert stat.S_IMODE(one.parent.stat().st_mode) == 0o700


def test_a_folder_that_others_can_write_is_passed_over(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_folder, temporary = short_path / "open", short_path / "tmp"
    (open_folder / "guyverd").mkdir(parents=True)
    (open_folder / "guyverd").chmod(0o777)
    temporary.mkdir()
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(open_folder))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    assert socket_path(Path("/a")).is_relative_to(temporary)


def test_a_runtime_folder_too_deep_for_a_socket_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / ("x" * 150)))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert len(os.fsencode(socket_path(Path("/a")))) < 108


def test_a_runtime_folder_that_was_replaced_by_a_link_is_passed_over(
    short_path: Path, only_temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (short_path / "elsewhere").mkdir(mode=0o700)
    (short_path / "run").mkdir(mode=0o700)
    (short_path / "run" / "guyverd").symlink_to(short_path / "elsewhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path / "run"))
    assert socket_path(Path("/a")).parent == only_temporary
    assert not list((short_path / "elsewhere").iterdir())


@pytest.mark.parametrize("what", ["a link", "a dangling link", "a file", "writable", "another's", "in an open folder"])
def test_a_temporary_folder_that_somebody_took_is_refused(what: str, only_temporary: Path) -> None:
    theirs = only_temporary.parent / "theirs"
    if what == "a link":
        theirs.mkdir(mode=0o700)
        only_temporary.symlink_to(theirs)
    elif what == "a dangling link":
        only_temporary.symlink_to(theirs)
    elif what == "a file":
        only_temporary.write_text("x")
    elif what == "writable":
        only_temporary.mkdir()
        only_temporary.chmod(0o770)
    elif what == "another's":
        if os.geteuid() != 0:
            pytest.skip("only root can give folders away")
        only_temporary.mkdir(mode=0o700)
        os.chown(only_temporary, OTHER, OTHER)
    else:
        # No sticky bit: anybody could put another folder in its place.
        only_temporary.parent.chmod(0o777)
    with pytest.raises(StateError, match="no folder for a socket that only you can write"):
        socket_path(Path("/a"))
    if what == "a dangling link":
        assert not theirs.exists()


def test_a_link_in_the_place_of_the_socket_is_replaced_and_not_followed(short_path: Path, fake: FakeLibrary) -> None:
    precious = short_path / "precious"
    precious.write_text("precious")
    (short_path / "s.sock").symlink_to(precious)
    server = Server(fake, short_path / "s.sock")
    try:
        assert stat.S_ISSOCK((short_path / "s.sock").lstat().st_mode)
        assert precious.read_text() == "precious"
    finally:
        server.close()


# ---- callers who mean ill, or hang -----------------------------------------------------------------------------------


def test_whoever_says_it_too_slowly_is_shown_out(
    served: Path, remote: RemoteLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte by byte they would hold their place as long as they like, if each byte gave them more time."""
    monkeypatch.setattr(serving, "_SPEAK", 0.5)

    def drip(slow: socket.socket) -> None:
        for _ in range(10_000):
            slow.send(b" ")
            time.sleep(0.01)

    with connected(served) as slow, pytest.raises(ConnectionError):
        drip(slow)
    assert remote.status()


def test_whoever_says_it_without_end_is_told_so(served: Path, remote: RemoteLibrary) -> None:
    with connected(served) as endless:
        with contextlib.suppress(ConnectionError):
            for _ in range(2 * LONGEST_REQUEST // 4096):
                endless.sendall(b"x" * 4096)
        told = answer(endless)
    if told:  # what was still on its way may have taken the answer with it
        assert json.loads(told)["error"]["fields"]["detail"] == "it is too long"
    assert remote.status()


def test_a_long_request_that_ends_in_time_is_answered(served: Path, fake: FakeLibrary) -> None:
    """A megabyte is allowed: somebody may confirm a great many faces at once."""
    faces = [str(number) for number in range(100_000)]
    request = json.dumps({"method": "confirm", "params": {"person": "12", "faces": faces}}).encode() + b"\n"
    assert LONGEST_REQUEST // 2 < len(request) < LONGEST_REQUEST
    with connected(served) as connection:
        connection.sendall(request)
        assert b'"result"' in answer(connection)
    assert fake.calls[-1] == ("confirm", "12", *faces)


def test_whoever_closes_their_half_is_answered_all_the_same(served: Path) -> None:
    with connected(served) as half:
        half.sendall(STATUS)
        half.shutdown(socket.SHUT_WR)
        assert b'"result"' in answer(half)


def test_whoever_leaves_before_the_answer_harms_nobody(
    served: Path, fake: FakeLibrary, remote: RemoteLibrary, caplog: pytest.LogCaptureFixture
) -> None:
    many: Callable[..., Iterator[Row]] = lambda person=None: ({"face": number} for number in range(200_000))  # noqa: E731
    fake.faces = many  # type: ignore[method-assign]
    for _ in range(20):
        with connected(served) as leaving:
            leaving.sendall(b'{"method": "faces"}\n')
            leaving.recv(10)
    assert remote.status()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_an_error_of_the_system_in_the_library_is_told(fake: FakeLibrary, remote: RemoteLibrary) -> None:
    """It is not taken for a caller who went away."""
    fake.trouble = PermissionError(13, "Permission denied")
    with pytest.raises(ControlError, match="Permission denied"):
        remote.status()


def test_thousands_who_say_nothing_keep_nobody_out(served: Path, remote: RemoteLibrary) -> None:
    """Nor do they cost a thread each, nor more than a few descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most_silent = min(300, soft - 200)
    stop, most_threads, made = threading.Event(), 0, 0

    def flood() -> None:
        nonlocal made
        silent: list[socket.socket] = []
        while not stop.is_set() and made < scaled(1500, 10_000):
            connection = socket.socket(socket.AF_UNIX)
            connection.setblocking(False)
            try:
                connection.connect(str(served))
            except BlockingIOError:
                connection.close()
                time.sleep(0.001)
                continue
            made += 1
            silent.append(connection)
            if len(silent) > most_silent:
                silent.pop(0).close()
        for connection in silent:
            connection.close()

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        asked = 0
        while flooding.is_alive() and asked < scaled(3, 100):
            assert remote.status()
            asked += 1
            most_threads = max(most_threads, threading.active_count())
            assert len(os.listdir("/proc/self/fd")) < most_silent + MOST_WAITING + MOST_AT_WORK + 150
    finally:
        stop.set()
        flooding.join()
    assert asked >= 3
    assert made > MOST_WAITING
    assert most_threads < 30
    assert remote.status()


def test_only_so_many_are_answered_at_once_and_the_others_wait(
    served: Path, fake: FakeLibrary, remote: RemoteLibrary
) -> None:
    guard, gate, inside, most = threading.Lock(), threading.Event(), 0, 0

    def status() -> Row:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        gate.wait(60)
        with guard:
            inside -= 1
        return {}

    fake.status = status  # type: ignore[method-assign]
    count = MOST_AT_WORK + MOST_WAITING + 40
    callers = [connected(served) for _ in range(MOST_AT_WORK)]
    for caller in callers:
        caller.sendall(STATUS)
    eventually(lambda: inside == MOST_AT_WORK)

    def more() -> None:
        for _ in range(count - MOST_AT_WORK):
            callers.append(connected(served))
            callers[-1].sendall(STATUS)

    waiting = threading.Thread(target=more)
    waiting.start()
    try:
        eventually(lambda: len(callers) >= MOST_AT_WORK + MOST_WAITING)
        assert inside == MOST_AT_WORK
    finally:
        gate.set()
        waiting.join()
    assert all(answer(caller) == b'{"result": {}}\n' for caller in callers)
    assert (len(callers), most) == (count, MOST_AT_WORK)
    for caller in callers:
        caller.close()


def test_lists_that_nobody_fetches_leave_room_for_others(
    served: Path, fake: FakeLibrary, remote: RemoteLibrary
) -> None:
    """As where many have one open in a pager."""
    begun: list[int] = []

    def faces(person: str | None = None) -> Iterator[Row]:
        begun.append(1)
        for number in range(1_000_000):
            yield {"face": number, "file": "x" * 100}

    fake.faces = faces  # type: ignore[method-assign]
    pagers = [connected(served) for _ in range(MOST_LISTING + 10)]
    try:
        for pager in pagers:
            pager.sendall(b'{"method": "faces"}\n')
        eventually(lambda: len(begun) == MOST_LISTING)
        assert remote.status()
        assert remote.check()
        assert len(begun) == MOST_LISTING
    finally:
        for pager in pagers:
            pager.close()
    eventually(lambda: len(begun) > MOST_LISTING)
    assert remote.status()


def test_a_descriptor_that_belongs_to_no_picture_is_closed(served: Path, remote: RemoteLibrary, tmp_path: Path) -> None:
    """Sent with a request that wants none, with nonsense, several at once, or over and over."""
    file = tmp_path / "f"
    file.write_bytes(b"x")
    before = len(os.listdir("/proc/self/fd"))
    with file.open("rb") as opened:
        for line in (STATUS, b"nonsense\n", b'{"method": "people"}\n'):
            with connected(served) as caller:
                socket.send_fds(caller, [line], [opened.fileno()] * 5)
                assert answer(caller)
        with connected(served) as caller:
            for _ in range(50):
                with contextlib.suppress(BrokenPipeError):
                    socket.send_fds(caller, [b" "], [opened.fileno()] * 3)
    assert remote.status()
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_a_number_is_no_descriptor(served: Path, fake: FakeLibrary) -> None:
    with connected(served) as caller:
        caller.sendall(b'{"method": "who", "params": {"path": "/x", "opened": 0}}\n')
        assert GuyverError.from_wire(json.loads(answer(caller))["error"]).exit_code == 11
    assert not fake.calls


def test_an_answer_that_is_quicker_than_the_question_is_heard(fake: FakeLibrary, short_path: Path) -> None:
    """The daemon may have answered and closed before the last word was sent."""
    picture = short_path / "p.jpg"
    picture.write_bytes(b"a picture")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(short_path / "s"))
        listening.listen()

        def hasty() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1)
                connection.sendall(b'{"result": {"path": "quick"}}\n')
                connection.shutdown(socket.SHUT_RDWR)
                time.sleep(0.2)

        remote = RemoteLibrary(Holder(1, str(short_path / "s")))
        faces = [str(number) for number in range(200_000)]
        asks: list[Callable[[], Row]] = [lambda: remote.who(str(picture)), lambda: remote.confirm("12", faces)]
        for ask in asks:
            answering = threading.Thread(target=hasty)
            answering.start()
            assert ask() == {"path": "quick"}
            answering.join()


# ---- nothing else listens --------------------------------------------------------------------------------------------


def family(pid: int) -> set[int]:
    """A process and all that came from it."""
    found, waiting = set(), [pid]
    while waiting:
        one = waiting.pop()
        found.add(one)
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return found


def sockets(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if (target := os.readlink(link)).startswith("socket:["):
                    found.add(target[8:-1])
    return found


def open_to_the_net(pids: set[int]) -> list[str]:
    """Every socket of these processes that is of any family but AF_UNIX, as its table tells it."""
    ours = set().union(*map(sockets, pids))
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6", "udplite", "raw", "raw6", "icmp", "icmp6", "packet", "netlink"):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
                if not ours.isdisjoint(line.split()):
                    found.append(f"{table}: {line}")
    return found


def listening(pids: set[int]) -> list[str]:
    """The addresses at which these processes listen on Unix sockets."""
    ours = set().union(*map(sockets, pids))
    rows = [line.split() for line in Path("/proc/self/net/unix").read_text().splitlines()[1:]]
    accepts = 1 << 16
    return [row[7] if len(row) > 7 else "" for row in rows if row[6] in ours and int(row[3], 16) & accepts]


def test_nothing_listens_but_the_one_socket(
    negatives: Path, tmp_path: Path, write_config: Callable[..., Path], start: Callable[..., Daemon]
) -> None:
    """From the start to the end of the first pass, in the daemon and all its workers; and no socket to the network."""
    photos = copy(negatives, tmp_path / "photos", "*.jpg" if torture() else "both.jpg")
    path = write_config(photos)
    state = config_file.load(path).state
    daemon = start(path)
    eventually(lambda: (known := holder(state)) is not None and known.socket is not None)
    known = holder(state)
    assert known is not None
    most = 0
    with open_library(config_file.load(path)) as library:
        while True:
            everybody = family(daemon.process.pid)
            assert listening(everybody) == [known.socket]
            assert open_to_the_net(everybody) == []
            most = max(most, len(everybody))
            progress = library.progress()
            if not progress["busy"] and progress["photos_done"] == len(list(photos.iterdir())):
                break
            time.sleep(0.02)
    assert most > 1, "workers were there"
    assert daemon.stop() == 0


def test_a_socket_to_the_network_would_be_seen() -> None:
    with socket.socket(socket.AF_INET) as one, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        one.bind(("127.0.0.1", 0))
        one.listen()
        with contextlib.suppress(OSError):
            other.bind(("::1", 0))
        assert any(line.startswith("tcp: ") for line in open_to_the_net({os.getpid()}))
