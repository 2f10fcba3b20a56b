"""Colours, fonts and the style sheet, light and dark, safe for colour-blind people.

Classes and states use the eight colours of Okabe and Ito (jfly.uni-koeln.de/color, 2008), which people with any
common colour vision tell apart; on dark ground the darker ones are lightened. Maps use cividis (Nuñez, Anderton and
Renslow, PLoS ONE 13, 2018, e0199239). No information is given by colour alone: words and shapes go with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

FAMILIES = ("Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "DejaVu Sans")
POINT_SIZE = 9.5
_CIVIDIS = "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme, as ``#rrggbb``.

    Parameters
    ----------
    name : str
        ``"light"`` or ``"dark"``.
    ground, surface, raised : str
        Behind everything; behind panels; behind fields and buttons.
    ink, muted, line : str
        Text; less important text; borders and grids.
    trace : str
        Signals.
    accent, good, warn, bad : str
    stop : str
        Ground of the emergency stop.
    classes : tuple of str
        One for each class, in order.
    """

    name: str
    ground: str
    surface: str
    raised: str
    ink: str
    muted: str
    line: str
    trace: str
    accent: str
    good: str
    warn: str
    bad: str
    stop: str
    classes: tuple[str, ...]

    def of_class(self, index: int) -> str:
        """Colour of a class.

        Parameters
        ----------
        index : int
            Number of the class.
        """
        return self.classes[index % len(self.classes)]


LIGHT = Palette(
    "light", "#eef1f4", "#ffffff", "#f5f7f9", "#18222d", "#5a6773", "#d4dae1", "#24415c", "#0072b2", "#00795a", "#a86400",
    "#c24e00", "#b8321a", ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5a6773", "#000000"),
)  # fmt: skip
DARK = Palette(
    "dark", "#12171d", "#1a2129", "#242d37", "#e8edf2", "#9aa8b5", "#35404c", "#a9c7e2", "#56b4e9", "#2fc797", "#f0b03f",
    "#ff8a47", "#c8391f", ("#56b4e9", "#ff8a47", "#2fc797", "#e59cc4", "#f0b03f", "#8fd0f5", "#9aa8b5", "#f0e442"),
)  # fmt: skip
PALETTES = {"light": LIGHT, "dark": DARK}


def colour_map(n: int = 256) -> npt.NDArray[np.uint8]:
    """Cividis as a table of red, green and blue, shape (n, 3).

    Parameters
    ----------
    n : int, optional
        How many.
    """
    known = np.array([[int(word[i : i + 2], 16) for i in (0, 2, 4)] for word in _CIVIDIS.split()], dtype=float)
    at = np.linspace(0, len(known) - 1, n)
    return np.stack([np.interp(at, np.arange(len(known)), known[:, i]) for i in range(3)], axis=1).round().astype(np.uint8)


def font(point_size: float = POINT_SIZE, bold: bool = False) -> QFont:
    """Return the font of the program in a size.

    Parameters
    ----------
    point_size : float, optional
        Points.
    bold : bool, optional
    """
    made = QFont(_family())
    made.setPointSizeF(point_size)
    made.setBold(bold)
    return made


@cache
def _family() -> str:
    """Return the first of our font families that is installed."""
    known = set(QFontDatabase.families())
    return next((f for f in FAMILIES if f in known), QApplication.font().family())


def colour(name: str, alpha: int = 255) -> QColor:
    """A colour of the palette, with opacity 0 to 255.

    Parameters
    ----------
    name : str
        ``#rrggbb``.
    alpha : int, optional
        Opacity, 0 to 255.
    """
    made = QColor(name)
    made.setAlpha(alpha)
    return made


def apply(app: QApplication, palette: Palette) -> None:
    """Apply a palette to the whole program.

    Parameters
    ----------
    app : QApplication
    palette : Palette
    """
    app.setStyle("Fusion")
    app.setFont(font())
    q = QPalette()
    roles = {
        QPalette.ColorRole.Window: palette.ground, QPalette.ColorRole.Base: palette.surface,
        QPalette.ColorRole.AlternateBase: palette.raised, QPalette.ColorRole.Button: palette.raised,
        QPalette.ColorRole.Text: palette.ink, QPalette.ColorRole.WindowText: palette.ink,
        QPalette.ColorRole.ButtonText: palette.ink, QPalette.ColorRole.ToolTipBase: palette.raised,
        QPalette.ColorRole.ToolTipText: palette.ink, QPalette.ColorRole.Highlight: palette.accent,
        QPalette.ColorRole.HighlightedText: palette.surface, QPalette.ColorRole.PlaceholderText: palette.muted,
        QPalette.ColorRole.Link: palette.accent,
    }  # fmt: skip
    for role, name in roles.items():
        q.setColor(role, QColor(name))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        q.setColor(QPalette.ColorGroup.Disabled, role, colour(palette.muted, 140))
    app.setPalette(q)
    # Boxes must be told from their ground in the dark, too: their edge is a shade of the window's colour.
    q.setColor(QPalette.ColorRole.Window, QColor(palette.muted))
    q.setColor(QPalette.ColorRole.Base, QColor(palette.raised))
    for kind in ("QCheckBox", "QAbstractSpinBox"):
        app.setPalette(q, kind)  # type: ignore[arg-type]  # it takes text only, whatever its stub says
    app.setStyleSheet(style_sheet(palette))


