"""From a window's features to probabilities and a velocity; a decoder that fails becomes data here."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

import numpy as np

from bci.engine.artefacts.potato import Potato
from bci.engine.chunk import FloatArray
from bci.engine.control.decoder import VelocityEstimate, VelocityTracker
from bci.engine.decoder import LiveDecoder, scatter
from bci.engine.outcome import Reason
from bci.errors import ModelError

TOLERANCE = 1e-6
MOST_KINDS = 100
"""A decoder that fails in ever new places must not fill the memory."""
LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class DecoderFailure:
    """What a decoder raised, or how its answer broke the contract of :class:`~bci.engine.decoder.Kernel`.

    Parameters
    ----------
    type : str
        Of the exception; ``"ContractError"`` where the decoder returned something that is no distribution.
    message : str
    place : str
        Function, file and line where it was raised.
    """

    type: str
    message: str
    place: str

    def __str__(self) -> str:
        return f"{self.type}: {self.message} (in {self.place})"


class WindowDecoder:
    """Asks one decoder for the probabilities of each window, and for the velocity where it decodes one.

    Parameters
    ----------
    decoder : LiveDecoder

    Attributes
    ----------
    velocity : VelocityEstimate or None
        After the newest window; None where the decoder knows none.

    Raises
    ------
    ModelError
        If the model asks for the Riemannian potato and does not hold what it needs.
    """

    def __init__(self, decoder: LiveDecoder) -> None:
        self._kernel = decoder.kernel
        self._n_classes = len(decoder.kernel.classes)
        self._potato = _potato_of(decoder)
        self._steering = None if decoder.velocity is None else VelocityTracker(decoder.velocity)
        self._known: set[tuple[str, str]] = set()
        self._failures: list[DecoderFailure] = []
        self.velocity: VelocityEstimate | None = None

    def __call__(self, features: FloatArray) -> FloatArray | None:
        """Probabilities of a window, shape (n_classes,); None where the decoder breaks its contract.

        This is the one boundary at which whatever a decoder raises becomes data: an error in a plug-in must not stop the
        loop. The outcome says that there was one, and :meth:`take_failures` which.

        Parameters
        ----------
        features : ndarray
            As the kernel takes them.
        """
        try:
            found = np.array(self._kernel(features), dtype=np.float64)
            values = found.tolist()
            fine = found.shape == (self._n_classes,) and min(values) >= -TOLERANCE and abs(sum(values) - 1) <= TOLERANCE
            if fine and self._steering is not None:
                self.velocity = self._steering(features)
        except Exception as error:
            self._note(DecoderFailure(type(error).__name__, _text(error), _place(error.__traceback__)))
            return None
        if not fine:
            self._note_contract(found)
            return None
        return found

    def unlike(self, features: FloatArray) -> bool:
        """Whether a window is unlike those of the training, where the model asks that such windows are not decoded."""
        if self._potato is None:
            return False
        return self._potato.unlike(scatter(features) if self._kernel.features == "samples" else features)

    def pass_over(self, reason: Reason) -> None:
        """Continue after a window that was not decoded.

        The velocity is zero then, unless the window was only skipped; after a gap nothing is known of the intention.
        """
        if self._steering is None:
            return
        if reason in (Reason.REFILL, Reason.NONFINITE, Reason.DECODER):
            self._steering.restart()
        self.velocity = self._steering.follow(None, keep=reason is Reason.SKIPPED)

    def restart(self) -> None:
        """Forget the past: the next window does not follow the last one."""
        if self._steering is not None:
            self._steering.restart()

    def take_failures(self) -> list[DecoderFailure]:
        """Failures since the last call, one for each type of exception and place; each is returned once."""
        taken, self._failures = self._failures, []
        return taken

    def _note(self, failure: DecoderFailure) -> None:
        kind = (failure.type, failure.place)
        if kind not in self._known and len(self._known) < MOST_KINDS:
            self._known.add(kind)
            self._failures.append(failure)

    def _note_contract(self, found: FloatArray) -> None:
        """Say what is wrong with an answer; NaN everywhere is allowed, where the input has no covariance."""
        right_shape = found.shape == (self._n_classes,)
        if right_shape and np.isnan(found).all():
            return
        wanted = f"{self._n_classes} probabilities that sum to one"
        given = np.array2string(found, precision=3, threshold=10) if right_shape else f"an array of shape {found.shape}"
        place = f"{type(self._kernel).__qualname__}.__call__"
        self._note(DecoderFailure("ContractError", f"the decoder must return {wanted}; it returned {given}", place))


def _text(error: Exception) -> str:
    """What an exception says; it may be of any class, and fail at that too."""
    try:
        return str(error)[:LONGEST_MESSAGE]
    except Exception:
        return "(the exception has no text)"


def _place(trace: TracebackType | None) -> str:
    """Where an exception was raised: the innermost frame of its traceback."""
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    file = code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{code.co_qualname} ({file}:{trace.tb_lineno})"


def _potato_of(decoder: LiveDecoder) -> Potato | None:
    """What tells windows that are unlike those of the training, where the model asks for it."""
    artefacts = decoder.preprocessing.artefacts
    if not artefacts.potato_z:
        return None
    if decoder.centre is None or not artefacts.potato:
        raise ModelError("this model asks for the Riemannian potato and does not hold what it needs; train it again")
    mean, deviation = artefacts.potato
    return Potato(decoder.centre, mean, deviation, artefacts.potato_z)
