"""pytest plugin: runs ipyparallel's own tests, unchanged, on yardmaster.

    python -m pytest -p yardmaster_ipyparallel.pytest_plugin --pyargs ipyparallel.tests.test_lbview

Every controller that the tests start is ours, with the stock fallback turned off. At the end the
plugin says how many schedulers ran and what they were; the run fails when none ran, or when one
died that nobody had stopped. `--yardmaster-option OPTION` (repeatable) goes to each controller,
`--yardmaster-event-log FILE` keeps the record. `--yardmaster-stock` runs the same tests with the
same options on the stock controller, for comparison.
"""

from __future__ import annotations

import json
import os
import tempfile

import pytest

EXIT_NOT_SERVED = 3


def pytest_addoption(parser):
    group = parser.getgroup("yardmaster")
    group.addoption("--yardmaster-option", action="append", default=[], metavar="OPTION")
    group.addoption("--yardmaster-event-log", default="", metavar="FILE")
    group.addoption("--yardmaster-stock", action="store_true")


def pytest_configure(config):
    from ipyparallel.cluster import launcher

    options = config.getoption("--yardmaster-option")
    if config.getoption("--yardmaster-stock"):
        command = [*launcher.ipcontroller_cmd_argv, *options]
    else:
        command = yardmaster_command(config, options)
    # In place: the tests and the launchers have imported these very lists.
    launcher.ipcontroller_cmd_argv[:] = command
    launcher.ControllerLauncher.controller_cmd.default_args = (command,)


def yardmaster_command(config, options):
    """The command line of each controller; makes the event log."""
    from .launcher import CONTROLLER_COMMAND

    path = config.getoption("--yardmaster-event-log")
    if not path:
        descriptor, path = tempfile.mkstemp(prefix="yardmaster-events-", suffix=".jsonl")
        os.close(descriptor)
    config.yardmaster_event_log = os.path.abspath(path)
    return [
        *CONTROLLER_COMMAND,
        "--Yardmaster.fallback=False",
        f"--Yardmaster.event_log={config.yardmaster_event_log}",
        *options,
    ]


def read_events(path):
    """The events of all controllers of this run, oldest first."""
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file]


def verdict(events):
    """(line for people, whether yardmaster and nothing else served)."""
    count = {"started": 0, "died": 0, "stock": 0}
    executables = set()
    for event in events:
        if event["event"] in count:
            count[event["event"]] += 1
        if event["event"] == "alive":
            executables.add(event["exe"])
    line = (
        f"yardmaster: {count['started']} schedulers started, {count['died']} died,"
        f" {count['stock']} replaced by stock; executable: {', '.join(sorted(executables))}"
    )
    return line, count["started"] > 0 and count["died"] == 0 and count["stock"] == 0


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if session.config.getoption("--yardmaster-stock"):
        return
    _, served = verdict(read_events(session.config.yardmaster_event_log))
    if not served and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = EXIT_NOT_SERVED


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("--yardmaster-stock"):
        return
    events = read_events(config.yardmaster_event_log)
    line, served = verdict(events)
    terminalreporter.section("yardmaster")
    terminalreporter.line(line if served else f"FAILED {line}", green=served, red=not served)
    if not served:
        for event in events:
            terminalreporter.line(json.dumps(event))
    if not config.getoption("--yardmaster-event-log"):
        os.unlink(config.yardmaster_event_log)
