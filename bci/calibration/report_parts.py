"""The parts of a calibration report, each as HTML."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from bci.calibration import judgement_figures
from bci.calibration import report_figures as figures
from bci.calibration.findings import REFERENCE_S, ChannelQuality, Findings
from bci.calibration.judge import setting_words
from bci.calibration.report_html import badge, escaped, note, pairs, percent, table
from bci.judging.nulls import FAILED, Null
from bci.judging.settings import JudgeSettings, target
from bci.judging.thresholds import Operating
from bci.judging.verdict import MORE, WORKS, Verdict
from bci.model.fingerprint import fingerprint

PACKAGES = ("bci", "numpy", "scipy", "scikit-learn", "pyriemann", "mne")
KEPT_SECTIONS = ("markers", "preprocessing", "decision", "quality", "continuity", "trial", "decoder")
"""Of the configuration: folders, devices, hosts and serial numbers are nobody's business."""
NULLS = {
    "permuted": "Permuted labels: the real order of the classes must beat shuffled ones.",
    "pre-cue": "Before the cue: the class is not yet known, so the accuracy must be at chance.",
    "eyes and muscles": "EOG and EMG alone: their accuracy must be lower than that of the EEG.",
    "surrogate": "Phase-randomised recording: the same rhythms without their timing must be at chance.",
}
FAULTS = {
    "flat": "flat: the electrode has no contact",
    "railed": "railed: the amplifier is at its limit",
    "amplitude": "too large",
    "line": "mains hum",
    "bridged": "bridged: the same signal as its neighbour",
    "marked": "marked as bad by a person",
}
BAD = 0.2
"""Share of the windows from which a channel is pointed out."""
FEW = 10
"""With more channels their table is folded."""
LEVEL = JudgeSettings().level
HEAD_START = "head start"
"""In the notes of a model that has one."""


def _verdict(f: Findings) -> str:
    """In words first, then the numbers it rests on."""
    v = f.judgement.verdict
    names = {WORKS: "It works.", MORE: f"{v.more} more trials are needed." if v.more else "More trials are needed."}
    title = names.get(v.word, f"Unlikely to reach {percent(target(v.chance))}.")
    parts = [f'<p class="verdict {v.word}">{escaped(title)}</p>']
    if f.judgement.rows:
        words = _in_words(v)
        parts += [f"<p>{words}</p>", figures.embedded(judgement_figures.verdict_bar(v, LEVEL), words)]
    if v.advice:
        parts.append(f"<p><b>What to do</b></p><ul>{''.join(f'<li>{escaped(text)}</li>' for text in v.advice)}</ul>")
    for one in (x for x in f.notes if x["kind"] == "overruled"):
        parts.append(note(f"The operator decided otherwise: {escaped(one['answer'])}."))
    if f.judged_anew:
        parts.append(note("There was no judgement beside the recording; this one was made for this report."))
    return "".join(parts) + pairs(_numbers(f))


def _in_words(v: Verdict) -> str:
    """What the numbers mean."""
    luck = "less often than" if v.p_value <= v.alpha else "more often than"
    return (
        f"The decoder was right in {percent(v.accuracy)} of the trials that it was not trained on ({percent(LEVEL)} interval: "
        f"{100 * v.low:.0f} to {percent(v.high)}). Always naming the most frequent class would be right in {percent(v.chance)}. "
        f"Signals without information on the classes would look as good with a probability of {v.p_value:.2g}, {luck} this look "
        f"allows ({v.alpha:.2g})."
    )


def _numbers(f: Findings) -> list[tuple[str, str]]:
    """The verdict as a table."""
    v, trials = f.judgement.verdict, f.judgement.trials
    rows = [("In one line", escaped(v.line()))]
    if f.judgement.rows:
        between = f"{percent(LEVEL)} interval {100 * v.low:.0f}–{percent(v.high)}"
        rows += [
            ("Accuracy", f"{percent(v.accuracy)} ({between}), nested cross-validation"),
            ("Chance, of use from", f"{percent(v.chance)}, {percent(target(v.chance))}"),
            ("p-value", f"{v.p_value:.2g} (this look, number {f.judgement.look}, may spend {v.alpha:.2g})"),
            ("Most that the planned trials will give", percent(v.ceiling)),
        ]
    rows.append(("Trials", escaped(f"{sum(trials.values())} ({', '.join(f'{n} {c}' for c, n in trials.items())})")))
    rows.append(("Decoder", escaped(v.candidate)))
    return rows


