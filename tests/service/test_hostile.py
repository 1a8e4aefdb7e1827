"""What strangers wrote into photos and their names is shown, never done: no path, page, command, statement or fetch."""

from __future__ import annotations

import html.parser
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import ExifTags, Image

from guyverd import config_file
from guyverd.service.access import open_library
from tests.media.bombs import LAUGHS
from tests.service.conftest import Daemon, eventually, tree

pytestmark = pytest.mark.promise("metadata")

Start = Callable[..., Daemon]
WriteConfig = Callable[..., Path]

HOSTILE = (
    "<script>alert(1)<⁄script>",
    "\"><img src=x onerror='alert(1)'>",
    "x..%2f..%2fpwned",
    "%s%n%(x)s{0}{0.__class__}",
    "$(touch pwned)`touch pwned`;touch pwned;|touch pwned",
    "'; DROP TABLE photos; --",
    '"; DELETE FROM files WHERE "1"="1',
    "\x1b]0;pwned\x07\x1b[2J\x9b31m",
    "line\nREADY=1\r\nERROR: pwned",
    "!!python_object_apply:os.system ['touch pwned']",
    "=cmd|' ⁄C calc'!A0",
    "-rf",
    "--config=pwned",
    "javascript:alert(1)",
    "http:⁄⁄evil.example⁄x?y#z",
    "\u202egpj.exe",
    "&lt;b&gt;&#x3c;",
    "a\\b%00c",
)
_XXE = (
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd"><!ENTITY h SYSTEM'
    b' "http://127.0.0.1:1/pwned">]><x:xmpmeta xmlns:x="adobe:ns:meta/"><xmp:CreateDate>&f;&h;</xmp:CreateDate>'
    b"</x:xmpmeta>"
)
_SITE = """
import os, socket, sys

_told = open(os.environ["HOSTILE_EVENTS"], "a", buffering=1)


def _hear(event, args):
    if event in ("os.system", "os.exec", "os.posix_spawn", "pty.spawn", "urllib.Request", "webbrowser.open",
                 "socket.getaddrinfo", "socket.gethostbyname", "ftplib.connect", "smtplib.connect"):
        _told.write(f"{event} {args!r}\\n")
    elif event == "subprocess.Popen" and args[0] != sys.executable:
        _told.write(f"{event} {args!r}\\n")
    elif event in ("socket.connect", "socket.bind", "socket.sendto") and args[0].family != socket.AF_UNIX:
        _told.write(f"{event} {args!r}\\n")
    elif event == "open" and str(args[0]).startswith(("/etc/passwd", "http:", "file:")):
        _told.write(f"{event} {args!r}\\n")


sys.addaudithook(_hear)
"""


def hostile(photo: Path, target: Path, text: str) -> None:
    """The photo with that text wherever its makers can put some."""
    with Image.open(photo) as opened:
        image = opened.convert("RGB")
    exif = Image.Exif()
    for tag in ("ImageDescription", "Make", "Model", "Software", "Artist", "HostComputer", "Copyright", "DateTime"):
        exif[getattr(ExifTags.Base, tag)] = text
    more = exif.get_ifd(ExifTags.IFD.Exif)
    for tag in ("DateTimeOriginal", "DateTimeDigitized", "OffsetTimeOriginal", "SubsecTimeOriginal", "UserComment"):
        more[getattr(ExifTags.Base, tag)] = text
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSAreaInformation] = text.encode()
    image.save(target, "JPEG", quality=92, exif=exif, xmp=_XXE if len(text) % 2 else LAUGHS, comment=text.encode())
    os.utime(target, (1_600_000_000, 1_600_000_000))


