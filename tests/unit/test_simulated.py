"""The simulated subject: what tests and demonstrations may take for the truth."""

import subprocess
import sys
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt, welch

from bci.engine.chunk import Chunk, FloatArray
from bci.errors import ConfigError, StreamError
from bci.paradigm.timeline import CueTimeline, short
from bci.stream.clock import VirtualClock
from devices.headmodel import (
    BERG_LAMBDA,
    BERG_MU,
    CENTRE_M,
    CONDUCTIVITY_S_PER_M,
    POSITIONS_M,
    PRESETS,
    RADIUS_M,
    lead_field,
    montage,
    on_sphere,
)
from devices.signals import RAIL_UV
from devices.simulated import SimulatedSettings, SimulatedSubject
from devices.simulated_settings import Artefact

HANDS = ("left_hand", "right_hand")
QUIET = {"blinks_per_min": 0.0, "muscle_per_min": 0.0, "line_uv": 0.0, "drift_uv": 0.0, "offset_uv": 0.0}


def subject(start_s: float = 0.0, **changed: object) -> SimulatedSubject:
    return SimulatedSubject(SimulatedSettings(**changed), VirtualClock(start_s))  # type: ignore[arg-type]


def listen(person: SimulatedSubject, until_s: float, cues: Iterable[tuple[float, str | int]] = ()) -> Chunk:
    """Everything until a time; cues are given when they are shown."""
    clock, pieces = person._clock, []
    for time_s, cue in [*cues, (until_s, "")]:
        while clock.now() < time_s:
            chunk = person.read(time_s - clock.now())
            if chunk is not None:
                pieces.append(chunk)
        person.cue(cue, time_s)
    return Chunk(np.concatenate([p.data for p in pieces]), np.concatenate([p.stamps for p in pieces]))


def follow(person: SimulatedSubject, timeline: CueTimeline) -> Chunk:
    """A whole session."""
    return listen(person, timeline.duration_s + 1, [(cue.time_s, cue.marker) for cue in timeline.cues])


def band_power(data: FloatArray, low_hz: float, high_hz: float, rate_hz: float = 250.0) -> FloatArray:
    freqs, power = welch(data, rate_hz, nperseg=min(len(data), round(4 * rate_hz)), axis=0)
    return power[(freqs >= low_hz) & (freqs <= high_hz)].mean(axis=0)


# Reproducible


@settings(max_examples=12, deadline=None)
@given(chunk=st.integers(1, 1500), bursty=st.booleans())
def test_how_it_is_read_changes_no_bit(chunk: int, bursty: bool) -> None:
    cues = [(1.0, "769"), (4.5, "800"), (6.013, "right_hand"), (9.0, 277), (11.0, 800)]
    common: dict[str, object] = {"channels": 3, "rate_hz": 125.0, "seed": 4}
    one = listen(subject(**common), 13.0, cues)
    other = listen(subject(**common, chunk=chunk, bursty=bursty), 25.0, cues)
    n = min(len(one), len(other))
    assert n > 12 * 125
    assert one.data[:n].tobytes() == other.data[:n].tobytes()
    assert one.stamps[:n].tobytes() == other.stamps[:n].tobytes()


def test_a_cue_may_come_a_quarter_second_late_without_changing_a_bit() -> None:
    prompt, late = subject(seed=1), subject(seed=1)
    one = listen(prompt, 6.0, [(1.0, "769")])
    head = listen(late, 1.24)
    late.cue("769", 1.0)
    tail = listen(late, 6.0)
    assert one.data.tobytes() == np.concatenate((head.data, tail.data)).tobytes()


def test_a_much_later_cue_is_answered_from_then_on_and_does_not_rewrite_the_past() -> None:
    person, other = subject(seed=1), subject(seed=1)
    before = listen(person, 5.0)
    person.cue("769", 1.0)
    assert listen(other, 5.0).data.tobytes() == before.data.tobytes()
    assert person.trials[-1].cue_s == pytest.approx(4.7)


def test_trial_k_depends_on_seed_and_k_only() -> None:
    def third(first: str, gap_s: float, seed: int = 9) -> tuple[object, ...]:
        person = subject(seed=seed)
        listen(person, 4 * gap_s, [(gap_s, first), (2 * gap_s, "770"), (3 * gap_s, "769")])
        trial = person.trials[2]
        return trial.number, trial.latency_s, trial.strength, trial.lapse, trial.mood

    assert third("769", 2.0) == third("770", 1.0)
    assert third("769", 2.0) != third("769", 2.0, seed=10)


