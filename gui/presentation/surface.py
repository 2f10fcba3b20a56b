"""The widgets that scenes are painted on, and the time at which a painted scene became a frame."""

from __future__ import annotations

import math
from typing import Protocol

from PySide6.QtCore import QRectF, Signal
from PySide6.QtGui import QColor, QOffscreenSurface, QOpenGLContext, QPainter, QPaintEvent
from PySide6.QtOpenGLWidgets import QOpenGLWidget
from PySide6.QtWidgets import QApplication, QWidget

from bci.stream.lsl import local_clock
from gui.presentation.patch import Patch
from gui.presentation.scene import Scene, SceneColours

GL_RENDERER = 0x1F01
SOFTWARE = ("llvmpipe", "softpipe", "software", "swiftshader")


class Surface(Protocol):
    """A widget that shows one scene."""

    HOW: str
    pending: bool
    """Whether the scene that was put last is not shown yet."""

    def put(self, scene: Scene, patch: Patch, look: SceneColours) -> bool:
        """Show this from the next frame on; return False if it is shown already.

        Parameters
        ----------
        scene : Scene
        patch : Patch
        look : SceneColours
            Its colours.
        """
        ...


class RasterSurface(QWidget):
    """Painted by the processor and handed to the display server at once.

    A frame's stamp is taken when the server has been given the whole picture. What the server, a compositor and the display
    add to that is the declared delay.

    Attributes
    ----------
    shown : Signal(float)
        LSL time of each frame.
    """

    HOW = "after the paint event"
    shown = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._seen: tuple[Scene, Patch, SceneColours] | None = None
        self.pending = False

    def put(self, scene: Scene, patch: Patch, look: SceneColours) -> bool:
        """See :class:`Surface`."""
        if self._seen == (scene, patch, look):
            return False
        self._seen, self.pending = (scene, patch, look), True
        self.repaint()
        if not self.pending:
            self.shown.emit(local_clock())
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground, scene, patch."""
        if self._seen is not None:
            paint(QPainter(self), QRectF(self.rect()), *self._seen)
            self.pending = False


class OpenGlSurface(QOpenGLWidget):
    """Painted by the graphics card; frames follow the refresh of the display.

    A frame's stamp is taken when the buffers were swapped (``QOpenGLWidget.frameSwapped``).

    Attributes
    ----------
    shown : Signal(float)
        LSL time of each frame.
    """

    HOW = "frameSwapped"
    shown = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._seen: tuple[Scene, Patch, SceneColours] | None = None
        self._painted = self.pending = False
        self.frameSwapped.connect(self._swapped)

    def put(self, scene: Scene, patch: Patch, look: SceneColours) -> bool:
        """See :class:`Surface`."""
        if self._seen == (scene, patch, look):
            return False
        self._seen, self._painted, self.pending = (scene, patch, look), False, True
        self.update()
        return True

    def paintGL(self) -> None:
        """Ground, scene, patch."""
        if self._seen is not None:
            paint(QPainter(self), QRectF(self.rect()), *self._seen)
            self._painted = True

    def _swapped(self) -> None:
        if self._painted:
            self._painted = self.pending = False
            self.shown.emit(local_clock())


def paint(painter: QPainter, area: QRectF, scene: Scene, patch: Patch, look: SceneColours) -> None:
    """One whole frame."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(area, QColor(look.ground))
    scene.paint(painter, area, look)
    patch.paint(painter, area)
    painter.end()


def make_surface(kind: str) -> RasterSurface | OpenGlSurface:
    """Make a surface of a kind; ``"auto"``: OpenGL if a graphics card draws it.

    Parameters
    ----------
    kind : str
        ``"auto"``, ``"raster"`` or ``"opengl"``.
    """
    if kind == "auto":
        name = renderer()
        kind = "opengl" if name and not any(word in name.lower() for word in SOFTWARE) else "raster"
    return OpenGlSurface() if kind == "opengl" else RasterSurface()


def renderer() -> str:
    """Return the name of the OpenGL renderer of this computer; empty if there is none."""
    if QApplication.platformName() in ("offscreen", "minimal", "vnc"):
        return ""
    surface, context = QOffscreenSurface(), QOpenGLContext()
    surface.create()
    if not (surface.isValid() and context.create() and context.makeCurrent(surface)):
        return ""
    try:
        return str(context.functions().glGetString(GL_RENDERER) or "")
    finally:
        context.doneCurrent()


class FrameCounter:
    """Counts dropped frames.

    Parameters
    ----------
    period_s : float
        From one frame to the next.
    """

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self._last_s = math.nan

    def dropped(self, now_s: float) -> int:
        """Return the number of frames missing between the last one and this one.

        Parameters
        ----------
        now_s : float
            Time of this frame.
        """
        gap_s, self._last_s = now_s - self._last_s, now_s
        return max(0, round(gap_s / self.period_s) - 1) if math.isfinite(gap_s) else 0
