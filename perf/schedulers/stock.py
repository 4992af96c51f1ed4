#!/usr/bin/env python3
"""Run ipyparallel's own TaskScheduler on the given addresses, to compare with.

Started by perf/compare.py and perf/memory.sh. The session key comes from IPP_SESSION_KEY; an empty
one turns signatures off, as in ipcontroller. The process is what ipcontroller forks, no more.
"""

import argparse
import logging
import os
import signal
import sys


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("client", "engine", "monitor", "notification", "registration"):
        parser.add_argument(f"--{name}-url", required=True)
    parser.add_argument("--scheme", default="leastload")
    parser.add_argument("--hwm", type=int, default=1)
    parser.add_argument("--log-level", default="warning")
    parser.add_argument("--packer", default="json", choices=("json", "orjson"))
    arguments = parser.parse_args()

    from ipyparallel.controller.scheduler import launch_scheduler
    from ipyparallel.controller.task_scheduler import TaskScheduler

    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    launch_scheduler(
        TaskScheduler,
        in_addr=arguments.client_url,
        out_addr=arguments.engine_url,
        mon_addr=arguments.monitor_url,
        not_addr=arguments.notification_url,
        reg_addr=arguments.registration_url,
        config={
            "Session": {
                "key": os.environ.get("IPP_SESSION_KEY", "").encode(),
                "packer": arguments.packer,
                "unpacker": arguments.packer,
            },
            "TaskScheduler": {"scheme_name": arguments.scheme, "hwm": arguments.hwm},
        },
        logname="task",
        loglevel=getattr(logging, arguments.log_level.upper()),
        identity=b"task",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
