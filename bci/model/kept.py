"""Models that replace the present one while the engine runs: read in a thread, and kept with the recording."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

from bci.errors import BciError, ModelError
from bci.model.beside import keep, model_beside
from bci.model.file import Model, load_model, model_from, read_bytes

WAITING = 8
"""Models that may wait to be read; one that lies on a disk which does not answer holds up the others."""


class ModelReader:
    """Reads models in its own thread, in the order of the requests.

    Parameters
    ----------
    load : callable
        Reads one; whatever it raises refuses that model.
    """

    def __init__(self, load: Callable[[Path], Model] = load_model) -> None:
        self._load = load
        self._asked: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._read: queue.SimpleQueue[Model | str] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def ask(self, path: str) -> None:
        """Ask for a model to be read; return at once.

        Parameters
        ----------
        path : str
            Of a model file.

        Raises
        ------
        ModelError
            If too many wait.
        """
        if self._asked.qsize() >= WAITING:
            raise ModelError(f"{path}: not loaded, because {WAITING} other models are still waiting to be read. Ask again later")
        self._asked.put(path)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="reads models", daemon=True)
            self._thread.start()

    def take(self) -> Model | str | None:
        """The next model that was read, or the reason why it cannot be used; None if there is none."""
        return None if self._read.empty() else self._read.get()

    def _work(self) -> None:
        """The thread: one after the other, whatever they are."""
        while True:
            path = self._asked.get()
            try:
                self._read.put(self._load(Path(path)))
            except BciError as error:
                self._read.put(str(error))
            except Exception as error:  # the top of this thread; the loop goes on without the model
                self._read.put(f"{path}: cannot be loaded ({type(error).__name__}: {error})")


def load_and_keep(recording: Path, path: Path) -> Model:
    """Read a model, and write its bytes beside the recording before it is used.

    Parameters
    ----------
    recording : Path
    path : Path
        Of the model.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If it is no usable model, or cannot be kept: what it decides could not be verified.
    """
    data = read_bytes(path)
    model = model_from(path, data)
    keep(model_beside(recording, model.sha256), data)
    return model
