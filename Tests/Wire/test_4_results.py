"""SEMANTICS.md 4: results that nobody waits for, retries and timeouts, over the wire."""

from __future__ import annotations

import pytest
from harness.wire import DELIMITER


def test_4_reply_for_an_unknown_task(rig):
    header = rig.wire.header("apply_request", "never-submitted")
    frames = rig.wire.message("apply_reply", {"status": "ok"}, header, {"status": "ok"})
    rig.engine.send_raw([b"\x00abcd", *frames])
    rig.expect_drop("(?i)never seen|unknown")


def test_4_reply_from_an_engine_that_does_not_hold_the_task(rig):
    other = rig.cluster.add_engine("other")
    header = rig.submit()
    task = rig.engine.task()
    other.answer(task, content={"status": "ok", "from": "the wrong engine"})
    rig.expect_silence()
    rig.running.wait_for_log("(?i)does not hold|another engine|other engine")
    rig.engine.answer(task)
    rig.expect_result(header)
    rig.run_one()


def test_4_reply_from_an_engine_never_registered(rig):
    stranger = rig.cluster.engine("stranger")
    header = rig.submit()
    task = rig.engine.task()
    stranger.answer(task, content={"status": "ok", "from": "a stranger"})
    rig.expect_silence()
    rig.engine.answer(task)
    rig.expect_result(header)
    rig.run_one()


def test_4_reply_twice(rig):
    header = rig.submit()
    task = rig.engine.task()
    frames = rig.engine.answer(task)
    rig.engine.send_raw(frames)
    rig.engine.answer(task, status="error")
    rig.expect_result(header)
    rig.expect_drop("(?i)finished")
    assert rig.monitor_of(header["msg_id"]) == ["intask", "tracktask", "outtask"]


def test_4_reply_to_a_waiting_task(rig):
    blocker = rig.submit()
    block = rig.engine.task()
    header = rig.submit()
    frames = rig.wire.message("apply_reply", {"status": "ok"}, header, {"status": "ok"})
    rig.engine.send_raw([block.client, *frames])
    rig.expect_silence()
    rig.engine.answer(block)
    rig.expect_result(blocker)
    rig.engine.answer(rig.engine.task())
    rig.expect_result(header)
    rig.run_one()


def test_4_reply_that_names_another_client(rig):
    """The client is the one that submitted, whatever the engine writes."""
    other = rig.cluster.client(identity=b"the-other-client")
    other.submit({"targets": ["no-such-engine"]})
    other.reply()
    header = rig.submit()
    task = rig.engine.task()
    frames = rig.engine.answer_frames(task)
    rig.engine.send_raw([b"the-other-client", *frames[1:]])
    rig.settle()
    stolen = [message.parent_id for message in other.pending()]
    if stolen == []:
        rig.expect_result(header)
    # as in the reference, the engine's word may count; exactly one client gets the reply
    assert stolen in ([], [header["msg_id"]])
    assert rig.client.pending() == []
    rig.run_one()


GARBAGE = {
    "one_empty_frame": [b""],
    "noise": [b"\xff" * 1000],
    "no_delimiter": [b"client", b"hello"],
    "delimiter_only": [DELIMITER],
    "client_and_delimiter": [b"client", DELIMITER],
    "five_frames_too_few": [b"client", DELIMITER, b"", b"{}", b"{}"],
    "thousand_frames": [b"x"] * 1000,
}


@pytest.mark.parametrize("name", GARBAGE)
def test_4_garbage_from_an_engine(rig, name):
    header = rig.submit()
    task = rig.engine.task()
    rig.engine.send_raw(GARBAGE[name])
    rig.expect_silence()
    rig.engine.answer(task)
    rig.expect_result(header)
    rig.run_one()


