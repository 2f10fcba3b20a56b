"""HTML of a calibration report: every text that comes from a recording goes through :func:`escaped`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def escaped(text: object) -> str:
    """Text for HTML, whatever it holds.

    Parameters
    ----------
    text : object

    Returns
    -------
    str
    """
    return html.escape(str(text), quote=True)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table; cells are HTML already.

    Parameters
    ----------
    head : sequence of str
    rows : iterable of sequence of str
    numbers : sequence of int
        Columns that hold numbers.

    Returns
    -------
    str
    """

    def cell(kind: str, at: int, content: str) -> str:
        return f"<{kind}{' class=n' if at in numbers else ''}>{content}</{kind}>"

    first = "".join(cell("th", i, escaped(text)) for i, text in enumerate(head))
    body = "".join(f"<tr>{''.join(cell('td', i, c) for i, c in enumerate(row))}</tr>" for row in rows)
    return f'<table class="facts"><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table>'


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values; values are HTML already.

    Parameters
    ----------
    rows : sequence of (str, str)

    Returns
    -------
    str
    """
    return f'<table class="pairs">{"".join(f"<tr><th>{escaped(n)}</th><td>{v}</td></tr>" for n, v in rows)}</table>'


def badge(kind: str) -> str:
    """``passed``, ``failed`` or ``not run``: a word, a sign and a colour.

    Parameters
    ----------
    kind : str

    Returns
    -------
    str
    """
    sign = {"passed": "✓", "failed": "✗"}.get(kind, "–")
    return f'<span class="mark {kind.replace(" ", "-")}">{sign} {kind}</span>'


def note(text: str) -> str:
    """A remark; HTML already.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return f'<p class="remark">{text}</p>'


def percent(share: float) -> str:
    """A share in percent.

    Parameters
    ----------
    share : float
        0 to 1.

    Returns
    -------
    str
    """
    return f"{100 * share:.0f} %"
