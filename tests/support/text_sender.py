"""A window, or a program that sends cues, in a process of its own: every line that it is given goes out on its stream."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def main() -> None:
    """Send lines until they end."""
    from bci.stream.lsl import LslTextOutlet

    outlet = LslTextOutlet(*sys.argv[1:4])
    print("ready", flush=True)
    for line in sys.stdin:
        outlet.push(line.rstrip("\n"))


class TextSender:
    """A running one.

    Parameters
    ----------
    process : Popen
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def say(self, text: str) -> None:
        """Send one text."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()


@contextmanager
def text_sender(name: str, type_: str = "Markers", source_id: str = "") -> Iterator[TextSender]:
    """One of this name; killed at the end."""
    words = [sys.executable, str(Path(__file__)), name, type_, source_id or f"{name}-1"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        yield TextSender(process)
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    main()
