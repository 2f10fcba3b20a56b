"""A campaign against the processes of live sessions: ``python tests/campaigns/processes.py --kills 30``.

SIGKILL of a random process so many times, each in a session of its own, and SIGSTOP of each for 3 and 15 s, while something
is moved and recorded (tests/support/process_faults.py says what is promised). Each is printed; exit code 1 where a promise was
broken.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2])]

from machine import condition  # noqa: E402
from process_faults import VICTIMS, Found, kill, life, stand_still  # noqa: E402
from session_rig import save_a_model  # noqa: E402

STOPPED_S = (3.0, 15.0)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help="sessions of which a random process is killed (default 30)")
    parser.add_argument("--stops", action=argparse.BooleanOptionalAction, default=True, help="SIGSTOP of each too (default)")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng, found, tally = random.Random(chosen.seed), list[Found](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        model = save_a_model(Path(folder) / "m.safetensors")
        faults = [(rng.choice(VICTIMS), 0.0) for _ in range(chosen.kills)]
        faults += [(name, s) for s in STOPPED_S for name in VICTIMS if name != "all"] if chosen.stops else []
        for number, (victim, seconds) in enumerate(faults):
            with life(model, Path(folder) / str(number)) as one:
                found.append(stand_still(one, victim, seconds) if seconds else kill(one, victim))
            tally[victim] += 1
            print(f"{number + 1} of {len(faults)}: {found[-1]} ({condition()})", flush=True)
    wrong = [one for one in found if one.problems]
    lost = sorted(one.lost_s for one in found if one.lost_s)
    most = f"lost with a killed recorder: at most {1000 * lost[-1]:.0f} ms" if lost else "nothing lost"
    print(f"\n{dict(tally)}; {most}; {len(wrong)} broke a promise")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
