"""Adaptation during a session while the decoder stays as it is: recentring of windows, and the bias of the classes."""

from __future__ import annotations

from bci.engine.bad_channels import BadChannelCompensation, ChannelCompensator
from bci.engine.chunk import FloatArray
from bci.engine.decoder import LiveDecoder, scatter
from bci.engine.frontend import Window
from bci.engine.rebias import BiasAdaptation, RebiasSettings
from bci.engine.recentre import RecentreSettings, Recentring
from bci.errors import ModelError


class Adaptation:
    """Recentring and bias of one decoder, each on or off, and the windows that recentring learns from.

    Both begin as their settings say.

    Parameters
    ----------
    decoder : LiveDecoder
    compensator : ChannelCompensator
        Refers windows and fills in for bad channels.
    recentre : RecentreSettings
    rebias : RebiasSettings

    Raises
    ------
    ModelError
        If recentring is asked for, and the model knows no centre.
    """

    def __init__(
        self, decoder: LiveDecoder, compensator: ChannelCompensator, recentre: RecentreSettings, rebias: RebiasSettings
    ) -> None:
        p = decoder.preprocessing
        self._decoder, self._compensator = decoder, compensator
        self._recentre, self._rebias = recentre, rebias
        self._samples = decoder.kernel.features == "samples"
        self._length, self._n_blocks = p.window, p.window // p.hop
        self.switch_recentring(recentre.on)
        self.switch_bias(rebias.on)

    @property
    def recentred(self) -> float | None:
        """How far recentring has moved, see :class:`~bci.engine.recentre.Recentring`; None while it is off."""
        return self._recentring.distance if self._recentring else None

    @property
    def bias(self) -> tuple[float, ...] | None:
        """Shift of each class's log probability, see :class:`~bci.engine.rebias.BiasAdaptation`; None while it is off."""
        return tuple(self._bias.bias.tolist()) if self._bias else None

    def switch_recentring(self, on: bool) -> None:
        """Start to follow the drift of the signal, from the training's centre; or stop recentring windows.

        Raises
        ------
        ModelError
            If the model knows no centre.
        """
        centre = self._decoder.centre
        if on and centre is None:
            raise ModelError("this model contains no centre of its training data, which recentring needs; train it again")
        self._recentring = None if not on or centre is None else Recentring(self._recentre, centre)
        self._to_learn: FloatArray | None = None
        self._newest: FloatArray | None = None
        self._moved: tuple[BadChannelCompensation | None, BadChannelCompensation] = (None, self._compensator.none)

    def switch_bias(self, on: bool) -> None:
        """Start to adapt the bias, from zero; or leave probabilities as they are."""
        self._bias = BiasAdaptation(self._rebias, self._decoder.kernel.classes) if on else None

    def restart_bias(self) -> None:
        """Forget the bias where it is on: samples are counted from zero again, or another decoder gives the probabilities."""
        self.switch_bias(self._bias is not None)

    def label(self, class_: str, first: int, last: int) -> None:
        """Learn the bias from a trial whose class is known, see :meth:`bci.engine.rebias.Rebias.expect`."""
        if self._bias is not None:
            self._bias.expect(class_, first, last)

    def shift(self, probabilities: FloatArray, consumed: int) -> FloatArray:
        """Probabilities with the bias, see :class:`~bci.engine.rebias.BiasAdaptation`; the same object while there is none."""
        return probabilities if self._bias is None else self._bias(probabilities, consumed)

    def prepare(self, compensation: BadChannelCompensation) -> None:
        """Learn now what would be learned with the next window; bits do not depend on when.

        Parameters
        ----------
        compensation : BadChannelCompensation
            That of the newest window, which most likely holds for the next one too.
        """
        self._learn(compensation)
        if self._bias is not None:
            self._bias.settle()

    def features(self, window: Window, compensation: BadChannelCompensation) -> FloatArray:
        """Return what the kernel gets of a window: referenced, bad channels filled in and, if that is on, recentred.

        Windows that do not overlap, with no channel bad, are kept: recentring learns from them, and :meth:`take_covariance`
        returns them.
        """
        kept = (window.number + 1) % self._n_blocks == 0 and not compensation.mask and window.filled == self._length
        if kept or self._recentring is None:
            plain = self._compensator.apply(window.features, compensation) if compensation.matrices else window.features
            if kept:
                self._newest = scatter(plain) if self._samples else plain.copy()
            if self._recentring is None:
                return plain
        self._learn(compensation)
        if self._moved[0] is not compensation:
            self._moved = (compensation, compensation.moved_by(self._recentring.matrices))
        if kept:
            self._to_learn = self._newest
        return self._compensator.apply(window.features, self._moved[1])

    def discard(self) -> None:
        """Learn nothing from the newest window that was kept, and do not return it."""
        self._to_learn = self._newest = None

    def take_covariance(self) -> FloatArray | None:
        """See :meth:`bci.engine.engine.Engine.take_covariance`."""
        newest, self._newest = self._newest, None
        return None if newest is None else _covariance(newest)

    def _learn(self, compensation: BadChannelCompensation) -> None:
        """Let recentring take in the window that was kept for it."""
        if self._recentring is not None and self._to_learn is not None:
            self._recentring(self._to_learn)
            self._to_learn = None
            self._moved = (compensation, compensation.moved_by(self._recentring.matrices))


def _covariance(scatters: FloatArray) -> FloatArray:
    """Covariances of scatter matrices with their sums (:func:`~bci.engine.decoder.scatter`)."""
    n, sums = scatters[0, -1, -1], scatters[:, -1, :-1]
    covariance: FloatArray = scatters[:, :-1, :-1] / n - sums[:, :, None] * sums[:, None, :] / n**2
    return covariance
