"""Cues of a live session: the protocol's own, without end."""

from itertools import islice

from bci.paradigm.protocol import load_protocol
from bci.session.cueing import timeline, with_feedback


def test_cues_go_on_block_after_block_in_the_order_of_a_calibration() -> None:
    protocol = load_protocol("short", per_class=2)
    cues = list(islice(timeline(protocol, 3, 100.0), 200))
    times = [time_s for time_s, _ in cues]
    assert times == sorted(times)
    assert times[0] == 100.0
    asked = [text for _, text in cues if text in protocol.table]
    wanted = [str(protocol.class_codes[c]) for block in range(8) for c in protocol.order(3, block)]
    assert asked[:20] == wanted[:20]


def test_a_live_trial_has_feedback_even_where_a_calibration_has_none() -> None:
    short, graz = load_protocol("short"), load_protocol("graz")
    assert "781" not in {cue.marker for cue in short.trial("left_hand")}
    assert "781" in {cue.marker for cue in with_feedback(short).trial("left_hand")}
    assert with_feedback(graz) == graz
