"""What the candidates are put through: yard-load options, by scenario, for quick and full runs.

Used by compare.py. Invariant: scenarios that name a relay workload hold for every candidate.
"""

from __future__ import annotations

from dataclasses import dataclass

NATIVE = ("uring", "epoll", "zmq")
RICH = NATIVE + ("stock",)
FAST = NATIVE + ("pure", "floor")
EVERY = RICH + ("pure", "floor")


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    group: str  # which plot it belongs to
    options: tuple[str, ...]
    who: tuple[str, ...] = EVERY
    hwm: int = 0
    half_peak: bool = False  # add --rate: half of the candidate's best closed-loop throughput
    counted: int = 0  # measure this many tasks, not seconds (a fortieth of it for slow ones)
    rounds_max: int = 1000  # some answers need no repetition


def closed(in_flight: int, *options: str) -> tuple[str, ...]:
    return ("--in-flight", str(in_flight), *options)


QUICK = [
    Scenario("w1", "1 in flight", "throughput", closed(1)),
    Scenario("w64", "64 in flight", "throughput", closed(64)),
    Scenario("w1024", "1,024 in flight", "throughput", closed(1024)),
    Scenario("half", "half of its own peak, open loop", "open", (), half_peak=True),
    Scenario("rate400", "400 tasks/s, open loop", "open", ("--rate", "400")),
    Scenario("finished", "memory of finished tasks", "memory", closed(64), counted=400_000,
             rounds_max=1),
]

FULL = [
    Scenario("w1", "1 in flight", "throughput", closed(1)),
    Scenario("w64", "64 in flight", "throughput", closed(64)),
    Scenario("w1024", "1,024 in flight", "throughput", closed(1024)),
    Scenario("w64u", "64 in flight, unsigned", "unsigned", closed(64, "--unsigned")),
    Scenario("w1024u", "1,024 in flight, unsigned", "unsigned", closed(1024, "--unsigned")),
    Scenario("w64h1", "64 in flight, hwm 1", "hwm", closed(64), RICH, hwm=1),
    Scenario("w1024h1", "1,024 in flight, hwm 1", "hwm", closed(1024), RICH, hwm=1),
    Scenario("e4096w64", "64 in flight, 4,096 engines", "engines",
             closed(64, "--engines", "4096"), FAST),
    Scenario("e4096w1024", "1,024 in flight, 4,096 engines", "engines",
             closed(1024, "--engines", "4096"), FAST),
    Scenario("e4096w64u", "64 in flight, 4,096 engines, unsigned", "engines",
             closed(64, "--engines", "4096", "--unsigned"), FAST),
    Scenario("e4096w1024u", "1,024 in flight, 4,096 engines, unsigned", "engines",
             closed(1024, "--engines", "4096", "--unsigned"), FAST),
    Scenario("c100", "1,024 in flight, 100 clients", "engines", closed(1024, "--clients", "100")),
    Scenario("half", "half of its own peak, open loop", "open", (), half_peak=True),
    Scenario("rate400", "400 tasks/s, open loop", "open", ("--rate", "400")),
    *(
        Scenario(f"x-{name}", title, "workload", closed(256, "--workload", name), RICH, hwm=1)
        for name, title in (
            ("plain", "plain"), ("chains", "chains (after)"), ("fans", "fans and joins"),
            ("follow", "follow"), ("targets", "targets"), ("retries", "one failure, retried"),
            ("mixed", "all of them mixed"))
    ),
    *(
        Scenario(f"p{size}", title, "payload", closed(in_flight, "--payload", str(size)), FAST)
        for size, title, in_flight in (
            (0, "no payload", 256), (10_000, "10 kB", 256), (100_000, "100 kB", 64),
            (1_000_000, "1 MB", 16), (10_000_000, "10 MB", 4))
    ),
    Scenario("ipc1024", "1,024 in flight, ipc", "throughput", closed(1024, "--transport", "ipc"),
             FAST),
    Scenario("storm", "5,000 engines at once, and again after a restart", "storm",
             closed(64, "--engines", "5000", "--connect-burst", "0", "--restart"),
             NATIVE, rounds_max=1),
    Scenario("finished", "memory of finished tasks", "memory", closed(64), counted=4_000_000,
             rounds_max=1),
]
