"""Random scripts: which event comes next, chosen from a seed and from what both schedulers did so
far.

`Script.run` drives a `Pair`. Because the choices look at the state that both agree on, a script is
the same again for the same seed, scheme and hwm. Used by run.py. Invariants: an engine is
connected before it is announced; each assignment is answered once; a step holds events of one
connection only, so that their order is the same for both.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from harness.peers import Silence
from lockstep import Mismatch, Pair, Step

LONG_TIMEOUT_S = 10_000.0
SHORT_TIMEOUT_S = 0.05
CLIENTS = 2
ENGINES_MAX = 12


class TooSlow(Exception):
    """The machine was too slow for the time that a late result has: the script proves nothing."""


@dataclass
class TaskState:
    msg_id: str
    retries: int
    short: bool  # has a timeout that expires as soon as it waits
    state: str = "waiting"  # waiting, running, done
    engine: str = ""


@dataclass
class Script:
    pair: Pair
    seed: int
    length: int
    stranded_after_s: float
    trace: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.tasks: dict[str, TaskState] = {}
        self.unborn = [f"engine-{self.seed}-{n:02d}" for n in range(ENGINES_MAX)]
        self.registered: list[str] = []
        self.gone: list[str] = []
        self.events = 0
        self.counts: dict[str, int] = {}

    # the state that both sides agree on

    def note(self, step: Step) -> None:
        for engine, tasks in step.assignments.items():
            for msg_id in tasks:
                self.tasks[msg_id].state = "running"
                self.tasks[msg_id].engine = engine
                self._count("assigned")
        for msg_id, (_, _, ename, _) in step.replies.items():
            self.tasks[msg_id].state = "done"
            self._count(ename or "ok")

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def running(self, engine: str | None = None) -> list[str]:
        return [
            task.msg_id
            for task in self.tasks.values()
            if task.state == "running" and engine in (None, task.engine)
        ]

    # running a script

    def run(self) -> None:
        self.begin()
        while self.events < self.length:
            self.event()
        self.drain()

    def begin(self) -> None:
        first = [self.unborn.pop(0) for _ in range(self.random.choice([0, 1, 2, 3]))]
        self.trace.append(f"connection_reply with {first}")
        for cluster in self.pair.clusters:
            for uuid in [*first, *self.unborn]:
                cluster.engine(uuid)
        for cluster in self.pair.clusters:
            cluster.start([uuid.encode() for uuid in first])
        self.registered = list(first)
        self.finish_step()

    def finish_step(self) -> None:
        """Settles both, waits for what must expire in this step, and only then compares."""
        self.pair.settle()
        short = [t.msg_id for t in self.tasks.values() if t.short and t.state == "waiting"]
        if short:
            self.pair.await_expiry(short)
            self.pair.settle()
        self.note(self.pair.compare())

    def event(self) -> None:
        running = self.running()
        choices = {self.submit: 6.0, self.register: 0.0, self.answer: 0.0, self.leave: 0.0}
        if self.unborn:
            choices[self.register] = (
                6.0 if not self.registered else 0.6 / len(self.registered) + 0.1
            )
        if running:
            choices[self.answer] = 4.0 + 0.3 * len(running)
        if self.registered:
            choices[self.leave] = 0.25 if len(self.registered) > 1 else 0.08
        act = self.random.choices(list(choices), list(choices.values()))[0]
        act()

    def register(self) -> None:
        uuid = self.unborn.pop(0)
        self.events += 1
        self.trace.append(f"register {uuid}")
        self.pair.each(lambda side: side.cluster.hub.register(uuid.encode()))
        self.registered.append(uuid)
        self.finish_step()

    # submissions

    def submit(self) -> None:
        client = self.random.randrange(CLIENTS)
        for _ in range(self.random.choice([1, 1, 1, 2, 3, 6])):
            self.submit_one(client, self.some_metadata())
            if next(reversed(self.tasks.values())).short:
                break
        self.finish_step()

    def submit_one(self, client: int, metadata: dict) -> str:
        msg_id = f"seed{self.seed}_1_{len(self.tasks):06d}"
        timeout = metadata.get("timeout")
        self.tasks[msg_id] = TaskState(
            msg_id, metadata.get("retries", 0), bool(timeout) and timeout < LONG_TIMEOUT_S
        )
        metadata = {k: (msg_id if v == "itself" else v) for k, v in metadata.items()}
        for name in ("after", "follow"):
            if metadata.get(name) == ["itself"]:
                metadata[name] = [msg_id]
        buffers = [self.random.randbytes(self.random.choice([0, 5, 300])) for _ in range(2)]
        self.events += 1
        self.trace.append(f"client {client} submits {msg_id} {metadata}")
        self.pair.each(lambda side: side.submit(client, msg_id, metadata, buffers))
        return msg_id

    def some_metadata(self) -> dict:
        pick = self.random.random
        metadata: dict = {}
        if pick() < 0.45:
            metadata["after"] = self.some_dependency()
        if pick() < 0.2:
            metadata["follow"] = self.some_dependency()
        if pick() < 0.25:
            metadata["targets"] = self.some_targets()
        if pick() < 0.4:
            metadata["retries"] = self.random.choice([0, 1, 1, 2, 3, 50])
        if pick() < 0.3:
            metadata["timeout"] = self.some_timeout()
        if pick() < 0.5:
            # what a stock client always sends
            for name, value in {
                "after": [],
                "follow": [],
                "timeout": 0.0,
                "targets": [],
                "retries": 0,
            }.items():
                metadata.setdefault(name, value)
        return metadata

    def some_timeout(self):
        short_lives = any(task.short and task.state != "done" for task in self.tasks.values())
        choices = [None, 0, 0.0, LONG_TIMEOUT_S] + ([] if short_lives else [SHORT_TIMEOUT_S] * 4)
        return self.random.choice(choices)

    def some_targets(self) -> list[str]:
        pools = [self.registered] * 8 + [self.gone, self.unborn, self.registered + self.gone]
        pool = self.random.choice(pools)
        return self.random.sample(pool, min(len(pool), self.random.choice([1, 1, 2, 3])))

    def some_dependency(self):
        draw = self.random.random()
        if draw < 0.02:
            return ["itself"]
        recent = list(self.tasks)[-25:]
        open_tasks = [msg_id for msg_id in recent if self.tasks[msg_id].state != "done"]
        pool = open_tasks if open_tasks and self.random.random() < 0.6 else recent
        ids = self.random.sample(pool, min(len(pool), self.random.choice([1, 1, 1, 2, 3, 4])))
        if draw < 0.04:
            ids.append("never-seen")
        if draw < 0.5:
            return ids
        choices = [True, False]
        success, failure = self.random.choice(
            [(True, False), (True, False), (True, True), (False, True)]
        )
        dependency = {
            "dependencies": ids,
            "all": self.random.choice(choices),
            "success": success,
            "failure": failure,
        }
        for name, default in {"all": True, "success": True, "failure": False}.items():
            if dependency[name] is default and self.random.random() < 0.2:
                del dependency[name]
        return dependency

    # results

    def answer(self) -> None:
        """One engine answers one or several of the tasks that it holds."""
        engine = self.random.choice(sorted({self.tasks[m].engine for m in self.running()}))
        held = self.running(engine)
        count = min(len(held), self.random.choice([1, 1, 1, 2, 5]))
        for msg_id in self.random.sample(held, count):
            self.answer_one(msg_id)
        self.finish_step()

    def answer_one(self, msg_id: str) -> None:
        status, met = self.random.choices(
            [("ok", True), ("error", True), ("aborted", True), ("error", False)], [60, 22, 4, 14]
        )[0]
        task = self.tasks[msg_id]
        self.events += 1
        self.trace.append(f"{task.engine} answers {msg_id}: {status}{'' if met else ', unmet'}")
        self.pair.each(lambda side: side.answer(msg_id, status, met))
        task.state = "waiting"  # until the step tells otherwise

    # engines that go

    def leave(self) -> None:
        """An engine is unregistered; of what it holds, some is answered late, the rest is lost."""
        uuid = self.random.choice(self.registered)
        self.registered.remove(uuid)
        self.gone.append(uuid)
        held = self.running(uuid)
        self.events += 1
        self.trace.append(f"unregister {uuid}, holding {held}")
        began = time.monotonic()
        self.pair.each(lambda side: side.cluster.hub.unregister(uuid.encode()))
        try:
            self.finish_step()
            for msg_id in held:
                if self.random.random() < 0.3:
                    self.answer_one(msg_id)
                    self.finish_step()
            lost = self.running(uuid)
            if lost:
                self.lose(uuid, lost, began)
        except (Mismatch, Silence):
            if held and not self.in_time(began):
                raise TooSlow from None
            raise

    def in_time(self, began: float) -> bool:
        return time.monotonic() - began < 0.8 * self.stranded_after_s

    def lose(self, uuid: str, lost: list[str], began: float) -> None:
        """Waits until the time for late results of an engine has passed."""
        # Lost tasks that have retries and find no engine leave no trace. This one always does: it
        # ends when the lost task fails, or else by its timeout, which ends after the time for
        # late results, since it began later and is longer.
        client = self.random.randrange(CLIENTS)
        metadata = {"after": [lost[0]], "timeout": self.stranded_after_s + 0.1}
        sentinel = self.submit_one(client, metadata)
        self.tasks[sentinel].short = False  # awaited here
        self.finish_step()
        if not self.in_time(began):
            raise TooSlow
        for msg_id in lost:
            self.tasks[msg_id].state = "waiting"
            self.pair.each(lambda side: side.held.pop(msg_id))
        self.trace.append(f"the time for late results of {uuid} ends: lost {lost}")
        self._count("lost")
        self.pair.await_expiry([sentinel])
        self.finish_step()

    # the end

    def drain(self) -> None:
        """Lets everything finish that can: what still waits afterwards waits on both sides."""
        self.trace.append("the end: everything that runs is answered")
        for newcomers in range(3):
            while self.running():
                engine = self.tasks[self.running()[0]].engine
                for msg_id in self.running(engine):
                    self.trace.append(f"{engine} answers {msg_id}: ok")
                    self.pair.each(lambda side: side.answer(msg_id, "ok", True))
                    self.tasks[msg_id].state = "waiting"
                self.finish_step()
            if self.unborn and newcomers < 2:
                self.register()
        for msg_id, task in self.tasks.items():
            if task.state != "waiting":
                continue
            for side in self.pair.sides:
                if msg_id in side.held:
                    raise Mismatch(f"{side.name}: {msg_id} is held and yet not running")
