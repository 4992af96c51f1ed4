#!/usr/bin/env python3
"""Engines in another network, and what a network can do to them: Tests/Faults/network.py [FAULT...].

Six engines live in a network namespace, two beside the scheduler, the hub and the clients. Under
load the link is broken for `--seconds`, then healed; in the end every task must have exactly one
reply and one record with the hub, whatever was broken. `--list` names the faults. Needs root (see
link.py); status 77 when this machine does not allow it.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.process import (  # noqa: E402
    Endpoints,
    free_port,
    new_folder,
    remove_folder,
    start_yardmaster,
    tcp_endpoints,
)

from link import Link, NotPossible  # noqa: E402
from load import KEY, Engines, Load  # noqa: E402

FAR = [f"far-{number}" for number in range(6)]
NEAR = [f"near-{number}" for number in range(2)]
BEFORE_S = 3.0
AFTER_S = 5.0
# TCP doubles its waits while nothing comes back: after 30 s of silence the next try may be 26 s off.
PATIENCE_S = 120.0
CLIENTS, WINDOW = 4, 16
SILENT_S = 10.0  # the hub gives up engines that it has not heard for so long


@dataclass(frozen=True)
class Fault:
    what: str
    cut: str = ""  # of Link: cut, black_hole, reset, lose
    argument: tuple = ()
    delay_s: float = 0
    heartbeat_s: float = 0  # the engines' ZMTP heartbeats
    unregisters: bool = False  # the hub gives the engines up during the cut


FAULTS = {
    "cut": Fault("the link is down", "cut"),
    "black-hole": Fault("every packet vanishes", "black_hole"),
    "given-up": Fault(
        f"every packet vanishes; the hub gives the engines up after {SILENT_S:.0f} s and takes them "
        "back when they are heard again",
        "black_hole",
        unregisters=True,
    ),
    "heartbeats": Fault(
        "every packet vanishes; engines with ZMTP heartbeats (1 s) reconnect",
        "black_hole",
        heartbeat_s=1,
    ),
    # Without heartbeats an idle engine would not notice that the other side was reset.
    "reset": Fault(
        "connections are reset; engines with ZMTP heartbeats (1 s) notice and reconnect",
        "reset",
        heartbeat_s=1,
    ),
    "loss": Fault("2 % of the packets are lost each way", "lose", (2,)),
    "delay": Fault("every packet takes 100 ms each way", delay_s=0.1),
}


class Run:
    def __init__(self, fault: Fault, options: argparse.Namespace):
        self.fault, self.options = fault, options
        self.link = Link(fault.delay_s)
        self.folder = new_folder()
        self.scheduler = self.load = None
        self.engines: list[Engines] = []
        self.healed = 0.0

    def start(self) -> None:
        endpoints = tcp_endpoints()
        # Any address: near engines use loopback, far ones the link's.
        port = free_port()
        bound = Endpoints(**{**vars(endpoints), "engine": f"tcp://*:{port}"})
        arguments = ["--hwm", "4", *self.options.scheduler.split()]
        self.load = Load(endpoints, CLIENTS, WINDOW, retries=3)
        self.scheduler = start_yardmaster(bound, self.folder, KEY, arguments)
        self.load.begin()
        far = Engines(
            f"tcp://{self.link.address}:{port}", FAR, self.link.prefix, self.fault.heartbeat_s
        )
        self.engines = [far, Engines(f"tcp://127.0.0.1:{port}", NEAR)]
        for name in FAR + NEAR:
            self.load.hub.register(name.encode())
        if not self.all_answer(self.load, 0, 20):
            raise AssertionError(f"not all engines answer:\n{self.scheduler.log()}")

    @staticmethod
    def all_answer(load: Load, since: float, patience_s: float) -> bool:
        heard = load.ledger.by_engine

        def all_did() -> bool:
            return all(heard.get(name, -1) > since for name in FAR)

        load.run(patience_s, until=all_did)
        return all_did()

    def break_it(self) -> None:
        fault, load, seconds = self.fault, self.load, self.options.seconds
        if fault.cut:
            getattr(self.link, fault.cut)(*fault.argument)
        if fault.unregisters:
            load.run(SILENT_S)
            for name in FAR:
                load.hub.unregister(name.encode())
            seconds = max(0.0, seconds - SILENT_S)
        load.run(seconds)
        self.counted = self.link.counted()
        if fault.cut:
            self.link.heal()
        self.healed = time.monotonic()
        if fault.unregisters:
            for name in FAR:
                load.hub.register(name.encode())

    def run(self) -> tuple[str, list[str]]:
        """What happened, in words, and what must not have."""
        self.start()
        load, ledger = self.load, self.load.ledger
        load.run(BEFORE_S)
        before, began = ledger.answered, time.monotonic()
        self.break_it()
        during, took = ledger.answered - before, time.monotonic() - began
        back = self.all_answer(load, self.healed, PATIENCE_S)
        back_s = max(ledger.by_engine.get(name, 0) for name in FAR) - self.healed
        load.run(AFTER_S)
        drained_s = load.drain(PATIENCE_S)
        again = {}
        for engines in self.engines:
            for task, count in engines.finish()["again"].items():
                again[task] = again.get(task, 0) + count
        if not back:
            absent = [name for name in FAR if ledger.by_engine.get(name, 0) < self.healed]
            ledger.fault(f"{PATIENCE_S:.0f} s after the end these engines answer nothing: {absent}")
        if not self.scheduler.alive():
            ledger.fault("the scheduler died")
        packets = f", {self.counted} packets dropped or refused" if self.counted else ""
        text = (
            f"{ledger.submitted} tasks, {ledger.answered} answered once, {during / took:,.0f}/s "
            f"during{packets}; {sum(ledger.errors.values())} ended in an error {ledger.errors or ''}"
            f", {len(again)} ran twice on one engine; every far engine answers {max(0.0, back_s):.1f} s after "
            f"the end, all is drained {drained_s:.1f} s after the last task"
        )
        return text, ledger.faults

    def close(self) -> None:
        for engines in self.engines:
            if engines.process.poll() is None:
                engines.kill()
        if self.scheduler:
            self.scheduler.stop()
            if self.options.verbose:
                print(self.scheduler.log())
        if self.load:
            self.load.close()
        self.link.close()
        remove_folder(self.folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="default: all of them")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--seconds", type=float, default=30, help="how long it stays broken")
    parser.add_argument("--scheduler", default="", metavar="OPTIONS", help="e.g. '--transport zmq'")
    parser.add_argument("--verbose", action="store_true", help="show the scheduler's log")
    options = parser.parse_args()
    unknown = [name for name in options.faults if name not in FAULTS]
    if options.list or unknown:
        print("\n".join(f"{name:<12} {fault.what}" for name, fault in FAULTS.items()))
        return 2 if unknown else 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and what was made is removed
    status = 0
    for name in options.faults or FAULTS:
        run = None
        try:
            run = Run(FAULTS[name], options)
            text, faults = run.run()
        except NotPossible as why:
            print(f"{name}: not possible here: {why}")
            return 77
        finally:
            if run:
                run.close()
        verdict = f"{len(faults)} FAULTS" if faults else "nothing lost, nothing answered twice"
        print(f"{name} ({FAULTS[name].what}): {verdict}; {text}", flush=True)
        status |= bool(faults)
    return status


if __name__ == "__main__":
    sys.exit(main())
