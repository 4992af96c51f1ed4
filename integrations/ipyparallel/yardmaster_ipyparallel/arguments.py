"""Turns a controller's settings into yardmaster's command line and environment.

Called by patch.py with the keyword arguments that ipcontroller prepares for its own scheduler.
Invariant: no secret is ever in `argv`; keys go by environment, which only the same user can read.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from .binary import SECRET_VARIABLES, CannotServe

# jupyter_client's own functions may be named by import string; on the wire they are these.
PACKERS = {
    "json": "json",
    "orjson": "orjson",
    "msgpack": "msgpack",
    "jupyter_client.session.json_packer": "json",
    "jupyter_client.session.orjson_packer": "orjson",
    "jupyter_client.session.msgpack_packer": "msgpack",
    "msgpack.packb": "msgpack",
}
UNPACKERS = {
    "json": "json",
    "orjson": "json",
    "msgpack": "msgpack",
    "jupyter_client.session.json_unpacker": "json",
    "jupyter_client.session.orjson_unpacker": "json",
    "jupyter_client.session.msgpack_unpacker": "msgpack",
    "msgpack.unpackb": "msgpack",
}


def packer_name(session) -> str:
    """The `--packer` that speaks like `session`; raises CannotServe for any that none does."""
    name = PACKERS.get(session.packer)
    understood = UNPACKERS.get(session.unpacker)
    if session.packer == "pickle":
        raise CannotServe(
            "c.Session.packer is 'pickle', which runs code from the wire and needs Python;"
            " use 'json', 'orjson' or 'msgpack'"
        )
    if name is None or understood != {"orjson": "json"}.get(name, name):
        raise CannotServe(
            f"c.Session.packer {session.packer!r} with unpacker {session.unpacker!r} is not known"
            " to it; use 'json', 'orjson' or 'msgpack'"
        )
    return name


def scheduler_argv(binary, args, session, scheme, hwm, extra):
    """The command line. `args` is what get_python_scheduler_args returned for the scheduler."""
    argv = [binary, "scheduler"]
    for option, value in (
        ("--client-url", args["in_addr"]),
        ("--engine-url", args["out_addr"]),
        ("--monitor-url", args["mon_addr"]),
        ("--notification-url", args["not_addr"]),
        ("--registration-url", args["reg_addr"]),
        ("--identity", args["identity"].decode("utf8")),
        ("--scheme", scheme),
        ("--hwm", hwm),
        ("--packer", packer_name(session)),
        ("--signature-scheme", session.signature_scheme),
        # Python's 0 means "everything"; the binary knows 10 to 50.
        ("--log-level", max(10, int(args["loglevel"]))),
        ("--parent-pid", os.getpid()),
    ):
        argv += [option, str(value)]
    if args["log_url"]:
        argv += ["--log-url", args["log_url"]]
    return argv + list(extra)


def journal_argv(folder, sync, session, scheme):
    """The options for a journal under `folder`: one for each session key.

    Tasks signed with another key could not be handed on, so every key has its own journal. Its
    name is a digest: it tells nothing about the key.
    """
    if not folder or scheme == "pure":
        return []
    name = hashlib.sha256(b"yardmaster journal:" + session.key).hexdigest()[:16]
    path = Path(folder).expanduser()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotServe(
            f"c.Yardmaster.journal is {folder!r}, which cannot be made: {error.strerror}"
        ) from error
    return ["--journal", str(path / name), "--journal-sync", sync]


def scheduler_environment(args, session) -> dict[bytes, bytes]:
    """This process's environment with exactly the secrets that this cluster uses.

    A key left in the environment by somebody else would turn on what the controller has off, so
    all three names are always replaced or removed.
    """
    hidden = {name.encode() for name in SECRET_VARIABLES}
    environment = {k: v for k, v in os.environb.items() if k not in hidden}
    secrets = {"IPP_SESSION_KEY": session.key}
    if args["curve_secretkey"]:
        secrets["IPP_CURVE_SECRETKEY"] = args["curve_secretkey"]
        secrets["IPP_CURVE_PUBLICKEY"] = args["curve_publickey"]
    for name, value in secrets.items():
        if b"\0" in value:
            raise CannotServe(f"the value for {name} contains a zero byte")
        environment[name.encode()] = value
    return environment
