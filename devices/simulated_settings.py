"""Settings of the simulated person and of the simulated amplifier."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bci.engine.stream_info import canonical
from bci.errors import ConfigError
from bci.paradigm.timeline import CLASS_CODES, cue_code
from devices.headmodel import POSITIONS_M
from devices.options import like_default, read_fields, words

ARTEFACTS = ("flat", "railed", "nan", "jaw", "line")


CLASSES = {code: name for name, code in CLASS_CODES.items()}
"""Class of each cue code."""


@dataclass(frozen=True, slots=True)
class SimulatedSettings:
    """Settings of the simulated person and of the simulated amplifier.

    Offline accuracy of Covariances(oas) + TangentSpace + LogisticRegression on causal 8–30 Hz windows
    0.5–3.5 s after the cue, 8 channels, 5-fold on 100 trials, mean over 6 seeds (``tests/unit/test_simulated.py``
    repeats a part of it):

    ================================  ====  ====  ====  ====  ====  ====
    skill                             0     0.2   0.4   0.6   0.8   1
    ================================  ====  ====  ====  ====  ====  ====
    left and right hand, %            50    61    78    89    94    96
    both hands, feet and tongue, %    26    34    59    75    85    91
    ================================  ====  ====  ====  ====  ====  ====

    Parameters
    ----------
    seed : int
        The person and the day. Everything random follows from it.
    skill : float
        0: chance by construction (every class has the same effect); 1: easy.
    classes : tuple of str
        Classes of the session, from ``bci.paradigm.timeline.CLASS_CODES``.
    channels : int or tuple of str
        A preset of 3, 8, 16, 22, 32 or 64 channels, or labels of the 10–10 system.
    rate_hz : float
        At least 80.
    reference : str
        Electrode, or several joined by ``+``, whose mean is the reference.
    name : str
        Of the stream.
    lapse : float
        Probability that a cue is missed.
    imagery_s : float
        The person stops by itself after this time, or at an end-of-trial cue.
    feedback_gain : float
        Part by which the effect grows when the decoder is right, and shrinks when it is wrong.
    eyes_closed : bool
        At the start. Cues 276 and 277 open and close them.
    background_uv, alpha_uv, mu_uv, beta_uv, sensor_uv : float
        Rms: 1/f activity averaged over channels, occipital alpha with eyes open at the channel that sees it best
        of all 64 (closed: three times that), mu and beta likewise, and the electronics of each channel.
    blinks_per_min, blink_uv : float
        Rate, and mean peak at Fp1 and Fp2.
    muscle_per_min, muscle_uv : float
        Rate of bursts, and rms at the temple.
    line_hz, line_uv : float
        Frequency of the mains, and largest amplitude.
    offset_uv, drift_uv : float
        Electrode offset (rms over channels) and its slow change.
    chunk : int
        Samples that arrive together.
    bursty : bool
        They arrive as from a consumer board on a busy machine instead: every 60 ms or so, at times 300 ms late.
    loss : float
        Fraction of samples lost, in runs of 3 on average.
    artefacts : tuple of Artefact
        Disturbances at stated times.
    """

    seed: int = 0
    skill: float = 0.7
    classes: tuple[str, ...] = ("left_hand", "right_hand")
    channels: int | tuple[str, ...] = 8
    rate_hz: float = 250.0
    reference: str = "M1+M2"
    name: str = "simulated"
    lapse: float = 0.03
    imagery_s: float = 5.0
    feedback_gain: float = 0.2
    eyes_closed: bool = False
    background_uv: float = 9.0
    alpha_uv: float = 5.0
    mu_uv: float = 7.0
    beta_uv: float = 3.5
    sensor_uv: float = 0.7
    blinks_per_min: float = 10.0
    blink_uv: float = 100.0
    muscle_per_min: float = 2.0
    muscle_uv: float = 10.0
    line_hz: float = 50.0
    line_uv: float = 3.0
    offset_uv: float = 1000.0
    drift_uv: float = 20.0
    chunk: int = 10
    bursty: bool = False
    loss: float = 0.0
    artefacts: tuple[Artefact, ...] = ()

    def __post_init__(self) -> None:
        problems = _problems(self)
        if problems:
            raise ConfigError(problems)


def read_options(options: Mapping[str, object]) -> dict[str, Any]:
    """Read the arguments of :class:`SimulatedSettings` from values of their type, or text.

    Parameters
    ----------
    options : mapping of str to object
        By the names of the fields.

    Returns
    -------
    dict of str to object

    Examples
    --------
    >>> read_options({"channels": "C3,C4", "classes": "left,right", "skill": "0.5"})
    {'channels': ('C3', 'C4'), 'classes': ('left_hand', 'right_hand'), 'skill': 0.5}
    """
    return read_fields(SimulatedSettings, options, "the simulated subject", _value, hidden=("artefacts",))


def _value(name: str, default: object, value: object) -> object:
    if name not in ("channels", "classes"):
        return like_default(name, default, value)
    named = words(value)
    if name == "classes":
        return tuple(CLASSES.get(cue_code(word) or 0, word) for word in named)
    return int(named[0]) if len(named) == 1 and named[0].isdigit() else named


def _problems(s: SimulatedSettings) -> list[str]:
    """Every reason why these settings cannot be simulated, one line each."""
    known = {canonical(label) for label in POSITIONS_M}
    found = [f"reference = {x!r}: not in the 10–10 system" for x in s.reference.split("+") if canonical(x) not in known]
    found += [f"class {c!r}: must be one of {', '.join(CLASS_CODES)}" for c in s.classes if c not in CLASS_CODES]
    if not s.classes:
        found.append(f"classes: name at least one of {', '.join(CLASS_CODES)}")
    if not 80 <= s.rate_hz <= 20_000:
        found.append(f"rate_hz = {s.rate_hz}: must be from 80 (beta needs it) to 20000")
    if s.seed < 0:
        found.append(f"seed = {s.seed}: must be a whole number that is not negative")
    if s.chunk < 1:
        found.append(f"chunk = {s.chunk}: must be at least one sample")
    for name in ("skill", "lapse", "feedback_gain"):
        if not 0 <= getattr(s, name) <= 1:
            found.append(f"{name} = {getattr(s, name)}: must be from 0 to 1")
    if not 0 <= s.loss < 1:
        found.append(f"loss = {s.loss}: must be at least 0 and below 1")
    for name in s.__dataclass_fields__:
        value = getattr(s, name)
        if (name.endswith(("_uv", "_per_min", "_s")) or name == "line_hz") and not 0 <= value < math.inf:
            found.append(f"{name} = {value}: must be a finite number that is not negative")
    return found


@dataclass(frozen=True, slots=True)
class Artefact:
    """An artefact at a given time.

    Parameters
    ----------
    kind : str
        ``"flat"`` (no signal, only the offset), ``"railed"``, ``"nan"``, ``"jaw"`` (clenched teeth), or
        ``"line"`` (a loose electrode: 200 µV of mains).
    start_s, stop_s : float
        Since sample 0.
    channels : tuple of str
        Labels; empty for all.
    """

    kind: str
    start_s: float
    stop_s: float
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ARTEFACTS:
            raise ConfigError(f"artefact {self.kind!r}: must be one of {', '.join(ARTEFACTS)}")
        if not 0 <= self.start_s < self.stop_s:
            raise ConfigError(f"artefact {self.kind!r} from {self.start_s} to {self.stop_s} s: must have 0 <= start < stop")
