"""Scheduler processes under test: yardmaster and the Python reference, started the same way.

Used by peers.Cluster and by tests of the command line. Invariant: every process started here is
ended here, by its own pid; what it wrote to stderr stays readable until its folder is removed.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = float(os.environ.get("TESTS_PATIENCE_S", "20"))  # what must happen may take this long


def binary() -> Path:
    """The yardmaster under test: YARDMASTER_BINARY, else the release or the debug build."""
    named = os.environ.get("YARDMASTER_BINARY")
    if named:
        return Path(named)
    for build in ("release", "debug"):
        path = ROOT / ".build" / build / "yardmaster"
        if path.exists():
            return path
    raise FileNotFoundError(
        "no yardmaster binary: run `swift build -c release`, or set YARDMASTER_BINARY to one"
    )


@dataclass
class Endpoints:
    """The five addresses of a scheduler (DESIGN.md section 6)."""

    client: str
    engine: str
    monitor: str
    notification: str
    registration: str

    def arguments(self) -> list[str]:
        return [
            "--client-url", self.client,
            "--engine-url", self.engine,
            "--monitor-url", self.monitor,
            "--notification-url", self.notification,
            "--registration-url", self.registration,
        ]  # fmt: skip


def ipc_endpoints(folder: Path) -> Endpoints:
    """Addresses inside a folder: nothing to collide with."""
    return Endpoints(
        *(
            f"ipc://{folder}/{name}"
            for name in ("client", "engine", "monitor", "notify", "register")
        )
    )


# Below what the kernel hands out by itself, so that nobody else's connection takes the port
# between our look and the scheduler's bind. Walked in order from a random start, so that no two
# addresses of one scheduler, nor of two that live side by side, are ever the same port.
PORTS = range(20_000, 32_000)
_start = random.randrange(len(PORTS))
_next_ports = itertools.cycle([*PORTS[_start:], *PORTS[:_start]])


def free_port() -> int:
    """A TCP port of loopback that nobody had a moment ago, never the same twice in 12,000 calls."""
    for port in _next_ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("a cycle ended")


def tcp_endpoints() -> Endpoints:
    return Endpoints(*(f"tcp://127.0.0.1:{free_port()}" for _ in range(5)))


def new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="ym-"))


def limit_open_files(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Running:
    """A scheduler process: its pid, what it wrote to stderr, how it ended."""

    def __init__(
        self, arguments: list[str], environment: dict[str, str], folder: Path, name: str,
        open_files: int | None = None,
    ):
        self.arguments = arguments
        self.log_path = folder / f"{name}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                preexec_fn=open_files and (lambda: limit_open_files(open_files)),
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def log(self) -> str:
        return self.log_path.read_text("utf8", "replace")

    def wait_for_log(self, pattern: str, patience_s: float = PATIENCE_S) -> str:
        """The first log line that matches; raises with the whole log when none comes."""
        deadline = time.monotonic() + patience_s
        while True:
            for line in self.log().splitlines():
                if re.search(pattern, line):
                    return line
            if time.monotonic() > deadline:
                raise AssertionError(f"no log line matches {pattern!r}; the log is:\n{self.log()}")
            time.sleep(0.01)

    def lanes(self) -> int:
        """How many I/O lanes it runs, by the names of its threads."""
        names = Path(f"/proc/{self.pid}/task").glob("*/comm")
        return sum(name.read_text().startswith("io lane ") for name in names)

    def cpu_and_memory(self) -> tuple[float, int]:
        """Seconds of CPU used so far and resident bytes."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks = int(fields[11]) + int(fields[12])
        resident = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        return ticks / os.sysconf("SC_CLK_TCK"), resident

    def signal(self, number: int) -> None:
        if self.alive():
            self.process.send_signal(number)

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        return self.process.wait(patience_s)

    def stop(self) -> int:
        """Ends the process, by SIGTERM and if need be by SIGKILL; the exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def start_yardmaster(
    endpoints: Endpoints,
    folder: Path,
    key: bytes = b"",
    options: list[str] | tuple[str, ...] = (),
    environment: dict[str, str] | None = None,
    open_files: int | None = None,
) -> Running:
    """Starts `yardmaster scheduler`; the key goes by environment, as ipcontroller does."""
    arguments = [str(binary()), "scheduler", *endpoints.arguments(), *options]
    variables = dict(os.environ)
    variables["IPP_SESSION_KEY"] = key.decode("ascii")
    variables.update(environment or {})
    return Running(arguments, variables, folder, "yardmaster", open_files)


def remove_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
