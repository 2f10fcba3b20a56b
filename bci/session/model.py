"""Model files: one safetensors file of arrays with a JSON header; loading one executes nothing.

Layout (https://github.com/huggingface/safetensors, "Format"): 8 bytes little-endian length of the
JSON index, the index, the arrays. Our header is the text ``bci`` in the index's metadata, and
``digest`` beside it is the SHA-256 of header and arrays, so that a flipped bit is found wherever it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bci import plugins
from bci.engine.decide import Decide, DecisionSettings
from bci.engine.decoder import Kernel, LiveDecoder
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import BciError, ConfigError, ModelError, StreamMismatch
from bci.session.json_values import from_json

Arrays = Mapping[str, npt.NDArray[Any]]

SCHEMA = 1
MAX_FILE_BYTES = 32 << 20
MAX_INDEX_BYTES = 256 << 10
MAX_CHANNELS = 1024
MAX_CLASSES = 64
KERNEL_PREFIX = "kernel."
CONVERTIBLE_UNITS = ("uV", "mV", "V")
WHAT_TO_DO = "Train the model again, or copy it again from where it was made."


@dataclass(frozen=True, slots=True)
class ModelHeader:
    """All of a model that is not an array.

    Parameters
    ----------
    decoder : str
        Name of the decoder family that was trained, for people.
    kernel : str
        Name of the kernel that runs it (entry point group ``bci.kernels``).
    preprocessing : Preprocessing
    channel_types, units : tuple of str
        Of the training stream, in the decoder's channel order. ``units`` are those that the sender
        declared; the arrays are always in µV.
    reference_electrode : str
        As the training stream named it; empty where unknown.
    classes : tuple of str
    decision : DecisionSettings
    trial_s : tuple of (start, stop)
        Part of a trial after the cue that was trained on, seconds.
    recordings : tuple of str
        SHA-256 of each training recording.
    trials : dict of str to int
        Training trials of each class.
    versions : dict of str to str
        Of Python and the packages that took part.
    created : str
        ISO 8601.
    accuracy : float or None
        Estimated by whoever trained, 0 to 1.
    verdict : str or None
        What the calibration said about it, in words.
    notes : tuple of str
        What a user should know about the training data.
    chosen : dict of str to str
        How this decoder was chosen among others, where it was; see :func:`bci.session.judging.judge.fit_best`.
    nulls : dict of str to dict of str to float
        Accuracy and p-value of each null test, by its name.
    schema : int
        Version of this header.
    """

    decoder: str
    kernel: str
    preprocessing: Preprocessing
    channel_types: tuple[str, ...]
    units: tuple[str, ...]
    reference_electrode: str
    classes: tuple[str, ...]
    decision: DecisionSettings
    trial_s: tuple[float, float]
    recordings: tuple[str, ...]
    trials: dict[str, int]
    versions: dict[str, str]
    created: str
    accuracy: float | None = None
    verdict: str | None = None
    notes: tuple[str, ...] = ()
    chosen: dict[str, str] = field(default_factory=dict)
    nulls: dict[str, dict[str, float]] = field(default_factory=dict)
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        problems = list(_header_problems(self))
        if problems:
            raise ConfigError(problems)


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
        (:attr:`bci.session.fit.FittedModel.arrays`).

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
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    data = save(contiguous, metadata={"bci": text, "digest": _digest(text, contiguous)})
    _decode(path, data)
    try:
        with path.open("xb") as file:
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

    Raises
    ------
    ModelError
        If the file is missing, damaged, hostile, of another schema, or names an unknown kernel.
    """
    path = Path(path)
    header, arrays, sha256 = read_model(path)
    try:
        decoder = build_decoder(header.kernel, header.classes, header.preprocessing, arrays)
    except BciError as error:
        raise _damaged(path, str(error)) from error
    return Model(path, header, decoder, sha256)


def read_model(path: Path | str) -> tuple[ModelHeader, Arrays, str]:
    """Header, arrays and SHA-256 of a model file, without building its decoder.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or of another schema.
    """
    path = Path(path)
    data = _read_bounded(path)
    header, arrays = _decode(path, data)
    return header, arrays, hashlib.sha256(data).hexdigest()


def build_decoder(kernel: str, classes: tuple[str, ...], preprocessing: Preprocessing, arrays: Arrays) -> LiveDecoder:
    """Build a live decoder from a model's arrays, after checking that they fit each other.

    Raises
    ------
    ModelError
        If an array is missing, of another type or shape, or not finite.
    PluginError
        If the kernel is not installed.
    """
    bands, channels = len(preprocessing.bands), len(preprocessing.labels)
    covariance = _array(arrays, "covariance", (bands, channels, channels))
    weights = _array(arrays, "weights", (channels,))
    own = {name[len(KERNEL_PREFIX) :]: a for name, a in arrays.items() if name.startswith(KERNEL_PREFIX)}
    if weights.min() < 0 or abs(float(weights.sum()) - 1) > 1e-6:
        raise ModelError("array 'weights': must be non-negative and sum to one")
    built: Kernel = plugins.load(plugins.KERNELS, kernel)(own, classes)
    if built.classes != classes or built.n_channels != channels:
        raise ModelError(
            f"kernel {kernel!r} is for {built.n_channels} channels and classes {built.classes}, "
            f"the header says {channels} channels and classes {classes}"
        )
    said = (bands, preprocessing.window, channels)
    taken = getattr(built, "shape", said)
    if taken != said:
        raise ModelError(f"kernel {kernel!r} takes windows of {taken} bands, samples and channels, the header says {said}")
    if preprocessing.partly and built.features != "scatter":
        raise ModelError(
            f"kernel {kernel!r} takes the samples of whole windows, and the header has it decode windows with a part missing "
            f"(least = {preprocessing.least})"
        )
    centre = _array(arrays, "centre", (bands, channels, channels)) if "centre" in arrays else None
    return LiveDecoder(preprocessing, built, covariance, weights, centre)