PARTS = {
    "parent_truncated": (1, b'{"msg_id":'),
    "parent_empty": (1, b""),
    "parent_list": (1, b"[]"),
    "parent_without_id": (1, b"{}"),
    "parent_id_number": (1, b'{"msg_id": 5}'),
    "metadata_truncated": (2, b'{"status": "o'),
    "metadata_empty": (2, b""),
    "metadata_list": (2, b"[]"),
    "metadata_deep": (2, b'{"status":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "header_truncated": (0, b'{"msg_id":'),
}


@pytest.mark.parametrize("name", PARTS)
def test_4_unreadable_reply(rig, name):
    """Either the reply is dropped and the right one counts later, or it ends the task once."""
    place, bad = PARTS[name]
    header = rig.submit()
    task = rig.engine.task()
    parts = rig.engine.answer_frames(task)[3:7]
    parts[place] = bad
    rig.engine.send_raw([task.client, *rig.wire.raw(parts)])
    rig.settle()
    rig.engine.answer(task)
    rig.client.reply()
    rig.expect_silence()
    assert rig.monitor_of(header["msg_id"]).count("outtask") == 1
    rig.run_one()


def test_4_reply_with_a_wrong_signature(rig):
    header = rig.submit()
    task = rig.engine.task()
    frames = rig.engine.answer_frames(task, status="error")
    frames[2] = b"0" * 64
    rig.engine.send_raw(frames)
    rig.expect_silence()
    rig.running.wait_for_log("(?i)signature")
    rig.engine.answer(task)
    rig.expect_result(header)
    rig.run_one()


def test_4_retries_run_on_other_engines(rig):
    other = rig.cluster.add_engine("other")
    header = rig.submit(targets=["worker", "other"], retries=1)
    rig.settle()
    first, second = (rig.engine, other) if rig.engine.socket.poll(0) else (other, rig.engine)
    first.answer(first.task(), status="error")
    task = second.task()
    assert task.msg_id == header["msg_id"]
    second.answer(task, status="error")
    rig.expect_result(header, status="error")
    topics = rig.monitor_of(header["msg_id"])
    assert topics == ["intask", "tracktask", "tracktask", "outtask"]


def test_4_unmet_on_all_targets(rig):
    header = rig.submit()
    rig.engine.answer(rig.engine.task(), status="error", dependencies_met=False)
    rig.expect_error(header, "ImpossibleDependency")
    rig.run_one()


def test_4_aborted_counts_as_a_failure(rig):
    header = rig.submit()
    rig.engine.answer(rig.engine.task(), status="aborted")
    rig.expect_result(header, status="aborted")
    after = rig.submit(after=[header["msg_id"]])
    rig.expect_error(after, "ImpossibleDependency")


def test_4_timeout_while_waiting_for_an_engine(rig):
    blocker = rig.submit()
    block = rig.engine.task()
    header = rig.submit(timeout=0.05)
    rig.expect_error(header, "TaskTimeout")
    rig.engine.answer(block)
    rig.expect_result(blocker)
    rig.run_one()


def test_4_timeout_while_waiting_for_a_dependency(rig):
    blocker = rig.submit()
    block = rig.engine.task()
    header = rig.submit(after=[blocker["msg_id"]], timeout=0.05)
    rig.expect_error(header, "TaskTimeout")
    rig.engine.answer(block)
    rig.expect_result(blocker)
    rig.run_one()


def test_4_timeout_starts_again_when_a_task_waits_again(rig):
    """It ran, was unmet, and waits for an engine that is not in its blacklist."""
    other = rig.cluster.add_engine("other")
    blocker = rig.submit(targets=["other"])
    block = other.task()
    header = rig.submit(targets=["worker", "other"], timeout=0.05)
    task = rig.engine.task()
    rig.engine.answer(task, status="error", dependencies_met=False)
    rig.expect_error(header, "TaskTimeout")
    other.answer(block)
    rig.expect_result(blocker)
    rig.expect_silence()


def test_4_a_running_task_never_times_out(rig):
    """A task that waits with the same timeout, submitted later, has ended: the running one has
    not.
    """
    header = rig.submit(timeout=0.05)
    task = rig.engine.task()
    later = rig.submit(timeout=0.1)
    rig.expect_error(later, "TaskTimeout")
    rig.engine.answer(task)
    rig.expect_result(header)


def test_4_retry_anywhere_starts_over(rigs):
    rig = rigs("--retry-anywhere")
    header = rig.submit(retries=3)
    for _ in range(3):
        rig.engine.answer(rig.engine.task(), status="error")
    rig.engine.answer(rig.engine.task())
    rig.expect_result(header)


def test_4_without_retry_anywhere_the_blacklist_holds(rig):
    header = rig.submit(retries=3)
    rig.engine.answer(rig.engine.task(), status="error")
    rig.expect_error(header, "ImpossibleDependency")
