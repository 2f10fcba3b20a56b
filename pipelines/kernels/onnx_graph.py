"""Which ONNX graphs may run: checked in full before a session of onnxruntime sees them.

A graph is somebody else's data. It may hold no more than the file brings, call nothing but plain arithmetic, and at every step
have a shape that is known beforehand and small. What is refused is refused with the reason.

Format: https://onnx.ai/onnx/repo-docs/IR.html
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sized

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from bci.errors import ModelError

INPUT, OUTPUT = "windows", "scores"
MAX_BYTES = 12 << 20
"""Three million weights; checking takes a few times as much memory."""
MAX_NODES = 4096
MAX_ELEMENTS = 1 << 22
"""Of one tensor, 16 MiB; our networks stay below a tenth of it."""
MAX_KEPT = 64
"""Values of a tensor that says a shape."""
MAX_PRODUCTS = 1 << 31
"""Of one node: multiplications for one window."""
OPSETS = range(13, 24)
SIZES: dict[int, int] = {
    TensorProto.FLOAT: 4,
    TensorProto.INT64: 8,
    TensorProto.INT32: 4,
    TensorProto.BOOL: 1,
    TensorProto.DOUBLE: 8,
}
# fmt: off
PLAIN = frozenset((
    "Abs", "Add", "AveragePool", "BatchNormalization", "Cast", "Celu", "Clip", "Concat", "Constant", "ConstantOfShape",
    "Conv", "Div", "Einsum", "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "GRU", "Gather", "Gelu", "Gemm",
    "GlobalAveragePool", "GlobalMaxPool", "Greater", "GroupNormalization", "HardSigmoid", "HardSwish", "Identity",
    "InstanceNormalization", "LSTM", "LayerNormalization", "LeakyRelu", "Less", "Log", "LogSoftmax", "LpNormalization",
    "MatMul", "Max", "MaxPool", "Mean", "Min", "Mish", "Mul", "Neg", "PRelu", "Pad", "Pow", "Reciprocal", "ReduceL2",
    "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Selu",
    "Shape", "Sigmoid", "Slice", "Softmax", "Softplus", "Softsign", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh",
    "ThresholdedRelu", "Transpose", "Unsqueeze", "Where",
))
# fmt: on
"""Operators that have no state, no randomness, no graph inside, and an output as large as their inputs say."""
VALUES = (
    AttributeProto.FLOAT,
    AttributeProto.INT,
    AttributeProto.STRING,
    AttributeProto.FLOATS,
    AttributeProto.INTS,
    AttributeProto.TENSOR,
    AttributeProto.STRINGS,
)


def checked(graph: bytes, classes: int) -> tuple[int, int, int]:
    """Check a graph.

    Parameters
    ----------
    graph : bytes
        An ONNX model.
    classes : int
        How many scores it must give.

    Returns
    -------
    tuple of int
        (n_bands, n_samples, n_channels) of the windows it takes.

    Raises
    ------
    ModelError
        With the reason why it may not run.
    """
    model = _parsed(graph)
    problem = next(_problems(model), None)
    if problem:
        raise _refused(problem)
    shape = _shape_of(model.graph.input, INPUT, 4)
    if shape[0] != 1:
        raise _refused(f"input {INPUT!r} takes {shape[0]} windows at once, must be 1")
    if _shape_of(model.graph.output, OUTPUT, 2) != (1, classes):
        raise _refused(f"output {OUTPUT!r} is not of shape (1, {classes}), one score for each class")
    _check_sizes(model)
    return shape[1], shape[2], shape[3]


def _refused(reason: str) -> ModelError:
    return ModelError(f"array 'onnx': the network is refused: {reason}")


def _parsed(graph: bytes) -> ModelProto:
    try:
        return onnx.load_model_from_string(graph)
    except (DecodeError, ValueError) as error:
        raise _refused(f"it is no ONNX model ({error})") from error


def _problems(model: ModelProto) -> Iterator[str]:
    """What can be seen without knowing shapes."""
    domains = {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
    if set(domains) != {"ai.onnx"} or domains["ai.onnx"] not in OPSETS:
        yield f"operator sets {domains}; allowed is ai.onnx, {OPSETS.start} to {OPSETS.stop - 1}"
    if model.functions or model.training_info:
        yield "it brings functions or training steps of its own"
    graph = model.graph
    if graph.sparse_initializer or not 0 < len(graph.node) <= MAX_NODES:
        yield f"it has {len(graph.node)} nodes (at most {MAX_NODES}) and {len(graph.sparse_initializer)} sparse tensors (none)"
    for tensor in graph.initializer:
        yield from _tensor_problems(tensor)
    for node in graph.node:
        yield from _node_problems(node)


def _node_problems(node: NodeProto) -> Iterator[str]:
    if node.domain not in ("", "ai.onnx") or node.op_type not in PLAIN:
        yield f"node {node.name!r} calls {node.domain or 'ai.onnx'}.{node.op_type}, which is not among the operators allowed"
    for attribute in node.attribute:
        if attribute.type not in VALUES or attribute.HasField("g") or attribute.graphs or attribute.ref_attr_name:
            yield f"attribute {attribute.name!r} of node {node.name!r} is no plain value"
        if attribute.HasField("t"):
            yield from _tensor_problems(attribute.t)


def _tensor_problems(tensor: TensorProto) -> Iterator[str]:
    """A tensor must hold, itself, exactly what its shape says."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data or tensor.HasField("segment"):
        yield f"tensor {tensor.name!r} has its data in another file"
        return
    size = SIZES.get(tensor.data_type)
    if size is None or any(d < 0 for d in tensor.dims):
        yield f"tensor {tensor.name!r} has type {tensor.data_type} and shape {tuple(tensor.dims)}, which is not allowed"
        return
    elements = math.prod(tensor.dims)
    if elements > MAX_ELEMENTS:
        yield f"tensor {tensor.name!r} has {elements} values, more than {MAX_ELEMENTS}"
    held = len(tensor.raw_data) / size if tensor.raw_data else sum(map(len, _lists(tensor)))
    if held != elements:
        yield f"tensor {tensor.name!r} claims {elements} values of shape {tuple(tensor.dims)} and holds {held:g}"


