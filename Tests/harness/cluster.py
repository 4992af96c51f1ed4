"""One scheduler's surroundings, and the proof that the scheduler has handled what they sent.

A `Cluster` lives in one thread and one ZeroMQ context with one I/O thread: that is what makes
`Cluster.settle` a proof, see there. Used by Tests/Differential and Tests/Wire.
Invariant: `seen` holds every monitor message that nobody has taken yet, except those of probes.
"""

from __future__ import annotations

import time
from collections import deque

import zmq

from .peers import Client, Engine, Hub, Seen, Silence
from .process import PATIENCE_S, Endpoints
from .wire import Message, Wire

# Rounds of probes that settle a scheduler, beside one for each message of the busiest connection
# (see Cluster.settle), and the most that are sent: a test that floods must await the flood's end
# itself.
SETTLE_ROUNDS_LEAST = 2
SETTLE_ROUNDS_OF_LANES = 1
SETTLE_ROUNDS_MOST = 100
UNKNOWN_DEPENDENCY = "an-id-that-no-task-ever-had"


class Cluster:
    """One scheduler's surroundings: a hub, engines, clients and a prober."""

    def __init__(self, endpoints: Endpoints, wire: Wire, monitor_hwm: int = 0):
        self.endpoints = endpoints
        self.wire = wire
        self.context = zmq.Context(io_threads=1)
        self.hub = Hub(self.context, endpoints, wire, monitor_hwm)
        self.engines: dict[bytes, Engine] = {}
        self.clients: list[Client] = []
        self.probers = [Client(self.context, endpoints.client, wire)]
        self.seen: deque[Seen] = deque()  # monitor messages not yet taken, probes left out
        self._probes: set[str] = set()
        self._started = False

    def client(self, identity: bytes | None = None) -> Client:
        client = Client(self.context, self.endpoints.client, self.wire, identity)
        self.clients.append(client)
        if self._started:
            client.wait_connected()
        return client

    def engine(self, uuid: bytes | str, connect: bool = True) -> Engine:
        """A connected engine that is not registered."""
        uuid = uuid.encode() if isinstance(uuid, str) else uuid
        engine = Engine(self.context, self.endpoints.engine, self.wire, uuid, connect)
        self.engines[uuid] = engine
        if connect:
            engine.wait_connected()
        return engine

    def add_engine(self, uuid: bytes | str) -> Engine:
        """A connected and registered engine."""
        engine = self.engine(uuid)
        self.settle()
        self.hub.register(engine.uuid)
        self.settle()
        return engine

    def start(self, engines: list[bytes] = (), patience_s: float = PATIENCE_S) -> Message:
        """The hub dialogue, and then the proof that our monitor receives: probes until one shows
        up.
        """
        request = self.hub.accept(engines, patience_s)
        for client in (*self.probers, *self.clients):
            client.wait_connected(patience_s)
        self._started = True
        deadline = time.monotonic() + patience_s
        prober = self.probers[0]
        while True:
            probe = self._send_probe(prober)
            # A SUB tells what it subscribes to only when its owner looks at it.
            while not prober.socket.poll(1) and time.monotonic() < deadline:
                self.hub.monitor.poll(1)
            self._await_probe_reply(prober, probe)
            if self.hub.monitor.poll(50):
                break
            if time.monotonic() > deadline:
                raise Silence("the monitor never received anything")
        self.settle()
        return request

    def cover_lanes(self, lanes: int) -> None:
        """One prober on each I/O lane of the scheduler, which `settle` needs: lanes get connections
        in turn, so as many that follow each other are on all of them. While nobody else connects!
        """
        for _ in range(lanes if lanes > 1 else 0):
            prober = Client(self.context, self.endpoints.client, self.wire)
            prober.wait_connected()
            self.probers.append(prober)

    def _send_probe(self, prober: Client) -> str:
        """A task that touches nothing: its dependency is unknown, so it fails at once."""
        header = prober.submit({"after": [UNKNOWN_DEPENDENCY]})
        self._probes.add(header["msg_id"])
        return header["msg_id"]

    def _await_probe_reply(self, prober: Client, probe: str) -> None:
        message = prober.reply(what="the reply to a probe")
        if message.parent_id != probe or message.content.get("ename") != "InvalidDependency":
            raise AssertionError(
                f"probe {probe} was answered by {message.parent} {message.content}"
            )

    def send_probes(self) -> list[str]:
        """One by each prober."""
        return [self._send_probe(prober) for prober in self.probers]

    def await_probes(self, probes: list[str]) -> None:
        for prober, probe in zip(self.probers, probes):
            self._await_probe_reply(prober, probe)
        missing = set(probes)
        while missing:
            seen = self._read_monitor("probes")
            if seen.topic == "outtask":
                missing.discard(seen.task)

    def _read_monitor(self, what: str) -> Seen:
        seen = self.hub.seen(what=f"the monitor message of {what}")
        if seen.task not in self._probes:
            self.seen.append(seen)
        return seen

    def read_monitor_until(self, wanted, what: str) -> None:
        while not wanted(self._read_monitor(what)):
            pass

    def settle(self) -> None:
        """Returns when the scheduler has handled everything that was sent to it before.

        Everything we send leaves through one I/O thread, in order, so the bytes of an earlier
        event are in the scheduler's kernel buffer before those of a later probe. The scheduler may
        still take the probe first in the turn in which it finds both, and it takes turns between
        connections: a turn in which it took a probe is one in which it took a message of every
        other connection that had one. So as many probes as a connection has messages, each sent
        after the one before was answered, and two more for the turn in which the first ones met,
        leave nothing unhandled. The last probe's outtask closes the monitor's list: what the
        events caused stands before it on the same connection.

        With I/O lanes (`cover_lanes`) this holds for each lane and the probes that go through it:
        the scheduling thread takes a lane's messages in order. What it sends it hands to the lane
        of the receiver, which may be slower than the lane of a probe: one more round through all
        of them comes back after all that was handed over before it.
        """
        settle([self])

    def take_seen(self) -> list[Seen]:
        taken = list(self.seen)
        self.seen.clear()
        return taken

    def take_unsettled(self) -> int:
        """How many messages the busiest connection has sent since the last settle."""
        peers = [*self.engines.values(), *self.clients, self.hub]
        most = max(peer.unsettled for peer in peers)
        for peer in peers:
            peer.unsettled = 0
        return most

    def close(self) -> None:
        for peer in (*self.engines.values(), *self.clients, *self.probers, self.hub):
            peer.close()
        self.context.term()


def settle(clusters: list[Cluster]) -> None:
    """Cluster.settle for several at once, so that they work at the same time."""
    rounds = SETTLE_ROUNDS_LEAST + max(cluster.take_unsettled() for cluster in clusters)
    if any(len(cluster.probers) > 1 for cluster in clusters):
        rounds += SETTLE_ROUNDS_OF_LANES
    for _ in range(min(rounds, SETTLE_ROUNDS_MOST)):
        probes = [cluster.send_probes() for cluster in clusters]
        for cluster, sent in zip(clusters, probes):
            cluster.await_probes(sent)
