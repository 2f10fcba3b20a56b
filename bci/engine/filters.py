"""Causal filters: notch and Butterworth band-passes that start at their steady state.

Over a block of fixed length a linear filter is a fixed matrix: it maps the block's samples and the state
before it to the filtered samples and the state after it. So notch and all band-passes together are one
small matrix product per block, whose bits cannot depend on how the stream was cut.
"""

from __future__ import annotations

import math

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.filter_design import butterworth_band_pass, notch_filter, response, run_sections, steady_state

NOTCH_Q = 30.0
SETTLED = 0.01


def notch(line_hz: float, rate_hz: float) -> FloatArray:
    """Second-order sections of a notch at the line frequency, shape (1, 6)."""
    return notch_filter(line_hz, NOTCH_Q, rate_hz)


def band_pass(low_hz: float, high_hz: float, order: int, rate_hz: float) -> FloatArray:
    """Second-order sections of a Butterworth band-pass, shape (order, 6)."""
    return butterworth_band_pass(low_hz, high_hz, order, rate_hz)


def settling(sos: FloatArray) -> int:
    """Samples after which the slowest pole has decayed to 1 %."""
    poles = np.concatenate([np.roots(section[3:]) for section in sos])
    radius = float(np.abs(poles).max())
    return math.ceil(math.log(SETTLED) / math.log(radius))


def gain(sos: FloatArray, frequencies_hz: list[float], rate_hz: float) -> FloatArray:
    """Return which part of an oscillation the sections let through, shape (n_frequencies,); 1 for all of it."""
    return np.abs(response(sos, frequencies_hz, rate_hz))


class FilterBank:
    """A notch and the band-passes behind it, block after block.

    Starting from the steady state for the first sample spares the step that a constant electrode
    offset, often tens of millivolts, would otherwise send through the filters.

    Parameters
    ----------
    notch : ndarray, shape (1, 6), or None
        Sections ahead of every band.
    bands : list of ndarray, each of shape (n_sections, 6)
    hop : int
        Samples in a block.
    n_channels : int
    """

    def __init__(self, notch: FloatArray | None, bands: list[FloatArray], hop: int, n_channels: int) -> None:
        self._hop, self._n_bands = hop, len(bands)
        cascade = [notch, *bands] if notch is not None else list(bands)
        self._matrix = _block_matrix(notch is not None, cascade, hop)
        self._steady = np.concatenate([steady_state(sos).ravel() for sos in cascade])[:, np.newaxis]
        n_states = len(self._steady)
        self._input = np.zeros((hop + n_states, n_channels))
        self._output = np.zeros((1, len(self._matrix), n_channels))
        self._fresh = True

    def restart(self) -> None:
        """Forget the past: the next sample is taken for the steady state."""
        self._fresh = True

    def __call__(self, blocks: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Filter the next blocks.

        Parameters
        ----------
        blocks : ndarray, shape (n_blocks, hop, n_channels)
            Microvolts.

        Returns
        -------
        notched : ndarray, shape (n_blocks, hop, n_channels)
        bands : ndarray, shape (n_blocks, n_bands, hop, n_channels)
            Both valid until the next call.
        """
        hop, n_blocks = self._hop, len(blocks)
        if n_blocks > len(self._output):
            self._output = np.zeros((n_blocks, *self._output.shape[1:]))
        if self._fresh:
            self._input[hop:] = self._steady * blocks[0, 0]
            self._fresh = False
        filtered = hop * (1 + self._n_bands)
        output = self._output[:n_blocks]
        for block, after in zip(blocks, output, strict=True):
            self._input[:hop] = block
            np.dot(self._matrix, self._input, out=after)
            self._input[hop:] = after[filtered:]
        return output[:, :hop], output[:, hop:filtered].reshape(n_blocks, self._n_bands, hop, -1)


def _block_matrix(notched: bool, cascade: list[FloatArray], hop: int) -> FloatArray:
    """The matrix of a block, found by filtering every unit sample and every unit state.

    Returns
    -------
    ndarray, shape (hop * (1 + n_bands) + n_states, hop + n_states)
        Rows: the notched block, the block in each band, the states of all sections.
    """
    n_states = sum(2 * len(sos) for sos in cascade)
    size = hop + n_states
    units = np.eye(hop, size)
    states, place = [], hop
    for sos in cascade:
        own = np.eye(2 * len(sos), size, place)
        states.append(own.reshape(len(sos), 2, size))
        place += 2 * len(sos)
    blocks, after = [units], []
    for i, (sos, state) in enumerate(zip(cascade, states, strict=True)):
        filtered, end = run_sections(sos, blocks[0], state)
        after.append(end.reshape(-1, size))
        if notched and i == 0:
            blocks[0] = filtered
        else:
            blocks.append(filtered)
    return np.concatenate((*blocks, *after))
