#!/usr/bin/env python3
"""Instructions and cache misses a task, by stage: callgrind.py PROFILE RESULT. Used by callgrind.sh.

A function's own cost goes to the first stage in where.py that its name belongs to. What belongs to
none (memcpy, say) is shared among its callers, by what it cost on behalf of each.
Invariant: the stages' costs add up to the profile's.
"""

from __future__ import annotations

import collections
import json
import re
import sys

import where

NAME = re.compile(r"^(c?fn)=\((\d+)\)(?: (.*))?$")
#: Of the model's second-level cache ("LL"), reads and writes.
COLUMNS = {"instructions": ("Ir",), "L1 misses": ("D1mr", "D1mw"), "L2 misses": ("DLmr", "DLmw")}

#: Library functions that call each other are no deeper than this.
ROUNDS = 20

Cost = list[float]


class Profile:
    """`own`: cost by function. `calls`: inclusive cost by (called, caller)."""

    def __init__(self, path: str) -> None:
        self.events: list[str] = []
        self.totals: Cost = []
        self.own: dict[str, Cost] = collections.defaultdict(self.nothing)
        self.calls: dict[str, dict[str, Cost]] = collections.defaultdict(
            lambda: collections.defaultdict(self.nothing))
        names: dict[str, str] = {}
        here = called = ""
        is_call = False
        with open(path, errors="replace") as lines:
            for line in lines:
                line = line.rstrip("\n")
                if match := NAME.match(line):
                    kind, number, name = match.groups()
                    name = names.setdefault(number, name or number)
                    if kind == "fn":
                        here = name
                    else:
                        called = name
                elif line.startswith("events:"):
                    self.events = line.split()[1:]
                elif line.startswith("totals:"):
                    self.totals = [float(each) for each in line.split()[1:]]
                elif line.startswith("calls="):
                    is_call = True
                elif line and line[0] in "0123456789+-*":
                    cost = [float(each) for each in line.split()[1:]]
                    add(self.calls[called][here] if is_call else self.own[here], cost)
                    is_call = False

    def nothing(self) -> Cost:
        return [0.0] * len(self.events)


def add(to: Cost, what: Cost, share: float = 1.0) -> None:
    for i, each in enumerate(what):
        to[i] += share * each


def shares(profile: Profile) -> dict[str, dict[str, float]]:
    """Of each function, the stages that its cost goes to, as shares of 1."""
    found: dict[str, dict[str, float]] = {}
    unknown: list[str] = []
    for name in set(profile.own) | set(profile.calls):
        stage = where.stage_of([(name, "own")])
        if stage == where.REST and any(cost[0] for cost in profile.calls[name].values()):
            unknown.append(name)
        found[name] = {stage: 1.0}
    # From caller to called, one call deeper with each round; functions may call each other.
    for _ in range(ROUNDS):
        for name in unknown:
            mixed: dict[str, float] = collections.defaultdict(float)
            callers = profile.calls[name]
            whole = sum(cost[0] for cost in callers.values())
            for caller, cost in callers.items():
                for stage, share in found.get(caller, {where.REST: 1.0}).items():
                    mixed[stage] += share * cost[0] / whole
            found[name] = mixed
    return found


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    profile = Profile(sys.argv[1])
    with open(sys.argv[2]) as file:
        result = json.load(file)
    stages: dict[str, Cost] = collections.defaultdict(profile.nothing)
    by_function = shares(profile)
    for name, cost in profile.own.items():
        for stage, share in by_function[name].items():
            add(stages[stage], cost, share)
    total = profile.nothing()
    for cost in stages.values():
        add(total, cost)
    if any(abs(a - b) > 1 for a, b in zip(total, profile.totals)) or not profile.totals:
        sys.exit(f"callgrind.py: the stages add up to {total}, the profile to {profile.totals}")
    print(f"{result['name']}: {result['submitted']:,} tasks; a task, outside of the kernel:")
    print(f"  {'':30s}" + "".join(f"{name:>14s}" for name in COLUMNS))
    for stage, cost in sorted(stages.items(), key=lambda item: -item[1][0]) + [("sum", total)]:
        figures = (sum(cost[profile.events.index(each)] for each in events) / result["submitted"]
                   for events in COLUMNS.values())
        print(f"  {stage:30s}" + "".join(f"{each:14,.1f}" for each in figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