def _recorded(f: Findings) -> str:
    """What was asked for, what counts, and why the rest does not."""
    info = f.runs[0].info
    minutes = sum(len(run.raw) for run in f.runs) / info.rate_hz / 60
    kinds = sorted({c.type for c in info.channels})
    layout = ", ".join(f"{sum(c.type == kind for c in info.channels)} {kind}" for kind in kinds)
    start = next((x for x in f.notes if x["kind"] == "start"), {})
    rows = [("Recording", "<br>".join(escaped(path.name) for path in f.recordings))]
    if "begun" in start:
        rows.append(("Begun", f"{datetime.fromtimestamp(float(start['begun']), UTC):%Y-%m-%d %H:%M} UTC"))
    if "protocol" in start:
        rows.append(("Protocol", escaped(start["protocol"].get("title", ""))))
    if start.get("simulated"):
        rows.append(("Subject", "simulated, no person"))
    rows += [
        ("Signal", escaped(f"{layout}; {info.rate_hz:g} Hz; {minutes:.1f} min; reference {info.reference or 'not named'}")),
        ("Trial", f"{f.config.trial.start_s:g} to {f.config.trial.stop_s:g} s after the cue"),
    ]
    trials = table(
        ("class", "shown", "count", "left out"),
        [(escaped(c), f"{n}", f"{f.kept[c]}", f"{max(0, n - f.kept[c])}") for c, n in f.asked.items()],
        (1, 2, 3),
    )
    why = (
        table(("why trials do not count", "trials"), [(escaped(r), f"{n}") for r, n in f.reasons.items()], (1,))
        if f.reasons
        else ""
    )
    return pairs(rows) + trials + (why or note("No trial was left out."))


def _quality(f: Findings) -> str:
    """Bad share of each channel, on a head and as a table."""
    import numpy as np

    share = np.array([c.bad for c in f.channels])
    labels = [c.label for c in f.channels]
    worst = max(BAD, float(share.max(initial=0.0)))
    panel = ("bad part of the recording", 100 * share, None)
    head = figures.heads([panel], f.runs[0].info, labels, (0, 100 * worst), "%", figures.SEQUENTIAL)
    bad = [escaped(c.label) for c in f.channels if c.bad >= BAD]
    words = f"Bad for a fifth of the time or more: {', '.join(bad)}." if bad else "No channel was bad for a fifth of the time."
    picture = figures.embedded(head, "share of bad windows over the head") if head else _no_places()
    listing = table(("channel", "bad", "why", ""), map(_channel, sorted(f.channels, key=lambda c: -c.bad)), (1,))
    if len(labels) > FEW:
        listing = f"<details><summary>All {len(labels)} channels</summary>{listing}</details>"
    return f"<p>{words}</p>{picture}{listing}"


def _channel(c: ChannelQuality) -> tuple[str, str, str, str]:
    """A line of the table of channels."""
    why = "; ".join(f"{FAULTS.get(fault, fault)} {100 * part:.1f} %" for fault, part in c.faults.items())
    return escaped(c.label), f"{100 * c.bad:.1f} %", escaped(why), "" if c.used else "left out"


def _no_places() -> str:
    return note("No head map: fewer than four channels have a place that is known or a label of the 10–05 system.")


def _features(f: Findings) -> str:
    """Spectra of each class, and where they differ."""
    x = f.exploration
    if x is None:
        return note(escaped(f.missing.get("features", "not found out")))
    best = "".join(f"<li>{escaped(s)} (p = {s.p:.2g})</li>" for s in x.suggestions)
    found = "<p>No channel and frequency tells the classes apart by itself; a decoder, which combines them, still may.</p>"
    if best:
        found = f"<p>What tells the classes apart best:</p><ul>{best}</ul>"
    about = (
        f"Share of the variance that the class explains, with the sign of the difference. Dots: p ≤ 0.05 for the whole map "
        f"({x.power.n_permutations} permutations of the labels within recordings, largest value). Use this picture to "
        "look at the data, not to select features: "
        "the decoder's choice is made inside the cross-validation."
    )
    return (
        found
        + figures.embedded(figures.class_spectra(x), "mean spectrum of each class, with standard error")
        + note("Mean ± standard error over trials, Welch's method. Grey: classes differ significantly.")
        + figures.embedded(figures.separability_map(x), "signed r² of each channel and frequency")
        + note(about)
    )


def _changes(f: Findings) -> str:
    """ERD/ERS maps."""
    x = f.exploration
    if x is None or not x.change:
        return note(escaped(f.missing.get("change", f.missing.get("features", "not found out"))))
    drawn = figures.embedded(figures.change_maps(x, f.config.trial.stop_s), "event-related change of power by time and frequency")
    low, high = REFERENCE_S
    return drawn + note(
        f"Change of power against the interval from {-low:g} to {-high:g} s before the cue "
        "(blue: less, desynchronisation; red: more). "
        "Outlined: p ≤ 0.05 for the whole map. Grey: wavelets reach beyond the epoch."
    )


