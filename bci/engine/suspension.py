"""Reasons for not decoding windows although they are good: somebody has frozen decoding, or the engine is late."""

from __future__ import annotations

from bci.engine.outcome import Reason


class Suspension:
    """Who has frozen decoding, and up to which sample windows are skipped."""

    def __init__(self) -> None:
        self._frozen: dict[str, str] = {}
        self._skip_until = 0

    @property
    def frozen(self) -> dict[str, str]:
        """Who has frozen decoding and not resumed it, and why."""
        return dict(self._frozen)

    def freeze(self, why: str, by: str) -> None:
        """Decode nothing until the same ``by`` resumes."""
        self._frozen[by] = why

    def resume(self, by: str) -> None:
        """Decode again, unless somebody else has frozen decoding too."""
        self._frozen.pop(by, None)

    def skip(self, until: int) -> None:
        """Decode no window whose newest sample is not beyond ``until`` consumed samples."""
        self._skip_until = max(self._skip_until, until)

    def restart_counting(self) -> None:
        """Samples are counted from zero again, so nothing is skipped; what is frozen stays so."""
        self._skip_until = 0

    def reason(self, consumed: int) -> Reason:
        """Why a window that ends with this many samples consumed is not decoded; ``DECIDED`` where it may be."""
        if self._frozen:
            return Reason.FROZEN
        return Reason.SKIPPED if consumed <= self._skip_until else Reason.DECIDED
