"""SEMANTICS.md 5: engines coming and going, notifications that make no sense, engines that die."""

from __future__ import annotations

import pytest
from harness.peers import Engine
from harness.wire import DELIMITER

NOTIFICATIONS = {
    "unknown_type": ("something_else", {"id": 7, "uuid": "ghost"}),
    "shutdown": ("shutdown_notification", {}),
    "no_uuid": ("registration_notification", {"id": 7}),
    "uuid_number": ("registration_notification", {"id": 7, "uuid": 5}),
    "uuid_null": ("registration_notification", {"id": 7, "uuid": None}),
    "uuid_list": ("registration_notification", {"id": 7, "uuid": ["ghost"]}),
    "uuid_empty": ("registration_notification", {"id": 7, "uuid": ""}),
    "content_list": ("registration_notification", ["ghost"]),
    "content_number": ("registration_notification", 5),
    "unregistration_of_unknown": ("unregistration_notification", {"id": 7, "uuid": "ghost"}),
    "unregistration_without_uuid": ("unregistration_notification", {}),
}


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_5_notification_that_makes_no_sense(rig, name):
    rig.cluster.hub.notify(*NOTIFICATIONS[name])
    rig.expect_silence()
    rig.run_one()


RAW_NOTIFICATIONS = {
    "one_empty_frame": [b""],
    "no_delimiter": [b"registration_notification", b"ghost"],
    "delimiter_only": [b"registration_notification", DELIMITER],
    "too_few_frames": [b"registration_notification", DELIMITER, b"", b"{}"],
    "not_json": [b"registration_notification", DELIMITER, b"", b"{", b"{", b"{", b"{"],
    "thousand_frames": [b"x"] * 1000,
}


@pytest.mark.parametrize("name", RAW_NOTIFICATIONS)
def test_5_notification_that_cannot_be_read(rig, name):
    frames = list(RAW_NOTIFICATIONS[name])
    if name == "not_json":
        frames[2] = rig.wire.sign(frames[3:7])
    rig.cluster.hub.notify_raw(frames)
    rig.expect_silence()
    rig.run_one()


def test_5_notification_with_a_wrong_signature(rig):
    """An engine that a stranger announces gets nothing."""
    ghost = rig.cluster.engine("ghost")
    content = {"id": 9, "uuid": "ghost"}
    frames = rig.wire.message("registration_notification", content)
    frames[1] = b"0" * 64
    rig.cluster.hub.notify_raw([b"registration_notification", *frames])
    header = rig.submit(targets=["ghost"])
    rig.expect_error(header, "ImpossibleDependency")
    assert ghost.pending() == []


def test_5_registered_twice_counts_once(rig):
    """With hwm 1 an engine that is listed twice would get two tasks."""
    rig.cluster.hub.register(rig.engine.uuid)
    rig.settle()
    headers = [rig.submit(), rig.submit()]
    first = rig.engine.task()
    rig.settle()
    assert rig.engine.pending() == []
    rig.engine.answer(first)
    rig.expect_result(headers[0])
    rig.engine.answer(rig.engine.task())
    rig.expect_result(headers[1])


def test_5_connection_reply_older_than_a_notification(rig):
    """The two come by different sockets: a reply that was on its way brings no engine back."""
    hub = rig.cluster.hub
    for known in (True, False):
        uuid = b"left-known" if known else b"left-unknown"
        if known:
            rig.cluster.add_engine(uuid)
        hub.unregister(uuid)
        rig.settle()
        hub.reply_to_connection(engines=[uuid])
        rig.settle()
        header = rig.submit(targets=[uuid.decode()])
        rig.expect_error(header, "ImpossibleDependency")
    # It may come back, with a notification of its own.
    hub.register(b"left-known")
    rig.settle()
    header = rig.submit(targets=["left-known"])
    engine = rig.cluster.engines[b"left-known"]
    engine.answer(engine.task())
    rig.expect_result(header)


