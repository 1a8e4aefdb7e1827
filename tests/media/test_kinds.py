from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guyverd.media.kinds import EXTENSIONS, is_picture


@pytest.mark.parametrize(
    "name",
    [b"a.jpg", b"A.JPG", b"b.Jpeg", b"holiday/c.heic", b"d.HIF", b"e.avif", b"f.tar.png", b"\xff\xfe.webp", b".a.gif"],
)
def test_pictures(name: bytes) -> None:
    assert is_picture(name)


@pytest.mark.parametrize(
    "name",
    [b"", b"jpg", b".jpg", b"dir/.jpg", b"a.jpg/b", b"a.jp2", b"a.jpg.xmp", b"a.jpg~", b"a.cr2", b"a.", b"a.jpg "],
)
def test_others(name: bytes) -> None:
    assert not is_picture(name)


@given(st.binary(min_size=1), st.sampled_from(sorted(EXTENSIONS)))
def test_case_and_stem_do_not_matter(stem: bytes, extension: bytes) -> None:
    name = stem.replace(b"/", b"_") + b"."
    assert is_picture(name + extension) == is_picture(name + extension.upper()) is True


def test_asking_for_a_name_loads_no_decoder() -> None:
    code = "import sys, guyverd.media.kinds; sys.exit('PIL' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
