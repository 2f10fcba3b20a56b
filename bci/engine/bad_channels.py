"""The reference of a window, and how a decoder goes on without some of its channels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bci.engine.chunk import BoolArray, FloatArray
from bci.engine.decoder import LiveDecoder
from bci.engine.quality import QualitySettings
from bci.engine.spatial import expectation, reference_matrix

SETS_KEPT = 64


@dataclass(frozen=True, slots=True, eq=False)
class BadChannelCompensation:
    """How one set of bad channels is replaced; computed once for each set.

    Parameters
    ----------
    bad : ndarray of bool, shape (n_inputs,)
    mask : int
        Bit i is set where channel i of the decoder is bad.
    allowed : bool
        Few enough channels are bad, and none of those that the decoder relies on most.
    matrices : tuple of ndarray, each of shape (n_channels + 1, n_inputs + 1)
        Reference and fill-in for each band; empty where features stay as they are.
    residual : ndarray, shape (n_bands, n_channels, n_channels), or None
        What the fill-in cannot know, as scatter of a window, µV²; None where no channel is bad.
    """

    bad: BoolArray
    mask: int
    allowed: bool
    matrices: tuple[FloatArray, ...]
    residual: FloatArray | None

    def moved_by(self, moves: FloatArray) -> BadChannelCompensation:
        """The same compensation, followed by one matrix for each band.

        Parameters
        ----------
        moves : ndarray, shape (n_bands, n_channels, n_channels)
            As :attr:`bci.engine.recentre.Recentring.matrices`.
        """
        n, n_inputs = len(moves[0]), len(self.bad)
        matrices = []
        for band, move in enumerate(moves):
            plain = self.matrices[band][:n, :n_inputs] if self.matrices else np.eye(n, n_inputs)
            matrices.append(_with_sums(move @ plain))
        residual = None if self.residual is None else moves @ self.residual @ moves.transpose(0, 2, 1)
        return replace(self, matrices=tuple(matrices), residual=residual)


class ChannelCompensator:
    """Applies the reference to windows, and replaces bad channels by estimates from the good ones.

    Parameters
    ----------
    decoder : LiveDecoder
    settings : QualitySettings
        How many channels may be bad, and how important they may be.
    n_inputs : int
        Channels of the windows: those of the decoder first, then those that only the reference needs.
    """

    def __init__(self, decoder: LiveDecoder, settings: QualitySettings, n_inputs: int) -> None:
        p = decoder.preprocessing
        n = len(p.labels)
        self._preprocessing, self._covariance = p, decoder.covariance
        self._samples = decoder.kernel.features == "samples"
        self._heavy: BoolArray = decoder.weights > settings.heavy_share / n
        self._few = settings.bad_share * n
        self._known: dict[bytes, BadChannelCompensation] = {}
        self._half = np.zeros((n + 1, n_inputs + 1))
        self._referred = np.zeros((len(p.bands), n + 1, n + 1))
        self.none = self.of(np.zeros(n_inputs, dtype=np.bool_))

    def of(self, bad: BoolArray) -> BadChannelCompensation:
        """The compensation for a set of bad channels.

        Parameters
        ----------
        bad : ndarray of bool, shape (n_inputs,)
        """
        return self._known.get(bad.tobytes()) or self._computed(bad)

    def apply(self, features: FloatArray, compensation: BadChannelCompensation) -> FloatArray:
        """Apply the reference, and fill in for bad channels.

        Parameters
        ----------
        features : ndarray
            Of a window over the inputs, as :class:`~bci.engine.decoder.Kernel` takes them over the channels.
        compensation : BadChannelCompensation
            With matrices.

        Returns
        -------
        ndarray
            Over the decoder's channels; scatter matrices are valid until the next call.
        """
        if self._samples:
            return np.stack([f @ m[:-1, :-1].T for f, m in zip(features, compensation.matrices, strict=True)])
        for matrix, band, referred in zip(compensation.matrices, features, self._referred, strict=True):
            np.dot(matrix, band, out=self._half)
            np.dot(self._half, matrix.T, out=referred)
        if compensation.residual is not None:
            # The residual is that of a full window; a window that holds fewer samples has less of it.
            held, full = features[0, -1, -1], self._preprocessing.window
            self._referred[:, :-1, :-1] += compensation.residual if held == full else compensation.residual * (held / full)
        return self._referred

    def _computed(self, bad: BoolArray) -> BadChannelCompensation:
        """The compensation for a set that has not been met, or has been forgotten."""
        if len(self._known) >= SETS_KEPT:
            self._known.clear()
        own = bad[: len(self._heavy)]
        allowed = not bad.any() or (int(own.sum()) < self._few and not bool((own & self._heavy).any()))
        mask = sum(1 << int(i) for i in np.flatnonzero(own))
        found = self._known[bad.tobytes()] = BadChannelCompensation(bad.copy(), mask, allowed, *self._matrices(bad))
        return found

    def _matrices(self, bad: BoolArray) -> tuple[tuple[FloatArray, ...], FloatArray | None]:
        """Matrices and residual of :class:`BadChannelCompensation`."""
        p = self._preprocessing
        if p.reference == "none" and not p.artefacts.eog and not bad.any():
            return (), None
        reference = reference_matrix(p, ~bad)
        n = len(reference)
        fills = [expectation(covariance, ~bad[:n]) for covariance in self._covariance]
        matrices = tuple(_with_sums(fill @ reference) for fill, _ in fills)
        return matrices, np.stack([unknown * p.window for _, unknown in fills]) if bad.any() else None


def _with_sums(matrix: FloatArray) -> FloatArray:
    """A matrix over channels, as it acts on scatter matrices, whose last row and column hold the sums."""
    n, n_inputs = matrix.shape
    whole = np.zeros((n + 1, n_inputs + 1))
    whole[:n, :n_inputs] = matrix
    whole[n, n_inputs] = 1.0
    return whole
