"""dlib's published networks, ready to run: made into ONNX once, kept in the cache, verified before they are trusted.

A file of the cache holds a network's graphs and says what it was made from. It is made anew when the weights, the code
that makes graphs, or a single byte of it differ; where the cache cannot be written, the graphs are made at each start,
which takes a third of a second. So it is where somebody else could have put a graph of theirs into the cache: its own
hash tells of accidents only. A network is verified against what dlib computes (`reference`) once for each
onnxruntime and device; the cache remembers that too.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.resources
import json
import logging
import os
import struct
import tempfile
import time
from dataclasses import dataclass, replace

import platformdirs

from guyverd import private
from guyverd.errors import EngineError
from guyverd.faces import dat
from guyverd.faces.weights import Weights, find

log = logging.getLogger(__name__)

_MAGIC = b"guyverd model\n"
_FORM = 2
"""To be raised with every change of this file's form."""
_DIGEST = 16
_LEFT = 3600.0
"""Seconds after which nobody writes a file any more."""


@dataclass(frozen=True, slots=True)
class Model:
    """A network as ONNX graphs, and what must be known around it."""

    graphs: tuple[bytes, ...]
    """One; of a detector four: the two halves, and both again in whole numbers."""
    means: tuple[float, float, float]
    window: dat.Window | None
    """Of a detector."""
    made_from: str
    """What tells the weights and the code that made it."""
    verified: tuple[str, ...]
    """With which runtimes it was found to compute what dlib does."""


def folder() -> str:
    """Where the cache is: systemd's word, else the user's cache directory."""
    return os.path.join(os.environ.get("CACHE_DIRECTORY") or platformdirs.user_cache_dir("guyverd"), "models")


def load(weights: Weights, cache: str) -> Model:
    """The network of `weights`, from `cache` or made now. Raises EngineError where weights are missing or broken."""
    source = find(weights)
    data = _read(source)
    made_from = _made_from(data)
    path = _path(weights, cache)
    trusted = _is_ours(cache)
    model = _kept(path, made_from) if trusted else None
    if model is None:
        model = _made(data, source, made_from)
        if trusted:
            _keep(path, model)
    return model


def remember_verified(weights: Weights, cache: str, model: Model, runtime: str) -> None:
    """Note that `model` computes what dlib does when it runs in `runtime`."""
    if _is_ours(cache):
        _keep(_path(weights, cache), replace(model, verified=(*model.verified, runtime)))


def _is_ours(cache: str) -> bool:
    """Make the cache, or see whether only we can write it; tells why not, and the cure."""
    try:
        private.make_folder(cache, 0o700)
        found = private.exposed(cache, os.stat(cache)) or private.exposed_above(cache)
    except OSError as problem:
        log.info("%s cannot be used: %s", cache, problem, extra={"file": cache})
        return False
    if found is not None:
        about = {"file": found.path}
        why = found.path, found.detail, found.cure
        log.warning("Nothing is kept in %s: of %s %s. Cure: %s", cache, *why, extra=about)
    return found is None


def _path(weights: Weights, cache: str) -> str:
    return os.path.join(cache, f"{weights.partition('.')[0]}.model")


def _made_from(data: bytes) -> str:
    return f"{_FORM} {_makers()} {_hash(data)}"


@functools.cache
def _makers() -> str:
    """The code that makes graphs, by its hash: whoever changes it need not remember that there are caches."""
    package = importlib.resources.files(__package__)
    return _hash(b"".join((package / name).read_bytes() for name in ("dat.py", "graphs.py")))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as problem:
        raise EngineError(detail=f"{path}: {problem.strerror}") from problem


def _made(data: bytes, source: str, made_from: str) -> Model:
    network = dat.read(data, source)
    try:
        # onnx is only needed when there is something to make.
        from guyverd.faces import graphs  # noqa: PLC0415

        if network.window is None:
            made: tuple[bytes, ...] = (graphs.embedding_graph(network),)
        else:
            made = (*graphs.detector_graphs(network), *graphs.fast_detector_graphs(network))
    except Exception as problem:
        # onnx is missing, or there is too little memory: no photo's fault.
        detail = f"{source} cannot be made ready for onnxruntime: {type(problem).__name__}: {problem}"
        raise EngineError(detail=detail) from problem
    return Model(made, network.means, network.window, made_from, ())


# ---- the file --------------------------------------------------------------------------------------------------------
# Magic, the hash of all that follows, the length of the head in four bytes, the head in JSON, the graphs.


def _kept(path: str, made_from: str) -> Model | None:
    """What the cache holds, if it is whole and made from these weights."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            if private.exposed(path, os.fstat(file.fileno())) is not None or file.read(len(_MAGIC)) != _MAGIC:
                return None
            digest, rest = file.read(_DIGEST), file.read()
        if digest != _digest(rest):
            return None
        (size,) = struct.unpack_from("<I", rest)
        head, body = json.loads(rest[4 : 4 + size]), rest[4 + size :]
        if head["made from"] != made_from:
            return None
        graphs = []
        for length in head["graphs"]:
            graphs.append(body[:length])
            body = body[length:]
        window = head["window"]
        return Model(
            tuple(graphs),
            (head["means"][0], head["means"][1], head["means"][2]),
            None if window is None else dat.Window(window[0], window[1], dat.Suppression(window[2], window[3])),
            made_from,
            tuple(head["verified"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, IndexError, struct.error) as problem:
        log.info("%s is made anew: %s", path, problem, extra={"file": path})
        return None


def _keep(path: str, model: Model) -> None:
    """Write it beside and rename, so that workers that start together never see half a file."""
    body = b"".join(model.graphs)
    window = model.window
    head = json.dumps(
        {
            "made from": model.made_from,
            "graphs": [len(graph) for graph in model.graphs],
            "means": model.means,
            "window": window and (window.width, window.height, window.suppression.union, window.suppression.covered),
            "verified": sorted(set(model.verified)),
        }
    ).encode()
    beside = None
    try:
        handle, beside = tempfile.mkstemp(dir=os.path.dirname(path), suffix=".part")
        with open(handle, "wb") as file:
            rest = struct.pack("<I", len(head)) + head + body
            file.write(_MAGIC + _digest(rest) + rest)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        _tidy_up(os.path.dirname(path))
    except OSError as problem:
        log.info("%s cannot be kept: %s", path, problem, extra={"file": path})
        if beside is not None:
            with contextlib.suppress(OSError):
                os.unlink(beside)


def _tidy_up(cache: str) -> None:
    """Remove what processes that were killed left half written."""
    with os.scandir(cache) as entries:
        for entry in entries:
            if entry.name.endswith(".part") and time.time() - entry.stat().st_mtime > _LEFT:
                os.unlink(entry.path)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def _hash(data: bytes) -> str:
    return _digest(data).hex()
