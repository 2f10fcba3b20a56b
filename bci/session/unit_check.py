"""Whether a signal is in the unit that its model was trained in, looked at in a session's first samples."""

from __future__ import annotations

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.frontend import Frontend
from bci.engine.outcome import Reason
from bci.engine.quality import QualitySettings
from bci.engine.stream_info import StreamInfo
from bci.errors import StreamMismatch
from bci.model.file import Model

UNIT_FACTOR = 100.0
LOOK_S = 1.5


class UnitCheck:
    """Compares the size of the first samples with that of the training data.

    It looks while the loop decodes already, which sends no decision before it has looked.

    Parameters
    ----------
    model : Model
    info : StreamInfo
        Of the stream that is decoded.
    now : float
        Seconds, of any clock.
    """

    def __init__(self, model: Model, info: StreamInfo, now: float) -> None:
        self._info = info
        self._trained_uv = float(np.sqrt(np.median(np.diag(model.decoder.covariance[0]))))
        # No value is too large here: to find that out is what this is for.
        self._frontend = Frontend(info, model.header.preprocessing, "samples", QualitySettings(range_uv=1e300))
        self._power: FloatArray | None = None
        self._end = now + LOOK_S

    def look(self, chunk: Chunk | None, now: float) -> bool:
        """Look at further samples, if any have come; True once it has looked for long enough, whatever has come.

        Parameters
        ----------
        chunk : Chunk or None
        now : float

        Raises
        ------
        StreamMismatch
            If the sizes differ by more than two orders of magnitude: the unit is not what it is taken for.
        """
        for window in self._frontend.push(chunk) if chunk is not None else ():
            if window.reason is not Reason.NONFINITE:
                self._power = (window.features[0] ** 2).mean(axis=0)
        if now < self._end:
            return False
        self._judge()
        return True

    def _judge(self) -> None:
        now_uv = 0.0 if self._power is None else float(np.sqrt(np.median(self._power)))
        if now_uv > 0 and not 1 / UNIT_FACTOR < now_uv / self._trained_uv < UNIT_FACTOR:
            unit = self._info.channels[0].unit or "no unit"
            raise StreamMismatch(
                f"unit: the signal is {now_uv:.3g} µV in the decoder's band, the training data were {self._trained_uv:.3g} µV; "
                f"stream {self._info.name!r} declares {unit}. Declare the true unit with --set stream.unit=V (or mV, uV)."
            )
