"""``python -m artefacts`` in ``tests/benchmarks``: decoding with each artefact step and with none, as a Markdown table.

Each person is recorded twice (training, test) at their own rate of blinks or muscle bursts. Training and test go through the same
step: the engine decodes the test recording sample by sample, and each cue's first window that is whole counts.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.engine import Engine
from bci.evaluation.comparison import interval_of_mean, sign_flip
from bci.paradigm.timeline import short
from bci.settings import DecoderSection, MarkersSection, PreprocessingSection, SessionConfig, TrialSection
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.training.decoding import decode_at_cues
from bci.training.labelled import LabelledRun, open_labelled
from bci.training.train import train
from devices.simulated import SimulatedSettings, SimulatedSubject

CHANNELS = ("FC3", "FCz", "FC4", "F3", "F4", "C3", "Cz", "C4", "CP3", "CP4", "Pz", "Fp1", "Fp2")
EYES = ("Fp1", "Fp2")
CLASSES = ("left_hand", "right_hand")
RATE_HZ = 125.0
LATER_S = 400.0
POTATO_Z, ASR_SD = 3.0, 20.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What disturbs, and the band that is decoded."""

    name: str
    band_hz: tuple[float, float]
    settings: dict[str, float]


BLINKS = {"blinks_per_min": 30.0, "blink_uv": 250.0, "muscle_per_min": 0.0}
TROUBLES = (
    Trouble("none", (8.0, 30.0), {"blinks_per_min": 0.0, "muscle_per_min": 0.0}),
    Trouble("blinks, 30 a minute, 250 µV", (8.0, 30.0), BLINKS),
    Trouble("blinks, 30 a minute, 250 µV", (2.0, 30.0), BLINKS),
    Trouble("muscle bursts, 25 a minute, 60 µV", (8.0, 30.0), {"blinks_per_min": 0.0, "muscle_per_min": 25.0, "muscle_uv": 60.0}),
)
WAYS: dict[str, dict[str, object]] = {
    "nothing": {},
    "EOG regression": {"eog": EYES},
    "Riemannian potato": {"potato_z": POTATO_Z},
    "both": {"eog": EYES, "potato_z": POTATO_Z},
    "subspace reconstruction": {"asr": ASR_SD},
}


@dataclass(frozen=True, slots=True)
class Answers:
    """Each test trial: decoded right (1), wrong (0), or not decoded (NaN)."""

    right: FloatArray

    @property
    def coverage(self) -> float:
        """Share that was decoded."""
        return float(np.isfinite(self.right).mean())


def person(trouble: Trouble, seed: int, skill: float, folder: Path, trials: int, still: bool) -> tuple[LabelledRun, LabelledRun]:
    """A person's recordings: to train on (sitting still, where asked for), to test on."""
    found = []
    clock = VirtualClock()
    subject = SimulatedSubject(_settings(TROUBLES[0] if still else trouble, seed, skill), clock)
    for part in ("train", "test"):
        if still and part == "test":
            subject = _later(SimulatedSubject(_settings(trouble, seed, skill), clock := VirtualClock()), clock)
        path = folder / f"{part}.xdf"
        record_virtually(subject, clock, short(CLASSES, trials, seed + len(found)), path)
        found.append(open_labelled(path, config({}, trouble)))
    return found[0], found[1]


def _settings(trouble: Trouble, seed: int, skill: float) -> SimulatedSettings:
    return SimulatedSettings(seed=seed, skill=skill, channels=CHANNELS, rate_hz=RATE_HZ, **trouble.settings)


def _later(subject: SimulatedSubject, clock: VirtualClock) -> SimulatedSubject:
    """The same person, later: noise is a function of the time since its beginning, and must not come twice."""
    while clock.now() < LATER_S:
        subject.read(10.0)
    return subject


def config(way: dict[str, object], trouble: Trouble) -> SessionConfig:
    """Settings of a way; without EOG regression the eye channels are not decoded either."""
    chosen = tuple(c for c in CHANNELS if c not in EYES)
    return SessionConfig(
        markers=MarkersSection(table={"769": "left", "770": "right"}),
        preprocessing=PreprocessingSection(channels=chosen, bands=(trouble.band_hz,), window_s=2.5, **way),  # type: ignore[arg-type]
        trial=TrialSection(start_s=0.5, stop_s=3.0),
        decoder=DecoderSection(name="ts-lr"),
    )


def answers(runs: tuple[LabelledRun, LabelledRun], settings: SessionConfig) -> Answers:
    """Train on the first, let the engine decode the second."""
    model = train(runs[:1], settings).model
    engine = Engine(runs[1].info, model.decoder(), settings.engine_settings())
    found = decode_at_cues(engine, runs[1].raw, runs[1].cues, settings.trial.stop_s)
    return Answers(
        np.array(
            [
                np.nan
                if o is None or not np.isfinite(o.probabilities).all()
                else float(model.classes[int(o.probabilities.argmax())] == cue.class_)
                for cue, o in found
            ]
        )
    )


def lines(trouble: Trouble, people: int, trials: int, skill: float, still: bool, tell: Callable[[str], None]) -> list[str]:
    """Table lines of one trouble."""
    found: dict[str, list[Answers]] = {way: [] for way in WAYS}
    for seed in range(people):
        with tempfile.TemporaryDirectory() as folder:
            runs = person(trouble, seed, skill, Path(folder), trials, still)
            for way, settings in WAYS.items():
                found[way].append(answers(runs, config(settings, trouble)))
            tell(f"{trouble.name} {trouble.band_hz}: person {seed + 1} of {people}")
    return [_line(trouble, way, found[way], found["nothing"]) for way in WAYS]


def _line(trouble: Trouble, way: str, own: list[Answers], plain: list[Answers]) -> str:
    right = float(np.mean([np.nanmean(a.right) for a in own]))
    coverage = float(np.mean([a.coverage for a in own]))
    both = [(a.right - b.right)[np.isfinite(a.right) & np.isfinite(b.right)] for a, b in zip(own, plain, strict=True)]
    both = [d for d in both if len(d)]
    low, high = interval_of_mean(both)
    difference = "" if own is plain else f"{100 * np.mean([d.mean() for d in both]):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    p = "" if own is plain else f"{sign_flip(both)[0]:.3f}"
    low_hz, high_hz = trouble.band_hz
    cells = [trouble.name, f"{low_hz:g}–{high_hz:g}", way, f"{100 * right:.1f}", f"{100 * coverage:.1f}", difference, p]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--trials", type=int, default=20, help="of each class in each recording")
    parser.add_argument("--skill", type=float, default=0.5)
    parser.add_argument("--still", action="store_true", help="no disturbance in the training recordings")
    parser.add_argument("--only", type=int, nargs="+", default=range(len(TROUBLES)), help="numbers of the disturbances")
    args = parser.parse_args()
    head = ["disturbed by", "band Hz", "step", "correct % of decoded", "decoded %", "difference on shared trials (95 %)", "p"]
    table = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for trouble in (TROUBLES[i] for i in args.only):
        table += lines(trouble, args.people, args.trials, args.skill, args.still, lambda text: print(text, flush=True))
    print("\n".join(table))


if __name__ == "__main__":
    main()
