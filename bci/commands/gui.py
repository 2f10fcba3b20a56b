"""``bci gui``: the windows."""

from __future__ import annotations

import argparse

HELP = """Windows to prepare, watch and steer a session: wizard, operator, therapist, and whatever else is installed.

A process of its own that reads and writes streams like any other program: it joins a session that runs, may be
closed or killed without touching it, and shows its past when it comes back. Without options it asks what to do."""

EXAMPLES = """bci gui
bci gui wizard
bci gui operator
bci gui operator --recording recordings
bci gui therapist --theme dark
bci gui operator --host '*' --session 4f2a90c1be77"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("windows", nargs="*", metavar="WINDOW", help="operator, therapist, … (default: welcome, which offers them)")
    add("--name", default="bci", help="prefix of the session's streams (engine.name, default bci)")
    add("--host", default="", help="machine whose streams are shown ('' this one, the default; '*' any)")
    add("--session", default="", metavar="ID", help="identifier of the session (default: the one that is there)")
    add("--recording", default="recordings", metavar="PATH", help="growing recording, or folder to look for it, for the past")
    add("--montage", default="", metavar="FILE", help="montage file: names, types and positions that the stream leaves out")
    add("--settings", default="", metavar="FILE", help="INI file that remembers how windows were arranged")
    add("--beside", action="store_true", help="on the only display, leave room for the participant's window")
    add("--theme", default="", choices=("", "light", "dark"), help="colours (default: as last time)")


def run(args: argparse.Namespace) -> int:
    """Show windows until the last one is closed."""
    from bci import plugins
    from bci.errors import ConfigError

    known = plugins.names(plugins.WINDOWS)
    unknown = [name for name in args.windows if name not in known]
    if unknown:
        raise ConfigError(f"bci gui: no window {', '.join(unknown)}; there are {', '.join(known) or 'none'}")
    start = plugins.load(plugins.DESKTOPS, "qt")
    return int(start({**vars(args), "windows": tuple(args.windows)}))
