"""What a person can set: `c.Yardmaster` in ipcontroller_config.py, or `--Yardmaster.NAME=`."""

from traitlets import Bool, List, Unicode
from traitlets.config import LoggingConfigurable


class Yardmaster(LoggingConfigurable):
    """The native task scheduler that takes the place of ipcontroller's Python one.

    Scheme and high water mark stay where they were: c.TaskScheduler.scheme_name and .hwm.
    """

    binary = Unicode(
        "",
        config=True,
        help="""Path of the yardmaster binary. Empty: looked for. The environment variable
        YARDMASTER_BINARY comes first, then this, then PATH, then the source checkout
        that this package was installed from.""",
    )
    args = List(
        Unicode(),
        config=True,
        help="""Further options for `yardmaster scheduler`, e.g. ["--io", "epoll"]. They come
        last, so they win. Never put a key here: command lines are public.""",
    )
    journal = Unicode(
        "",
        config=True,
        help="""Folder for the scheduler's journals. With it, a scheduler that dies is started
        again with everything that waited, ran or was not delivered. Each cluster (session key)
        gets a folder of its own in there; a controller that is started again with `reuse` finds
        it. Empty: no journal.""",
    )
    journal_sync = Unicode(
        "5",
        config=True,
        help="""When the journal is synced to the disk: "always", a number of milliseconds, or
        "off". Only a power loss can lose what is not synced.""",
    )
    fallback = Bool(
        True,
        config=True,
        help="""When yardmaster cannot serve (no binary, a configuration it does not know, or it
        dies at start): True starts the stock Python scheduler and says why;
        False stops the controller with the reason.""",
    )
    event_log = Unicode(
        "",
        config=True,
        help="""File to which one JSON object a line is appended for every start, death and
        fallback of the scheduler; for tests and for monitoring. Empty: none.""",
    )
