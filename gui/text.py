"""Labels that show markup as plain text."""

from __future__ import annotations

from functools import lru_cache
from html import escape

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPaintEvent, QStaticText
from PySide6.QtWidgets import QLabel, QSizePolicy, QStylePainter, QWidget

from gui.sanitise import LONGEST, sanitise

LONGEST_WRAPPED = 600


class Label(QLabel):
    """A label that shows markup as the text it is.

    Parameters
    ----------
    text : str
    role : str
        Look, by the style sheet: ``title``, ``value``, ``muted``, ``big``, ``huge``, ``good``, ``warn``, ``bad``, ``alarm``,
        ``loud``; empty: plain.
    wrap : bool
        Break lines.
    elastic : bool
        Take the width that there is, and end in "…" if the text is longer.
    """

    def __init__(
        self, text: str = "", role: str = "", wrap: bool = False, elastic: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._elastic = elastic
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)
        self.setWordWrap(wrap)
        self.setProperty("role", role)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        if elastic:
            self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        elif not wrap:
            self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        """An elastic label can be as narrow as a few letters."""
        hint = super().minimumSizeHint()
        return QSize(min(hint.width(), 40), hint.height()) if self._elastic else hint

    def tell(self, text: object, role: str | None = None) -> None:
        """Show a sanitised text, and change the role if one is given.

        Parameters
        ----------
        text : object
        role : str or None, optional
            Role in the style sheet; None keeps it.
        """
        line = sanitise(text, LONGEST_WRAPPED if self.wordWrap() else LONGEST)
        if line != self.text():
            self.setText(line)
        if role is not None and role != self.property("role"):
            self.setProperty("role", role)
            self.style().unpolish(self)
            self.style().polish(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the label; an elastic one that is too narrow ends in "…" and has the whole text as its tool tip."""
        room = self.contentsRect()
        if not self._elastic or self.fontMetrics().horizontalAdvance(self.text()) <= room.width():
            super().paintEvent(event)
            return
        self.setToolTip(f"<qt>{escape(self.text())}</qt>")
        painter = QStylePainter(self)
        short = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room.width())
        painter.drawItemText(room, int(self.alignment()), self.palette(), self.isEnabled(), short, self.foregroundRole())


@lru_cache(maxsize=256)
def still_text(text: str) -> QStaticText:
    """Return a text for painting in many frames, which is laid out once. It is never taken for markup.

    Parameters
    ----------
    text : str
    """
    made = QStaticText(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made
