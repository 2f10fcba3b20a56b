"""System calls of recorder and actuators that fail, every case: ``python tests/campaigns/system_calls.py``.

Short writes, EIO, ENOSPC, EINTR, EMFILE, slow syncs, at the first, the second, … call, once or from then on. Each ends in a
recording that is whole, or in an error that is told and a file that holds what was written before. Needs Linux and ``cc``.
Exit code 1 where one does not.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2])]

from failing_calls import cases, run, wrong  # noqa: E402


def main() -> int:
    """Run them."""
    with tempfile.TemporaryDirectory() as folder:
        found = run(cases(), Path(folder))
    bad = [(one, why) for one in found if (why := wrong(one))]
    for one, why in bad:
        print(f"{one['case']}: {why}\n  {one}")
    ends = Counter(f"{one['case'].split(':')[0]}: {'error told' if one.get('error') else 'whole'}" for one in found)
    print(f"{len(found)} cases: {dict(ends)}; {len(bad)} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
