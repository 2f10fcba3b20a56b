"""Everything at once."""

from __future__ import annotations

from collections.abc import Sequence

from bci.doctor.checkup import Facts
from bci.doctor.observe.discovery import discovery_facts
from bci.doctor.observe.machine import clock_facts, port_facts, window_facts
from bci.doctor.observe.network import network_facts, programs
from bci.doctor.observe.streams import listen
from bci.progress import Progress, silent
from bci.stream.lsl import list_streams
from bci.stream.lsl.liblsl import library_version

SEARCH_S = 2.0


def observe(seconds: float, ports: Sequence[str] = (), host: str = "*", told: Progress = silent) -> Facts:
    """Look at everything.

    Parameters
    ----------
    seconds : float
        How long to listen to streams.
    ports : sequence of str
        Serial ports that have to be there.
    host : str
        Only streams of this machine; ``"*"``: of any.
    told : callable
        Takes what is done and the share done.

    Returns
    -------
    Facts
    """
    told("looking for streams", 0.0)
    found = list_streams(SEARCH_S, host)
    told("network", 0.1)
    discovery, network, clocks = discovery_facts(found, library_version()), network_facts(), clock_facts()
    streams = listen(found, seconds, lambda what, share: told(what, 0.2 + 0.75 * share))
    told("serial ports and windows", 0.95)
    return Facts(discovery, network, clocks, streams, window_facts(), port_facts(ports), programs())
