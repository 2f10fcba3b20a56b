"""The command line of the pictures: nothing is made of words that mean none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gui.screenshots import SCREENS, asked


def test_a_folder_and_windows_are_taken_from_the_command_line() -> None:
    assert asked([]) == (SCREENS, ())
    assert asked(["there", "wizard", "replay"]) == (Path("there"), ("wizard", "replay"))
    assert asked(["./wizard"]) == (Path("wizard"), ())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["there", "wizzard"], "there is no window 'wizzard'; there are explorer, operator"),
        (["wizard"], "wizard is a window: name the folder for its pictures first"),
        (["--pictures"], "unrecognized arguments: --pictures"),
    ],
)
def test_words_that_mean_no_picture_are_refused_with_what_there_is(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        asked(words)
    assert left.value.code == 2
    assert said in capsys.readouterr().err


def test_help_is_given_and_no_folder_of_that_name_made(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "gui.screenshots", "--help"]
    found = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "only these: explorer, operator" in " ".join(found.stdout.split())
    assert list(tmp_path.iterdir()) == []
