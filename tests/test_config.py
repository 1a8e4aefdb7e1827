"""The config's parser and writer: what is right reads back equal, what is wrong is named with its line."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from guyverd import config_file
from guyverd.config import (
    HOURS,
    PATHS,
    RETIRED,
    Config,
    Faces,
    Folders,
    Hours,
    Log,
    Unit,
    Watch,
    Workers,
    example,
    parse,
    render,
)
from guyverd.config.units import FLAG, FOLDER, PROM_FILE
from guyverd.errors import ConfigError

HOME = Path("/home/ada")
BASE = Path("/etc/guyverd")
STATE = Path("/var/lib/guyverd")
MINIMAL = {"photos": ["/photos"], "people": "/people"}


def read(mapping: object) -> Config:
    return parse(mapping, base=BASE, home=HOME, default_state=STATE)


def read_text(text: str) -> Config:
    return config_file.loads(text, Path("/etc/guyverd/config.yaml"))


def refused(mapping: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read(mapping)
    return caught.value.message


def refused_text(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_text(text)
    return caught.value.message


def with_setting(section: str, key: str, value: object) -> dict[str, object]:
    return {**MINIMAL, section: {key: value}}


# ---- what is right ---------------------------------------------------------------------------------------------------


def test_only_the_paths_are_needed() -> None:
    config = read(MINIMAL)
    assert config == Config(photos=(Path("/photos"),), people=Path("/people"), state=STATE)
    assert config.watch == Watch()


def test_units_are_read() -> None:
    config = read(
        {
            **MINIMAL,
            "watch": {"quiet": "500 ms", "ceiling": "1.5min", "rescan": "1 h", "removal_grace": "2 d"},
            "faces": {"smallest": "8 %"},
            "workers": {"memory": "1.5 GB", "speed": "full", "count": 3, "quiet_hours": "22:00 - 7:30"},
        }
    )
    assert config.watch == Watch(quiet=0.5, ceiling=90.0, rescan=3600.0, removal_grace=172800.0)
    assert config.faces == Faces(smallest=0.08)
    assert config.workers == Workers(memory=1.5e9, speed="full", count=3, quiet_hours=Hours(1320, 450))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", None),
        (None, None),
        ("22:00-07:00", Hours(1320, 420)),
        ("8:05–9:00", Hours(485, 540)),
        ("18:00-24:00", Hours(1080, 0)),
        ("00:00-06:00", Hours(0, 360)),
    ],
)
def test_hours(written: str | None, meant: Hours | None) -> None:
    assert read(with_setting("workers", "quiet_hours", written)).workers.quiet_hours == meant
    assert read_text(f"photos: /a\npeople: /p\nworkers:\n  quiet_hours: {written or ''}\n").workers.quiet_hours == meant


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_a_span_of_hours_holds_from_its_beginning_until_its_end(begin: int, end: int, minute: int) -> None:
    if begin != end:
        hours = Hours(begin, end)
        assert hours.holds(minute) == ((minute - begin) % 1440 < (end - begin) % 1440)
        assert read(with_setting("workers", "quiet_hours", str(hours))).workers.quiet_hours == hours


def test_a_key_of_an_earlier_version_says_what_to_write_now() -> None:
    told = refused_text("photos: /a\npeople: /p\nworkers:\n  gentle: false\n")
    assert "line 4: there is no `workers.gentle` any more; write `speed: gentle`" in told
    for key in RETIRED:
        section, _, name = key.partition(".")
        assert f"`{key}`" in refused(with_setting(section, name, 1))
        assert name not in {item.name for item in fields(get_type_hints(Config)[section])}


def test_a_heading_without_settings_is_its_defaults() -> None:
    assert read({**MINIMAL, "watch": None}) == read(MINIMAL)


def test_one_photo_folder_needs_no_list() -> None:
    assert read({**MINIMAL, "photos": "/photos"}) == read(MINIMAL)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("~", "/home/ada"),
        ("~/Pictures", "/home/ada/Pictures"),
        ("~//Pictures", "/home/ada/Pictures"),
        ("Pictures", "/etc/guyverd/Pictures"),
        ("./Pictures/.", "/etc/guyverd/Pictures"),
        ("../Pictures", "/etc/Pictures"),
        ("../../../../Pictures", "/Pictures"),
        ("/a/b/../c", "/a/c"),
        ("//a//b/", "/a/b"),
        ("/a/Été à Paris 東京", "/a/Été à Paris 東京"),
        ("./~odd", "/etc/guyverd/~odd"),
    ],
)
def test_paths_become_absolute(written: str, meant: str) -> None:
    assert read({"photos": [written], "people": "/people"}).photos == (Path(meant),)
    assert str(read({"photos": [written], "people": "/people"}).photos[0]) == meant


def test_the_people_folder_may_lie_in_a_photo_folder() -> None:
    assert read({"photos": "/photos", "people": "/photos/People"}).people == Path("/photos/People")


def test_folders_with_a_common_beginning_do_not_overlap() -> None:
    assert len(read({**MINIMAL, "photos": ["/photos", "/photos2"]}).photos) == 2


# ---- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mapping", [None, [], ["photos"], "photos", 3, True])
def test_a_config_is_a_mapping(mapping: object) -> None:
    assert "expected keys with values" in refused(mapping)


@pytest.mark.parametrize("missing", ["photos", "people"])
@pytest.mark.parametrize("empty", [None, "", []])
def test_the_paths_must_be_there(missing: str, empty: object) -> None:
    assert f"`{missing}` is missing" in refused({**MINIMAL, missing: empty})


@pytest.mark.parametrize("path", [3, True, {}, ["/a"], "", "a\0b", "~bob/Pictures", b"/a"])
def test_a_path_is_a_text_without_oddities(path: object) -> None:
    assert "`photos" in refused({**MINIMAL, "photos": [path]})
    if path:
        assert "`state" in refused({**MINIMAL, "state": path})


def test_a_hidden_state_may_lie_in_a_photo_folder() -> None:
    config = read({"photos": ["~"], "people": "~/People", "state": "~/.local/share/guyverd/default"})
    assert config.photos == (HOME,)
    assert "must not" in refused({"photos": ["~"], "people": "~/People", "state": "~/state"})


@pytest.mark.parametrize("state", ["", 0, False, []])
def test_an_odd_state_is_not_taken_for_none(state: object) -> None:
    assert "`state`" in refused({**MINIMAL, "state": state})


@pytest.mark.parametrize(
    ("photos", "people", "state"),
    [
        (["/a", "/a"], "/p", "/s"),
        (["/a", "/a/b"], "/p", "/s"),
        (["/a/b", "/a"], "/p", "/s"),
        (["/a", "//a/b"], "/p", "/s"),
        (["/a"], "/a", "/s"),
        (["/a/b"], "/a", "/s"),
        (["/a"], "/", "/s"),
        (["/a"], "/p", "/a"),
        (["/a"], "/p", "/a/s"),
        (["/s/a"], "/p", "/s"),
        (["/a"], "/p", "/p"),
        (["/a"], "/p", "/p/s"),
        (["/a"], "/s/p", "/s"),
        (["/a", "/x/../a/./b"], "/p", "/s"),
    ],
)
def test_folders_that_must_not_lie_in_one_another(photos: list[str], people: str, state: str) -> None:
    assert "overlap" in (told := refused({"photos": photos, "people": people, "state": state})) or "must not" in told


def test_an_unknown_key_names_its_line_and_the_likely_one() -> None:
    told = refused_text("photos: /a\npeople: /p\nwatch:\n  quiet: 1 s\n  quite: 2 s\n")
    assert told == "/etc/guyverd/config.yaml, line 5: unknown key `watch.quite`; did you mean `quiet`?"
    assert "line 3" in refused_text("photos: /a\npeople: /p\nphoto: /b\n")
    assert "known here: photos, people" in refused_text("photos: /a\npeople: /p\n東: 1\n")


@pytest.mark.parametrize("key", ["yes", "3", "2001-01-01", "null", "[a, b]", "{a: b}", "!!binary aGk="])
def test_a_key_that_is_no_word_names_its_line(key: str) -> None:
    assert ", line 3" in refused_text(f"photos: /a\npeople: /p\n? {key}\n: 1\n")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("watch", "quiet", 2),
        ("watch", "quiet", "2"),
        ("watch", "quiet", "2 px"),
        ("watch", "quiet", "-2 s"),
        ("watch", "quiet", "2 S"),
        ("watch", "quiet", "٢ s"),
        ("watch", "quiet", "1e3 s"),
        ("watch", "quiet", "9" * 500 + " d"),
        ("watch", "quiet", None),
        ("watch", "quiet", ["2 s"]),
        ("watch", "rescan", "0 s"),
        ("watch", "poll", "0 s"),
        ("watch", "ignore", "*.tmp"),
        ("watch", "ignore", [3]),
        ("watch", "ignore", [""]),
        ("watch", "removal_limit", 0.2),
        ("watch", "removal_limit", "120 %"),
        ("faces", "smallest", "1.9 %"),
        ("faces", "smallest", "41 %"),
        ("faces", "smallest", "40 px"),
        ("faces", "smallest", "9" * 500 + " %"),
        ("faces", "level", "magic"),
        ("faces", "level", []),
        ("faces", "device", "tpu"),
        ("workers", "count", -1),
        ("workers", "count", 1.0),
        ("workers", "count", True),
        ("workers", "count", 10**9),
        ("workers", "memory", "4 KB"),
        ("workers", "memory", "1 MB"),
        ("workers", "deadline", "0 s"),
        ("workers", "speed", "fast"),
        ("workers", "speed", True),
        ("workers", "quiet_hours", "22-7"),
        ("workers", "quiet_hours", "22:00"),
        ("workers", "quiet_hours", "22:60-23:00"),
        ("workers", "quiet_hours", "24:00-07:00"),
        ("workers", "quiet_hours", "23:00-24:01"),
        ("workers", "quiet_hours", "10:00-10:00"),
        ("workers", "quiet_hours", "00:00-24:00"),
        ("workers", "quiet_hours", "٢٢:٠٠-٠٧:٠٠"),
        ("workers", "quiet_hours", 79200),
        ("workers", "full_speed_hours", True),
        ("clustering", "strictness", 3.1),
        ("clustering", "strictness", float("nan")),
        ("clustering", "strictness", "0.3"),
        ("clustering", "strictness", True),
        ("clustering", "group_bonus", -0.1),
        ("folders", "min_photos", 0),
        ("folders", "links", "soft"),
        ("folders", "links", True),
        ("folders", "layout", "month"),
        ("folders", "contact_sheet", "yes"),
        ("folders", "contact_sheet", 1),
        ("folders", "cover", None),
        ("folders", "loss_limit", 0.2),
        ("folders", "loss_limit", "101 %"),
        ("folders", "unnamed", "a/b"),
        ("folders", "unnamed", ".."),
        ("folders", "unnamed", "a\nb"),
        ("folders", "unnamed", "a "),
        ("folders", "unnamed", "é" * 101),
        ("folders", "unnamed", "\udc80"),
        ("log", "level", 3),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(section: str, key: str, value: object) -> None:
    told = refused(with_setting(section, key, value))
    assert f"`{section}.{key}: " in told
    assert "expected" in told
    assert len(told) < 400


@pytest.mark.parametrize("links", ["relative", "absolute", "hard", "copy"])
@pytest.mark.parametrize("layout", ["person", "year"])
def test_how_the_people_folder_may_look(links: str, layout: str) -> None:
    text = (
        f"photos: /a\npeople: /p\nfolders:\n  links: {links}\n  layout: {layout}\n  contact_sheet: yes\n"
        "  cover: true\n  loss_limit: 5 %\n"
    )
    found = read_text(text).folders
    assert found == Folders(layout=layout, links=links, contact_sheet=True, cover=True, loss_limit=0.05)
    assert read_text(render(read_text(text))).folders == found


@pytest.mark.parametrize(
    ("written", "value"), [("yes", True), ("no", False), ("true", True), ("false", False), ("on", True), ("off", False)]
)
def test_a_flag_is_written_as_yaml_has_it(written: str, value: bool) -> None:
    assert read_text(f"photos: /a\npeople: /p\nfolders:\n  cover: {written}\n").folders.cover is value


@pytest.mark.parametrize("written", ["1", "0", "maybe", '"yes"', "[]", '""'])
def test_what_is_no_flag_is_refused(written: str) -> None:
    assert "expected yes or no" in refused_text(f"photos: /a\npeople: /p\nfolders:\n  cover: {written}\n")


@pytest.mark.parametrize("value", [True, False])
def test_a_flag_reads_back_as_it_is_shown(value: bool) -> None:
    assert FLAG.read(yaml.safe_load(FLAG.show(value))) is value


@pytest.mark.parametrize("value", [3, "2 s", [], ["quiet"], True])
def test_a_heading_holds_settings(value: object) -> None:
    assert "`watch` is a heading" in refused({**MINIMAL, "watch": value})


def test_the_ceiling_is_not_below_the_quiet_delay() -> None:
    told = refused_text("photos: /a\npeople: /p\nwatch:\n  quiet: 2 s\n  ceiling: 1 s\n")
    assert "line 5" in told
    assert "ceiling" in told


def test_the_file_for_prometheus_lies_outside_of_what_is_only_read() -> None:
    for wrong in ("metrics.prom", "/var/x.txt", 3, "/a/x\0.prom"):
        assert "ends in .prom" in refused({**MINIMAL, "log": {"metrics": wrong}})
    for inside in ("/a/x.prom", "/p/b/x.prom", "/b/../a/x.prom"):
        told = refused_text(f"photos: /a\npeople: /p\nlog:\n  metrics: {inside}\n")
        assert "line 4" in told
        assert "must lie outside" in told
    assert read_text("photos: /a\npeople: /p\nlog: {metrics: //var/x.prom}\n").log.metrics == Path("/var/x.prom")
    assert read_text("photos: /a\npeople: /p\nlog: {metrics: ''}\n").log.metrics is None


def test_backups_lie_outside_of_what_is_only_read() -> None:
    for wrong in ("backups", "~/backups", 3, "/a\0"):
        assert "expected an absolute path, or" in refused({**MINIMAL, "backup": {"folder": wrong}})
    for inside in ("/a", "/a/x", "/p/b", "/b/../a/x"):
        told = refused_text(f"photos: /a\npeople: /p\nbackup:\n  folder: {inside}\n")
        assert "line 4" in told
        assert "must lie outside" in told
    assert read_text("photos: /a\npeople: /p\nbackup: {folder: //mnt/x/}\n").backup.folder == Path("/mnt/x")
    assert read_text("photos: /a\npeople: /p\nbackup: {folder: ''}\n").backup.folder is None


# ---- there and back --------------------------------------------------------------------------------------------------

TEXT = st.text(
    st.characters(exclude_categories=()).filter(lambda char: char not in "/\0"), min_size=1, max_size=12
).filter(lambda text: text not in {".", ".."})
"""Also lone surrogates: so Python spells file names that are no UTF-8."""


def numbers(unit: Unit) -> st.SearchStrategy[Any]:
    """Numbers that every setting with this unit accepts."""
    return {
        "time": st.floats(1, 36500 * 86400.0),
        "memory": st.floats(1e9, 1e14),
        "share": st.floats(0.02, 0.4),
    }[unit.name.partition(":")[0]]


def values(default: object, unit: Unit) -> st.SearchStrategy[Any]:
    if isinstance(default, bool):
        return st.booleans()
    if isinstance(default, tuple):
        return st.lists(TEXT, max_size=3).map(tuple)
    if isinstance(default, str):
        if unit.name.startswith("one of "):
            return st.sampled_from(unit.name.removeprefix("one of ").split(", "))
        return st.sampled_from(
            ["Unnamed", "yes", "null", "123", "1.5", "a: b", "# a", '"', "- a", "Ünbenannt", "~", "'"]
        )
    if unit is HOURS:
        spans = st.tuples(st.integers(0, 1439), st.integers(0, 1439)).filter(lambda span: span[0] != span[1])
        return st.none() | spans.map(lambda span: Hours(*span))
    if unit is PROM_FILE:
        return st.none() | TEXT.map(lambda text: Path(f"/zz/{text}.prom"))
    if unit is FOLDER:
        return st.none() | TEXT.map(lambda text: Path(f"/yy/{text}"))
    if unit.name.startswith("a whole number"):
        return st.integers(4, 1000)
    if unit.name.startswith("a number from"):
        low, high = unit.name.removeprefix("a number from ").split(" to ")
        return st.floats(float(low), float(high))
    return numbers(unit)


def sections(cls: type) -> st.SearchStrategy[Any]:
    made = st.builds(cls, **{item.name: values(item.default, item.metadata["unit"]) for item in fields(cls)})
    return made.filter(lambda watch: watch.ceiling >= watch.quiet) if cls is Watch else made


@st.composite
def configs(draw: st.DrawFn) -> Config:
    names = draw(st.lists(TEXT, min_size=3, max_size=6, unique=True))
    # One letter before each, so that no two are alike after `//` and none is inside another.
    paths = [Path(f"/{chr(ord('a') + index)}{name}") for index, name in enumerate(names)]
    groups = {name: draw(sections(cls)) for name, cls in get_type_hints(Config).items() if name not in PATHS}
    return Config(photos=tuple(paths[2:]), people=paths[0], state=paths[1], **groups)


@settings(deadline=None)
@given(configs())
def test_any_config_reads_back_as_it_was_written(config: Config) -> None:
    assert read_text(render(config)) == config


@settings(deadline=None)
@given(configs(), st.data())
def test_every_line_that_can_be_left_out_has_its_default(config: Config, data: st.DataObject) -> None:
    mapping = yaml.safe_load(render(config))
    section = data.draw(st.sampled_from(sorted(set(mapping) - set(PATHS))))
    key = data.draw(st.sampled_from(sorted(mapping[section])))
    if key in {"quiet", "ceiling"}:  # neither may be at odds with the other's default
        mapping["watch"] = {"quiet": "0 s", "ceiling": "36500 d"}
    del mapping[section][key]
    default = next(item.default for item in fields(getattr(config, section)) if item.name == key)
    assert getattr(getattr(read(mapping), section), key) == default


def test_every_key_has_a_meaning_and_a_unit() -> None:
    for item in fields(Config):
        assert item.metadata["doc"]
        cls = get_type_hints(Config)[item.name]
        for inner in fields(cls) if is_dataclass(cls) else ():
            assert inner.metadata["doc"][-1] not in ".!", "the writer ends the sentence"
            assert isinstance(inner.metadata["unit"], Unit)
            assert (
                inner.metadata["unit"].read(yaml.safe_load(inner.metadata["unit"].show(inner.default))) == inner.default
            )


def test_what_differs_from_the_default_is_shown_with_the_default() -> None:
    text = render(Config((Path("/a"),), Path("/p"), Path("/s"), log=Log(level="debug")))
    assert "[one of debug, info, warning, error] Default: info.\n  level: debug\n" in text
    assert text.count("Default: ") == 1


# ---- the example -----------------------------------------------------------------------------------------------------

EXAMPLE = Path(__file__).parent.parent / "config.example.yaml"


def test_the_example_says_what_the_code_says() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == example(), "run `make example`"


def test_the_example_holds_the_defaults() -> None:
    config = read(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))
    assert config == Config(
        photos=(HOME / "Pictures",), people=HOME / "People", state=HOME / ".local/share/guyverd/default"
    )


def test_the_example_fits_a_narrow_window() -> None:
    assert max(map(len, example().splitlines())) <= 100
