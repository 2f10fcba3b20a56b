"""A long campaign of generated sessions (tests/support/generated_sessions.py).

``python tests/campaigns/cues.py --examples 2000``.

Each is recorded, decoded live and exported; what differs from the truth by more than 2 ms, or fails, is printed with the
session that shows it, made as small as can be. Exit code 1 where there was any.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2])]

from generated_runs import through, wrong  # noqa: E402
from generated_sessions import GeneratedSession, sessions  # noqa: E402
from hypothesis import HealthCheck, given, seed, settings  # noqa: E402


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    seen: Counter[str] = Counter()

    @seed(chosen.seed)
    @settings(
        max_examples=chosen.examples, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck)
    )
    @given(sessions())
    def check(session: GeneratedSession) -> None:
        with tempfile.TemporaryDirectory() as folder:
            problems = wrong(session, through(session, Path(folder)))
        seen.update({"sessions": 1, "cues": len(session.cues), **ingredients(session)})
        assert not problems, "\n".join(problems)

    began = time.monotonic()
    try:
        check()
    finally:
        print(f"{dict(seen)} in {time.monotonic() - began:.0f} s")
    return 0


def ingredients(session: GeneratedSession) -> dict[str, int]:
    """What a session was made of, to be counted."""
    amp, sources = session.amplifier, session.sources
    held = {
        "trigger channel": amp.trigger is not None,
        "two marker streams": len(sources) > 1,
        "pushed twice": any(s.again for s in sources),
        "outlet alive twice": any(s.twin for s in sources),
        "lost cues": any(s.lost for s in sources) or bool(amp.trigger and amp.trigger.lost),
        "rejections": any(cue.rejection for cue in session.cues),
        "lost samples": bool(amp.gaps),
        "restarted amplifier": amp.restart is not None,
        "other clocks": any(c.offset_s or c.drift_ppm for c in (amp.computer, *(s.computer for s in sources))),
        "reset clocks": any(c.reset_s is not None for c in (amp.computer, *(s.computer for s in sources))),
    }
    return {name: int(value) for name, value in held.items()}


if __name__ == "__main__":
    sys.exit(main())
