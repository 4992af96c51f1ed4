"""Every place where yardmaster differs on purpose from ipyparallel's TaskScheduler, and what is
done.

`AdaptedScheduler` is the real TaskScheduler with the smallest changes that give it the behaviour
of SEMANTICS.md; the rest of the differences are situations that the scripts never produce. Used by
reference.py; `run.py --differences` prints the list. Invariant: nothing is adapted here without an
entry in DIFFERENCES, and no method of the original is copied, only wrapped.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ipyparallel import error
from ipyparallel.controller.task_scheduler import TaskScheduler


@dataclass(frozen=True)
class Difference:
    clause: str  # of SEMANTICS.md
    what: str
    reason: str
    handled: str  # "adapted: how" or "avoided: how"


DIFFERENCES = [
    Difference(
        "3",
        "waiting tasks run in the order of submission",
        "the original reverses its waiting queue each time it looks at it, and a retried task "
        "goes behind all others",
        "adapted: WaitingQueue keeps the order of first submission",
    ),
    Difference(
        "4",
        "a task runs again only because of a retry, an unmet dependency or a dead engine",
        "the original leaves a task that was started from its graph in the waiting queue, and "
        "runs it again (hwm 0) or raises KeyError (hwm > 0) at the next rescan",
        "adapted: WaitingQueue hands out only tasks that still wait",
    ),
    Difference(
        "3, 4",
        "after an event: all that can no longer run fails first, then waiting tasks are placed in "
        "the order of submission",
        "the original calls update_graph from inside update_graph, so that dependents of a task "
        "that fails overtake tasks that were submitted before them",
        "adapted: update_graph is not entered twice; it repeats until nothing changes",
    ),
    Difference(
        "3",
        "what has become impossible is noticed when it becomes so",
        "the original looks at targets that have gone only at its next rescan, whenever that is",
        "adapted: a rescan follows each unregistration and each finished task",
    ),
    Difference(
        "3",
        "follow whose only engine has gone: ImpossibleDependency",
        "the original lets the client wait for ever",
        "adapted: maybe_run asks follow_problem first, whether or not an engine is available",
    ),
    Difference(
        "3",
        "follow with failure=True on a task that the scheduler itself failed: it ran nowhere, so "
        "nothing can follow it",
        "the original raises KeyError in maybe_run, and the client waits for ever",
        "adapted: follow_problem answers before the original looks it up",
    ),
    Difference(
        "2.3",
        "a dependency that can no longer be met: ImpossibleDependency at submission",
        "the original raises KeyError in fail_unreachable when another task waits for one of the "
        "same dependencies, and the client waits for ever",
        "adapted: fail_unreachable finds in the graph what it wants to remove from it",
    ),
    Difference(
        "4",
        "a blacklist that covers the targets: ImpossibleDependency",
        "the original compares for equality with targets that it has reduced meanwhile",
        "adapted: the targets are widened to the blacklist just before they are compared",
    ),
    Difference(
        "5",
        "outstanding tasks of an engine that has gone get 5 s for late results",
        "a script cannot wait 5 s for each dead engine",
        "adapted: both use the same shorter time (`--stranded-after`); nothing else changes",
    ),
    Difference(
        "2.3",
        "success and failure both false: InvalidDependency",
        "the original raises inside the scheduler and the client waits for ever",
        "avoided: no script asks for it; Tests/Wire does",
    ),
    Difference(
        "2.5",
        "a msg_id that is known already is refused, the first task is untouched",
        "the original overwrites its record",
        "avoided: ids are never used twice; Tests/Wire does",
    ),
    Difference(
        "2.6",
        "fields of the wrong type get an error reply",
        "the original raises inside the scheduler and the client waits for ever",
        "avoided: all fields are of the right type; Tests/Wire sends the others",
    ),
    Difference(
        "4",
        "a result for an unknown or finished task is dropped",
        "the original takes it off the engine's load first and then raises KeyError",
        "avoided: each assignment is answered once; Tests/Wire does the others",
    ),
    Difference(
        "5",
        "an engine that is announced twice is registered once; one that was never announced is "
        "not unregistered; an engine that has not connected gets its frames later",
        "the original lists it twice, raises ValueError, loses the frames",
        "avoided: engines connect before they are announced, once; Tests/Wire does the others",
    ),
    Difference(
        "1",
        "the order on the monitor is defined for one task, not between tasks",
        "the original sends a task's outtask after the tracktask of the tasks it wakes",
        "compared task by task",
    ),
]


class _Gone:
    """What WaitingQueue hands out for a task that no longer waits: update_graph skips it."""

    removed = True


class WaitingQueue(deque):
    """The waiting queue in order of submission, without tasks that no longer wait."""

    def __init__(self, scheduler: TaskScheduler):
        super().__init__()
        self.scheduler = scheduler

    def append(self, job) -> None:
        if any(job is other for other in self):
            return
        place = len(self)
        while place and job.timestamp < self[place - 1].timestamp:
            place -= 1
        self.insert(place, job)

    def extendleft(self, jobs) -> None:
        for job in jobs:
            self.append(job)

    def popleft(self):
        job = super().popleft()
        return job if self.scheduler.queue_map.get(job.msg_id) is job else _Gone


class AdaptedScheduler(TaskScheduler):
    """The real TaskScheduler, adapted as DIFFERENCES says."""

    stranded_after_s = 5.0

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.queue = WaitingQueue(self)
        self._updating = False
        self._update_again = False
        self._unregistering = False
        self._real_add_timeout = self.loop.add_timeout
        self.loop.add_timeout = self._add_timeout

    def _add_timeout(self, deadline, callback, *args, **kwargs):
        if self._unregistering:
            deadline -= 5 - self.stranded_after_s
        return self._real_add_timeout(deadline, callback, *args, **kwargs)

    def _unregister_engine(self, uid):
        self._unregistering = True
        try:
            super()._unregister_engine(uid)
        finally:
            self._unregistering = False
        self.update_graph(None)

    def update_graph(self, dep_id=None, success=True):
        self.graph.pop(dep_id, None)  # whole rescans follow: no need to know who waits for it
        self._update_again = True
        if self._updating:
            return
        self._updating = True
        try:
            while self._update_again:
                self._update_again = False
                self._fail_unreachable_jobs()
                super().update_graph(None)
        finally:
            self._updating = False

    def _fail_unreachable_jobs(self) -> None:
        found = True
        while found:
            found = False
            for job in sorted(self.queue_map.values()):
                if job.after.unreachable(
                    self.all_completed, self.all_failed
                ) or job.follow.unreachable(self.all_completed, self.all_failed):
                    self.fail_unreachable(job.msg_id)
                    found = True

    def fail_unreachable(self, msg_id, why=error.ImpossibleDependency):
        for dependency in self.queue_map[msg_id].dependents:
            if dependency in self.graph:
                self.graph[dependency].add(msg_id)
        super().fail_unreachable(msg_id, why)

    def maybe_run(self, job):
        problem = self.follow_problem(job)
        if problem == "gone" or problem == "nowhere" and self.available_engines():
            self.queue_map[job.msg_id] = job
            self.fail_unreachable(job.msg_id)
            return False
        return super().maybe_run(job)

    def follow_problem(self, job) -> str:
        """Why no engine can ever satisfy the task's `follow`: "gone", "nowhere", or "" (see
        above).
        """
        follow = job.follow
        relevant = set()
        if follow.success:
            relevant = relevant | self.all_completed
        if follow.failure:
            relevant = relevant | self.all_failed
        homes = {self.destinations.get(task) for task in follow & relevant}
        if not follow or not follow.all and not follow <= self.all_done:
            return ""
        if follow.all and None in homes or not follow.all and homes == {None}:
            return "nowhere"
        if follow.all and len(homes) > 1 or not homes or homes.intersection(self.targets):
            return ""
        return "gone"

    def handle_unmet_dependency(self, idents, parent):
        job = self.pending[idents[0]][parent['msg_id']]
        blacklist = job.blacklist | {idents[0]}
        if job.targets and job.targets <= blacklist:
            job.targets = blacklist
        super().handle_unmet_dependency(idents, parent)
