"""``python -m bci`` is the command ``bci``."""

import sys

from bci.commands import main

if __name__ == "__main__":
    sys.exit(main())
