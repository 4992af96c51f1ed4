"""The parts around a scheduler, played by the tests: hub, engines and clients on real sockets.

Used by cluster.py, traffic.py and the tests. Invariant: every message that comes back is kept, in
the order of its connection, until a test takes it; nothing is skipped silently.
"""

from __future__ import annotations

from dataclasses import dataclass

import zmq
from zmq.utils.monitor import recv_monitor_message

from .process import PATIENCE_S, Endpoints
from .wire import Message, Wire


# What a scheduler takes from a connection at once, at least: a larger message counts as several.
READ_BYTES = 1 << 15


class Silence(AssertionError):
    """Something that had to come did not come."""


def receive(
    socket: zmq.Socket, patience_s: float = PATIENCE_S, what: str = "a message"
) -> list[bytes]:
    if not socket.poll(patience_s * 1000):
        raise Silence(f"waited {patience_s} s for {what}, nothing came")
    return socket.recv_multipart()


class Dealer:
    """A DEALER that knows when it is connected, and counts what it sends."""

    watched = zmq.EVENT_HANDSHAKE_SUCCEEDED

    def __init__(
        self, context: zmq.Context, url: str, wire: Wire, identity: bytes | None, connect=True
    ):
        self.wire = wire
        self.url = url
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.set_hwm(0)
        if identity:
            self.socket.identity = identity
        self.unsettled = 0  # messages sent since the last settle; large ones count more
        self._handshakes = self.socket.get_monitor_socket(self.watched)
        if connect:
            self.connect()

    def connect(self) -> None:
        self.socket.connect(self.url)

    def wait_connected(self, patience_s: float = PATIENCE_S) -> None:
        """Returns when the handshake is done; after a `settle` the ROUTER knows us."""
        if not self._handshakes.poll(patience_s * 1000):
            raise Silence(f"{self.url} could not be connected to in {patience_s} s")
        recv_monitor_message(self._handshakes)

    def send_raw(self, frames: list[bytes]) -> None:
        self.unsettled += 1 + sum(map(len, frames)) // READ_BYTES
        self.socket.send_multipart(frames)

    def close(self) -> None:
        if not self.socket.closed:
            self.socket.disable_monitor()
            self._handshakes.close()
            self.socket.close()


class Client(Dealer):
    """A client. ROUTER names it by an automatic id unless `identity` is given."""

    def __init__(self, context: zmq.Context, url: str, wire: Wire, identity: bytes | None = None):
        super().__init__(context, url, wire, identity)

    def submit(
        self, metadata: dict | None = None, msg_id: str | None = None, buffers=(), header=None
    ) -> dict:
        """Submits one task; its header is the answer."""
        header = self.wire.header("apply_request", msg_id) if header is None else header
        self.send_raw(
            self.wire.message("apply_request", header=header, metadata=metadata, buffers=buffers)
        )
        return header

    def reply(self, patience_s: float = PATIENCE_S, what: str = "a reply to a client") -> Message:
        return self.wire.parse(receive(self.socket, patience_s, what))

    def pending(self) -> list[Message]:
        """Everything that has already arrived."""
        messages = []
        while self.socket.poll(0):
            messages.append(self.wire.parse(self.socket.recv_multipart()))
        return messages


@dataclass
class Task:
    """A task as an engine received it."""

    engine: bytes
    message: Message

    @property
    def client(self) -> bytes:
        return self.message.idents[0]

    @property
    def msg_id(self) -> str:
        return self.message.msg_id


