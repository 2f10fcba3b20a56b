"""``bci engine``: the decoding process alone."""

from __future__ import annotations

import argparse

HELP = """Decode one LSL stream with one model: the process that `bci run` starts, alone.

Publishes NAME-decisions, NAME-outcomes, NAME-timing, NAME-events and NAME-state (docs/streams.md) and
obeys NAME-control. Use it where another program records or displays."""

EXAMPLES = """bci engine --model left-right.safetensors
bci engine --model left-right.safetensors --stream type=EEG,host=* --set engine.name=lab2"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from bci.config import add_config_options, add_without

    parser.add_argument("--model", required=True, metavar="FILE", help="model file (bci train writes one)")
    parser.add_argument("--seconds", type=float, help="end after this long")
    add_without(parser)
    parser.add_argument("--session-id", default="", help="identifier that all streams of the session carry")
    parser.add_argument("--wait-recorder", action="store_true", help="begin when somebody listens to outcomes and events")
    parser.add_argument("--parent-pipe", action="store_true", help="end when standard input closes; ignore the interrupt key")
    parser.add_argument("--json", action="store_true", help="errors as JSON")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Decode until asked to stop."""
    from pathlib import Path

    from bci.config import config_of, without_of
    from bci.session.engine_process import EngineJob, run_engine
    from bci.session.processes import Stop
    from bci.session.scheduling import ENGINE, ahead

    config = config_of(args)
    stop = Stop(args.parent_pipe, args.seconds)
    query, without = config.stream.query(), without_of(args, config)
    with ahead(ENGINE) as scheduling:
        run_engine(EngineJob(Path(args.model), config, query, args.session_id, args.wait_recorder, scheduling, without), stop)
    return 0
