"""A window: the class that was decided last, in large letters, for a second screen."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.text import Label

STALE_S = 0.25


class DecisionWindow(QWidget):
    TITLE = "Decision"

    def __init__(self, context):
        super().__init__()
        self._feed = context.feed
        self.setWindowTitle("bci – decision")
        self.resize(640, 360)
        self.word = Label("", "huge")  # a label that takes no text for markup
        self.word.setAlignment(Qt.AlignmentFlag.AlignCenter)
        QVBoxLayout(self).addWidget(self.word)
        context.ticked.connect(self._show)  # about 30 times a second

    def _show(self):
        self.word.tell(self._decided())

    def _decided(self):
        rows = self._feed.decisions
        if rows is None or not len(rows) or self._feed.now() - rows.times(1)[-1] > STALE_S:
            return "no session"
        index, classes = int(rows.last("decision")), self._feed.session.classes  # -1 is neutral
        return classes[index] if 0 <= index < len(classes) else "neutral"
