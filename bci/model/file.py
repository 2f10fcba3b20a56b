"""Model files: one safetensors file of arrays with a JSON header; loading one executes nothing.

Layout (https://github.com/huggingface/safetensors, "Format"): 8 bytes little-endian length of the
JSON index, the index, the arrays. Our header is the text ``bci`` in the index's metadata, and
``digest`` beside it is the SHA-256 of header and arrays, so that a flipped bit is found wherever it is.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from bci import plugins
from bci.engine.decoder import Kernel, LiveDecoder
from bci.engine.preprocessing import Preprocessing
from bci.errors import BciError, ConfigError, ModelError
from bci.model.header import SCHEMA, ModelHeader
from bci.safe_io.json_values import from_json, parse
from bci.safe_io.private import opener
from bci.safe_io.regular_file import read_regular

Arrays = Mapping[str, npt.NDArray[Any]]

MAX_FILE_BYTES = 32 << 20
MAX_INDEX_BYTES = 256 << 10
LARGEST_UV2 = 1e18
"""Variance that no electrode has; products of larger ones leave the range of numbers."""
ROUNDING = 1e-6
KERNEL_PREFIX = "kernel."
WHAT_TO_DO = "Train the model again, or copy it again from where it was made."


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model file, read and checked.

    Parameters
    ----------
    path : Path
    header : ModelHeader
    decoder : LiveDecoder
    sha256 : str
        Of the whole file: the model's identity in recordings.
    """

    path: Path
    header: ModelHeader
    decoder: LiveDecoder
    sha256: str


def save_model(path: Path | str, header: ModelHeader, arrays: Arrays) -> str:
    """Write a model file; an existing one is never overwritten.

    Parameters
    ----------
    path : Path or str
    header : ModelHeader
    arrays : mapping of str to ndarray
        ``covariance``, ``weights``, ``centre`` (which older files lack) and the kernel's own as ``kernel.NAME``
        (:attr:`bci.training.fit.FittedModel.arrays`).

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    ModelError
        If the file exists, cannot be written, or would not load.
    """
    from safetensors.numpy import save

    path = Path(path)
    text = json.dumps(asdict(header), ensure_ascii=True, allow_nan=False, sort_keys=True)
    contiguous = {  # a single number stays one: what was tried before it was saved is what is loaded
        name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()
    }
    data = save(contiguous, metadata={"bci": text, "digest": _digest(text, contiguous)})
    _decode(path, data)
    try:
        with open(path, "xb", opener=opener) as file:
            try:
                file.write(data)
                file.flush()
            except OSError:  # a full disk: half a model must not look like one
                path.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise ModelError(f"{path}: exists, and a model is never overwritten. Choose another name.") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror}). Choose another folder.") from error
    return hashlib.sha256(data).hexdigest()


def load_model(path: Path | str) -> Model:
    """Read a model file and build its decoder.

    Parameters
    ----------
    path : Path or str
        A file that ``bci train`` wrote.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the file is missing, damaged, hostile, of another schema, or names an unknown kernel.
    """
    path = Path(path)
    return model_from(path, read_bytes(path))


def model_from(path: Path, data: bytes) -> Model:
    """Build a model from the bytes of a file.

    Parameters
    ----------
    path : Path
        The file, for messages.
    data : bytes
        All its bytes.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        As :func:`load_model`.
    """
    header, arrays = _decode(path, data)
    sha256 = hashlib.sha256(data).hexdigest()
    del data  # the arrays are copies, and a decoder may need as much again while it is built
    try:
        decoder = build_decoder(header.kernel, header.classes, header.preprocessing, arrays)
    except BciError as error:
        raise _damaged(path, str(error)) from error
    return Model(path, header, decoder, sha256)


def read_model(path: Path | str) -> tuple[ModelHeader, Arrays, str]:
    """Header, arrays and SHA-256 of a model file, without building its decoder.

    Parameters
    ----------
    path : Path or str
        A file that ``bci train`` wrote.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or of another schema.
    """
    path = Path(path)
    data = read_bytes(path)
    header, arrays = _decode(path, data)
    return header, arrays, hashlib.sha256(data).hexdigest()


