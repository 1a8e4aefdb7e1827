"""The config file on disk: any bytes read as a config or a ConfigError, and nothing is ever overwritten."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd import config_file
from guyverd.config import Config, example
from guyverd.errors import ConfigError, ConfigExists, ConfigNotFound
from tests.promises import scaled

PATH = Path("/nowhere/config.yaml")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no variable that leads out of it."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", config_file.ENVIRONMENT):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def new_library(photos: Path) -> Path:
    """Write the config that `library_of` proposes, as `guyverd run --photos` does."""
    path, config = config_file.library_of(photos)
    assert config is None
    config_file.write(path, config_file.make([photos], photos.parent / "People", None, path))
    return path


# ---- reading ---------------------------------------------------------------------------------------------------------

# What YAML gives a meaning, and what a config does.
WORDS = """photos people state watch quiet /a ~ &a *a << { } [ ] ' " !!int !!bool !!timestamp !!float !!set !!omap !x ?
!!binary # | > --- ... 0x 1:2 2001-99-99 .inf null \ufeff"""
SCRAPS = st.sampled_from([*WORDS.split(), ": ", "\n", "  ", "- ", "\t", "%YAML 9.9\n", "2 s"])


def outcome(text: str) -> Config | ConfigError:
    try:
        return config_file.loads(text, PATH)
    except ConfigError as error:
        return error


@pytest.mark.promise("fuzz")
@settings(deadline=None, max_examples=scaled(300, 10_000))
@given(st.one_of(st.text(), st.lists(SCRAPS, max_size=25).map("".join)))
def test_any_text_is_a_config_or_a_config_error(text: str) -> None:
    found = outcome(text)
    if isinstance(found, ConfigError):
        assert found.message.startswith("/nowhere/config.yaml")
        assert found.advice
        assert "\n" not in found.message


