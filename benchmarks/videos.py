"""A 1080p film from file to tracks: how many times as fast as it plays, and where the time goes.

    python benchmarks/videos.py [--quick] [--film FILE]

The film is made here: shots of five seconds over pictures with faces, held by an unsteady hand, with a sensor's grain
that is another in each frame, 25 frames a second, H.264 as `x264` writes it unless told otherwise. It is read in parts,
as the daemon reads it, one worker for each core; every worker has read a part before the clock starts. Below that,
what one core does in a second of film, in one process: decoding, as it is done and with all frames, and looking.
`--film` takes a film of your own instead.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import Meter, Target, alone, arguments, begin, cores, progress, scratch, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guyverd.model import Pixels

_EACH = Target(5.0)
"""Times as fast as it plays, on one core: 20 on four."""
_SIZE = (1920, 1080)
_RATE = 25
_SHOT = 5.0
_MADE = 30.0
"""Seconds that are drawn; a longer film is these again and again."""
_GRAIN = 3.0
"""Deviation of the sensor's noise, in grey levels."""


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--film", type=Path, help="read this one")
    chosen = parser.parse_args()
    workers = cores()
    begin(f"Videos: a film of 1080p, one frame looked at in a second, {workers} workers")
    with scratch() as folder:
        film = chosen.film or folder / "film.mp4"
        if chosen.film is None:
            size, drawn, seconds = ((640, 360), 1.0, 2.0) if chosen.quick else (_SIZE, _MADE, 60.0 * workers)
            alone(_make, film, size, drawn, seconds)
        seconds, took, spent, tracks, memory = alone(_read, film, workers)
        times = seconds / took
        progress("")
        table(
            ["", "measured", "target", ""],
            [
                ["film", f"{seconds:.0f} s", "", ""],
                ["read in", f"{took:.1f} s", "", ""],
                ["against playing", f"{times:.1f} x", "", ""],
                ["for each core", *_EACH.show(times / workers)],
                ["for a second of processor time", *_EACH.show(seconds / spent)],
                ["tracks", str(tracks), "", ""],
                ["memory of one worker", f"{memory / 1e6:.0f} MB", "", ""],
            ],
        )
        table(["one core, for a second of film", "ms"], [[what, f"{ms:.0f}"] for what, ms in alone(_costs, film)])


# ---- the film --------------------------------------------------------------------------------------------------------


def _make(path: Path, size: tuple[int, int], drawn: float, seconds: float) -> None:
    """Draw so many seconds, and repeat them, packed as they are, until it is as long as wanted."""
    import av

    short = path.with_name("drawn.mp4")
    frames = list(range(round(drawn * _RATE)))
    with av.open(str(short), "w") as container:
        stream = container.add_stream("libx264", rate=_RATE)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number, pixels in zip(frames, _pictures(path.parent, size, len(frames)), strict=True):
            if number % _RATE == 0:
                progress(f"drawing second {number // _RATE + 1} of {drawn:.0f}")
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(short)) as source, av.open(str(path), "w") as target:
        given = source.streams.video[0]
        made = target.add_stream_from_template(given)
        assert given.time_base is not None
        long = round(drawn / given.time_base)
        for turn in range(max(1, round(seconds / drawn))):
            source.seek(0)
            for packet in source.demux(given):
                if packet.dts is None or packet.pts is None:
                    continue
                packet.pts += turn * long
                packet.dts += turn * long
                packet.stream = made
                target.mux(packet)


