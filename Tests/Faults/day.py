#!/usr/bin/env python3
"""A day's tasks (24 hours of 1,000 a second) as fast as it goes: Tests/Faults/day.py [--tasks N].

yard-load (perf/) plays hub, engines and clients and referees: each task answered exactly once, told
to the hub in order. It keeps the records of the last million only, so its own memory does not grow.
Shown for every part: tasks a second, CPU time a task, resident memory. The status is 0 when no rule
was broken, memory kept its promise (16 bytes a finished task beside what was resident before), and
the last tenth costs no more CPU time a task than the first (`SLOWER_MOST`; time on the clock is
shown, but depends on who else uses the machine).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "perf"))

import one  # noqa: E402

DAY = 24 * 60 * 60 * 1000
WARMUP = 200_000  # until buffers have their size
REMEMBERED = 1 << 20
FINISHED_TASK_BYTES = 16  # the promise of SEMANTICS and README.md
BASE_BYTES = 16 << 20  # what may come on top: a table that doubled just before the end
SLOWER_MOST = 1.25


def command(arguments: argparse.Namespace) -> list[str]:
    options = [
        "--tasks", str(arguments.tasks), "--progress", str(arguments.part),
        "--warmup-tasks", str(WARMUP), "--remember", str(REMEMBERED),
        "--in-flight", str(arguments.in_flight), "--clients", str(arguments.clients),
        "--engines", "16", "--payload", "200", "--drain", "60",
    ]  # fmt: skip
    return one.line(arguments.candidate, options)


def show(result: dict) -> list[str]:
    """Prints what the run came to; the list says what was not kept."""
    parts, faults = result["progress"], []
    if len(parts) < 2:
        return [f"only {len(parts)} parts were finished: fewer tasks, or a smaller --part"]
    tenth = max(1, len(parts) // 10)
    grown = result["rss_end_bytes"] - result["rss_begin_bytes"]
    speeds = [statistics.median(p["tasks_per_s"] for p in ps) for ps in (parts[:tenth], parts[-tenth:])]
    costs = [statistics.median(p["cpu_us_per_task"] for p in ps) for ps in (parts[:tenth], parts[-tenth:])]
    print(f"{result['tasks']:,} tasks in {result['seconds']:.0f} s, {result['tasks_per_s']:,.0f} a second")
    print(f"first part {parts[0]['tasks_per_s']:,.0f} a second, last {parts[-1]['tasks_per_s']:,.0f}: "
          f"{parts[-1]['tasks_per_s'] / parts[0]['tasks_per_s']:.2f}; "
          f"first tenth {speeds[0]:,.0f}, last {speeds[1]:,.0f}: {speeds[1] / speeds[0]:.2f}")
    print(f"CPU a task: first tenth {costs[0]:.2f} us, last {costs[1]:.2f} us: {costs[1] / costs[0]:.2f}; "
          f"{result['other_cores']:.2f} cores used by others meanwhile")
    print(f"resident: {result['rss_begin_bytes'] / 2**20:.1f} MiB after the warm-up, "
          f"{result['rss_end_bytes'] / 2**20:.1f} at the end, {grown / result['tasks']:.1f} bytes a finished "
          f"task; the load generator itself {result['load_rss_end_bytes'] / 2**20:.0f} MiB")
    print(f"{result['answered']:,} answered of {result['submitted']:,}, "
          f"{result['violations']} rules broken {result['violation_kinds'] or ''}")
    if result["violations"]:
        faults.append("the referee found rules broken")
    if grown > FINISHED_TASK_BYTES * result["tasks"] + BASE_BYTES:
        faults.append(f"memory grew by more than {FINISHED_TASK_BYTES} bytes a finished task")
    if costs[1] > SLOWER_MOST * costs[0]:
        faults.append(f"the last tenth cost more than {SLOWER_MOST} times the CPU of the first")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=DAY, help=f"default: {DAY:,}")
    parser.add_argument("--part", type=int, default=1_000_000, help="tasks between two samples")
    parser.add_argument("--in-flight", type=int, default=1024)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--candidate", default="uring", help="uring, epoll or zmq")
    arguments = parser.parse_args()
    # The same name as for the tests; perf/ has its own.
    if "YARDMASTER_BINARY" in os.environ:
        os.environ.setdefault("YARDMASTER", os.environ["YARDMASTER_BINARY"])
    subprocess.run(["make", "-s", "-C", str(ROOT / "perf"), "all"], check=True)
    done = subprocess.run(command(arguments), stdout=subprocess.PIPE, text=True)
    if not done.stdout.strip():
        return done.returncode or 1
    faults = show(json.loads(done.stdout))
    for fault in faults:
        print(f"FAULT: {fault}")
    return 1 if faults or done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
