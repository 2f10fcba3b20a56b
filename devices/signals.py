"""The parts of a simulated EEG, added up block by block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import canonical
from devices.background import (
    ColouredNoise,
    Draw,
    Happening,
    draw,
    frequencies,
    happenings,
    hump,
    one_over_f,
    overlap,
    rhythm,
)
from devices.headmodel import PRESETS, lead_field, on_sphere
from devices.imagery import AREAS
from devices.simulated_settings import Artefact, SimulatedSettings

RAIL_UV = 187_500.0
"""Full scale of an OpenBCI Cyton at gain 24: 4.5 V / 24."""

_JAW_UV, _LINE_UV = 150.0, 200.0
_CLOSED_ALPHA = 3.0
_CORTEX = 0.78  # depth of the rhythms' sources, as a fraction of the scalp's radius
_UNDER = {"hand_left": "C3", "hand_right": "C4", "foot": "Cz", "face_left": "C5", "face_right": "C6"}
_OCCIPITAL = ("O1", "O2", "POz")


class Signals:
    """Everything that reaches the electrodes, and the electronics behind them.

    Parameters
    ----------
    settings : SimulatedSettings
    labels : tuple of str
        Channels in stream order.
    n_block : int
        Samples in a block.
    """

    def __init__(self, settings: SimulatedSettings, labels: tuple[str, ...], n_block: int) -> None:
        self._s = settings
        self._labels = labels
        self._n_block = n_block
        self._person = _Person(settings, labels)
        freqs_hz = frequencies(n_block, settings.rate_hz)
        background = one_over_f(freqs_hz, self._person.exponent, 0.5)
        self._background = ColouredNoise(settings.seed, Draw.BACKGROUND, n_block, np.tile(background, (len(labels), 1)))
        self._rhythms = ColouredNoise(settings.seed, Draw.RHYTHM, n_block, np.stack(self._person.rhythms(freqs_hz)))
        self.artefacts = settings.artefacts
        self._fixed: tuple[int, FloatArray, FloatArray, FloatArray] | None = None

    def render(self, block: int, log_gain: FloatArray | None, eyes_closed: FloatArray) -> FloatArray:
        """One block.

        Parameters
        ----------
        block : int
        log_gain : ndarray, shape (n_block, 2 * n_areas), or None
            Change of log amplitude of the sensorimotor rhythms.
        eyes_closed : ndarray, shape (n_block,)
            1 where closed, else 0.

        Returns
        -------
        ndarray, shape (n_block, n_channels)
            Microvolts.
        """
        fixed, blinks, rhythms = self._parts(block)
        n = 2 * len(AREAS)
        moving = np.empty((self._n_block, len(rhythms) + 1))
        moving[:, :n] = rhythms[:n].T if log_gain is None else rhythms[:n].T * np.exp(log_gain)
        moving[:, n:-1] = rhythms[n:].T * (1 + (_CLOSED_ALPHA - 1) * eyes_closed)[:, None]
        moving[:, -1] = blinks * (1 - eyes_closed)
        # Always the whole block, so a block drawn again after a cue keeps every earlier bit.
        data = fixed + moving @ self._person.moving_field
        for artefact in self.artefacts:
            self._disturb(data, artefact, block)
        return data

    def lost(self, block: int) -> npt.NDArray[np.bool_]:
        """Tell which samples of a block never arrive: runs of 1 to 5.

        Parameters
        ----------
        block : int
            Number of the block.

        Returns
        -------
        ndarray, shape (n_block,)
        """
        rng = draw(self._s.seed, Draw.LOSS, block)
        # A sample survives when none of the runs that would cover it begins: (1 - p)**3 = 1 - loss.
        begins = np.flatnonzero(rng.random(self._n_block) < 1 - (1 - self._s.loss) ** (1 / 3))
        lost = np.zeros(self._n_block, dtype=np.bool_)
        for begin, length in zip(begins.tolist(), rng.integers(1, 6, len(begins)).tolist(), strict=True):
            lost[begin : begin + length] = True
        return lost

    def _parts(self, block: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What no cue changes: signal, shape (n_block, n_channels), blinks, (n_block,), rhythms, (n_rhythms, n_block)."""
        if self._fixed is None or self._fixed[0] != block:
            fixed = (self._person.mixing @ self._background.block(block)).T + self._electronics(block)
            for around in (block - 1, block):
                self._muscle(fixed, around, block)
            self._fixed = block, fixed, self._blinks(block), self._rhythms.block(block)
        return self._fixed[1:]

    def _electronics(self, block: int) -> FloatArray:
        """Sensor noise, mains, offset and drift, shape (n_block, n_channels)."""
        s, p = self._s, self._person
        index = block * self._n_block + np.arange(self._n_block)
        noise = draw(s.seed, Draw.SENSOR, block).standard_normal((self._n_block, len(self._labels))) * s.sensor_uv
        mains = 2 * np.pi * np.remainder(index * (s.line_hz / s.rate_hz), 1.0)
        swell = 1 + 0.2 * np.sin(2 * np.pi * index / (17 * s.rate_hz))
        waves = [swell * np.sin(mains), swell * np.cos(mains), np.ones(self._n_block)]
        waves += [np.sin(2 * np.pi * index / (period_s * s.rate_hz) + phase) for period_s, phase in p.drift]
        return np.asarray(noise + np.stack(waves, axis=1) @ p.electrodes)

    def _blinks(self, block: int) -> FloatArray:
        """Sum of the blinks in a block, shape (n_block,), relative to the mean one."""
        wave = np.zeros(self._n_block)
        for around in (block - 1, block):
            for blink in self._happenings(Draw.BLINK, around, self._s.blinks_per_min, (0.25, 0.4)):
                where = overlap(blink.start, blink.length, block, self._n_block)
                if where:
                    wave[where[1]] += blink.size * hump(blink.length)[where[0]]
        return wave

    def _muscle(self, data: FloatArray, begun: int, block: int) -> None:
        """Add the bursts that began in block ``begun``."""
        for burst in self._happenings(Draw.MUSCLE, begun, self._s.muscle_per_min, (0.4, 1.2)):
            where = overlap(burst.start, burst.length, block, self._n_block)
            if where:
                rng = draw(self._s.seed, Draw.BURST, burst.number)
                wave = burst.size * _crackle(rng, burst.length) * hump(burst.length)
                data[where[1]] += self._s.muscle_uv * wave[where[0], None] * self._person.temples[burst.side]

    def _happenings(self, purpose: Draw, block: int, per_min: float, length_s: tuple[float, float]) -> tuple[Happening, ...]:
        if block < 0 or not per_min:
            return ()
        return happenings(self._s.seed, purpose, block, self._n_block, self._s.rate_hz, per_min / 60, length_s)

    def _disturb(self, data: FloatArray, artefact: Artefact, block: int) -> None:
        """Apply one artefact to a block, in place."""
        rate_hz = self._s.rate_hz
        start = round(artefact.start_s * rate_hz)
        where = overlap(start, round(artefact.stop_s * rate_hz) - start, block, self._n_block)
        if where is None:
            return
        wanted = {canonical(label) for label in artefact.channels}
        columns = [i for i, label in enumerate(self._labels) if not wanted or canonical(label) in wanted]
        rows = where[1]
        if artefact.kind == "jaw":
            crackle = _crackle(draw(self._s.seed, Draw.ARTEFACT, block), self._n_block)[rows, None]
            data[rows, columns] += _JAW_UV * crackle * (0.2 + self._person.temples.sum(axis=0)[columns])
        elif artefact.kind == "line":
            index = block * self._n_block + np.arange(self._n_block)[rows, None]
            data[rows, columns] += _LINE_UV * np.sin(2 * np.pi * np.remainder(index * (self._s.line_hz / rate_hz), 1.0))
        else:
            data[rows, columns] = {"flat": self._person.offset[columns], "railed": RAIL_UV, "nan": np.nan}[artefact.kind]


