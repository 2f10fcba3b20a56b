"""Networks from the command line: windows as they slide, a start from other people's recordings, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `networks` is not installed")

from bci.commands import main
from bci.commands.train import interruptible
from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError
from bci.model.file import load_model
from bci.paradigm.timeline import short
from bci.progress import Enough, silent
from bci.settings import DecoderSection, MarkersSection, PreprocessingSection, SessionConfig, TrialSection
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.training.epochs import impute_bad_channels, join
from bci.training.extraction import earlier_ends, extract_epochs
from bci.training.labelled import open_labelled
from bci.training.resolved import resolve_decoder
from bci.training.train import run_epochs, train
from bci.transfer.library import Library
from devices.simulated import SimulatedSettings, SimulatedSubject

LABELS = ("FC3", "C3", "Cz", "FC4", "C4", "Pz")
SETTINGS = [
    *("--set", "markers.table.769=left_hand", "--set", "markers.table.770=right_hand"),
    *("--set", "preprocessing.window_s=1.0", "--set", "preprocessing.hop_s=0.1"),
    *("--set", "decoder.settings.epochs=2", "--set", "decoder.settings.device=cpu"),
]


def config(decoder: str = "eegnet") -> SessionConfig:
    return SessionConfig(
        markers=MarkersSection(table={"769": "left_hand", "770": "right_hand"}),
        preprocessing=PreprocessingSection(window_s=1.0, hop_s=0.1),
        trial=TrialSection(start_s=0.5, stop_s=2.5),
        decoder=DecoderSection(name=decoder, settings={"epochs": 2, "device": "cpu"} if decoder == "eegnet" else {}),
    )


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three people, 8 trials of each hand."""
    folder = tmp_path_factory.mktemp("people")
    found = []
    for k in range(3):
        clock = VirtualClock()
        person = SimulatedSubject(SimulatedSettings(seed=70 + k, skill=0.9, channels=LABELS, rate_hz=125.0), clock)
        found.append(folder / f"person{k}.xdf")
        record_virtually(person, clock, short(("left_hand", "right_hand"), 8, k), found[-1])
    return found


@pytest.mark.parametrize(
    ("window", "ends_s"), [(225, (0.2,)), (200, (0.4, 0.2)), (125, (1.0, 0.8, 0.6, 0.4, 0.2)), (250, ()), (500, ())]
)
def test_windows_slide_inside_the_trial_and_nowhere_else(window: int, ends_s: tuple[float, ...]) -> None:
    p = Preprocessing(125.0, LABELS, window=window, hop=25)
    assert earlier_ends(p, 0.5, 2.5) == pytest.approx(ends_s)
    assert len(earlier_ends(p, 0.0, 60.0)) <= 7


def test_an_earlier_window_of_a_trial_is_the_later_window_of_an_earlier_end(recordings: list[Path]) -> None:
    run = open_labelled(recordings[0], config())
    p = trials_settings(run.info.rate_hz)
    together = extract_epochs(run.info, run.raw, run.cues, p, 2.5, earlier_s=(0.4, 0.2))
    alone = extract_epochs(run.info, run.raw, run.cues, p, 2.3)
    assert together.earlier is not None
    of_first = together.earlier.windows[together.earlier.trials == 0]
    assert np.array_equal(of_first[1], alone.windows[0])
    windows, labels, numbers = together.sliding()
    assert len(windows) == 3 * len(together.labels)
    assert np.array_equal(labels, together.labels[numbers])
    assert np.array_equal(windows[2], together.windows[0])
    some, _, which = together.sliding([3, 5])
    assert which.tolist() == [3, 3, 3, 5, 5, 5]
    assert np.array_equal(some[2], together.windows[3])


def trials_settings(rate_hz: float) -> Preprocessing:
    return Preprocessing(rate_hz, LABELS, window=125, hop=25)


def test_windows_keep_their_trial_when_runs_are_joined_and_only_networks_ask_for_them(recordings: list[Path]) -> None:
    runs = [open_labelled(path, config()) for path in recordings[:2]]
    parts = [run_epochs(run, resolve_decoder(run.info, config()), config()) for run in runs]
    whole = impute_bad_channels(join(parts), LABELS)
    assert whole.earlier is not None
    assert np.array_equal(np.unique(whole.earlier.trials), np.arange(len(whole.labels)))
    second = whole.earlier.windows[whole.earlier.trials == len(parts[0].labels)]
    assert parts[1].earlier is not None
    assert np.array_equal(second, parts[1].earlier.windows[parts[1].earlier.trials == 0])
    assert run_epochs(runs[0], resolve_decoder(runs[0].info, config("ts-lr")), config("ts-lr")).earlier is None


def test_trials_are_counted_once_however_many_windows_they_give(recordings: list[Path]) -> None:
    trained = train([open_labelled(recordings[0], config())], config())
    assert trained.model.trials == {"left_hand": 8, "right_hand": 8}


def test_from_a_library_to_a_network_of_many_to_one_of_ones_own(
    recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = Library.scan(tmp_path / "library")
    for k, path in enumerate(recordings[:2]):
        library = library.add([path], f"P{k + 1:03d}", "S001", config())
    people, own = tmp_path / "people.safetensors", tmp_path / "own.safetensors"
    words = ["--library", str(library.path), "--decoder", "eegnet", "-o", str(people), "--json", *SETTINGS]
    assert main(["train", *words]) == 0
    told = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert told["donors"] == ["P001-S001", "P002-S001"]
    assert told["trials"] == {"left_hand": 16, "right_hand": 16}
    assert load_model(people).header.accuracy is None
    start = ["--pretrained", str(people), "--fine-tune", "probe"]
    words = [str(recordings[2]), *start, "-o", str(own), "--json", *SETTINGS, "--set", "preprocessing.bands=[4,20]"]
    assert main(["train", *words]) == 0
    told = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert told["decoder"] == "eegnet"
    assert any("started from" in note and "last layer" in note for note in told["notes"])
    assert load_model(own).header.preprocessing == load_model(people).header.preprocessing


def test_a_library_and_own_recordings_at_once_say_the_two_steps(
    recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Library.scan(tmp_path)
    words = [str(recordings[0]), "--library", str(tmp_path), "--decoder", "eegnet", "-o", str(tmp_path / "m"), *SETTINGS]
    assert main(["train", *words]) == ConfigError.exit_code
    assert "two steps" in capsys.readouterr().err


def test_ctrl_c_while_a_network_is_trained_asks_for_the_best_so_far_and_before_ends_the_command() -> None:
    with interruptible(silent) as told:
        told("cutting", 0.5)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        told("training", 0.1)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Enough):
            told("training", 0.2)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_cross_validating_leaves_the_model_without_an_accuracy(
    recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: object) -> tuple[int, int]:
        raise KeyboardInterrupt

    monkeypatch.setattr("bci.training.train.cross_validated", interrupted)
    words = ["train", str(recordings[0]), "-o", str(tmp_path / "m"), "--decoder", "mdm", *SETTINGS[:8]]
    assert main(words) == 0
    assert "not cross-validated" in capsys.readouterr().out
    assert load_model(tmp_path / "m").header.accuracy is None
