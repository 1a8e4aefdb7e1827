"""dlib's networks as ONNX graphs.

The same arithmetic in another order: a normalisation is folded into the convolution before it, and the detector's
last convolution, one filter of 9 × 9, is done as nine of 1 × 9 whose results are added up over nine rows, which is
2.5 times faster. dlib's means are folded into the first convolution of the embedding network, which pads nothing; the
detector is given pictures whose means were subtracted, because what lies around them there is nought.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from guyverd.faces.dat import Add, Affine, Convolution, Dense, Layer, Network, Pool, Relu, Tag

OPSET = 17
IR_VERSION = 8
INPUT, OUTPUT = "input", "output"


def embedding_graph(network: Network) -> bytes:
    """float32[n, 3, 150, 150], RGB from 0 to 255, to float32[n, 128]."""
    first, *rest = _folded(network.layers)
    assert isinstance(first, Convolution)
    means = np.array(network.means, np.float64)
    filters = first.filters.astype(np.float64) / 256
    bias = first.bias - (filters * means[:, None, None]).sum(axis=(1, 2, 3))
    first = Convolution(filters.astype(np.float32), bias.astype(np.float32), first.stride, first.padding)
    return _model([first, *rest], ["n", 3, "height", "width"], ["n", 128])


def detector_graphs(network: Network) -> tuple[bytes, bytes]:
    """The detector in two halves, which differ in how far they see.

    The first reduces float32[1, 3, h, w], (value - mean) / 256, to values at an eighth of the size; the second turns
    those, float32[1, channels, h', w'], into as many scores, float32[1, 1, h', w'].
    """
    layers = _folded(network.layers)
    reducing = [i for i, layer in enumerate(layers) if isinstance(layer, Convolution) and layer.stride != (1, 1)]
    # With the Relu that follows.
    half = reducing[-1] + 2
    last = layers[reducing[-1]]
    assert isinstance(last, Convolution)
    channels = last.filters.shape[0]
    size: list[int | str] = [1, channels, "rows", "columns"]
    return (
        _model(layers[:half], [1, 3, "height", "width"], size),
        _model(layers[half:], size, [1, 1, "rows", "columns"]),
    )


def fast_detector_graphs(network: Network) -> tuple[bytes, bytes]:
    """The two halves of the detector in whole numbers of 8 bits, but for the last convolution.

    The first half takes uint8[1, h / 2, w / 2, 12], RGB, two rows and two columns at a time (the upper two pixels, then
    the lower), and gives uint8[1, h', w', channels]; the second turns that into scores, float32[1, 1, h', w']. Channels
    come last because onnxruntime computes like that, and are filled up with noughts to multiples of 16, which takes a
    third of the time off the second half. Weights have 7 bits: on processors without dot products of bytes, sums of two
    products of 8 bits do not fit in 16.
    """
    convolutions = _filled_up([layer for layer in _folded(network.layers) if isinstance(layer, Convolution)])
    *inner, last = convolutions
    assert len(inner) == len(_LARGEST)
    # The means are taken off here; what is empty around a picture has their colour.
    means = (inner[0].filters / 256 * np.array(network.means, np.float32)[:, None, None]).sum(axis=(1, 2, 3))
    inner[0] = _by_fours(Convolution(inner[0].filters, inner[0].bias - means, inner[0].stride, inner[0].padding))
    half = 1 + len([layer for layer in inner if layer.stride != (1, 1)])
    scales = [1 / 256, *(largest / 255 for largest in _LARGEST)]
    between = inner[half - 1].filters.shape[0]

    graph = _Graph()
    x = graph.add("Transpose", [INPUT], perm=[0, 3, 1, 2])
    for number in range(half):
        x = _convolved_in_bytes(graph, x, inner[number], scale_in=scales[number], scale_out=scales[number + 1])
    x = graph.add("Transpose", [x], perm=[0, 2, 3, 1])
    shapes: tuple[list[int | str], list[int | str]] = ([1, "height", "width", 12], [1, "rows", "columns", between])
    first = _finished(graph, x, *shapes, takes=TensorProto.UINT8, gives=TensorProto.UINT8)

    graph = _Graph()
    x = graph.add("Transpose", [INPUT], perm=[0, 3, 1, 2])
    for number in range(half, len(inner)):
        x = _convolved_in_bytes(graph, x, inner[number], scale_in=scales[number], scale_out=scales[number + 1])
    x = graph.add("DequantizeLinear", [x, graph.constant(np.float32(scales[-1])), graph.constant(np.uint8(0))])
    x = _convolved(graph, x, last)
    second = _finished(graph, x, shapes[1], [1, 1, "rows", "columns"], takes=TensorProto.UINT8)
    return first, second


def _by_fours(layer: Convolution) -> Convolution:
    """A convolution in strides of two as one in strides of one over four pixels at a time, which is twice as fast."""
    out, channels, height, width = layer.filters.shape
    assert layer.stride == (2, 2)
    assert layer.padding == (0, 0)
    even = np.pad(layer.filters, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)))
    rows, columns = even.shape[2] // 2, even.shape[3] // 2
    split = even.reshape(out, channels, rows, 2, columns, 2).transpose(0, 3, 5, 1, 2, 4)
    return Convolution(split.reshape(out, 4 * channels, rows, columns), layer.bias, (1, 1), (0, 0))


_LANES = 16


def _filled_up(layers: Sequence[Convolution]) -> list[Convolution]:
    """The same with channels of noughts, so that their number between two layers is a multiple of 16."""
    out: list[Convolution] = []
    channels = layers[0].filters.shape[1]
    for number, layer in enumerate(layers):
        more = 0 if number == len(layers) - 1 else -layer.filters.shape[0] % _LANES
        filters = np.pad(layer.filters, ((0, more), (0, channels - layer.filters.shape[1]), (0, 0), (0, 0)))
        out.append(Convolution(filters, np.pad(layer.bias, (0, more)), layer.stride, layer.padding))
        channels = filters.shape[0]
    return out


_LARGEST = (6.0, 7.0, 4.2, 3.4, 6.5, 13.0)
"""What each convolution but the last gives at most; more is cut off. Measured on 60 photos at many sizes, with
room to spare: it is faces that give the most, and ranges a third too short cost a quarter of their scores."""


def _convolved_in_bytes(
    graph: _Graph,
    x: str,
    layer: Convolution,
    *,
    scale_in: float,
    scale_out: float,
) -> str:
    """A convolution and the Relu that follows it: results below nought cannot be written in the bytes it gives."""
    scales = np.abs(layer.filters).max(axis=(1, 2, 3)) / 63
    # Channels of nothing but noughts have any scale.
    scales = np.where(scales == 0, 1, scales)
    filters = np.round(layer.filters / scales[:, None, None, None]).astype(np.int8)
    whole = np.round(layer.bias.astype(np.float64) / (scale_in * scales)).astype(np.int32)
    nought = graph.constant(np.uint8(0))
    inputs = [
        x,
        graph.constant(np.float32(scale_in)),
        nought,
        graph.constant(filters),
        graph.constant(scales.astype(np.float32)),
        graph.constant(np.zeros(len(scales), np.int8)),
        graph.constant(np.float32(scale_out)),
        nought,
        graph.constant(whole),
    ]
    shape = list(layer.filters.shape[2:])
    pads = [*layer.padding, *layer.padding]
    return graph.add("QLinearConv", inputs, kernel_shape=shape, strides=list(layer.stride), pads=pads)


def _folded(layers: Sequence[Layer]) -> list[Layer]:
    """Every affine that follows a convolution becomes part of it."""
    out: list[Layer] = []
    for layer in layers:
        before = out[-1] if out else None
        if isinstance(layer, Affine) and isinstance(before, Convolution):
            filters = before.filters * layer.scale[:, None, None, None]
            out[-1] = Convolution(filters, before.bias * layer.scale + layer.shift, before.stride, before.padding)
        else:
            out.append(layer)
    return out


class _Graph:
    """Nodes in the order in which they run."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: npt.NDArray[Any] | np.generic) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def add(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name


