"""search, together, timeline: what is asked of the library, and how the answer is shown."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import Result

from guyverd.cli import output, session
from guyverd.cli.together import chart
from guyverd.errors import UnknownPerson
from guyverd.service.clips import Clips
from tests.cli.conftest import Run, parsed
from tests.cli.fake import CLIP, EVIL, LONG, FakeLibrary

pytestmark = pytest.mark.usefixtures("config")


@pytest.fixture
def picture(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is taken for a picture, in the present folder."""
    monkeypatch.chdir(home)
    path = home / "x.jpg"
    path.write_bytes(b"picture")
    return path


def asked(library: FakeLibrary, what: str = "search") -> list[tuple[object, ...]]:
    return [call[1:] for call in library.calls if call[0] == what]


def test_a_picture(run: Run, library: FakeLibrary, picture: Path) -> None:
    rows = parsed(run("search", "x.jpg", "--json"))
    assert {"file", "face", "distance", "person", "confidence", "start", "end"} <= set(rows[0])
    assert [row["person"] for row in rows] == [12, 12, 12, 3]
    assert asked(library) == [(str(picture), 20, None, {"least": 0.01})]
    result = run("search", "x.jpg")
    table = result.stdout.splitlines()
    assert table[0].split() == ["sure", "distance", "margin", "person", "found", "by", "file"]
    assert table[1].split()[:4] == ["99.8", "%", "0.200", "5.25"]
    assert table[1].endswith(f"{LONG}  (and 1 alike)")
    assert table[2].endswith(f"{CLIP} 00:12–00:19")
    assert table[3].endswith(f"{CLIP} 1:02:03"), "both are in one second"
    assert "likeness" in table[4]
    assert EVIL not in table[4]
    assert "[bold]Eve[/bold]" in table[4]
    assert result.stderr == "It is Alice (12), 99.8 % sure.\n"


def test_a_moment_of_a_video_and_a_person(run: Run, library: FakeLibrary, home: Path) -> None:
    (home / "clip.mp4").write_bytes(b"video")
    assert run("search", f"{home}/clip.mp4@1:23.5").exit_code == 0
    result = run("search", "Alice")
    assert result.exit_code == 0
    assert result.stderr == "", "who it is needs not be said"
    parsed(run("search", "12", "-k", 3, "--json"))
    assert asked(library) == [
        (f"{home}/clip.mp4", 20, None, {"at": 83.5, "least": 0.01}),
        ("Alice", 20, None, {"person": True, "least": 0.01}),
        ("12", 3, None, {"person": True}),
    ]


