"""Settings of a session from a preset, one TOML file and the command line, in this order.

Later ones win key by key. Whatever is wrong is reported at once, each problem with the file and the key it
comes from. Importing this module is cheap, so that ``--help`` is; pydantic and numpy come in with the first call.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bci import plugins
from bci.errors import ConfigError
from bci.safe_io.toml import read_toml, toml_of

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from bci.settings import SessionConfig

COMMAND_LINE = "command line"
MOST_PROBLEMS = 100
LONGEST_NAME = 64
"""A longer one is no mistyped key, and to look for the nearest would take long."""
SHORT = {"out": "record.out", "subject": "record.subject"}


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the options with which every setting can be given; read them with :func:`config_of`.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of a command.
    """
    group = parser.add_argument_group("configuration", "the command line overrides the file, and the file overrides the preset")
    group.add_argument("--preset", metavar="NAME", help="settings for a paradigm, for instance motor-imagery")
    group.add_argument("--config", metavar="FILE", help="TOML file with sections such as [stream] and [preprocessing]")
    group.add_argument("--set", metavar="SECTION.KEY=VALUE", action="append", default=[], help="a single setting (repeatable)")
    group.add_argument(
        "--stream",
        "--source",
        metavar="QUERY",
        help="the EEG stream: its name, type or source_id, or for instance source_id=abc,host=* (see bci streams --help)",
    )
    group.add_argument("--out", metavar="DIR", help="folder for recordings (record.out)")
    group.add_argument("--subject", metavar="LABEL", help="pseudonym, letters and digits (record.subject)")


def add_without(parser: argparse.ArgumentParser) -> None:
    """Add the option with which a session goes on although its markers are not there; read it with :func:`without_of`.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of a command.
    """
    parser.add_argument(
        "--without",
        metavar="QUERY",
        default="",
        help="the query of markers.stream: begin even if no stream matches it, and use the stream as soon as it comes",
    )


def without_of(args: argparse.Namespace, config: SessionConfig) -> str:
    """The markers that may be missing; empty for none.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.
    config : SessionConfig
        The session's.

    Raises
    ------
    ConfigError
        If they were never asked for.
    """
    from bci.stream.stream_query import StreamQuery

    text: str = args.without
    if text and StreamQuery.parse(text) != StreamQuery.parse(config.markers.stream):
        asked = f"markers.stream is {config.markers.stream!r}" if config.markers.stream else "markers.stream is not set"
        raise ConfigError(f"--without {text}: this is not the stream that the session asks for; {asked}")
    return text


def config_of(args: argparse.Namespace, rate_hz: float | None = None) -> SessionConfig:
    """The configuration that the options of :func:`add_config_options` stand for.

    Parameters
    ----------
    args : argparse.Namespace
    rate_hz : float, optional
        Rate of the stream where it is known already: filters are checked against it.

    Raises
    ------
    ConfigError
        With all problems.
    """
    overrides = {}
    for text in args.set:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text}: must be SECTION.KEY=VALUE, for instance preprocessing.hop_s=0.1")
        overrides[key.strip()] = value.strip()
    if args.stream is not None:
        overrides |= _stream_overrides(args.stream)
    overrides |= {key: getattr(args, name) for name, key in SHORT.items() if getattr(args, name, None) is not None}
    return load_config(args.config, overrides, preset=args.preset, rate_hz=rate_hz)


def _stream_overrides(text: str) -> dict[str, str]:
    """``--stream`` names the stream anew: what a file says of its identity no longer counts."""
    # In quotes, because a value is read as TOML first.
    return {"stream.name": json.dumps(text, ensure_ascii=False)} | {f"stream.{key}": "" for key in ("type", "source_id", "host")}


