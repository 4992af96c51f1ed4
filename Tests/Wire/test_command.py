"""The command line of DESIGN.md section 6: how it ends, what it refuses, what it logs."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from harness import process
from harness.process import binary, free_port, new_folder, remove_folder

KEY = {"IPP_SESSION_KEY": "a key"}


@pytest.fixture
def folder():
    made = new_folder()
    yield made
    remove_folder(made)


def run(arguments: list[str], **environment) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(binary()), *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=process.PATIENCE_S,
        env=dict(os.environ) | KEY | environment,
    )


def scheduler(folder, *options: str, **environment) -> subprocess.CompletedProcess:
    return run(["scheduler", *process.ipc_endpoints(folder).arguments(), *options], **environment)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("scheme", ["leastload", "pure"])
def test_signal_ends_it_with_status_0(folder, number, scheme):
    """Within 2 s, with work waiting and running. (The hub of this one never answers.)"""
    endpoints = process.ipc_endpoints(folder)
    running = process.start_yardmaster(endpoints, folder, b"a key", ["--scheme", scheme])
    try:
        wait_until_bound(endpoints)
        running.signal(number)
        assert running.wait(2.0) == 0, running.log()
    finally:
        running.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_while_tasks_run(rig, number):
    rig.submit()
    rig.engine.task()
    rig.submit()
    rig.settle()
    rig.traffic.finish()
    rig.running.signal(number)
    assert rig.running.wait(2.0) == 0, rig.running.log()
    rig.finish = rig.clean_up


def wait_until_bound(endpoints) -> None:
    path = endpoints.client.removeprefix("ipc://")
    deadline = time.monotonic() + process.PATIENCE_S
    while not os.path.exists(path):
        assert time.monotonic() < deadline, "it never bound its addresses"
        time.sleep(0.01)


REFUSED = {
    "unknown_option": (["--no-such-option"], "no-such-option"),
    "scheme": (["--scheme", "fairest"], "scheme|fairest"),
    "hwm_negative": (["--hwm", "-1"], "hwm"),
    "hwm_word": (["--hwm", "many"], "hwm|many"),
    "hwm_huge": (["--hwm", "99999999999999999999"], "hwm|9999"),
    "packer_unknown": (["--packer", "xml"], "packer|xml"),
    "packer_pickle": (["--packer", "pickle"], "pickle"),
    "signature_scheme": (["--signature-scheme", "hmac-nonsense"], "signature|nonsense"),
    "transport": (["--transport", "pigeon"], "transport|pigeon"),
    "io": (["--io", "magic"], "io|magic"),
    "log_level": (["--log-level", "shouting"], "log-level|shouting"),
    "stranded_after": (["--stranded-after", "-1"], "stranded"),
    "stranded_after_word": (["--stranded-after", "soon"], "stranded|soon"),
    "stranded_after_nan": (["--stranded-after", "nan"], "stranded|nan"),
    "busy_poll_negative": (["--busy-poll-us", "-1"], "busy-poll"),
    "busy_poll_long": (["--busy-poll-us", "1000001"], "busy-poll"),
    "busy_poll_word": (["--busy-poll-us", "on"], "busy-poll"),
    "parent_pid": (["--parent-pid", "mine"], "parent|mine"),
    "seed": (["--seed", "x"], "seed"),
    "client_url": (["--client-url", "not a url"], "url"),
    "key_file_missing": (["--session-key-file", "/no/such/file"], "no/such/file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_argument_ends_with_2_and_one_line(folder, name):
    options, says = REFUSED[name]
    done = scheduler(folder, *options)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert re.search(says, done.stderr, re.IGNORECASE), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_missing_url_ends_with_2(folder):
    arguments = process.ipc_endpoints(folder).arguments()
    done = run(["scheduler", *arguments[2:]])
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "--client-url" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_pickle_is_refused_with_the_reason(folder):
    done = scheduler(folder, "--packer", "pickle")
    assert done.returncode == 2
    assert re.search("json|msgpack", done.stderr), done.stderr


@pytest.mark.parametrize("which", ["--client-url", "--engine-url"])
def test_an_address_in_use_ends_with_69(folder, which):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        url = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        done = scheduler(folder, which, url)
    assert done.returncode == 69, (done.returncode, done.stderr)
    assert url in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr


def test_help_and_version():
    for arguments in (["--help"], ["scheduler", "--help"], ["--version"]):
        done = run(arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        assert done.stdout.strip()
    assert "--client-url" in run(["scheduler", "--help"]).stdout


def test_it_ends_with_its_parent(folder):
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    endpoints = process.ipc_endpoints(folder)
    running = process.start_yardmaster(
        endpoints, folder, b"a key", ["--parent-pid", str(parent.pid)]
    )
    try:
        wait_until_bound(endpoints)
        assert running.alive()
        parent.kill()
        parent.wait()
        running.wait(10)
    finally:
        parent.kill()
        running.stop()


def test_a_parent_that_is_gone_already(folder):
    parent = subprocess.Popen([sys.executable, "-c", "pass"])
    parent.wait()
    endpoints = process.ipc_endpoints(folder)
    running = process.start_yardmaster(
        endpoints, folder, b"a key", ["--parent-pid", str(parent.pid)]
    )
    try:
        running.wait(10)
    finally:
        running.stop()


def test_session_key_file(folder):
    from harness.cluster import Cluster
    from harness.wire import Wire

    key_file = folder / "key"
    key_file.write_text("the key of the file\n")
    key_file.chmod(0o600)
    endpoints = process.ipc_endpoints(folder)
    cluster = Cluster(endpoints, Wire(b"the key of the file"))
    environment = {"IPP_SESSION_KEY": ""}
    running = process.start_yardmaster(
        endpoints, folder, b"", ["--session-key-file", str(key_file)], environment
    )
    try:
        cluster.start()
    finally:
        running.stop()
        cluster.close()


def test_no_key_in_the_log(rigs):
    rig = rigs("--log-level", "debug")
    rig.run_one()
    assert rig.wire.key.decode() not in rig.running.log()


LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[task\] \S")


def test_log_lines_look_like_the_stock_schedulers(rigs):
    rig = rigs("--log-level", "debug")
    rig.run_one()
    rig.client.send_raw([b"junk\nwith \x1b[31m a line\n"])
    rig.expect_silence()
    lines = rig.running.log().splitlines()
    assert lines
    for line in lines:
        assert LINE.match(line), line
    assert "\x1b" not in rig.running.log()


@pytest.mark.parametrize("level", ["10", "20", "30", "DEBUG", "warning", "critical"])
def test_log_levels(rigs, level):
    """Names and Python's numbers; `expect_drop` needs warnings, so only normal work here."""
    rigs("--log-level", level).run_one()