def _pictures(folder: Path, size: tuple[int, int], count: int) -> Iterator[Pixels]:
    """So many frames: uint8[height, width, 3]."""
    import numpy as np
    from PIL import Image

    from benchmarks.pictures import make

    width, height = size
    chance = np.random.default_rng(5)
    grain = chance.normal(0, _GRAIN, (height + 64, width + 64, 3)).astype(np.int16)
    each = round(_SHOT * _RATE)

    def shot(number: int) -> Iterator[Pixels]:
        file = folder / f"{number}.jpg"
        make(file, 3e-6 * width * height, seed=number, faces=2 + number % 2)
        with Image.open(file) as opened:
            ground = np.array(opened.convert("RGB"))
        room_down, room_across = ground.shape[0] - height, ground.shape[1] - width
        begin_ = chance.uniform(0.2, 0.8, 2)
        end = begin_ + chance.uniform(-0.2, 0.2, 2)
        for at in range(min(each, count - number * each)):
            way = begin_ + (end - begin_) * at / each + 0.002 * np.sin([at / 7, at / 5])
            down, across = int(way[0] * room_down), int(way[1] * room_across)
            left, top = chance.integers(64, size=2)
            part = ground[down : down + height, across : across + width].astype(np.int16)
            part += grain[top : top + height, left : left + width]
            yield np.clip(part, 0, 255).astype(np.uint8)

    return itertools.chain.from_iterable(shot(number) for number in range(-(-count // each)))


# ---- reading it ------------------------------------------------------------------------------------------------------


def _read(film: Path, workers: int) -> tuple[float, float, float, int, int]:
    """Seconds of film, of time and of processor time, how many tracks there are, and the most memory of a worker."""
    from guyverd import config
    from guyverd.faces.tracks import parts_of, whole
    from guyverd.service.pipeline.jobs import PartWanted
    from guyverd.service.pipeline.reading import Reader

    reader = Reader(config.Workers(count=workers, speed="full"), config.Faces())
    path, size = os.fsencode(film), film.stat().st_size

    def wanted(number: int) -> PartWanted:
        return PartWanted((path,), size, number, config.Videos())

    try:
        first, *_ = [each.result().part for each in [reader.submit_part(wanted(0)) for _ in range(workers)]]
        assert first.duration is not None
        with Meter() as meter:
            reads = [reader.submit_part(wanted(number)) for number in range(parts_of(first.duration))]
            found = [each.result() for each in reads]
    finally:
        reader.stop()
    parts = [each.part for each in found]
    usage = meter.usage
    return parts[-1].end, usage.seconds, usage.cpu, len(whole(parts)), max(each.memory for each in found)


def _costs(film: Path) -> list[tuple[str, float]]:
    """What each step takes for a second of the film, in milliseconds of processor time."""
    from guyverd import config
    from guyverd.faces.find import FaceFinder
    from guyverd.faces.onnx_engine import OnnxEngine
    from guyverd.faces.policy import policy
    from guyverd.media.video import opened_film

    how = policy(config.Faces().level, config.Videos().smallest)
    engine = OnnxEngine(step=how.step)
    engine.load()
    finder = FaceFinder(engine, how)
    with opened_film(os.fsencode(film)) as opened:
        rows = []
        for name, every in (("decoding, frames that others depend on", False), ("decoding, all frames", True)):
            progress(name)
            began, last = time.process_time(), 0.0
            for moment in itertools.takewhile(lambda moment: moment.time < _MADE, opened.frames(0.0, every=every)):
                last = moment.time
            rows.append((name, 1000 * (time.process_time() - began) / max(1.0, last)))
        moments = list(itertools.islice(opened.frames(0.0), 0, 200, 25))
        steps = [0.0, 0.0, 0.0]
        for moment in [moments[0], *moments]:
            if moment is moments[0]:
                steps = [0.0, 0.0, 0.0]
            times = [time.process_time()]
            picture = opened.picture(moment, finder.decoded)
            times.append(time.process_time())
            seen = finder.look(*picture)
            times.append(time.process_time())
            finder.describe([seen])
            times.append(time.process_time())
            steps = [step + after - before for step, before, after in zip(steps, times, times[1:], strict=False)]
        for name, step in zip(("unpacking a frame", "looking for faces", "describing them"), steps, strict=True):
            rows.append((name, 1000 * step / len(moments)))
    return rows


if __name__ == "__main__":
    main()