def load_config(
    path: Path | str | None = None,
    overrides: Mapping[str, str] | None = None,
    *,
    preset: str | None = None,
    rate_hz: float | None = None,
) -> SessionConfig:
    """Read, join and check the settings of a session.

    Parameters
    ----------
    path : Path or str, optional
        TOML file. A relative ``stream.montage`` in it is looked for beside it.
    overrides : mapping of str to str, optional
        ``"section.key"`` to the value as one would write it in TOML; quotes round texts may be left out.
    preset : str, optional
        Name of a preset (see :func:`presets`).
    rate_hz : float, optional
        Rate of the stream where it is known already.

    Raises
    ------
    ConfigError
        With all problems: file, key, value found and what is allowed.
    """
    merged = _Merged()
    if preset is not None:
        merged.add_file(_preset_path(preset), f"preset {preset}")
    if path is not None:
        merged.add_file(Path(path), str(path))
    for key, text in (overrides or {}).items():
        merged.add_override(key, text)
    return _validated(merged, rate_hz)


def presets() -> dict[str, Path]:
    """Presets at hand: every TOML file in a package that is registered under ``bci.presets``."""
    from importlib.util import find_spec

    found: dict[str, Path] = {}
    for name in plugins.names(plugins.PRESETS):
        spec = find_spec(plugins.load(plugins.PRESETS, name).__name__)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            found |= {file.stem: file for file in sorted(Path(folder).glob("*.toml"))}
    return found


def _preset_path(name: str) -> Path:
    """File of a preset."""
    known = presets()
    if name not in known:
        raise ConfigError(
            f"--preset {name}: no such preset{_near(name, known)}. To add one, register its package under [project.entry-points."
            f'"{plugins.PRESETS}"] in your pyproject.toml and install it, or set {plugins.FOLDERS} to its folder'
        )
    return known[name]


@dataclass
class _Merged:
    """Settings so far, where each came from, and what could not even be read."""

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add_file(self, path: Path, origin: str) -> None:
        """Lay the settings of a file over those so far."""
        try:
            tree = read_toml(path, origin)
        except ConfigError as error:
            self.problems += error.problems
            return
        _anchor_montage(tree, path)
        for section, values in tree.items():
            if not isinstance(values, dict):
                self.problems.append(f"{origin}: {section} = {_short(values)}: is outside any [section]")
                continue
            self.tree.setdefault(section, {})
            self.origins.setdefault(f"{section}.", origin)
            for key, value in values.items():
                self._put(section, key, value, origin)

    def add_override(self, dotted: str, text: str) -> None:
        """Lay one setting from the command line over those so far."""
        section, _, rest = dotted.partition(".")
        key, _, inner = rest.partition(".")
        if not section or not key:
            self.problems.append(f"{COMMAND_LINE}: {dotted}: must be SECTION.KEY, for instance stream.name")
            return
        value = _value(section, key, text)
        self._put(section, key, {inner: value} if inner else value, COMMAND_LINE)

    def _put(self, section: str, key: str, value: Any, origin: str) -> None:
        """Set one key; tables are joined, everything else is replaced."""
        if isinstance(value, date | time):
            self.problems.append(
                f"{origin}: {section}.{key} = {value}: a setting cannot be a date or a time; put texts in quotes"
            )
            return
        here = self.tree.setdefault(section, {})
        old = here.get(key)
        here[key] = old | value if isinstance(old, dict) and isinstance(value, dict) else value
        self.origins[f"{section}.{key}"] = origin


def _anchor_montage(tree: dict[str, Any], path: Path) -> None:
    """Make a relative montage path relative to the file that names it."""
    stream = tree.get("stream")
    if isinstance(stream, dict) and isinstance(stream.get("montage"), str) and stream["montage"]:
        stream["montage"] = str(path.parent / stream["montage"])


def _value(section: str, key: str, text: str) -> Any:
    """A value from the command line: TOML where it is any and the setting is no text, else the text itself."""
    try:
        value = toml_of(f"value = {text}")["value"]
    except ValueError:
        return text
    return text if _is_text(section, key) and not isinstance(value, str) else value


def _is_text(section: str, key: str) -> bool:
    """Whether a setting is a text, so that ``record.session=01`` needs no quotes."""
    from bci.settings import SessionConfig

    known = SessionConfig.model_fields.get(section)
    model = SessionConfig.OWN_CHECKS.get(section, known.annotation if known else None)
    default = getattr(known.default, key, None) if known and model else None
    return isinstance(default, str) or (section, key) == ("markers", "table")


