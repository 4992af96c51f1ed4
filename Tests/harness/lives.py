"""Lives of a scheduler: one journal, one set of addresses, peers that stay while schedulers come and
go. Used by the tests of the journal (test_7_journal*.py).

Invariant: a process is ended by its own pid, and everything is closed with the cluster.
"""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager

import zmq
from zmq.utils.monitor import recv_monitor_message

from .peers import Client, Engine, Hub, Silence
from .process import (
    PATIENCE_S,
    Endpoints,
    new_folder,
    remove_folder,
    start_yardmaster,
    tcp_endpoints,
)
from .wire import Wire


class WatchfulEngine(Engine):
    """An engine that knows when its scheduler is gone."""

    watched = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED

    def wait_lost(self) -> None:
        while True:
            assert self._handshakes.poll(PATIENCE_S * 1000), "the engine never lost its scheduler"
            if recv_monitor_message(self._handshakes)["event"] == zmq.EVENT_DISCONNECTED:
                return


class Lives:
    """One journal, one set of addresses, a hub and peers that outlive schedulers."""

    def __init__(self, transport: str, sync: str = "5", packer: str = "json"):
        self.folder = new_folder()
        self.endpoints: Endpoints = tcp_endpoints()
        self.wire = Wire(packer=packer)
        self.context = zmq.Context()
        self.hub = Hub(self.context, self.endpoints, self.wire)
        self.peers: list = []
        self.engines: list[Engine] = []
        carried = {"lanes": ["--transport", "native", "--io-threads", "2"]}
        self.options = [
            *carried.get(transport, ["--transport", transport]), "--journal", str(self.folder / "journal"),
            "--journal-sync", sync, "--stranded-after", "1", "--log-level", "debug",
            "--packer", packer,
        ]  # fmt: skip
        self.scheduler = None
        self.seen: list[tuple[str, str]] = []
        self.count = 0

    def start(self, more: tuple[str, ...] = ()) -> None:
        self.count += 1
        self.scheduler = start_yardmaster(
            self.endpoints, self.folder, self.wire.key, [*self.options, *more]
        )
        try:
            self.hub.accept([engine.uuid for engine in self.engines])
        except Silence as silence:
            raise AssertionError(f"{silence}; the log is:\n{self.scheduler.log()}") from silence
        # A SUB tells what it subscribes to only when its owner looks at it.
        deadline = time.monotonic() + PATIENCE_S
        while "the journal in" not in self.scheduler.log():
            self.hub.registrar.poll(5) if self.hub.monitor.closed else self.hub.monitor.poll(5)
            assert time.monotonic() < deadline, self.scheduler.log()

    def engine(self, uuid: bytes) -> Engine:
        """Connected; announced by the next start, or by hub.register."""
        engine = WatchfulEngine(self.context, self.endpoints.engine, self.wire, uuid)
        self.engines.append(engine)
        self.peers.append(engine)
        return engine

    def client(self, identity: bytes | None = None, wire: Wire | None = None) -> Client:
        client = Client(self.context, self.endpoints.client, wire or self.wire, identity)
        self.peers.append(client)
        return client

    def kill(self) -> None:
        self.scheduler.process.send_signal(signal.SIGKILL)
        self.scheduler.wait()
        self.wait_lost()

    def wait_lost(self) -> None:
        """What engines send from now on waits for the next scheduler: they know that it is gone."""
        for engine in self.engines:
            engine.wait_lost()

    def see(self, topic: str, msg_id: str) -> None:
        """Waits until the hub has heard this about this task."""
        while (topic, msg_id) not in self.seen:
            seen = self.hub.seen(what=f"{topic} of {msg_id}; seen: {self.seen}")
            self.seen.append((seen.topic, seen.task))

    def stop_listening(self) -> None:
        """The hub is there, but nobody subscribes to the monitor."""
        self.hub.monitor.close()

    def listen(self, hwm: int = 0) -> None:
        self.hub.monitor = self.context.socket(zmq.SUB)
        self.hub.monitor.set_hwm(hwm)
        self.hub.monitor.linger = 0
        self.hub.monitor.subscribe(b"")
        deadline = time.monotonic() + PATIENCE_S
        while True:  # a closed socket keeps its address for a moment
            try:
                return self.hub.monitor.bind(self.endpoints.monitor)
            except zmq.ZMQError:
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def close(self) -> None:
        if self.scheduler:
            self.scheduler.stop()
        for peer in (*self.peers, self.hub):
            peer.close()
        self.context.term()
        remove_folder(self.folder)


def task_of(engine: Engine, answers_fences: bool = True):
    """The next task; fences on the way are answered as ipykernel does, or ignored."""
    while True:
        task = engine.task()
        if task.message.header["msg_type"] != "kernel_info_request":
            return task
        if answers_fences:
            engine.answer(task)


def task_of_fence(engine: Engine) -> bool:
    """Answers the fence that a start sends; false when it was a task."""
    task = engine.task()
    engine.answer(task)
    return task.message.header["msg_type"] == "kernel_info_request"


@contextmanager
def lives(*arguments):
    cluster = Lives(*arguments)
    try:
        yield cluster
    finally:
        cluster.close()
