"""What a report for strangers may hold: the program's own words, and nothing else."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guyverd.errors import PeopleFolderError
from guyverd.service.doctor.finding import Figure, Finding, Verdict
from guyverd.service.pseudonyms import REPLACED, Clean, Pseudonyms
from guyverd.service.vocabulary import Vocabulary, vocabulary
from tests.promises import scaled

pytestmark = pytest.mark.promise("report")

WORDS = vocabulary()
KNOWN = {
    "/home/ada": "home",
    "/home/ada/My Pictures": "photo folder 1",
    "/home/ada/People": "people folder",
    "/home/ada/.local/share/guyverd": "state folder",
}


def hidden(known: dict[str, str] | None = None) -> Pseudonyms:
    return Pseudonyms(KNOWN if known is None else known, WORDS, ["jpg", "heic"])


def strangers(text: str, words: Vocabulary = WORDS) -> set[str]:
    """What is in a text that is none of the program's own."""
    text = re.sub(r"<(?:path \d+|home|photo folder 1|people folder|state folder)>(?:\.(?:jpg|heic))?", " ", text)
    found = set(re.findall(r"\w+", text)) - words.words - words.marks - words.openings - {"N"}
    return found | {char for char in text if not char.isascii() and char not in REPLACED + "’×–·→"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5 of 17 photos are gone", "N of N photos are gone"),
        (
            "/home/ada/My Pictures cannot be read: Permission denied",
            "<photo folder 1> cannot be read: Permission denied",
        ),
        ("image file is truncated (3 bytes not processed)", "image file is truncated (N bytes not processed)"),
        ("it belongs to ada", "it belongs to …"),
        ("You renamed Unnamed/0007 to Zoë O'Hara", "You renamed <path 1> to …'…"),
        ("/home/adam/x.jpg is missing", "<path 1>.jpg is missing"),
        ("/home/ada/People/Zoë/1.jpg: it is read-only", "<people folder>/<path 1> it is read-only"),
        ("12.5 MB/s", "N.N MB/s"),
        ("2024-05-01T12:00:00+00:00", "2024-05-01T12:00:00+00:00"),
        ("on 2024-05-01", "on N-N-N"),
        ("3.11.2", "3.11.2"),
        ("a 日本 b\u202ec\x1b[31m", "a … b…c…[…"),
        ("killed by SIGSEGV", "killed by SIGSEGV"),
        ("", ""),
    ],
)
def test_texts(text: str, told: str) -> None:
    assert hidden().text(text) == told


def test_a_path_is_the_same_wherever_it_stands_and_another_is_another() -> None:
    names = hidden()
    first = names.path("/home/ada/My Pictures/a b/1.JPG")
    assert first == "<photo folder 1>/<path 1>.jpg"
    assert names.path("/home/ada/My Pictures/a b/2.jpg") == "<photo folder 1>/<path 2>.jpg"
    assert names.path("/home/ada/My Pictures/a b/1.JPG") == first
    assert names.path("/home/ada/My Pictures/") == "<photo folder 1>"
    assert names.path("/home/ada") == "<home>"
    assert names.path("/mnt/x.zaphod") == "<path 3>", "an extension may be a name too"


def test_a_line_of_the_log_keeps_its_fixed_text() -> None:
    names = hidden()
    template = "%s: %s.%s"
    assert template in WORDS.texts
    told = names.template(
        template, ["/home/ada/My Pictures/Zoë at 9.jpg", "the file is empty", " It will be tried again."]
    )
    assert told == "<photo folder 1>/<path 1>.jpg: the file is empty. It will be tried again."
    made_up = names.template("Zoë %s", ["Zaphod"])
    assert strangers(made_up) == set()
    assert names.template("People folder: you %s.", ["renamed Unnamed/0007 to Zaphod"]) == (
        "People folder: you renamed <path 2> to …."
    )
    assert strangers(names.template("%d of %s", ["not enough"])) == set()


def test_a_verdict_keeps_its_figures() -> None:
    problem = PeopleFolderError(path="/home/ada/People", detail="Zaphod sits on it", hint="Mount /home/ada/People.")
    finding = Finding(
        "x",
        Verdict.FAULT,
        "{count} of {size}: {problem}",
        "{advice}",
        {"count": 1234, "size": Figure("1.5 GB"), "problem": problem.message, "advice": problem.advice},
    )
    told = hidden().finding(finding)
    assert told["detail"] == "1,234 of 1.5 GB: The people folder <people folder> cannot be kept: … on it."
    assert told["cure"] == "Mount <people folder>."


def test_whatever_json_can_carry_is_gone_through() -> None:
    row = {
        "/home/ada/x": ["Zaphod", {"Zaphod": 1.5, "file": None}],
        "ok": True,
        "n": 7,
        "clean": Clean("Zaphod is meant"),
    }
    told = json.dumps(hidden().value(row), ensure_ascii=False)
    assert told.count("Zaphod") == 1
    assert '"n": 7' in told
    assert '"ok": true' in told


def test_names_are_no_words_of_the_program() -> None:
    for name in ("alice", "bob", "eileen", "hopper", "anna", "wedding", "holiday", "birthday"):
        assert name not in WORDS.words
    for name in ("Alice", "Grace", "May", "Mark", "Rose", "Will", "Hope", "Joy"):
        assert name not in WORDS.openings
        assert name not in WORDS.marks
    assert {"truncated", "folder", "cannot", "faces"} <= WORDS.words


SOME = st.sampled_from(
    sorted(WORDS.words)[::40] + sorted(WORDS.openings)[::10] + [*KNOWN, "/", "N", " ", ": ", ". ", "%s"]
)
PIECES = st.lists(st.one_of(SOME, st.text(max_size=8), st.sampled_from(["Zoë", "\ue0001\ue001", "1/2", "a/Ada b"])))


@settings(max_examples=scaled(200, 10_000))
@given(PIECES.map("".join))
@example("\ue0007\ue001")
@example("/home/ada/People\ue0000\ue001")
@example("/home/ada/My Pictures/home/ada/My Pictures x")
def test_nothing_but_words_of_the_program_comes_through(text: str) -> None:
    names = hidden()
    for told in (names.text(text), names.whole(text), names.template(text, [text]), names.path(text)):
        if told != text or not re.fullmatch(r"[0-9T:.+Zdevpostrcab-]*", text):  # a time or a version as a whole
            assert strangers(told) == set(), (text, told)


@settings(max_examples=scaled(100, 3_000))
@given(st.text(min_size=1), st.text(min_size=1))
def test_two_paths_are_one_only_if_they_are(one: str, other: str) -> None:
    names = hidden()
    assert (names.path(f"/x/{one}") == names.path(f"/x/{other}")) is (one == other) or one.rstrip("/") == other.rstrip(
        "/"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=scaled(100, 3_000))
@given(JSON)
def test_any_json_stays_json(value: object) -> None:
    told = hidden().value(value)
    json.dumps(told)

    def texts(of: object) -> list[str]:
        if isinstance(of, dict):
            return [*of, *(text for one in of.values() for text in texts(one))]
        if isinstance(of, list):
            return [text for one in of for text in texts(one)]
        return [of] if isinstance(of, str) else []

    assert all(isinstance(text, Clean) for text in texts(told))
