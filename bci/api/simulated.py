"""A simulated person: a calibration, a live session, for a first try and for tests; and any other source by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bci import plugins
from bci.api.configuration import configure, with_classes
from bci.api.recordings import Recording, read_recording
from bci.model.file import load_model
from bci.paradigm.timeline import CLASS_CODES, CueTimeline, short
from bci.settings import SessionConfig
from bci.simulation.simulate import CUES, Subject, record_virtually
from bci.simulation.virtual import run_virtually
from bci.stream.bus import Source
from bci.stream.clock import VirtualClock

CLASSES = ("left_hand", "right_hand")
START_S = 1000.0


def simulate(
    path: Path | str,
    *,
    classes: tuple[str, ...] = CLASSES,
    trials_per_class: int = 20,
    config: SessionConfig | None = None,
    **settings: object,
) -> Recording:
    """Record the calibration of a simulated person, faster than real time.

    Parameters
    ----------
    path : Path or str
        XDF file to write; must not exist.
    classes : tuple of str
        What the person imagines.
    trials_per_class : int
    config : SessionConfig, optional
        By which the recording is read afterwards.
    **settings : object
        Of the person and the amplifier: ``skill`` (0 to 1), ``seed``, ``channels``, ``rate_hz`` and the others of
        :class:`devices.simulated_settings.SimulatedSettings`.

    Returns
    -------
    Recording
        With a table of the classes' markers.

    Raises
    ------
    bci.errors.ConfigError
        If a setting is unknown or wrong.
    """
    clock = VirtualClock(START_S)
    person, timeline = _person(classes, {"channels": 8, **settings}, clock, trials_per_class)
    record_virtually(person, clock, timeline, Path(path))
    return read_recording(path, config or _usual(), classes=_table(classes))


def simulate_session(
    path: Path | str,
    model: Path | str,
    *,
    trials_per_class: int = 4,
    config: SessionConfig | None = None,
    **settings: object,
) -> Recording:
    """Record a live session of a simulated person, faster than real time: cues, decoding, outcomes and decisions.

    The engine, its loop and the recorder are those of :func:`bci.run`; only the clock is a virtual one. The recording can be
    verified like any other (:func:`bci.verify`).

    Parameters
    ----------
    path : Path or str
        XDF file to write; must not exist.
    model : Path or str
        Model file (:meth:`bci.Decoder.save`). The person's channels, rate and classes are those of the model.
    trials_per_class : int
    config : SessionConfig, optional
        Settings of the session, by which the recording is read afterwards too.
    **settings : object
        Of the person and the amplifier, as for :func:`bci.simulate`. Another ``seed`` than in the calibration is another day.

    Returns
    -------
    Recording
        With a table of the classes' markers.

    Raises
    ------
    bci.errors.ModelError
        If the model file cannot be read.
    bci.errors.ConfigError
        If a setting is unknown or wrong.
    """
    clock, loaded = VirtualClock(START_S), load_model(model)
    header = loaded.header
    p = header.preprocessing
    given = {"channels": p.labels, "rate_hz": p.rate_hz, "seed": 2, **settings}
    person, timeline = _person(header.classes, given, clock, trials_per_class)
    used = with_classes(config or _usual(), _table(header.classes))
    used = used.model_copy(update={"markers": used.markers.model_copy(update={"stream": CUES})})
    run_virtually(person, clock, timeline, loaded, used, Path(path))
    return read_recording(path, used)


def open_source(name: str, **settings: object) -> Source:
    """Open a device, or the simulated person, by the name under which it is registered, in real time.

    Parameters
    ----------
    name : str
        For instance ``"simulated"`` or ``"cyton"``; a plug-in of yours is found in the same way.
    **settings : object
        Of the source.

    Returns
    -------
    Source
        ``read(timeout_s)`` returns the samples that have come, ``info`` describes the stream, ``close()`` releases the device.

    Raises
    ------
    bci.errors.PluginError
        If nothing is registered under this name; says what is.
    bci.errors.ConfigError
        If a setting is unknown or wrong.
    """
    opened: Source = plugins.load(plugins.SOURCES, name).from_settings(settings)
    return opened


def _person(
    classes: tuple[str, ...], settings: Mapping[str, object], clock: VirtualClock, trials_per_class: int
) -> tuple[Subject, CueTimeline]:
    """A simulated person, and trials in an order that follows from the same seed."""
    person: Subject = plugins.load(plugins.SOURCES, "simulated").from_settings({"classes": classes, **settings}, clock)
    return person, short(classes, trials_per_class, int(str(settings.get("seed", 1))))


def _table(classes: tuple[str, ...]) -> dict[str, str]:
    """Class of each cue's marker."""
    return {str(CLASS_CODES[name]): name for name in classes}


def _usual() -> SessionConfig:
    """Windows of two seconds within the trials of the simulation."""
    return configure(trial={"start_s": 0.5, "stop_s": 2.5}, preprocessing={"window_s": 2.0})
