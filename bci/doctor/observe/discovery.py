"""How LSL finds streams here."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from bci.doctor.discovery import DiscoveryFacts
from bci.stream.lsl import FoundStream, LslTextOutlet, StreamQuery, find, this_host
from bci.stream.lsl_config import config_files, look_at_ports, read_config

FIND_S = 5.0


def discovery_facts(streams: Sequence[FoundStream], library: int) -> DiscoveryFacts:
    """Whether a stream of ours is found, and what the configuration says.

    Parameters
    ----------
    streams : sequence of FoundStream
        Those that answered.
    library : int
        Version of liblsl.

    Returns
    -------
    DiscoveryFacts
    """
    configs = config_files(os.environ)
    settings, problems = read_config(Path(configs[0])) if configs else ({}, ())
    here = sum(s.host == this_host() for s in streams)
    ports = look_at_ports(os.environ)
    return DiscoveryFacts(
        found_after_s=find_own(),
        library=library,
        configs=configs,
        problems=problems,
        session=settings.get("sessionid", "default"),
        scope=settings.get("resolvescope", "site").lower(),
        ports=ports,
        streams_here=here,
        streams_elsewhere=len(streams) - here,
    )


def find_own() -> float | None:
    """Seconds until a stream opened here is found here; None where it is not."""
    name = f"bci-doctor-{uuid.uuid4().hex[:8]}"
    outlet = LslTextOutlet(name, "BCI-Doctor", name)
    try:
        began = time.monotonic()
        found = find(StreamQuery(name=name, host="*"), FIND_S, settle_s=0.0)
        return time.monotonic() - began if found else None
    finally:
        outlet.close()
