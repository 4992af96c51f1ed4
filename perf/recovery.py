#!/usr/bin/env python3
"""How long a scheduler with a journal takes to be back: perf/recovery.py [--tasks N] [--finished N].

Submits `--tasks` tasks that wait (there is no engine), and before them `--finished` ones that are
answered, kills the scheduler with SIGKILL, and starts it again with an engine. Prints seconds from
exec to the log line that says what the journal knows, and to the first task at the engine, and the
folder's size. Needs pyzmq; the binary is .build/release/yardmaster, or YARDMASTER_BINARY.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
from pathlib import Path

import zmq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Tests"))

from harness.peers import Client, Engine, Hub  # noqa: E402
from harness.process import (  # noqa: E402
    new_folder,
    remove_folder,
    start_yardmaster,
    tcp_endpoints,
)
from harness.wire import Wire  # noqa: E402


def pump(hub: Hub, until) -> None:
    while not until():
        for _ in range(1000):
            if not hub.monitor.poll(0):
                time.sleep(0.001)
                break
            hub.monitor.recv_multipart()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--finished", type=int, default=0)
    parser.add_argument("--sync", default="5")
    parser.add_argument("--hwm", default="1")
    options = parser.parse_args()
    folder, endpoints, wire = new_folder(), tcp_endpoints(), Wire()
    arguments = ["--journal", str(folder / "journal"), "--journal-sync", options.sync]
    arguments += ["--hwm", options.hwm]
    context = zmq.Context()
    hub = Hub(context, endpoints, wire)
    client = Client(context, endpoints.client, wire)
    engine = Engine(context, endpoints.engine, wire, b"engine")
    scheduler = start_yardmaster(endpoints, folder, wire.key, arguments)
    try:
        hub.accept([b"engine"] if options.finished else [])
        pump(hub, lambda: "tasks: " in scheduler.log())
        answered = 0
        while answered < options.finished:
            for _ in range(min(1000, options.finished - answered)):
                client.submit()
                answered += 1
            for _ in range(2000):
                if not engine.socket.poll(200):
                    break
                engine.answer(engine.task())
            client.pending()
            pump(hub, lambda: True)
        if options.finished:
            hub.unregister(b"engine")
        for number in range(options.tasks):
            client.submit()
            if number % 1000 == 0:
                pump(hub, lambda: True)
        last = [0, time.monotonic()]

        def quiet() -> bool:
            size = sum(path.stat().st_size for path in (folder / "journal").iterdir())
            if size != last[0]:
                last[:] = [size, time.monotonic()]
            return time.monotonic() - last[1] > 1

        pump(hub, quiet)
        scheduler.signal(signal.SIGKILL)
        scheduler.wait()
        began = time.monotonic()
        scheduler = start_yardmaster(endpoints, folder, wire.key, arguments)
        hub.accept([b"engine"])
        known = None
        while True:
            if known is None and re.search(r"knows \d+ tasks", scheduler.log()):
                known = time.monotonic() - began
            hub.monitor.poll(0)
            if engine.socket.poll(1):
                task = engine.task()
                if task.message.header["msg_type"] != "kernel_info_request":
                    break
                engine.answer(task)
        first = time.monotonic() - began
        line = scheduler.wait_for_log(r"knows \d+ tasks")
        print(re.sub(r".*knows", "the journal knows", line))
        print(f"{known or first:.3f} s to the end of reading, {first:.3f} s to the first assignment")
        print(f"{last[0] / 2**20:.1f} MiB in the folder")
    finally:
        scheduler.signal(signal.SIGKILL)
        scheduler.wait()
        for peer in (client, engine, hub):
            peer.close()
        context.destroy(linger=0)
        remove_folder(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