def test_log_url_reaches_ipyparallels_log_watcher(rigs):
    """Through iplogger's LogWatcher, whose `subscribe` and frames predate Python 3: see below."""
    import zmq
    from ipyparallel.apps.logwatcher import LogWatcher

    class Watcher(LogWatcher):
        """As it must be to run at all on Python 3: subscriptions are bytes, frames are text."""

        def subscribe(self):
            self.stream.setsockopt(zmq.SUBSCRIBE, b"")

        def log_message(self, raw):
            super().log_message([frame.decode() for frame in raw])

    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(record)

    log = logging.Logger("watched")
    log.addHandler(Keep())
    context = zmq.Context()
    url = f"tcp://127.0.0.1:{free_port()}"
    watcher = Watcher(url=url, context=context, log=log)
    try:
        rig = rigs("--log-url", url, "--log-level", "warning")
        deadline = time.monotonic() + process.PATIENCE_S
        published: list[bytes] = []
        while not any(b"delimiter" in line for line in published):
            assert time.monotonic() < deadline, f"no such log line was published: {published}"
            rig.client.send_raw([b"something to complain about"])
            rig.settle()
            while watcher.stream.socket.poll(20):
                frames = watcher.stream.socket.recv_multipart()
                assert re.fullmatch(
                    rb"scheduler\.(DEBUG|INFO|WARNING|ERROR|CRITICAL)(\..*)?", frames[0]
                ), frames
                assert frames[1].endswith(b"\n") and frames[1].count(b"\n") == 1, frames
                watcher.log_message(frames)
                published.append(frames[1])
        assert records
        assert all(r.getMessage().startswith("[scheduler") for r in records)
    finally:
        watcher.stream.close()
        context.term()
