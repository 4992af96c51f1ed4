"""Normal work beside a test: one client and one engine that keep a few tasks in flight.

Used by the fixtures of Tests/Wire. Invariant: `finish` fails unless every task that was submitted
was answered exactly once, with what the engine sent.
"""

from __future__ import annotations

import threading
import time

import zmq

from .peers import Client, Engine
from .process import PATIENCE_S, Endpoints
from .wire import Wire

IN_FLIGHT = 4
PACE_S = 0.005  # between looks at the sockets: normal traffic, not load


class Traffic(threading.Thread):
    """Runs until `finish`. Its engine must be registered before `start`."""

    def __init__(self, endpoints: Endpoints, wire: Wire, uuid: bytes = b"beside-the-test"):
        super().__init__(daemon=True)
        self.context = zmq.Context(io_threads=1)
        wire = Wire(wire.key, wire.packer, wire.digest)
        self.wire = wire
        self.uuid = uuid
        self.engine = Engine(self.context, endpoints.engine, wire, uuid)
        self.client = Client(self.context, endpoints.client, wire)
        self.targets = [uuid.decode("ascii")]
        self.submitted: dict[str, int] = {}  # task -> replies so far
        self.faults: list[str] = []
        self.answered = 0
        self._ending = threading.Event()
        self._patience_s = PATIENCE_S

    def run(self) -> None:
        deadline = None
        while True:
            waiting = sum(1 for count in self.submitted.values() if count == 0)
            if self._ending.is_set():
                deadline = deadline or time.monotonic() + self._patience_s
                if not waiting:
                    return
                if time.monotonic() > deadline:
                    self.faults.append(f"{waiting} tasks were never answered")
                    return
            else:
                for _ in range(IN_FLIGHT - waiting):
                    header = self.client.submit({"targets": self.targets})
                    self.submitted[header["msg_id"]] = 0
            for task in self.engine.pending():
                self.engine.answer(task, buffers=[b"result of " + task.msg_id.encode()])
            for reply in self.client.pending():
                self._note(reply)
            time.sleep(PACE_S)

    def _note(self, reply) -> None:
        task = reply.parent_id
        if task not in self.submitted:
            self.faults.append(f"a reply to {task!r}, which was never submitted: {reply.faults}")
            return
        self.submitted[task] += 1
        self.answered += 1
        if reply.faults or reply.buffers != [b"result of " + task.encode()]:
            self.faults.append(f"{task} was answered by {reply.content} {reply.faults}")

    def finish(self) -> None:
        """Ends when all that is in flight is answered; raises AssertionError otherwise."""
        self._end()
        twice = [task for task, count in self.submitted.items() if count != 1]
        assert not self.faults and not twice, f"normal traffic was harmed: {self.faults} {twice}"

    def abandon(self) -> None:
        """Ends at once, without a word: a test has failed already."""
        self._patience_s = 0.0
        self._end()

    def _end(self) -> None:
        self._ending.set()
        if self.is_alive():
            self.join()
        if self.context.closed:
            return
        for reply in self.client.pending():
            self._note(reply)
        self.engine.close()
        self.client.close()
        self.context.term()
