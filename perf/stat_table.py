#!/usr/bin/env python3
"""Turn the outputs of perf stat and strace -c into figures a task: stat_table.py FOLDER.

perf's window is not exactly the measured one, so its counts are scaled by CPU time: count per second
of task-clock times the CPU seconds a task that the load generator measured. strace's are divided by
the tasks answered while it was attached. Used by stat.sh.
"""

from __future__ import annotations

import json
import pathlib
import sys


def load(path: pathlib.Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return {}


def counters(folder: pathlib.Path) -> None:
    result, table = load(folder / "perf.json"), folder / "perf"
    if not result or not table.exists():
        print("perf stat: no result")
        return
    cpu_us = result["cpu_us_per_task"]
    print(f"{result['name']}: {result['tasks_per_s']:,.0f} tasks/s, {cpu_us:.2f} us CPU a task")
    values, missing = {}, []
    for line in table.read_text().splitlines():
        fields = line.split(",")
        if len(fields) < 3 or line.startswith("#"):
            continue
        if fields[0].startswith("<not"):
            missing.append(fields[2])
        else:
            values[fields[2]] = float(fields[0])
    clock_ms = values.pop("task-clock", 0)
    for name, value in values.items():
        if clock_ms:
            print(f"  {name:<22} {value / (clock_ms * 1e3) * cpu_us:>12,.2f} a task")
    if missing:
        print(f"  not counted here: {', '.join(missing)} "
              "(no PMU, as in most virtual machines; see callgrind.sh)")


def system_calls(folder: pathlib.Path) -> None:
    result, table = load(folder / "strace.json"), folder / "strace"
    if not result or not table.exists() or not result.get("attached_tasks"):
        errors = folder / "errors"
        print("strace: no result" + (": " + errors.read_text()[-300:] if errors.exists() else ""))
        return
    tasks, total = result["attached_tasks"], 0.0
    print(f"system calls a task, under strace ({result['tasks_per_s']:,.0f} tasks/s meanwhile):")
    for line in table.read_text().splitlines():
        fields = line.split()
        if len(fields) < 5 or not fields[0].replace(".", "").isdigit() or fields[-1] == "total":
            continue
        calls = int(fields[3])
        total += calls
        if calls / tasks >= 0.001:
            print(f"  {fields[-1]:<22} {calls / tasks:>12.3f}")
    print(f"  {'all':<22} {total / tasks:>12.3f}")


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    counters(pathlib.Path(sys.argv[1]))
    system_calls(pathlib.Path(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
