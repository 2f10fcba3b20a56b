"""The certificate as one HTML page without scripts, fonts or pictures from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from bci.certify.certificate import Certificate
from bci.certify.stages import STAGES, block_medians, spread
from bci.engine.chunk import FloatArray

BINS = 60
WIDTH, HEIGHT, HEAD, FOOT = 640, 150, 16, 20
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
    "jitter_ms": "jitter: deviation of the time between two decisions, 99th percentile (ms)",
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

    Parameters
    ----------
    certificate : Certificate

    Returns
    -------
    str
        A whole HTML document.
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
        histogram(
            certificate.measured.delays["whole"], "The whole way, ms: from a sample's stamp to its decision at a receiver", True
        ),
        histogram(np.asarray(certificate.measured.intervals), "Between decisions, ms"),
        *_loopback(certificate),
        "<h2>What does not depend on this computer</h2>",
        _apart(certificate),
        "<h2>What was certified</h2>",
        table(("", ""), [(escape(k), escape(str(v))) for k, v in {**c["chain"], **c["machine"]}.items()]),
        f'<p class="small">{escape(_method(c))}</p>',
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>bci certificate: {verdict}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        "<h1>Latency and regularity of this brain-computer interface</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def histogram(seconds: FloatArray, caption: str, logarithmic: bool = False) -> str:
    """Bars as SVG, with the median and the 99th percentile marked.

    Parameters
    ----------
    seconds : ndarray, shape (n_values,)
    caption : str
    logarithmic : bool
        Of the axis, for delays whose tail is long. Otherwise half a per cent on either side is counted at the edge.
    """
    if not len(seconds):
        return f"<p>{escape(caption)}: nothing was measured.</p>"
    values = 1e3 * seconds
    logarithmic = logarithmic and float(values.min()) > 0
    axis = Axis.of(values, logarithmic)
    counts = np.histogram(axis.place(values), BINS, (0.0, 1.0))[0]
    step = WIDTH / BINS
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{HEIGHT - h:.1f}" width="{step - 1:.1f}" height="{h:.1f}"/>'
        for i, h in enumerate(((HEIGHT - HEAD) * counts / counts.max()).tolist())
        if h
    )
    named = ((float(np.percentile(values, q)), name) for q, name in ((50, "p50"), (99, "p99")))
    marks = "".join(_mark(WIDTH * float(axis.place(np.array([x]))[0]), name) for x, name in named)
    ticks = "".join(_tick(WIDTH * float(axis.place(np.array([x]))[0]), f"{x:g}") for x in axis.ticks())
    text = f"{caption}. {len(values)} values; largest {values.max():.2f}." + (" Logarithmic axis." if logarithmic else "")
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT + FOOT}" role="img" aria-label="{escape(text)}">'
        f'<g fill="#3b6ea5">{bars}</g><path d="M0 {HEIGHT}H{WIDTH}" stroke="#4a525a"/>'
        f'<g stroke="#1b1f24" fill="#1b1f24" font-size="12">{marks}</g><g font-size="12" fill="#4a525a">{ticks}</g></svg>'
        f"<figcaption>{escape(text)}</figcaption></figure>"
    )


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps milliseconds to a place between 0 and 1.

    Parameters
    ----------
    low, high : float
    logarithmic : bool
    """

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, values: FloatArray, logarithmic: bool) -> Axis:
        """An axis that shows these values, shape (n_values,).

        Parameters
        ----------
        values : ndarray, shape (n_values,)
        logarithmic : bool
            Whether equal ratios are equally far apart; all values must then be above 0.
        """
        low, high = (float(x) for x in np.percentile(values, (0, 100) if logarithmic else (0.5, 99.5)))
        return cls(low, high if high > low else low * 1.1 + 1e-9, logarithmic)

    def place(self, values: FloatArray) -> FloatArray:
        """Where values stand; beyond the ends they stand at the end.

        Parameters
        ----------
        values : ndarray, shape (n_values,)
            In the unit of the axis.

        Returns
        -------
        ndarray, shape (n_values,)
            From 0, the lower end, to 1.
        """
        values = np.clip(values, self.low, self.high)
        if self.logarithmic:
            return np.asarray(np.log(values / self.low) / np.log(self.high / self.low))
        return (values - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values on it, four or so."""
        if self.logarithmic:
            steps = [m * 10.0**e for e in range(-3, 6) for m in (1, 2, 5)]
        else:
            unit = 10.0 ** np.floor(np.log10((self.high - self.low) / 2))
            size = next(s for s in (unit, 2 * unit, 5 * unit, 10 * unit) if (self.high - self.low) / s <= 6)
            steps = [round(k * size, 6) for k in range(int(self.low / size) - 1, int(self.high / size) + 2)]
        return [x for x in steps if self.low <= x <= self.high]


def _mark(x: float, name: str) -> str:
    x = min(max(x, 1.0), WIDTH - 1.0)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD - 2}" y2="{HEIGHT}" stroke-dasharray="3 3"/>'
        f'<text x="{_inside(x):.1f}" y="10" text-anchor="middle" stroke="none">{name}</text>'
    )


def _tick(x: float, name: str) -> str:
    return f'<text x="{_inside(x):.1f}" y="{HEIGHT + 16}" text-anchor="middle">{escape(name)}</text>'


def _inside(x: float) -> float:
    """A place for the middle of a short text, so that it is not cut at the edge."""
    return min(max(x, 14.0), WIDTH - 14.0)


def table(head: Iterable[str], rows: Iterable[Iterable[str]], numbers: bool = False) -> str:
    """A table of cells that are HTML already; ``numbers``: all but the first column stand right.

    Parameters
    ----------
    head : iterable of str
        Headlines, as HTML.
    rows : iterable of iterable of str
        Cells of each row, as HTML.
    numbers : bool
        Align all columns but the first to the right.
    """
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
    return text + (f" Not kept: {'; '.join(failed)}." if failed else " All limits were kept.")


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
    words = f"{c.loop.sent} commands, {c.loop.missed} without effect, {c.loop.unasked} effects without a command."
    return [
        "<h2>Loop-back</h2>",
        f"<p>{escape(words)}</p>",
        histogram(c.loop.delays, "From a command to its effect, ms"),
    ]


def _apart(c: Certificate) -> str:
    d, device = c.delays, c.device
    rows = [("window: length of the signal that a decision is based on", f"{1e3 * d.window_s:g} ms")]
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
