"""Decision settings that the trials and the idle signal of a calibration allow, for the model and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from bci.errors import ConfigError, TrainingError
from bci.judging.held_out_decoding import HeldOut, decode_held_out, idle_of
from bci.judging.judgement import Judgement
from bci.judging.thresholds import Operating, operating, trade_off, tune
from bci.paradigm.timeline import CALIBRATION_TYPE, CUE_STREAM, TRIAL_END, cue_code
from bci.progress import Progress
from bci.settings import DecisionSection, SessionConfig
from bci.stream.recorded_signal import times_on
from bci.stream.recording import RecordedStreams
from bci.training.labelled import LabelledRun
from bci.training.train import Trained

FALSE_PER_MIN = (0.5, 1.0, 2.0, 4.0, 8.0)
"""The first of these that some setting keeps to is suggested, where nobody states a number."""
LEAST_IDLE_MIN = 2.0
"""With less idle signal a rate says nothing: without one false activation in it, 1.8 a minute are still possible."""


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """The chosen decision settings, or the reason why there are none.

    Parameters
    ----------
    left : HeldOut or None
        Held-out decoding; None if the recording does not say when the person was at rest.
    points : tuple of Operating
        Trade-off; empty without idle signal.
    usual : Operating or None
        What the configured settings give.
    chosen : Operating or None
        The most sensitive setting that keeps to ``allowed_per_min``.
    allowed_per_min : float
        False activations per minute.
    stated : bool
        Whether somebody asked for that number: only then it is for the model.
    why_not : str
        Why there is none.
    """

    left: HeldOut | None
    points: tuple[Operating, ...]
    usual: Operating | None
    chosen: Operating | None
    allowed_per_min: float
    stated: bool
    why_not: str = ""

    def line(self) -> str:
        """In one line, for the model's header and for people."""
        found = self.chosen if self.stated else self.usual
        if found is None:
            return f"not tuned: {self.why_not}"
        settings = found.settings
        return (
            f"threshold {settings.threshold:g}, dwell {settings.dwell_s:g} s, smoothing {settings.smoothing_s:g} s: "
            f"{found.per_min:.2g} false activations per minute of idle (95 % interval {found.low:.2g}–{found.high:.2g}, "
            f"{found.idle_min:.1f} min), {100 * found.hit:.0f} % of the trials right, {100 * found.wrong:.0f} % wrong"
        )


def tuning(
    runs: Sequence[LabelledRun],
    opened: Sequence[RecordedStreams],
    config: SessionConfig,
    judgement: Judgement,
    progress: Progress,
    false_per_min: float | None = None,
) -> Tuning:
    """Find decision settings, or the reason why none can be found.

    Parameters
    ----------
    runs : sequence of LabelledRun
    opened : sequence of RecordedStreams
        The same recordings, with all their markers.
    config : SessionConfig
        With the calibration's marker table.
    judgement : Judgement
        Says which decoder it is about.
    progress : callable
    false_per_min : float, optional
        What is allowed; default: as few as any setting keeps to, of :data:`FALSE_PER_MIN`.

    Returns
    -------
    Tuning

    Raises
    ------
    ConfigError
        If that is no positive number.
    """
    stated = false_per_min is not None
    if false_per_min is not None and not false_per_min > 0:
        raise ConfigError(
            f"false_per_min = {false_per_min:g}: must be above 0, no recording can show that false activations never happen"
        )
    idle = [_idle(recording, config) for recording in opened]
    if not any(idle) and not config.decision.idle:
        why = "the recording does not say when the person was at rest (no ends of trials, no rest, no idle class)"
        return Tuning(None, (), None, None, 0.0, stated, why)
    usual = config.decision.over()
    try:
        left = decode_held_out(runs, idle, config, judgement.best, progress)
        points = trade_off(usual, left.classes, left.hop_s, left.trials, left.idle)
    except (TrainingError, ConfigError) as error:
        return Tuning(None, (), None, None, 0.0, stated, str(error))
    now = operating(usual, left.classes, left.hop_s, left.trials, left.idle)
    if points[0].idle_min < LEAST_IDLE_MIN:
        why = (
            f"{points[0].idle_min:.1f} min of idle signal, but {LEAST_IDLE_MIN:g} are needed to estimate a rate; "
            "bci calibrate --protocol baselines records it, as do protocols with a class of rest"
        )
        return Tuning(left, points, now, None, 0.0, stated, why)
    wanted = FALSE_PER_MIN if false_per_min is None else (false_per_min,)
    for allowed in wanted:
        if any(p.per_min <= allowed and p.hit > p.wrong for p in points):
            return Tuning(left, points, now, tune(points, allowed), allowed, stated)
    why = f"no setting gives at most {wanted[-1]:g} false activations per minute and is right more often than wrong"
    return Tuning(left, points, now, None, wanted[-1], stated, why)


def tuned(trained: Trained, found: Tuning, config: SessionConfig) -> Trained:
    """The same decoder with the decision settings that were found, or with the usual ones if none were.

    Parameters
    ----------
    trained : Trained
    found : Tuning
        What the thresholds were set to.
    config : SessionConfig

    Returns
    -------
    Trained
    """
    judged = trained.judged
    if judged is not None:
        judged = replace(judged, chosen={**judged.chosen, "thresholds": found.line()})
    if found.chosen is None or not found.stated:
        return replace(trained, judged=judged)
    section = DecisionSection(**asdict(found.chosen.settings))
    used = (trained.config or config).model_copy(update={"decision": section})
    return replace(trained, config=used, judged=judged)


def _idle(recording: RecordedStreams, config: SessionConfig) -> list[tuple[float, float]]:
    """When the person was at rest, on the clock of the signal; empty if the markers do not say."""
    signal = recording.eeg(config.stream.query())
    found = []
    for markers in recording.markers:
        ours = markers.name == CUE_STREAM or any(cue_code(text) == TRIAL_END for text in markers.texts)
        if ours and markers.type != CALIBRATION_TYPE:
            found += idle_of(list(zip(markers.texts, times_on(signal, markers).tolist(), strict=True)))
    return _together(found)


def _together(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Merge overlapping times, so that no time counts twice."""
    found: list[tuple[float, float]] = []
    for start_s, stop_s in sorted(spans):
        if found and start_s < found[-1][1]:
            found[-1] = (found[-1][0], max(stop_s, found[-1][1]))
        else:
            found.append((start_s, stop_s))
    return found
