"""Networks: what training relies on, what it promises, and that what runs is what was trained."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `networks` is not installed")

from bci.engine.preprocessing import Preprocessing  # noqa: E402
from bci.engine.stream_info import Channel, StreamInfo  # noqa: E402
from bci.errors import ConfigError, TrainingError  # noqa: E402
from bci.model.family import TrainingContext, load_family  # noqa: E402
from bci.model.file import load_model, save_model  # noqa: E402
from bci.progress import Enough  # noqa: E402
from bci.training.fit import FittedModel, fit_decoder  # noqa: E402
from pipelines.networks.alignment import mean_covariance, whitening  # noqa: E402
from pipelines.networks.augment import mirrored_channel, mirrored_classes, mirrored_columns, recombined  # noqa: E402
from pipelines.networks.building import built, head_of  # noqa: E402
from pipelines.networks.fitting import decimation  # noqa: E402
from pipelines.networks.layers import Dropout, Front, SpatioTemporalFilters, TemporalFilters, constrain  # noqa: E402
from pipelines.networks.shape import Shape  # noqa: E402
from pipelines.networks.stopping import Patience, set_aside  # noqa: E402
from pipelines.networks.training import one_of_each, thinned  # noqa: E402

LABELS = ("C3", "Cz", "C4")
SETTINGS = Preprocessing(100.0, LABELS, notch_hz=0, window=100, hop=4)
QUICK = {"epochs": 2, "device": "cpu"}
NETWORKS = {
    "eegnet": "pipelines.networks.eegnet:EEGNet",
    "shallow": "pipelines.networks.shallow:ShallowConvNet",
    "conformer": "pipelines.networks.conformer:Conformer",
    "ctnet": "pipelines.networks.ctnet:CTNet",
    "fbcnet": "pipelines.networks.filter_bank:FBCNet",
}


def imagery(trials: int, seed: int, depth: float = 0.5, samples: int = 100, each: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Rhythms over both hands that grow weaker on the side opposite to the imagined hand, in noise, µV."""
    rng = np.random.default_rng(seed)
    labels = np.array(["left", "right"] * (trials * each // 2))
    time = np.arange(samples) / 100.0
    phases = rng.uniform(0, 2 * np.pi, (trials * each, 2))
    rhythm = 8 * np.sin(2 * np.pi * 11 * time[None, :, None] + phases[:, None, :])
    rhythm[labels == "left", :, 1] *= 1 - depth
    rhythm[labels == "right", :, 0] *= 1 - depth
    windows = 4 * rng.standard_normal((trials * each, 1, samples, 3))
    windows[:, 0, :, 0] += rhythm[:, :, 0]
    windows[:, 0, :, 2] += rhythm[:, :, 1]
    return windows, labels


def trained(name: str = "eegnet", settings: dict[str, object] | None = None, seed: int = 0) -> FittedModel:
    windows, labels = imagery(24, seed)
    return fit_decoder(load_family(name, {**QUICK, **(settings or {})}), windows, labels, SETTINGS)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("shape", [Shape(1, 3, 100, 2, 100.0), Shape(3, 2, 25, 4, 50.0), Shape(1, 1, 300, 2, 125.0)])
def test_every_network_gives_a_score_for_each_class_whatever_the_window(name: str, shape: Shape) -> None:
    network = built(NETWORKS[name], shape).train()
    x = torch.randn(5, shape.bands, shape.channels, shape.samples)
    scores = network(x)
    assert scores.shape == (5, shape.classes)
    scores.sum().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None]
    assert not silent


def test_a_temporal_filter_is_the_same_by_convolution_and_by_spectrum() -> None:
    layer, x = TemporalFilters(3, 2, 20), torch.randn(4, 6, 90)
    assert torch.allclose(layer.train()(x), layer.eval()(x), atol=1e-5)


def test_two_filters_after_one_another_are_one_convolution() -> None:
    layer, x = SpatioTemporalFilters(3, 5, 7, 9), torch.randn(2, 3, 40)
    one_by_one = torch.nn.functional.conv2d(x[:, None], layer.temporal[:, None, None])
    expected = torch.einsum("nfrt,sfr->nst", one_by_one, layer.spatial)
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_dropout_keeps_the_mean_and_does_nothing_when_asked_for_answers() -> None:
    layer, x = Dropout(0.5), torch.ones(100, 1001)
    seen = layer.train()(x)
    assert set(seen.unique().tolist()) == {0.0, 2.0}
    assert float(seen.mean()) == pytest.approx(1.0, abs=0.02)
    assert torch.equal(layer.eval()(x), x)


def test_norms_of_bounded_layers_are_brought_back() -> None:
    network = built(NETWORKS["eegnet"], Shape(1, 3, 100, 2, 100.0))
    with torch.no_grad():
        network.head.weight.fill_(9.0)
    constrain(network)
    assert network.head.weight.norm(dim=1).tolist() == pytest.approx([0.25, 0.25], rel=1e-4)


def test_decimation_drops_the_oldest_samples_and_keeps_the_newest() -> None:
    front = Front(torch.eye(1)[None], 2)
    seen = front(torch.tensor([[[[1.0], [2.0], [4.0], [6.0], [8.0]]]]))
    assert seen.flatten().tolist() == [3.0, 7.0]
    assert decimation(replace(SETTINGS, rate_hz=250.0)) == 2
    assert decimation(replace(SETTINGS, rate_hz=500.0, bands=((8.0, 90.0),))) == 2


def test_alignment_makes_the_mean_covariance_the_identity_and_bounds_what_an_average_reference_takes_away() -> None:
    windows = np.random.default_rng(0).standard_normal((20, 1, 50, 3)) @ np.array([[3, 1, 0], [0, 2, 1], [0, 0, 5.0]])
    white = whitening(mean_covariance(windows))
    assert mean_covariance(windows @ white)[0] == pytest.approx(np.eye(3), abs=1e-9)
    referred = windows - windows.mean(axis=-1, keepdims=True)
    assert np.linalg.norm(whitening(mean_covariance(referred))[0], 2) < 11 / np.sqrt(mean_covariance(referred)[0].trace() / 3)


@pytest.mark.parametrize(
    ("label", "other"), [("C3", "c4"), ("FCz", "fcz"), ("Fp1", "fp2"), ("FC10", "fc9"), ("CCP3h", "ccp4h"), ("A1", "a2")]
)
def test_channels_are_mirrored_by_their_labels(label: str, other: str) -> None:
    assert mirrored_channel(label) == other


@pytest.mark.parametrize("labels", [("C3", "Cz"), ("E1", "E2"), ("Cz", "Pz"), ("C3", "C4", "AUX1")])
def test_without_a_mirror_image_nothing_is_mirrored(labels: tuple[str, ...]) -> None:
    assert mirrored_columns(labels) is None


@pytest.mark.parametrize(
    ("classes", "other"),
    [
        (("left", "right"), [1, 0]),
        (("feet", "left_hand", "rest", "right_hand"), [0, 3, 2, 1]),
        (("rest", "right"), None),
        (("feet", "rest"), None),
    ],
)
def test_classes_are_mirrored_where_each_side_has_its_counterpart(classes: tuple[str, ...], other: list[int] | None) -> None:
    assert mirrored_classes(classes) == other


def test_recombined_windows_hold_segments_of_their_own_class_at_their_own_place() -> None:
    codes = np.array([0, 1] * 10)
    x = torch.from_numpy(codes).float()[:, None, None, None] * 1000 + torch.arange(80.0)
    mixed = recombined(x, codes, np.random.default_rng(0))
    assert torch.equal(mixed, x)
    x = x + 1e4 * torch.arange(20.0)[:, None, None, None]
    mixed = recombined(x, codes, np.random.default_rng(0))
    assert not torch.equal(mixed, x)
    assert torch.equal(mixed % 1e4 % 1000, x % 1e4 % 1000)


def test_what_is_set_aside_is_the_last_block_of_trials_with_all_their_windows() -> None:
    trials = np.repeat(np.arange(20), 3)
    codes, people = trials % 2, np.zeros(60, dtype=int)
    aside = set_aside(codes, trials, people, 0.2)
    assert np.flatnonzero(aside).tolist() == list(range(48, 60))
    assert not set_aside(codes[:30], trials[:30], people[:30], 0.2).any()  # five of each class: too few


def test_of_several_people_whole_people_are_set_aside() -> None:
    people = np.repeat(np.arange(4), 12)
    aside = set_aside(np.arange(48) % 2, np.arange(48), people, 0.2)
    assert np.unique(people[aside]).tolist() == [3]


def test_patience_ends_where_the_loss_has_not_fallen_for_long_enough() -> None:
    patience = Patience(2)
    losses = [3.0, 2.0, 2.5, 2.0, 1.0]
    ends = []
    for epoch, loss in enumerate(losses, 1):
        patience.improved(epoch, loss)
        ends.append(patience.over(epoch))
    assert ends == [False, False, False, True, False]
    assert not patience.improved(6, float("nan"))


def test_an_epoch_sees_one_window_of_each_trial() -> None:
    trials = np.repeat(np.arange(10), 4)
    rng = np.random.default_rng(0)
    seen = [one_of_each(np.arange(40), trials, rng) for _ in range(20)]
    assert all(sorted(trials[chosen].tolist()) == list(range(10)) for chosen in seen)
    assert len(np.unique(np.concatenate(seen))) == 40


def test_of_a_trial_set_aside_its_first_middle_and_last_window_are_judged() -> None:
    trials = np.repeat(np.arange(3), [5, 1, 2])
    assert thinned(np.arange(8), trials).tolist() == [0, 2, 4, 5, 6, 7]


def test_the_same_seed_gives_the_same_model_and_another_seed_another() -> None:
    first, again, other = trained(), trained(), trained(settings={"seed": 1})
    assert all(np.array_equal(first.arrays[name], again.arrays[name]) for name in first.arrays)
    assert not np.array_equal(first.arrays["kernel.onnx"], other.arrays["kernel.onnx"])


def test_training_leaves_the_random_numbers_and_threads_of_others_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    trained()
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_a_saved_model_answers_as_the_network_does_and_notes_say_how_long_it_was_trained(tmp_path: Path) -> None:
    model = trained()
    path = tmp_path / "model"
    save_model(path, model.header(StreamInfo(100.0, tuple(Channel(x) for x in LABELS)), (0.5, 1.5)), model.arrays)
    loaded = load_model(path)
    windows, _ = imagery(6, 3)
    answers = np.array([loaded.decoder.kernel(w).copy() for w in windows])
    assert answers == pytest.approx(model.estimator.predict_proba(windows), abs=1e-5)
    assert any("epochs" in note for note in loaded.header.notes)


def test_progress_is_told_and_enough_ends_training_with_what_there_is() -> None:
    windows, labels = imagery(24, 0)
    said: list[tuple[str, float]] = []

    def told(what: str, share: float) -> None:
        said.append((what, share))
        if len(said) == 3:
            raise Enough

    family = load_family("eegnet", {"epochs": 50, "device": "cpu"})
    context = TrainingContext(SETTINGS, np.arange(24), progress=told)
    found = family.fit_informed(windows, labels, context)
    assert len(said) == 3
    assert "somebody ended the training" in found.notes[0]
    assert found.estimator.predict_proba(windows).shape == (24, 2)


def test_anything_else_that_progress_raises_stops_training() -> None:
    windows, labels = imagery(24, 0)

    def told(what: str, share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_family("eegnet", QUICK).fit_informed(windows, labels, TrainingContext(SETTINGS, np.arange(24), progress=told))


def test_a_network_of_the_user_is_trained_by_import_path_and_run_without_it(tmp_path: Path) -> None:
    model = trained("network", {"module": "networks_of_users:Simple"})
    path = tmp_path / "model"
    save_model(path, model.header(StreamInfo(100.0, tuple(Channel(x) for x in LABELS)), (0.5, 1.5)), model.arrays)
    code = (
        "import sys, numpy as np; from bci.model.file import load_model\n"
        f"kernel = load_model({str(path)!r}).decoder.kernel\n"
        "print(kernel(np.random.default_rng(0).standard_normal((1, 100, 3))).sum().round(6))\n"
        "print(*[n for n in ('networks_of_users', 'torch', 'sklearn', 'pyriemann', 'PySide6') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1.0", ""]


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("", "package.module:Class"),
        ("nowhere.at:All", "nowhere"),
        ("networks_of_users:Nobody", "Nobody"),
        ("networks_of_users:Demanding", "moon_phase"),
        ("networks_of_users:Misshapen", "a score for each of 2 classes"),
        ("builtins:dict", "must be a torch.nn.Module"),
        ("collections:OrderedDict", "must be a torch.nn.Module"),
    ],
)
def test_a_module_that_cannot_be_trained_is_refused_with_the_reason(module: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        trained("network", {"module": module})


@pytest.mark.parametrize(("setting", "value"), [("epochs", 0), ("validation", 0.9), ("learning_rate", -1.0), ("fine_tune", "x")])
def test_settings_that_make_no_sense_are_refused_by_name(setting: str, value: object) -> None:
    with pytest.raises(ConfigError, match=setting):
        load_family("eegnet", {setting: value})


def test_training_that_goes_astray_is_said() -> None:
    with pytest.raises(TrainingError, match="learning_rate"):
        trained(settings={"learning_rate": 1e30})


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file to start from, trained on three people."""
    parts = [imagery(16, seed) for seed in (11, 12, 13)]
    windows = np.concatenate([scale * w for scale, (w, _) in zip((1.0, 2.0, 0.5), parts, strict=True)])
    labels = np.concatenate([y for _, y in parts])
    family = load_family("eegnet", {"epochs": 8, "device": "cpu"})
    model = fit_decoder(family, windows, labels, SETTINGS, people=np.repeat([0, 1, 2], 16))
    path = tmp_path_factory.mktemp("others") / "people.safetensors"
    save_model(path, model.header(StreamInfo(100.0, tuple(Channel(x) for x in LABELS)), (0.5, 1.5)), model.arrays)
    return path


def weights(model: FittedModel) -> dict[str, np.ndarray]:
    prefix = "kernel.state."
    return {name[len(prefix) :]: a for name, a in model.arrays.items() if name.startswith(prefix)}


@pytest.mark.parametrize(("way", "changed"), [("frozen", set()), ("probe", {"head.weight", "head.bias"}), ("full", None)])
def test_fine_tuning_trains_what_was_asked_for_and_leaves_the_rest(others: Path, way: str, changed: set[str] | None) -> None:
    from safetensors.numpy import load_file

    before = {k.removeprefix("kernel.state."): v for k, v in load_file(others).items() if k.startswith("kernel.state.")}
    model = trained(settings={"pretrained": str(others), "fine_tune": way}, seed=20)
    after = weights(model)
    assert set(after) == set(before)
    differ = {name for name in after if not np.array_equal(after[name], before[name])}
    assert differ == changed if changed is not None else len(differ) == len(before)
    assert any("started from" in note for note in model.notes)


def test_what_does_not_fit_the_network_that_it_starts_from_is_refused(others: Path) -> None:
    windows, labels = imagery(24, 0)
    family = load_family("eegnet", {**QUICK, "pretrained": str(others)})
    with pytest.raises(ConfigError, match="channels C3, Cz, C4, not C4, Cz, C3"):
        fit_decoder(family, windows, labels, replace(SETTINGS, labels=LABELS[::-1]))
    with pytest.raises(ConfigError, match="rate_hz = 100"):
        fit_decoder(family, windows, labels, replace(SETTINGS, rate_hz=128.0))
    with pytest.raises(ConfigError, match="is a eegnet, not a shallow"):
        fit_decoder(load_family("shallow", {**QUICK, "pretrained": str(others)}), windows, labels, SETTINGS)
    other = np.where(labels == "left", "feet", "rest")
    with pytest.raises(ConfigError, match="they must be the same"):
        fit_decoder(load_family("eegnet", {**QUICK, "pretrained": str(others), "fine_tune": "frozen"}), windows, other, SETTINGS)
    model = fit_decoder(
        load_family("eegnet", {**QUICK, "pretrained": str(others), "fine_tune": "probe"}), windows, other, SETTINGS
    )
    assert model.classes == ("feet", "rest")


def test_the_probe_of_a_module_without_a_head_is_its_last_layer_with_weights() -> None:
    network = built("networks_of_users:Simple", Shape(1, 3, 100, 2, 100.0))
    assert head_of(network) is network.network.last


def test_the_gpu_is_chosen_where_there_is_one() -> None:
    from pipelines.networks.training import chosen_device

    assert chosen_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_share_of_channels_is_where_the_rhythm_is() -> None:
    windows, labels = imagery(40, 0, depth=0.9)
    model = fit_decoder(load_family("fbcnet", {"epochs": 15, "device": "cpu"}), windows, labels, SETTINGS)
    assert model.weights[1] < min(model.weights[0], model.weights[2])


@pytest.mark.slow
def test_eegnet_learns_a_simulated_subject() -> None:
    windows, labels = imagery(80, 1, depth=0.6)
    unseen, expected = imagery(100, 2, depth=0.6)
    model = fit_decoder(load_family("eegnet", {"device": "cpu"}), windows, labels, SETTINGS)
    assert (model.estimator.predict(unseen) == expected).mean() > 0.8


def test_a_network_decodes_the_same_however_the_stream_is_cut() -> None:
    from parts import cut, eeg, stream

    from bci.engine.engine import Engine

    p = replace(SETTINGS, rate_hz=250.0, window=200, hop=10)
    windows, labels = imagery(24, 0, samples=200)
    decoder = fit_decoder(load_family("eegnet", QUICK), windows, labels, p).decoder()
    info, raw = stream(LABELS), eeg(1500, 3)
    whole = Engine(info, decoder).push(raw)
    parts = Engine(info, decoder)
    pieces = [outcome for piece in cut(raw, [1, 7, 300, 301, 900, 1333]) for outcome in parts.push(piece)]
    assert len(whole) == 150
    assert [o.probabilities.tobytes() for o in whole] == [o.probabilities.tobytes() for o in pieces]
    assert sum(np.isfinite(o.probabilities).all() for o in whole) > 100