def _maps(f: Findings) -> str:
    """Topographic maps."""
    x = f.exploration
    if x is None:
        return note(escaped(f.missing.get("features", "not found out")))
    drawn = figures.head_maps(x, f.runs[0].info)
    if not drawn:
        return _no_places()
    pictures = "".join(figures.embedded(d, "band power over the head") for d in drawn)
    why = "the best of the features above" if x.suggestions else "mu; no feature stands out"
    return f"<p>{x.head.low_hz:g}–{x.head.high_hz:g} Hz ({why}).</p>{pictures}" + note(
        "Above: each class. Below: where they differ; white discs: p ≤ 0.05 for all channels together."
    )


def _candidates(f: Findings) -> str:
    """All that were compared."""
    j = f.judgement
    if not j.rows:
        return note("Too few trials to compare anything.")
    drawn = figures.embedded(
        judgement_figures.candidate_rows(j.rows, j.verdict.chance), "accuracy of each candidate with its interval"
    )
    names = [escaped(r.candidate) + (" <b>chosen</b>" if r.chosen else "") for r in j.rows]
    numbers = [(f"{100 * r.accuracy:.1f}", f"{100 * r.low:.0f}–{100 * r.high:.0f}") for r in j.rows]
    rows = [(name, *both) for name, both in zip(names, numbers, strict=True)]
    listing = table(("candidate", "% correct", "interval"), rows, (1, 2))
    about = (
        "The first is the default; another one must be clearly better. The best of many looks better than it is. Therefore the "
        "verdict's accuracy comes from an outer loop that repeats the choice."
    )
    return (
        f"<p>Chosen: <b>{escaped(j.best.name)}</b>, of {len(j.rows)} (grid {escaped(j.grid)}).</p>{drawn}{note(about)}"
        f"<details><summary>As a table</summary>{listing}</details>{''.join(note(escaped(text)) for text in j.notes)}"
    )


def _curve(f: Findings) -> str:
    """Learning curve and forecast."""
    ahead = f.judgement.forecast
    if ahead is None:
        return note("There are too few trials for a learning curve.")
    drawn = figures.embedded(judgement_figures.learning_curve(ahead, f.judgement.verdict.chance), "learning curve with forecast")
    words = (
        f"With {ahead.trials} trials to train on, {percent(ahead.accuracy)} are expected "
        f"({100 * ahead.low:.0f}–{percent(ahead.high)})."
    )
    return f"<p>{words}</p>{drawn}" + note(
        "Measured: models of one, two, three and four fifths of the trials, each tested on the rest."
    )


def _nulls(f: Findings) -> str:
    """Each null test: passed, failed, or not run."""
    run = {null.name: null for null in f.judgement.nulls}
    rows = [_null(words, run.pop(name, None)) for name, words in NULLS.items()]
    rows += [_null(name, null) for name, null in run.items()]
    about = (
        f"A null test fails when chance alone would look as good in fewer than one of {1 / FAILED:.0f} cases; the accuracy above "
        "cannot be trusted then. Of tests that were not run, that of eyes and muscles needs EOG or EMG, the others more trials."
    )
    return table(("", "test", "accuracy", "p"), rows, (2, 3)) + note(about)


def _null(words: str, null: Null | None) -> tuple[str, str, str, str]:
    """A line of the table of null tests."""
    if null is None:
        return badge("not run"), escaped(words), "", ""
    text = f"{escaped(words)}<br><i>{escaped(null.words)}</i>"
    return badge("passed" if null.passed else "failed"), text, percent(null.accuracy), f"{null.p_value:.2g}"


def _thresholds(f: Findings) -> str:
    """False activations against right ones."""
    t = f.tuning
    if not t.points:
        return note(f"Not found out: {escaped(t.why_not)}")
    drawn = figures.embedded(
        judgement_figures.trade_off_curve(t.points, t.chosen), "right activations against false ones per minute"
    )
    words = f"<p>Not tuned: {escaped(t.why_not)}.</p>"
    if t.chosen is not None:
        few = f"<p>The most sensitive setting with at most {t.allowed_per_min:g} false activations per minute:</p>"
        words = few + pairs(_setting(t.chosen))
    idle_min = t.points[0].idle_min
    about = (
        f"Idle: {idle_min:.1f} min in which the person had no task. Every setting was run through the steps that decide "
        "live, on probabilities of models that had not seen the signal. The setting shown is the best of many on the same signal."
    )
    return words + drawn + note(about)


