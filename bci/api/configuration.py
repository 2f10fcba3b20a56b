"""Settings from a preset, a file and arguments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bci.config import load_config
from bci.errors import ConfigError
from bci.settings import SessionConfig

TIMES = ("seconds", "duration", "duration_s", "time", "time_s", "timeout", "timeout_s")
"""What people call the time of a session, which is no setting of :func:`bci.run`."""


def configure(file: Path | str | None = None, *, preset: str | None = None, **sections: Mapping[str, object]) -> SessionConfig:
    """Return the settings of a session; settings that are not given have their defaults.

    Parameters
    ----------
    file : Path or str, optional
        TOML file, as for ``--config`` on the command line.
    preset : str, optional
        Name of a preset, for instance ``"motor-imagery"``. The file wins over it, and the sections win over both.
    **sections : mapping of str to object
        Settings by section, as the configuration file names them.

    Returns
    -------
    SessionConfig

    Raises
    ------
    bci.errors.ConfigError
        With every problem at once: where it stands, its value, and what is allowed.

    Examples
    --------
    >>> config = configure(markers={"table": {"769": "left", "770": "right"}}, decoder={"name": "csp-lda"})
    >>> config.decoder.name
    'csp-lda'
    """
    return load_config(file, overrides_of(sections), preset=preset)


def overrides_of(sections: Mapping[str, object]) -> dict[str, str]:
    """Each setting of some sections as ``--set`` takes it: ``"section.key"`` to its value.

    Parameters
    ----------
    sections : mapping of str to mapping of str to object
        Settings by section, as the configuration file names them.

    Raises
    ------
    bci.errors.ConfigError
        If a section is not a mapping; names every such argument with its value.
    """
    found: dict[str, str] = {}
    problems: list[str] = []
    for section, values in sections.items():
        if not isinstance(values, Mapping):
            problems.append(_no_section(section, values))
            continue
        for key, value in values.items():
            if isinstance(value, Mapping):
                found |= {f"{section}.{key}.{inner}": _toml(one) for inner, one in value.items()}
            else:
                found[f"{section}.{key}"] = _toml(value)
    if problems:
        raise ConfigError(problems)
    return found


def with_classes(config: SessionConfig, classes: Mapping[str, str] | None) -> SessionConfig:
    """The settings with a table of markers of one's own, where it is given.

    Parameters
    ----------
    config : SessionConfig
    classes : mapping of str to str or None
        Class of each marker.
    """
    if classes is None:
        return config
    table = {str(marker): name for marker, name in classes.items()}
    return config.model_copy(update={"markers": config.markers.model_copy(update={"table": table})})


def _no_section(name: str, value: object) -> str:
    """Message for an argument that should have been the settings of a section."""
    example = "record={'out': 'recordings'}"
    wait = f"; to let a session run for some time, call session.wait({value!r})" if name in TIMES else ""
    return f"{name} = {value!r}: must be a mapping with the settings of a section, for instance {example}{wait}"


def _toml(value: object) -> str:
    """A value as a configuration file would spell it; JSON is TOML for all that a setting may be."""
    return json.dumps(value, ensure_ascii=False, default=str)
