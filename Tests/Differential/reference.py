"""Runs ipyparallel's own TaskScheduler as processes that a test can start quickly.

`python reference.py` is a server: it imports ipyparallel once, then forks one scheduler for each
JSON line on stdin and answers with its pid; it ends its children when stdin closes.
`ReferenceServer` is its client, used by run.py. Invariant: one fork, one context, one loop;
nothing is shared between schedulers.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    # What takes long is imported before forking.
    import ipyparallel.controller.scheduler  # noqa: F401
    import msgpack  # noqa: F401

    sys.path.insert(0, str(HERE))
    import differences  # noqa: F401
    import mutations  # noqa: F401

    children: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "start":
            pid = os.fork()
            if pid == 0:
                run_scheduler(request)
            children.add(pid)
            print(pid, flush=True)
        elif request["do"] == "stop":
            end(request["pid"])
            children.discard(request["pid"])
            print("stopped", flush=True)
    for pid in children:
        end(pid)


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def run_scheduler(request: dict) -> None:
    """Becomes the scheduler that is asked for; never returns."""
    import logging

    from differences import AdaptedScheduler
    from ipyparallel.controller.scheduler import launch_scheduler
    from ipyparallel.controller.task_scheduler import TaskScheduler
    from mutations import MUTATIONS

    status = 1
    try:
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        chosen = AdaptedScheduler if request["adapted"] else TaskScheduler
        if request.get("mutation"):
            chosen = MUTATIONS[request["mutation"]](chosen)
        if request["adapted"]:
            chosen.stranded_after_s = request["stranded_after"]
        launch_scheduler(
            chosen,
            in_addr=request["client"],
            out_addr=request["engine"],
            mon_addr=request["monitor"],
            not_addr=request["notification"],
            reg_addr=request["registration"],
            config={
                "Session": {
                    "key": request["key"].encode("ascii"),
                    "packer": request.get("packer", "json"),
                    "unpacker": request.get("packer", "json"),
                },
                "TaskScheduler": {"hwm": request["hwm"], "scheme_name": request["scheme"]},
            },
            logname="task",
            loglevel=logging.WARNING,
            identity=b"task",
        )
        status = 0
    finally:
        import traceback

        if status:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)


class ReferenceServer:
    """Starts and ends reference schedulers through one server process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "reference.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, **request) -> str:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the reference server ended with {self.process.wait()}")
        return answer.strip()

    def start(self, endpoints, log: Path, key: bytes, **options) -> int:
        return int(
            self._ask(
                do="start", **vars(endpoints), log=str(log), key=key.decode("ascii"), **options
            )
        )

    def stop(self, pid: int) -> None:
        self._ask(do="stop", pid=pid)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(20)


if __name__ == "__main__":
    main()
