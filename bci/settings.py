"""What can be set for a session: one model per section of the configuration file.

Values are checked one by one, so that everything that is wrong is found in one go. :mod:`bci.config` reads
them from files, presets and the command line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, WrapValidator, field_validator, model_validator
from pydantic_core import PydanticCustomError

from bci.engine.artefacts.settings import Artefacts
from bci.engine.chunk import window_grid
from bci.engine.continuity import ContinuitySettings
from bci.engine.decide import DecisionSettings
from bci.engine.engine import EngineSettings
from bci.engine.frontend import FrontSettings
from bci.engine.guard import GuardSettings
from bci.engine.pace import PaceSettings
from bci.engine.preprocessing import REFERENCES, Preprocessing
from bci.engine.quality import QualitySettings
from bci.engine.rebias import RebiasSettings
from bci.engine.recentre import RecentreSettings
from bci.engine.stream_info import canonical
from bci.errors import ConfigError

if TYPE_CHECKING:
    from bci.stream.stream_query import StreamQuery
    from bci.stream.triggers import MarkerTable

USUAL = DecisionSettings()
Seconds = Annotated[float, Field(gt=0)]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,32}$")]
Scalar = bool | int | float | str
_T = TypeVar("_T")


def _engine_settings(value: Any, check: Callable[[Any], _T]) -> _T:
    """Settings of the engine check themselves; hand on what they say."""
    try:
        return check(value)
    except ConfigError as error:
        raise PydanticCustomError("settings", "{problems}", {"problems": "\n".join(error.problems)}) from error


def _nyquist_hz(info: ValidationInfo) -> float:
    """Half the rate of the stream, where that is known."""
    rate_hz: float = (info.context or {}).get("rate_hz", math.inf)
    return rate_hz / 2


def _stream_query(text: str) -> str:
    """A text that names a stream, if it can be understood."""
    from bci.stream.stream_query import StreamQuery

    try:
        StreamQuery.parse(text)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return text


StreamText = Annotated[str, AfterValidator(_stream_query)]


class _Section(BaseModel):
    """No unknown keys, no guessing of types, no NaN, no change afterwards."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)


class StreamSection(_Section):
    """Which EEG stream to listen to, and to take from a recording; an empty text matches any.

    Parameters
    ----------
    name : str
        Its name, type or source_id, or a query as in ``--stream``: ``source_id=abc,host=*``.
    type, source_id : str
        As the sender declares them. Where neither they nor ``name`` say which stream is meant, it is the one of type EEG.
    host : str
        Machine of the sender; empty for this one, ``"*"`` for any.
    montage : str
        TOML file with what the stream does not say: labels, types, reference, bad channels.
    unit : {"", "uV", "mV", "V", "nV"}
        Overrides the unit that the stream declares; empty to believe it.
    timeout_s : float
        How long to look for it.
    """

    name: StreamText = ""
    type: str = ""
    source_id: str = ""
    host: str = ""
    montage: str = ""
    unit: Literal["", "uV", "mV", "V", "nV"] = ""
    timeout_s: Seconds = 5.0

    def query(self) -> StreamQuery:
        """What is known of the wanted stream."""
        from bci.stream.stream_query import EEG, StreamQuery

        said = StreamQuery.parse(self.name)
        given = {key: value for key in ("type", "source_id", "host") if (value := getattr(self, key))}
        query = replace(said, **given)
        return query if query.named else replace(EEG, host=query.host)


