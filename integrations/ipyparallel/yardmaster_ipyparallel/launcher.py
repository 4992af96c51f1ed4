"""The controller launcher `yardmaster` of `ipcluster` and `ipp.Cluster` (entry point).

Differs from the stock local launcher in two things: the command it runs, and that warnings about
the scheduler, which the controller writes to its own log file, also reach the log of whoever
started the cluster (a notebook, the terminal of ipcluster).
"""

from __future__ import annotations

import logging
import re
import sys
import threading

from ipyparallel.cluster.launcher import LocalControllerLauncher
from traitlets import List

CONTROLLER_COMMAND = [sys.executable, "-m", "yardmaster_ipyparallel.controller"]
WATCH_INTERVAL_S = 0.5
# "2026-11-23 07:00:00.123 [IPController] WARNING | task::yardmaster cannot serve: ..."
WORTH_SAYING = re.compile(rb"\[IPController\] (WARNING|CRITICAL) \| (task::.*)")


class YardmasterControllerLauncher(LocalControllerLauncher):
    """Starts ipcontroller as a local process with yardmaster as its task scheduler."""

    controller_cmd = List(
        CONTROLLER_COMMAND, config=True, help="""Popen command to launch ipcontroller."""
    )

    def start(self):
        result = super().start()
        # At DEBUG the base class shows the whole file already.
        if self.log.getEffectiveLevel() > logging.DEBUG:
            threading.Thread(
                target=self._pass_on_warnings, name="yardmaster-warnings", daemon=True
            ).start()
        return result

    def _pass_on_warnings(self):
        """Follow the controller's log file for as long as the controller runs."""
        with open(self.output_file, "rb") as file:
            last_round = False
            rest = b""
            while True:
                *lines, rest = (rest + file.read()).split(b"\n")
                for line in lines:
                    found = WORTH_SAYING.search(line)
                    if found:
                        level = getattr(logging, found[1].decode())
                        self.log.log(level, "controller: %s", found[2].decode("utf8", "replace"))
                if last_round:
                    return
                last_round = self._stop_waiting.wait(WATCH_INTERVAL_S) or self.state != "running"