def _model(layers: Sequence[Layer], shape: Sequence[int | str], result: Sequence[int | str]) -> bytes:
    graph = _Graph()
    x, channels = INPUT, int(shape[1])
    # What tags remember: the value and its channels. dlib's `add_prev2<avg_pool<skip1<tag2<...>>>>` comes as two tags
    # in a row: the value goes aside, what the tag before remembered is pooled, and the value is added to that.
    kept = [(x, channels)]
    aside: tuple[str, int] | None = None
    for place, layer in enumerate(layers):
        if isinstance(layer, Tag):
            if place and isinstance(layers[place - 1], Tag):
                aside = kept.pop()
                x, channels = kept[-1]
            else:
                kept.append((x, channels))
        elif isinstance(layer, Add):
            other = aside or kept[-1]
            x = _sum(graph, other, (x, channels), fill=aside is not None)
            channels = max(channels, other[1])
            aside = None
        elif isinstance(layer, Dense):
            x = graph.add("MatMul", [graph.add("Flatten", [x]), graph.constant(layer.weights)])
        elif isinstance(layer, Convolution):
            x = _convolved(graph, x, layer)
            channels = layer.filters.shape[0]
        else:
            x = _simple(graph, x, layer)
    return _finished(graph, x, shape, result)


def _simple(graph: _Graph, x: str, layer: Affine | Relu | Pool) -> str:
    if isinstance(layer, Relu):
        return graph.add("Relu", [x])
    if isinstance(layer, Affine):
        scaled = graph.add("Mul", [x, graph.constant(layer.scale[:, None, None])])
        return graph.add("Add", [scaled, graph.constant(layer.shift[:, None, None])])
    if layer.window == (0, 0):
        return graph.add("GlobalAveragePool" if layer.mean else "GlobalMaxPool", [x])
    pads = [*layer.padding, *layer.padding]
    kind = "AveragePool" if layer.mean else "MaxPool"
    return graph.add(kind, [x], kernel_shape=list(layer.window), strides=list(layer.stride), pads=pads)


