#!/usr/bin/env python3
"""What a journal costs: perf/journal.py [--rounds N] [--in-flight N,N] [--io uring|epoll] [--folder DIR].

Each round runs the load generator without a journal and with one, alternately, each time on an
empty folder of DIR (default: perf/build, on the disk of this checkout) and after a sync, so that no
run waits for what another has left to the disk. Prints the medians, and of the ratios within rounds.
The binary is .build/release/yardmaster, or YARDMASTER.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from candidates import BUILD
from pairs import Variant, row


def run(io: str, in_flight: int, seconds: float, options: str) -> dict:
    os.sync()
    load = ["--in-flight", str(in_flight), "--warmup", "0.5", "--seconds", str(seconds)]
    return Variant("journal", io, options=options).run(load)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--in-flight", default="64,1024")
    parser.add_argument("--io", default="uring", choices=["uring", "epoll"])
    parser.add_argument("--sync", default="5", help="of --journal-sync (several: 5,always)")
    parser.add_argument("--folder", type=Path, default=BUILD)
    options = parser.parse_args()
    for in_flight in map(int, options.in_flight.split(",")):
        syncs = options.sync.split(",")
        plain: list[dict] = []
        runs: dict[str, list[dict]] = {sync: [] for sync in syncs}
        for _ in range(options.rounds):
            plain.append(run(options.io, in_flight, options.seconds, ""))
            for sync in syncs:
                folder = tempfile.mkdtemp(prefix="journal.", dir=options.folder)
                try:
                    arguments = f"--journal {folder} --journal-sync {sync}"
                    runs[sync].append(run(options.io, in_flight, options.seconds, arguments))
                finally:
                    shutil.rmtree(folder)
        print(f"{in_flight} in flight, {options.io}, {options.rounds} rounds of {options.seconds} s")
        print(row("without a journal", plain, plain))
        for sync in syncs:
            print(row(f"--journal-sync {sync}", runs[sync], plain), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