def test_other_seeds_give_other_people() -> None:
    assert not np.array_equal(listen(subject(seed=1), 1.0).data, listen(subject(seed=2), 1.0).data)


def test_a_channel_keeps_its_electrode_in_another_order() -> None:
    one, other = subject(channels=("C3", "Cz", "C4")), subject(channels=("C4", "Cz", "C3"))
    first, second = listen(one, 8.0).data, listen(other, 8.0).data
    np.testing.assert_allclose(first.mean(axis=0), second.mean(axis=0)[::-1], atol=5.0)


# Like an EEG


def test_amplitude_is_that_of_an_eeg() -> None:
    data = listen(subject(channels=32, blinks_per_min=0.0), 60.0).data
    band = sosfilt(butter(4, (1, 40), "bandpass", fs=250, output="sos"), data - data[0], axis=0)[500:]
    assert np.all((band.std(axis=0) > 4) & (band.std(axis=0) < 25))


def test_background_falls_as_one_over_f() -> None:
    data = listen(subject(channels=3, mu_uv=0.0, beta_uv=0.0, alpha_uv=0.0, sensor_uv=0.0, **QUIET), 200.0).data
    freqs, power = welch(data, 250, nperseg=1000, axis=0)
    wanted = (freqs >= 1.5) & (freqs <= 40)
    slope = np.polyfit(np.log(freqs[wanted]), np.log(power[wanted].mean(axis=1)), 1)[0]
    assert -1.45 < slope < -0.95


def test_mu_and_beta_stand_out_over_the_hand_areas_with_an_envelope_that_waxes_and_wanes() -> None:
    data = listen(subject(channels=("C3", "Fpz"), **QUIET), 120.0).data
    freqs, power = welch(data, 250, nperseg=1000, axis=0)
    peak_hz = freqs[5 * 4 : 15 * 4][np.argmax(power[5 * 4 : 15 * 4, 0])]
    assert 9 <= peak_hz <= 12
    around = band_power(data, 5, 7) + band_power(data, 25, 28)
    assert np.all(band_power(data, 9, 12)[0] > 4 * around[0] / 2)
    assert band_power(data, 17, 23)[0] > 1.5 * band_power(data, 26, 30)[0]
    assert band_power(data, 9, 12)[0] > 3 * band_power(data, 9, 12)[1]
    mu = sosfilt(butter(2, (9, 12.5), "bandpass", fs=250, output="sos"), data[:, 0])
    strength = np.sqrt((mu[: 118 * 250].reshape(-1, 250) ** 2).mean(axis=1))
    assert strength.max() > 2.5 * strength.min()


def test_alpha_grows_over_the_occiput_when_the_eyes_close_and_shrinks_again() -> None:
    data = listen(subject(channels=("O1", "Fz"), **QUIET), 90.0, [(30.0, 277), (60.0, 276)]).data
    opened, closed, again = (band_power(data[s * 250 : (s + 25) * 250], 8.5, 11.5) for s in (2, 33, 63))
    assert closed[0] > 3 * opened[0]
    assert closed[0] > 3 * again[0]
    assert closed[0] > 3 * closed[1]


def test_blinks_are_large_in_front_and_end_with_closed_eyes() -> None:
    settings_ = QUIET | {"blinks_per_min": 30.0, "background_uv": 2.0, "alpha_uv": 1.0, "channels": ("Fp1", "Fp2", "Cz", "Oz")}
    data = listen(subject(**settings_), 60.0).data
    peaks = np.abs(data).max(axis=0)
    assert peaks[0] > 90
    assert peaks[1] > 90
    assert peaks[2] < 50
    assert peaks[3] < 25
    closed = listen(subject(**settings_, eyes_closed=True), 60.0).data
    assert np.abs(closed[:, :2]).max() < 30  # the frontal electrodes: mu goes on over the vertex


@pytest.mark.parametrize("line_hz", [50.0, 60.0])
def test_mains_are_at_the_frequency_of_the_country(line_hz: float) -> None:
    data = listen(subject(line_hz=line_hz, line_uv=20.0), 20.0).data
    freqs, power = welch(data, 250, nperseg=1000, axis=0)
    high = freqs > 35
    assert freqs[high][np.argmax(power[high].sum(axis=1))] == line_hz


def test_muscle_bursts_are_broad_and_lateral() -> None:
    loud = QUIET | {"muscle_per_min": 20.0, "muscle_uv": 100.0, "channels": ("T7", "Cz")}
    data = listen(subject(**loud), 60.0).data
    assert band_power(data, 60, 110)[0] > 20 * band_power(data, 60, 110)[1]


