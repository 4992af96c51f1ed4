#!/usr/bin/env python3
"""Memory a finished task and a waiting task, for yardmaster and the Python scheduler.

Finished: resident memory before and after N tasks, after a warm-up of a tenth of N, so that buffers
have their size already. Waiting: engines hold their answers until N tasks wait; hwm 1.
Started by memory.sh; `--help` for the options.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys

import one
from compare import run_once

PAYLOAD = 200


def finished(name: str, tasks: int) -> dict:
    options = ["--in-flight", "256", "--warmup-tasks", str(max(tasks // 10, 100)), "--tasks",
               str(tasks), "--payload", str(PAYLOAD), "--monitor-check",
               "relay", "--drain", "60"]
    return run_once(one.line(name, options))


def waiting(name: str, tasks: int) -> dict:
    options = ["--hold", "--in-flight", str(tasks), "--tasks", "1", "--warmup", "0", "--payload",
               str(PAYLOAD), "--drain", "200"]
    os.environ["HWM"] = "1"
    try:
        return run_once(one.line(name, options))
    finally:
        os.environ["HWM"] = "0"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=2_000_000, help="finished, yardmaster")
    parser.add_argument("--stock-tasks", type=int, default=10_000, help="finished, stock")
    parser.add_argument("--waiting", type=int, default=200_000, help="yardmaster")
    parser.add_argument("--stock-waiting", type=int, default=4_000)
    parser.add_argument("--only", default="uring,epoll,zmq,stock", metavar="NAMES")
    parser.add_argument("--output", type=pathlib.Path, help="also write the results as JSON")
    arguments = parser.parse_args()
    rows, status = [], 0
    for name in arguments.only.split(","):
        slow = name == "stock"
        for kind, measure, count in (
            ("finished", finished, arguments.stock_tasks if slow else arguments.tasks),
            ("waiting", waiting, arguments.stock_waiting if slow else arguments.waiting),
        ):
            try:
                result = measure(name, count)
            except SystemExit as why:
                result = {"error": str(why)}
            if "error" in result:
                print(f"{name:<6} {kind:<9} not measured: {result['error']}")
                status = 1
                continue
            if kind == "finished":
                tasks = result["tasks"]
                grown = result["rss_end_bytes"] - result["rss_begin_bytes"]
            else:
                tasks = count
                grown = result["rss_waiting_bytes"] - result["rss_idle_bytes"]
            row = {"candidate": name, "kind": kind, "tasks": tasks, "grown_bytes": grown,
                   "bytes_per_task": grown / tasks, "rss_idle_bytes": result["rss_idle_bytes"],
                   "tasks_per_s": result["tasks_per_s"], "violations": result["violations"]}
            rows.append(row)
            status |= result["violations"] > 0
            print(f"{name:<6} {kind:<9} {tasks:>10,} tasks: {grown / 2**20:>9.1f} MiB more, "
                  f"{grown / tasks:>9.1f} bytes a task, "
                  f"{grown / tasks / 1.048576:>9.1f} MiB a million"
                  + (f"  VIOLATIONS {result['violation_kinds']}" if result["violations"] else ""))
            sys.stdout.flush()
    if arguments.output:
        arguments.output.write_text(json.dumps(rows, indent=1) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
