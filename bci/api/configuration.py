"""Settings from a preset, a file and arguments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bci.config import load_config
from bci.settings import SessionConfig


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


def overrides_of(sections: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Each setting of some sections as ``--set`` takes it: ``"section.key"`` to its value.

    Parameters
    ----------
    sections : mapping of str to mapping of str to object
        Settings by section, as the configuration file names them.
    """
    found: dict[str, str] = {}
    for section, values in sections.items():
        for key, value in values.items():
            if isinstance(value, Mapping):
                found |= {f"{section}.{key}.{inner}": _toml(one) for inner, one in value.items()}
            else:
                found[f"{section}.{key}"] = _toml(value)
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


def _toml(value: object) -> str:
    """A value as a configuration file would spell it; JSON is TOML for all that a setting may be."""
    return json.dumps(value, ensure_ascii=False, default=str)