def _validated(merged: _Merged, rate_hz: float | None) -> SessionConfig:
    """Check everything; raise once, with every problem."""
    from pydantic import ValidationError

    from bci.settings import SessionConfig

    problems = [*merged.problems, *_duplicate_ports(merged)]
    config = None
    try:
        # JSON mode is strict about types without insisting on tuples and dataclass instances.
        text = json.dumps(merged.tree, default=str)
        config = SessionConfig.model_validate_json(text, context={"rate_hz": rate_hz} if rate_hz else None)
    except ValidationError as error:
        details = error.errors(include_url=False)
        for detail in details[: MOST_PROBLEMS + 1]:
            problems += _described(detail, merged)
        problems += _own_checks(details, merged)
    if problems or config is None:
        more = len(problems) - MOST_PROBLEMS
        raise ConfigError([*problems[:MOST_PROBLEMS], f"and {more} more problems"] if more > 0 else problems)
    return config


def _described(detail: ErrorDetails, merged: _Merged) -> Iterator[str]:
    """One problem found by pydantic, in this project's words."""
    path = [str(part) for part in detail["loc"]]
    dotted = ".".join(path)
    origin = merged.origins.get(".".join(path[:2])) or _origin_of(path[0], merged)
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        allowed = _allowed(path[:-1])
        yield f"{origin}: {dotted}: no such {'section' if len(path) == 1 else 'key'}{_near(path[-1], allowed)}"
    elif detail["type"] == "settings":
        for told in detail["ctx"]["problems"].splitlines():
            line = told.removeprefix(f"{path[0]}.")
            key = line.partition(" ")[0]
            yield f"{merged.origins.get(f'{path[0]}.{key}', origin)}: {path[0]}.{line}"
    else:
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "string_pattern_mismatch" and path[0] == "record":
            message = "must be 1 to 32 letters or digits (a pseudonym, never a name)"
        yield f"{origin}: {dotted} = {_short(detail['input'])}: {message[0].lower()}{message[1:]}"


def _own_checks(details: list[ErrorDetails], merged: _Merged) -> Iterator[str]:
    """What the engine's settings say of their good keys, in a section where other keys are bad.

    pydantic builds them only when every key has the right type; problems are to be told at once.
    """
    from bci.settings import SessionConfig

    bad = {tuple(map(str, detail["loc"][:2])) for detail in details}
    for section, cls in SessionConfig.OWN_CHECKS.items():
        if not any(len(where) == 2 and where[0] == section for where in bad):
            continue
        good = {k: v for k, v in merged.tree[section].items() if (section, k) not in bad}
        try:
            cls(**good)
        except ConfigError as error:
            for told in error.problems:
                line = told.removeprefix(f"{section}.")
                key = f"{section}.{line.partition(' ')[0]}"
                yield f"{merged.origins.get(key, _origin_of(section, merged))}: {section}.{line}"


def _duplicate_ports(merged: _Merged) -> Iterator[str]:
    """Two settings that want the same port."""
    taken: dict[int, str] = {}
    for key, value in _leaves(merged.tree):
        is_port = key.endswith((".port", "_port")) and isinstance(value, int) and not isinstance(value, bool)
        if not is_port or not value:
            continue
        if value in taken:
            origin = merged.origins.get(".".join(key.split(".")[:2]), COMMAND_LINE)
            yield f"{origin}: {key} = {value}: is also the port of {taken[value]}; give each its own port"
        taken.setdefault(value, key)


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All settings with their dotted keys."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _allowed(path: list[str]) -> list[str]:
    """Keys that exist at a place of the configuration."""
    from bci.settings import SessionConfig

    if not path:
        return list(SessionConfig.model_fields)
    default = SessionConfig.model_fields[path[0]].default
    return list(getattr(type(default), "model_fields", None) or type(default).__dataclass_fields__)


def _origin_of(section: str, merged: _Merged) -> str:
    """Where a section came from."""
    return next((origin for key, origin in merged.origins.items() if key.startswith(f"{section}.")), "configuration")


def _near(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """Suggest the nearest names, or list all."""
    near = get_close_matches(name, list(known), n=2) if len(name) <= LONGEST_NAME else []
    return f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(known)}" if known else ""


def _short(value: object) -> str:
    """A value as it is shown in a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
