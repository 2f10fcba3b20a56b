"""Protocols and texts of a calibration: shipped as files, checked, and the markers that users know."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from calibration_parts import quick
from hypothesis import given
from hypothesis import strategies as st

from bci.calibration.history import protocol_of, start_note
from bci.errors import ConfigError
from bci.paradigm.protocol import Baseline, load_protocol, protocols, waiting
from bci.paradigm.texts import Texts, languages
from bci.paradigm.timeline import CLASS_CODES
from bci.stream.messages import parse


@pytest.mark.parametrize("name", sorted(protocols()))
def test_every_shipped_protocol_loads_is_balanced_and_survives_the_recording(name: str) -> None:
    protocol = load_protocol(name)
    for block in range(3):
        assert Counter(protocol.order(7, block)) == dict.fromkeys(protocol.classes, protocol.per_class)
    assert protocol.order(7, 0) == protocol.order(7, 0)
    assert protocol_of(parse(start_note(protocol, 7), "test")) == protocol


def test_times_of_the_bci_competition_2a_protocol() -> None:
    trial = load_protocol("bci2a").trial("feet")
    assert [(cue.time_s, cue.code) for cue in trial] == [
        (0, 768), (0, 786), (0, 785), (2, 771), (3.25, 771 + 0x8000), (6, 800),
    ]  # fmt: skip


def test_times_of_the_openvibe_graz_protocol() -> None:
    protocol = load_protocol("graz")
    trial = protocol.trial("left_hand")
    assert [(c.time_s, c.code) for c in trial if c.code < 0x8000 or c.code == 33282] == [
        (0, 768), (0, 786), (2, 33282), (3, 769), (4.25, 781), (8, 800),
    ]  # fmt: skip
    pauses = [protocol.pause_s(1, k) for k in range(200)]
    assert 1.5 <= min(pauses) < 1.7
    assert 3.3 < max(pauses) <= 3.5


def test_affected_hand_against_rest_uses_the_codes_that_other_programs_read() -> None:
    assert load_protocol("hand_rest").table == {"769": "affected_hand", "773": "rest"}


def test_free_labels_get_free_codes_and_known_ones_keep_theirs() -> None:
    protocol = load_protocol("free", classes=("music", "tongue", "subtraction"))
    assert protocol.class_codes == {"music": 774, "tongue": 772, "subtraction": 775}
    assert protocol.names()["774"] == "music"
    assert protocol.names()["1023"] == "rejected"


@given(
    st.lists(st.text(st.characters(categories=("L", "N", "Zs")), min_size=1, max_size=12), min_size=2, max_size=7, unique=True)
)
def test_any_labels_can_be_classes_and_every_one_has_a_code_of_its_own(labels: list[str]) -> None:
    labels = [label for label in labels if label.strip() and label.isprintable()]
    if len(labels) < 2:
        return
    codes = quick(classes=tuple(labels)).class_codes
    assert len(set(codes.values())) == len(labels)
    assert all(codes[c] == CLASS_CODES[c] for c in labels if c in CLASS_CODES)


def test_everything_that_is_wrong_with_a_protocol_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        quick(classes=("a",), per_class=0, instruction="sing", baselines=(Baseline("sleep", 3.0),), codes={"a": 800})
    assert len(caught.value.problems) == 5
    assert "800" in str(caught.value)
    assert "eyes_open" in str(caught.value)


def test_a_protocol_file_of_ones_own_and_what_is_said_of_a_wrong_one(tmp_path: Path) -> None:
    good = tmp_path / "mine.toml"
    good.write_text('title = "x"\nclasses = ["a", "b"]\n[trial]\ncue_s = 1.0\nstop_s = 5.0\npause_s = [1.0, 2.0]\n')
    assert load_protocol(str(good)).name == "mine"
    good.write_text(good.read_text() + "colour = 3\n")
    with pytest.raises(ConfigError, match="colour"):
        load_protocol(str(good))
    with pytest.raises(ConfigError, match=r"bci2a.*short"):
        load_protocol("grazz")


@given(order=st.lists(st.sampled_from("ab"), min_size=1, max_size=8), rejected=st.lists(st.booleans(), max_size=40))
def test_a_rejected_trial_comes_again_and_a_block_always_ends(order: list[str], rejected: list[bool]) -> None:
    kept: list[bool] = []
    seen: list[str] = []
    answers = iter(rejected)
    while left := waiting(order, kept):
        seen.append(left[0])
        kept.append(not next(answers, False))
    good = Counter(c for c, k in zip(seen, kept, strict=True) if k)
    if kept.count(False) <= len(order):
        assert good == Counter(order)
    assert len(kept) <= 2 * len(order) + 1


@pytest.mark.parametrize("language", languages())
def test_every_language_says_everything_that_english_says(language: str) -> None:
    english, other = Texts("en"), Texts(language)
    assert set(other._texts) == set(english._texts)
    for protocol in map(load_protocol, protocols()):
        for key in (*protocol.classes, protocol.instruction, *(b.name for b in protocol.baselines)):
            assert other(key)


def test_texts_of_ones_own_fall_back_to_english(tmp_path: Path) -> None:
    file = tmp_path / "nl.toml"
    file.write_text('left_hand = "Linkerhand"\n')
    texts = Texts(str(file))
    assert (texts("left_hand"), texts("rest"), texts("my_class")) == ("Linkerhand", "Rest", "my class")


def test_a_longer_protocol_begins_like_a_shorter_one() -> None:
    short, long = quick(), replace(quick(), most_blocks=9)
    assert [short.order(5, b) for b in range(2)] == [long.order(5, b) for b in range(2)]
