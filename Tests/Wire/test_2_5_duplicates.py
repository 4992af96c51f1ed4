"""SEMANTICS.md 2.5: a msg_id that is known already is refused; the first task is untouched."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["same_client", "other_client"])
def sender(request, rig):
    return rig.client if request.param == "same_client" else rig.cluster.client()


def refuse(rig, sender, header: dict) -> None:
    again = rig.submit(client=sender, msg_id=header["msg_id"])
    rig.expect_error(again, None, "already|known|duplicate|twice", client=sender)
    assert rig.engine.pending() == []


def test_2_5_duplicate_of_a_running_task(rig, sender):
    header = rig.submit()
    task = rig.engine.task()
    assert rig.monitor_of(header["msg_id"]) == ["intask", "tracktask"]
    refuse(rig, sender, header)
    assert "outtask" not in rig.monitor_of(header["msg_id"])
    rig.engine.answer(task)
    rig.expect_result(header)
    assert rig.monitor_of(header["msg_id"]) == ["outtask"]
    rig.run_one()


def test_2_5_duplicate_of_a_waiting_task(rig, sender):
    blocker = rig.submit()
    block = rig.engine.task()
    header = rig.submit()
    rig.settle()
    refuse(rig, sender, header)
    rig.engine.answer(block)
    rig.expect_result(blocker)
    rig.engine.answer(rig.engine.task())
    rig.expect_result(header)
    rig.run_one()


def test_2_5_duplicate_of_a_finished_task(rig, sender):
    header = rig.submit()
    rig.engine.answer(rig.engine.task())
    rig.expect_result(header)
    refuse(rig, sender, header)
    after = rig.submit(after=[header["msg_id"]])
    rig.engine.answer(rig.engine.task())
    rig.expect_result(after)


def test_2_5_duplicate_of_a_failed_task(rig, sender):
    header = rig.submit(after=["never-seen"])
    rig.expect_error(header)
    refuse(rig, sender, header)
    rig.run_one()


def test_2_5_the_very_same_bytes_twice(rig):
    header = rig.wire.header("apply_request")
    frames = rig.wire.message("apply_request", header=header, metadata={"targets": ["worker"]})
    rig.client.send_raw(frames)
    task = rig.engine.task()
    rig.client.send_raw(frames)
    rig.expect_error(header, None, "already|known|duplicate|twice")
    rig.engine.answer(task)
    rig.expect_result(header)
    rig.run_one()
