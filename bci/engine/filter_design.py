"""Design of Butterworth and notch filters as second-order sections, with numpy alone.

It gives the bits that ``scipy.signal`` gives, by the same steps in the same order (a test compares them), because recordings are
replayed bit for bit. ``scipy.signal`` itself is not used here: it loads scipy's optimizers, distributions and interpolators,
which takes a second in each process of a session, several times as long as everything else that a session loads.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray

Roots = npt.NDArray[Any]
"""Zeros or poles: complex numbers, or real ones where all of them are real."""
EQUAL = 100 * float(np.finfo(np.float64).eps)
"""Relative difference below which two numbers are taken for conjugates, or a number for real."""
_RATE = 2.0
"""In which frequencies are parts of the Nyquist frequency."""


def butterworth_band_pass(low_hz: float, high_hz: float, order: int, rate_hz: float) -> FloatArray:
    """Second-order sections of a digital Butterworth band-pass.

    Parameters
    ----------
    low_hz, high_hz : float
        Where half of the power passes.
    order : int
        Of the low-pass prototype.
    rate_hz : float

    Returns
    -------
    ndarray, shape (order, 6)
        ``scipy.signal.butter(order, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")``.

    Raises
    ------
    ValueError
        If the frequencies do not rise from above 0 to below the Nyquist frequency, or rounding leaves no filter.
    """
    low, high = _warped(low_hz, rate_hz), _warped(high_hz, rate_hz)
    if not low < high:
        raise ValueError("the lower frequency must be below the upper one")
    width, middle = float(high - low), float(np.sqrt(low * high))
    shifted = _prototype(order) * width / 2
    apart = np.sqrt(shifted**2 - middle**2)
    poles = np.concatenate((shifted + apart, shifted - apart))
    return _digital(np.zeros(order, np.complex128), poles, 1.0 * width**order)


def butterworth_high_pass(corner_hz: float, order: int, rate_hz: float) -> FloatArray:
    """Second-order sections of a digital Butterworth high-pass.

    Parameters
    ----------
    corner_hz : float
        Where half of the power passes.
    order : int
        An even number.
    rate_hz : float

    Returns
    -------
    ndarray, shape (order / 2, 6)
        ``scipy.signal.butter(order, corner_hz, "highpass", fs=rate_hz, output="sos")``.

    Raises
    ------
    ValueError
        If the corner is not between 0 and the Nyquist frequency.
    """
    prototype = _prototype(order)
    gain = 1.0 * np.real(1.0 / np.prod(-prototype))
    return _digital(np.zeros(order), float(_warped(corner_hz, rate_hz)) / prototype, gain)


def notch_filter(line_hz: float, quality: float, rate_hz: float) -> FloatArray:
    """Second-order sections of a notch (Orfanidis, Introduction to Signal Processing, 1996, section 11.3).

    Parameters
    ----------
    line_hz : float
        What is taken out.
    quality : float
        ``line_hz`` over the width at which half of the power passes.
    rate_hz : float

    Returns
    -------
    ndarray, shape (1, 6)
        ``scipy.signal.tf2sos(*scipy.signal.iirnotch(line_hz, quality, fs=rate_hz))``.
    """
    part = 2 * line_hz / rate_hz
    width, middle = part / quality * math.pi, part * math.pi
    gain = 1.0 / (1.0 + math.tan(width / 2.0))
    above = gain * np.asarray([1.0, -2.0 * math.cos(middle), 1.0])
    below = np.asarray([1.0, -2.0 * gain * math.cos(middle), 2.0 * gain - 1.0])
    return _sections(np.roots(above / above[0]), np.roots(below), above[0])


def steady_state(sos: FloatArray) -> FloatArray:
    """States of the sections, shape (n_sections, 2), that a constant input of 1 has settled to.

    Raises
    ------
    numpy.linalg.LinAlgError
        If there is no such state.
    """
    states, scale = np.empty((len(sos), 2)), 1.0
    for state, section in zip(states, sos, strict=True):
        b, a = section[:3], section[3:]
        held = np.eye(2) - np.array([[-a[1], 1.0], [-a[2], 0.0]])
        state[:] = scale * np.linalg.solve(held, b[1:] - a[1:] * b[0])
        scale *= np.sum(b) / np.sum(a)
    return states


def response(sos: FloatArray, frequencies_hz: list[float], rate_hz: float) -> npt.NDArray[np.complex128]:
    """What an oscillation of amplitude 1 becomes, shape (n_frequencies,)."""
    back = np.exp(-1j * (2 * np.pi * np.asarray(frequencies_hz, np.float64) / rate_hz))
    found = np.ones(len(back), np.complex128)
    for b0, b1, b2, a0, a1, a2 in sos:
        found *= (b0 + (b1 + b2 * back) * back) / (a0 + (a1 + a2 * back) * back)
    return found


def run_sections(sos: FloatArray, data: FloatArray, states: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Filter sample after sample, in transposed direct form II.

    Parameters
    ----------
    sos : ndarray, shape (n_sections, 6)
    data : ndarray, shape (n_samples, n_channels)
    states : ndarray, shape (n_sections, 2, n_channels)

    Returns
    -------
    filtered : ndarray, shape (n_samples, n_channels)
    states : ndarray, shape (n_sections, 2, n_channels)
        Afterwards.
    """
    filtered, after = data.copy(), states.copy()
    for row in filtered:
        for (b0, b1, b2, _, a1, a2), state in zip(sos, after, strict=True):
            given = row.copy()
            row[:] = b0 * given + state[0]
            state[0] = b1 * given - a1 * row + state[1]
            state[1] = b2 * given - a2 * row
    return filtered, after


def _warped(frequency_hz: float, rate_hz: float) -> np.float64:
    """Where the bilinear transform needs a frequency to be, so that it comes to lie where it is wanted."""
    part = np.float64(frequency_hz) / (rate_hz / 2)
    if not 0 < part < 1:
        raise ValueError(f"{frequency_hz:g} Hz is not between 0 and the Nyquist frequency {rate_hz / 2:g} Hz")
    return np.float64(2 * _RATE * np.tan(np.pi * part / _RATE))


def _prototype(order: int) -> npt.NDArray[np.complex128]:
    """Poles of the analog low-pass with its corner at 1."""
    return np.asarray(-np.exp(1j * np.pi * np.arange(-order + 1, order, 2, dtype=np.float64) / (2 * order)))


def _digital(zeros: Roots, poles: Roots, gain: float) -> FloatArray:
    """Sections of the bilinear transform of an analog filter."""
    twice = 2.0 * _RATE
    gain = gain * np.real(np.prod(twice - zeros) / np.prod(twice - poles))
    ends = -np.ones(len(poles) - len(zeros))
    return _sections(np.concatenate(((twice + zeros) / (twice - zeros), ends)), (twice + poles) / (twice - poles), gain)


def _sections(zeros: Roots, poles: Roots, gain: float) -> FloatArray:
    """Second-order sections, the poles nearest to the unit circle last, each pair with the zeros nearest to it.

    The numbers of zeros and of poles are equal, and even.
    """
    sos = np.zeros((len(poles) // 2, 6))
    zeros, poles = _without_conjugates(zeros), _without_conjugates(poles)
    for section in sos[::-1]:
        pole, poles = _taken(poles, _nearest_to_circle(poles))
        if np.isreal(pole):
            real = np.flatnonzero(np.isreal(poles))
            partner, poles = _taken(poles, int(real[_nearest_to_circle(poles[real])]))
        else:
            partner = pole.conj()
        zero, zeros = _taken(zeros, int(np.argsort(np.abs(zeros - pole))[0]))
        if np.isreal(zero):
            near = np.argsort(np.abs(zeros - pole))
            other, zeros = _taken(zeros, int(near[np.isreal(zeros[near])][0]))
        else:
            other = zero.conj()
        section[:3], section[3:] = np.poly([zero, other]), np.poly([pole, partner])
    sos[0, :3] *= gain
    return sos


def _nearest_to_circle(roots: Roots) -> int:
    """The place of the root nearest to the unit circle."""
    return int(np.argmin(np.abs(1 - np.abs(roots))))


def _taken(roots: Roots, place: int) -> tuple[Any, Roots]:
    """One of the roots, and the others."""
    return roots[place], np.delete(roots, place)


def _without_conjugates(roots: Roots) -> Roots:
    """One root of each conjugate pair, the mean of both with a positive imaginary part; behind them the real ones.

    Raises
    ------
    ValueError
        If rounding has left one without its conjugate.
    """
    roots = roots[np.lexsort((np.abs(roots.imag), roots.real))]
    is_real = np.abs(roots.imag) <= EQUAL * np.abs(roots)
    real, pairs = roots[is_real].real, roots[~is_real]
    above, mirrored = pairs[pairs.imag > 0], pairs[pairs.imag < 0].conj()
    if len(above) != len(mirrored):
        raise ValueError("a complex root has no conjugate")
    if not len(pairs):
        return np.asarray(real)
    partners = mirrored[np.argmin(np.abs(above[:, np.newaxis] - mirrored), axis=1)]
    if (np.abs(above - partners) > EQUAL * np.abs(partners)).any():
        raise ValueError("a complex root has no conjugate")
    return np.concatenate(((above + partners) / 2, real))
