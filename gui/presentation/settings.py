"""Settings of the participant's window, from the settings file of the windows and from the environment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from bci.errors import ConfigError
from gui.presentation.cues import KINDS
from gui.presentation.patch import CORNERS

ENVIRONMENT = "BCI_PARTICIPANT"
"""Environment variable with a JSON object of settings for one window only."""

TASKS = ("graz", "cursor1d", "cursor2d", "neurofeedback")
SURFACES = ("auto", "raster", "opengl")
FEEDBACKS = ("real", "sham", "yoked", "blind")


@dataclass(frozen=True, slots=True)
class PresentationSettings:
    """Under ``participant/`` in the windows' settings file.

    Parameters
    ----------
    display : str
        Name or number (from 1) of the display; empty: the second one where there are two.
    full : bool
        Over the whole display, or an ordinary window.
    beside : bool
        With one display only, share it with the other windows: they left, this one right.
    refresh_hz : float
        Refresh rate that the display should have; 0: any.
    surface : str
        ``"raster"``, ``"opengl"`` (frames follow the display), ``"auto"``: OpenGL where a graphics card does it.
    task : str
        ``"graz"``, ``"cursor1d"``, ``"cursor2d"``, ``"neurofeedback"``.
    class_ : str
        Neurofeedback: whose evidence is to be raised; empty: the first.
    cues : str
        ``"arrows"``, ``"words"``, ``"pictures"``.
    pictures : str
        Folder of pictures named by class.
    patch : str
        Corner of the photodiode's patch (``"top-left"`` …); empty: none.
    delay_ms, delay_sd_ms : float
        From a frame's stamp to its light, as a photodiode measured it; added to the stamps of markers.
    feedback : str
        ``"real"``, ``"sham"``, ``"yoked"``, or ``"blind"``: real or ``against``, and it is not known which.
    against : str
        What blind assignment draws against: ``"sham"`` or ``"yoked"``.
    yoked : str
        Recording of another person's session, whose evidence is shown.
    id : str
        Identifier of the presenter; empty: any.
    """

    display: str = ""
    full: bool = True
    beside: bool = False
    refresh_hz: float = 0.0
    surface: str = "auto"
    task: str = "graz"
    class_: str = ""
    cues: str = "arrows"
    pictures: str = ""
    patch: str = ""
    delay_ms: float = 0.0
    delay_sd_ms: float = 0.0
    feedback: str = "real"
    against: str = "sham"
    yoked: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        allowed = {"surface": SURFACES, "task": TASKS, "cues": KINDS, "patch": CORNERS, "feedback": FEEDBACKS,
                   "against": ("sham", "yoked")}  # fmt: skip
        problems = [
            f"participant/{name} = {getattr(self, name)!r}: must be one of {', '.join(repr(w) for w in words)}"
            for name, words in allowed.items()
            if getattr(self, name) not in words
        ]
        if "yoked" in (self.feedback, self.against if self.feedback == "blind" else "") and not self.yoked:
            problems.append("participant/yoked is empty: name the recording whose feedback is to be shown")
        if not (-100 <= self.delay_ms <= 1000 and self.delay_sd_ms >= 0 and 0 <= self.refresh_hz <= 1000):
            problems.append("participant: delay_ms must be -100 to 1000, delay_sd_ms at least 0, refresh_hz 0 to 1000")
        if problems:
            raise ConfigError(problems)


def read(value: Callable[[str], object], environment: Mapping[str, str]) -> PresentationSettings:
    """Read the settings; a value in the environment goes before one in the file.

    Parameters
    ----------
    value : callable
        Returns the value of a key; None if there is none.
    environment : mapping

    Raises
    ------
    ConfigError
        Lists what is wrong.
    """
    try:
        given = json.loads(environment.get(ENVIRONMENT) or "{}")
    except ValueError as error:
        raise ConfigError(f"{ENVIRONMENT} is not JSON ({error})") from error
    known = {field.name: field.type for field in fields(PresentationSettings)}
    unknown = [name for name in given if name not in known] if isinstance(given, dict) else [repr(given)]
    if unknown:
        raise ConfigError(f"{ENVIRONMENT}: {', '.join(unknown)}: there are {', '.join(known)}")
    kept: dict[str, object] = {}
    for name, kind in known.items():
        found = given.get(name, value(f"participant/{name.rstrip('_')}"))
        if found is not None:
            kept[name] = _typed(name, str(kind), found)
    return PresentationSettings(**kept)  # type: ignore[arg-type]


def _typed(name: str, kind: str, found: object) -> object:
    """Convert a value, which a settings file holds as text, to the type of its field."""
    if kind == "bool":
        return str(found).lower() in ("true", "1", "yes")
    try:
        return float(str(found)) if kind == "float" else str(found)
    except ValueError as error:
        raise ConfigError(f"participant/{name} = {found!r}: must be a number") from error
