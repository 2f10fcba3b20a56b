"""Known cues move a decoder's bias: towards what is right, within bounds, and never by how the stream was cut."""

import numpy as np
import pytest

from bci.engine.chunk import Chunk
from bci.engine.control_inputs import SwitchRebias, TrialLabel
from bci.engine.decoder import LiveDecoder
from bci.engine.engine import Engine, EngineSettings
from bci.engine.outcome import Outcome
from bci.engine.preprocessing import Preprocessing
from bci.engine.rebias import BiasAdaptation, RebiasSettings
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError
from bci.training.fit import fit_decoder

RATE, N, WINDOW, HOP = 250.0, 6, 250, 10
LABELS = tuple(f"E{i}" for i in range(N))
P = Preprocessing(RATE, LABELS, window=WINDOW, hop=HOP)
INFO = StreamInfo(RATE, tuple(Channel(x) for x in LABELS), sample_clock=True)
CLASSES = ("left", "right")
TRIAL, EVERY = 250, 750


def said(rng: np.random.Generator, class_: int, shift: float, classes: int = 2) -> np.ndarray:
    """Probabilities of a decoder of 84 %, whose last class has got an advantage."""
    logs = rng.normal(0, 1, classes)
    logs[class_] += 1.4 * np.sqrt(classes / 2)
    logs[-1] += shift
    return np.exp(logs) / np.exp(logs).sum()


def session(seed: int, shift: float, trials: int = 80, on: bool = True, classes: int = 2, told: int | None = None) -> float:
    """Share of right trials, each decided before it is known; ``told`` is what every cue says instead of the truth."""
    rng = np.random.default_rng(seed)
    names = tuple(map(str, range(classes)))
    rebias = BiasAdaptation(RebiasSettings(on=on), names)
    right = 0
    for trial in range(trials):
        class_ = int(rng.permutation(classes)[0]) if trial else 0
        rebias.expect(names[class_ if told is None else told], trial, trial)
        plain = said(rng, class_, shift, classes)
        right += int((rebias(plain, trial) if on else plain).argmax() == class_)
        assert np.abs(rebias.bias).max() <= RebiasSettings().reach
    return right / trials


def test_nothing_moves_before_every_class_was_cued() -> None:
    rng = np.random.default_rng(0)
    rebias = BiasAdaptation(RebiasSettings(), CLASSES)
    for trial in range(500):
        rebias.expect("left", trial, trial)
        probabilities = said(rng, 1, 0.0)
        assert rebias(probabilities, trial) is probabilities
    assert rebias.bias.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("classes", "shift"), [(2, 2.0), (3, 1.5), (4, 1.3)])  # as far as the reach allows
def test_a_decoder_that_came_to_prefer_one_class_is_put_right(classes: int, shift: float) -> None:
    seeds = range(20)
    without = np.mean([session(s, shift, on=False, classes=classes) for s in seeds])
    with_it = np.mean([session(s, shift, classes=classes) for s in seeds])
    steady = np.mean([session(s, 0.0, on=False, classes=classes) for s in seeds])
    assert with_it - without > 0.5 * (steady - without) > 0.02
    assert with_it > steady - 0.05


def test_a_session_without_drift_loses_no_more_than_a_point() -> None:
    lost = [session(s, 0.0, on=False) - session(s, 0.0) for s in range(50)]
    assert np.mean(lost) <= 0.01


def test_cues_that_lie_shift_no_further_than_the_reach() -> None:
    rng = np.random.default_rng(1)
    rebias = BiasAdaptation(RebiasSettings(reach=0.5), CLASSES)
    for trial in range(200):
        rebias.expect(CLASSES[trial % 2], trial, trial)
        rebias(np.array([1.0, 0.0]) if rng.random() < 0.9 else np.array([0.0, 1.0]), trial)
    assert rebias.bias == pytest.approx([-0.5, 0.5])
    assert rebias(np.array([0.5, 0.5]), 1000)[1] < 0.74


def test_a_window_after_the_trial_and_a_class_nobody_knows_teach_nothing() -> None:
    rebias = BiasAdaptation(RebiasSettings(), CLASSES)
    for trial in range(20):
        rebias.expect("tongue" if trial % 2 else "left", 10 * trial, 10 * trial + 2)
        rebias(np.array([0.2, 0.8]), 10 * trial + 5)
    assert rebias.bias.tolist() == [0.0, 0.0]


def decoder() -> LiveDecoder:
    """Trained on two classes that differ in the power of two channels."""
    rng = np.random.default_rng(0)
    windows = rng.normal(0, 8, (40, 1, WINDOW, N))
    windows[::2, :, :, 0] *= 1.4
    windows[1::2, :, :, 1] *= 1.4
    return fit_decoder("ts-lr", windows, np.array(["left", "right"] * 20), P).decoder()


def signal(n_trials: int) -> Chunk:
    """Trials of both classes in turn; one channel has become louder since the training."""
    rng = np.random.default_rng(4)
    data = rng.normal(0, 8, (EVERY * (n_trials + 1), N))
    for trial in range(n_trials):
        begin = EVERY * (trial + 1)
        data[begin : begin + 2 * TRIAL, trial % 2] *= 1.4
    data[:, 1] *= 1.25
    return Chunk(data, np.arange(len(data)) / RATE)


def run(raw: Chunk, size: int, n_trials: int, on: bool, eager: bool = False) -> list[Outcome]:
    """Outcomes with a known cue at each trial."""
    engine = Engine(INFO, decoder(), EngineSettings(rebias=RebiasSettings(on=on)))
    found: list[Outcome] = []
    places = [EVERY * (t + 1) for t in range(n_trials)] + [len(raw)]
    for trial, place in enumerate(places):
        while engine.consumed < place:
            begin = engine.consumed
            stop = min(begin + size, place)
            found += engine.push(Chunk(raw.data[begin:stop], raw.stamps[begin:stop]))
            if eager:
                engine.prepare()
        engine.apply(TrialLabel(CLASSES[trial % 2], place + 450, place + 500))
    return found


def test_however_the_stream_is_cut_outcomes_have_the_same_bits() -> None:
    raw = signal(8)

    def rows(size: int, eager: bool) -> bytes:
        return b"".join(o.row(N).tobytes() for o in run(raw, size, 8, on=True, eager=eager))

    assert rows(7, True) == rows(250, False) == rows(5000, False)


def test_it_begins_as_the_model_is_and_then_differs_and_off_is_the_model() -> None:
    raw = signal(12)
    plain, moved = run(raw, 500, 12, on=False), run(raw, 500, 12, on=True)
    same = [a.probabilities.tobytes() == b.probabilities.tobytes() for a, b in zip(plain, moved, strict=True)]
    first = next(i for i, equal in enumerate(same) if not equal)
    assert moved[first].consumed > 2 * EVERY + 500  # both classes had a trial by then
    assert not any(same[first:])
    engine = Engine(INFO, decoder())
    assert engine.adaptation.bias is None
    engine.apply(SwitchRebias(True))
    assert engine.adaptation.bias == (0.0, 0.0)
    engine.apply(SwitchRebias(False))
    assert engine.adaptation.bias is None


def test_settings_out_of_bounds_are_all_named() -> None:
    with pytest.raises(ConfigError) as raised:
        RebiasSettings(memory=1, prior=0, reach=-1)
    assert len(raised.value.problems) == 3