class MarkersSection(_Section):
    """Where cues come from and what they mean.

    Parameters
    ----------
    stream : str
        Which marker streams, as in ``--stream``: name, type or source_id, or ``type=Markers,host=*``. Only their markers are
        cues, live and in files. The trigger channels of an amplifier go by the name of its stream, as ``Amp triggers``.
        Empty: live those trigger channels, in files all markers.
    table : dict of str to str
        Class of each marker text that is a cue. Numbers match however they are written:
        ``"2"`` stands for ``"2.000000"`` too.
    field : str
        Where in a marker the text stands: a column's number (from 1) or name, or a key of a JSON text (``"event"``,
        ``"trial.class"``). Empty: the first column.
    pattern : str
        Regular expression whose group is the text: ``"^Stimulus/S *([0-9]+)$"``. Empty: all of it.
    """

    stream: StreamText = ""
    table: dict[str, str] = {}
    field: str | int = ""
    pattern: str = ""

    @field_validator("pattern")
    @classmethod
    def _bounded(cls, value: str) -> str:
        from bci.stream.marker_shapes import checked_pattern

        try:
            checked_pattern(value)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return value

    def marker_table(self, table: Mapping[str, str] | None = None) -> MarkerTable:
        """Which class each marker stands for.

        Parameters
        ----------
        table : mapping of str to str, optional
            Instead of the one that is set.
        """
        from bci.stream.triggers import MarkerTable

        return MarkerTable(self.table if table is None else table, str(self.field), self.pattern)


