"""Is this person's control better than chance, how good is it, and what would more trials give?

``docs/explanations/verdict.md`` has the rules. Nothing here chooses a band, a window, channels or a decoder outside the
cross-validation that estimates the accuracy.
"""

from bci.judging.judgement import Judgement
from bci.judging.verdict import Verdict

__all__ = ["Judgement", "Verdict"]
