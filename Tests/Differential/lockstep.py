"""Two schedulers side by side: the same events to both, and after each step what both did.

`Side` is one scheduler with its surroundings; it turns what arrives into a `Step`. `Pair` sends an
event to both, settles both and compares. Used by script.py. Invariant: when `Pair.step` returns,
both have handled everything, and everything that they sent has been received and compared.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.cluster import Cluster, settle  # noqa: E402
from harness.peers import Client, Engine, Seen, Task  # noqa: E402
from harness.process import Endpoints  # noqa: E402
from harness.wire import Message, Wire, fault_of_error_reply  # noqa: E402

OWN_ERRORS = ("InvalidDependency", "ImpossibleDependency", "TaskTimeout", "EngineError")


class Mismatch(AssertionError):
    """The two schedulers did not do the same."""


def is_relayed(message: Message, frames: list[bytes]) -> bool:
    """As it was submitted; what an engine may have had before is signed anew, with a parent_header
    that says so."""
    if message.frames == frames:
        return True
    again = "resent" in message.parent and not message.faults
    same = [at for at in range(len(frames)) if at not in (1, 3)]
    return again and [message.frames[at] for at in same] == [frames[at] for at in same]


@dataclass
class Step:
    """What a scheduler did in one step. Equality of these is what the test is about."""

    assignments: dict[str, list[str]] = field(default_factory=dict)  # engine -> tasks, in order
    replies: dict[str, tuple] = field(
        default_factory=dict
    )  # task -> (client, status, ename, evalue)
    monitor: dict[str, list[str]] = field(default_factory=dict)  # task -> topics, in order
    faults: list[str] = field(default_factory=list)  # what no scheduler may do

    def differences(self, other: Step) -> list[str]:
        found = []
        for what in ("assignments", "replies", "monitor"):
            ours, theirs = getattr(self, what), getattr(other, what)
            for key in sorted(ours.keys() | theirs.keys()):
                if ours.get(key) != theirs.get(key):
                    found.append(f"{what} {key}: {ours.get(key)} against {theirs.get(key)}")
        return found


@dataclass
class Submitted:
    client: int
    header: dict
    frames: list[bytes]


class Side:
    """One scheduler, its surroundings, and the tasks that its engines hold."""

    def __init__(
        self, name: str, endpoints: Endpoints, key: bytes, clients: int, packer: str = "json"
    ):
        self.name = name
        self.cluster = Cluster(endpoints, Wire(key, packer))
        self.clients: list[Client] = [self.cluster.client() for _ in range(clients)]
        self.held: dict[str, Task] = {}  # by task id: as the engine received it
        self.submitted: dict[str, Submitted] = {}
        self.relayed: dict[str, list[bytes]] = {}  # by task id: the engine's last answer
        self.answers: dict[str, Message] = {}  # by task id: what the client got

    # events

    def submit(self, client: int, msg_id: str, metadata: dict, buffers: list[bytes]) -> None:
        wire = self.cluster.wire
        header = wire.header("apply_request", msg_id)
        frames = wire.message("apply_request", header=header, metadata=metadata, buffers=buffers)
        self.submitted[msg_id] = Submitted(client, header, frames)
        self.clients[client].send_raw(frames)

    def answer(self, msg_id: str, status: str, dependencies_met: bool) -> None:
        task = self.held.pop(msg_id)
        engine = self.cluster.engines[task.engine]
        content = {"status": status}
        if status != "ok":
            content |= {
                "ename": "ValueError",
                "evalue": "as asked",
                "traceback": [],
                "engine_info": {},
            }
        frames = engine.answer(
            task, status, dependencies_met, content, [b"result of " + msg_id.encode()]
        )
        self.relayed[msg_id] = frames[1:]

    # what came of it

    def collect(self) -> Step:
        """Receives all that the monitor announces, and whatever else has come."""
        step = Step()
        seen_now = self.cluster.take_seen()
        for seen in seen_now:
            self._note_monitor(step, seen)
        self._note_replies(
            step, [s for s in seen_now if s.topic == "outtask" and s.task in self.submitted]
        )
        for engine in self.cluster.engines.values():
            for task in engine.pending():
                step.faults.append(f"engine {task.engine!r} got {task.msg_id} without a tracktask")
        for client in self.clients:
            for message in client.pending():
                step.faults.append(
                    f"a client got a reply to {message.parent_id} without an outtask"
                )
        return step

    def _note_monitor(self, step: Step, seen: Seen) -> None:
        topic, message = seen.topic, seen.message
        submitted = self.submitted.get(seen.task)
        if message.faults or submitted is None:
            step.faults.append(f"monitor: {topic} of {seen.task!r}: {message.faults}")
            return
        note = topic
        if topic == "intask":
            if message.frames != submitted.frames or len(message.idents) != 1:
                step.faults.append(f"intask of {seen.task} is not what the client sent")
        elif topic == "tracktask":
            uuid = message.content["engine_id"]
            note = f"tracktask {uuid}"
            self._note_assignment(step, self.cluster.engines[uuid.encode()], seen.task)
            if message.header.get("msg_type") != "task_destination" or len(message.idents) != 1:
                step.faults.append(f"tracktask of {seen.task}: {message.header} {message.idents}")
        elif topic == "outtask":
            note = "outtask" + " from".join(["", *(i.decode() for i in message.idents[1:])])
        else:
            step.faults.append(f"unknown topic {topic}")
        step.monitor.setdefault(seen.task, []).append(note)

    def _note_assignment(self, step: Step, engine: Engine, msg_id: str) -> None:
        task = engine.task()
        if task.msg_id != msg_id:
            step.faults.append(
                f"tracktask says {msg_id}, engine {engine.uuid!r} got {task.msg_id}"
            )
        submitted = self.submitted.get(task.msg_id)
        if submitted is None or not is_relayed(task.message, submitted.frames):
            step.faults.append(f"{task.msg_id} did not reach the engine as it was submitted")
        if task.msg_id in self.held:
            step.faults.append(f"{task.msg_id} is assigned while an engine holds it")
        self.held[task.msg_id] = task
        step.assignments.setdefault(engine.uuid.decode(), []).append(task.msg_id)

    def _note_replies(self, step: Step, ended: list[Seen]) -> None:
        """One reply for each outtask. Their order may differ: the original tells a task's end
        late.
        """
        for seen in ended:
            client = self.submitted[seen.task].client
            reply = self.clients[client].reply(what=f"the reply to {seen.task}")
            if reply.parent_id in step.replies or reply.parent_id not in self.submitted:
                step.faults.append(f"a client got another reply to {reply.parent_id}")
                continue
            step.replies[reply.parent_id] = self._what_it_says(step, client, reply)
            self.answers[reply.parent_id] = reply
        for seen in ended:
            reply = self.answers.get(seen.task)
            if reply is None or seen.message.frames != reply.frames:
                step.faults.append(f"outtask of {seen.task} is not what the client got")
            elif seen.message.idents[1:] != reply.idents:
                step.faults.append(
                    f"outtask of {seen.task}: {seen.message.idents}, {reply.idents}"
                )

    def _what_it_says(self, step: Step, client: int, reply: Message) -> tuple:
        submitted = self.submitted[reply.parent_id]
        if submitted.client != client:
            step.faults.append(f"the reply to {reply.parent_id} went to the wrong client")
        ename = reply.content.get("ename")
        if ename in OWN_ERRORS:
            fault = fault_of_error_reply(reply, submitted.header, OWN_ERRORS)
            if fault:
                step.faults.append(f"reply to {reply.parent_id}: {fault}")
        elif reply.frames != self.relayed.get(reply.parent_id):
            step.faults.append(f"reply to {reply.parent_id} is not what the engine sent")
        evalue = reply.content.get("evalue") if ename == "EngineError" else None
        return client, reply.content.get("status"), ename, evalue


class Pair:
    """Both sides in lockstep."""

    def __init__(self, sides: list[Side]):
        self.sides = sides
        self.clusters = [side.cluster for side in sides]

    def each(self, act) -> None:
        for side in self.sides:
            act(side)

    def settle(self) -> None:
        """Waits until both have handled everything that was sent to them."""
        settle(self.clusters)

    def compare(self) -> Step:
        """What both did since the last time; raises Mismatch when they did not do the same."""
        steps = [side.collect() for side in self.sides]
        problems = []
        for side, step in zip(self.sides, steps):
            problems += [f"{side.name}: {fault}" for fault in step.faults]
        problems += steps[0].differences(steps[1])
        if problems:
            names = " against ".join(side.name for side in self.sides)
            raise Mismatch(f"{names}:\n  " + "\n  ".join(problems))
        return steps[0]

    def await_expiry(self, tasks: list[str]) -> None:
        """Waits on each side for the end of those of the tasks that it has not started."""
        for cluster in self.clusters:
            for msg_id in tasks:
                if not any(s.task == msg_id and s.topic != "intask" for s in cluster.seen):
                    cluster.read_monitor_until(
                        lambda seen: seen.topic == "outtask" and seen.task == msg_id,
                        f"the end of {msg_id}",
                    )
