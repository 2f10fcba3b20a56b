"""The certificate as one page of HTML that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import numpy as np

from bci.engine.chunk import FloatArray
from bci.session.certify.certificate import Certificate
from bci.session.certify.stages import STAGES, block_medians, spread

BINS = 60
WIDTH, HEIGHT, FOOT = 640, 150, 34
STAGE_NAMES = {
    "wire": "stamp of the newest sample → engine",
    "engine": "engine's step",
    "delivery": "decision sent → receiver",
    "whole": "the whole way",
}
LIMIT_NAMES = {
    "p50_ms": "whole way, median (ms)",
    "p99_ms": "whole way, 99th percentile (ms)",
    "max_ms": "whole way, largest (ms)",
    "jitter_ms": "jitter: decisions beside their grid, 99th percentile (ms)",
    "lost_percent": "samples lost (%)",
    "undecoded_percent": "windows not decoded (%)",
    "late_percent": "late decisions (%)",
    "missing": "rows that never came",
    "loopback_p99_ms": "loop-back, 99th percentile (ms)",
    "loopback_missed": "loop-back: commands without effect",
}
STYLE = """
body { font: 16px/1.45 sans-serif; color: #1b1f24; background: #fff; max-width: 46rem; margin: 2rem auto; padding: 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d6dade }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.verdict { display: inline-block; padding: .4rem 1.2rem; border-radius: .3rem; color: #fff; font-weight: 700 }
.pass { background: #17633a } .fail { background: #a11d1d }
.no { color: #a11d1d; font-weight: 700 } .yes { color: #17633a }
figcaption, .small { font-size: .9rem; color: #4a525a }
figure { margin: 1rem 0 }
"""


def page(certificate: Certificate) -> str:
    """The page.

    Every text that came from outside (names of streams, of channels, of a processor) is escaped.
    """
    c = certificate.as_json()
    verdict = "PASS" if certificate.passed else "FAIL"
    parts = [
        f'<p><span class="verdict {verdict.lower()}">{verdict}</span></p>',
        f"<p>{escape(_summary(certificate))}</p>",
        "<h2>Limits</h2>",
        _limits(certificate),
        "<h2>Where the time goes</h2>",
        _stages(certificate),
        histogram(certificate.measured.delays["whole"], "The whole way, ms: from a sample's stamp to its decision at a receiver"),
        histogram(np.asarray(certificate.measured.intervals), "Between decisions, ms"),
        *_loopback(certificate),
        "<h2>Not this computer's doing</h2>",
        _apart(certificate),
        "<h2>What was certified</h2>",
        table(("", ""), [(escape(k), escape(str(v))) for k, v in {**c["chain"], **c["machine"]}.items()]),
        f'<p class="small">{escape(_method(c))}</p>',
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>bci certificate: {verdict}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        "<h1>How fast and how steady this brain-computer interface is</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def histogram(seconds: FloatArray, caption: str) -> str:
    """Bars as SVG; what is beyond the 99.5th percentile is counted at the right edge.

    Parameters
    ----------
    seconds : ndarray, shape (n_values,)
    caption : str
    """
    if not len(seconds):
        return f"<p>{escape(caption)}: nothing was measured.</p>"
    values = 1e3 * seconds
    low, high = float(values.min()), float(np.percentile(values, 99.5))
    high = high if high > low else low + 1.0
    counts = np.histogram(np.clip(values, low, high), BINS, (low, high))[0]
    step = WIDTH / BINS
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{HEIGHT - h:.1f}" width="{step - 1:.1f}" height="{h:.1f}"/>'
        for i, h in enumerate((HEIGHT * counts / counts.max()).tolist())
        if h
    )
    marks = "".join(
        _mark(WIDTH * (float(np.percentile(values, q)) - low) / (high - low), name) for q, name in ((50, "p50"), (99, "p99"))
    )
    text = f"{caption}. {len(values)} values; largest {values.max():.2f}."
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT + FOOT}" role="img" aria-label="{escape(text)}">'
        f'<g fill="#3b6ea5">{bars}</g><g stroke="#1b1f24" fill="#1b1f24" font-size="12" stroke-width="1">{marks}</g>'
        f'<g font-size="12" fill="#4a525a"><text x="0" y="{HEIGHT + 30}">{low:.2f}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 30}" text-anchor="end">{high:.2f}</text></g></svg>'
        f"<figcaption>{escape(text)}</figcaption></figure>"
    )


def _mark(x: float, name: str) -> str:
    x = min(max(x, 1.0), WIDTH - 1.0)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT + 4}" stroke-dasharray="3 3"/>'
        f'<text x="{min(max(x, 12), WIDTH - 12):.1f}" y="{HEIGHT + 16}" text-anchor="middle" stroke="none">{name}</text>'
    )


def table(head: Iterable[str], rows: Iterable[Iterable[str]], numbers: bool = False) -> str:
    """A table of cells that are HTML already; ``numbers``: all but the first column stand right."""
    attribute = ' class="n"' if numbers else ""

    def line(cells: Iterable[str], tag: str) -> str:
        return "".join(f"<{tag}{attribute if i else ''}>{cell}</{tag}>" for i, cell in enumerate(cells))

    body = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table>\n<tr>{line(head, 'th')}</tr>\n{body}\n</table>"


def _summary(c: Certificate) -> str:
    whole = spread(c.measured.delays["whole"])
    failed = [LIMIT_NAMES[line.name] for line in c.lines if not line.passed]
    text = (
        f"From a sample's stamp to its decision at a receiver: {whole.p50:.2f} ms (median), {whole.p99:.2f} ms (99 %), "
        f"{whole.max:.1f} ms (largest), over {c.measured.decisions} decisions in {c.measured.seconds:.0f} s."
    )
    return text + (f" Not kept: {'; '.join(failed)}." if failed else " Every limit was kept.")


def _limits(c: Certificate) -> str:
    rows = [
        (
            escape(LIMIT_NAMES[line.name]),
            f"{line.value:.3g}",
            f"{line.limit:g}",
            '<span class="yes">kept</span>' if line.passed else '<span class="no">not kept</span>',
        )
        for line in c.lines
    ]
    return table(("", "found", "at most", ""), rows, numbers=True)


def _stages(c: Certificate) -> str:
    rows = []
    for name in STAGES:
        s = spread(c.measured.delays[name])
        rows.append((escape(STAGE_NAMES[name]), *(f"{x:.2f}" for x in (s.p50, s.p95, s.p99, s.max))))
    m = c.measured
    undecoded = ", ".join(f"{n} {reason}" for reason, n in m.undecoded.items()) or "none"
    blocks = ", ".join(f"{x:.2f}" for x in block_medians(c.measured.delays["whole"]))
    words = (
        f"Windows not decoded: {undecoded}. Samples lost: {m.lost_samples} of {m.samples + m.lost_samples}. "
        f"Median of each fifth of the run: {blocks} ms (close together: the computer was steady)."
    )
    return table(("ms", "p50", "p95", "p99", "max"), rows, numbers=True) + f'\n<p class="small">{escape(words)}</p>'


def _loopback(c: Certificate) -> list[str]:
    if c.loop is None:
        return []
    words = f"{c.loop.sent} commands, {c.loop.missed} without effect, {c.loop.unasked} effects that nobody asked for."
    return [
        "<h2>Loop-back</h2>",
        f"<p>{escape(words)}</p>",
        histogram(c.loop.delays, "From a command to what it did, ms"),
    ]


def _apart(c: Certificate) -> str:
    d, device = c.delays, c.device
    rows = [("window: a decision is about this long a stretch", f"{1e3 * d.window_s:g} ms")]
    rows += [
        (
            f"group delay of the filters, {b.low_hz:g} to {b.high_hz:g} Hz",
            f"{b.centre_ms:.0f} ms at the centre ({b.least_ms:.0f} to {b.most_ms:.0f})",
        )
        for b in d.bands
    ]
    rows += [
        ("time between decisions", f"{1e3 * d.hop_s:g} ms"),
        ("smoothing of the decisions", f"{1e3 * d.smoothing_s:g} ms"),
        ("evidence must last", f"{1e3 * d.dwell_s:g} ms"),
        (f"before the first stamp: {device.about}", f"{device.low_ms:g} to {device.high_ms:g} ms"),
    ]
    cells = [(escape(a), escape(b)) for a, b in rows]
    return table(("", ""), cells) + f'\n<p class="small">{escape(device.how)}</p>'


def _method(c: Mapping[str, Any]) -> str:
    load = f" Load before and after: {c['load']}." if c["load"] else ""
    return (
        f"Made {c['made']} by bci certify. All processes ran as in a session, on this computer and its one LSL clock. A "
        "decision's stamp is that of the newest sample it used; the engine's step is its own telemetry; a decision's LSL stamp "
        "says when it was sent. The first stage is what remains: it holds the sender, the way over LSL and the wake-up of the "
        "engine. So the stages of each decision add up to the whole (their percentiles do not)." + load
    )