class Page(html.parser.HTMLParser):
    """A page's elements, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.kinds: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.kinds.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def test_what_strangers_wrote_is_shown_and_not_done(
    tmp_path: Path, negatives: Path, write_config: WriteConfig, start: Start
) -> None:
    photos = tmp_path / "photos"
    portraits = sorted(negatives.glob("[ah]*.jpg"))
    for number, text in enumerate(HOSTILE):
        folder = photos / text if number % 3 == 0 else photos
        folder.mkdir(parents=True, exist_ok=True)
        hostile(portraits[number % len(portraits)], folder / f"{text}.jpg", text)
    (photos / f"{HOSTILE[7]}broken{HOSTILE[8]}.jpg").write_bytes(b"GIF89a" + HOSTILE[7].encode())
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_SITE)
    events = tmp_path / "events"
    events.touch()
    environment = {
        "PYTHONPATH": os.pathsep.join([str(site), str(Path(__file__).parents[2])]),
        "HOSTILE_EVENTS": str(events),
    }
    path = write_config(photos, folders="{contact_sheet: true, cover: true}", log="{level: debug}")
    config = config_file.load(path)
    here = Path.cwd()
    before = {entry.name for entry in here.iterdir()}
    daemon = start(path, **environment)
    daemon.told("READY=1")
    eventually(lambda: len(tree(config.people)) == 2, 120)
    with open_library(config) as library:
        one, other = sorted({row["person"] for row in library.faces()} - {None})
        library.name(str(one), HOSTILE[0])
        library.name(str(other), "{0} %s $(touch pwned) <b>")
        eventually(lambda: not library.progress()["busy"], 60)
        faces = list(library.faces())
        assert {Path(file).name for row in faces for file in row["files"]} == {f"{text}.jpg" for text in HOSTILE}
        assert all(row["taken_at"] is None for row in faces), "none of that is a date"
        assert all(row["ok"] for row in library.check()["checks"])
        assert len(list(library.failures())) == 1

    def sheets() -> list[Path]:
        return [folder / "index.html" for folder in config.people.iterdir() if folder.is_dir()]

    eventually(lambda: len(sheets()) == 2 and all(sheet.exists() for sheet in sheets()), 60)
    time.sleep(1.0)  # for the last of the pages

    # Links and folders stand where they should, and lead to photos.
    for link in config.people.rglob("*"):
        if link.is_symlink():
            assert link.resolve().is_relative_to(photos.resolve())
            assert link.parent.parent == config.people
    for sheet in sheets():
        page = Page(sheet.read_text())
        assert page.kinds <= {
            *("html", "head", "meta", "title", "style", "body"),
            *("h1", "h2", "p", "ul", "li", "a", "img"),
        }
        assert not [name for name in page.attributes if name.startswith("on")]
        assert page.links
        for address in page.links:
            assert re.fullmatch(r"[A-Za-z0-9_.~/%-]+", address), address
            assert (sheet.parent / unquote(address, errors="surrogateescape")).is_symlink()

    # What is printed moves no cursor and begins no line of its own.
    for words in (
        ("people",),
        ("faces",),
        ("failures",),
        ("status",),
        ("who", str(photos / f"{HOSTILE[1]}.jpg")),
        ("log",),
    ):
        for more in ((), ("--json",)):
            done = subprocess.run(
                [sys.executable, "-m", "guyverd", "--config", str(path), *words, *more],
                capture_output=True,
                timeout=60,
                check=True,
                env={**os.environ, **environment, "RUNTIME_DIRECTORY": str(tmp_path / "run")},
            )
            assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", done.stdout + done.stderr), words
            assert not re.search(r"[\x80-\x9f\u202a-\u202e\u2066-\u2069]", done.stdout.decode()), words
            assert b"\nREADY=1" not in done.stdout
            if more:
                for line in done.stdout.decode().strip().splitlines():
                    json.loads(line)
    assert daemon.stop() == 0
    log = daemon.log.read_text()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", log)
    lines = log.splitlines()
    assert all(re.match(r"(Watching|Ask|\d\d:\d\d:\d\d) ", line) for line in lines), lines
    assert any("broken" in line and "no picture" in line for line in lines), "the file is named"

    assert events.read_text() == "", "nothing was fetched, opened or run"
    assert not [found for found in tmp_path.rglob("*pwned*") if found.name == "pwned"]
    assert {entry.name for entry in here.iterdir()} - before <= {".coverage"}
