"""How much an accuracy from a few dozen trials can be trusted."""

from __future__ import annotations

from scipy.stats import beta


def interval(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a proportion that holds for any sample size.

    Clopper and Pearson, Biometrika 26 (1934) 404: exact, so rather too wide than too narrow.

    Parameters
    ----------
    correct, n : int
    level : float

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> [round(x, 3) for x in interval(32, 40)]
    [0.644, 0.909]
    """
    tail = (1 - level) / 2
    low = 0.0 if correct == 0 else float(beta.ppf(tail, correct, n - correct + 1))
    high = 1.0 if correct == n else float(beta.ppf(1 - tail, correct + 1, n - correct))
    return low, high
