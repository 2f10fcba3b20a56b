"""HTML of a calibration report: every text that comes from a recording goes through :func:`said`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def said(text: object) -> str:
    """Text for HTML, whatever it holds."""
    return html.escape(str(text), quote=True)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table; cells are HTML already.

    Parameters
    ----------
    head : sequence of str
    rows : iterable of sequence of str
    numbers : sequence of int
        Columns that hold numbers.
    """

    def cell(kind: str, at: int, content: str) -> str:
        return f"<{kind}{' class=n' if at in numbers else ''}>{content}</{kind}>"

    first = "".join(cell("th", i, said(text)) for i, text in enumerate(head))
    body = "".join(f"<tr>{''.join(cell('td', i, c) for i, c in enumerate(row))}</tr>" for row in rows)
    return f'<table class="facts"><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table>'


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values; values are HTML already."""
    return f'<table class="pairs">{"".join(f"<tr><th>{said(n)}</th><td>{v}</td></tr>" for n, v in rows)}</table>'


def badge(kind: str) -> str:
    """``passed``, ``failed`` or ``not run``: a word, a sign and a colour."""
    sign = {"passed": "✓", "failed": "✗"}.get(kind, "–")
    return f'<span class="mark {kind.replace(" ", "-")}">{sign} {kind}</span>'


def note(text: str) -> str:
    """A remark; HTML already."""
    return f'<p class="remark">{text}</p>'


def percent(share: float) -> str:
    """A share in percent."""
    return f"{100 * share:.0f} %"
