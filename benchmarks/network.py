"""How much work a network is, and how much of it this machine could do at best."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime

from guyverd.faces import models
from guyverd.faces.weights import Weights

if TYPE_CHECKING:
    from guyverd.model import FloatArray


SIDE = 1536
"""Of the matrices that tell the sgemm rate; of 256 to 3072 the size at which numpy was fastest."""
_COUNTED = ("Conv", "Gemm", "MatMul")


def gigaflop(weights: Weights, values: FloatArray) -> float:
    """What one pass of `values`, float32[n, 3, height, width], through the network of `weights` takes.

    A multiplication and an addition for each weight at each place of every convolution and product, in 1e9; what is
    done besides is little. A network in several graphs counts as all of them, one after another.
    """
    total = 0.0
    for graph in models.load(weights, models.folder()).graphs:
        work, values = _pass(onnx.load_model_from_string(graph), values)
        total += work
    return total / 1e9


def _pass(model: onnx.ModelProto, values: FloatArray) -> tuple[float, FloatArray]:
    """Operations, and what comes out. The sizes in between depend on the input's: they are seen, not derived."""
    sizes = {item.name: tuple(item.dims) for item in model.graph.initializer}
    counted = [node for node in model.graph.node if node.op_type in _COUNTED]
    known = {item.name for item in model.graph.output}
    for node in counted:
        if node.output[0] not in known:
            model.graph.output.append(onnx.ValueInfoProto(name=node.output[0]))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, {model.graph.input[0].name: values}), strict=True))
    total = 0.0
    for node in counted:
        weights = sizes[node.input[1]]
        # Each number that comes out is a sum over one filter, or over one column of the matrix.
        terms = np.prod(weights[1:]) if node.op_type == "Conv" else np.prod(weights) / outputs[node.output[0]].shape[-1]
        total += 2.0 * float(outputs[node.output[0]].size) * float(terms)
    return total, outputs[names[0]]


def sgemm(side: int) -> Callable[[], object]:
    """A product of two square matrices of float32, to be timed: 2 * side ** 3 operations."""
    chance = np.random.default_rng(1)
    a = chance.standard_normal((side, side)).astype(np.float32)
    b = chance.standard_normal((side, side)).astype(np.float32)
    out = np.empty((side, side), np.float32)
    return lambda: np.matmul(a, b, out=out)
