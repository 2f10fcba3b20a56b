"""``bci demo``: the whole way without hardware."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from bci.processes.display import WindowsProcess
    from bci.processes.stop import StopRequest
    from bci.session.run import LiveSession
    from bci.settings import SessionConfig

HELP = """Try everything once without hardware, in under three minutes.

The command calibrates a simulated subject (faster than real time), trains a decoder, decodes the subject live over LSL with
feedback, records the session, and replays the recording and compares it bit for bit. If there is a display, the operator's and
the participant's window are open while it runs, and the session continues in them for a while."""

EXAMPLES = """bci demo
bci demo --skill 0.3 --trials 10
bci demo --headless --out /tmp/demo --json"""

TRIAL_S = 4.5 + 0.75
CLASSES = ("left_hand", "right_hand")
TABLE = {"769": "left_hand", "770": "right_hand"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    parser.add_argument("--out", default="recordings", metavar="DIR", help="folder for recordings (default recordings/)")
    parser.add_argument(
        "--skill", type=float, default=0.8, help="skill of the simulated subject, from 0 (chance) to 1 (default 0.8)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulated subject (default 1)")
    parser.add_argument("--calibration", type=int, default=20, metavar="N", help="calibration trials of each class (default 20)")
    parser.add_argument("--trials", type=int, default=4, metavar="N", help="live trials of each class (default 4)")
    parser.add_argument("--decoder", default="ts-lr", help="decoder to train (default ts-lr)")
    parser.add_argument("--headless", action="store_true", help="open no window")
    parser.add_argument(
        "--show",
        type=float,
        default=60.0,
        metavar="S",
        help="how long the session continues in the windows, in seconds (default 60)",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Calibrate, train, decode live, replay, verify, sum up.

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

    from bci.config import load_config
    from bci.processes.stop import StopRequest
    from bci.stream.paths import recording_path

    out = Path(args.out)
    subject = f"demo{args.seed:03d}"
    settings = {
        "record.out": str(out), "record.subject": subject, "record.task": "live", "decoder.name": args.decoder,
        "markers.stream": "cues", "trial.start_s": "0.5", "trial.stop_s": "2.5", "preprocessing.window_s": "2.0",
        "decision.threshold": "0.55", "decision.release": "0.5",
    }  # fmt: skip
    config = load_config(None, {**settings, **{f"markers.table.{code}": name for code, name in TABLE.items()}})
    calibration = recording_path(out, subject, config.record.session, "calibration")
    stop = StopRequest()
    told = _Told(args.json)
    with _windows(args) as windows:
        return _go(args, calibration, config, settings, stop, told, windows)


def _go(
    args: argparse.Namespace,
    calibration: Path,
    config: SessionConfig,
    settings: dict[str, str],
    stop: StopRequest,
    told: _Told,
    windows: WindowsProcess | None,
) -> int:
    """One step after another."""
    told(f"1  calibration of a simulated subject (skill {args.skill:g}): {2 * args.calibration} trials, faster than real time")
    _calibrate(args, calibration)
    told("2  training")
    model, trained = _train(calibration, config, args.json)
    told(f"   cross-validated {100 * trained['accuracy']:.0f} % (chance 50 %), {model}")
    told(f"3  live session over LSL: {2 * args.trials} trials with feedback")
    settings_words = tuple(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))
    recording = _live(args, model, config, settings_words, args.trials, stop, told)
    told("4  replay of the recording, compared with the live session")
    summary = {**trained, **_verify(recording, model, config), "calibration": str(calibration), "model": str(model)}
    _sum_up(summary, args.json)
    if windows is not None and windows.alive and args.show > 0 and not stop():
        told(f"5  the session continues in the windows for {args.show:g} s; to end it, close both windows or press Ctrl-C")
        trials = 1 + int(args.show / (2 * TRIAL_S))
        with suppress(KeyboardInterrupt):  # which only ends this, like closing the windows
            _live(args, model, config, settings_words, trials, lambda: stop() or _closed(windows), told)
    return 0 if summary["verified"] else 7


def _windows(args: argparse.Namespace) -> AbstractContextManager[WindowsProcess | None]:
    """Operator and participant side by side, or on a display each; nothing where there is none."""
    from bci.processes.display import WindowsProcess, has_display

    if args.headless or args.json or not has_display():
        return nullcontext()
    words = ["operator", "participant", "--recording", str(args.out)]
    return WindowsProcess(words, {"BCI_PARTICIPANT": json.dumps({"beside": True})})


def _closed(windows: WindowsProcess) -> str:
    """Why to end: nobody looks."""
    return "" if windows.alive else "the windows were closed"


class _Told:
    """Lines for people, while the work goes on."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def __call__(self, text: str) -> None:
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)


def _calibrate(args: argparse.Namespace, path: Path) -> None:
    """Record a calibration on a virtual clock."""
    from bci import plugins
    from bci.paradigm.timeline import short
    from bci.progress import progress_bar
    from bci.simulation.simulate import record_virtually
    from bci.stream.clock import VirtualClock

    clock = VirtualClock(1000.0)
    make = plugins.load(plugins.SOURCES, "simulated")
    settings = {"classes": CLASSES, "skill": args.skill, "seed": args.seed, "channels": 8}
    subject = make.from_settings(settings, clock)
    with progress_bar("recording the simulated calibration", quiet=args.json) as told:
        record_virtually(subject, clock, short(CLASSES, args.calibration, args.seed), path, told)


def _train(calibration: Path, config: SessionConfig, quiet: bool) -> tuple[Path, dict[str, Any]]:
    """Fit the decoder; its file and what is known of it."""
    from bci.progress import progress_bar
    from bci.training.chance import interval
    from bci.training.labelled import open_labelled
    from bci.training.train import cross_validated, train, write_model

    with progress_bar("training", quiet=quiet) as told:
        trained = train([open_labelled(calibration, config)], config, told)
        correct, n = cross_validated(trained, told)
    model = calibration.with_name(calibration.stem + "_model.safetensors")
    write_model(model, trained, config, correct / n)
    return model, {"accuracy": correct / n, "interval": interval(correct, n), "calibration_trials": n}


def _live(
    args: argparse.Namespace,
    model: Path,
    config: SessionConfig,
    words: tuple[str, ...],
    trials: int,
    stop: Callable[[], str],
    told: _Told,
) -> Path:
    """Decode the subject live at cues; return the recording."""
    from bci.errors import RecordingError
    from bci.model.file import load_model
    from bci.paradigm.timeline import short
    from bci.processes.session_view import LiveView
    from bci.session.plan import SessionPlan, simulated_words
    from bci.session.run import LiveSession
    from bci.stream.clock import LslClock
    from bci.stream.lsl import LslTextOutlet

    header = load_model(model).header
    markers = LslTextOutlet("cues", "Markers", f"cues-{args.seed}")
    table = tuple(word for code, name in TABLE.items() for word in ("--set", f"markers.table.{code}={name}"))
    device = simulated_words(header, args.skill, args.seed, "cues")
    plan = SessionPlan(model, config, (*words, *table), "name=simulated", device)
    with LiveSession(plan, stop) as session:
        view = LiveView(header, session.stream_query)
        try:
            timeline = short(CLASSES, trials, args.seed + 1)
            _present(timeline, markers, LslClock(), session, view, stop, told)
        finally:
            view.close()
    markers.close()
    if session.failures:
        raise RecordingError("\n".join(session.failures))
    return session.recording


def _present(  # type: ignore[no-untyped-def]
    timeline, markers, clock, session: LiveSession, view, stop: Callable[[], str], told: _Told
) -> None:
    """Show the cues and, at the end of each trial, what was decided."""
    from bci.paradigm.timeline import TRIAL_END

    begin = clock.now() + 1.0
    asked = ""
    for cue in timeline.cues:
        while clock.now() < begin + cue.time_s and not stop():
            clock.wait_until(min(clock.now() + 0.1, begin + cue.time_s))
            session.check()
            view.update()
        if stop():
            return
        if cue.code == TRIAL_END and asked:
            told(f"   {asked:12} → {view.line()}")
        markers.push(cue.marker, begin + cue.time_s)
        asked = cue.class_ or asked


def _verify(recording: Path, model: Path, config: SessionConfig) -> dict[str, Any]:
    """Replay the live session, compare, and score it."""
    from bci.model.beside import find_model
    from bci.model.file import load_model
    from bci.paradigm.cues import trials_of
    from bci.replay.recorded_session import read_session
    from bci.replay.replay import verify
    from bci.replay.score import latency, score
    from bci.stream.files.readers import open_recording
    from bci.training.chance import interval

    result = verify(read_session(recording), lambda sha256: find_model(recording, sha256))
    opened = open_recording(recording)
    trials = trials_of(opened, opened.eeg(), config.markers.marker_table(), config.markers.stream)
    scored = score(recording, trials, load_model(model).header)
    right = sum(s.class_ == s.decided for s in scored)
    late = latency(recording)
    return {
        "recording": str(recording),
        "live_trials": len(scored),
        "live_correct": right,
        "live_interval": interval(right, max(1, len(scored))),
        "age_ms": [1e3 * x for x in late.age],
        "step_ms": [1e3 * x for x in late.step],
        "outcomes": result.outcomes,
        "identical": result.identical,
        "different": result.different[:5],
        "not_recorded": result.not_recorded[:5],
        "verified": result.ok,
    }


def _sum_up(s: dict[str, Any], as_json: bool) -> None:
    """Print the summary."""
    if as_json:
        print(json.dumps(s))
        return
    low, high = (100 * x for x in s["interval"])
    share = f"{100 * s['accuracy']:.0f} % of {s['calibration_trials']} trials"
    print(
        f"""
calibration   {share}, cross-validated (95 % interval {low:.0f}–{high:.0f}, chance 50)
live          {s["live_correct"]} of {s["live_trials"]} trials correct
latency       {s["step_ms"][0]:.2f} ms in the engine (median), {s["step_ms"][1]:.2f} ms (99 %)
replay        {s["identical"]} of {s["outcomes"]} outcomes identical{"" if s["verified"] else ": NOT VERIFIED"}
recording     {s["recording"]}
model         {s["model"]}
again         bci replay --verify {s["recording"]}"""
    )
