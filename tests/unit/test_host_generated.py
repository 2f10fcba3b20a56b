"""Whatever is sent to an actuator host, in any order: it stops, is armed by persons only, and moves by fresh decisions only."""

from __future__ import annotations

from host_machine import HostMachine
from hypothesis import settings

TestAnyLifeOfAHost = HostMachine.TestCase
TestAnyLifeOfAHost.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)