class PreprocessingSection(_Section):
    """What happens to the signal before a decoder sees it.

    Parameters
    ----------
    channels : list of str
        The decoder's channels; empty for all EEG channels of the stream.
    reference : {"none", "average", "laplacian", "mastoids"}
    notch_hz : float
        Line frequency, 0 for no notch.
    bands : list of [low, high]
        Hz. One pair may stand alone: ``bands = [8, 30]``.
    order : int
        Of the Butterworth filters.
    window_s, hop_s : float
        Length of the sliding window, and the time between decisions.
    least_filled : float
        Share of the window that must be there where lost samples took the rest, 0 to 1; 1 for all of it. Decoders that need
        whole windows (networks, augmented covariances, velocities) wait for them whatever is set.
    eog : list of str
        Channels that see the eyes; what they explain is subtracted from the others, and they are not decoded.
    eog_weights : list of list of float
        Measured by training, which fills it in.
    potato_z : float
        Windows whose covariance lies further from those of the training than so many standard deviations are not decoded;
        0 for no such limit, 2.5 to 4 are usual.
    asr : float
        Artifact subspace reconstruction: directions that are stronger than in clean signal by more than so many standard
        deviations are replaced; 0 for none, 10 to 30 are usual.
    asr_covariance, asr_limits : list of float
        Measured by training, which fills them in.
    """

    channels: tuple[str, ...] = ()
    reference: str = "none"
    notch_hz: Annotated[float, Field(ge=0)] = 50.0
    bands: tuple[tuple[float, float], ...] = ((8.0, 30.0),)
    order: Annotated[int, Field(ge=1, le=8)] = 4
    window_s: Seconds = 2.0
    hop_s: Seconds = 0.04
    least_filled: Annotated[float, Field(gt=0, le=1)] = 0.75
    eog: tuple[str, ...] = ()
    eog_weights: tuple[tuple[float, ...], ...] = ()
    potato_z: Annotated[float, Field(ge=0, le=100)] = 0.0
    asr: Annotated[float, Field(ge=0, le=1000)] = 0.0
    asr_covariance: tuple[float, ...] = ()
    asr_limits: tuple[float, ...] = ()

    @field_validator("reference")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in REFERENCES:
            raise ValueError(f"must be one of {', '.join(REFERENCES)}")
        return value

    @field_validator("notch_hz")
    @classmethod
    def _below_nyquist(cls, value: float, info: ValidationInfo) -> float:
        if value >= _nyquist_hz(info):
            raise ValueError(f"must be 0 (none) or below the Nyquist frequency {_nyquist_hz(info):g} Hz")
        return value

    @field_validator("bands", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        pairs = value if any(isinstance(x, list) for x in value) or not value else [value]
        return tuple(tuple(x) if isinstance(x, list) else x for x in pairs)

    @field_validator("bands")
    @classmethod
    def _ascending(cls, value: tuple[tuple[float, float], ...], info: ValidationInfo) -> tuple[tuple[float, float], ...]:
        if not value:
            raise ValueError("at least one [low, high] pair is needed")
        for low, high in value:
            if not 0 < low < high:
                raise ValueError(f"band [{low:g}, {high:g}] Hz must satisfy 0 < low < high")
            if high >= _nyquist_hz(info):
                raise ValueError(f"band [{low:g}, {high:g}] Hz must end below the Nyquist frequency {_nyquist_hz(info):g} Hz")
        return value

    @field_validator("hop_s")
    @classmethod
    def _fits(cls, value: float, info: ValidationInfo) -> float:
        window_s = info.data.get("window_s", math.inf)
        if window_s < value:
            raise ValueError(f"must be at most window_s = {window_s:g}; make the window at least one hop long")
        return value

    def build(self, rate_hz: float, labels: tuple[str, ...]) -> Preprocessing:
        """These settings for one stream.

        Parameters
        ----------
        rate_hz : float
        labels : tuple of str
            EEG channels of the stream, for where ``channels`` is empty.

        Raises
        ------
        ConfigError
            If they cannot be run at this rate.
        """
        window, hop = window_grid(self.window_s, self.hop_s, rate_hz)
        eyes = {canonical(label) for label in self.eog}
        chosen = tuple(x for x in self.channels or labels if canonical(x) not in eyes)
        artefacts = Artefacts(
            eog=self.eog,
            eog_weights=self.eog_weights,
            potato_z=self.potato_z,
            asr=self.asr,
            asr_covariance=self.asr_covariance,
            asr_limits=self.asr_limits,
        )
        return Preprocessing(rate_hz, chosen, self.reference, self.notch_hz, self.bands, self.order, window, hop, artefacts)


class RecordSection(_Section):
    """Where a session is written.

    Parameters
    ----------
    out : str
        Folder, relative to where the command is started.
    subject, session, task : str
        Letters and digits. The subject is a pseudonym such as P003, never a name.
    required : bool
        Whether a session may not go on when it cannot be recorded.
    """

    out: str = "recordings"
    subject: Label = "P001"
    session: Label = "S001"
    task: Label = "mi"
    required: bool = True


class TrialSection(_Section):
    """Which part of a trial is decoded.

    Parameters
    ----------
    start_s, stop_s : float
        Relative to the cue. A trial's decision is that of the first window that ends at or after ``stop_s``.
    """

    start_s: Annotated[float, Field(ge=0)] = 0.5
    stop_s: Seconds = 2.5

    @field_validator("stop_s")
    @classmethod
    def _after_start(cls, value: float, info: ValidationInfo) -> float:
        start_s = info.data.get("start_s", -math.inf)
        if value <= start_s:
            raise ValueError(f"must be more than start_s = {start_s:g}")
        return value


class SourceSection(_Section):
    """Which device to start.

    Parameters
    ----------
    name : str
        Of a source plug-in.
    settings : dict
        For the plug-in, which checks them.
    """

    name: str = "simulated"
    settings: dict[str, Scalar] = {}


class ActuatorSection(_Section):
    """What to move, behind a guard of its own.

    Parameters
    ----------
    name : str
        Of an actuator plug-in; empty for none.
    settings : dict
        For the plug-in, which checks them.
    commands : dict of str to str
        Command for each class; a class that is not named has a command of its own name.
    """

    name: str = ""
    settings: dict[str, Scalar | dict[str, Scalar]] = {}
    commands: dict[str, str] = {}


class DecoderSection(_Section):
    """What to train.

    Parameters
    ----------
    name : str
        Of a decoder plug-in.
    settings : dict
        For the plug-in, which checks them.
    """

    name: str = "ts-lr"
    settings: dict[str, Scalar] = {}


class EngineSection(_Section):
    """The engine's process.

    Parameters
    ----------
    name : str
        Prefix of its streams: ``bci-decisions`` and so on.
    stale_s : float
        Data older than this steer nothing.
    expiry_s : float
        A decision must not move anything this long after it was sent.
    max_backlog_s : float
        With more than this waiting, only the newest window is decoded.
    heartbeat_s : float
        A row goes out at least this often.
    rehearse_s : float
        A step is rehearsed this long before the last sample of a window is due, so that the processor's caches are
        warm when it comes; 0 for never.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")] = "bci"
    stale_s: Seconds = 0.25
    expiry_s: Seconds = 0.25
    max_backlog_s: Seconds = 0.25
    heartbeat_s: Seconds = 0.05
    rehearse_s: Annotated[float, Field(ge=0, le=0.01)] = 0.0015


class DecisionSection(_Section):
    """How much evidence moves something; what is not said is as the model has it.

    Parameters
    ----------
    smoothing_s, threshold, release, dwell_s, refractory_s, idle
        See :class:`~bci.engine.decide.DecisionSettings`.
    """

    smoothing_s: float | None = None
    threshold: float | None = None
    release: float | None = None
    dwell_s: float | None = None
    refractory_s: float | None = None
    idle: str = ""

    @model_validator(mode="after")
    def _checked(self) -> Self:
        self.over(DecisionSettings(threshold=1.0, release=0.0))
        return self

    def over(self, base: DecisionSettings = USUAL) -> DecisionSettings:
        """What is said here, and the rest of ``base``; a release above the threshold that is said comes down to it."""
        said = {name: value for name, value in self if value is not None and value != ""}
        if "threshold" in said and "release" not in said:
            said["release"] = min(base.release, said["threshold"])
        return replace(base, **said)


class SessionConfig(_Section):
    """Everything that can be set, by section."""

    model_config = ConfigDict(validate_default=False)

    OWN_CHECKS: ClassVar[dict[str, type]] = {
        "decision": DecisionSettings,
        "quality": QualitySettings,
        "continuity": ContinuitySettings,
        "guard": GuardSettings,
        "pace": PaceSettings,
    }

    stream: StreamSection = StreamSection()
    markers: MarkersSection = MarkersSection()
    preprocessing: PreprocessingSection = PreprocessingSection()
    decision: Annotated[DecisionSection, WrapValidator(_engine_settings)] = DecisionSection()
    quality: Annotated[QualitySettings, WrapValidator(_engine_settings)] = QualitySettings()
    continuity: Annotated[ContinuitySettings, WrapValidator(_engine_settings)] = ContinuitySettings()
    recentre: Annotated[RecentreSettings, WrapValidator(_engine_settings)] = RecentreSettings()
    rebias: Annotated[RebiasSettings, WrapValidator(_engine_settings)] = RebiasSettings()
    record: RecordSection = RecordSection()
    trial: TrialSection = TrialSection()
    source: SourceSection = SourceSection()
    decoder: DecoderSection = DecoderSection()
    engine: EngineSection = EngineSection()
    actuator: ActuatorSection = ActuatorSection()
    guard: Annotated[GuardSettings, WrapValidator(_engine_settings)] = GuardSettings()
    pace: Annotated[PaceSettings, WrapValidator(_engine_settings)] = PaceSettings()

    def engine_settings(self, decision: DecisionSettings = USUAL) -> EngineSettings:
        """What the engine needs besides a model.

        Parameters
        ----------
        decision : DecisionSettings
            Of the model; they hold where the configuration says nothing else.
        """
        return EngineSettings(self.decision.over(decision), self.quality, self.continuity, self.recentre, self.rebias)

    def front(self) -> FrontSettings:
        """Which windows may be decoded: what training, judging and evaluation share with the engine."""
        return FrontSettings(self.quality, self.continuity)

    def at_rate(self, rate_hz: float) -> Self:
        """These settings, checked against a stream's rate.

        Raises
        ------
        ConfigError
            If a filter does not fit below the Nyquist frequency.
        """
        self.preprocessing.build(rate_hz, ("any",))
        return self