def build_decoder(kernel: str, classes: tuple[str, ...], preprocessing: Preprocessing, arrays: Arrays) -> LiveDecoder:
    """Build a live decoder from a model's arrays, after checking that they fit each other.

    Parameters
    ----------
    kernel : str
        Name in the entry point group ``bci.kernels``.
    classes : tuple of str
        In the order of the probabilities.
    preprocessing : Preprocessing
        Of the model.
    arrays : Arrays
        Of the model file, those of the kernel included.

    Returns
    -------
    LiveDecoder

    Raises
    ------
    ModelError
        If an array is missing, of another type or shape, or not finite.
    PluginError
        If the kernel is not installed.
    """
    bands, channels = len(preprocessing.bands), len(preprocessing.labels)
    covariance = _covariance(arrays, "covariance", (bands, channels, channels))
    weights = _array(arrays, "weights", (channels,))
    own = {name[len(KERNEL_PREFIX) :]: a for name, a in arrays.items() if name.startswith(KERNEL_PREFIX)}
    if weights.min() < 0 or abs(float(weights.sum()) - 1) > 1e-6:
        raise ModelError("array 'weights': must be non-negative and sum to one")
    load = plugins.load(plugins.KERNELS, kernel)
    try:
        built: Kernel = load(own, classes)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise ModelError(
            f"kernel {kernel!r} cannot be built from its arrays ({', '.join(sorted(own)) or 'none'}): "
            f"{type(error).__name__}: {error}. The model is of another version of the kernel, or its load has a fault"
        ) from error
    lacking = [name for name in ("classes", "n_channels", "features") if not hasattr(built, name)]
    if lacking:
        raise ModelError(f"kernel {kernel!r} lacks {', '.join(lacking)}; a kernel has classes, n_channels and features")
    if built.classes != classes or built.n_channels != channels:
        raise ModelError(
            f"kernel {kernel!r} has n_channels = {built.n_channels!r} and classes = {built.classes!r}, "
            f"the header of the model says {channels} channels and classes {classes}"
        )
    expected = (bands, preprocessing.window, channels)
    taken = getattr(built, "shape", expected)
    if taken != expected:
        raise ModelError(f"kernel {kernel!r} takes windows of {taken} bands, samples and channels, the header says {expected}")
    if preprocessing.partly and built.features != "scatter":
        raise ModelError(
            f"kernel {kernel!r} needs complete windows, but the header says that it decodes windows with a part missing "
            f"(least = {preprocessing.least})"
        )
    centre = _covariance(arrays, "centre", (bands, channels, channels)) if "centre" in arrays else None
    return LiveDecoder(preprocessing, built, covariance, weights, centre)


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path}: not a usable model: {reason}. {WHAT_TO_DO}")


def read_bytes(path: Path) -> bytes:
    """Read all bytes of a model file, up to the size that a model may have.

    Raises
    ------
    ModelError
        If it cannot be read, or has more than a model may have.
    """
    try:
        return read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise _damaged(path, str(error.strerror)) from error
        raise ModelError(f"{path}: cannot be read ({error.strerror}). Give the path of a model file.") from error


def _decode(path: Path, data: bytes) -> tuple[ModelHeader, dict[str, npt.NDArray[Any]]]:
    """Header and arrays of a file's bytes; every length is checked before it is used."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    metadata = _metadata(path, data)
    try:
        arrays: dict[str, npt.NDArray[Any]] = load(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise _damaged(path, f"its arrays cannot be read ({error})") from error
    if _digest(metadata["bci"], arrays) != metadata["digest"]:
        raise _damaged(path, "its checksum does not fit its content, so it was changed or damaged")
    try:
        value = parse(metadata["bci"], "header")
        if isinstance(value, dict) and value.get("schema") != SCHEMA:
            raise ConfigError(f"schema is {repr(value.get('schema'))[:80]}, this version reads {SCHEMA}")
        return from_json(ModelHeader, value, "header"), arrays
    except ConfigError as error:
        raise _damaged(path, str(error)) from error


def _metadata(path: Path, data: bytes) -> dict[str, str]:
    """The index's metadata. We read it ourselves, so that a false length is refused before it is used."""
    if len(data) < 8:
        raise _damaged(path, f"only {len(data)} bytes long")
    length = int.from_bytes(data[:8], "little")
    if length > min(MAX_INDEX_BYTES, len(data) - 8):
        raise _damaged(path, f"its index claims {length} bytes, of {len(data)} in the file and {MAX_INDEX_BYTES} allowed")
    try:
        index = cast(dict[str, Any], parse(data[8 : 8 + length].decode("utf-8"), "index"))
        metadata = index["__metadata__"]
        found = {key: metadata[key] for key in ("bci", "digest")}
    except (ValueError, ConfigError, KeyError, TypeError) as error:
        raise _damaged(path, f"its index is not that of a model ({type(error).__name__}: {error})") from error
    if not all(isinstance(text, str) for text in found.values()):
        raise _damaged(path, "its metadata are not text")
    return found


def _digest(header: str, arrays: Arrays) -> str:
    """SHA-256 of the header's text and of each array's name, type, shape and bytes, in order of name."""
    digest = hashlib.sha256(header.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _covariance(arrays: Arrays, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """An array of covariance matrices, one for each band."""
    array = _array(arrays, name, shape)
    diagonals = np.diagonal(array, axis1=1, axis2=2)
    if not (np.abs(array).max() <= LARGEST_UV2 and diagonals.min() > 0):
        raise ModelError(f"array {name!r}: is not a covariance: variances must be above 0 and at most {LARGEST_UV2:g} µV²")
    scale = np.sqrt(diagonals)
    correlations = array / (scale[:, :, None] * scale[:, None, :])
    if np.abs(correlations - correlations.transpose(0, 2, 1)).max() > ROUNDING:
        raise ModelError(f"array {name!r}: is not a covariance: must be symmetric")
    if np.linalg.eigvalsh(correlations).min() < -ROUNDING * shape[1]:
        raise ModelError(f"array {name!r}: is not a covariance: no eigenvalue may be negative")
    return array


def _array(arrays: Arrays, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """One of the arrays that every model has."""
    array = arrays.get(name)
    if array is None or array.dtype != np.float64 or array.shape != shape or not np.isfinite(array).all():
        found = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        raise ModelError(f"array {name!r}: is {found}, must be finite float64 of shape {shape}")
    return array
