"""SEMANTICS.md 3: `--scheme pure` relays blindly: nothing is parsed, checked or remembered."""

from __future__ import annotations

import pytest
from harness import process
from harness.peers import Client, Engine, receive
from harness.wire import Wire

import zmq


class Pure:
    def __init__(self, identity=None):
        self.folder = process.new_folder()
        self.endpoints = process.ipc_endpoints(self.folder)
        self.wire = Wire(b"a key")
        self.context = zmq.Context()
        self.monitor = self.context.socket(zmq.SUB)
        self.monitor.subscribe(b"")
        self.monitor.linger = 0
        self.monitor.bind(self.endpoints.monitor)
        options = ["--scheme", "pure"] + (["--identity", identity] if identity else [])
        self.running = process.start_yardmaster(self.endpoints, self.folder, b"a key", options)
        self.client = Client(self.context, self.endpoints.client, self.wire)
        self.engines = [
            Engine(self.context, self.endpoints.engine, self.wire, name)
            for name in (b"one", b"two")
        ]
        for engine in self.engines:
            engine.wait_connected()
        self.wait_for_monitor()

    def wait_for_monitor(self) -> None:
        """Sends messages until the monitor sees one, then takes all that are on their way."""
        for attempt in range(1000):
            self.client.send_raw([b"warm", b"%d" % attempt])
            if self.monitor.poll(20):
                break
        last = b"%d" % attempt
        while self.monitor.recv_multipart()[-1] != last:
            assert self.monitor.poll(process.PATIENCE_S * 1000)
        got = [b""]
        while last not in got:
            got = [frames[-1] for engine in self.engines for frames in self.take(engine)] or got

    def take(self, engine) -> list[list[bytes]]:
        taken = []
        while engine.socket.poll(10):
            taken.append(engine.socket.recv_multipart())
        return taken

    def next_engine(self):
        poller = zmq.Poller()
        for engine in self.engines:
            poller.register(engine.socket, zmq.POLLIN)
        ready = poller.poll(process.PATIENCE_S * 1000)
        assert ready, "no engine got the message"
        return next(e for e in self.engines if e.socket is ready[0][0])

    def close(self) -> int:
        status = self.running.stop()
        for peer in (self.client, *self.engines, self.monitor):
            peer.close()
        self.context.term()
        process.remove_folder(self.folder)
        return status


@pytest.fixture
def pure():
    made = Pure()
    yield made
    assert made.close() == 0


ANYTHING = {
    "a_task": None,
    "not_a_message": [b"hello", b"\xff" * 1000, b""],
    "wrong_signature": [b"<IDS|MSG>", b"0" * 64, b"{}", b"{}", b"{}", b"{}"],
    "ten_megabytes": [b"x" * (10 << 20)],
}


@pytest.mark.parametrize("name", ANYTHING)
def test_3_pure_relays_anything_both_ways(pure, name):
    frames = ANYTHING[name] or pure.wire.message("apply_request", metadata={"after": ["unknown"]})
    pure.client.send_raw(frames)
    engine = pure.next_engine()
    client, *got = receive(engine.socket)
    assert got == frames
    assert receive(pure.monitor) == [b"intask", client, *frames]
    engine.send_raw([client, *frames])
    assert receive(pure.client.socket) == frames
    assert receive(pure.monitor) == [b"outtask", client, *frames]


def test_3_pure_goes_round_robin(pure):
    counts = {b"one": 0, b"two": 0}
    for number in range(20):
        pure.client.send_raw([b"%d" % number])
        engine = pure.next_engine()
        receive(engine.socket)
        counts[engine.uuid] += 1
    assert counts == {b"one": 10, b"two": 10}
