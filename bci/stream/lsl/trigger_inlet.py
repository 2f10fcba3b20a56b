"""The trigger channels of an amplifier's stream, read as a stream of markers."""

from __future__ import annotations

import math

from bci.errors import StreamMismatch
from bci.stream.bus import CueInlet, Marker
from bci.stream.lsl.discovery import FoundStream
from bci.stream.lsl.signal_inlet import LslSignalInlet
from bci.stream.markers.trigger_times import TimedTriggers
from bci.stream.markers.triggers import no_triggers, trigger_stream
from bci.stream.montage import Montage


class LslTriggerInlet(CueInlet):
    """Changes of the trigger channels of a signal (protocol :class:`~bci.stream.bus.CueInlet`).

    Parameters
    ----------
    found : FoundStream
        The signal.
    montage : Montage, optional
        What the stream leaves out.

    Raises
    ------
    StreamMismatch
        If it has no trigger channel.
    StreamError
        If it is no signal, or does not answer.
    """

    def __init__(self, found: FoundStream, montage: Montage | None = None) -> None:
        self._signal = LslSignalInlet(found, montage)
        self._from = (found.uid, trigger_stream(self._signal.info))
        self._edges = TimedTriggers(self._signal.info)
        if not self._edges.columns:
            self._signal.close()
            raise StreamMismatch(no_triggers(self._signal.info))

    def pull_markers(self, timeout_s: float) -> list[Marker]:
        """Return the codes that have come, and when their samples were taken on the sender's clock.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        list of Marker
            Empty where no code came in time.

        Raises
        ------
        StreamLost
            If the sender is gone.
        """
        chunk = self._signal.pull(timeout_s)
        if chunk is None:
            return []
        known = self._signal.offset_s
        offset_s = math.nan if known is None else known
        return [Marker((mark.text,), mark.time_s, *self._from, (), offset_s) for mark in self._edges(chunk)]

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._signal.close()
