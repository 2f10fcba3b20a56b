"""``python -m gui``: the same as ``bci gui`` without options."""

from gui.app import start

raise SystemExit(start({}))
