"""With which key a window speaks to the session that it shows."""

from pathlib import Path

import pytest

from bci.stream import keys
from gui.session_key import SessionKey


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's keys lie."""
    monkeypatch.setenv(keys.FOLDER, str(tmp_path / "keys"))
    monkeypatch.delenv(keys.KEY, raising=False)
    return tmp_path / "keys"


def test_the_key_of_programs_begun_by_hand_gives_way_to_the_sessions_own_once_that_is_there(folder: Path) -> None:
    by_hand, key = keys.own_key(), keys.new_key()
    complaints: list[str] = []
    found = SessionKey(lambda: 7.0, complaints.append)
    found.begin("abc")  # a session that was started a moment ago, and has not kept its key yet
    assert (found.key, found.own, found.asked_s) == (by_hand, False, 7.0)
    with keys.kept("abc", key):
        found.look_for("abc")
        assert (found.key, found.own) == (key, True)
    assert complaints == []


def test_a_session_begun_by_hand_keeps_the_shared_key_and_a_key_that_cannot_be_used_is_told_once(folder: Path) -> None:
    complaints: list[str] = []
    found = SessionKey(lambda: 0.0, complaints.append)
    found.begin("")
    assert (found.key, found.own) == (None, False)
    by_hand = keys.own_key()
    found.look_for("")
    assert (found.key, found.own) == (by_hand, False)
    (folder / "by-hand.key").write_text("no key")
    for _ in range(3):
        found.look_for("")
    assert found.key is None
    assert len(complaints) == 1