def test_5_engines_of_the_connection_reply(rigs):
    """They may be announced again by a notification: still once."""
    rig = rigs()
    rig.cluster.hub.register(rig.traffic.uuid)
    rig.settle()
    rig.run_one()


def test_5_unregistered_engine_gets_nothing_more(rig):
    other = rig.cluster.add_engine("other")
    rig.cluster.hub.unregister(b"other")
    rig.settle()
    header = rig.submit(targets=["other"])
    rig.expect_error(header, "ImpossibleDependency")
    assert other.pending() == []
    rig.run_one()


def test_5_result_after_unregistration_in_time(rigs):
    rig = rigs("--stranded-after", "30")
    header = rig.submit()
    task = rig.engine.task()
    rig.cluster.hub.unregister(rig.engine.uuid)
    rig.settle()
    rig.engine.answer(task)
    rig.expect_result(header)


def test_5_engine_dies_under_its_task(rigs):
    rig = rigs("--stranded-after", "0.1")
    header = rig.submit()
    task = rig.engine.task()
    rig.cluster.hub.unregister(rig.engine.uuid)
    reply = rig.expect_error(header, "EngineError")
    said = f"Engine b'worker' died while running task '{header['msg_id']}'"
    assert reply.content["evalue"] == said
    assert reply.metadata["status"] == "error"
    assert reply.metadata["engine"] == "worker"
    # and a result that comes later still is dropped
    rig.engine.answer(task)
    rig.settle()
    assert rig.client.pending() == []
    assert rig.monitor_of(header["msg_id"]) == ["intask", "tracktask", "outtask"]


def test_5_engine_dies_and_its_task_is_retried(rigs):
    rig = rigs("--stranded-after", "0.1")
    other = rig.cluster.add_engine("other")
    blocker = rig.submit(targets=["other"])
    block = other.task()
    header = rig.submit(targets=["worker", "other"], retries=1)
    assert rig.engine.task().msg_id == header["msg_id"]
    rig.cluster.hub.unregister(rig.engine.uuid)
    rig.settle()
    other.answer(block)
    rig.expect_result(blocker)
    task = other.task()
    assert task.msg_id == header["msg_id"]
    other.answer(task)
    rig.expect_result(header)


def test_5_dead_engine_fails_what_follows(rigs):
    rig = rigs("--stranded-after", "0.1")
    header = rig.submit()
    rig.engine.task()
    follower = rig.submit(follow=[header["msg_id"]], targets=[])
    rig.cluster.hub.unregister(rig.engine.uuid)
    replies = {}
    for _ in range(2):
        reply = rig.client.reply()
        replies[reply.parent_id] = reply.content["ename"]
    assert replies == {
        header["msg_id"]: "EngineError",
        follower["msg_id"]: "ImpossibleDependency",
    }


def test_5_follow_whose_engine_has_gone(rig):
    other = rig.cluster.add_engine("other")
    done = rig.submit(targets=["other"])
    other.answer(other.task())
    rig.expect_result(done)
    rig.cluster.hub.unregister(b"other")
    rig.settle()
    header = rig.submit(follow=[done["msg_id"]], targets=[])
    rig.expect_error(header, "ImpossibleDependency")


def take_fences(engine):
    """Over the native transport an engine that reconnects is asked what it has answered; this one
    says nothing to it."""
    fences = engine.pending()
    assert {fence.message.header["msg_type"] for fence in fences} <= {"kernel_info_request"}
    return fences


NATIVE = ("--transport", "native")


def reconnected(rig):
    """`worker` loses its connection with all that was on its way, and comes back: it and its
    fences."""
    rig.engine.close()
    rig.settle()
    again = Engine(rig.cluster.context, rig.endpoints.engine, rig.wire, b"worker")
    rig.cluster.engines[b"worker"] = rig.engine = again
    again.wait_connected()
    rig.settle()
    fences = take_fences(again)
    return again, fences


