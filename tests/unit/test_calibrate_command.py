"""`bci calibrate --simulate`: end to end, faster than real time, with the real judge."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from bci.calibration.history import find_recordings, read_history
from bci.commands import main
from bci.model.file import load_model

WORDS = ["calibrate", "--simulate", "--skill", "0.95", "--seed", "3", "--headless", "--per-class", "8", "--most-blocks", "1"]


@pytest.mark.slow
def test_a_simulated_calibration_ends_with_a_model_and_a_verdict_and_resumes_to_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.process_time()
    assert main([*WORDS, "--out", str(tmp_path / "whole")]) == 0
    took_s = time.process_time() - began
    lines = capsys.readouterr().out.strip().splitlines()
    whole = read_history(find_recordings(tmp_path / "whole"))
    [model] = (tmp_path / "whole").rglob("*.safetensors")
    assert "% correct (interval" in lines[-1]
    [report] = (tmp_path / "whole").rglob("*.html")
    assert (str(model) in lines[2], str(report) in lines[4]) == (True, True)
    assert lines[-1].split(",")[0] in report.read_text()
    assert len(whole.attempts) >= 16
    header = load_model(model).header
    assert header.verdict is not None
    assert header.verdict in lines[-1]
    assert took_s < whole.end_s - 1000, f"{took_s:.0f} s of work for {whole.end_s - 1000:.0f} s"

    [recording] = whole.recordings
    copy = tmp_path / "killed" / recording.name
    copy.parent.mkdir()
    copy.write_bytes(recording.read_bytes()[: recording.stat().st_size * 2 // 5])
    assert main(["calibrate", "--resume", str(tmp_path / "killed"), "--no-report", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    again = load_model(Path(result["model"]))
    assert result["trials"] == {"left_hand": 8, "right_hand": 8}
    assert again.header.trials == header.trials
    np.testing.assert_allclose(again.decoder.covariance, load_model(model).decoder.covariance, rtol=1e-6, atol=1e-9)
    assert result["line"].split(", p =")[0] == lines[-1].split(", p =")[0]  # blocks that are permuted end with a recording


def test_help_and_wrong_options_are_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--protocol", "nothing", "--simulate"]) == 2
    assert "there are baselines, bci2a, free, graz, hand_rest, short" in capsys.readouterr().err
    assert main(["calibrate", "--simulate", "--set", "trial.stop_s=9"]) == 2
    assert "ends 3.5 s after the cue" in capsys.readouterr().err
    assert main(["calibrate", "--resume", "/nowhere"]) == 5
    assert "no recording of a calibration" in capsys.readouterr().err


@pytest.mark.slow
def test_the_decoder_that_the_settings_name_is_judged_and_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = ["--set", "decoder.name=csp-lda", "--no-report", "--json", "--out", str(tmp_path)]
    assert main([*WORDS, *named]) == 0
    result = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    header = load_model(Path(result["model"])).header
    assert header.decoder == "csp-lda"
    assert header.chosen["grid"] == "configured"
    assert header.chosen["compared"] == "1"
