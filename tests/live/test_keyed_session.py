"""Sessions and calibrations over LSL obey who has their key, and keep what a replay of them needs."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from eeg_sender import amplifier
from session_rig import PATIENCE_S, Recorded, Session, assert_verified, save_a_model, until

from bci.calibration.progress_stream import LslProgressStream
from bci.model.beside import model_beside
from bci.model.file import load_model
from bci.stream import keys
from bci.stream.lsl import LslTextOutlet, local_clock, this_host
from bci.stream.signing import Signer

pytestmark = pytest.mark.live


def listened(name: str) -> LslTextOutlet:
    """A control stream that somebody reads."""
    outlet = LslTextOutlet(f"{name}-control", "BCI-Control", f"{name}-control-{uuid.uuid4().hex[:8]}")
    assert outlet.wait_for_consumers(PATIENCE_S)
    time.sleep(0.5)
    return outlet


def seen(progress: LslProgressStream, done: Callable[[], object], notes: list[str]) -> None:
    until(lambda: notes.extend(progress.look()) or done(), "the calibration hears")


def test_a_calibration_obeys_its_own_windows_and_takes_a_break_for_anybody() -> None:
    name, notes = f"b{uuid.uuid4().hex[:8]}", list[str]()
    with LslProgressStream(name) as progress:
        key = keys.key_of(progress.id)
        outlet = listened(name)
        strange, own = Signer(None, local_clock, this_host()), Signer(key, local_clock, this_host())
        for kind in ("stop", "resume", "note", "answer", "freeze"):
            outlet.push(strange.line(kind, text="a stranger's", why="x"))
        seen(progress, lambda: progress.held, notes)
        outlet.push(own.line("note", text="ours"))
        outlet.push(own.line("resume", to=progress.id))
        seen(progress, lambda: not progress.held, notes)
        assert (notes, progress.stopped) == (["ours"], "")
        outlet.push(own.line("stop", why="a window", to=progress.id))
        seen(progress, lambda: progress.stopped, notes)
        outlet.close()
    assert keys.key_of(progress.id) != key, "the key is gone with the calibration"


@pytest.mark.slow
def test_a_session_in_which_another_model_took_over_is_verified_from_what_lies_beside_it(tmp_path: Path) -> None:
    source = f"amp{uuid.uuid4().hex[:8]}"
    model = save_a_model(tmp_path / "m.safetensors")
    other = tmp_path / "elsewhere" / "o.safetensors"
    other.parent.mkdir()
    shutil.copyfile(save_a_model(tmp_path / "again.safetensors"), other)
    sha256 = load_model(other).sha256
    with amplifier(source, "--source-id", source):
        session = Session(model, source, tmp_path / "out")
        try:
            session.until_deciding()
            identifier = session.reader("decisions").found.source_id.removeprefix(f"{session.name}-decisions-")
            outlet = listened(session.name)
            outlet.push(Signer(keys.key_of(identifier), local_clock, this_host()).line("model", path=str(other)))
            kept = model_beside(session.path, sha256)
            until(kept.exists, "the model is kept")
            time.sleep(1.0)
            other.unlink()
            session.signal(2)
        finally:
            session.clean()
            outlet.close()
    assert [e["model"] for e in Recorded(session).events if e["kind"] == "model"] == [sha256]
    (session.path.parent / "a-broken.safetensors").write_bytes(b"damaged")
    assert_verified(session.path)
