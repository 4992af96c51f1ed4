#!/usr/bin/env python3
"""Run the schedulers side by side and write one JSON and one page.

Rounds are interleaved: each scenario goes through all candidates before the next, in an order that
turns with the round, so that a slow minute of the machine falls on all of them. Ratios are taken
inside a round and their median is reported. Started by compare.sh; `--help` for the options.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

import page
from candidates import BUILD, PERF, YARDMASTER, Candidate, candidates
from scenarios import FULL, QUICK, Scenario

RUN_LIMIT_S = 240  # one run of the generator, start to end
DRAIN_S = 30
SLOW_SHARE = 40  # a slow candidate measures this fraction of a counted scenario


def machine() -> dict:
    """What of the machine bears on the figures; nothing that names it."""
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release().split("-")[0],
        "system": next(
            (
                line.split("=", 1)[1].strip('"')
                for line in pathlib.Path("/etc/os-release").read_text().splitlines()
                if line.startswith("PRETTY_NAME=")
            ),
            platform.system(),
        ),
        "load_average": os.getloadavg()[0],
    }


def versions(yardmaster: pathlib.Path) -> dict:
    found = {"python": platform.python_version()}
    try:
        import ipyparallel
        import zmq

        found |= {"ipyparallel": ipyparallel.__version__, "pyzmq": zmq.__version__}
        found["libzmq (pyzmq)"] = zmq.zmq_version()
    except ImportError:
        pass
    if yardmaster.exists():
        answer = subprocess.run([yardmaster, "--version"], capture_output=True, text=True)
        words = answer.stdout.split()
        found["yardmaster"] = words[-1] if words else "?"
    commit = subprocess.run(
        ["git", "-C", PERF, "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    )
    found["commit"] = commit.stdout.strip()
    return found


def command(scenario: Scenario, candidate: Candidate, arguments, peak: float) -> list[str]:
    options = ["--name", candidate.name, "--distribution", "--drain", str(DRAIN_S)]
    options += ["--warmup", str(arguments.warmup), *scenario.options, *candidate.load]
    if scenario.half_peak:
        options += ["--rate", f"{max(peak / 2, 1):.1f}"]
    if scenario.counted:
        tasks = scenario.counted // (SLOW_SHARE if candidate.slow else 1)
        options += ["--tasks", str(int(tasks * arguments.count_scale))]
    else:
        options += ["--seconds", str(arguments.seconds)]
    if candidate.rich and scenario.hwm:
        options += ["--hwm", str(scenario.hwm)]
    return [str(BUILD / "yard-load"), *options, "--spawn", *candidate.spawn(scenario.hwm)]


def run_once(line: list[str]) -> dict:
    """One JSON result of the generator; {"error": why} when there is none."""
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        return {"error": f"no end within {RUN_LIMIT_S} s"}
    complaints = done.stderr.strip().splitlines()
    try:
        result = json.loads(done.stdout)
    except json.JSONDecodeError:
        why = "; ".join(complaints[-2:]) or f"status {done.returncode}"
        return {"error": why[:300]}
    result["status"] = done.returncode
    if done.returncode:
        result["complaints"] = complaints[:5]
    return result


def say(result: dict) -> str:
    if "error" in result:
        return f"failed: {result['error']}"
    latency = result["latency_us"]
    text = (
        f"{result['tasks_per_s']:>9,.0f} tasks/s  {result['cpu_us_per_task']:>8.2f} us CPU  "
        f"p50 {latency['p50']:>9,.0f}  p99.9 {latency['p99.9']:>9,.0f} us"
    )
    return text + (f"  VIOLATIONS {result['violation_kinds']}" if result["violations"] else "")


def measure(arguments, plan: list[Scenario], runners: list[Candidate]) -> list[dict]:
    results: list[dict] = []
    broken: dict[str, int] = {}
    for round_number in range(arguments.rounds):
        peaks: dict[str, float] = {}
        for scenario in plan:
            if round_number >= scenario.rounds_max:
                continue
            turn = [one for one in runners if one.name in scenario.who]
            shift = round_number % len(turn) if turn else 0
            for candidate in turn[shift:] + turn[:shift]:
                if broken.get(candidate.name, 0) >= 3:
                    continue  # it does not start here: three times is enough to know
                peak = peaks.get(candidate.name, 0)
                if scenario.half_peak and not peak:
                    continue
                result = run_once(command(scenario, candidate, arguments, peak))
                result |= {"candidate": candidate.name, "scenario": scenario.name}
                result["round"] = round_number
                results.append(result)
                print(f"{round_number + 1} {scenario.name:<12} {candidate.name:<6} {say(result)}")
                sys.stdout.flush()
                if "error" in result:
                    broken[candidate.name] = broken.get(candidate.name, 0) + 1
                elif scenario.group == "throughput" and "ipc" not in scenario.name:
                    peaks[candidate.name] = max(peak, result["tasks_per_s"])
    return results


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="two minutes (the default)")
    kind.add_argument("--full", action="store_true", help="everything, about half an hour")
    kind.add_argument("--render", metavar="JSON", help="draw the page of an earlier run again")
    parser.add_argument("--rounds", type=int, help="default 2 quick, 5 full")
    parser.add_argument("--seconds", type=float, help="measured a run; default 1 quick, 2 full")
    parser.add_argument("--warmup", type=float, help="seconds; default 0.3 quick, 0.7 full")
    parser.add_argument("--count-scale", type=float, default=1, help="scales counted tasks")
    parser.add_argument("--only", metavar="NAMES", help="candidates, with commas between")
    parser.add_argument("--scenarios", metavar="NAMES", help="scenarios, with commas between")
    parser.add_argument("--yardmaster", type=pathlib.Path, default=YARDMASTER)
    parser.add_argument("--yardmaster-options", default="", help="added to its command line")
    parser.add_argument("--output", type=pathlib.Path, default=PERF / "results", metavar="FOLDER")
    parser.add_argument("--label", default="", help="added to the name of the results")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (5 if arguments.full else 2)
    arguments.seconds = arguments.seconds or (2 if arguments.full else 1)
    if arguments.warmup is None:
        arguments.warmup = 0.7 if arguments.full else 0.3
    return arguments


def main() -> int:
    arguments = parse()
    if arguments.render:
        source = pathlib.Path(arguments.render)
        page.write(json.loads(source.read_text()), source.with_suffix(".html"))
        print(f"drew {source.with_suffix('.html')}")
        return 0
    plan = list(FULL if arguments.full else QUICK)
    if arguments.scenarios:
        wanted = arguments.scenarios.split(",")
        plan = [one for one in {s.name: s for s in FULL + plan}.values() if one.name in wanted]
    runners, absent = [], {}
    for candidate in candidates(arguments.yardmaster, arguments.yardmaster_options.split()):
        if arguments.only and candidate.name not in arguments.only.split(","):
            continue
        why = candidate.missing()
        if why:
            absent[candidate.name] = why
            print(f"left out: {candidate.label}: {why}", file=sys.stderr)
        else:
            runners.append(candidate)
    begin = time.monotonic()
    stamp = datetime.datetime.now(datetime.timezone.utc)
    record = {
        "date": stamp.strftime("%Y-%m-%d %H:%M UTC"),
        "kind": "full" if arguments.full else "quick",
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "machine": machine(),
        "versions": versions(arguments.yardmaster),
        "candidates": {one.name: one.label for one in runners},
        "absent": absent,
        "scenarios": [
            {"name": s.name, "title": s.title, "group": s.group, "options": " ".join(s.options),
             "hwm": s.hwm}
            for s in plan
        ],
    }
    record["runs"] = measure(arguments, plan, runners)
    record["took_s"] = round(time.monotonic() - begin)
    record["summary"] = page.summarize(record)
    record["targets"] = page.judge(record)
    arguments.output.mkdir(parents=True, exist_ok=True)
    parts = [stamp.strftime("%Y-%m-%d-%H%M"), record["kind"], arguments.label]
    name = "-".join(filter(None, parts))
    json_path = arguments.output / f"{name}.json"
    json_path.write_text(json.dumps(record, separators=(",", ":")) + "\n")
    page.write(record, json_path.with_suffix(".html"))
    print(page.text(record))
    print(f"wrote {json_path.name} and {json_path.stem}.html in {arguments.output}")
    bad = [r for r in record["runs"] if r.get("violations") or "error" in r]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
