"""Pictures of every scene for the documentation: ``python -m gui.stage.pictures [FOLDER]``. Needs no display and no session."""

from __future__ import annotations

import os
import sys
from pathlib import Path

SIZE = (640, 360)
COLUMNS = 3


def main(folder: Path) -> int:
    """One sheet of all scenes for each theme."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QRectF
    from PySide6.QtGui import QColor, QImage, QPainter
    from PySide6.QtWidgets import QApplication

    from gui import theme
    from gui.stage.look import Look, Scene
    from gui.stage.patch import Patch
    from gui.stage.surface import paint

    app = QApplication(sys.argv[:1])
    scenes: list[Scene] = all_scenes()
    rows = -(-len(scenes) // COLUMNS)
    for palette in theme.PALETTES.values():
        look = Look.of(palette)
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
    """One of each kind, in the order of a session."""
    from gui.stage.cues import Arrow, Word
    from gui.stage.cursor import Cursor
    from gui.stage.graz import Graz
    from gui.stage.neurofeedback import Thermometer
    from gui.stage.page import Page

    imagine = "Imagine the movement as you would feel it, from the cue on, until the cross goes away. Do not move."
    sides, four = ((-1.0, 0.0), (1.0, 0.0)), ((-1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, -1.0))
    return [
        Page(f"Block 1\n{imagine}"),
        Page("Go on when you are ready.", "Enter: go on"),
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
