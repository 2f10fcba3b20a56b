"""The processor and the libraries on which outcomes are bit-identical."""

from __future__ import annotations

import platform
from importlib.metadata import version

import numpy as np

LIBRARIES = {"network": ("onnxruntime",)}
"""What kernels compute with besides numpy and scipy."""


def fingerprint(kernel: str = "") -> dict[str, str]:
    """Everything that the bits of an outcome depend on besides samples, model and inputs.

    BLAS and LAPACK pick their kernels by processor, and kernels differ in the order of additions.
    Elsewhere outcomes agree to 1e-9 and decisions are equal.

    Parameters
    ----------
    kernel : str
        Name of the model's kernel, where there is a model.

    Returns
    -------
    dict of str to str
    """
    config = np.show_config(mode="dicts")
    blas = config["Build Dependencies"]["blas"]
    simd = config["SIMD Extensions"]
    return {
        "machine": platform.machine(),
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "simd": " ".join(simd.get("found", [])),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "bci": version("bci"),
        **{name: version(name) for name in LIBRARIES.get(kernel, ())},
    }
