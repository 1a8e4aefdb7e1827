"""What a verdict is told as."""

from __future__ import annotations

from pathlib import Path

from guyverd.service.doctor.finding import Figure, Finding, Value, Verdict, listed, size, span, worst


def test_paths_are_told_as_they_are_and_typed_as_one_word() -> None:
    finding = Finding(
        "x", Verdict.FAULT, "{path}: {why}", "ls -ld {path}", {"path": Path("/my photos/$a"), "why": "no"}
    )
    assert finding.told() == {
        "name": "x",
        "verdict": "fault",
        "detail": "/my photos/$a: no",
        "cure": "ls -ld '/my photos/$a'",
    }


def test_what_is_filled_in_can_be_told_otherwise() -> None:
    fields: dict[str, Value] = {"path": Path("/home/ada"), "count": 1234, "size": Figure("1 GB"), "why": "Alice"}
    finding = Finding("x", Verdict.OK, "{path} {count} {size} {why}", "{path}", fields)
    seen = []

    def show(value: object) -> str:
        seen.append(value)
        return "-"

    assert finding.told(show)["detail"] == "- - - -"
    assert finding.told(show)["cure"] == "-"
    assert finding.told()["detail"] == "/home/ada 1,234 1 GB Alice"


def test_fields_with_braces_are_only_text() -> None:
    finding = Finding("x", Verdict.OK, "{why}", "", {"why": "{path} {0} {}"})
    assert finding.told()["detail"] == "{path} {0} {}"


def test_the_worst_of_all() -> None:
    def of(*verdicts: Verdict) -> Verdict:
        return worst([Finding("x", verdict, "") for verdict in verdicts])

    assert of() is Verdict.OK
    assert of(Verdict.OK, Verdict.UNKNOWN) is Verdict.UNKNOWN
    assert of(Verdict.WARNING, Verdict.UNKNOWN, Verdict.OK) is Verdict.WARNING
    assert of(Verdict.WARNING, Verdict.FAULT, Verdict.OK) is Verdict.FAULT


def test_figures_have_the_unit_that_fits() -> None:
    assert [size(n) for n in (0, 999, 1000, 1.5e6, 2e9, 3e12)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "1.5 MB",
        "2.0 GB",
        "3.0 TB",
    ]
    assert [span(n) for n in (0.0005, 0.25, 59, 90, 7200, 200000)] == [
        "0.5 ms",
        "0.2 s",
        "59.0 s",
        "1.5 min",
        "2.0 h",
        "2.3 d",
    ]
    assert listed({"jxl": 2, "nef": 4000}) == "4,000 nef, 2 jxl"
    assert listed({str(n): n for n in range(9)}, most=2) == "8 8, 7 7, 7 kinds more"
