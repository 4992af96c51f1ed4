"""SEMANTICS.md 6: the dialect of 2011, chosen per message."""

from __future__ import annotations


def submit_2011(rig, **fields) -> dict:
    """Scheduling fields in the header, metadata empty."""
    header = rig.wire.header("apply_request") | fields
    return rig.client.submit({}, header=header)


def test_6_targets_in_the_header(rig):
    for _ in range(4):
        header = submit_2011(rig, targets=["worker"])
        task = rig.engine.task()
        assert task.msg_id == header["msg_id"]
        rig.engine.answer(task)
        rig.expect_result(header)


def test_6_after_follow_retries_timeout_in_the_header(rig):
    blocker = submit_2011(rig, targets=["worker"], retries=0, after=[], follow=[], timeout=None)
    block = rig.engine.task()
    header = submit_2011(rig, targets=["worker"], after=[blocker["msg_id"]])
    timed = submit_2011(rig, targets=["worker"], timeout=0.02)
    rig.expect_error(timed, "TaskTimeout")
    rig.engine.answer(block)
    rig.expect_result(blocker)
    rig.engine.answer(rig.engine.task())
    rig.expect_result(header)
    invalid = submit_2011(rig, targets=["worker"], follow=["never-seen"])
    rig.expect_error(invalid)


def test_6_metadata_counts_when_it_has_any(rig):
    """The header's fields are for messages whose metadata has none of them."""
    header = rig.wire.header("apply_request") | {"after": ["never-seen"]}
    rig.client.submit({"targets": ["worker"]}, header=header)
    rig.engine.answer(rig.engine.task())
    rig.expect_result(header)


def test_6_queue_in_place_of_uuid(rig):
    other = rig.cluster.engine("of-2011")
    rig.settle()
    rig.cluster.hub.notify("registration_notification", {"id": 5, "queue": "of-2011"})
    rig.settle()
    header = rig.submit(targets=["of-2011"])
    other.answer(other.task())
    rig.expect_result(header)
    rig.cluster.hub.notify("unregistration_notification", {"id": 5, "queue": "of-2011"})
    rig.settle()
    header = rig.submit(targets=["of-2011"])
    rig.expect_error(header, "ImpossibleDependency")


def answer_2011(rig, task, **fields) -> None:
    header = rig.wire.header("apply_reply") | fields
    frames = rig.wire.message(
        "apply_reply", {"status": "ok"}, task.message.header, {}, header=header
    )
    rig.engine.send_raw([task.client, *frames])


def test_6_status_in_the_reply_header(rig):
    header = rig.submit()
    answer_2011(rig, rig.engine.task(), status="ok", dependencies_met=True)
    rig.expect_result(header)
    after = rig.submit(after=[header["msg_id"]])
    answer_2011(rig, rig.engine.task(), status="error", dependencies_met=True)
    rig.client.reply()
    failed = rig.submit(after=[after["msg_id"]])
    rig.expect_error(failed, "ImpossibleDependency")


def test_6_unmet_in_the_reply_header(rig):
    header = rig.submit()
    answer_2011(rig, rig.engine.task(), status="error", dependencies_met=False)
    rig.expect_error(header, "ImpossibleDependency")


def test_6_status_in_the_subheader(rig):
    header = rig.submit()
    answer_2011(rig, rig.engine.task(), subheader={"status": "error", "dependencies_met": False})
    rig.expect_error(header, "ImpossibleDependency")
