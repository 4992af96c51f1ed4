#!/usr/bin/env python3
"""Run the load generator once against one candidate: one.py CANDIDATE [yard-load options].

Candidates: uring, epoll, zmq, stock, pure, floor. HWM (default 0) and YARDMASTER (the binary) come
from the environment, as does YARDMASTER_OPTIONS (added to its command line). The result is
yard-load's JSON, or a short table with PRETTY=1. Used by flame.sh, stat.sh and by hand.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

from candidates import BUILD, YARDMASTER, candidates


def line(name: str, options: list[str]) -> list[str]:
    """The command line of yard-load for one candidate; SystemExit says why there is none."""
    hwm = int(os.environ.get("HWM", "0"))
    binary = pathlib.Path(os.environ.get("YARDMASTER", YARDMASTER))
    known = candidates(binary, os.environ.get("YARDMASTER_OPTIONS", "").split())
    candidate = next((one for one in known if one.name == name), None)
    if candidate is None:
        sys.exit(f"no candidate {name!r}: one of {', '.join(one.name for one in known)}")
    why = candidate.missing()
    if why:
        sys.exit(f"{candidate.label}: {why}")
    checked = ["--hwm", str(hwm)] if candidate.rich else []
    load = ["--name", name, *candidate.load, *checked, *options]
    return [str(BUILD / "yard-load"), *load, "--spawn", *candidate.spawn(hwm)]


def pretty(text: str) -> None:
    result = json.loads(text)
    latency = result["latency_us"]
    for label, value in (
        ("tasks a second", f"{result['tasks_per_s']:,.0f}"),
        ("scheduler CPU a task", f"{result['cpu_us_per_task']:.2f} us"),
        ("scheduler cores", f"{result['cpu_cores']:.2f}"),
        ("generator cores", f"{result['load_cores']:.2f}"),
        ("latency p50, p99, p99.9", ", ".join(f"{latency[p]:,.0f}" for p in ("p50", "p99", "p99.9")) + " us"),
        ("resident, idle and end",
         f"{result['rss_idle_bytes'] / 2**20:.1f}, {result['rss_end_bytes'] / 2**20:.1f} MiB"),
        ("violations", f"{result['violations']} {result['violation_kinds'] or ''}"),
    ):
        print(f"{label:<26} {value}")


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__)
        return 2
    command = line(sys.argv[1], sys.argv[2:])
    if not os.environ.get("PRETTY"):
        os.execv(command[0], command)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.stdout:
        pretty(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
