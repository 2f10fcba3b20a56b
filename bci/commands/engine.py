"""``bci engine``: the decoding process alone."""

from __future__ import annotations

import argparse

HELP = """Run only the decoding process of `bci run`: decode one LSL stream with one model.

The engine sends NAME-decisions, NAME-outcomes, NAME-timing, NAME-events and NAME-state (docs/reference/streams.md), and carries
out signed messages on NAME-control (docs/explanations/threats.md). Use it if another program records or displays the session."""

EXAMPLES = """bci engine --model left-right.safetensors
bci engine --model left-right.safetensors --stream type=EEG,host=* --set engine.name=lab2"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options, add_without

    parser.add_argument("--model", required=True, metavar="FILE", help="model file (bci train writes one)")
    parser.add_argument("--seconds", type=float, help="end after this long")
    add_without(parser)
    parser.add_argument("--session-id", default="", help="identifier that is written into all streams of the session")
    parser.add_argument("--wait-recorder", action="store_true", help="begin when the recorder records all streams of the engine")
    parser.add_argument(
        "--recording", metavar="FILE", help="recording beside which models that take over during the session are saved"
    )
    parser.add_argument(
        "--go-ahead", action="store_true", help="look for the stream, and begin, only when the parent process says so"
    )
    parser.add_argument("--parent-pipe", action="store_true", help="end when standard input closes; ignore Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print errors as JSON")
    add_config_options(parser)


def load() -> None:
    """Import what decoding needs, ahead of time."""
    import bci.session.engine_process  # noqa: F401


def run(args: argparse.Namespace) -> int:
    """Decode until asked to stop.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from pathlib import Path

    from bci.config import config_of, without_of
    from bci.processes.go_ahead import GoAhead
    from bci.processes.one_heap import one_heap
    from bci.processes.recorder_word import RecorderWord
    from bci.processes.scheduling import ENGINE, ahead
    from bci.processes.stop import StopRequest
    from bci.session.engine_process import EngineJob, run_engine
    from bci.stream.keys import own_key

    one_heap()
    config = config_of(args)
    word, go_ahead = RecorderWord(), GoAhead()

    def hear(line: str) -> None:
        word.know(line)
        go_ahead.know(line)

    stop = StopRequest(args.parent_pipe, args.seconds, hear)
    with ahead(ENGINE) as scheduling:
        job = EngineJob(
            Path(args.model),
            config,
            config.stream.query(),
            args.session_id,
            args.wait_recorder,
            scheduling,
            without_of(args, config),
            own_key(args.session_id),
            Path(args.recording) if args.recording else None,
            go_ahead if args.go_ahead else None,
            word if args.parent_pipe else None,
        )
        run_engine(job, stop)
    return 0
