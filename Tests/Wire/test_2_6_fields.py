"""SEMANTICS.md 2.3, 2.6: wrong fields and wrong dependencies get a clear error reply."""

from __future__ import annotations

import pytest

MEGABYTE_OF_IDS = [f"never-seen-{n:030d}" for n in range(25_000)]

WRONG = {
    "targets_string": ({"targets": "worker"}, "targets"),
    "targets_number": ({"targets": 5}, "targets"),
    "targets_true": ({"targets": True}, "targets"),
    "targets_map": ({"targets": {"worker": 1}}, "targets"),
    "targets_list_of_ints": ({"targets": [0, 1]}, "targets"),
    "targets_list_of_null": ({"targets": [None]}, "targets"),
    "targets_list_of_lists": ({"targets": [["worker"]]}, "targets"),
    "retries_negative": ({"retries": -1}, "retries"),
    "retries_1e99": ({"retries": 1e99}, "retries"),
    "retries_fraction": ({"retries": 1.5}, "retries"),
    "retries_string": ({"retries": "3"}, "retries"),
    "retries_true": ({"retries": True}, "retries"),
    "retries_list": ({"retries": [1]}, "retries"),
    "retries_map": ({"retries": {}}, "retries"),
    "timeout_negative": ({"timeout": -1}, "timeout"),
    "timeout_negative_fraction": ({"timeout": -0.5}, "timeout"),
    "timeout_string": ({"timeout": "soon"}, "timeout"),
    "timeout_list": ({"timeout": [1]}, "timeout"),
    "timeout_true": ({"timeout": True}, "timeout"),
    "after_number": ({"after": 5}, "after"),
    "after_true": ({"after": True}, "after"),
    "after_list_of_ints": ({"after": [5]}, "after"),
    "after_list_of_null": ({"after": [None]}, "after"),
    "after_list_of_lists": ({"after": [["x"]]}, "after"),
    "after_dependencies_number": ({"after": {"dependencies": 5}}, "after"),
    "after_dependencies_list_of_ints": ({"after": {"dependencies": [5]}}, "after"),
    "after_all_string": ({"after": {"dependencies": ["x"], "all": "yes"}}, "after"),
    "after_success_number": ({"after": {"dependencies": ["x"], "success": 7}}, "after"),
    "follow_number": ({"follow": 5}, "follow"),
    "follow_true": ({"follow": True}, "follow"),
    "follow_list_of_ints": ({"follow": [5]}, "follow"),
    "follow_dependencies_map": ({"follow": {"dependencies": {"a": 1}}}, "follow"),
    "after_unknown": ({"after": ["never-seen"]}, "never"),
    "follow_unknown": ({"follow": ["never-seen"]}, "never"),
    "after_a_megabyte_of_unknown": ({"after": MEGABYTE_OF_IDS}, ""),
    "follow_a_megabyte_of_unknown": ({"follow": MEGABYTE_OF_IDS}, ""),
}


def check_wrong(rig, metadata: dict, says: str) -> None:
    header = rig.submit(**metadata)
    rig.expect_error(header, "InvalidDependency", says)
    topics = rig.monitor_of(header["msg_id"])
    assert topics == ["intask", "outtask"]
    rig.expect_silence()
    rig.run_one()


@pytest.mark.parametrize("name", WRONG)
def test_2_6_wrong_field(rig, name):
    check_wrong(rig, *WRONG[name])


MAIN_CASES = [
    "targets_string", "targets_list_of_ints", "retries_negative", "retries_1e99", "retries_string",
    "retries_true", "timeout_negative", "timeout_string", "after_number", "after_list_of_ints",
    "after_dependencies_number", "follow_number", "after_unknown",
    "after_a_megabyte_of_unknown",
]  # fmt: skip


@pytest.mark.parametrize("name", MAIN_CASES)
def test_2_6_wrong_field_msgpack(rigs, name):
    check_wrong(rigs(packer="msgpack"), *WRONG[name])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("field", ["timeout", "retries"])
@pytest.mark.parametrize("packer", ["json", "msgpack"])
def test_2_6_number_that_is_none(rigs, packer, field, value):
    """NaN and Infinity: Python's json writes them as bare words, msgpack as floats."""
    rig = rigs(packer=packer)
    header = rig.submit(**{field: value})
    rig.expect_error(header, "InvalidDependency")
    rig.run_one()