def _crackle(rng: np.random.Generator, n: int) -> FloatArray:
    """Muscle noise, rms 1: white noise differentiated, so that most of it lies above 30 Hz."""
    return np.asarray(np.diff(rng.standard_normal(n + 1)) / np.sqrt(2))


class _Person:
    """What stays the same through a session: anatomy, rhythms, electrodes. Drawn from the seed."""

    def __init__(self, s: SimulatedSettings, labels: tuple[str, ...]) -> None:
        rng = draw(s.seed, Draw.PERSON)
        self.exponent = rng.uniform(1.0, 1.4)
        self._mu_hz, self._beta_hz, self._alpha_hz = rng.uniform(9.5, 11.5), rng.uniform(18, 22), rng.uniform(9, 11)
        self.moving_field = np.vstack((self._rhythm_field(s, labels, rng), _blink_field(s, labels)))
        self.mixing = _background_mixing(s, labels, rng)
        temples = on_sphere(("T7", "T8"))
        away = np.linalg.norm(on_sphere(labels)[None] - temples[:, None], axis=2)
        self.temples = np.exp(-0.5 * (away / 0.5) ** 2)
        self.drift = [(period_s, rng.uniform(0, 2 * np.pi)) for period_s in (37.0, 83.0, 211.0)]
        size = np.array([s.line_uv, s.line_uv, s.offset_uv, *[0.6 * s.drift_uv] * 3])
        self.electrodes = size[:, None] * np.stack([_electrode(s.seed, label) for label in labels], axis=1)
        self.offset = self.electrodes[2]

    def rhythms(self, freqs_hz: FloatArray) -> list[FloatArray]:
        """Relative amplitude of each rhythm at ``freqs_hz``, in the order of ``moving_field``'s rows."""
        mu, beta = rhythm(freqs_hz, self._mu_hz, 1.0), rhythm(freqs_hz, self._beta_hz, 2.5)
        alpha = rhythm(freqs_hz, self._alpha_hz, 0.8)
        return [*[mu] * len(AREAS), *[beta] * len(AREAS), *[alpha] * len(_OCCIPITAL)]

    def _rhythm_field(self, s: SimulatedSettings, labels: tuple[str, ...], rng: np.random.Generator) -> FloatArray:
        """Microvolts of each rhythm at each channel, shape (n_rhythms, n_channels)."""
        under = tuple(_UNDER[area] for area in AREAS)
        places = on_sphere((*under, *under, *_OCCIPITAL))
        moments = places + 0.15 * rng.standard_normal(places.shape)
        size = [s.mu_uv] * len(AREAS) + [s.beta_uv] * len(AREAS) + [s.alpha_uv] * len(_OCCIPITAL)
        size[AREAS.index("face_left")] = size[AREAS.index("face_right")] = 0.6 * s.mu_uv
        best = np.abs(_referenced(s, PRESETS[64], _CORTEX * places, moments)).max(axis=0)
        return np.asarray((_referenced(s, labels, _CORTEX * places, moments) / best * np.array(size)).T)


