"""The calibration report: the verdict first, whole in one file, safe whatever a recording's labels are."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import mkdtemp

import pytest
from calibration_parts import CountingJudge, calibrate, quick, subject

from bci.calibration.findings import Findings, gather, judgement_path, read_judgement, write_judgement
from bci.calibration.report import parts_of, report_on, write_report
from bci.calibration.report_parts import PARTS
from bci.commands import main
from bci.errors import ConfigError, ModelError
from bci.judging.candidates import Candidate
from bci.judging.forecast import Forecast, Point
from bci.judging.held_out_decoding import idle_of
from bci.judging.judgement import Judgement, ScoredCandidate
from bci.judging.nulls import Null
from bci.judging.verdict import Verdict
from bci.settings import RecordSection, SessionConfig, SourceSection
from devices.simulated_settings import Artefact

HOSTILE = "<img src=x>"
FORMULA = r"$\frac{"


def judgement(channels: tuple[str, ...]) -> Judgement:
    """One that says "works", with a null of each kind."""
    best = Candidate("ts-lr", ((8.0, 30.0),), 0.5, 2.5, channels)
    augmented = replace(best, family="acm", settings=(("lag", 1), ("order", 2)))
    rows = (ScoredCandidate(best.name, 0.8, 0.56, 0.94, True), ScoredCandidate(augmented.name, 0.7, 0.46, 0.88, False))
    verdict = Verdict("works", 0.8, 0.56, 0.94, 0.5, 0.0005, 0.01, 0, 0.97, best.name, (f"look at {HOSTILE}",))
    curve = tuple(Point(n, 0.6 + n / 100, 0.4, 0.95) for n in (8, 12, 16))
    nulls = (Null("permuted", 0.8, 0.0005, True, "fine"), Null("pre-cue", 0.9, 0.0002, False, f"{HOSTILE} leaks"))
    trials = {HOSTILE: 10, FORMULA: 10}
    rejected = (f"{HOSTILE} at 3.0 s: bad C3",)
    return Judgement(verdict, rows, Forecast(curve, 40, 0.85, 0.64, 0.98), nulls, best, trials, rejected, 1, 0, "live")


@cache
def found() -> Findings:
    """Findings on a calibration of two classes with awkward names and one rejected trial."""
    folder = Path(mkdtemp())
    protocol = quick(classes=(HOSTILE, FORMULA))
    calibrate(folder / "a.xdf", protocol, subject([Artefact("railed", 31.0, 33.0)]), CountingJudge(20))
    recordings, config, _ = parts_of(folder, SessionConfig())
    device = SourceSection(name="cyton", settings={"port": "/dev/tty-maria"})
    config = config.model_copy(update={"record": RecordSection(out="maria/eeg"), "source": device})
    return gather(recordings, config, judgement(("C3", "Cz", "C4")))


@cache
def page() -> str:
    path = Path(mkdtemp()) / "report.html"
    return write_report(path, found()).read_text(encoding="utf-8")


class Resources(HTMLParser):
    """Collects the addresses that a browser would fetch by itself, pictures, tags and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.styles = ""

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "style":
            self.styles += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))
        names = ("src", "srcset", "data", "poster", "background") if tag == "a" else ("src", "srcset", "data", "poster", "href")
        self.addresses += [value or "" for name, value in attrs if name in names]


def resources() -> Resources:
    parser = Resources()
    parser.feed(page())
    return parser


def undated(text: str) -> str:
    return re.sub(r"Created on [-0-9: ]+", "", text)


def test_the_report_needs_nothing_from_anywhere_and_is_small() -> None:
    seen = resources()
    assert seen.addresses
    assert [address[:40] for address in seen.addresses if not address.startswith(("data:", "#"))] == []
    assert "font-family" in seen.styles
    assert re.findall(r"@import|url\(\s*['\"]?(?!data:|['\"]?data:|#)[^)]{0,40}", seen.styles) == []
    assert not {"iframe", "object", "embed", "link"} & set(seen.tags)
    assert len(page().encode()) < 8e6


def test_the_verdict_comes_first_in_words_then_every_part_in_order() -> None:
    text = page()
    places = [text.index(f'class="text-decoration-none">{title}<') for title, _ in PARTS]
    assert places == sorted(places)
    first = text[places[0] : places[1]]
    for words in (
        "It works.",
        "right in 80 % of the trials that it was not trained on (95 % interval: 56 to 94 %)",
        "be right in 50 %",
        "0.0005",
    ):
        assert words in first


def test_labels_cannot_put_anything_into_the_page_and_are_still_read() -> None:
    assert "<img src=x" not in page()
    assert "&lt;img src=x&gt;" in page()
    assert "$\\frac{" in page()
    assert all((picture.get("src") or "").startswith("data:image/png") for picture in resources().pictures)


def test_every_picture_says_in_words_what_it_shows() -> None:
    pictures = [p for p in resources().pictures if p.get("class") == "picture"]
    assert len(pictures) >= 9
    assert all(p.get("alt") for p in pictures)


def test_nulls_are_shown_as_passed_failed_or_not_run() -> None:
    badges = re.findall(r'class="mark [a-z-]+">. ([a-z ]+)<', page())
    assert badges == ["passed", "failed", "not run", "not run"]


