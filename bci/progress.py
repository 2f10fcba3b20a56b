"""A progress bar for work that takes more than a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, float], None]


class Enough(Exception):
    """Raise this in a progress function: a training that supports it ends at once, and keeps the best result so far."""


def silent(what: str, share: float) -> None:
    """Tell nobody.

    Parameters
    ----------
    what : str
        What is being done.
    share : float
        How much of it, 0 to 1.
    """


@contextmanager
def progress_bar(first: str, quiet: bool = False) -> Iterator[Progress]:
    """A bar on standard error while the block runs; what is yielded takes what is done and the share done.

    Parameters
    ----------
    first : str
        What is done first.
    quiet : bool
        Show nothing.
    """
    if quiet:
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(first, total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)
