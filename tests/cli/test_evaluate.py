"""The commands that tell how good the grouping is, with a fake that never ran anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guyverd.cli import progress, session
from guyverd.errors import LearnMissing
from guyverd.evaluation.labelled import Rule
from guyverd.service import evaluation
from guyverd.service.evaluation import RULES, Extras, Task
from tests.cli.conftest import Run, parsed
from tests.cli.fake_evaluation import ADDED, BIN, FILMS, SEARCH, STABILITY, FakeEvaluator, scores


def test_everything_that_was_measured_is_told(run: Run, evaluator: FakeEvaluator, home: Path) -> None:
    result = run("evaluate", home / "photos", "--compare")
    assert result.exit_code == 0, result.output
    told = result.stdout
    assert told.splitlines()[0] == (
        "1,200 photos, 1,300 faces; of 1,200 labelled faces 1,190 found, of 10 people, in 1 min 1 s."
    )
    for line in (
        r"grouping +guyverd +HDBSCAN",
        r"groups found +12 +12",
        r"more or fewer than people +\+20\.0% +\+20\.0%",
        r"BCubed F +0\.960 +0\.700",
        r"silhouette +– +–",
        r"faces among mostly somebody else +1\.25% +1\.25%",
        r"sensitivity +0\.950",
        r"pooled sensitivity +0\.925",
        r"pooled precision +0\.985",
        r"the person among the 20 most alike +98\.25%",
        r"1 +20 +0\.10% +1\.00% +2\.00% +1 of 17",
        r"100 +1 +0\.10% +1\.00% +2\.00% +1 of 17",
        r"one by one +0\.940 +0\.980",
        r"all at once, order 3 +0\.952 +–",
        r"least of three orders +– +0\.981",
    ):
        assert re.search(rf"^{line}$", told, re.M), (line, told)
    assert "people in films" not in told
    assert "2 labelled files could not be read." in result.stderr
    assert "1 photo with several names left out." in result.stderr


def test_what_a_search_finds_is_told(run: Run, evaluator: FakeEvaluator, home: Path) -> None:
    result = run("evaluate", home / "photos", "--films", 2)
    for line in (
        r"search --all, with a photo +of the library +from outside",
        r"photos asked with +900 +500",
        r"sensitivity +0\.950 +0\.871",
        r"0 to 0\.1 +30 +0\.050 +0\.400 +off",
        r"0\.9 to 0\.95 +120 +0\.931 +0\.942",
        r"their length +1 min 30 s",
        r"moment precision +0\.994",
        r"moment recall +0\.961",
        r"nineteen of twenty below +0\.52 s",
    ):
        assert re.search(rf"^{line} *$", result.stdout, re.M), (line, result.stdout)
    assert "returns what is 0.9 sure; from outside, 99 of 100 are right from 0.85 on" in result.stderr
    assert "not read whole" not in result.stdout
    nothing = run("evaluate", home / "photos", "--queries", 0)
    assert "search --all" not in nothing.output
    assert [call[2] for call in evaluator.calls] == [Extras(films=2), Extras(queries=0)]


def test_what_is_asked_for(run: Run, evaluator: FakeEvaluator, home: Path) -> None:
    photos = home / "photos"
    csv = home / "labels.csv"
    csv.touch()
    page = home / "page.html"
    run("evaluate", photos, "--labels", csv, "--rule", "centre", "--keep", home / "kept", "--html", page)
    run("evaluate", photos, "--no-stability", "--compare")
    run("tune", photos, "--rule", "centre")
    assert evaluator.calls == [
        ("evaluate", Task(photos, csv, "centre", None, home / "kept"), Extras(True, False, page)),
        ("evaluate", Task(photos), Extras(False, True, None)),
        ("tune", Task(photos, rule="centre")),
    ]


def test_a_csv_in_place_of_the_folder(run: Run, evaluator: FakeEvaluator, home: Path) -> None:
    csv = home / "photos" / "labels.csv"
    csv.touch()
    assert run("evaluate", csv).exit_code == 0
    assert evaluator.calls == [("evaluate", Task(home / "photos", csv), Extras())]
    twice = run("evaluate", csv, "--labels", csv)
    assert twice.exit_code == 2
    assert "--labels names another" in twice.stderr


@pytest.mark.usefixtures("config")
def test_only_a_config_that_is_named_is_tried(run: Run, evaluator: FakeEvaluator, home: Path) -> None:
    named = home / "named.yaml"
    named.write_text(f"photos: {home}/photos\npeople: {home}/people\nclustering: {{neighbours: 33}}\n")
    run("evaluate", home / "photos")
    run("--config", named, "evaluate", home / "photos")
    plain, tried = (call[1] for call in evaluator.calls)
    assert isinstance(plain, Task)
    assert plain.settings is None
    assert isinstance(tried, Task)
    assert tried.settings is not None
    assert tried.settings.clustering.neighbours == 33


def test_a_page_that_cannot_be_written_is_told_before_the_work(run: Run, evaluator: FakeEvaluator, home: Path) -> None:
    photos = home / "photos"
    for page in (home / "absent" / "page.html", home, photos / "page.html"):
        result = run("evaluate", photos, "--html", page)
        assert result.exit_code == 2
        assert "--html" in result.stderr
    assert run("evaluate", home / "nowhere").exit_code == 2
    assert evaluator.calls == []


def test_nothing_is_kept_among_the_photos_or_in_a_file(run: Run, evaluator: FakeEvaluator, home: Path) -> None:
    photos, file = home / "photos", home / "file"
    file.touch()
    (home / "link").symlink_to(photos)
    for command in ("evaluate", "tune"):
        for keep in (photos, photos / "kept", home / "link" / "kept", file):
            result = run(command, photos, "--keep", keep)
            assert result.exit_code == 2
            assert "--keep" in result.stderr
    assert not (photos / "kept").exists()
    assert evaluator.calls == []


def test_a_library_that_is_missing_is_told_with_what_to_install(run: Run, evaluator: FakeEvaluator, home: Path) -> None:
    evaluator.trouble = LearnMissing(python="/usr/bin/python3")
    result = run("evaluate", home / "photos")
    assert result.exit_code == 15
    assert "/usr/bin/python3 -m pip install 'scikit-learn" in result.stderr


def test_settings_to_paste(run: Run, evaluator: FakeEvaluator, home: Path) -> None:
    result = run("tune", home / "photos")
    assert result.stdout.endswith("clustering:\n  margin: 2\n")
    assert "gains +0.010 ± 0.002 (5 folds)" in result.stdout
    assert "BCubed F 0.950 with the default, 0.962 with the best" in result.stdout


def test_a_default_that_is_as_good_is_said_to_be(run: Run, evaluator: FakeEvaluator, home: Path) -> None:
    evaluator.worthwhile, evaluator.folds = False, 0
    result = run("tune", home / "photos")
    assert "the default is as good" in result.stdout
    assert "clustering:" not in result.output
    assert "folds" not in result.stdout


def test_the_fake_has_the_documented_keys(run: Run, evaluator: FakeEvaluator, home: Path) -> None:
    (answer,) = parsed(run("evaluate", home / "photos", "--compare", "--json"))
    documented = set(re.findall(r"`(\w+)`", evaluation.evaluate.__doc__ or ""))
    inside = [answer["scores"], *answer["methods"], answer["retrieval"], STABILITY, ADDED, STABILITY["orders"]]
    inside += [SEARCH, SEARCH["calibration"], BIN, FILMS, FILMS["edge"]]
    assert set(answer).union(*inside, scores("x", 1)) <= documented
    (tuned,) = parsed(run("tune", home / "photos", "--json"))
    assert set(tuned) <= set(re.findall(r"`(\w+)`", evaluation.tune.__doc__ or ""))


def test_the_rules_are_those_of_the_labels() -> None:
    assert set(RULES) == {str(rule) for rule in Rule}


def test_the_seams_lead_to_the_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[object] = []

    def answer(*call: object) -> dict[str, object]:
        asked.append(call)
        return {}

    monkeypatch.setattr(evaluation, "evaluate", answer)
    monkeypatch.setattr(evaluation, "tune", answer)
    session.evaluate(Task(tmp_path), Extras(), progress)
    session.tune(Task(tmp_path), progress)
    assert asked == [(Task(tmp_path), Extras(), progress), (Task(tmp_path), progress)]
