"""The streams that an actuator host reads: the engine's decisions, and control messages from whoever sends them."""

from __future__ import annotations

from bci.errors import StreamError
from bci.stream.bus import RawInlet
from bci.stream.lsl import FoundStream, LslRawInlet, StreamQuery, Watcher, this_host
from bci.stream.lsl.connection import DEAD_S
from bci.stream.lsl.discovery import meant
from bci.stream.lsl.late_markers import LateMarkers
from bci.stream.lsl.open_streams import OpenStreams

CONNECT_S = 1.0


class HostInlets(LateMarkers):
    """Control messages (protocol :class:`~bci.stream.bus.ControlInlet`), and the decisions streams that are found beside them.

    Everything is connected in threads, so that the host never waits for a network, and again as often as a connection breaks.

    Parameters
    ----------
    decisions, control : StreamQuery
    """

    def __init__(self, decisions: StreamQuery, control: StreamQuery) -> None:
        watcher = Watcher(decisions, control)
        self._decisions = OpenStreams(watcher.found, lambda found: meant(decisions, found), _connect_decisions)
        self._new: list[LslRawInlet] = []
        super().__init__(control, watcher=watcher)

    def decisions(self) -> RawInlet | None:
        """Take a newly opened decisions stream.

        Returns
        -------
        RawInlet or None
            Whoever takes it closes it, and then it is opened again; None where there is no new one.
        """
        self._new += [joined.inlet for joined in self._decisions.opened()]
        return self._new.pop(0) if self._new else None

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._decisions.close()
        while (inlet := self.decisions()) is not None:
            inlet.close()
        super().close()


def _connect_decisions(found: FoundStream) -> LslRawInlet:
    """Connect; measure the clock offset of an engine on another computer before it is needed."""
    inlet = LslRawInlet(found, timeout_s=CONNECT_S, dead_after_s=DEAD_S)
    if found.host != this_host() and inlet.time_correction(CONNECT_S) is None:
        inlet.close()
        raise StreamError(f"{found}: its clock cannot be compared with ours, so nobody knows when its decisions expire")
    return inlet


def offset_of(inlet: RawInlet) -> float | None:
    """Measure the clock offset of a sender; on this computer, where there is one clock, it is 0.

    Parameters
    ----------
    inlet : RawInlet

    Returns
    -------
    float or None
        Seconds; None where the sender does not answer.
    """
    if isinstance(inlet, LslRawInlet) and inlet.found.host == this_host():
        return 0.0
    measured = inlet.time_correction(0.0)
    return None if measured is None else measured[1]
