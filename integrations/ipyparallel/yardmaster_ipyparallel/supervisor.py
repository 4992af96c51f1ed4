"""Watches the scheduler of one controller: says when it dies and starts it again.

Made by patch.py before the controller starts its children. Everything here runs in the controller's
own event loop and thread (the child's parent-death signal is tied to the thread that started it).

Invariant: `app.children` holds exactly one scheduler process of ours, the current one, so that the
controller's own clean-up always finds it.
"""

from __future__ import annotations

import json
import os
import time

from .binary import describe_exit
from .process import SchedulerProcess

CHECK_INTERVAL_S = 0.5
# A scheduler that lived this long had started: what ends it later is not its configuration.
STARTED_AFTER_S = 3.0
# Deaths at start after which it is given up (the stock scheduler takes over, or we stop).
DEATHS_AT_START_MAX = 3
EXIT_BAD_ARGUMENT = 2
# Waits before the next start, by number of deaths in a row; a minute of life clears the count.
RESTART_DELAYS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
STABLE_AFTER_S = 60.0


class Supervisor:
    """`app` is the IPController, `start_stock()` starts the stock scheduler and returns nothing."""

    def __init__(self, app, settings, binary, argv, environment, start_stock):
        self.app = app
        self.log = app.log
        self.settings = settings
        self.binary = binary
        self.argv = argv
        self.environment = environment
        self.start_stock = start_stock
        self.process = self._new_process()
        self.started_s = None
        self.seen_alive = False
        self.has_served = False
        self.deaths = 0
        self.stopping = False

    def attach(self):
        """Watch from the first turn of the loop on, until the controller ends its children."""
        terminate_children = self.app.terminate_children

        def stop_watching_then_terminate():
            self.stopping = True
            terminate_children()

        self.app.terminate_children = stop_watching_then_terminate
        self.app.loop.add_callback(self._watch)

    def _new_process(self):
        return SchedulerProcess(self.argv, self.environment, "TaskScheduler(yardmaster)")

    def _watch(self):
        if self.stopping or self.process is None:
            return
        if self.process.pid is not None:
            self._check()
        if not self.stopping and self.process is not None:
            self.app.loop.call_later(CHECK_INTERVAL_S, self._watch)

    def _check(self):
        process = self.process
        now = time.monotonic()
        if self.started_s is None:
            self.started_s = now
            process.output.forward()
            self.log.info("task::yardmaster started as process %i", process.pid)
            self.note("started", pid=process.pid, binary=self.binary.path, argv=self.argv[1:])
            return
        lived_s = now - self.started_s
        if process.exitcode is not None:
            self._died(process, lived_s)
            return
        # Noted with the first line it wrote; one that is silent is noted all the same, later.
        if not self.seen_alive and (process.output.first_line or lived_s >= STARTED_AFTER_S):
            self.seen_alive = True
            self.note("alive", pid=process.pid, **self._proof(process))
        self.has_served = self.has_served or lived_s >= STARTED_AFTER_S
        if lived_s >= STABLE_AFTER_S:
            self.deaths = 0

    def _died(self, process, lived_s):
        how = describe_exit(process.exitcode)
        lines = process.output.lines()
        self.deaths += 1
        self.note("died", pid=process.pid, exit=how, lived_s=round(lived_s, 1), stderr=lines)
        at_start = not self.has_served
        when = "at start" if at_start else f"after {lived_s:.0f} s"
        self.log.critical("task::yardmaster (process %i) died %s: %s", process.pid, when, how)
        for line in lines:
            self.log.critical("task::yardmaster said: %s", line)
        if not lines:
            self.log.critical("task::yardmaster said nothing on its standard error")
        hopeless = process.exitcode == EXIT_BAD_ARGUMENT
        if at_start and (hopeless or self.deaths >= DEATHS_AT_START_MAX):
            self._give_up(how)
            return
        if not at_start and "--journal" in self.argv:
            self.log.critical(
                "task::tasks that waited or ran at that moment are in its journal and go on."
                " Engines and clients reconnect by themselves"
            )
        elif not at_start:
            self.log.critical(
                "task::tasks that waited or ran at that moment are lost and get no reply;"
                " submit them again. Engines and clients reconnect by themselves"
            )
        delay_s = RESTART_DELAYS_S[min(self.deaths, len(RESTART_DELAYS_S)) - 1]
        self.log.critical("task::yardmaster starts again in %g s, on the same addresses", delay_s)
        self._replace(self._new_process())
        self.started_s = None
        self.seen_alive = False
        self.app.loop.call_later(delay_s, self._start)

    def _start(self):
        if not self.stopping and self.process.pid is None:
            self.process.start()
            self._check()

    def _replace(self, process):
        children = self.app.children
        children[children.index(self.process)] = process
        self.process = process

    def _give_up(self, how):
        self.note("given_up", exit=how)
        self.app.children.remove(self.process)
        self.process = None
        if not self.settings.fallback:
            self.log.critical("task::no task scheduler, and c.Yardmaster.fallback is off: stopping")
            self.app.terminate_children()
            self.app.exit(1)
        self.log.critical("task::the stock Python scheduler takes its place")
        self.note("stock", reason=f"yardmaster died at start: {how}")
        known = len(self.app.children)
        self.start_stock()
        for child in self.app.children[known:]:
            child.start()

    def _proof(self, process):
        """What really runs there, for whoever reads the event log."""
        try:
            executable = os.readlink(f"/proc/{process.pid}/exe")
        except OSError as error:
            executable = f"unknown: {error.strerror}"
        return {"exe": executable, "first_line": process.output.first_line}

    def note(self, event, **details):
        note_event(self.settings, event, **details)


def note_event(settings, event, **details):
    """Append one line to c.Yardmaster.event_log, if set; a failure is logged, not raised."""
    if not settings.event_log:
        return
    record = {"time": time.time(), "controller": os.getpid(), "event": event, **details}
    try:
        with open(settings.event_log, "a") as file:
            file.write(json.dumps(record) + "\n")
    except OSError as error:
        settings.log.warning("cannot write %s: %s", settings.event_log, error.strerror)
