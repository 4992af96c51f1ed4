"""What is compared: how each scheduler is started, and what it promises.

Used by compare.py, memory.py and one.py.
Invariant: the braces in a candidate's command are yard-load's placeholders.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass, field

PERF = pathlib.Path(__file__).resolve().parent
ROOT = PERF.parent
BUILD = PERF / "build"
YARDMASTER = ROOT / ".build" / "release" / "yardmaster"

RELAY_URLS = ["--client-url", "{client}", "--engine-url", "{engine}", "--monitor-url", "{monitor}"]
ALL_URLS = RELAY_URLS + [
    "--notification-url",
    "{notification}",
    "--registration-url",
    "{registration}",
]
RELAY_LOAD = ["--register", "none", "--monitor-check", "relay"]


@dataclass
class Candidate:
    name: str
    label: str
    command: list[str]
    rich: bool  # keeps dependencies, retries, targets; checks signatures; takes --hwm
    slow: bool = False  # hundreds of tasks a second: fewer tasks where tasks are counted
    load: list[str] = field(default_factory=list)
    binary: pathlib.Path | None = None

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        if self.binary and not self.binary.exists():
            return f"{self.binary.name} is not built"
        if self.command[0] == sys.executable:
            probe = [sys.executable, "-c", "import ipyparallel"]
            if subprocess.run(probe, capture_output=True).returncode:
                return "this Python has no ipyparallel (set PYTHON)"
        return None

    def spawn(self, hwm: int) -> list[str]:
        return self.command + (["--hwm", str(hwm)] if self.rich else [])


def candidates(yardmaster: pathlib.Path, extra: list[str]) -> list[Candidate]:
    """All of them, the product first. `extra` goes to every yardmaster command line."""
    binary = pathlib.Path(os.path.abspath(yardmaster))

    def ours(name: str, label: str, *options: str) -> Candidate:
        command = [str(binary), "scheduler", *ALL_URLS, *options, "--log-level", "warning", *extra]
        return Candidate(name, label, command, rich=True, binary=binary)

    adapters = PERF / "schedulers"
    # callgrind.sh wraps it.
    floor = pathlib.Path(os.environ.get("FLOOR", BUILD / "yard-floor"))
    return [
        ours("uring", "yardmaster, io_uring", "--transport", "native", "--io", "uring"),
        ours("epoll", "yardmaster, epoll", "--transport", "native", "--io", "epoll"),
        ours("zmq", "yardmaster on libzmq", "--transport", "zmq"),
        Candidate(
            "stock",
            "ipyparallel TaskScheduler",
            [sys.executable, str(adapters / "stock.py"), *ALL_URLS],
            rich=True,
            slow=True,
        ),
        Candidate(
            "pure",
            "ipyparallel pure relay",
            [sys.executable, str(adapters / "pure.py"), *RELAY_URLS],
            rich=False,
            load=RELAY_LOAD,
        ),
        Candidate(
            "floor",
            "bare relay in C",
            [str(floor), *RELAY_URLS],
            rich=False,
            load=RELAY_LOAD,
            binary=floor,
        ),
    ]
