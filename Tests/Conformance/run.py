"""Conformance: ipyparallel's own test files, unmodified, with yardmaster as the task scheduler.

    Tests/Conformance/run.sh                          the eight files, scheme leastload, hwm 1
    Tests/Conformance/run.sh lbview dependency        two of them
    Tests/Conformance/run.sh --hwm 0 | --curve | --scheme lru
    Tests/Conformance/run.sh --stock                  the same tests on the stock scheduler
    Tests/Conformance/run.sh --stock --record         writes baseline.json anew

Passes when every test in baseline.json (what passes with stock) passes, nothing fails,
and yardmaster served: each file's controllers started it, it did not die, the stock scheduler was
not used, the process was the binary under test, and it wrote `[task]` lines.
Exit codes: 0 passed, 1 a test failed or is missing, 2 bad usage, 3 yardmaster did not serve.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from yardmaster_ipyparallel.pytest_plugin import read_events, verdict

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BASELINE = HERE / "baseline.json"
FILES = "lbview dependency asyncresult client executor joblib view async".split()
# Tests of the client's helpers that start no cluster: nothing there for a scheduler to serve.
WITHOUT_CLUSTER = {"async"}
# Three to five times what the slowest file takes on two cores.
FILE_TIMEOUT_S = 300
# pytest does not wait for the controllers it ended; a scheduler may take 2 s to end.
STOP_TIMEOUT_S = 10
EXIT_FAILED, EXIT_USAGE, EXIT_NOT_SERVED = 1, 2, 3


@dataclass
class Outcome:
    """One test file's run: test ids by outcome, and whether yardmaster served it."""

    name: str
    passed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    seconds: float = 0.0
    starts: int = 0
    served: str = ""  # empty: yes; otherwise what was wrong
    log: str = ""


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="run.sh", description="ipyparallel's own tests on yardmaster"
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"of: {' '.join(FILES)}")
    parser.add_argument("--hwm", type=int, default=1)
    parser.add_argument("--scheme", default="leastload")
    parser.add_argument("--curve", action="store_true", help="with CURVE encryption")
    parser.add_argument("--stock", action="store_true", help="on the stock scheduler (baseline)")
    parser.add_argument("--record", action="store_true", help="with --stock: write baseline.json")
    parser.add_argument("--binary", default=os.environ.get("YARDMASTER_BINARY", ""))
    parser.add_argument("--log-level", type=int, default=10, help="the controller's, 10 to 50")
    parser.add_argument("-k", dest="expression", default="", help="pytest's -k; no baseline then")
    options = parser.parse_args()
    options.files = [name.removeprefix("test_").removesuffix(".py") for name in options.files]
    unknown = sorted(set(options.files) - set(FILES))
    if unknown:
        parser.error(f"unknown file {', '.join(unknown)}; known: {', '.join(FILES)}")
    if options.record and not options.stock:
        parser.error("--record goes with --stock")
    if not options.stock:
        options.binary = find_binary(parser, options.binary)
    options.files = options.files or FILES
    return options


def find_binary(parser, named):
    """The binary under test: the one named, else the checkout's release or debug build."""
    places = [named] if named else [ROOT / ".build" / kind / "yardmaster" for kind in
                                    ("release", "debug")]  # fmt: skip
    for place in map(Path, places):
        if os.access(place, os.X_OK):
            return str(place.resolve())
    parser.error(f"no binary at {', '.join(map(str, places))}: swift build -c release")


def run_file(name, options, folder):
    """Run one test file in a pytest of its own and read what it left."""
    outcome = Outcome(name)
    events = folder / f"{name}.events.jsonl"
    report = folder / f"{name}.xml"
    log = folder / f"{name}.log"
    outcome.log = str(log)
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(HERE / "pytest.ini")]
    command += ["-p", "no:cacheprovider", "-p", "yardmaster_ipyparallel.pytest_plugin"]
    command += [f"--junitxml={report}", f"--yardmaster-event-log={events}"]
    command += ["--yardmaster-stock"] if options.stock else []
    for option in (f"--scheme={options.scheme}", f"--hwm={options.hwm}"):
        command.append(f"--yardmaster-option={option}")
    command += ["-k", options.expression] if options.expression else []
    command += ["--pyargs", f"ipyparallel.tests.test_{name}"]
    environment = {**os.environ, "IPYTHONDIR": str(folder / "ipython")}
    for variable in ("IPP_ENABLE_CURVE", "IPP_SESSION_KEY", "IPP_CLUSTER_ID", "IPP_PROFILE_DIR"):
        environment.pop(variable, None)
    environment["YARDMASTER_BINARY"] = options.binary
    if options.curve:
        environment["IPP_ENABLE_CURVE"] = "1"
    begin = time.monotonic()
    timed_out = run_bounded(command, environment, folder, log)
    outcome.seconds = time.monotonic() - begin
    if timed_out:
        outcome.failed.append(f"(the file did not end within {FILE_TIMEOUT_S} s)")
    read_report(report, outcome)
    if not options.stock:
        check_served(events, options.binary, outcome)
    return outcome