def test_trials_that_were_left_out_are_counted_with_their_reasons() -> None:
    f = found()
    assert f.asked[HOSTILE] + f.asked[FORMULA] > 20
    assert (f.kept[HOSTILE], f.kept[FORMULA]) == (10, 10)
    assert sum(f.reasons.values()) == f.asked[HOSTILE] + f.asked[FORMULA] - 20 + 1
    assert "why trials do not count" in page()


def test_the_report_names_no_folder_no_device_and_no_account() -> None:
    assert "maria" not in page()
    assert str(found().recordings[0].parent) not in page()
    assert found().runs[0].sha256 in page()


def test_a_report_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("mine")
    with pytest.raises(ConfigError, match="not overwritten"):
        write_report(tmp_path / "r.html", found())
    assert (tmp_path / "r.html").read_text() == "mine"


def test_false_activations_are_counted_on_signal_where_nothing_was_asked_by_models_that_had_not_seen_it() -> None:
    f = found()
    assert f.tuning.left is not None
    assert len(f.tuning.left.trials) == 20
    assert {s.class_ for s in f.tuning.left.trials} == {HOSTILE, FORMULA}
    assert {s.class_ for s in f.tuning.left.idle} == {""}
    assert f.tuning.points
    assert f.tuning.points[0].idle_min == pytest.approx(
        sum(len(s.probabilities) for s in f.tuning.left.idle) * f.tuning.left.hop_s / 60
    )


def test_idle_is_rest_and_the_time_between_trials_and_nothing_else() -> None:
    markers = [("32775", 0.0), ("276", 0.0), ("32776", 9.0), ("32777", 10.0), ("32778", 20.0)]
    markers += [("768", 25.0), ("practice left_hand", 26.0), ("800", 30.0), ("32772", 30.0), ("32771", 41.0), ("768", 42.0)]
    assert idle_of(markers) == [(10.0, 20.0), (30.0, 42.0)]


def test_a_judgement_is_kept_as_it_was_with_any_settings_of_its_decoder(tmp_path: Path) -> None:
    given = judgement(("C3",))
    mixed = replace(given.best, settings=(("a", True), ("b", 2), ("c", 0.5), ("d", "text")))
    kept = replace(given, best=mixed)
    path = judgement_path(tmp_path / "a.xdf")
    write_judgement(path, kept)
    assert read_judgement(path).best == mixed
    assert read_judgement(path).verdict == kept.verdict
    assert read_judgement(path).forecast == kept.forecast
    path.write_text("{}")
    with pytest.raises(ConfigError, match="verdict: missing"):
        read_judgement(path)


def test_what_cannot_be_found_out_is_said_instead(tmp_path: Path) -> None:
    few = Verdict("more", 0.5, 0.0, 1.0, 0.5, 1.0, 0.001, 10, 1.0, "ts-lr", ("too few trials to judge",))
    bare = replace(found().judgement, verdict=few, rows=(), forecast=None, nulls=())
    untuned = replace(found().tuning, points=(), why_not=f"no rest for {HOSTILE}")
    missing = {"features": f"only one class {HOSTILE}"}
    nothing = replace(found(), judgement=bare, exploration=None, tuning=untuned, missing=missing)
    text = write_report(tmp_path / "r.html", nothing).read_text(encoding="utf-8")
    assert "10 more trials are needed." in text
    assert "only one class &lt;img" in text
    assert "no rest for &lt;img" in text
    assert "There are too few trials for a learning curve." in text


@pytest.fixture
def without_judgement() -> Iterator[Path]:
    path = judgement_path(found().recordings[-1])
    path.unlink(missing_ok=True)
    yield path
    path.unlink(missing_ok=True)


def test_a_report_made_afterwards_from_recording_and_judgement_is_the_same_but_for_its_date(
    without_judgement: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_judgement(without_judgement, found().judgement)
    out = tmp_path / "later.html"
    assert main(["report", str(found().recordings[0]), "-o", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(out), found().judgement.verdict.line()]
    assert undated(out.read_text(encoding="utf-8")) == undated(page())
    assert main(["report", "/nowhere", "-o", str(out)]) == 2


def test_a_model_of_other_recordings_is_refused(without_judgement: Path) -> None:
    write_judgement(without_judgement, found().judgement)
    golden = Path(__file__).parents[2] / "recordings" / "golden" / "golden_model.safetensors"
    with pytest.raises(ModelError, match="other recordings"):
        report_on(found().recordings[0], SessionConfig(), model=golden)


def test_a_model_beside_the_recording_that_was_trained_on_another_one_is_not_taken_for_its_own(
    without_judgement: Path,
) -> None:
    write_judgement(without_judgement, found().judgement)
    recording = found().recordings[0]
    beside = recording.with_name(recording.stem + "_model.safetensors")
    beside.write_bytes((Path(__file__).parents[2] / "recordings" / "golden" / "golden_model.safetensors").read_bytes())
    assert report_on(recording, SessionConfig()).model is None
    beside.unlink()


@pytest.mark.slow
def test_a_calibration_ends_with_a_report_that_can_be_made_again(tmp_path: Path) -> None:
    words = ["calibrate", "--simulate", "--skill", "0.95", "--seed", "3", "--headless", "--per-class", "6", "--most-blocks", "1"]
    assert main([*words, "--out", str(tmp_path / "c")]) == 0
    [report] = (tmp_path / "c").rglob("*_report.html")
    assert main(["report", str(tmp_path / "c"), "-o", str(tmp_path / "again.html")]) == 0
    assert undated((tmp_path / "again.html").read_text(encoding="utf-8")) == undated(report.read_text(encoding="utf-8"))
