"""A long campaign of generated lives of the guard: ``python tests/campaigns/guard.py --examples 10000``.

Each is a sequence of rows that are forged, old, doubled, overtaken or late, of engines that come, go and count anew, of
persons, supervisors, suspends and an actuator that may not answer (tests/support/guard_machine.py). An oracle that works out
the promises of docs/explanations/safety.md by itself judges every step (tests/support/guard_oracle.py). Exit code 1, and the
shortest sequence that shows it, where a promise is broken; the seed is printed, and makes the same campaign again.

``--of host`` does the same to the whole actuator host on a virtual clock, with its streams, keys, windows and engines
(tests/support/host_machine.py), judged by what its actuator was told.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2])]

from guard_machine import GuardMachine  # noqa: E402
from host_machine import HostMachine  # noqa: E402
from hypothesis import HealthCheck, seed, settings  # noqa: E402
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test  # noqa: E402

PROGRESS_S = 5.0


def told(machine: type[RuleBasedStateMachine]) -> type[RuleBasedStateMachine]:
    """The machine, which says now and then how far the campaign is."""

    class Told(machine):  # type: ignore[valid-type, misc]
        began = last = time.monotonic()

        def teardown(self) -> None:
            """Count, and say so now and then."""
            super().teardown()
            now = time.monotonic()
            if now - Told.last >= PROGRESS_S:
                Told.last = now
                print(f"{self.seen['sequences']} sequences in {now - self.began:.0f} s", flush=True)

    return Told


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10000)
    parser.add_argument("--steps", type=int, default=40, help="most events of one sequence (many are a whole train of rows)")
    parser.add_argument("--of", choices=("guard", "host"), default="guard", help="what is judged")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    machine = told({"guard": GuardMachine, "host": HostMachine}[chosen.of])
    seed(chosen.seed)(machine)
    limits = settings(
        max_examples=chosen.examples,
        stateful_step_count=chosen.steps,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=limits)
    finally:
        print(f"{dict(sorted(machine.seen.items()))} in {time.monotonic() - machine.began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