def test_offset_and_drift_are_those_of_electrodes() -> None:
    data = listen(subject(channels=64, offset_uv=5000.0, drift_uv=100.0), 60.0).data
    assert 2500 < data.mean(axis=0).std() < 10_000
    assert np.ptp(data.reshape(-1, 2500, 64).mean(axis=1), axis=0).max() > 50


# Imagery


def erd_db(
    class_: str, label: str, low_hz: float, high_hz: float, after_s: tuple[float, float], classes: tuple[str, ...] = HANDS
) -> float:
    """Change of band power at one channel from before to after cues of one class."""
    person = subject(channels=("C3", "Cz", "C4"), classes=classes, skill=1.0, lapse=0.0, seed=2, imagery_s=4.0)
    cues = [(10.0 + 10 * k, class_) for k in range(16)]
    data = listen(person, 175.0, cues).data[:, person.info.labels.index(label)]
    before = [data[round((t - 3) * 250) : round(t * 250)] for t, _ in cues]
    after = [data[round((t + after_s[0]) * 250) : round((t + after_s[1]) * 250)] for t, _ in cues]
    power = [np.mean([band_power(x, low_hz, high_hz) for x in part]) for part in (after, before)]
    return float(10 * np.log10(power[0] / power[1]))


def test_right_hand_desynchronises_c3_and_left_hand_c4() -> None:
    for class_, there, elsewhere in (("right_hand", "C3", "C4"), ("left_hand", "C4", "C3")):
        assert erd_db(class_, there, 9, 12.5, (1, 4)) < -3
        assert erd_db(class_, elsewhere, 9, 12.5, (1, 4)) > -1.5
        assert erd_db(class_, there, 18, 22, (1, 4)) < -1


def test_feet_desynchronise_the_vertex_and_beta_rebounds_there() -> None:
    classes = ("feet", "rest")
    assert erd_db("feet", "Cz", 9, 12.5, (1, 4), classes) < -2
    assert erd_db("feet", "Cz", 18, 22, (4.8, 5.6), classes) > 1


def test_only_cues_of_the_session_are_answered() -> None:
    person = subject()
    assert [person.cue(c) for c in ("769", "right_hand", 800, "771", "768", "hello", 12345)] == [True, True, True, *[False] * 4]
    assert len(person.trials) == 2


def test_end_of_trial_ends_imagery() -> None:
    long, ended = subject(seed=3, lapse=0.0), subject(seed=3, lapse=0.0)
    one, other = listen(long, 8.0, [(1.0, 770)]), listen(ended, 8.0, [(1.0, 770), (3.0, 800)])
    differs = np.flatnonzero((one.data != other.data).any(axis=1)) / 250
    assert 3.3 <= differs[0] < 3.4


def test_a_lapse_says_nothing_about_the_class() -> None:
    one, other = subject(lapse=1.0, skill=1.0), subject(lapse=1.0, skill=1.0)
    assert listen(one, 6.0, [(1.0, 769)]).data.tobytes() == listen(other, 6.0, [(1.0, 770)]).data.tobytes()


def test_without_skill_every_cue_gives_the_same_signal() -> None:
    one, other = subject(skill=0.0), subject(skill=0.0)
    assert listen(one, 6.0, [(1.0, 769)]).data.tobytes() == listen(other, 6.0, [(1.0, 770)]).data.tobytes()


def test_feedback_strengthens_the_effect_when_it_is_right_and_weakens_it_when_wrong() -> None:
    def separation(shown: str) -> float:
        person = subject(channels=("C3", "C4"), skill=1.0, lapse=0.0, feedback_gain=1.0, seed=5)
        listen(person, 2.0, [(1.0, "right_hand")])
        if shown:
            person.feedback(shown, 0.9)
        data = listen(person, 6.0).data[250:]
        return float(np.diff(np.log(band_power(data, 9, 12.5)))[0])

    assert separation("right_hand") > separation("") > separation("left_hand")


def test_feedback_has_no_effect_without_skill() -> None:
    person, other = subject(skill=0.0), subject(skill=0.0)
    for p in (person, other):
        listen(p, 2.0, [(1.0, "right_hand")])
    person.feedback("right_hand", 1.0)
    assert listen(person, 6.0).data.tobytes() == listen(other, 6.0).data.tobytes()


