"""A script in a process of its own that says when it is ready."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def ready_process(script: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A running script, from its line ``ready`` on; killed at the end. It writes its errors where the tests do."""
    process = subprocess.Popen([sys.executable, str(script), *options], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{script.name} did not start: {options}")
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
