"""What motor imagery does to the rhythms of the sensorimotor cortex.

Event-related desynchronisation (ERD): the mu (10 Hz) and beta (20 Hz) rhythms over the area that
is imagined lose power, those over other areas gain some, and beta rebounds after the end
(Pfurtscheller & Lopes da Silva 1999, Clin. Neurophysiol. 110, 1842–1857).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from devices.background import Draw, draw

AREAS = ("hand_left", "hand_right", "foot", "face_left", "face_right")
"""Sensorimotor areas, by hemisphere: ``hand_left`` lies under C3 and belongs to the right hand."""

# Change of amplitude at full effect, natural logarithm, one column per area. -0.7 is half the amplitude.
_MU = {
    "left_hand": (0.15, -0.80, 0.15, 0.05, -0.10),
    "right_hand": (-0.80, 0.15, 0.15, -0.10, 0.05),
    "feet": (0.25, 0.25, -0.80, 0.10, 0.10),
    "tongue": (0.20, 0.20, 0.15, -0.80, -0.80),
    "rest": (0.10, 0.10, 0.10, 0.05, 0.05),
}
_BETA = {
    "left_hand": (-0.10, -0.60, 0.0, 0.0, -0.10),
    "right_hand": (-0.60, -0.10, 0.0, -0.10, 0.0),
    "feet": (0.10, 0.10, -0.70, 0.0, 0.0),
    "tongue": (0.10, 0.10, 0.0, -0.50, -0.50),
    "rest": (0.05, 0.05, 0.05, 0.0, 0.0),
}
_REBOUND = 0.8
REACTION_S = 0.3
"""Nothing changes in the signal sooner than this after a cue, so a cue may arrive this late."""

_RISE_S, _FALL_S, _REBOUND_S = 0.5, 0.5, 1.2
_FOLLOW_S, _SATURATION, _KEPT = 0.35, 1.5, 250


@dataclass(frozen=True, slots=True)
class ImageryTrial:
    """One answer to a class cue.

    Parameters
    ----------
    number : int
    class_ : str
    cue_s : float
        Time of the cue since sample 0.
    stop_s : float
        Time at which the person is told, or decides, to stop.
    latency_s : float
        From the cue to the begin of the effect, at least ``REACTION_S``.
    strength : float
        Factor on the effect, around 1.
    lapse : bool
        The person misses it: the response is the average over all classes, so it says nothing.
    mood : tuple of float
        Change of amplitude per area that has nothing to do with the class.
    """

    number: int
    class_: str
    cue_s: float
    stop_s: float
    latency_s: float
    strength: float
    lapse: bool
    mood: tuple[float, ...]


def make_trial(seed: int, number: int, class_: str, cue_s: float, imagery_s: float, lapse: float) -> ImageryTrial:
    """Draw a trial; its variables depend on seed and number only.

    Parameters
    ----------
    seed : int
    number : int
        Of the trial.
    class_ : str
        Of the movement that is imagined.
    cue_s : float
        When the cue came, seconds since sample 0.
    imagery_s : float
        How long it is imagined, seconds.
    lapse : float
        Probability that the person does not attend, 0 to 1.

    Returns
    -------
    ImageryTrial
    """
    rng = draw(seed, Draw.TRIAL, number)
    lapsed, latency_s = bool(rng.random() < lapse), REACTION_S + rng.uniform(0.0, 0.3)
    strength = float(np.clip(rng.normal(1.0, 0.2), 0.4, 1.6))
    mood = tuple(rng.normal(0.0, 0.15, len(AREAS)).tolist())
    return ImageryTrial(number, class_, cue_s, cue_s + imagery_s, float(latency_s), strength, lapsed, mood)


class Imagery:
    """Amplitudes of the rhythms of all areas, from the trials there are.

    Parameters
    ----------
    classes : tuple of str
        The classes of this session; at ``skill = 0`` every cue has the average of their effects.
    skill : float
        From 0 (no class differs from another) to 1.
    """

    def __init__(self, classes: tuple[str, ...], skill: float) -> None:
        table = {c: np.array((_MU[c], _BETA[c])) for c in classes}
        self._average = np.mean(list(table.values()), axis=0)
        self._special = {c: skill * (pattern - self._average) for c, pattern in table.items()}

    def log_gain(self, trial: ImageryTrial, time_s: FloatArray, boost: FloatArray) -> FloatArray | None:
        """Change of log amplitude by one trial.

        Parameters
        ----------
        trial : ImageryTrial
        time_s : ndarray, shape (n_samples,)
            Since sample 0.
        boost : ndarray, shape (n_samples,)
            Factor on what distinguishes the class (feedback).

        Returns
        -------
        ndarray, shape (n_samples, 2 * n_areas), or None
            Mu, then beta, per area; None where the trial does not reach.
        """
        start_s, end_s = trial.cue_s + trial.latency_s, trial.stop_s + REACTION_S
        if time_s[-1] < start_s or time_s[0] > end_s + _FALL_S + _REBOUND_S:
            return None
        effect = trial.strength * _step(time_s, start_s, _RISE_S) * (1 - _step(time_s, end_s, _FALL_S))
        special = np.zeros_like(self._average) if trial.lapse else self._special[trial.class_]
        steady = (self._average + np.array(trial.mood)).ravel()
        change = effect[:, None] * (steady + boost[:, None] * special.ravel())
        rebound = _bump(time_s, end_s + _FALL_S / 2, _REBOUND_S)
        change[:, len(AREAS) :] -= _REBOUND * rebound[:, None] * np.minimum(self._average[1] + special[1], 0.0)
        return np.asarray(change)


class CursorImagery:
    """Amplitudes of the rhythms of somebody who steers a cursor: graded by the velocity that is intended, and never exact.

    Sideways by the one hand or the other, upwards by both, downwards by the feet (Wolpaw & McFarland 2004, PNAS 101, 17849,
    have trained people to steer by the difference and the sum of such rhythms). The effect of each grows with the part of the
    velocity that it stands for, and saturates: to intend twice as much is not twice the desynchronisation.

    Parameters
    ----------
    skill : float
        From 0 (nothing can be told from the signal) to 1.
    """

    def __init__(self, skill: float) -> None:
        parts = [np.concatenate((_MU[c], _BETA[c])) for c in ("right_hand", "left_hand", "feet")]
        self._patterns: FloatArray = skill * np.stack(parts)
        self._turns: FloatArray = np.empty((0, 7))  # time, what each limb is to do from then on, what it does then

    def intend(self, right: float, down: float, time_s: float) -> None:
        """Steer with another velocity from a time on.

        Parameters
        ----------
        right : float
            -1 to 1.
        down : float
            -1 to 1.
        time_s : float
            Seconds since sample 0.
        """
        both = max(-down, 0.0)
        drive = np.tanh(_SATURATION * np.array((max(right, 0.0) + both, max(-right, 0.0) + both, max(down, 0.0))))
        reached = np.zeros(3)
        if len(self._turns):
            time_s = max(time_s, float(self._turns[-1, 0]))
            reached = self._at(np.array([time_s]))[0]
        turn = np.concatenate(([time_s], drive / math.tanh(_SATURATION), reached))
        self._turns = np.vstack((self._turns[-_KEPT:], turn))

    def log_gain(self, time_s: FloatArray) -> FloatArray | None:
        """Compute the change of the logarithm of the amplitudes.

        Parameters
        ----------
        time_s : ndarray, shape (n_samples,)
            Seconds since sample 0.

        Returns
        -------
        ndarray, shape (n_samples, 2 * n_areas) or None
            Mu of all areas, then beta; None before anything was intended.
        """
        if not len(self._turns) or time_s[-1] < self._turns[0, 0]:
            return None
        return np.asarray(self._at(time_s) @ self._patterns)

    def _at(self, time_s: FloatArray) -> FloatArray:
        """What each limb does by then, shape (n_samples, 3): it approaches what is wanted, and is not there at once."""
        since = self._turns[:, 0]
        last = self._turns[np.maximum(np.searchsorted(since, time_s, side="right") - 1, 0)]
        left = np.exp(-np.maximum(time_s - last[:, 0], 0.0) / _FOLLOW_S)
        moving = last[:, 1:4] + (last[:, 4:] - last[:, 1:4]) * left[:, None]
        return np.asarray(moving * (time_s >= since[0])[:, None])


def _step(time_s: FloatArray, start_s: float, length_s: float) -> FloatArray:
    """Smooth rise from exactly 0 before ``start_s`` to exactly 1 after ``length_s``."""
    x = np.clip((time_s - start_s) / length_s, 0.0, 1.0)
    return x * x * (3 - 2 * x)


def _bump(time_s: FloatArray, start_s: float, length_s: float) -> FloatArray:
    """Raised cosine of ``length_s``, exactly 0 outside."""
    x = np.clip((time_s - start_s) / length_s, 0.0, 1.0)
    return 0.5 - 0.5 * np.cos(2 * math.pi * x)