def _electrode(seed: int, label: str) -> FloatArray:
    """Six numbers of one electrode: mains (sine, cosine), offset, and three of drift."""
    number = sum(ord(letter) * 131**i for i, letter in enumerate(label))
    rng = draw(seed, Draw.ELECTRODE, number)
    return np.concatenate((rng.uniform(-0.7, 0.7, 2), rng.standard_normal(4)))


def _referenced(s: SimulatedSettings, labels: tuple[str, ...], places: FloatArray, moments: FloatArray) -> FloatArray:
    """Lead field against the reference."""
    spelling = {canonical(label): label for label in (*PRESETS[64], "M1", "M2", "A1", "A2")}
    reference = tuple(spelling[canonical(x)] for x in s.reference.split("+"))
    field = lead_field(labels, places, moments) - lead_field(reference, places, moments).mean(axis=0)
    return np.asarray(field)


def _background_mixing(s: SimulatedSettings, labels: tuple[str, ...], rng: np.random.Generator) -> FloatArray:
    """Matrix that gives independent noise the covariance of 300 independent dipoles all over the cortex.

    Dipoles of one spectrum add up to Gaussian noise whose covariance is ``L L^T``; its symmetric square root
    gives the same noise from as many rows as there are channels.
    """
    places = rng.standard_normal((300, 3))
    places[:, 2] = np.abs(places[:, 2]) - 0.3
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    moments = places + 0.7 * rng.standard_normal(places.shape)
    everywhere = _referenced(s, PRESETS[64], _CORTEX * places, moments)
    field = _referenced(s, labels, _CORTEX * places, moments)
    values, vectors = np.linalg.eigh(field @ field.T)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return np.asarray(s.background_uv * root / np.sqrt(np.mean(np.sum(everywhere**2, axis=1))))


def _blink_field(s: SimulatedSettings, labels: tuple[str, ...]) -> FloatArray:
    """Potential of a dipole in each eye, cornea against retina, over which the lids slide; ``blink_uv`` at Fp1 and Fp2."""
    eyes = np.array([[-0.33, 0.68, -0.30], [0.33, 0.68, -0.30]])
    moments = np.array([[0.0, 1.0, 0.2], [0.0, 1.0, 0.2]])
    forehead = _referenced(s, ("Fp1", "Fp2"), eyes, moments).sum(axis=1).mean()
    return np.asarray(s.blink_uv * _referenced(s, labels, eyes, moments).sum(axis=1) / forehead)
