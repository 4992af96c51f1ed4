"""The launcher: ipp.Cluster, the ipcluster command, and the pytest plugin."""

import json
import logging
import os
import subprocess
import sys

import ipyparallel as ipp
import psutil
import pytest
from conftest import wait_for
from test_controller import assert_serves


@pytest.fixture
def place(tmp_path, monkeypatch, binary):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("YARDMASTER_BINARY", binary)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_cluster_by_name(place):
    events = place / "events.jsonl"
    cluster = ipp.Cluster(
        controller="yardmaster",
        n=2,
        controller_args=["--hwm=0", f"--Yardmaster.event_log={events}"],
        log_level=logging.INFO,
    )
    with cluster as client:
        client.wait_for_engines(2, timeout=60)
        assert_serves(client)
        family = psutil.Process(cluster.controller.pid).children(recursive=True)
        started = json.loads(events.read_text().splitlines()[0])
        assert started["pid"] in {process.pid for process in family}
        assert "--hwm 0" in " ".join(started["argv"])
        assert cluster.to_dict()["controller"]["class"] == "yardmaster"
    gone = lambda: not any(p.is_running() for p in family)  # noqa: E731
    wait_for(gone, "the end of the cluster's processes", 20)


def test_the_caller_reads_why_stock_serves(place, monkeypatch):
    """The controller's log is a file; the warning must reach the log of whoever started it."""
    monkeypatch.setenv("YARDMASTER_BINARY", "/nonexistent/yardmaster")
    log = logging.getLogger("test-cluster")
    log.setLevel(logging.INFO)
    log.propagate = False
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append((record.levelname, record.getMessage()))
    log.addHandler(handler)
    with ipp.Cluster(controller="yardmaster", n=1, log=log) as client:
        client.wait_for_engines(1, timeout=60)
        found = [line for line in said if "yardmaster cannot serve" in line[1]]
        assert found and found[0][0] == "WARNING", said
        assert "/nonexistent/yardmaster" in found[0][1]


def test_ipcluster_command(place):
    profile = place / "profile"
    events = place / "events.jsonl"
    profile.mkdir()
    (profile / "ipcontroller_config.py").write_text(
        f"c.Yardmaster.event_log = {str(events)!r}\nc.TaskScheduler.scheme_name = 'lru'\n"
    )
    ipcluster = [sys.executable, "-m", "ipyparallel.cluster"]
    with open(place / "ipcluster.log", "wb") as log:
        process = subprocess.Popen(
            [*ipcluster, "start", "-n", "2", "--controller=yardmaster", f"--profile-dir={profile}"],
            stdout=log,
            stderr=log,
        )
    try:
        path = profile / "security" / "ipcontroller-client.json"
        wait_for(lambda: path.exists() or process.poll() is not None, "connection files")
        assert process.poll() is None, (place / "ipcluster.log").read_text()
        with ipp.Client(str(path), timeout=60) as client:
            client.wait_for_engines(2, timeout=60)
            assert_serves(client)
        started = json.loads(events.read_text().splitlines()[0])
        assert "--scheme lru" in " ".join(started["argv"])
        family = psutil.Process(started["controller"]).children(recursive=True)
        subprocess.run([*ipcluster, "stop", f"--profile-dir={profile}"], check=True, timeout=60)
        process.wait(30)
        wait_for(lambda: not any(p.is_running() for p in family), "the end of ipcluster", 20)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def run_plugin(place, test, *options, **environment):
    (place / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    command = [sys.executable, "-m", "pytest", "-q", "-c", "pytest.ini", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-p", "yardmaster_ipyparallel.pytest_plugin", *options, "--pyargs", test],
        cwd=place,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )


ONE_TEST = "ipyparallel.tests.test_lbview::TestLoadBalancedView::test_map"


def test_plugin_runs_ipyparallels_own_tests(place):
    pytest.importorskip("pytest_asyncio")
    events = place / "events.jsonl"
    run = run_plugin(
        place, ONE_TEST, "--yardmaster-option=--hwm=0", f"--yardmaster-event-log={events}"
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "yardmaster: 1 schedulers started, 0 died, 0 replaced by stock" in run.stdout
    assert "--hwm 0" in " ".join(json.loads(events.read_text().splitlines()[0])["argv"])


def test_plugin_fails_when_yardmaster_does_not_serve(place):
    pytest.importorskip("pytest_asyncio")
    run = run_plugin(place, ONE_TEST, YARDMASTER_BINARY="/nonexistent/yardmaster")
    assert run.returncode != 0