def accuracy(skill: float, seed: int, trials_per_class: int = 30) -> float:
    """Offline accuracy of the pipeline that the documentation of the settings names."""
    from pyriemann.estimation import Covariances
    from pyriemann.tangentspace import TangentSpace
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline

    timeline = short(HANDS, trials_per_class, seed)
    data = follow(subject(skill=skill, seed=seed, chunk=50), timeline).data
    band = sosfilt(butter(4, (8, 30), "bandpass", fs=250, output="sos"), data - data[0], axis=0)
    windows = np.stack([band[round((cue.time_s + 0.5) * 250) :][:750].T for cue in timeline.trials])
    labels = np.array([cue.class_ for cue in timeline.trials])
    pipeline = make_pipeline(Covariances("oas"), TangentSpace(), LogisticRegression(max_iter=1000))
    return float(cross_val_score(pipeline, windows, labels, cv=StratifiedKFold(5, shuffle=True, random_state=0)).mean())


@pytest.mark.slow
def test_a_decoder_is_better_the_more_skilled_the_person_is_and_at_chance_without_skill() -> None:
    mean = [np.mean([accuracy(skill, seed) for seed in range(3)]) for skill in (0.0, 0.35, 0.7, 1.0)]
    # 180 trials: 95 % of chance lies within 50 ± 7.3 %.
    assert 0.42 < mean[0] < 0.58
    assert mean[0] + 0.03 < mean[1]
    assert mean[1] + 0.05 < mean[2] < mean[3] + 0.01
    assert mean[3] > 0.85


# Amplifier


def test_stamps_come_from_the_sample_clock_and_start_with_the_clock() -> None:
    person = subject(1000.0, rate_hz=160.0)
    chunk = listen(person, 1003.0)
    np.testing.assert_allclose(chunk.stamps, 1000.0 + np.arange(len(chunk)) / 160.0, atol=1e-9)
    assert person.info.sample_clock


def test_samples_arrive_no_sooner_than_they_are_taken() -> None:
    person = subject(chunk=25)
    assert person.read(0.05) is None
    assert person._clock.now() == pytest.approx(0.05)
    chunk = person.read(1.0)
    assert chunk is not None
    assert len(chunk) == 25
    assert person._clock.now() == pytest.approx(chunk.stamps[-1])
    assert person.due_s == pytest.approx(49 / 250)


def test_what_came_meanwhile_is_delivered_at_once() -> None:
    person = subject()
    person._clock.wait_until(10.0)
    chunk = person.read(0.0)
    assert chunk is not None
    assert len(chunk) == 2500
    assert person.read(0.0) is None


def test_bursty_arrival_has_the_pauses_of_a_consumer_board() -> None:
    person = subject(bursty=True)
    arrivals = []
    while person._clock.now() < 300:
        if person.read(1.0) is not None:
            arrivals.append(person._clock.now())
    gaps_s = np.diff(arrivals)
    assert 0.04 < np.median(gaps_s) < 0.09
    assert 0.2 < np.percentile(gaps_s, 99) < 0.4


def test_lost_samples_leave_gaps_in_the_stamps_and_are_counted() -> None:
    person, whole = subject(loss=0.05, channels=3), subject(channels=3)
    got, full = listen(person, 120.0), listen(whole, 120.0)
    assert person.lost == len(full) - len(got)
    assert 0.035 < person.lost / len(full) < 0.065
    kept = np.isin(full.stamps, got.stamps)
    assert full.data[kept].tobytes() == got.data.tobytes()


def test_scheduled_artefacts_come_when_and_where_they_are_asked_for() -> None:
    kinds = [("flat", "C3"), ("railed", "C4"), ("nan", "Cz"), ("line", "Pz")]
    artefacts = tuple(Artefact(kind, 2.0, 7.0, (label,)) for kind, label in kinds)
    person = subject(artefacts=artefacts, channels=("C3", "C4", "Cz", "Pz", "Fz"), **QUIET)
    data = listen(person, 9.0).data
    during = data[500:1750]
    assert np.ptp(during[:, 0]) == 0
    assert np.all(during[:, 1] == RAIL_UV)
    assert np.isnan(during[:, 2]).all()
    assert np.abs(during[:, 3]).max() > 190
    assert np.abs(during[:, 4]).max() < 80
    assert np.isfinite(data[:500]).all()
    assert np.isfinite(data[1750:]).all()
    assert np.ptp(data[1750:, 0]) > 5


def test_a_disturbance_can_be_added_while_it_runs() -> None:
    person = subject(channels=("T7", "Cz"), **QUIET)
    before = listen(person, 1.0)
    person.disturb(Artefact("jaw", 0.5, 2.0))
    after = listen(person, 2.0)
    assert after.data[:, 0].std() > 5 * before.data[:, 0].std()


