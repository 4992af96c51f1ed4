"""Load beside a fault, and the ledger that says what became of each task.

Used by network.py and churn.py. One thread plays the hub and the clients; engines are processes
(engines.py). Invariant: a task is open until it has its reply (or its client has vanished) and its
outtask; what comes for it later is a fault.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import zmq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.peers import Client, Hub  # noqa: E402
from harness.process import PATIENCE_S, Endpoints  # noqa: E402
from harness.wire import Message, Wire  # noqa: E402

KEY = b"the-key-of-the-fault-runs"
# Messages of the monitor between two looks at the clients: more than what those can cause meanwhile,
# or the hub falls behind.
READ_MOST = 2000
FAULTS_TOLD = 10


@dataclass
class Task:
    replied: bool = False
    abandoned: bool = False  # its client has vanished
    accepted: bool = False  # the hub has its intask
    ended: bool = False  # and its outtask


@dataclass
class Ledger:
    open: dict[str, Task] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)  # hashes: a text each would be too much
    submitted: int = 0
    answered: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    by_engine: dict[str, float] = field(default_factory=dict)  # when each last answered
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        self.faults.append(text)
        if len(self.faults) <= FAULTS_TOLD:
            print(f"FAULT: {text}", file=sys.stderr)

    def submit(self, msg_id: str) -> None:
        self.submitted += 1
        self.open[msg_id] = Task()

    def find(self, msg_id: str, what: str) -> Task | None:
        task = self.open.get(msg_id)
        if task is None:
            again = hash(msg_id) in self.settled
            self.fault(f"{what} for {msg_id}, which {'had it all' if again else 'nobody submitted'}")
        return task

    def settle(self, msg_id: str, task: Task) -> None:
        if task.ended and (task.replied or task.abandoned):
            del self.open[msg_id]
            self.settled.add(hash(msg_id))

    def reply(self, message: Message) -> None:
        msg_id = message.parent_id
        task = self.find(msg_id, "a reply")
        if task is None:
            return
        if task.replied:
            self.fault(f"{msg_id} was answered twice")
        task.replied = True
        self.answered += 1
        if message.content.get("status") == "ok":
            engine = message.metadata.get("engine", "")
            self.by_engine[engine] = time.monotonic()
            if message.buffers != [b"result of " + msg_id.encode()]:
                self.fault(f"{msg_id} was answered with another's result")
        else:
            ename = message.content.get("ename", "?")
            self.errors[ename] = self.errors.get(ename, 0) + 1
        if message.faults:
            self.fault(f"the reply to {msg_id}: {message.faults}")
        self.settle(msg_id, task)

    def monitor(self, topic: str, msg_id: str) -> None:
        if topic not in ("intask", "outtask"):
            return
        task = self.find(msg_id, f"an {topic}")
        if task is None:
            return
        if task.ended or (topic == "intask") == task.accepted:
            self.fault(f"{msg_id}: its {topic} came twice, or out of order")
        task.accepted = True
        task.ended |= topic == "outtask"
        self.settle(msg_id, task)

    def missing(self) -> dict[str, Task]:
        """What must still come: unaccepted tasks of clients that have vanished need not."""
        return {
            msg_id: task
            for msg_id, task in self.open.items()
            if task.accepted or not task.abandoned
        }


class Engines:
    """A process with some engines; `prefix` puts it elsewhere (`ip netns exec NAME`)."""

    def __init__(self, url: str, names: list[str], prefix=(), heartbeat_s: float = 0):
        self.names = names
        command = [*prefix, sys.executable, str(Path(__file__).with_name("engines.py")), url]
        command += [*names, "--heartbeat", str(heartbeat_s)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "IPP_SESSION_KEY": KEY.decode()},
        )

    def kill(self) -> None:
        self.process.kill()
        self._reap()

    def finish(self) -> dict:
        """What they ran: {"runs": number, "again": {task: times}}."""
        self.process.stdin.close()
        try:
            return json.loads(self.process.stdout.read() or b'{"runs": 0, "again": {}}')
        finally:
            self._reap()

    def _reap(self) -> None:
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        if not self.process.stdin.closed:
            self.process.stdin.close()


class Load:
    """A hub, and clients that keep `window` tasks open each."""

    def __init__(self, endpoints: Endpoints, clients: int, window: int, retries: int):
        self.endpoints = endpoints
        self.window = window
        self.metadata = {"retries": retries}
        self.context = zmq.Context()
        self.wire = Wire(KEY)
        self.hub = Hub(self.context, endpoints, self.wire)
        self.ledger = Ledger()
        self.poller = zmq.Poller()
        self.poller.register(self.hub.monitor, zmq.POLLIN)
        self.clients: list[tuple[Client, set[str]]] = []
        self.client_count = clients
        self._numbers: dict[Client, itertools.count] = {}

    def begin(self) -> None:
        """Returns when the scheduler is heard."""
        self.hub.accept()
        for _ in range(self.client_count):
            self.add_client()

    def add_client(self) -> None:
        # A session of its own, as every client has.
        wire = Wire(KEY)
        client = Client(self.context, self.endpoints.client, wire)
        self.poller.register(client.socket, zmq.POLLIN)
        self._numbers[client] = itertools.count()
        self.clients.append((client, set()))

    def drop_client(self, index: int) -> None:
        """It vanishes, with what it waits for."""
        client, waiting = self.clients.pop(index)
        self.poller.unregister(client.socket)
        del self._numbers[client]
        client.close()
        for msg_id in waiting:
            task = self.ledger.open.get(msg_id)
            if task is not None:
                task.abandoned = True
                self.ledger.settle(msg_id, task)

    def turn(self, submits: bool = True, wait_ms: int = 5) -> None:
        ready = dict(self.poller.poll(wait_ms))
        for client, waiting in self.clients:
            if client.socket in ready:
                for message in client.pending():
                    self.ledger.reply(message)
                    waiting.discard(message.parent_id)
            while submits and len(waiting) < self.window:
                # As ipyparallel numbers them: no zeros in front.
                msg_id = f"{client.wire.session}_{os.getpid()}_{next(self._numbers[client])}"
                client.submit(self.metadata, msg_id)
                waiting.add(msg_id)
                self.ledger.submit(msg_id)
        for _ in range(READ_MOST):
            if not self.hub.monitor.poll(0):
                break
            frames = self.hub.monitor.recv_multipart()
            # Two in three would be parsed for nothing.
            if frames[0] in (b"intask", b"outtask"):
                message = self.wire.parse(frames[1:])
                of = message.msg_id if frames[0] == b"intask" else message.parent_id
                self.ledger.monitor(frames[0].decode(), of)

    def run(self, seconds: float, submits: bool = True, until=None) -> float:
        """Turns for so long, or until something is true; how long it took, in seconds."""
        began = time.monotonic()
        while time.monotonic() - began < seconds and not (until and until()):
            self.turn(submits)
        return time.monotonic() - began

    def drain(self, patience_s: float) -> float:
        """Nothing new, until everything has ended; then a moment for what must not come."""
        took = self.run(patience_s, submits=False, until=lambda: not self.ledger.missing())
        self.run(1, submits=False)
        for msg_id, task in list(self.ledger.missing().items()):
            said = "accepted" if task.accepted else "not accepted"
            got = "an outtask but no reply" if task.ended else "no outtask"
            self.ledger.fault(f"{msg_id} is lost: {said}, {got}, replied: {task.replied}")
        return took

    def close(self) -> None:
        for client, _ in self.clients:
            client.close()
        self.hub.close()
        self.context.term()
