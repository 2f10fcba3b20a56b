"""What the mutation check plants faults into, and the tests that must find them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """Files that belong together, and their fast tests, those that find most first."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    limit_s: float = 120.0


GUARD = tuple(f"tests/unit/test_guard{x}.py" for x in ("_rows", "_arming", "_neutral", "_limits", ""))
HOST = (
    "tests/unit/test_actuate.py",
    "tests/unit/test_actuate_neutral.py",
    "tests/unit/test_actuate_requests.py",
    "tests/unit/test_actuate_channels.py",
    "tests/unit/test_host_generated.py",
    "tests/unit/test_actuator_process.py",
    "tests/live/test_host_in_process.py",
    "tests/live/test_host_in_one_piece.py",
)

TARGETS = {
    "guard": Target(
        (
            "bci/engine/guard.py",
            "bci/engine/guard_arming.py",
            "bci/engine/guard_blanking.py",
            "bci/engine/guard_commands.py",
            "bci/engine/guard_doubts.py",
            "bci/engine/guard_neutral.py",
            "bci/engine/guard_settings.py",
            "bci/engine/pace.py",
        ),
        GUARD,
    ),
    "host": Target(
        (
            "bci/actuation/action_results.py",
            "bci/actuation/guard_reports.py",
            "bci/actuation/host.py",
            "bci/actuation/host_streams.py",
            "bci/actuation/requests.py",
            "bci/actuation/process.py",
            "bci/actuation/streams.py",
        ),
        HOST,
    ),
    "arming": Target(
        ("bci/actuation/arming.py",),
        ("tests/unit/test_actuate_worker.py", "tests/unit/test_arming.py", "tests/unit/test_actuate_requests.py"),
    ),
    "worker": Target(("bci/actuation/worker.py",), ("tests/unit/test_actuate_worker.py", *HOST[:2])),
    "feed": Target(
        ("bci/actuation/feed.py",),
        tuple(f"tests/unit/test_actuate{x}.py" for x in ("_feed", "_rows", "_clocks", "")),
    ),
    "recorder": Target(
        tuple(
            f"bci/recording/{x}.py"
            for x in ("recorder", "intake", "write_queue", "offset_measurement", "recorded_stream", "settings", "lsl_recording")
        ),
        (
            "tests/unit/test_recorder_duties.py",
            "tests/live/test_lsl_recording.py",
            "tests/unit/test_recorder.py",
            "tests/live/test_recorder_live.py",
        ),
    ),
}
