"""Limits for how often and how strongly an actuator may be moved: rate, slew, repetition."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bci.engine.numbers import is_number, shown
from bci.errors import ConfigError

LONGEST_S = 3600


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """Limits of one actuator.

    Parameters
    ----------
    mode : {"discrete", "continuous"}
        Discrete: one command when a decision begins. Continuous: commands for as long as it lasts, with its
        confidence as the value.
    min_interval_s : float
        Shortest time between two commands.
    slew_per_s : float
        Continuous: fastest rise of the value, from 0 at the beginning of each decision. Falling is never slowed down.
    repeat_s : float
        Discrete: repeat the command this often while the decision stands, for a receiver with a timer of its own;
        0 for never.
    blanking_s : float
        After a command decoding is frozen for so long, because what the actuator does disturbs the signal
        (stimulation, motor noise); 0 for none.
    """

    mode: Literal["discrete", "continuous"] = "discrete"
    min_interval_s: float = 0.1
    slew_per_s: float = 2.0
    repeat_s: float = 0.0
    blanking_s: float = 0.0

    def __post_init__(self) -> None:
        problems = [
            f"pace.{name} = {shown(value)}: must be a number of seconds from 0 to {LONGEST_S}"
            for name, value in (
                ("min_interval_s", self.min_interval_s),
                ("repeat_s", self.repeat_s),
                ("blanking_s", self.blanking_s),
            )
            if not is_number(value) or not 0 <= value <= LONGEST_S
        ]
        if self.mode not in ("discrete", "continuous"):
            problems.append(f"pace.mode = {self.mode!r}: must be discrete or continuous")
        if not is_number(self.slew_per_s) or not self.slew_per_s > 0:
            problems.append(f"pace.slew_per_s = {shown(self.slew_per_s)}: must be a number above 0")
        if problems:
            raise ConfigError(problems)


class CommandPace:
    """Decides whether a command is due, and how strong it may be.

    Parameters
    ----------
    settings : PaceSettings
    """

    def __init__(self, settings: PaceSettings) -> None:
        self.settings = settings
        self._sent = -math.inf
        self.rest()

    def rest(self) -> None:
        """Take note that the actuator is at neutral: the next decision begins from 0."""
        self._decision, self._value = -1, 0.0

    def __call__(self, now: float, decision: int, confidence: float) -> float | None:
        """Decide whether a command is due for the decision that stands.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        decision : int
            Class index, not negative.
        confidence : float
            0 to 1.

        Returns
        -------
        float or None
            Value of the command, 0 to 1; None where no command is due.
        """
        if now - self._sent < self.settings.min_interval_s:
            return None
        value = self._discrete(now, decision) if self.settings.mode == "discrete" else self._slewed(now, decision, confidence)
        if value is not None:
            self._sent, self._decision, self._value = now, decision, value
        return value

    def _discrete(self, now: float, decision: int) -> float | None:
        repeat_s = self.settings.repeat_s
        again = repeat_s > 0 and now - self._sent >= repeat_s
        return 1.0 if decision != self._decision or again else None

    def _slewed(self, now: float, decision: int, confidence: float) -> float:
        same = decision == self._decision
        # A decision that begins has had no time to rise: it gets one interval's worth.
        passed_s = now - self._sent if same else self.settings.min_interval_s
        start = self._value if same else 0.0
        return min(1.0, max(0.0, confidence), start + self.settings.slew_per_s * passed_s)
