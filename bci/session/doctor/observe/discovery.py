"""How LSL finds streams here."""

from __future__ import annotations

import configparser
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from bci.session.doctor.discovery import DiscoveryFacts
from bci.stream.lsl import FoundStream, LslTextOutlet, StreamQuery, find, this_host

FIND_S = 5.0
SCOPES = ("machine", "link", "site", "organization", "global")
NUMBERS = ("multicastport", "baseport", "portrange")


def discovery_facts(streams: Sequence[FoundStream], library: int) -> DiscoveryFacts:
    """Whether a stream of ours is found, and what the configuration says.

    Parameters
    ----------
    streams : sequence of FoundStream
        Those that answered.
    library : int
        Version of liblsl.
    """
    configs = config_files(os.environ)
    settings, problems = read_config(Path(configs[0])) if configs else ({}, ())
    here = sum(s.host == this_host() for s in streams)
    number = settings.get("portrange", "32")
    return DiscoveryFacts(
        found_after_s=find_own(),
        library=library,
        configs=configs,
        problems=problems,
        session=settings.get("sessionid", "default"),
        scope=settings.get("resolvescope", "site").lower(),
        port_range=int(number) if number.isdecimal() else 32,
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


def config_files(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The configuration files that liblsl would read, the first one first (``api_config.cpp``)."""
    named = environment.get("LSLAPICFG", "")
    places = ([named] if named else []) + ["lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg"]
    existing = [p for p in (Path(place).expanduser() for place in places) if p.is_file()]
    return tuple(str(p) for p in dict.fromkeys(p.resolve() for p in existing))


def read_config(path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Settings by name in small letters, and what is wrong with the file."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig", errors="replace"))
    except (OSError, configparser.Error) as error:
        return {}, (" ".join(str(error).split()),)
    settings = {key.lower(): value.strip() for section in parser.sections() for key, value in parser.items(section)}
    problems = [f"{key} = {settings[key]!r} is no number" for key in NUMBERS if not settings.get(key, "1").isdecimal()]
    scope = settings.get("resolvescope", "site").lower()
    if scope not in SCOPES:
        problems.append(f"ResolveScope = {scope!r} is none of {', '.join(SCOPES)}")
    peers = settings.get("knownpeers", "{}")
    if not (peers.startswith("{") and peers.endswith("}")):
        problems.append(f"KnownPeers = {peers!r} must stand in braces: {{host1, host2}}")
    return settings, tuple(problems)