def _setting(found: Operating) -> list[tuple[str, str]]:
    """One setting, what it gives, and how to use it."""
    d = found.settings
    option = " ".join(f"--set decision.{n}={getattr(d, n):g}" for n in ("threshold", "release", "dwell_s", "smoothing_s"))
    rate = f"{found.per_min:.2g} per minute (95 % interval {found.low:.2g}–{found.high:.2g})"
    none = percent(max(0.0, 1 - found.hit - found.wrong))
    delay = "" if found.delay_s is None else f"; median delay {found.delay_s:.1f} s"
    return [
        ("Setting", f"threshold {d.threshold:g}, release {d.release:g}, dwell {d.dwell_s:g} s, smoothing {d.smoothing_s:g} s"),
        ("False activations", f"{found.false} in {found.idle_min:.1f} min: {rate}"),
        ("Trials", f"{percent(found.hit)} right, {percent(found.wrong)} wrong, {none} without any{delay}"),
        ("To use it", f"<code>bci run … {option}</code>; bci calibrate --false-per-min puts one into the model"),
    ]


def _head_start(f: Findings) -> str:
    """What other people's recordings gave."""
    if f.model is None:
        return note("Not known, because no model was given with the recording.")
    header = f.model.header
    kept = {k: v for k, v in header.chosen.items() if "head" in k}
    told = [text for text in header.notes if HEAD_START in text]
    if not told and not kept and header.decoder != HEAD_START.replace(" ", "-"):
        return note("Not used: this decoder was trained on this person's signals only.")
    return "".join(f"<p>{escaped(text)}</p>" for text in told) + pairs((k, escaped(v)) for k, v in sorted(kept.items()))


def _reproduce(f: Findings) -> str:
    """Commands, seeds, hashes, versions, configuration."""
    j = f.judgement
    start = next((x for x in f.notes if x["kind"] == "start"), {})
    looks = start.get("protocol", {}).get("most_blocks")
    names = [path.name for path in f.recordings]
    words = ["bci", "judge", *names, "--grid", j.grid, "--seed", f"{j.seed}"]
    words += ["--look", f"{j.look}", "--looks", f"{looks}"] if looks and not f.judged_anew else []
    kept = f.config.model_validate({name: getattr(f.config, name) for name in KEPT_SECTIONS})
    commands = [
        " ".join(map(shlex.quote, [*words, *setting_words(kept)])),
        " ".join(map(shlex.quote, ["bci", "report", names[-1]])),
    ]
    simulated = start.get("simulated")
    if simulated:
        protocol = start.get("protocol", {}).get("name", "")
        again = [
            "--simulate",
            "--skill",
            f"{simulated.get('skill')}",
            "--seed",
            f"{start['seed']}",
            "--protocol",
            protocol,
            "--headless",
        ]
        commands.insert(0, " ".join(map(shlex.quote, ["bci", "calibrate", *again])))
    hashes = [(run.name, run.sha256) for run in f.runs]
    if f.model is not None:
        hashes.append((f.model.path.name, f.model.sha256))
    packages = [(name, _version(name)) for name in PACKAGES]
    machine = [(k, v) for k, v in fingerprint().items() if k in ("machine", "blas", "simd")]
    seeds = [("order of the trials", f"{start['seed']}")] if start else []
    seeds += [("permutations of the judge", f"{j.seed}"), ("permutations of the pictures", "0")]
    shown = kept.model_dump(mode="json", exclude_defaults=True)
    config = json.dumps(shown, indent=2, ensure_ascii=False, sort_keys=True)
    plan = json.dumps(start.get("protocol", {}), indent=2, ensure_ascii=False, sort_keys=True)
    return (
        "<p>In the folder of the recording:</p>"
        + "".join(f"<pre>{escaped(command)}</pre>" for command in commands)
        + table(("seed of", ""), [(escaped(a), escaped(b)) for a, b in seeds])
        + table(("SHA-256 of", ""), [(escaped(a), f"<code>{escaped(b)}</code>") for a, b in hashes])
        + table(("version of", ""), [(escaped(a), escaped(b)) for a, b in (*packages, *machine)])
        + f"<details><summary>Configuration (what differs from the defaults)</summary><pre>{escaped(config)}</pre></details>"
        + (f"<details><summary>Protocol</summary><pre>{escaped(plan)}</pre></details>" if start else "")
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


PARTS = (
    ("Verdict", _verdict),
    ("What was recorded", _recorded),
    ("Signal quality", _quality),
    ("Spectra and where classes differ", _features),
    ("Change after the cue (ERD/ERS)", _changes),
    ("Maps", _maps),
    ("Candidates", _candidates),
    ("Learning curve", _curve),
    ("Null tests", _nulls),
    ("Thresholds and false activations", _thresholds),
    ("Head start", _head_start),
    ("How to reproduce this", _reproduce),
)
"""Title and maker of each part, in order."""
