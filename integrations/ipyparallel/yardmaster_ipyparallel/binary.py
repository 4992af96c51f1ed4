"""Finds the yardmaster binary and asks it for its version, before anything else is started.

Called by patch.py. Invariant: what `find_binary` returns has answered `--version` on this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "yardmaster"
# A cold disk and a busy machine included; a healthy binary answers in milliseconds.
VERSION_TIMEOUT_S = 10
# What a child must not inherit by accident: it gets its own values (arguments.py).
SECRET_VARIABLES = ("IPP_SESSION_KEY", "IPP_CURVE_SECRETKEY", "IPP_CURVE_PUBLICKEY")


class CannotServe(Exception):
    """Yardmaster cannot take this controller's tasks; the message says why and what to do."""


@dataclass(frozen=True)
class Binary:
    """A binary that works: where it is, who named it, and the first line of its `--version`."""

    path: str
    origin: str
    version: str


def checkouts() -> list[Path]:
    """Source checkouts this package may have come from: recorded at install, or editable."""
    found = []
    try:
        from ._checkout import CHECKOUT

        found.append(Path(CHECKOUT))
    except ImportError:
        pass
    editable = Path(__file__).resolve().parents[3]
    if (editable / "Package.swift").is_file():
        found.append(editable)
    return found


def find_binary(configured: str = "") -> Binary:
    """The binary to run; raises CannotServe with the places looked at, or why it does not run.

    A path that somebody named (environment or configuration) is used or refused: a quiet switch
    to another binary would be a surprise.
    """
    for path, origin in (
        (os.environ.get("YARDMASTER_BINARY", ""), "environment YARDMASTER_BINARY"),
        (configured, "c.Yardmaster.binary"),
    ):
        if path:
            return check_binary(os.path.abspath(os.path.expanduser(path)), origin)
    on_path = shutil.which(NAME)
    if on_path:
        return check_binary(on_path, "PATH")
    built = [checkout / ".build" / "release" / NAME for checkout in checkouts()]
    for path in built:
        if path.is_file():
            return check_binary(str(path), "source checkout")
    looked = ", ".join(["YARDMASTER_BINARY", "c.Yardmaster.binary", "PATH", *map(str, built)])
    raise CannotServe(
        f"there is no {NAME} binary (looked at {looked}); build it with `swift build -c release`"
        " or set YARDMASTER_BINARY"
    )


def check_binary(path: str, origin: str) -> Binary:
    """Run `path --version`; raises CannotServe with what went wrong."""
    where = f"{path} (from {origin})"
    if not os.path.isfile(path):
        raise CannotServe(f"{where} does not exist")
    environment = {k: v for k, v in os.environ.items() if k not in SECRET_VARIABLES}
    try:
        answer = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_TIMEOUT_S,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise CannotServe(
            f"{where} did not answer --version within {VERSION_TIMEOUT_S} s"
        ) from None
    except OSError as error:
        raise CannotServe(f"{where} cannot be run: {error.strerror or error}") from None
    if answer.returncode != 0:
        said = answer.stderr.decode("utf8", "replace").strip().splitlines()
        why = f": {said[-1]}" if said else ""
        raise CannotServe(f"{where} --version ended with {describe_exit(answer.returncode)}{why}")
    lines = answer.stdout.decode("utf8", "replace").strip().splitlines()
    if not lines:
        raise CannotServe(f"{where} --version printed nothing; is it yardmaster?")
    return Binary(path, origin, lines[0])


def describe_exit(code: int) -> str:
    """An exit code in words: `exit code 2 (bad argument)`, `signal 11 (SIGSEGV)`."""
    if code >= 0:
        meaning = {2: " (bad argument)", 69: " (an address cannot be bound)"}.get(code, "")
        return f"exit code {code}{meaning}"
    import signal

    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"
