"""kill -9 at random moments under load: what was accepted is answered or recorded, and never twice.

    YARDMASTER_KILLS=100 python -m pytest Tests/Wire/test_7_journal_kills.py      (10 by default)

harness/load.py says what the words mean. The engines count what they ran: twice is allowed (README.md
says when), but only around a kill.
"""

from __future__ import annotations

import os
import random

import pytest

from harness.load import Load

KILLS = int(os.environ.get("YARDMASTER_KILLS", "10"))


@pytest.mark.parametrize("sync", ["5", "always"])
@pytest.mark.parametrize("transport", ["zmq", "epoll", "uring"])
def test_every_accepted_task_ends_once(transport, sync):
    seed = int(os.environ.get("YARDMASTER_TEST_SEED", random.randrange(2**32)))
    print(f"replay (moments differ): YARDMASTER_TEST_SEED={seed} YARDMASTER_KILLS={KILLS}")
    load = Load(transport, sync, seed)
    try:
        load.run(KILLS, Load.kill)
        lost, twice = load.missing(), load.twice()
        print(load.summary())
        assert len(load.accepted) > 10 * KILLS, "there was hardly any load"
        assert not lost, f"{len(lost)} of {len(load.accepted)} lost; {load.scheduler.log()}"
        assert not twice, f"{len(twice)} answered twice: {twice[:5]}"
    finally:
        load.close()
