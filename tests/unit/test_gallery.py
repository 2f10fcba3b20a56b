"""The examples of the gallery: each runs as it stands, without network and display, and draws what it describes."""

from __future__ import annotations

import io
import runpy
import socket
import tempfile
import tokenize
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot as plt

import bci

GALLERY = Path(__file__).parents[2] / "docs" / "examples" / "gallery"
EXAMPLES = sorted(GALLERY.glob("plot_*.py"))
WHOLE_WAY = GALLERY / "plot_13_from_recording_to_replay.py"
REAL_TIME = {"plot_05_own_device", "plot_12_latency"}
"""Wait for samples more than they compute."""
NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def lines_of_code(text: str) -> int:
    """Lines that hold something else than comments and the text at the head of the file."""
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type not in NO_CODE]
    return len({line for t in tokens[1:] for line in range(t.start[0], t.end[0] + 1)})


def example(path: Path):
    return pytest.param(path, id=path.stem, marks=[pytest.mark.live] if path.stem in REAL_TIME else [])


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder of its own for what an example writes, no window, and no connection to anywhere."""

    def refuse(*_: object) -> None:
        raise AssertionError("an example of the gallery must not use a network")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.close("all")
    yield
    plt.close("all")


@pytest.mark.parametrize("path", [example(path) for path in EXAMPLES if path != WHOLE_WAY])
def test_an_example_runs_and_draws(path: Path, alone: None):
    runpy.run_path(str(path))
    assert plt.get_fignums()


def test_there_are_at_least_twelve_examples_and_each_is_short():
    assert len(EXAMPLES) >= 12
    assert {path.stem: n for path in EXAMPLES if (n := lines_of_code(path.read_text(encoding="utf-8"))) > 50} == {}


def test_forty_lines_lead_from_a_recording_to_a_verdict_a_model_a_verified_replay_and_three_plots(alone: None):
    assert lines_of_code(WHOLE_WAY.read_text(encoding="utf-8")) <= 40
    found = runpy.run_path(str(WHOLE_WAY))
    assert found["judgement"].verdict.word == "works"
    assert bci.load_model(found["folder"] / "model.safetensors").classes == ("left_hand", "right_hand")
    assert found["replay"].ok
    assert len(plt.gcf().axes) == 3


def test_the_lines_of_a_statement_count_and_comments_do_not():
    assert lines_of_code('"""Head."""\n\n# %%\nx = [\n    1,\n]\n\n\ndef f():\n    return """\na\n"""\n') == 7