def style_sheet(p: Palette) -> str:
    """Return the style sheet of all widgets.

    Parameters
    ----------
    p : Palette
        The palette.
    """
    return f"""
QMainWindow, QDialog {{ background: {p.ground}; }}
QMainWindow::separator {{ background: {p.ground}; width: 5px; height: 5px; }}
QDockWidget {{ color: {p.muted}; font-weight: 600; titlebar-close-icon: none; }}
QDockWidget::title {{ background: {p.ground}; padding: 4px 6px; text-align: left; }}
QWidget[panel="true"] {{ background: {p.surface}; }}
QLabel {{ background: transparent; }}
QLabel[role="title"] {{ font-weight: 600; }}
QLabel[role="muted"] {{ color: {p.muted}; }}
QLabel[role="value"] {{ font-weight: 600; }}
QLabel[role="big"] {{ font-size: 17pt; font-weight: 600; }}
QLabel[role="huge"] {{ font-size: 26pt; font-weight: 600; }}
QLabel[role="good"] {{ color: {p.good}; font-weight: 600; }}
QLabel[role="warn"] {{ color: {p.warn}; font-weight: 600; }}
QLabel[role="bad"] {{ color: {p.bad}; font-weight: 600; }}
QLabel[role="alarm"], QLabel[role="loud"] {{ background: {p.stop}; color: #ffffff; font-weight: 700; padding: 2px 6px;
    border-radius: 6px; }}
QLabel[role="alarm"] {{ font-size: 22pt; padding: 6px; }}
QPushButton, QToolButton {{ background: {p.raised}; border: 1px solid {p.line}; border-radius: 5px; padding: 4px 10px; }}
QPushButton:hover, QToolButton:hover {{ border-color: {p.accent}; }}
QPushButton:focus, QToolButton:focus {{ border: 2px solid {p.accent}; padding: 3px 9px; }}
QPushButton:pressed, QPushButton:checked, QToolButton:checked {{ background: {p.line}; }}
QPushButton:disabled {{ color: {p.muted}; background: {p.surface}; }}
QPushButton[role="primary"] {{ background: {p.accent}; color: {p.surface}; border-color: {p.accent}; font-weight: 600; }}
QPushButton[role="primary"]:disabled {{ background: {p.raised}; color: {p.muted}; border-color: {p.line}; }}
QPushButton[role="stop"] {{ background: {p.stop}; color: #ffffff; border: 2px solid {p.stop}; border-radius: 6px;
    font-weight: 700; font-size: 11pt; padding: 6px 16px; }}
QPushButton[role="stop"]:hover, QPushButton[role="stop"]:focus {{ border-color: {p.ink}; }}
QLineEdit, QPlainTextEdit {{ background: {p.raised}; border: 1px solid {p.line};
    border-radius: 4px; padding: 3px 6px; selection-background-color: {p.accent}; }}
QLineEdit:focus, QPlainTextEdit:focus {{ border-color: {p.accent}; }}
QPushButton[role="small"] {{ padding: 4px 2px; }}
QTableView, QListView, QTreeView {{ background: {p.surface}; border: none; gridline-color: {p.line};
    selection-background-color: {p.accent}; alternate-background-color: {p.raised}; }}
QListView::item {{ padding: 4px; }}
QHeaderView::section {{ background: {p.surface}; color: {p.muted}; border: none; border-bottom: 1px solid {p.line};
    padding: 3px 6px; }}
QTabBar::tab {{ background: transparent; color: {p.muted}; padding: 4px 10px; border: none;
    border-bottom: 2px solid transparent; }}
QTabBar::tab:selected {{ color: {p.ink}; border-bottom: 2px solid {p.accent}; }}
QComboBox QAbstractItemView {{ background: {p.raised}; border: 1px solid {p.line}; }}
QTabWidget::pane {{ border: none; }}
QScrollArea {{ background: {p.surface}; border: none; }}
QScrollBar:horizontal {{ background: {p.surface}; height: 12px; }}
QScrollBar:vertical {{ background: {p.surface}; width: 12px; }}
QScrollBar::handle {{ background: {p.line}; border-radius: 4px; min-width: 24px; min-height: 24px; margin: 2px; }}
QScrollBar::handle:hover {{ background: {p.muted}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QProgressBar {{ background: {p.raised}; border: 1px solid {p.line}; border-radius: 4px; max-height: 10px; }}
QProgressBar::chunk {{ background: {p.accent}; border-radius: 3px; }}
QMenuBar, QMenu {{ background: {p.surface}; color: {p.ink}; }}
QMenuBar::item {{ padding: 4px 10px; background: transparent; }}
QMenuBar::item:selected, QMenu::item:selected {{ background: {p.accent}; color: {p.surface}; }}
QMenu::item {{ padding: 4px 22px; }}
QStatusBar {{ background: {p.ground}; color: {p.muted}; }}
QToolTip {{ background: {p.raised}; color: {p.ink}; border: 1px solid {p.line}; padding: 3px; }}
QFrame[role="bar"] {{ background: {p.surface}; border-bottom: 1px solid {p.line}; }}
QFrame[role="card"] {{ background: {p.surface}; border: 1px solid {p.line}; border-radius: 8px; }}
QFrame[role="chip"] {{ background: {p.raised}; border: 1px solid {p.line}; border-radius: 6px; }}
"""
