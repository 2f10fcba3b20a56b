"""Supervision of a session's processes: a process that is silent for too long hangs, and is ended."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from bci.safe_io.printable import printable

TOLD_S = 2.0
"""After this silence of a process, seconds, a person is told; that of a required recorder is a doubt."""
KILLED_S: Mapping[str, float] = {"engine": 5.0, "actuator": 5.0, "device": 5.0, "recorder": 45.0}
"""After this silence, seconds, a process is ended. What a recorder holds is lost with it, so it is given the longest time."""
START_S = 90.0
"""A process that has not sent any sign of life yet is given this long, seconds; whoever waits for it gives up sooner."""
WRITE_S = 4.0
"""A write that takes longer keeps the recording from the disk."""
EVERY_S = 0.2
TURN_S = 2.0
"""The session's own loop hangs if it has not turned for so long, and says nothing to the actuator host any more."""
AWAKE_S = 0.5
"""Longest turn of ours that counts as a silence of others: in a longer one it was us, or the whole computer, that stood still."""
RECORDING = "recording"


class WatchedProcess(Protocol):
    """A process that says how far it is (:class:`~bci.processes.child.Child`)."""

    sign_of_life: dict[str, Any]
    sign_of_life_s: float
    fate: str

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        ...

    def kill(self, fate: str) -> None:
        """End it at once.

        Parameters
        ----------
        fate : str
            Why, for its obituary.
        """
        ...


class Silences:
    """How long others have been silent, in seconds in which we were awake ourselves."""

    def __init__(self) -> None:
        self._looked = 0.0
        self._silent: dict[int, tuple[float, float]] = {}

    def look(self, now: float, heard: Mapping[int, float]) -> dict[int, float]:
        """Measure the silence of each process.

        Parameters
        ----------
        now : float
        heard : mapping of int to float
            When each was heard last, on any clock.

        Returns
        -------
        dict of int to float
            Seconds of silence by the same keys.
        """
        awake_s = min(max(0.0, now - self._looked), AWAKE_S)
        self._looked = now
        found: dict[int, tuple[float, float]] = {}
        for one, at in heard.items():
            known, so_far = self._silent.get(one, (at, -awake_s))
            found[one] = (at, so_far + awake_s if at == known else 0.0)
        self._silent = found
        return {one: silent for one, (_, silent) in found.items()}


class Supervision:
    """Looks at a session's processes several times a second, and tells the actuator host that somebody does.

    In a thread of its own, because the session's own loop may be busy for long; but where that loop neither turns nor is in
    a wait that it has announced, nothing is sent to the actuator host, for which the silence is a doubt.

    Parameters
    ----------
    children : callable
        The processes at present, by name.
    send : callable
        Sends a control message.
    required : bool
        Whether nothing may be moved without a recording.
    """

    def __init__(self, children: Callable[[], Mapping[str, WatchedProcess]], send: Callable[..., object], required: bool) -> None:
        self._children, self._send, self._required = children, send, required
        self._silences = Silences()
        self._news: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._told: set[int] = set()
        self._doubt, self._recorded = "", False
        self._turned, self._waits = time.monotonic(), 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervision", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self.turned()
        self._thread.start()

    def turned(self) -> None:
        """The session's own loop has turned."""
        self._turned = time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within: the session's own loop waits for something, and knows it."""
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            self.turned()

    def news(self) -> list[str]:
        """Take what a person should know since the last call.

        Returns
        -------
        list of str
        """
        return [self._news.get() for _ in range(self._news.qsize())]

    def close(self) -> None:
        """Stop looking. May be called twice."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        failed = ""
        while not self._ending.wait(EVERY_S):
            try:
                self.look(time.monotonic())
            except Exception as error:  # top of a thread: it must not end unnoticed; the host hears no sign of life meanwhile
                before, failed = (
                    failed,
                    f"supervision failed ({type(error).__name__}: {error}); nothing moves until it works again",
                )
                if failed != before:
                    self._news.put(failed)

    def look(self, now: float) -> None:
        """One look at all processes; end what hangs, and say to the host that they were looked at.

        Parameters
        ----------
        now : float
            ``time.monotonic()``.
        """
        children = {name: child for name, child in self._children().items() if child.alive}
        silent = self._silences.look(now, {id(child): child.sign_of_life_s for child in children.values()})
        for name, child in children.items():
            self._judge(name, child, silent.get(id(child), 0.0))
        self._told &= {id(child) for child in children.values()}
        recorder = children.get("recorder")
        self._recorded = self._recorded or recorder is not None
        wanted = self._required and self._recorded
        doubt = self._doubt_of(recorder, silent.get(id(recorder), 0.0)) if wanted else ""
        if doubt != self._doubt:
            self._doubt = doubt
            self._news.put(f"recording: {doubt}" if doubt else "recording: continues")
        if self._waits or now - self._turned < TURN_S:
            self._send("alive", doubt=doubt, cause=RECORDING if doubt else "")

    def _judge(self, name: str, child: WatchedProcess, silent_s: float) -> None:
        """Tell and end a process that is silent."""
        limit_s = KILLED_S[name] if child.sign_of_life else START_S
        if silent_s >= limit_s and not child.fate:
            child.kill(f"gave no sign of life for {limit_s:g} s, and was ended")
        elif child.sign_of_life and silent_s >= TOLD_S and id(child) not in self._told:
            self._told.add(id(child))
            self._news.put(f"{name} hangs: it has given no sign of life for {TOLD_S:g} s. After {limit_s:g} s it is ended.")
        elif silent_s < TOLD_S and id(child) in self._told:
            self._told.discard(id(child))
            self._news.put(f"{name} gives signs of life again")

    def _doubt_of(self, recorder: WatchedProcess | None, silent_s: float) -> str:
        """Why nothing may be moved on account of the recording; empty where it goes to the disk."""
        if recorder is None:
            return "there is no recorder"
        if recorder.sign_of_life and silent_s >= TOLD_S:
            return f"the recorder has given no sign of life for {TOLD_S:g} s"
        if float(recorder.sign_of_life.get("write_s", 0.0)) > WRITE_S:
            return f"the disk has not answered for {WRITE_S:g} s; new data are kept in memory"
        return printable(recorder.sign_of_life.get("doubt", ""))
