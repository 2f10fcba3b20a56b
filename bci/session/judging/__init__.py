"""Is this person's control better than chance, how good is it, and what would more trials give?

``docs/verdict.md`` has the rules. Nothing here chooses a band, a window, channels or a decoder outside the
cross-validation that estimates the accuracy.
"""

from bci.session.judging.judge import Judgement
from bci.session.judging.verdict import Verdict

__all__ = ["Judgement", "Verdict"]
