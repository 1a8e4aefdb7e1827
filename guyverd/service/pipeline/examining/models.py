"""Whether the face models work: loaded and compared with dlib's own vectors in a process of its own."""

from __future__ import annotations

from guyverd import config
from guyverd.errors import EngineError, GuyverError
from guyverd.faces.pool import WorkerPool


def examine(settings: config.Faces) -> str:
    """In a worker: what the models run on, such as `onnxruntime 1.31.1 cpu`.

    Raises EngineError where they are missing, cannot be made, or give other vectors than dlib's.
    """
    # dlib and onnxruntime are loaded here, in the worker, and never where the doctor runs.
    import numpy as np  # noqa: PLC0415

    from guyverd.faces import reference  # noqa: PLC0415
    from guyverd.faces.onnx_engine import OnnxEngine  # noqa: PLC0415
    from guyverd.faces.policy import policy  # noqa: PLC0415

    engine = OnnxEngine(device=settings.device, step=policy(settings.level, settings.smallest).step)
    engine.load()
    # What was verified once is remembered; here it is done again.
    apart = float(np.abs(engine.embed(reference.chips()) - reference.vectors()).max())
    if apart > reference.CLOSE:
        raise EngineError(detail=f"vectors differ from dlib's by {apart:.1g}")
    return engine.runtime


def models(faces: config.Faces, workers: config.Workers) -> tuple[GuyverError | None, str]:
    """Why the models do not work, or what they run on."""
    pool = WorkerPool(examine, count=1, deadline=workers.deadline, memory=workers.memory, gentle=False)
    try:
        return None, pool.submit(faces).result()
    except GuyverError as problem:
        return problem, ""
    finally:
        pool.close(wait=False)


def missing_codecs() -> list[str]:
    """Formats that this Pillow and this PyAV cannot decode, by their names."""
    from PIL import features  # noqa: PLC0415  only here

    wanted = {"JPEG": "jpg", "PNG (zlib)": "zlib", "WebP": "webp", "AVIF": "avif", "compressed TIFF": "libtiff"}
    missing = [name for name, feature in wanted.items() if not features.check(feature)]
    try:
        import pillow_heif  # noqa: PLC0415

        # Older releases do not list them, and had it built in.
        decodes = bool(pillow_heif.libheif_info().get("decoders", True))
    except ImportError:
        decodes = False
    return [*missing, *([] if decodes else ["HEIF"]), *_missing_video_codecs()]


def _missing_video_codecs() -> list[str]:
    wanted = {
        "H.264": ("h264",),
        "HEVC": ("hevc",),
        "MPEG-4": ("mpeg4",),
        "VP8": ("vp8", "libvpx"),
        "VP9": ("vp9", "libvpx-vp9"),
        "AV1": ("libdav1d", "av1", "libaom-av1"),
    }
    try:
        from av.codec import codecs_available  # noqa: PLC0415  only here
    except ImportError:
        return list(wanted)
    return [name for name, decoders in wanted.items() if not codecs_available.intersection(decoders)]
