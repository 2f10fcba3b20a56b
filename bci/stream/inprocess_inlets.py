"""Reading streams inside one process, on a virtual clock.

There are no threads: an inlet that waits lets the actors of the clock run until something has come or its time is up.
"""

from __future__ import annotations

from math import nan

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.errors import StreamLost
from bci.stream.bus import ControlInlet, Marker
from bci.stream.clock import VirtualClock
from bci.stream.clocks.sender_clock import SenderClock
from bci.stream.inprocess_outlets import InProcessOutlet, Rows
from bci.stream.markers.shapes import row_of
from bci.stream.markers.streams import Levels
from bci.stream.montage import Montage, apply_montage
from bci.stream.units import scale_to_microvolts


class InProcessRawInlet:
    """A stream as it was sent (protocol :class:`~bci.stream.bus.RawInlet`).

    Parameters
    ----------
    outlet : InProcessOutlet
    clock : VirtualClock
    """

    def __init__(self, outlet: InProcessOutlet, clock: VirtualClock) -> None:
        self.header_xml = outlet.header_xml
        self._outlet, self._clock = outlet, clock
        self._mine = outlet.subscribe()

    def pull(self, timeout_s: float) -> tuple[Rows, FloatArray] | None:
        """Return all samples at hand, and wait for the first where there is none.

        Parameters
        ----------
        timeout_s : float
            The longest virtual time to wait, seconds.

        Returns
        -------
        tuple of (Rows, ndarray) or None
            Values, shape (n_samples, n_channels), and stamps, shape (n_samples,), seconds; None where no sample came in time.

        Raises
        ------
        StreamLost
            If the sender is gone and all was read.
        """
        mine = self._mine
        if not mine.pieces and not mine.over:
            self._clock.wait_for(lambda: bool(mine.pieces) or mine.over, self._clock.now() + timeout_s)
        if not mine.pieces:
            if mine.over:
                raise StreamLost(f"stream {self._outlet.info.name!r}: the sender is gone")
            return None
        pieces = list(mine.pieces)
        mine.pieces.clear()
        stamps = np.concatenate([s for _, s in pieces])
        if self._outlet.channel_format == "string":
            return [list(row) for rows, _ in pieces for row in rows], stamps
        return np.concatenate([np.asarray(rows) for rows, _ in pieces]), stamps

    def time_correction(self, timeout_s: float) -> tuple[float, float] | None:
        """Measure the clock offset; it is 0 unless the sender is another computer.

        Parameters
        ----------
        timeout_s : float
            Not needed: nothing is waited for.

        Returns
        -------
        tuple of (float, float) or None
            When it was measured on the sender's clock, and the offset, seconds.
        """
        now, sender = self._clock.now(), self._outlet.sender
        return sender.time_correction(now) if sender else (now, 0.0)

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._outlet.unsubscribe(self._mine)


class InProcessSignalInlet:
    """A signal in microvolts (protocol :class:`~bci.stream.bus.SignalInlet`).

    Parameters
    ----------
    outlet : InProcessOutlet
    clock : VirtualClock
    montage : Montage or None
        What the stream leaves out.
    """

    def __init__(self, outlet: InProcessOutlet, clock: VirtualClock, montage: Montage | None) -> None:
        self._raw = InProcessRawInlet(outlet, clock)
        self.info = apply_montage(outlet.info, montage) if montage else outlet.info
        self._scale = scale_to_microvolts(self.info)
        self._sender = SenderClock(outlet.sender is None, self._raw.time_correction, clock.now)

    @property
    def offset_s(self) -> float | None:
        """What to add to stamps to have the time of the bus, seconds."""
        return self._sender.offset_s

    def pull(self, timeout_s: float) -> Chunk | None:
        """Return all samples at hand, and wait for the first where there is none.

        Parameters
        ----------
        timeout_s : float
            The longest virtual time to wait, seconds.

        Returns
        -------
        Chunk or None
            Microvolts; None where no sample came in time.

        Raises
        ------
        StreamLost
            If the sender is gone and everything was read.
        """
        pulled = self._raw.pull(timeout_s)
        return Chunk(np.asarray(pulled[0], np.float64) * self._scale, pulled[1]) if pulled else None

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._raw.close()


class InProcessMarkerInlet(ControlInlet):
    """Texts, or numbers as short as they can be (protocols :class:`~bci.stream.bus.CueInlet`, ``ControlInlet``).

    Parameters
    ----------
    outlet : InProcessOutlet
    clock : VirtualClock
    """

    def __init__(self, outlet: InProcessOutlet, clock: VirtualClock) -> None:
        self._raw, self._outlet = InProcessRawInlet(outlet, clock), outlet
        info = outlet.info
        self._from = (outlet.uid, info.name, info.labels if len(info.channels) > 1 else ())
        self._levels = Levels(0.0 if outlet.channel_format == "string" else info.rate_hz)
        self._sender = SenderClock(outlet.sender is None, self._raw.time_correction, clock.now)

    def pull_markers(self, timeout_s: float) -> list[Marker]:
        """Return the markers at hand with all their columns, and how far their sender's clock is from ours.

        Parameters
        ----------
        timeout_s : float
            The longest virtual time to wait, seconds.

        Returns
        -------
        list of Marker
            Empty where no marker came in time.

        Raises
        ------
        StreamLost
            If the sender is gone and everything was read.
        """
        offset_s = self._sender.offset_s
        pulled = self._raw.pull(timeout_s)
        found = self._levels.flush() if pulled is None else self._levels(map(row_of, pulled[0]), pulled[1].tolist())
        return [Marker(row, stamp, *self._from, nan if offset_s is None else offset_s) for row, stamp in found]

    def connection(self, uid: str) -> int:
        """See :class:`~bci.stream.bus.ControlInlet`."""
        return int(self._outlet.open and uid == self._outlet.uid)

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._raw.close()
