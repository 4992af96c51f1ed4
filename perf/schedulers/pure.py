#!/usr/bin/env python3
"""Run the relay of `ipcontroller --scheme=pure` on the given addresses, to compare with.

pyzmq's MonitoredQueue (ROUTER, DEALER, PUB), set up as ipyparallel/controller/app.py does: no
dependencies, no retries, no signature check. Connect the engines before the first task.
Started by perf/compare.py.
"""

import argparse
import os
import signal
import sys

import zmq
from zmq.devices import MonitoredQueue


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("client", "engine", "monitor"):
        parser.add_argument(f"--{name}-url", required=True)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    queue = MonitoredQueue(zmq.ROUTER, zmq.DEALER, zmq.PUB, b"intask", b"outtask")
    queue.bind_in(arguments.client_url)
    queue.setsockopt_in(zmq.IDENTITY, b"task_in")
    queue.bind_out(arguments.engine_url)
    queue.setsockopt_out(zmq.IDENTITY, b"task_out")
    queue.connect_mon(arguments.monitor_url)
    for set_option in (queue.setsockopt_in, queue.setsockopt_out):
        set_option(zmq.SNDHWM, 0)
        set_option(zmq.RCVHWM, 0)
    queue.setsockopt_mon(zmq.SNDHWM, 0)
    queue.start()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        os._exit(0)