def _convolved(graph: _Graph, x: str, layer: Convolution) -> str:
    out, channels, height, width = layer.filters.shape
    if out == 1 and layer.stride == (1, 1) and min(height, width) > 5:
        rows = np.ascontiguousarray(layer.filters[0].transpose(1, 0, 2)[:, :, None, :])
        assert rows.shape == (height, channels, 1, width)
        across = layer.padding[1]
        x = graph.add("Conv", [x, graph.constant(rows)], kernel_shape=[1, width], pads=[0, across, 0, across])
        picks = np.eye(height, dtype=np.float32)[None, :, :, None]
        down = layer.padding[0]
        inputs = [x, graph.constant(picks), graph.constant(layer.bias)]
        return graph.add("Conv", inputs, kernel_shape=[height, 1], pads=[down, 0, down, 0])
    inputs = [x, graph.constant(layer.filters), graph.constant(layer.bias)]
    pads = [*layer.padding, *layer.padding]
    return graph.add("Conv", inputs, kernel_shape=[height, width], strides=list(layer.stride), pads=pads)


def _sum(graph: _Graph, a: tuple[str, int], b: tuple[str, int], *, fill: bool) -> str:
    """The sum; with `fill` the one with fewer channels, and either where it is a row or column shorter, has noughts."""
    if not fill:
        return graph.add("Add", [a[0], b[0]])
    channels = max(a[1], b[1])
    shapes = [graph.add("Shape", [value], start=2) for value in (a[0], b[0])]
    largest = graph.add("Max", shapes)
    filled = []
    for (value, own), shape in zip((a, b), shapes, strict=True):
        missing = graph.add("Sub", [largest, shape])
        before = graph.constant(np.array([0, 0, 0, 0, 0, channels - own], np.int64))
        filled.append(graph.add("Pad", [value, graph.add("Concat", [before, missing], axis=0)]))
    return graph.add("Add", filled)


def _finished(
    graph: _Graph,
    x: str,
    shape: Sequence[int | str],
    result: Sequence[int | str],
    *,
    takes: int = TensorProto.FLOAT,
    gives: int = TensorProto.FLOAT,
) -> bytes:
    graph.nodes[-1].output[0] = OUTPUT
    assert x != OUTPUT
    whole = helper.make_graph(
        graph.nodes,
        "guyverd",
        [helper.make_tensor_value_info(INPUT, takes, list(shape))],
        [helper.make_tensor_value_info(OUTPUT, gives, list(result))],
        initializer=graph.constants,
    )
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data
