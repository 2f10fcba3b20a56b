"""Connections of a running session with an actuator are cut: ``python tests/campaigns/connections.py --times 30``.

Each pair of its programs in turn; after each cut a person stops, and is heard. In the end the recording is whole, nothing that
was delivered is missing in it, and every gap is told. ``--how aborted`` ends them from the kernel's side (``ss -K``, needs root);
``--how silenced`` lets no packet through on the old connections, and tells neither end. Prints what was measured; fails where
anything was not as it must be. Linux only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2])]

from cut_session import HOW, PAIRS, run  # noqa: E402


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--how", choices=HOW, default="cut")
    parser.add_argument("--only", default="", help="one pair, as amp-engine")
    chosen = parser.parse_args()
    pairs = tuple(pair for pair in PAIRS if chosen.only in ("", "-".join(pair)))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), chosen.times, chosen.how, pairs)
    print(json.dumps({**found, "took_s": round(time.monotonic() - began)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
