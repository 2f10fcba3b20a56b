"""Device, engine, actuator host and actuator on one virtual clock: what a fault of the signal does to what may move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guard_parts import HostRig
from live_rig import START_S, Rig

from bci.engine import guard as g
from bci.stream.bus import Source

SETTLED_S = 4.0


class Chain:
    """A person who arms, and everything behind them.

    Parameters
    ----------
    source : Source
    settings, pace, table : optional
        As :class:`guard_parts.HostRig` takes them.
    **options : object
        As :class:`live_rig.Rig` takes them.
    """

    def __init__(
        self,
        source: Source,
        settings: g.GuardSettings | None = None,
        pace: g.PaceSettings | None = None,
        table: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.host = HostRig(settings, pace, table)
        self.rig = Rig(source, on=(self.host.clock, self.host.bus), **options)
        self.clock = self.host.clock
        self.hangs = False
        self.host.engine = self.rig.loop._streams.decisions
        self.host.connect()
        self.clock.add(self._work())

    def _work(self) -> Iterator[float]:
        """The host, beside the engine; while it hangs it does nothing."""
        while True:
            yield self.clock.now() + (0.005 if self.hangs else 0.0)
            if not self.hangs:
                self.host.host.step()

    def run(self, seconds: float) -> Chain:
        """Let all of them work."""
        self.rig.run(seconds)
        return self

    def stand_still(self, seconds: float) -> Chain:
        """The engine does nothing for so long, while time passes and all others work."""
        self.clock.wait_until(self.clock.now() + seconds)
        return self

    def arm(self) -> Chain:
        """A person arms."""
        self.host.window.push(self.host.signer.line("arm", proof=_proof(self.host), by="person", actuator=""))
        return self

    def active(self) -> Chain:
        """Decisions move the actuator."""
        self.run(SETTLED_S).arm().run(0.5)
        assert self.state == "active", (self.state, self.host.guard.why)
        return self

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self.clock.now() - START_S

    @property
    def state(self) -> str:
        """Of the guard."""
        return str(self.host.guard.state)

    def changes(self) -> list[tuple[float, str, str]]:
        """When the guard went into which state, seconds since the start, and why."""
        said = [(m["at"] - START_S, m["state"], m["why"]) for m in self.host.heard("guard", "guard")]
        return [one for before, one in zip([(0.0, "", ""), *said], said, strict=False) if before[1] != one[1]]

    def moved(self, start_s: float, stop_s: float = 1e9) -> list[float]:
        """When the actuator was told to move, seconds since the start."""
        return [m["at"] - START_S for m in self.host.heard("commands", "command") if start_s < m["at"] - START_S <= stop_s]

    def first(self, state: str, after_s: float) -> float:
        """When the guard first was in a state after a time; fails where it never was."""
        return next(at for at, name, _ in self.changes() if name == state and at >= after_s)


def _proof(host: HostRig) -> str:
    from guard_parts import TOKEN

    from bci.actuation.arming import proof

    return proof(TOKEN, host.nonce)
