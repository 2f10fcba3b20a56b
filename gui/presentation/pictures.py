"""Pictures of every scene for the documentation: ``python -m gui.presentation.pictures [FOLDER]``.

It needs neither a display nor a session.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SIZE = (640, 360)
COLUMNS = 3


def main(folder: Path) -> int:
    """Write one sheet of all scenes for each theme.

    Parameters
    ----------
    folder : Path
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QRectF
    from PySide6.QtGui import QColor, QImage, QPainter
    from PySide6.QtWidgets import QApplication

    from gui import theme
    from gui.presentation.patch import Patch
    from gui.presentation.scene import Scene, SceneColours
    from gui.presentation.surface import paint

    app = QApplication(sys.argv[:1])
    scenes: list[Scene] = all_scenes()
    rows = -(-len(scenes) // COLUMNS)
    for palette in theme.PALETTES.values():
        look = SceneColours.of(palette)
        sheet = QImage(COLUMNS * SIZE[0], rows * SIZE[1], QImage.Format.Format_RGB888)
        sheet.fill(QColor(palette.line))
        for i, scene in enumerate(scenes):
            one = QImage(SIZE[0] - 4, SIZE[1] - 4, QImage.Format.Format_RGB888)
            paint(QPainter(one), QRectF(one.rect()), scene, Patch("top-left" if i == 2 else "", True), look)
            painter = QPainter(sheet)
            painter.drawImage(i % COLUMNS * SIZE[0] + 2, i // COLUMNS * SIZE[1] + 2, one)
            painter.end()
        sheet.save(str(folder / f"participant-scenes-{palette.name}.png"))
    app.quit()
    return 0


def all_scenes() -> list:  # type: ignore[type-arg]
    """Return one scene of each kind, in the order of a session."""
    from gui.presentation.cues import Arrow, Word
    from gui.presentation.cursor import Cursor
    from gui.presentation.graz import Graz
    from gui.presentation.instruction_page import InstructionPage
    from gui.presentation.neurofeedback import Thermometer

    imagine = "Imagine the movement as you would feel it, from the cue on, until the cross goes away. Do not move."
    sides, four = ((-1.0, 0.0), (1.0, 0.0)), ((-1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, -1.0))
    return [
        InstructionPage(f"Block 1\n{imagine}"),
        InstructionPage("Go on when you are ready.", "Enter: go on"),
        Graz(True, Arrow((1.0, 0.0))),
        Graz(True, Arrow((-1.0, 0.0)), (-0.62, 0.0)),
        Graz(True, Arrow((0.0, 1.0)), (0.0, 0.4)),
        Graz(True, Word("Subtraction"), (0.35, 0.0)),
        Cursor((0.45, 0.0), sides, (1.0, 0.0)),
        Cursor((0.9, 0.05), four, (1.0, 0.0), "hit", "✓"),
        Thermometer(0.64, 0.5, "Left hand"),
    ]


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "docs" / "screens"))
