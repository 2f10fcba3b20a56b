"""``python -m bci``, and the command ``bci``."""

from __future__ import annotations

import gc
import sys

from bci.commands import main


def command() -> int:
    """Run the command line of this process, which ends with it.

    Python looks for garbage several times while it ends, among everything that numpy, scipy and others have built. That
    takes half a second of which nobody has anything, and a session waits for it in three processes, one after the other.

    Returns
    -------
    int
        Exit code.
    """
    try:
        return main()
    finally:
        gc.freeze()


if __name__ == "__main__":
    sys.exit(command())
