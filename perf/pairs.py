#!/usr/bin/env python3
"""Schedulers, builds or options side by side: pairs.py [--rounds N] VARIANT... [-- yard-load options].

    perf/pairs.py uring floor -- --in-flight 64
    perf/pairs.py auto=uring zero=uring,--busy-poll-us=0 floor -- --in-flight 1
    perf/pairs.py new=uring old=uring@/tmp/yardmaster -- --in-flight 1024 --unsigned

A VARIANT is [NAME=]CANDIDATE[@BINARY][,OPTION]...: a candidate of one.py; another binary than
.build/release/yardmaster (or YARDMASTER); options for its command line. Each round runs all of them,
in an order that turns with the round. Prints the medians and, against the last variant, the medians
of the ratios within rounds, with the least and the most. The status is 1 when a run broke a rule.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass
class Variant:
    name: str
    candidate: str
    binary: str = ""
    options: str = ""

    @classmethod
    def parse(cls, text: str) -> Variant:
        start, *options = text.split(",")
        name, _, candidate = start.rpartition("=")
        candidate, _, binary = candidate.partition("@")
        return cls(name or text, candidate, binary, " ".join(options))

    def run(self, load: list[str]) -> dict:
        """One run of the load generator; SystemExit when it fails or saw a violation."""
        environment = dict(os.environ)
        if self.binary:
            environment["YARDMASTER"] = self.binary
        # The environment's are for all variants alike.
        environment["YARDMASTER_OPTIONS"] = (
            f"{environment.get('YARDMASTER_OPTIONS', '')} {self.options}")
        command = [sys.executable, str(HERE / "one.py"), self.candidate, *load]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            sys.exit(f"{self.name}: the load generator failed or saw a violation:\n"
                     f"{done.stderr}{done.stdout}")
        return json.loads(done.stdout)


def row(name: str, runs: list[dict], base: list[dict]) -> str:
    """One line: medians of `runs`, and of their ratios to those of `base` in the same rounds."""
    def value(run: dict, key: str) -> float:
        return run["latency_us"]["p50"] if key == "p50" else run[key]

    def median(key: str) -> float:
        return statistics.median(value(run, key) for run in runs)

    def ratios(key: str) -> str:
        found = sorted(value(a, key) / value(b, key) for a, b in zip(runs, base, strict=True))
        return f"{statistics.median(found):6.2f} ({found[0]:.2f}-{found[-1]:.2f})"

    return (
        f"{name:<24}{median('tasks_per_s'):>9,.0f} tasks/s{median('cpu_us_per_task'):>8.2f} us CPU"
        f"{median('p50'):>9,.0f} us p50 | "
        + ", ".join(f"{ratios(key)} of the {label}" for key, label in (
            ("tasks_per_s", "rate"), ("cpu_us_per_task", "CPU"), ("p50", "p50")))
    )


@contextlib.contextmanager
def busy(count: int):
    """`count` processes that want a core each, meanwhile."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main() -> int:
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("variant", nargs="+", type=Variant.parse)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.8, help="measured a run")
    parser.add_argument("--warmup", type=float, default=0.4, help="seconds before")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="busy loops beside them")
    arguments = parser.parse_args(words[:at])
    load = ["--warmup", str(arguments.warmup), "--seconds", str(arguments.seconds), *words[at + 1 :]]
    variants: list[Variant] = arguments.variant
    runs: list[list[dict]] = [[] for _ in variants]
    with busy(arguments.busy):
        for number in range(arguments.rounds):
            for i in range(len(variants)):
                turn = (number + i) % len(variants)
                runs[turn].append(variants[turn].run(load))
    for variant, each in zip(variants, runs, strict=True):
        print(row(variant.name, each, runs[-1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