@pytest.mark.promise("fuzz")
@settings(deadline=None, max_examples=scaled(100, 5000))
@given(data=st.one_of(st.binary(), st.lists(st.integers(0, 255)).map(bytes)))
def test_any_bytes_are_a_config_or_a_config_error(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(data)
    with contextlib.suppress(ConfigError):
        config_file.load(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "config.yaml: expected keys with values, such as `photos:`."),
        ("# only a comment\n", "config.yaml: expected keys"),
        ("- /a\n- /b\n", "config.yaml: expected keys"),
        ("photos: /a\npeople: /p\nphotos: /b\n", "line 3: `photos` stands twice, first in line 1"),
        ("photos: /a\npeople: /p\nlog:\n  level: info\n  level: info\n", "line 5: `level` stands twice"),
        ("photos:\n\t- /a\n", "line 2: not valid YAML: found character '\\t'"),
        ("photos: /a\npeople /p\n", "line 3: not valid YAML"),
        ("photos: /a\n---\nphotos: /b\n", "line 2: not valid YAML"),
        ("photos: !!int ''\npeople: /p\n", "not valid YAML"),
        ("photos: 2001-99-99\npeople: /p\n", "not valid YAML"),
        ("photos: /a\npeople: /p\nwatch: &w\n  quiet: *w\n", "line 4: `watch.quiet: "),
        ("photos: /a\npeople: /p\nwatch: &w {quiet: {<<: *w}}\n", "line 3: `watch.quiet: "),
        ("[" * 5000, "not valid YAML"),
        ("photos: [/a\n", "not valid YAML"),
        ("photos: /a\0b\n", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_file.loads(text, PATH)
    assert told in caught.value.message
    assert caught.value.advice


def test_tabs_are_told_to_be_spaces() -> None:
    with pytest.raises(ConfigError) as caught:
        config_file.loads("photos:\n\t- /a\n", PATH)
    assert "spaces" in caught.value.advice


def test_a_small_text_that_means_a_huge_one_is_refused_at_once() -> None:
    text = "photos: /a\npeople: /p\nwatch: {quiet: &a0 [x, x, x]}\nfaces:\n"
    text += "".join(f"  k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    with pytest.raises(ConfigError) as caught:
        config_file.loads(text, PATH)
    assert len(caught.value.message) < 1000
    text = "photos: /a\npeople: /p\n_: [&a0 {x: y}, "
    text += ", ".join(f"&a{n} {{{', '.join(f'k{m}: *a{n - 1}' for m in range(9))}}}" for n in range(1, 40)) + "]\n"
    with pytest.raises(ConfigError, match="unknown key `_`"):
        config_file.loads(text, PATH)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigNotFound, match=r"no config at .*/none\.yaml"):
        config_file.load(tmp_path / "none.yaml")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: "):
        config_file.load(tmp_path)
    (tmp_path / "latin1.yaml").write_bytes("photos: /Été\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin1\.yaml: cannot be read: .*utf-8"):
        config_file.load(tmp_path / "latin1.yaml")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("\ufeffphotos: /a\r\npeople: /p\r\nlog:\r\n  level: debug\r\n".encode())
    assert config_file.load(path).log.level == "debug"


def test_relative_paths_start_at_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "config.yaml").write_text("photos: ../photos\npeople: people\n")
    monkeypatch.chdir(tmp_path)
    config = config_file.load(Path("below/config.yaml"))
    assert config.photos == (tmp_path / "photos",)
    assert config.people == tmp_path / "below" / "people"


def test_the_example_can_be_used_as_it_is(home: Path) -> None:
    config = config_file.loads(example(), PATH)
    assert config.photos == (home / "Pictures",)
    assert config.state == config_file.default_state(config_file.default_path()), "what a config without one would get"


# ---- writing ---------------------------------------------------------------------------------------------------------


def test_what_is_made_and_written_reads_back(home: Path) -> None:
    path = home / "new" / "folder" / "config.yaml"
    photos = [Path(os.fsdecode(b"/photos/\xff \xc3\xa9 # 'x'\"\n")), Path("/photos/2: b")]
    config = config_file.make(photos, Path("/people"), None, path)
    config_file.write(path, config)
    assert config_file.load(path) == config
    assert config.photos == tuple(photos)


def test_an_existing_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    config = config_file.make([Path("/a")], Path("/p"), Path("/s"), path)
    path.write_text("mine")
    with pytest.raises(ConfigExists):
        config_file.write(path, config)
    assert path.read_text() == "mine"


def test_a_link_that_leads_nowhere_counts_as_existing(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(ConfigExists):
        config_file.write(path, config_file.make([Path("/a")], Path("/p"), Path("/s"), path))
    assert not (tmp_path / "elsewhere.yaml").exists()


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    path = tmp_path / "file" / "config.yaml"
    with pytest.raises(ConfigError, match="its folder cannot be made"):
        config_file.write(path, config_file.make([Path("/a")], Path("/p"), Path("/s"), path))
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_leaves_no_half_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    path = tmp_path / "config.yaml"
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        config_file.write(path, config_file.make([Path("/a")], Path("/p"), Path("/s"), path))
    assert list(tmp_path.iterdir()) == []


# ---- which library ---------------------------------------------------------------------------------------------------


def test_the_environment_names_the_config(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_file.default_path() == home / ".config" / "guyverd" / "config.yaml"
    monkeypatch.setenv(config_file.ENVIRONMENT, "/x/y.yaml")
    assert config_file.default_path() == Path("/x/y.yaml")


def test_each_config_has_a_state_of_its_own(home: Path) -> None:
    data = home / ".local" / "share" / "guyverd"
    assert config_file.default_state(config_file.default_path()) == data / "default"
    states = {config_file.default_state(Path(path)) for path in ("/a/x.yaml", "/b/x.yaml", "/a/y.yaml")}
    assert len(states) == 3
    assert all(state.parent == data for state in states)


def test_the_first_library_is_the_default_one_and_is_found_again(home: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    path = new_library(photos)
    assert path == config_file.default_path()
    assert config_file.library_of(photos) == (path, config_file.load(path))


def test_another_folder_gets_a_library_of_its_own(home: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "one" / "My Photos", tmp_path / "two" / "My Photos"
    for folder in (first, second):
        folder.mkdir(parents=True)
    paths = [new_library(first), new_library(second)]
    assert paths[1].parent == paths[0].parent
    assert paths[1].name.startswith("my-photos-")
    for folder, path in zip((first, second), paths, strict=True):
        assert config_file.library_of(folder) == (path, config_file.load(path))
    assert len({config_file.load(path).state for path in paths}) == 2


def test_a_folder_is_itself_by_whatever_path(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tmp_path / "a" / "photos"
    photos.mkdir(parents=True)
    (tmp_path / "link").symlink_to(photos)
    other = tmp_path / "other"
    other.mkdir()
    new_library(other)
    path = new_library(photos)
    monkeypatch.chdir(tmp_path / "a")
    for way in ("photos", "../a/photos", ".././link", str(photos) + "/", str(tmp_path / "link")):
        assert config_file.library_of(Path(way))[0] == path
        assert config_file.library_of(Path(way))[1] is not None


def test_a_library_of_more_folders_is_not_the_library_of_one(home: Path, tmp_path: Path) -> None:
    path = config_file.default_path()
    roots = [tmp_path / "a", tmp_path / "b"]
    config_file.write(path, config_file.make(roots, tmp_path / "People", None, path))
    found, config = config_file.library_of(roots[0])
    assert found != path
    assert config is None


def test_a_broken_default_config_is_told_rather_than_doubled(home: Path, tmp_path: Path) -> None:
    path = new_library(tmp_path / "photos")
    path.write_text("photos: [\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        config_file.library_of(tmp_path / "photos")


def test_a_broken_config_of_this_folder_is_told_and_of_others_passed_over(home: Path, tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    for folder in (a, b, c):
        folder.mkdir()
    new_library(a)
    broken = new_library(b)
    broken.write_text("photos: [\n")
    (broken.parent / "zz.yaml").symlink_to(broken.parent / "nowhere")
    with pytest.raises(ConfigError, match="not valid YAML"):
        config_file.library_of(b)
    assert config_file.library_of(a)[1] is not None
    assert config_file.library_of(c)[1] is None


def test_a_config_turned_to_other_folders_is_not_written_over(home: Path, tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    new_library(a)
    turned = new_library(b)
    turned.write_text(f"photos: {tmp_path}/c\npeople: {tmp_path}/p\n")
    again = new_library(b)
    assert again != turned
    assert config_file.library_of(b)[0] == again
