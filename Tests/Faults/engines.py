"""Engines in a process of their own, so that they can be killed, or live in another network.

    python engines.py URL NAME... [--heartbeat SECONDS]

Stock pyzmq DEALERs that answer every task at once, in order. The session key comes in
IPP_SESSION_KEY. When standard input ends, a line of JSON says what was run, and how often what ran
more than once.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
from collections import Counter
from pathlib import Path

import zmq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.peers import Engine  # noqa: E402
from harness.wire import Wire  # noqa: E402

TICK_MS = 200


def make(context: zmq.Context, url: str, name: str, heartbeat_s: float) -> Engine:
    wire = Wire(os.environ["IPP_SESSION_KEY"].encode())
    engine = Engine(context, url, wire, name.encode(), connect=False)
    if heartbeat_s:
        engine.socket.heartbeat_ivl = int(heartbeat_s * 1000)
        engine.socket.heartbeat_timeout = int(heartbeat_s * 3000)
        engine.socket.heartbeat_ttl = int(heartbeat_s * 3000)
    engine.connect()
    return engine


def serve(engines: list[Engine], runs: Counter) -> None:
    """Until standard input ends."""
    poller = zmq.Poller()
    for engine in engines:
        poller.register(engine.socket, zmq.POLLIN)
    poller.register(sys.stdin.fileno(), zmq.POLLIN)
    by_socket = {engine.socket: engine for engine in engines}
    while True:
        for socket, _ in poller.poll(TICK_MS):
            if socket == sys.stdin.fileno():
                if select.select([sys.stdin], [], [], 0)[0] and not os.read(socket, 1):
                    return
                continue
            engine = by_socket[socket]
            for task in engine.pending():
                if task.message.header.get("msg_type") == "apply_request":
                    runs[task.msg_id] += 1
                engine.answer(task, buffers=[b"result of " + task.msg_id.encode()])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("names", nargs="+")
    parser.add_argument("--heartbeat", type=float, default=0, help="ZMTP heartbeats; 0: none")
    arguments = parser.parse_args()
    context, runs = zmq.Context(), Counter()
    engines = [make(context, arguments.url, name, arguments.heartbeat) for name in arguments.names]
    serve(engines, runs)
    again = {task: count for task, count in runs.items() if count > 1}
    print(json.dumps({"runs": runs.total(), "again": again}))
    for engine in engines:
        engine.close()
    context.term()
    return 0


if __name__ == "__main__":
    sys.exit(main())