def _lists(tensor: TensorProto) -> tuple[Sized, ...]:
    return tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data


def _shape_of(values: Collection[ValueInfoProto], name: str, rank: int) -> tuple[int, ...]:
    """Shape of the only input or output, which must be single precision and known."""
    found = [v for v in values if v.name == name]
    if len(found) != 1 or len(values) != 1 or not found[0].type.HasField("tensor_type"):
        raise _refused(f"its inputs or outputs are {[v.name for v in values]}, must be {name!r} alone")
    tensor = found[0].type.tensor_type
    shape = _known(found[0])
    if tensor.elem_type != TensorProto.FLOAT or shape is None or len(shape) != rank:
        raise _refused(f"{name!r} is of shape {shape}, must be float32 with {rank} known dimensions")
    return shape


def _known(value: ValueInfoProto) -> tuple[int, ...] | None:
    """Shape of a value; None where a dimension is open."""
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    dims = value.type.tensor_type.shape.dim
    return tuple(d.dim_value for d in dims) if all(d.HasField("dim_value") and d.dim_value >= 0 for d in dims) else None


def _check_sizes(model: ModelProto) -> None:
    """Every value has a known, small shape, and no node has to multiply for long."""
    _strip(model.graph)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise _refused(f"its shapes contradict each other ({' '.join(str(error).split())[:200]})") from error
    shapes = _shapes(inferred)
    for node in inferred.node:
        for name in filter(None, node.output):
            shape = shapes.get(name)
            if shape is None:
                raise _refused(f"the shape of {name!r} ({node.op_type}) is not known beforehand")
            if math.prod(shape) > MAX_ELEMENTS:
                raise _refused(f"{name!r} ({node.op_type}) would have shape {shape}, more than {MAX_ELEMENTS} values")
        if _products(node, shapes) > MAX_PRODUCTS:
            raise _refused(f"node {node.name!r} ({node.op_type}) would need more than {MAX_PRODUCTS} multiplications a window")


def _strip(graph: GraphProto) -> None:
    """Large tensors become inputs of the same type and shape: to find shapes, nobody needs their values."""
    small = [t for t in graph.initializer if math.prod(t.dims) <= MAX_KEPT]
    for tensor in graph.initializer:
        if math.prod(tensor.dims) > MAX_KEPT:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    kept = [TensorProto.FromString(t.SerializeToString()) for t in small]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _shapes(graph: GraphProto) -> dict[str, tuple[int, ...] | None]:
    """Shape of every value of a graph whose shapes have been inferred."""
    found = {v.name: _known(v) for values in (graph.value_info, graph.input, graph.output) for v in values}
    return {**found, **{t.name: tuple(t.dims) for t in graph.initializer}}


def _products(node: NodeProto, shapes: Mapping[str, tuple[int, ...] | None]) -> int:
    """An upper bound of a node's multiplications, and of the values it lays out to make them."""
    sizes = [math.prod(shapes.get(name) or ()) for name in filter(None, node.input)]
    out = math.prod(shapes.get(node.output[0]) or ()) if node.output else 0
    if node.op_type == "Conv" and len(sizes) > 1:
        weight = shapes.get(node.input[1]) or (1,)
        return out * math.prod(weight[1:]) * (64 if weight[0] < 64 else 1)
    if node.op_type in ("MatMul", "Gemm") and len(sizes) > 1:
        return max(sizes[0], sizes[1]) * max(1, out // max(1, min(sizes[0], sizes[1])))
    kernel = next((math.prod(a.ints) for a in node.attribute if a.name == "kernel_shape"), 1)
    return max(out * kernel, *sizes, 0) if node.op_type != "Einsum" else math.prod(sizes[:2])
