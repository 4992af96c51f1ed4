#!/usr/bin/env python3
"""Where a task's CPU time goes, by stage: where.py SCRIPT RESULT (as flame.py takes them).

Each sample of `perf script` is given to the first stage below that one of its frames belongs to; a
stage's share of the samples, times the CPU a task of the run, is its cost. Samples taken while the
load starts and stops are in it. Used by flame.sh.
"""

from __future__ import annotations

import collections
import json
import sys

import flame

#: Stage, what the names of its frames begin with (a frame anywhere in the stack counts).
STAGES = [
    ("kernel: sending", ("tcp_sendmsg", "unix_stream_sendmsg", "____sys_sendmsg", "__sys_sendto")),
    ("kernel: receiving", ("tcp_recvmsg", "unix_stream_recvmsg", "sock_recvmsg", "io_recv")),
    ("signatures", ("hmac_many", "hash_blocks", "signer_", "SHA256", "sha256",
                    "[libcrypto")),
    ("reading headers", ("intake_", "scan_", "shape_", "id_split")),
    ("the core", ("SchedulerCore.", "Exchange.stepCore")),
    ("queueing what is sent", ("transport_send_all", "native_send_all", "queue_")),
    ("messages, names, commands", ("Exchange.process", "Exchange.flush", "Exchange.carryOut")),
    ("reactor, framing what arrives", ("transport_turn", "Exchange.wait", "native_received")),
]
KERNEL_REST = "kernel: waiting and the rest"
REST = "everything else"


def stage_of(stack: list[tuple[str, str]]) -> str:
    for stage, starts in STAGES:
        if any(symbol.startswith(starts) for symbol, _ in stack):
            return stage
    return KERNEL_REST if stack[-1][1] == "kernel" else REST


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    with open(sys.argv[2]) as file:
        result = json.load(file)
    found: collections.Counter[str] = collections.Counter()
    copies: collections.Counter[str] = collections.Counter()
    for stack in flame.stacks(sys.argv[1]):
        stage = stage_of(stack)
        if stage.startswith("reactor") and stack[-1][1] == "kernel":
            stage = KERNEL_REST
        found[stage] += 1
        copies[stage] += any(word in stack[-1][0] for word in ("memmove", "memcpy", "_copy_"))
    whole = max(found.total(), 1)
    task_ns = 1000 * result["cpu_us_per_task"]
    print(f"{result['name']}: {task_ns:,.0f} ns CPU a task, {result['tasks_per_s']:,.0f} tasks/s "
          f"while sampled, {whole:,} samples; of it copying bytes")
    for stage, count in found.most_common():
        print(f"  {stage:30s} {count / whole:6.1%} {task_ns * count / whole:7,.0f} ns"
              f" {task_ns * copies[stage] / whole:7,.0f} ns")
    return 0


if __name__ == "__main__":
    sys.exit(main())
