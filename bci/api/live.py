"""A live session from Python: the processes of ``bci run``, started and stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bci.api.configuration import configure, overrides_of
from bci.api.listening import FIND_S, Decisions
from bci.model.file import load_model
from bci.session.plan import SessionPlan, actuator_words, simulated_words, source_words
from bci.session.run import LiveSession

LOOK_S = 0.1


class RunningSession:
    """A live session. Device, recorder, engine and actuator host are separate processes. Use it as a context manager.

    Parameters
    ----------
    plan : SessionPlan
    tell : callable
        Told what a person should know.

    Attributes
    ----------
    name : str
        Of its streams.
    """

    def __init__(self, plan: SessionPlan, tell: Callable[[str], object]) -> None:
        self.name = plan.config.engine.name
        self._tell = tell
        self._session = LiveSession(plan, tell=tell)

    @property
    def recording(self) -> Path:
        """The newest recording."""
        return self._session.recording

    @property
    def failures(self) -> list[str]:
        """What was lost, or failed at the end; known when the session has been stopped."""
        return self._session.failures

    def __enter__(self) -> Self:
        self._session.__enter__()
        for warning in self._session.warnings:
            self._tell(f"warning: {warning}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def wait(self, seconds: float) -> bool:
        """Let the session run for some time, and start again any process that dies.

        Parameters
        ----------
        seconds : float
            How long to wait at most.

        Returns
        -------
        bool
            False where the session has ended before.
        """
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s and not self._session.ended:
            time.sleep(LOOK_S)
            for news in self._session.check():
                self._tell(news)
        return not self._session.ended

    def decisions(self, timeout_s: float = FIND_S) -> Decisions:
        """Return the decisions of this session (:func:`bci.listen`).

        Parameters
        ----------
        timeout_s : float
            Time in which the engine must be found, and longest time without a decision before the iteration ends, seconds.

        Returns
        -------
        Decisions
        """
        return Decisions(self._session.stream_query("decisions"), timeout_s)

    def mark(self, *channels: str, bad: bool = True) -> None:
        """Tell the engine not to use some channels, or to use them again.

        Parameters
        ----------
        *channels : str
            Labels, as the model names them.
        bad : bool
            False to trust them again.
        """
        self._session.control("mark", labels=list(channels), bad=bad)

    def stop(self) -> None:
        """End the session: the actuator goes to neutral first, and the recording is completed. May be called twice."""
        self._session.stop()


def run(
    model: Path | str,
    file: Path | str | None = None,
    *,
    preset: str | None = None,
    simulate: bool = False,
    skill: float = 0.8,
    seed: int = 1,
    tell: Callable[[str], object] = print,
    **sections: Mapping[str, object],
) -> RunningSession:
    """Start a live session. Use it in a ``with`` statement, which stops the session.

    An actuator of the section ``actuator`` is started disarmed; it is armed by a person, in the operator window.

    Parameters
    ----------
    model : Path or str
    file : Path or str, optional
        TOML file with settings.
    preset : str, optional
    simulate : bool
        Start a simulated person with the channels and classes of the model, instead of looking for an amplifier.
    skill : float
        Of the simulated person, 0 to 1.
    seed : int
        Of the simulated person.
    tell : callable
        Told what a person should know.
    **sections : mapping of str to object
        Settings by section, as for :func:`bci.configure`.

    Returns
    -------
    RunningSession

    Raises
    ------
    bci.errors.ConfigError
        If settings are wrong: every one with its value and what is allowed. A session has no duration: use
        :meth:`RunningSession.wait`.

    Examples
    --------
    >>> with run("left-right.safetensors", simulate=True, record={"out": "recordings"}) as session:  # doctest: +SKIP
    ...     session.wait(10.0)
    """
    path = Path(model)
    config, header = configure(file, preset=preset, **sections), load_model(path).header
    given = {"preset": preset, "config": file}
    options = [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]
    options += [word for key, value in overrides_of(sections).items() for word in ("--set", f"{key}={value}")]
    device: tuple[str, ...] = ()
    source = config.stream.query().words()
    if simulate:
        device, source = simulated_words(header, skill, seed, config.markers.stream), "name=simulated"
    elif config.source.name:
        device = source_words(config)
    plan = SessionPlan(path, config, tuple(options), source, device, actuator_words(config), begin_again=True)
    return RunningSession(plan, tell)
