"""Sections ``source``, ``decoder`` and ``actuator``: which plug-ins are used, and their settings."""

from __future__ import annotations

from pydantic import Field

from bci.settings.section import Scalar, SettingsSection


class SourceSection(SettingsSection):
    """Which device is started (section ``source``).

    Parameters
    ----------
    name : str
        Of a source plug-in.
    settings : dict
        For the plug-in, which checks them.
    """

    name: str = "simulated"
    settings: dict[str, Scalar] = Field(default_factory=dict)


class DecoderSection(SettingsSection):
    """Which decoder is trained (section ``decoder``).

    Parameters
    ----------
    name : str
        Of a decoder plug-in.
    settings : dict
        For the plug-in, which checks them.
    """

    name: str = "ts-lr"
    settings: dict[str, Scalar] = Field(default_factory=dict)


class ActuatorSection(SettingsSection):
    """Which actuator is moved, with a guard of its own (section ``actuator``).

    Parameters
    ----------
    name : str
        Of an actuator plug-in; empty for none.
    settings : dict
        For the plug-in, which checks them.
    commands : dict of str to str
        Command for each class; a class that is not named has a command of its own name.
    """

    name: str = ""
    settings: dict[str, Scalar | dict[str, Scalar]] = Field(default_factory=dict)
    commands: dict[str, str] = Field(default_factory=dict)