def test_reading_a_closed_source_is_an_error() -> None:
    person = subject()
    person.close()
    person.close()
    with pytest.raises(StreamError, match="closed"):
        person.read(0.0)


# Settings and montage


@pytest.mark.parametrize("count", sorted(PRESETS))
def test_presets_have_that_many_electrodes_at_places_on_the_head(count: int) -> None:
    info = subject(channels=count).info
    assert len(info.channels) == count == len(set(info.labels))
    assert {"C3", "Cz", "C4"} <= set(info.labels)
    places = {c.label: c.position for c in info.channels}
    assert places["C3"][0] < -0.05 < 0.05 < places["C4"][0]  # type: ignore[index]


def test_all_wrong_settings_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        SimulatedSettings(
            seed=-1, skill=2, classes=("nose",), rate_hz=10, reference="X9", loss=1.0, chunk=0, line_uv=float("nan")
        )
    assert len(error.value.problems) == 8


def test_unknown_electrodes_and_presets_are_refused() -> None:
    for channels, told in ((7, "presets of 3, 8"), (("C3", "Q1"), "Q1"), (("C3", "c3"), "twice"), ((), "none")):
        with pytest.raises(ConfigError, match=told):
            montage(channels)


def test_settings_may_come_as_text() -> None:
    options = {"channels": "c3, Cz", "classes": "left,feet", "skill": "0.9", "seed": "3", "bursty": "true", "rate_hz": "125"}
    read = SimulatedSubject.from_settings(options, VirtualClock()).settings
    assert read == SimulatedSettings(
        channels=("c3", "Cz"), classes=("left_hand", "feet"), skill=0.9, seed=3, bursty=True, rate_hz=125.0
    )
    with pytest.raises(ConfigError) as error:
        SimulatedSubject.from_settings({"foo": 1, "seed": "x", "bursty": "maybe"}, VirtualClock())
    assert len(error.value.problems) == 3


def test_lead_field_is_that_of_mne_pythons_sphere() -> None:
    import mne

    rng = np.random.default_rng(0)
    labels = PRESETS[64]
    places = rng.standard_normal((20, 3))
    places *= rng.uniform(0.2, 0.85, (20, 1)) / np.linalg.norm(places, axis=1, keepdims=True)
    moments = rng.standard_normal((20, 3)) * 1e-8
    size = np.linalg.norm(moments, axis=1)
    on_scalp = dict(zip(labels, on_sphere(labels) * RADIUS_M + CENTRE_M, strict=True))
    info = mne.create_info(list(labels), 250.0, "eeg")
    info.set_montage(mne.channels.make_dig_montage(on_scalp, coord_frame="head"))
    sphere = mne.make_sphere_model(r0=CENTRE_M, head_radius=RADIUS_M, verbose=False)
    # MNE finds the constants of the approximation by a search, whose end depends on the processor in the fourth digit.
    np.testing.assert_allclose(sphere["mu"], BERG_MU, atol=5e-4)
    np.testing.assert_allclose(sphere["lambda"] * CONDUCTIVITY_S_PER_M, BERG_LAMBDA, atol=5e-4)
    sphere["mu"], sphere["lambda"] = np.array(BERG_MU), np.array(BERG_LAMBDA) / CONDUCTIVITY_S_PER_M
    dipoles = mne.Dipole(np.arange(20), places * RADIUS_M + CENTRE_M, size, moments / size[:, None], np.zeros(20))
    forward, _ = mne.make_forward_dipole(dipoles, sphere, info, verbose=False)
    expected = forward["sol"]["data"] * size
    np.testing.assert_allclose(lead_field(labels, places, moments), expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_electrodes_are_where_mne_pythons_template_has_them() -> None:
    import mne

    template = mne.channels.make_standard_montage("colin27_1005")
    info = mne.create_info(list(POSITIONS_M), 250.0, "eeg").set_montage(template)
    for channel in info["chs"]:
        np.testing.assert_allclose(POSITIONS_M[channel["ch_name"]], channel["loc"][:3], atol=6e-4)


def test_starting_it_loads_nothing_heavy() -> None:
    script = (
        "import sys; from devices.simulated import SimulatedSubject; from bci.stream.clock import VirtualClock;"
        "SimulatedSubject(clock=VirtualClock()).read(1.0);"
        "print([m for m in ('mne', 'scipy', 'pylsl', 'sklearn', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
