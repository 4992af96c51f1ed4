"""Load over many lives of a scheduler with a journal: peers that reconnect by themselves and go on,
and count what became of each task. Used by test_7_journal_kills.py and test_7_journal_handover.py.

Accepted: the hub has heard of it. Answered: its client got a final reply. Recorded: the hub got the
outtask. Invariant: what has come is counted, and nothing is counted that has not.
"""

from __future__ import annotations

import random
import re
import signal
import time
from collections import Counter, deque

import zmq

from .peers import Client, Engine, Hub
from .process import PATIENCE_S, new_folder, remove_folder, start_yardmaster, tcp_endpoints
from .wire import Wire

CLIENTS = 4
ENGINES = 4
WINDOW = 24  # tasks that a client has open


class Load:
    """One thread: a hub, engines and clients that reconnect by themselves and go on."""

    def __init__(self, transport: str, sync: str, seed: int):
        self.random = random.Random(seed)
        self.folder = new_folder()
        self.endpoints = tcp_endpoints()
        self.wire = Wire()
        self.context = zmq.Context()
        self.hub = Hub(self.context, self.endpoints, self.wire)
        self.engines = [
            Engine(self.context, self.endpoints.engine, self.wire, b"engine-%d" % index)
            for index in range(ENGINES)
        ]
        # Each has a session of its own, as clients have.
        self.clients = [
            Client(self.context, self.endpoints.client, Wire(self.wire.key)) for _ in range(CLIENTS)
        ]
        for index, client in enumerate(self.clients):
            client.wire.session = f"session{index}-{seed}"
        self.todo = {engine.uuid: deque() for engine in self.engines}
        self.open: list[set] = [set() for _ in self.clients]
        self.active = [0.0] * CLIENTS
        self.submitted: set[str] = set()
        self.accepted: set[str] = set()
        self.recorded: set[str] = set()
        self.replies: Counter = Counter()
        self.runs: Counter = Counter()
        carried = {"zmq": ["--transport", "zmq"]}.get(transport, ["--io", transport])
        self.options = [
            *carried, "--journal", str(self.folder / "journal"),
            "--journal-sync", sync, "--stranded-after", "1", "--hwm", "3",
        ]  # fmt: skip
        self.poller = zmq.Poller()
        for socket in (
            self.hub.monitor, self.hub.registrar, self.hub.notifier,
            *(peer.socket for peer in (*self.engines, *self.clients)),
        ):  # fmt: skip
            self.poller.register(socket, zmq.POLLIN)
        self.greeted = False
        self.ends_s: list[float] = []
        self.cut = 0  # messages that a libzmq peer had half written when it was told of the end

    def start(self) -> None:
        self.greeted = False
        self.scheduler = start_yardmaster(
            self.endpoints, self.folder, self.wire.key, self.options
        )

    def turn(self, submits: bool = True) -> None:
        """Takes what has come, answers some of it, submits what fits."""
        ready = dict(self.poller.poll(2))
        if self.hub.notifier in ready:
            self.hub.notifier.recv_multipart()
        if self.hub.registrar in ready:
            self.greet(self.hub.registrar.recv_multipart())
        while self.hub.monitor.poll(0):
            self.record(self.hub.seen())
        for engine in self.engines:
            self.serve(engine)
        for index, client in enumerate(self.clients):
            for reply in client.pending():
                self.replies[reply.parent_id] += 1
                self.open[index].discard(reply.parent_id)
                self.active[index] = time.monotonic()
            if submits:
                self.submit(index, client)

    def greet(self, frames: list[bytes]) -> None:
        request = self.wire.parse(frames)
        engines = {str(i): engine.uuid.decode() for i, engine in enumerate(self.engines)}
        reply = self.wire.message(
            "connection_reply", {"status": "ok", "engines": engines}, parent=request.header
        )
        self.hub.registrar.send_multipart([frames[0], *reply])
        self.greeted = True

    def record(self, seen) -> None:
        if seen.topic == "intask":
            self.accepted.add(seen.task)
        elif seen.topic == "outtask":
            self.recorded.add(seen.task)

    def serve(self, engine: Engine) -> None:
        """In order, like a kernel; some tasks take a while."""
        todo = self.todo[engine.uuid]
        todo.extend(engine.pending())
        while todo and self.random.random() < 0.8:
            task = todo.popleft()
            if task.message.header["msg_type"] != "kernel_info_request":
                self.runs[task.msg_id] += 1
            engine.answer(task)

    def submit(self, index: int, client: Client) -> None:
        # Some were lost with a socket before anybody accepted them: a client must not wait for
        # those.
        if time.monotonic() - self.active[index] > 0.05:
            self.open[index].clear()
        while len(self.open[index]) < WINDOW:
            metadata = {"retries": 1}
            if self.accepted and self.random.random() < 0.1:
                metadata["after"] = [next(iter(self.open[index]), next(iter(self.accepted)))]
            msg_id = client.submit(metadata)["msg_id"]
            self.submitted.add(msg_id)
            self.open[index].add(msg_id)
            self.active[index] = time.monotonic()

    def missing(self) -> set[str]:
        return self.unanswered(self.accepted)

    def unanswered(self, tasks: set[str]) -> set[str]:
        return {
            msg_id for msg_id in tasks if not self.replies[msg_id] and msg_id not in self.recorded
        }

    def twice(self) -> list[str]:
        return [msg_id for msg_id, count in self.replies.items() if count > 1]

    def summary(self) -> str:
        ran_twice = sum(count > 1 for count in self.runs.values())
        return (
            f"{len(self.submitted)} submitted, {len(self.accepted)} accepted, "
            f"{len(self.replies)} answered, {len(self.recorded)} recorded, "
            f"{ran_twice} ran more than once"
        )

    def live(self) -> None:
        """A moment of a scheduler's life, under load."""
        until = time.monotonic() + self.random.uniform(0.01, 0.3)
        while time.monotonic() < until or not self.greeted:
            self.turn()
            assert self.scheduler.alive(), self.scheduler.log()

    def kill(self) -> None:
        self.scheduler.process.send_signal(signal.SIGKILL)
        self.scheduler.wait()

    def hand_over(self) -> None:
        """The peers go on while the scheduler ends."""
        self.scheduler.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        while self.scheduler.alive():
            self.turn()
            assert time.monotonic() - began < PATIENCE_S, self.scheduler.log()
        assert self.scheduler.wait() == 0, self.scheduler.log()
        for line in self.scheduler.log().splitlines():
            if "hung up within a message" in line:
                more = re.search(r" \(and (\d+)", line)
                self.cut += 1 + (int(more[1]) if more else 0)
        self.ends_s.append(time.monotonic() - began)

    def run(self, ends: int, end) -> None:
        """`ends` lives, each ended by `end`, and one that finishes everything."""
        self.start()
        for _ in range(ends):
            self.live()
            end(self)
            self.start()
        # Many lives leave many tasks waiting, for four engines in Python: as long as they get fewer,
        # none is lost.
        left = len(self.missing())
        deadline = time.monotonic() + 3 * PATIENCE_S
        quiet = 0
        while quiet < 300:
            for _ in range(50):
                self.turn(submits=False)
            missing = len(self.missing())
            quiet = 0 if missing else quiet + 50
            if missing < left:
                left, deadline = missing, time.monotonic() + 3 * PATIENCE_S
            if time.monotonic() > deadline:
                return
        # Every client says something: what was parked for it comes.
        for client in self.clients:
            client.submit()
        for _ in range(300):
            self.turn(submits=False)

    def close(self) -> None:
        self.scheduler.stop()
        for peer in (*self.engines, *self.clients, self.hub):
            peer.close()
        self.context.term()
        remove_folder(self.folder)
