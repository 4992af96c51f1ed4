#!/usr/bin/env python3
"""Every second an engine is killed and a client vanishes, under load: Tests/Faults/churn.py [--minutes N].

Each engine is a process; one a second gets SIGKILL, the hub says so `NOTICED_S` later, and another
takes its place. A client a second closes its socket with tasks in flight, and another comes. In the
end every task of the clients that stayed must have exactly one reply, and every task that the hub
ever heard of exactly one end. The scheduler's resident memory may grow by what it promises for
finished tasks, and no more.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.process import new_folder, remove_folder, start_yardmaster, tcp_endpoints  # noqa: E402

from load import KEY, Engines, Load  # noqa: E402

ENGINES, CLIENTS, WINDOW = 8, 6, 16
NOTICED_S = 0.5  # from an engine's death to the hub's word of it
PATIENCE_S = 60.0
FINISHED_TASK_BYTES = 16  # the promise of README.md
SLACK_BYTES = 4 << 20  # names of engines and sessions, tables that double


class Churn:
    def __init__(self, options: argparse.Namespace):
        self.random = random.Random(options.seed)
        self.folder = new_folder()
        self.endpoints = tcp_endpoints()
        self.load = Load(self.endpoints, CLIENTS, WINDOW, retries=options.retries)
        arguments = ["--hwm", "4", *options.scheduler.split()]
        self.scheduler = start_yardmaster(self.endpoints, self.folder, KEY, arguments)
        self.engines: list[Engines] = []
        self.dead: list[tuple[float, bytes]] = []  # when the hub notices, whom
        self.killed = 0
        self.resident: list[tuple[float, int, int]] = []  # seconds, bytes, tasks answered

    def add_engine(self) -> None:
        name = f"engine-{self.killed + len(self.engines)}"
        self.engines.append(Engines(self.endpoints.engine, [name]))
        self.load.hub.register(name.encode())

    def second(self) -> None:
        """One engine dies, one client vanishes, both are replaced; then the load goes on."""
        victim = self.engines.pop(self.random.randrange(len(self.engines)))
        victim.kill()
        self.killed += 1
        self.dead.append((time.monotonic() + NOTICED_S, victim.names[0].encode()))
        self.add_engine()
        self.load.drop_client(self.random.randrange(len(self.load.clients)))
        self.load.add_client()

    def notice_the_dead(self) -> None:
        while self.dead and self.dead[0][0] <= time.monotonic():
            self.load.hub.unregister(self.dead.pop(0)[1])

    def run(self, seconds: float) -> None:
        self.load.begin()
        for _ in range(ENGINES):
            self.add_engine()
        self.load.run(5)
        began, next_s = time.monotonic(), 0.0
        while (now_s := time.monotonic() - began) < seconds:
            if now_s >= next_s:
                next_s += 1
                self.second()
                memory = self.scheduler.cpu_and_memory()[1]
                self.resident.append((now_s, memory, self.load.ledger.submitted))
            self.notice_the_dead()
            self.load.turn()
            if not self.scheduler.alive():
                self.load.ledger.fault(f"the scheduler died:\n{self.scheduler.log()}")
                return
        self.load.run(PATIENCE_S, submits=False, until=lambda: self.notice_the_dead() or not self.dead)
        self.load.drain(PATIENCE_S)

    def judge_memory(self) -> str:
        minute = min(60.0, self.resident[-1][0] / 3)
        first = [row for row in self.resident if row[0] <= minute]
        last = [row for row in self.resident if row[0] >= self.resident[-1][0] - minute]
        begin, end = (statistics.median(row[1] for row in rows) for rows in (first, last))
        tasks = statistics.median(row[2] for row in last) - statistics.median(row[2] for row in first)
        if end - begin > FINISHED_TASK_BYTES * tasks + SLACK_BYTES:
            self.load.ledger.fault(f"memory grew by {end - begin:,.0f} bytes over {tasks:,.0f} tasks")
        return (
            f"resident {begin / 2**20:.1f} MiB in the first {minute:.0f} s, {end / 2**20:.1f} in the last: "
            f"{(end - begin) / tasks:.1f} bytes a finished task"
        )

    def close(self) -> None:
        for engine in self.engines:
            engine.kill()
        self.scheduler.stop()
        self.load.close()
        remove_folder(self.folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--retries", type=int, default=0, help="of each task: 0 shows the EngineErrors")
    parser.add_argument("--scheduler", default="", metavar="OPTIONS", help="e.g. '--transport zmq'")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="who dies")
    options = parser.parse_args()
    print(f"replay (moments differ): --seed {options.seed}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and what was started is ended
    churn = Churn(options)
    try:
        churn.run(options.minutes * 60)
        memory = churn.judge_memory()
    finally:
        churn.close()
    ledger = churn.load.ledger
    vanished = sum(task.abandoned for task in ledger.open.values())
    print(
        f"{churn.killed} engines killed, {churn.killed} clients vanished; {ledger.submitted:,} tasks, "
        f"{ledger.answered:,} answered once, {ledger.errors or 'no errors'}; {vanished} of clients that "
        f"vanished were never taken; {memory}"
    )
    good = "nothing lost, nothing answered twice, memory as promised"
    print(f"{len(ledger.faults)} FAULTS" if ledger.faults else good)
    return bool(ledger.faults)


if __name__ == "__main__":
    sys.exit(main())