def test_every_option_is_passed_on(run: Run, library: FakeLibrary, home: Path, picture: Path) -> None:
    options = (
        "--all --face 1 --since 2023 --until 2024-05 --in photos --with Alice --with 31 --without Eve --type video"
    )
    rows = parsed(
        run(
            "search",
            "x.jpg",
            *options.split(),
            "--type",
            "video",
            "--min-score",
            0,
            "--direct",
            "--duplicates",
            "--json",
        )
    )
    given = {
        **{"every": True, "since": "2023", "until": "2024-05", "within": f"{home}/photos", "company": ["Alice", "31"]},
        **{"without": ["Eve"], "kind": "video", "least": 0.0, "duplicates": True, "direct": True},
    }
    assert asked(library) == [(str(picture), 20, 1, given)]
    assert [row["kind"] for row in rows] == ["video", "video"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-k", 0], "is not in the range"),
        (["--face", 0], "is not in the range"),
        (["-k", 5, "--all"], "contradict each other"),
        (["--min-score", 2], "is not in the range"),
        (["--type", "film"], "is not one of"),
        (["--copy-to", "a", "--link-to", "b"], "not both"),
        (["--clips"], "--clips goes with"),
        (["--copy-to", "a", "--exact"], "--exact goes with"),
    ],
)
def test_wrong_usage(run: Run, library: FakeLibrary, picture: Path, arguments: list[object], told: str) -> None:
    result = run("search", "x.jpg", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert asked(library) == []


@pytest.mark.parametrize(
    ("query", "code", "told"),
    [
        ("gone.jpg", 6, "There is no file gone.jpg."),
        ("photos", 6, "photos could not be read as a picture: it is a folder."),
        ("./photos", 6, "./photos could not be read as a picture: it is a folder."),
        ("Nemo", 5, "There is no file Nemo, and no person of that number or name."),
        ("clip.mp4", 6, "clip.mp4 is a video. Say which moment is meant: clip.mp4@1:23"),
        ("clip.mp4@1:99", 6, "1:99 is no time in a video."),
    ],
)
def test_what_is_neither_picture_nor_person(
    run: Run, library: FakeLibrary, picture: Path, query: str, code: int, told: str
) -> None:
    (picture.parent / "clip.mp4").write_bytes(b"video")
    result = run("search", query)
    assert result.exit_code == code
    assert result.stderr.startswith(f"guyverd: {told}")


def test_somebody_unknown_among_the_others_is_told(run: Run, library: FakeLibrary, picture: Path) -> None:
    library.trouble = UnknownPerson(person="'Nemo'")
    result = run("search", "Alice", "--with", "Nemo")
    assert result.stderr.startswith("guyverd: No person is numbered or named 'Nemo'.")
    assert run("search", "Alice", "--face", 2).exit_code == 2


def test_several_faces_and_no_choice(run: Run, library: FakeLibrary, home: Path, picture: Path) -> None:
    library.faces_in_picture = 2
    result = run("search", "x.jpg", "--copy-to", home / "out")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["face", "1", "2"]
    assert "80 x 90 px" in result.stdout
    assert result.stderr == "2 faces in this picture: choose one with --face N.\n"
    assert not (home / "out").exists()
    (row,) = parsed(run("search", "x.jpg", "--json"))
    assert list(row) == ["path", "faces", "results", "at", "width", "height"]
    assert row["results"] == []
    assert [face["number"] for face in row["faces"]] == [1, 2]
    result = run("search", "x.jpg", "--face", 4)
    assert result.exit_code == 6
    assert "numbered from 1 to 2" in result.stderr


def test_a_person_at_a_terminal_is_asked_which_face(
    run: Run, library: FakeLibrary, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.faces_in_picture = 3
    monkeypatch.setattr(output, "interactive", lambda stream: stream is not None)
    monkeypatch.setenv("TERM", "dumb")
    answers = iter(["7", "two", "2", ""])
    monkeypatch.setattr("click.prompt", lambda *_, **__: next(answers))
    assert "sure" in run("search", "x.jpg").stdout
    assert [call[2] for call in asked(library)] == [None, 2]
    result = run("search", "x.jpg")
    assert "choose one with --face N" in result.stderr
    assert "sure" not in result.stdout
    assert [call[2] for call in asked(library)] == [None, 2, None]


def test_nothing_found(run: Run, library: FakeLibrary, home: Path, picture: Path) -> None:
    library.found = []
    result = run("search", "x.jpg", "--html", home / "page.html", "--copy-to", home / "out")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (
        result.stderr
        == "Nothing in the library shows this face, as far as can be told; -k 20 shows what is most alike.\n"
    )
    assert not (home / "page.html").exists()
    assert not (home / "out").exists()
    assert "Nothing that was asked for shows Alice (12)." in run("search", "Alice").stderr
    told = run("search", "x.jpg", "--since", "2050", "-k", 5).stderr
    assert told == "Nothing that was asked for shows this face, as far as can be told.\n"
    library.faces_in_picture = 0
    result = run("search", "x.jpg")
    assert result.exit_code == 6
    assert "Faces narrower than 5 % of its longer side" in result.stderr


def test_more_than_are_shown(run: Run, library: FakeLibrary, picture: Path) -> None:
    assert run("search", "").exit_code == 2
    assert "2 of 4 are shown: --all shows all that is sure enough." in run("search", "x.jpg", "-k", 2).stderr


# ---- what is done with what was found --------------------------------------------------------------------------------


class Film:
    """Stands where clips are cut; one moment cannot be."""

    def __init__(self) -> None:
        self.cut: list[tuple[float, float, bool]] = []

    def __call__(self, config: object, moments: list[dict[str, float]], folder: Path, **how: object) -> Clips:
        self.cut += [(one["start"], one["end"], bool(how["exact"])) for one in moments]
        return Clips((str(folder / "clip 00.12-00.19.mp4"),), (), ((CLIP, "it is cut short"),))


@pytest.fixture
def film(monkeypatch: pytest.MonkeyPatch) -> Film:
    made = Film()
    monkeypatch.setattr(session, "cut_clips", made)
    return made


@pytest.fixture
def there(library: FakeLibrary, home: Path) -> list[Path]:
    """Files for two of the photos that are found, and the video."""
    files = [home / "photos" / name for name in ("a.jpg", "clip.mp4")]
    for file, rows in zip(files, (library.found[:1], library.found[1:3]), strict=True):
        file.write_bytes(file.name.encode())
        for row in rows:
            row["file"], row["files"] = str(file), [str(file)]
    return files


def test_copies_and_links(run: Run, library: FakeLibrary, home: Path, there: list[Path]) -> None:
    result = run("search", "Alice", "--copy-to", home / "out", "--json")
    assert len(parsed(result)) == 4
    assert result.stderr.splitlines() == [
        r"missing: /photos/caf\udce9.jpg",
        f"2 files copied into {home}/out; 0 already there, 1 missing.",
    ], "two of the moments are of one video"
    assert (home / "out" / "clip.mp4").read_bytes() == b"clip.mp4"
    assert run("search", "Alice", "--copy-to", home / "photos").exit_code == 12
    result = run("search", "Alice", "--link-to", home / "links")
    assert result.stderr.endswith(f"2 links made into {home}/links; 0 already there, 1 missing.\n")
    assert sorted(link.readlink() for link in (home / "links").iterdir()) == there
    assert "2 already there" in run("search", "Alice", "--link-to", home / "links").stderr


def test_clips(run: Run, library: FakeLibrary, home: Path, there: list[Path], film: Film) -> None:
    result = run("search", "Alice", "--copy-to", home / "out", "--clips", "--exact")
    assert film.cut == [(12.25, 19.5, True), (3723.0, 3723.5, True)]
    assert [path.name for path in (home / "out").iterdir()] == ["a.jpg"], "the video is not copied whole"
    assert f"not cut: {CLIP}: it is cut short" in result.stderr
    assert f"1 file copied, 1 clip cut into {home}/out; 0 already there, 2 missing." in result.stderr


def test_export_with_clips(run: Run, library: FakeLibrary, home: Path, film: Film) -> None:
    video = {**library.pictures[0], "kind": "video", "duration": 60.0, "moments": [[1.0, 2.5], [7.0, 9.0]]}
    library.pictures.append(video)
    (row,) = parsed(run("export", "12", home / "out", "--clips", "--json"))
    assert list(row) == ["folder", "copied", "clips", "already_there", "missing", "missing_files"]
    assert (row["clips"], row["missing"]) == (1, 3)
    assert film.cut == [(1.0, 2.5, False), (7.0, 9.0, False)]
    (row,) = parsed(run("export", "12", home / "out", "--type", "photo", "--json"))
    assert (row["clips"], row["missing"]) == (0, 2)
    assert run("export", "12", home / "out", "--exact").exit_code == 2
    assert "00:01–00:02, 00:07–00:09" in run("person", "12").stdout


# ---- together, timeline ----------------------------------------------------------------------------------------------


def test_together(run: Run, library: FakeLibrary, home: Path, there: list[Path]) -> None:
    rows = parsed(run("together", "Alice", "31", "--since", "2023", "--without", "3", "--in", home, "--json"))
    assert [row["start"] for row in rows] == [None, 12.25, 3723.0, None]
    assert asked(library, "together") == [(["Alice", "31"], "2023", None, str(home), ["3"], None)]
    result = run("together", "Alice", "31", "--link-to", home / "links")
    assert result.stdout.splitlines()[2].endswith("clip.mp4 00:12–00:19")
    assert "2 links made" in result.stderr
    assert run("together", "Alice", "31", "3").stderr == "Nothing shows them all.\n"
    assert run("together").exit_code == 2


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [line.rstrip() for line in result.stdout.splitlines()]


def test_timeline(run: Run, library: FakeLibrary) -> None:
    assert lines(run("timeline", "Alice")) == [
        "month    photos  videos",
        "2023-11       3       –  ██▉",
        "2023-12       –       –",
        "2024-01      40       2  ████████████████████████████████████████",
        "…                        (3 months without any)",
        "2024-05       1       1  █▉",
        "undated       2       –  █▉",
    ]
    assert parsed(run("timeline", "Alice", "--json"))[-1] == {"month": None, "photos": 2, "videos": 0}
    library.months = []
    result = run("timeline", "Alice")
    assert (result.stdout, result.stderr) == ("", "No photo of this person is there now.\n")


def test_a_timeline_for_who_has_no_blocks() -> None:
    rows = [{"month": "1999-12", "photos": 1000, "videos": 0}, {"month": "2000-01", "photos": 1, "videos": 0}]
    assert chart(rows, plain=True)[1:] == ["1999-12   1,000       –  " + "#" * 40, "2000-01       1       –  #"]
    assert chart(rows)[2].endswith("▏"), "it is never so short that it is not seen"


def test_the_encoding_of_the_terminal_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    from guyverd.cli import together

    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    assert not together._has_blocks()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert together._has_blocks()
