"""The list of models that can decode a recording again."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QComboBox, QFileDialog

from gui.replay.values import ReplayRecording
from gui.sanitise import sanitise

FILES = "Models (*.safetensors)"
OWN = "the session's own model"
CHOOSE = "another model …"


class ModelChoice(QComboBox):
    """Offers the session's own model, those beside the recording, and any other file."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("model")
        self.setMinimumContentsLength(26)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.activated.connect(self._chosen)

    @property
    def undecided(self) -> bool:
        """Whether no model is chosen: the entry that asks for a file is marked."""
        return bool(self.currentData() == CHOOSE)

    def show_models(self, opened: ReplayRecording) -> None:
        """Offer the models of a recording.

        Parameters
        ----------
        opened : ReplayRecording
            The open recording.
        """
        self.clear()
        if opened.recorded is not None:
            self.addItem(OWN, None)
        for path in opened.models:
            self.addItem(sanitise(path.name, 60), path)
        self.addItem(CHOOSE, CHOOSE)

    def use(self, path: Path) -> None:
        """Choose this model file, which need not be in the list yet.

        Parameters
        ----------
        path : Path
        """
        place = next((i for i in range(self.count()) if self.itemData(i) == path), -1)
        if place < 0:
            place = self.count() - 1
            self.insertItem(place, sanitise(path.name, 60), path)
        self.setCurrentIndex(place)

    def _chosen(self, _index: int) -> None:
        """Ask for a file where another model is wanted."""
        if not self.undecided:
            return
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", FILES)
        if path:
            self.use(Path(path))
        else:
            self.setCurrentIndex(0)
