"""Kernel: a network as an ONNX graph, run by onnxruntime on one thread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from bci.engine.chunk import FloatArray
from bci.errors import ModelError
from pipelines.kernels.onnx_graph import INPUT, MAX_BYTES, OUTPUT, checked
from pipelines.kernels.parts import softmax

LARGEST_UV = 1e18
"""Beyond, products would leave the range of single precision."""
REFUSALS = (state.EPFail, state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented)
CANNOT_RUN = (*REFUSALS, state.RuntimeException)


class Network:
    """Softmax of the scores that an ONNX graph gives for a window.

    Parameters
    ----------
    classes : tuple of str
    graph : bytes
        With an input ``windows``, float32 of shape (1, n_bands, n_samples, n_channels), and an output ``scores``, float32 of
        shape (1, n_classes). It has been checked before (:mod:`pipelines.kernels.onnx_graph`).
    shape : tuple of int
        (n_bands, n_samples, n_channels).
    """

    features: Literal["scatter", "samples"] = "samples"

    def __init__(self, classes: tuple[str, ...], graph: bytes, shape: tuple[int, int, int]) -> None:
        self.classes = classes
        self.shape = shape
        self.n_channels = shape[2]
        self._session = _session(graph)
        self._given = np.zeros((1, *shape), dtype=np.float32)
        self._feed = {INPUT: self._given}
        self._wanted = [OUTPUT]
        self._probabilities: FloatArray = np.full(len(classes), math.nan)
        self(np.ones(shape))
        self._session.run(self._wanted, self._feed)  # the first run lays out memory

    def __call__(self, window: FloatArray) -> FloatArray:
        """Probabilities, shape (n_classes,), of a window, shape (n_bands, n_samples, n_channels), µV."""
        lows, highs = window.min(axis=1), window.max(axis=1)
        if not (lows.min() > -LARGEST_UV and highs.max() < LARGEST_UV and (highs > lows).any()):
            self._probabilities.fill(math.nan)
            return self._probabilities
        self._given[0] = window
        scores = self._session.run(self._wanted, self._feed)[0][0].tolist()
        if not all(map(math.isfinite, scores)):
            self._probabilities.fill(math.nan)
            return self._probabilities
        return softmax(scores, self._probabilities)


def _session(graph: bytes) -> onnxruntime.InferenceSession:
    """One thread, in order, none that spins while it waits."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def load(arrays: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> Network:
    """Build the kernel from a model's array ``onnx``: the bytes of the graph.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The model's arrays, by name.
    classes : tuple of str
        Class names, in the order of the probabilities.

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        If it is missing, or the graph is not one that may run.
    """
    array = arrays.get("onnx")
    if array is None or array.dtype != np.uint8 or array.ndim != 1:
        raise ModelError("array 'onnx': missing, or not one row of bytes (uint8)")
    if array.nbytes > MAX_BYTES:
        raise ModelError(f"array 'onnx': {array.nbytes} bytes are more than the {MAX_BYTES} that a network may have")
    graph = array.tobytes()
    shape = checked(graph, len(classes))
    try:
        return Network(classes, graph, shape)
    except CANNOT_RUN as error:
        raise ModelError(f"array 'onnx': onnxruntime cannot run the network ({' '.join(str(error).split())[:200]})") from error
