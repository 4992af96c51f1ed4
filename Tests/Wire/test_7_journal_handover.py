"""SIGTERM under load, and a successor on the same addresses: an upgrade loses nothing.

    YARDMASTER_HANDOVERS=100 python -m pytest Tests/Wire/test_7_journal_handover.py    (20 by default)

Stronger than after a kill: everything that was submitted ends, accepted or not, and nothing runs
twice. But a libzmq peer that has begun to write a message when it learns of the end drops the rest of
it, which the scheduler can see and says. On libzmq, which cannot hang up in order, what was accepted
ends.
"""

from __future__ import annotations

import os
import random

import pytest

from harness.load import Load

HANDOVERS = int(os.environ.get("YARDMASTER_HANDOVERS", "20"))


@pytest.mark.parametrize("transport", ["zmq", "epoll", "uring"])
def test_an_upgrade_loses_nothing(transport):
    seed = int(os.environ.get("YARDMASTER_TEST_SEED", random.randrange(2**32)))
    print(f"replay (moments differ): YARDMASTER_TEST_SEED={seed} YARDMASTER_HANDOVERS={HANDOVERS}")
    load = Load(transport, "5", seed)
    try:
        load.run(HANDOVERS, Load.hand_over)
        lost = load.unanswered(load.accepted if transport == "zmq" else load.submitted)
        twice = load.twice()
        print(f"{load.summary()}; {load.cut} were cut; the slowest end took {max(load.ends_s):.2f} s")
        assert len(load.accepted) > 10 * HANDOVERS, "there was hardly any load"
        assert len(lost) <= load.cut, f"{len(lost)} of {len(load.submitted)} lost; {load.scheduler.log()}"
        assert not twice, f"{len(twice)} answered twice: {twice[:5]}"
    finally:
        load.close()