def test_5_what_was_lost_with_a_connection_runs_again(rigs):
    """The engine answers the fence without the task: it never had it, or its result was lost."""
    rig = rigs(*NATIVE)
    header = rig.submit()
    lost = rig.engine.task()
    again, fences = reconnected(rig)
    assert len(fences) == 1
    assert rig.client.pending() == []
    again.answer(fences[0])
    task = again.task()
    assert task.msg_id == lost.msg_id
    again.answer(task)
    rig.expect_result(header)
    again.answer(task)  # nothing answers twice
    rig.expect_silence()
    rig.run_one()


def test_5_what_is_answered_before_the_fence_does_not_run_again(rigs):
    rig = rigs(*NATIVE)
    header = rig.submit()
    task = rig.engine.task()
    again, fences = reconnected(rig)
    again.answer(task)
    again.answer(fences[0])
    rig.expect_result(header)
    rig.expect_silence()
    rig.run_one()


def test_5_the_answer_to_an_earlier_fence_says_nothing(rigs):
    """It was sent before what the engine was given since."""
    rig = rigs(*NATIVE)
    rig.submit()
    rig.engine.task()
    _, first = reconnected(rig)
    again, second = reconnected(rig)
    assert len(first) == len(second) == 1
    again.answer(first[0])
    rig.expect_silence()
    again.answer(second[0])
    task = again.task()
    again.answer(task)
    rig.expect_result(task.message.header)


def test_5_an_idle_engine_that_reconnects_is_asked_nothing(rigs):
    rig = rigs(*NATIVE)
    rig.run_one()
    _, fences = reconnected(rig)
    assert fences == []
    rig.run_one()


def test_5_a_closed_socket_is_not_a_dead_engine(rigs):
    """The engine's connection goes and comes back before its task is answered."""
    rig = rigs("--stranded-after", "0.1")
    header = rig.submit()
    task = rig.engine.task()
    rig.engine.close()
    rig.settle()
    assert rig.client.pending() == []
    again = Engine(rig.cluster.context, rig.endpoints.engine, rig.wire, b"worker")
    rig.cluster.engines[b"worker"] = rig.engine = again
    again.wait_connected()
    rig.settle()
    take_fences(again)
    again.answer(task)
    rig.expect_result(header)
    rig.run_one()


def test_5_a_second_connection_takes_over(rig):
    """Same routing id, while the first is still connected: new tasks go to the new one."""
    header = rig.submit()
    task = rig.engine.task()
    first = rig.engine
    second = Engine(rig.cluster.context, rig.endpoints.engine, rig.wire, b"worker")
    rig.cluster.engines[b"worker, second"] = second
    second.wait_connected()
    rig.settle()
    take_fences(second)
    second.answer(task)
    rig.expect_result(header)
    rig.engine = second
    rig.run_one()
    assert first.pending() == []


def test_5_announced_but_not_connected_yet(rig):
    """It connects a little later: its task has been held for it."""
    late = rig.cluster.engine("late", connect=False)
    rig.cluster.hub.register(b"late")
    rig.settle()
    header = rig.submit(targets=["late"])
    rig.settle()
    late.connect()
    late.wait_connected()
    late.answer(late.task())
    rig.expect_result(header)


def test_5_announced_and_never_connected(rig):
    """The task is placed again, on an engine that is there."""
    blocker = rig.submit()
    block = rig.engine.task()
    rig.cluster.hub.register(b"never")
    rig.settle()
    header = rig.submit(targets=["never", "worker"])
    rig.settle()
    rig.engine.answer(block)
    rig.expect_result(blocker)
    task = rig.engine.task(patience_s=60)
    assert task.msg_id == header["msg_id"]
    rig.engine.answer(task)
    rig.expect_result(header)


def test_5_without_engines_tasks_wait(rig):
    rig.cluster.hub.unregister(rig.engine.uuid)
    rig.traffic.finish()
    rig.cluster.hub.unregister(rig.traffic.uuid)
    rig.settle()
    header = rig.submit(targets=[])
    rig.settle()
    assert rig.client.pending() == []
    newcomer = rig.cluster.add_engine("newcomer")
    newcomer.answer(newcomer.task())
    rig.expect_result(header)
