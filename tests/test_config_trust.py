"""A config holds no secrets, and nobody else may have written it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd import config_file
from guyverd.config import Config, example
from guyverd.config.secrets import is_secret, secret_in
from guyverd.errors import ConfigError

pytestmark = pytest.mark.promise("config")

GOOD = "photos: /p\npeople: /q\n"
SECRET = "hunter2-XYZZY"


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config_file.loads(text, Path("/nowhere/config.yaml"))
    return caught.value


# ---- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f"password: {SECRET}", "line 3: `password`"),
        (f"Password: {SECRET}", "line 3: `Password`"),
        (f"api_key: {SECRET}", "`api_key`"),
        (f"API-KEY: {SECRET}", "`API-KEY`"),
        (f"nasApiKey: {SECRET}", "`nasApiKey`"),
        (f"smb_credentials: {{user: ada, pass: {SECRET}}}", "`smb_credentials`"),
        (f"accessToken: {SECRET}", "`accessToken`"),
        (f"aws: {{deep: [{{secret: {SECRET}}}]}}", "`aws.deep.secret`"),
        (f"watch: {{quiet: 2 s, token: {SECRET}}}", "line 3: `watch.token`"),
        (f"log: {{level: {{password: {SECRET}}}}}", "`log.level.password`"),
        (f"state: smb://ada:{SECRET}@nas/photos", "line 3: `state` is an address"),
        (f"watch: {{ignore: ['a', 'https://ada:{SECRET}@host/x']}}", "`watch.ignore`"),
    ],
)
def test_a_secret_is_refused_and_never_shown(text: str, where: str) -> None:
    error = refused(GOOD + text)
    assert where in error.message
    assert "guyverd needs none" in error.message
    assert error.advice
    assert SECRET not in error.message + error.advice


def test_a_secret_is_not_shown_by_another_complaint() -> None:
    """Whatever else is wrong, the secret comes first."""
    error = refused(f"photos: {{password: {SECRET}}}\nnonsense: 1\n")
    assert "`photos.password` is a secret" in error.message
    assert SECRET not in error.message


@pytest.mark.parametrize(
    "text",
    [
        "state: /home/ada/secrets",
        "state: /srv/token:ada@nas",
        "watch: {ignore: ['*password*', '*.key', 'http://host/x', 'ada@host']}",
        "folders: {unnamed: Secret admirers}",
    ],
)
def test_what_merely_speaks_of_secrets_is_none(text: str) -> None:
    assert isinstance(config_file.loads(GOOD + text, Path("/nowhere/config.yaml")), Config)


def test_no_setting_is_called_like_a_secret() -> None:
    sections = [hint for hint in get_type_hints(Config).values() if is_dataclass(hint)]
    names = [item.name for section in (Config, *sections) for item in fields(section)]
    assert len(names) > 20
    assert not [name for name in names if is_secret(name)]
    assert isinstance(config_file.loads(example(), Path("/nowhere/config.yaml")), Config)


trees = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=20,
)


@given(trees, st.sampled_from(["passwd", "client_secret", "x-auth-token", "PRIVATE_KEY"]))
def test_a_secret_is_found_wherever_it_stands(tree: object, key: str) -> None:
    found = secret_in({"a": [tree, {"b": {key: SECRET}}]})
    assert found is not None


def test_endless_and_huge_trees_come_to_an_end() -> None:
    endless: dict[object, object] = {}
    endless["again"] = [endless, endless]
    assert secret_in(endless) is None
    wide: object = "x"
    for _ in range(60):
        wide = [wide] * 10
    assert secret_in({"a": wide}) is None
    assert secret_in({"a": "://" * 200_000 + ":" * 200_000 + "a" * 200_000}) is None


# ---- who could have written it ---------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir(mode=0o755)
    path = tmp_path / "folder" / "config.yaml"
    path.write_text(GOOD)
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400, 0o444, 0o755])
def test_what_only_we_can_write_is_read(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert config_file.load(path).people == Path("/q")


def test_what_everybody_can_write_is_refused_with_the_cure(path: Path) -> None:
    path.chmod(0o646)
    with pytest.raises(ConfigError, match="everybody may write it") as caught:
        config_file.load(path)
    assert f"chmod go-w '{path}'" in caught.value.advice


def test_a_folder_that_everybody_can_write_is_refused(path: Path) -> None:
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match=r"folder: everybody may write it"):
        config_file.load(path)
    path.parent.chmod(0o1777)
    assert config_file.load(path).people == Path("/q")


def test_a_file_of_ones_own_group_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With umask 002, as on Ubuntu, whatever one writes is writable by one's own group."""
    path.chmod(0o664)
    path.parent.chmod(0o775)
    monkeypatch.setattr("guyverd.private._ours_alone", lambda group: group == path.stat().st_gid)
    assert config_file.load(path).people == Path("/q")
    monkeypatch.setattr("guyverd.private._ours_alone", lambda group: False)
    with pytest.raises(ConfigError, match=r"the group .* may write it"):
        config_file.load(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_is_refused(path: Path) -> None:
    os.chown(path, 4_000_003, -1)
    with pytest.raises(ConfigError, match="it belongs to user 4000003"):
        config_file.load(path)


def test_the_file_behind_a_link_is_looked_at(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    assert config_file.load(link).people == Path("/q")
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="everybody may write it"):
        config_file.load(link)


def test_what_is_written_is_read_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.yaml"
    (tmp_path / "photos").mkdir()
    made: Callable[[], Config] = lambda: config_file.make([tmp_path / "photos"], tmp_path / "People", None, path)  # noqa: E731
    before = os.umask(0)
    try:
        config_file.write(path, made())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert config_file.load(path) == made()
