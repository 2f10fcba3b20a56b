"""``bci gui``: the windows."""

from __future__ import annotations

import argparse

HELP = """Open windows to prepare, watch and control a session: wizard, operator, therapist, and any others that are installed.

The windows run in a separate process, which reads and writes streams like any other program. They can join a running session.
Closing or killing them does not affect the session, and when you open them again they show its past. Without options, the
welcome window asks what you would like to do."""

EXAMPLES = """bci gui
bci gui wizard
bci gui operator
bci gui operator --recording recordings
bci gui therapist --theme dark
bci gui operator --host '*' --session 4f2a90c1be77"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    add = parser.add_argument
    add("windows", nargs="*", metavar="WINDOW", help="operator, therapist, … (default: welcome, which offers all of them)")
    add("--name", default="bci", help="prefix of the session's streams (engine.name, default bci)")
    add("--host", default="", help="computer whose streams are shown: its name, '' for this one (default), or '*' for all")
    add("--session", default="", metavar="ID", help="identifier of the session (default: the session that is running)")
    add(
        "--recording",
        default="recordings",
        metavar="PATH",
        help="growing recording, or the folder that contains it, from which the past is shown",
    )
    add(
        "--montage",
        default="",
        metavar="FILE",
        help="montage file: names, types and positions of channels, where the stream does not state them",
    )
    add("--settings", default="", metavar="FILE", help="INI file that stores how the windows are arranged")
    add("--beside", action="store_true", help="leave room for the participant's window, if there is only one display")
    add("--theme", default="", choices=("", "light", "dark"), help="colours (default: as last time)")


def run(args: argparse.Namespace) -> int:
    """Show windows until the last one is closed.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci import plugins
    from bci.errors import ConfigError

    known = plugins.names(plugins.WINDOWS)
    unknown = [name for name in args.windows if name not in known]
    if unknown:
        raise ConfigError(f"bci gui: there is no window {', '.join(unknown)}; the windows are {', '.join(known) or 'none'}")
    start = plugins.load(plugins.DESKTOPS, "qt")
    return int(start({**vars(args), "windows": tuple(args.windows)}))