class Engine(Dealer):
    """An engine, its uuid as routing id. It answers only when told to."""

    def __init__(self, context: zmq.Context, url: str, wire: Wire, uuid: bytes, connect=True):
        self.uuid = uuid
        self._signatures: set[bytes] = set()
        super().__init__(context, url, wire, uuid, connect)

    def task(self, patience_s: float = PATIENCE_S) -> Task:
        what = f"a task for engine {self.uuid.decode('ascii', 'replace')}"
        return self._opened(receive(self.socket, patience_s, what))

    def pending(self) -> list[Task]:
        tasks = []
        while self.socket.poll(0):
            tasks.append(self._opened(self.socket.recv_multipart()))
        return tasks

    def _opened(self, frames: list[bytes]) -> Task:
        """A session drops what bears a signature that it has seen (jupyter_client's digest_history):
        sent to a stock engine, such a task would never be answered."""
        task = Task(self.uuid, self.wire.parse(frames))
        signature = task.message.frames[1] if len(task.message.frames) > 1 else b""
        assert not signature or signature not in self._signatures, f"sent as it was: {frames[:6]}"
        self._signatures.add(signature)
        return task

    def answer_frames(
        self, task: Task, status="ok", dependencies_met=True, content=None, buffers=(), **metadata
    ):
        """The frames of a reply to a task, client id first."""
        metadata = {
            "status": status,
            "dependencies_met": dependencies_met,
            "engine": self.uuid.decode("ascii", "replace"),
            **metadata,
        }
        if content is None:
            content = {"status": status}
        frames = self.wire.message(
            "apply_reply", content, parent=task.message.header, metadata=metadata, buffers=buffers
        )
        return [task.client, *frames]

    def answer(
        self, task: Task, status="ok", dependencies_met=True, content=None, buffers=(), **metadata
    ):
        frames = self.answer_frames(task, status, dependencies_met, content, buffers, **metadata)
        self.send_raw(frames)
        return frames


@dataclass
class Seen:
    """One message on the hub's monitor."""

    topic: str
    message: Message

    @property
    def task(self) -> str:
        """The id of the task that it is about."""
        if self.topic == "intask":
            return self.message.msg_id
        if self.topic == "tracktask":
            return self.message.content.get("msg_id", "")
        return self.message.parent_id


class Hub:
    """The hub's three sockets towards a scheduler; the notifier is an XPUB to see the
    subscription.
    """

    def __init__(self, context: zmq.Context, endpoints: Endpoints, wire: Wire, monitor_hwm: int = 0):
        """`monitor_hwm`: messages that libzmq reads ahead from the monitor; 0: no limit."""
        self.wire = wire
        self.monitor = context.socket(zmq.SUB)
        self.monitor.set_hwm(monitor_hwm)
        self.monitor.subscribe(b"")
        self.monitor.bind(endpoints.monitor)
        self.notifier = context.socket(zmq.XPUB)
        self.notifier.bind(endpoints.notification)
        self.registrar = context.socket(zmq.ROUTER)
        self.registrar.bind(endpoints.registration)
        for socket in (self.monitor, self.notifier, self.registrar):
            socket.linger = 0
        self._numbers = 0
        self.unsettled = 0  # messages sent since the last settle

    def accept(self, engines: list[bytes] = (), patience_s: float = PATIENCE_S) -> Message:
        """Waits for the scheduler's subscription and its connection request, and answers that."""
        receive(self.notifier, patience_s, "the scheduler's subscription at the notifier")
        frames = receive(self.registrar, patience_s, "the scheduler's connection_request")
        self._scheduler = frames[0]
        self._request = self.wire.parse(frames)
        self.reply_to_connection(engines)
        return self._request

    def reply_to_connection(self, engines: list[bytes]) -> None:
        """A connection_reply to the scheduler's request, which `accept` has taken."""
        content = {
            "status": "ok",
            "engines": {str(self._next()): uuid.decode("ascii") for uuid in engines},
        }
        reply = self.wire.message("connection_reply", content, parent=self._request.header)
        self.unsettled += 1
        self.registrar.send_multipart([self._scheduler, *reply])

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers - 1

    def notify_raw(self, frames: list[bytes]) -> None:
        self.unsettled += 1
        self.notifier.send_multipart(frames)

    def notify(self, msg_type: str, content: dict, topic: bytes | None = None) -> None:
        topic = msg_type.encode() if topic is None else topic
        self.notify_raw([topic, *self.wire.message(msg_type, content)])

    def register(self, uuid: bytes) -> None:
        content = {"id": self._next(), "uuid": uuid.decode("ascii")}
        self.notify("registration_notification", content)

    def unregister(self, uuid: bytes) -> None:
        self.notify("unregistration_notification", {"id": 0, "uuid": uuid.decode("ascii")})

    def seen(self, patience_s: float = PATIENCE_S, what: str = "a monitor message") -> Seen:
        frames = receive(self.monitor, patience_s, what)
        return Seen(frames[0].decode("ascii", "replace"), self.wire.parse(frames[1:]))

    def close(self) -> None:
        for socket in (self.monitor, self.notifier, self.registrar):
            socket.close()