def check_stream(header: ModelHeader, info: StreamInfo) -> list[int]:
    """Columns of the stream that carry the model's channels, in the model's order.

    A unit counts as different where only one of the two is declared: declared units are converted to
    µV on arrival. A reference electrode counts as different where both are named.

    Raises
    ------
    StreamMismatch
        If the stream is not what the model was trained on; every field that differs is named.
    """
    labels = header.preprocessing.labels
    problems = []
    if abs(info.rate_hz - header.preprocessing.rate_hz) > 1e-3 * header.preprocessing.rate_hz:
        problems.append(f"rate: model {header.preprocessing.rate_hz:g} Hz, stream {info.rate_hz:g} Hz")
    ours, theirs = canonical(header.reference_electrode), canonical(info.reference)
    if ours and theirs and ours != theirs:
        problems.append(f"reference: model {header.reference_electrode}, stream {info.reference}")
    columns: list[int] = []
    try:
        columns = info.columns(labels)
    except StreamMismatch as error:
        problems.append(str(error))
    for label, kind, unit, column in zip(labels, header.channel_types, header.units, columns, strict=False):
        channel = info.channels[column]
        if channel.type != kind:
            problems.append(f"type of {label}: model {kind}, stream {channel.type}")
        if channel.unit != unit and not {channel.unit, unit} <= set(CONVERTIBLE_UNITS):
            problems.append(f"unit of {label}: model {unit or 'not declared'}, stream {channel.unit or 'not declared'}")
    if problems:
        raise StreamMismatch(
            f"stream {info.name!r} is not what the model was trained on:\n  " + "\n  ".join(problems) + "\n"
            "Choose the stream that the model was made for, correct its metadata in a montage file, or train a new model."
        )
    return columns


def _header_problems(h: ModelHeader) -> list[str]:
    """Every reason why this header cannot be that of a model, one line each."""
    found = []
    n = len(h.preprocessing.labels)
    if h.schema != SCHEMA:
        found.append(f"schema = {h.schema}: must be {SCHEMA}")
    if n > MAX_CHANNELS or len({canonical(x) for x in h.preprocessing.labels}) != n:
        found.append(f"labels: must be unique, at most {MAX_CHANNELS}")
    for name, values in (("channel_types", h.channel_types), ("units", h.units)):
        if len(values) != n:
            found.append(f"{name}: {len(values)} values for {n} channels")
    if not 2 <= len(h.classes) <= MAX_CLASSES or len(set(h.classes)) != len(h.classes):
        found.append(f"classes = {h.classes}: must be 2 to {MAX_CLASSES} different names")
    if not h.trial_s[0] < h.trial_s[1]:
        found.append(f"trial_s = {h.trial_s}: must start before it stops")
    if h.accuracy is not None and not 0 <= h.accuracy <= 1:
        found.append(f"accuracy = {h.accuracy}: must be between 0 and 1, or null")
    if not found:
        Decide(h.decision, h.classes, h.preprocessing.hop / h.preprocessing.rate_hz)
    return found


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path}: not a usable model: {reason}. {WHAT_TO_DO}")


def _read_bounded(path: Path) -> bytes:
    """All bytes of the file, or an error before more than the limit is in memory."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}). Give the path of a model file.") from error
    except ValueError as error:
        raise ModelError(f"{str(path)!r}: is no path ({error}). Give the path of a model file.") from error
    if len(data) > MAX_FILE_BYTES:
        raise _damaged(path, f"larger than {MAX_FILE_BYTES >> 20} MiB, the most that a model may have")
    return data


def _decode(path: Path, data: bytes) -> tuple[ModelHeader, dict[str, npt.NDArray[Any]]]:
    """Header and arrays of a file's bytes, with every length checked before it is believed."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    metadata = _metadata(path, data)
    try:
        arrays: dict[str, npt.NDArray[Any]] = load(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise _damaged(path, f"its arrays cannot be read ({error})") from error
    if _digest(metadata["bci"], arrays) != metadata["digest"]:
        raise _damaged(path, "its checksum does not agree with what it holds, so it was changed or damaged")
    try:
        value = json.loads(metadata["bci"])
        if isinstance(value, dict) and value.get("schema") != SCHEMA:
            raise ConfigError(f"schema is {value.get('schema')!r}, this version reads {SCHEMA}")
        return from_json(ModelHeader, value, "header"), arrays
    except (ValueError, RecursionError, ConfigError) as error:
        raise _damaged(path, str(error)) from error


def _metadata(path: Path, data: bytes) -> dict[str, str]:
    """The index's metadata, read by ourselves so that a false length is refused before anything trusts it."""
    if len(data) < 8:
        raise _damaged(path, f"only {len(data)} bytes long")
    length = int.from_bytes(data[:8], "little")
    if length > min(MAX_INDEX_BYTES, len(data) - 8):
        raise _damaged(path, f"its index claims {length} bytes, of {len(data)} in the file and {MAX_INDEX_BYTES} allowed")
    try:
        index = json.loads(data[8 : 8 + length].decode("utf-8"))
        metadata = index["__metadata__"]
        found = {key: metadata[key] for key in ("bci", "digest")}
    except (ValueError, RecursionError, KeyError, TypeError) as error:
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


def _array(arrays: Arrays, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """One of the arrays that every model has."""
    array = arrays.get(name)
    if array is None or array.dtype != np.float64 or array.shape != shape or not np.isfinite(array).all():
        found = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        raise ModelError(f"array {name!r}: is {found}, must be finite float64 of shape {shape}")
    return array
