"""What the documentation says is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import guyverd
from guyverd.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_commands_in_the_readme_exist() -> None:
    named = set(
        re.findall(r"`?guyverd (?:--config \S+ )?([a-z]+)\b", "\n".join(re.findall(r"```sh\n(.*?)```", README, re.S)))
    )
    assert {"people", "name", "merge", "who", "search", "export", "status", "failures"} <= named
    assert named <= set(main.commands)


def test_make_targets_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"^make ([a-z-]+)", README, re.M))
    assert named == {"run", "test"}, "the README needs exactly two commands"
    assert named <= targets


def test_the_architecture_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {path.parent.name for path in (ROOT / "guyverd").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `guyverd/([a-z]+)/`", text, re.M)) == rooms
    for module in re.findall(r"`([a-z]+/[a-z_/]+\.py)`", text):
        here = [ROOT, ROOT / "guyverd", ROOT / "guyverd" / "service"]
        assert any((folder / module).is_file() for folder in here), module


def test_the_dependency_table_is_pyprojects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[<>=;\s]", entry)[0].lower().replace("_", "-") for entry in project["dependencies"]}
    table = README.split("| dependency | why |")[1].split("\n\n")[0]
    named = [name.strip() for row in table.splitlines()[2:] for name in row.split("|")[1].split(",")]
    assert {name.lower().replace("_", "-") for name in named} == wanted


def test_the_changelog_has_this_version() -> None:
    assert f"## [{guyverd.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
