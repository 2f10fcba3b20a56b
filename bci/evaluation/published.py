"""Figures that others published for public data sets, beside our own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from bci.evaluation.public import MoabbSource
from bci.evaluation.sources import RunFacts
from bci.evaluation.table import HEADINGS, ResultRow, as_line, mean_and_spread, of_people


@dataclass(frozen=True, slots=True)
class Figure:
    """What somebody reported.

    Parameters
    ----------
    data_set, protocol : str
    classes : frozenset of str
        Those that were told apart; empty for all that the data set has.
    measure : str
        Column of our table.
    method : str
        As they call it.
    decoder : str
        Ours that is meant by it; empty for none.
    value : str
        Mean, and standard deviation over people where it is known.
    source : str
    """

    data_set: str
    protocol: str
    classes: frozenset[str]
    measure: str
    method: str
    decoder: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A public data set of an evaluation.

    Parameters
    ----------
    data_set : str
        As the rows name it.
    name : str
        As MOABB names its class.
    classes : frozenset of str
        Cued in it; empty where it is not here.
    """

    data_set: str
    name: str
    classes: frozenset[str]


@cache
def figures() -> tuple[Figure, ...]:
    """All figures of ``published.toml``."""
    document = tomllib.loads((files(__package__) / "published.toml").read_text(encoding="utf-8"))
    return tuple(
        Figure(
            name,
            table["protocol"],
            frozenset(table["classes"]),
            table["measure"],
            method,
            document["decoders"].get(method, ""),
            value,
            table["source"],
        )
        for table in document["table"]
        for method, values in table["rows"].items()
        for name, value in zip(table["sets"], values, strict=True)
        if value
    )


def benchmarks(facts: Sequence[RunFacts], missing: Mapping[str, str]) -> list[Benchmark]:
    """The public data sets among recordings, and those that are not here.

    Parameters
    ----------
    facts : sequence of RunFacts
    missing : mapping of str to str
        Why each data set is not here.

    Returns
    -------
    list of Benchmark
    """
    classes: dict[tuple[str, str], frozenset[str]] = {}
    for fact in facts:
        if isinstance(fact.source, MoabbSource):
            key = fact.data_set, _name(fact.source.spec)
            classes[key] = classes.get(key, frozenset()) | frozenset(fact.cues)
    there = [Benchmark(data_set, name, found) for (data_set, name), found in classes.items()]
    return there + [Benchmark(spec, _name(spec), frozenset()) for spec in missing]


def _name(spec: str) -> str:
    """Name of the data set without its arguments."""
    return spec.split("(")[0].strip()


def published_table(rows: Sequence[ResultRow], sets: Sequence[Benchmark]) -> str:
    """Figures for the data sets and protocols of the rows, ours beside them; empty where there are none.

    Parameters
    ----------
    rows : sequence of ResultRow
    sets : sequence of Benchmark

    Returns
    -------
    str
    """
    lines = [line for one in sets for line in _lines(rows, one)]
    if not lines:
        return ""
    head = ["data set", "protocol", "classes", "method", "measure", "published", "ours", "source"]
    note = (
        "These figures are as their authors reported them. They used other filters, windows and splits than bci does (within a "
        "session, MOABB shuffles trials and filters forwards and backwards), so a difference from the results above shows little."
    )
    return "\n".join(["## Published figures", "", note, "", as_line(head), as_line(["---"] * len(head)), *lines, ""])


def _lines(rows: Sequence[ResultRow], one: Benchmark) -> list[str]:
    """Lines of one data set: what is known of it, for the protocols that were asked for."""
    protocols = {r.protocol for r in rows if r.data_set == one.data_set}
    found = [f for f in figures() if _same(f.data_set, one.name) and f.protocol in protocols]
    pairs = {f.classes for f in found if f.classes}
    if one.classes:
        found = [f for f in found if f.classes == (one.classes if one.classes in pairs else frozenset())]
    return [
        as_line(
            [
                one.name,
                f.protocol,
                ", ".join(sorted(f.classes)) or "all",
                f.method,
                HEADINGS[f.measure],
                f.value,
                _ours(rows, one, f),
                f.source,
            ]
        )
        for f in found
    ]


def _same(ours: str, theirs: str) -> bool:
    """Whether two names of a data set are the same, however they are written."""
    first, second = (re.sub("[^a-z0-9]", "", name.lower()) for name in (ours, theirs))
    return first == second


def _ours(rows: Sequence[ResultRow], one: Benchmark, figure: Figure) -> str:
    """Mean and standard deviation over people of the same decoder and measure."""
    own = [r for r in rows if (r.data_set, r.protocol, r.decoder) == (one.data_set, figure.protocol, figure.decoder)]
    if not own or not figure.decoder:
        return ""
    mean, spread = mean_and_spread(list(of_people(own, figure.measure).values()))
    if mean != mean:
        return "not run here"
    return f"{100 * mean:.2f}" + (f"±{100 * spread:.2f}" if spread == spread else "")