METADATA = {
    "truncated": b'{"targets": ["wor',
    "empty": b"",
    "list": b"[]",
    "null": b"null",
    "number": b"5",
    "bad_utf8": b'{"targets": ["\xff\xfe"]}',
    "deep_targets": b'{"targets":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep_after": b'{"after":' + b'{"dependencies":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "deep_other": b'{"other":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("name", METADATA)
def test_2_6_unreadable_metadata(rig, name):
    header = rig.wire.header("apply_request")
    rig.client.send_raw(rig.wire.raw([rig.wire.pack(header), b"{}", METADATA[name], b"{}"]))
    rig.expect_error(header, "InvalidDependency", "metadata|targets|after|json|deep|nest")
    rig.run_one()


def test_2_6_unread_parts_may_hold_anything(rig):
    """Content is the engine's business: it is relayed as it is."""
    header = rig.wire.header("apply_request")
    parts = [rig.wire.pack(header), b"{}", rig.wire.pack({"targets": ["worker"]}), b"\x00 no JSON"]
    rig.client.send_raw(rig.wire.raw(parts))
    task = rig.engine.task()
    assert task.message.frames[5] == b"\x00 no JSON"
    frames = rig.wire.message("apply_reply", {"status": "ok"}, header, {"status": "ok"})
    rig.engine.send_raw([task.message.idents[0], *frames])
    rig.expect_result(header)


NEUTRAL = {
    "nothing": {},
    "what_a_stock_client_sends": {"after": [], "follow": [], "timeout": 0.0, "retries": 0},
    "nulls": {"after": None, "follow": None, "timeout": None},
    "empty_maps": {"after": {}, "follow": {}},
    "empty_dependencies": {"after": {"dependencies": []}, "follow": {"dependencies": []}},
    "unknown_fields": {"label": "ünï ☃", "whatever": [1, {"a": None}]},
    "timeout_huge": {"timeout": 1e300},
    "retries_many": {"retries": 1_000_000},
}


@pytest.mark.parametrize("packer", ["json", "msgpack"])
@pytest.mark.parametrize("name", NEUTRAL)
def test_2_2_fields_that_mean_nothing(rigs, name, packer):
    rigs(packer=packer).run_one(**NEUTRAL[name])


def test_2_6_a_megabyte_of_known_dependencies(rig):
    done = rig.run_one()
    header = rig.submit(after=[done] * 30_000)
    rig.settle()
    tasks = rig.engine.pending()
    if tasks:
        rig.engine.answer(tasks[0])
        rig.expect_result(header)
    else:
        rig.expect_error(header, "InvalidDependency")
    rig.run_one()


@pytest.mark.parametrize("packer", ["json", "msgpack"])
@pytest.mark.parametrize("field", ["after", "follow"])
def test_2_3_neither_success_nor_failure(rigs, field, packer):
    rig = rigs(packer=packer)
    dependency = {"dependencies": [rig.run_one()], "success": False, "failure": False}
    check_wrong(rig, {field: dependency}, "success")


@pytest.mark.parametrize("field", ["after", "follow"])
def test_2_3_dependency_on_itself(rig, field):
    msg_id = rig.wire.new_id()
    header = rig.submit(msg_id=msg_id, **{field: [msg_id]})
    rig.expect_error(header, "InvalidDependency", "itself")
    rig.run_one()


@pytest.mark.parametrize("field", ["after", "follow"])
def test_2_3_dependency_that_has_failed(rig, field):
    failed = rig.submit()
    rig.engine.answer(rig.engine.task(), status="error")
    rig.expect_result(failed, status="error")
    header = rig.submit(**{field: [failed["msg_id"]]})
    rig.expect_error(header, "ImpossibleDependency")
    rig.run_one()


def test_2_3_targets_that_never_were(rig):
    header = rig.submit(targets=["no-such-engine"])
    rig.expect_error(header, "ImpossibleDependency")
    rig.run_one()


def test_2_3_a_chain_of_failures_fails_in_cascade(rig):
    first = rig.submit()
    headers = [first]
    for _ in range(2_000):
        headers.append(rig.submit(after=[headers[-1]["msg_id"]]))
    rig.engine.answer(rig.engine.task(), status="error")
    rig.expect_result(first, status="error")
    for header in headers[1:]:
        rig.expect_error(header, "ImpossibleDependency")
    rig.run_one()
