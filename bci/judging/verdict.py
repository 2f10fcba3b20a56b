"""The verdict: one word by written rules (docs/explanations/verdict.md), with the evidence."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bci.errors import ConfigError
from bci.judging.settings import target
from bci.safe_io.json_values import from_json, parse

WORKS, MORE, UNLIKELY = "works", "more", "unlikely"
WORDS = (WORKS, MORE, UNLIKELY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person is told after the trials so far were judged.

    Parameters
    ----------
    word : str
        ``works``, ``more`` or ``unlikely``.
    accuracy, low, high : float
        Of the procedure that chose the decoder, nested cross-validation, with the exact interval.
    chance : float
        Of always saying the commonest class.
    p_value : float
        That signals without any relation to the classes would look as good.
    alpha : float
        What the p-value had to stay below at this look.
    more : int
        Trials still needed; 0 where none would help.
    ceiling : float
        Upper bound of the accuracy that the planned number of trials will give.
    candidate : str
        What was chosen.
    advice : tuple of str
        What to check or change, most important first.
    """

    word: str
    accuracy: float
    low: float
    high: float
    chance: float
    p_value: float
    alpha: float
    more: int
    ceiling: float
    candidate: str
    advice: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.word not in WORDS:
            raise ConfigError(f"word = {self.word!r}: must be one of {', '.join(WORDS)}")

    def line(self) -> str:
        """The verdict in one line.

        >>> Verdict("works", 0.78, 0.69, 0.86, 0.5, 0.0002, 0.001, 0, 0.9, "ts-lr 8–30 Hz 0.5–2.5 s").line()
        'works: 78 % correct (interval 69–86, chance 50), p = 0.0002, ts-lr 8–30 Hz 0.5–2.5 s'
        """
        found = f"{_percent(self.accuracy)} % correct (interval {_percent(self.low)}–{_percent(self.high)}, "
        found += f"chance {_percent(self.chance)})"
        if self.word == WORKS:
            return f"works: {found}, p = {self.p_value:.2g}, {self.candidate}"
        because = f": {self.advice[0]}" if self.advice else ""
        if self.word == MORE:
            asked = f"{self.more} more trials: so far" if self.more else "not believed:"
            return f"{asked} {found}, p = {self.p_value:.2g}{because}"
        wanted = _percent(target(self.chance))
        return f"unlikely to reach {wanted} %: {found}, upper bound {_percent(self.ceiling)}{because}"

    def to_json(self) -> str:
        """As one JSON object."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Verdict:
        """The verdict that :meth:`to_json` wrote.

        Parameters
        ----------
        text : str
            One JSON object.

        Returns
        -------
        Verdict

        Raises
        ------
        ConfigError
            If the text is no verdict.
        """
        return from_json(Verdict, parse(text, "verdict"), "verdict")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the verdict depends on.

    Parameters
    ----------
    n, planned : int
        Trials now, and at most.
    enough : bool
        Whether there are enough to say "unlikely".
    last : bool
        Whether this is the last look.
    low : float
        Lower end of the accuracy's interval.
    chance : float
    p_value, alpha : float
    ceiling : float
    fair : bool
        Whether the order of the classes and the nulls allow the accuracy to be believed.
    """

    n: int
    planned: int
    enough: bool
    last: bool
    low: float
    chance: float
    p_value: float
    alpha: float
    ceiling: float
    fair: bool


def word(e: Evidence) -> str:
    """Apply the rules of docs/explanations/verdict.md.

    Parameters
    ----------
    e : Evidence
        All that the rules ask for.

    Returns
    -------
    str
    """
    reachable = e.ceiling >= target(e.chance)
    if e.p_value <= e.alpha and e.low > e.chance and reachable and e.fair:
        return WORKS
    over = e.last or e.n >= e.planned
    return UNLIKELY if over or (e.enough and not reachable) else MORE


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"
