"""Reads the counters of allocations/count.c, and judges them. Used by allocations.sh.

allocations.py COUNTERS OUTPUT         difference between now and the SIGTERM, as JSON
allocations.py --judge RESULT OUTPUT NAME   a line; status 1 when a task allocates too often
"""

import json
import signal
import struct
import sys

A_TASK_MAX = 0.01


def read(path):
    with open(path, "rb") as file:
        return struct.unpack("QQ", file.read(16))


def watch(path, output):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    before = read(path)
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    after = read(path)
    with open(output, "w") as file:
        json.dump({"allocations": after[0] - before[0], "frees": after[1] - before[1]}, file)


def judge(result_path, counted_path, name):
    with open(result_path) as file:
        result = json.load(file)
    with open(counted_path) as file:
        counted = json.load(file)
    tasks = result["attached_tasks"]
    each = counted["allocations"] / tasks
    good = each <= A_TASK_MAX and tasks > 100 and not result["violations"]
    print(
        f"{'ok  ' if good else 'FAIL'} {name}: {counted['allocations']:,} allocations,"
        f" {counted['frees']:,} frees in {tasks:,} tasks, {each:.4f} a task"
    )
    return 0 if good else 1


if sys.argv[1] == "--judge":
    sys.exit(judge(*sys.argv[2:5]))
watch(*sys.argv[1:3])
