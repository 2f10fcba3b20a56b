"""The header of a model file: everything in it that is not an array."""

from __future__ import annotations

from dataclasses import dataclass, field

from bci.engine.decide import DecisionRule, DecisionSettings
from bci.engine.limits import MAX_CHANNELS
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import ConfigError, StreamMismatch

SCHEMA = 1
MAX_CLASSES = 64
MOST_TRIALS = 1_000_000_000
LONGEST_TRIAL_S = 3600.0
CONVERTIBLE_UNITS = ("uV", "mV", "V")


@dataclass(frozen=True, slots=True)
class ModelHeader:
    """Everything in a model file that is not an array.

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
        The verdict of the calibration, in words.
    notes : tuple of str
        What a user should know about the training data.
    chosen : dict of str to str
        How this decoder was chosen among others, where it was; see :func:`bci.judging.best_fit.fit_best`.
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


def check_stream(header: ModelHeader, info: StreamInfo) -> list[int]:
    """Columns of the stream that carry the model's channels, in the model's order.

    A unit counts as different where only one of the two is declared: declared units are converted to
    µV on arrival. A reference electrode counts as different where both are named.

    Parameters
    ----------
    header : ModelHeader
    info : StreamInfo
        Of the stream that is to be decoded.

    Returns
    -------
    list of int

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
    if not -LONGEST_TRIAL_S <= h.trial_s[0] < h.trial_s[1] <= LONGEST_TRIAL_S:
        found.append(f"trial_s = {h.trial_s}: must start before it stops, within {LONGEST_TRIAL_S:g} s of the cue")
    if not all(0 <= n <= MOST_TRIALS for n in h.trials.values()):
        found.append(f"trials: must be from 0 to {MOST_TRIALS} of each class")
    if h.accuracy is not None and not 0 <= h.accuracy <= 1:
        found.append(f"accuracy = {h.accuracy}: must be between 0 and 1, or null")
    if not found:
        DecisionRule(h.decision, h.classes, h.preprocessing.hop / h.preprocessing.rate_hz)
    return found