def run_bounded(command, environment, folder, log):
    """Run to the end or to the time limit; true when it had to be ended, with all below it."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            process.wait(FILE_TIMEOUT_S)
            return False
        except subprocess.TimeoutExpired:
            family = [*psutil.Process(process.pid).children(recursive=True), process]
            for member in family:
                member.kill()
            process.wait()
            return True


def read_report(path, outcome):
    """Sort the tests of pytest's XML report by outcome."""
    if not path.exists():
        outcome.failed.append("(pytest wrote no report)")
        return
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        # What stands before the class depends on where the package is installed.
        owner = case.get("classname", "").rpartition(".")[2]
        test = f"{owner}::{case.get('name')}" if owner.startswith("Test") else case.get("name")
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            if test in outcome.passed:  # passed, then failed in its teardown
                outcome.passed.remove(test)
            outcome.failed.append(test)
        elif "skipped" in kinds:
            outcome.skipped.append(test)
        elif test not in outcome.failed:
            outcome.passed.append(test)


def check_served(path, binary, outcome):
    """Prove from the controllers' own record that the binary under test was the scheduler."""
    events = read_events(path)
    if not events and outcome.name in WITHOUT_CLUSTER:
        return
    line, served = verdict(events)
    outcome.starts = sum(event["event"] == "started" for event in events)
    alive = [event for event in events if event["event"] == "alive"]
    if not served:
        outcome.served = line
    elif not alive:
        outcome.served = "no scheduler was seen alive"
    elif not is_script(binary) and {event["exe"] for event in alive} != {binary}:
        outcome.served = f"another program ran: {line}"
    elif not any("[task]" in event["first_line"] for event in alive):
        outcome.served = "the scheduler wrote no [task] line"
    argv = {event["pid"]: event["argv"] for event in events if event["event"] == "started"}
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while left := [pid for pid in argv if still_runs(pid, argv[pid])]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    if left:
        outcome.served = f"left behind: process {', '.join(map(str, left))}"


def is_script(binary):
    with open(binary, "rb") as file:
        return file.read(2) == b"#!"


def still_runs(pid, argv):
    try:
        return psutil.Process(pid).cmdline()[-len(argv):] == argv  # fmt: skip
    except psutil.Error:
        return False


def print_table(outcomes, baseline, options):
    print(f"{'file':<14}{'passed':>8}{'skipped':>9}{'failed':>8}{'baseline':>10}"
          f"{'schedulers':>12}{'seconds':>9}")  # fmt: skip
    for o in outcomes:
        known = len(baseline.get(o.name, []))
        starts = "-" if options.stock else str(o.starts)
        print(f"{o.name:<14}{len(o.passed):>8}{len(o.skipped):>9}{len(o.failed):>8}{known:>10}"
              f"{starts:>12}{o.seconds:>9.1f}")  # fmt: skip


def print_problems(outcomes):
    for o in outcomes:
        for test in o.failed:
            print(f"FAILED {o.name}: {test}")
        for test in o.missing:
            print(f"MISSING {o.name}: {test} passes with the stock scheduler and did not here")
        if o.served:
            print(f"NOT SERVED {o.name}: {o.served}")
        if o.failed or o.missing or o.served:
            print(f"  log: {o.log}")


def main():
    options = parse_arguments()
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    folder = Path(tempfile.mkdtemp(prefix="yardmaster-conformance-"))
    what = f"scheme {options.scheme}, hwm {options.hwm}, CURVE {'on' if options.curve else 'off'}"
    who = "the stock scheduler" if options.stock else options.binary
    print(f"conformance: {', '.join(options.files)} on {who}; {what}", flush=True)
    outcomes = []
    for name in options.files:
        print(f"  test_{name} ...", end="", flush=True)
        outcome = run_file(name, options, folder)
        if not options.expression and not options.record:
            outcome.missing = sorted(
                set(baseline.get(name, [])) - set(outcome.passed) - set(outcome.failed)
            )
        outcomes.append(outcome)
        print(f" {len(outcome.passed)} passed in {outcome.seconds:.0f} s", flush=True)
    print_table(outcomes, baseline, options)
    print_problems(outcomes)
    passed = sum(len(o.passed) for o in outcomes)
    bad = sum(len(o.failed) + len(o.missing) for o in outcomes)
    not_served = sum(bool(o.served) for o in outcomes)
    if options.record and not bad:
        baseline.update({o.name: sorted(o.passed) for o in outcomes})
        BASELINE.write_text(json.dumps(baseline, indent=1, sort_keys=True) + "\n")
    if bad or not_served:
        print(f"conformance: FAILED: {passed} passed, {bad} failed or missing,"
              f" {not_served} files not served by yardmaster ({what})")  # fmt: skip
        return EXIT_FAILED if bad else EXIT_NOT_SERVED
    shutil.rmtree(folder, ignore_errors=True)
    if not passed:
        print("conformance: FAILED: no test ran")
        return EXIT_FAILED
    known = sum(len(baseline.get(o.name, [])) for o in outcomes)
    against = "" if options.expression else f"; {known} pass with the stock scheduler"
    print(f"conformance: OK: {passed} passed, 0 failed on {Path(who).name}{against} ({what})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
