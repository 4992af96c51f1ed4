"""Clusters for the tests: each has its own IPython folder, controller log and event log.

By default the scheduler is the double beside this file. `--binary PATH` runs the same tests on a
real yardmaster, except those marked `double_only`, which need the double's tricks.
"""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).resolve().parent
WAIT_S = 60


def pytest_addoption(parser):
    parser.addoption("--binary", default="", help="run on this yardmaster, not on the double")


@pytest.fixture
def binary(request, tmp_path):
    """Path of the scheduler under test."""
    real = request.config.getoption("--binary")
    if real and not request.node.get_closest_marker("double_only"):
        return os.path.abspath(real)
    path = tmp_path / "double"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "double_yardmaster.py"} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def pytest_configure(config):
    config.addinivalue_line("markers", "double_only: needs the test double, not the real binary")


def wait_for(condition, what, timeout_s=WAIT_S):
    """Poll until `condition()` is true and return it; fail with `what` after the timeout."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"timed out waiting for {what}")
        time.sleep(0.05)


class Controller:
    """A controller run by hand, with engines on demand."""

    def __init__(self, folder, binary):
        self.folder = folder
        self.profile = folder / "profile"
        (self.profile / "security").mkdir(parents=True)
        self.events_path = folder / "events.jsonl"
        self.report_path = folder / "report.jsonl"
        self.log_path = folder / "controller.log"
        self.environment = {
            **os.environ,
            "IPYTHONDIR": str(folder / "ipython"),
            "YARDMASTER_BINARY": binary,
            "DOUBLE_REPORT": str(self.report_path),
        }
        self.environment.pop("IPP_SESSION_KEY", None)
        self.config = f"c.Yardmaster.event_log = {str(self.events_path)!r}\n"
        self.engines = []
        self.process = None
        self.clients = []
        self.seen = []

    def start(self, *options, module="yardmaster_ipyparallel.controller", config="", **environment):
        (self.profile / "ipcontroller_config.py").write_text(self.config + config)
        self.environment.update(environment)
        command = [sys.executable, "-m", module, f"--profile-dir={self.profile}", *options]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=self.folder, stdout=log, stderr=log
            )
        return self

    def client(self, engines=1):
        """A client that sees that many engines, which are started here."""
        import ipyparallel

        path = self.profile / "security" / "ipcontroller-client.json"
        wait_for(lambda: path.exists() or self.process.poll() is not None, "connection files")
        assert self.process.poll() is None, self.log()
        for _ in range(engines):
            self.engines.append(
                subprocess.Popen(
                    [sys.executable, "-m", "ipyparallel.engine", f"--profile-dir={self.profile}"],
                    env=self.environment,
                    cwd=self.folder,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        client = ipyparallel.Client(str(path), timeout=WAIT_S)
        self.clients.append(client)
        client.wait_for_engines(len(self.engines), timeout=WAIT_S)
        return client

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_for_log(self, text):
        return wait_for(lambda: text in self.log() and self.log(), f"{text!r} in the log")

    def events(self, kind=None):
        if not self.events_path.exists():
            return []
        found = [json.loads(line) for line in self.events_path.read_text().splitlines()]
        return [event for event in found if kind in (None, event["event"])]

    def scheduler_pid(self, start=1):
        """Pid of the start-th scheduler process."""
        wait_for(lambda: len(self.events("started")) >= start, f"scheduler start {start}")
        return self.events("started")[start - 1]["pid"]

    def report(self):
        """What the double says that it was given, one record a start."""
        # The file is there before its first line is.
        path = self.report_path
        wait_for(lambda: path.exists() and path.read_text().endswith("\n"), "the double's report")
        return [json.loads(line) for line in self.report_path.read_text().splitlines()]

    def family(self):
        """The controller and everything below it; remembered for `assert_all_gone`."""
        me = psutil.Process(self.process.pid)
        self.seen = [me, *me.children(recursive=True)]
        return self.seen

    def assert_all_gone(self):
        # Those still there are ours: psutil compares start times, so a reused pid is no match.
        wait_for(lambda: not any(alive(p) for p in self.seen), f"the end of {self.seen}", 20)

    def stop(self):
        for client in self.clients:
            client.close()
        for engine in self.engines:
            engine.kill()
            engine.wait()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                pytest.fail(f"the controller outlives SIGTERM by {WAIT_S} s:\n{self.log()}")
        # A controller that is ended before it has set its signal handlers leaves stock's children.
        for process in psutil.process_iter(["cmdline"]):
            if f"--profile-dir={self.profile}" in (process.info["cmdline"] or []):
                with contextlib.suppress(psutil.NoSuchProcess):  # those of another end meanwhile
                    process.kill()


def alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def controller(tmp_path, binary):
    made = Controller(tmp_path, binary)
    yield made
    made.stop()
