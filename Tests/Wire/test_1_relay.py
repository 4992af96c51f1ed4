"""SEMANTICS.md 1: messages are relayed as they are, and what the scheduler says itself is well
formed.
"""

from __future__ import annotations

import os

import pytest
import zmq
from harness.process import PATIENCE_S

BUFFERS = {
    "none": [],
    "one_empty": [b""],
    "ten_megabytes": [os.urandom(1 << 20) * 10, b"small", b""],
    "forty_megabytes": [b"\x00" * (40 << 20)],
    "a_thousand_frames": [b"%d" % n for n in range(1000)],
    "looks_like_a_delimiter": [b"<IDS|MSG>", b"x", b"<IDS|MSG>"],
}


@pytest.mark.parametrize("ipc", [False, True], ids=["tcp", "ipc"])
@pytest.mark.parametrize("name", BUFFERS)
def test_1_buffers_are_relayed_intact(rigs, name, ipc):
    rig = rigs(ipc=ipc)
    buffers = BUFFERS[name]
    header = rig.submit(buffers=buffers)
    task = rig.engine.task()
    assert task.message.faults == []
    assert task.message.buffers == buffers
    rig.engine.answer(task, buffers=buffers)
    reply = rig.expect_result(header)
    assert reply.buffers == buffers
    assert reply.idents == [b"worker"]
    rig.settle()
    seen = [seen for seen in rig.cluster.seen if seen.task == header["msg_id"]]
    assert [s.topic for s in seen] == ["intask", "tracktask", "outtask"]
    assert seen[0].message.frames == task.message.frames
    assert seen[2].message.frames == reply.frames
    assert seen[0].message.idents == [task.client]
    assert seen[2].message.idents == [task.client, b"worker"]


def test_1_tracktask_is_a_signed_task_destination(rig):
    msg_id = rig.run_one()
    rig.settle()
    seen = next(s for s in rig.cluster.seen if s.topic == "tracktask" and s.task == msg_id)
    message = seen.message
    assert message.faults == []
    assert message.header["msg_type"] == "task_destination"
    assert message.content == {"msg_id": msg_id, "engine_id": "worker"}
    assert message.idents == [message.header["session"].encode()]
    assert message.parent == {} and message.metadata == {}
    for field in ("msg_id", "username", "date", "version"):
        assert isinstance(message.header[field], str) and message.header[field]


def test_1_a_routing_id_that_looks_like_a_delimiter(rig):
    client = rig.cluster.client(identity=b"<IDS|MSG>")
    client.submit({"targets": ["worker"]})
    rig.settle()
    rig.engine.pending()
    assert rig.running.alive()


def test_1_engines_are_routers(rig):
    """Real engines are ROUTERs: they see the scheduler as `task_out` and answer to that name."""
    engine = rig.cluster.context.socket(zmq.ROUTER)
    engine.linger = 0
    engine.identity = b"router-engine"
    engine.connect(rig.endpoints.engine)
    try:
        rig.settle()
        rig.cluster.hub.register(b"router-engine")
        rig.settle()  # a task that overtakes it, by another lane, finds no such engine
        header = rig.submit(targets=["router-engine"])
        assert engine.poll(PATIENCE_S * 1000)
        scheduler, client, *frames = engine.recv_multipart()
        assert scheduler == b"task_out"
        reply = rig.wire.message("apply_reply", {"status": "ok"}, header, {"status": "ok"})
        engine.send_multipart([scheduler, client, *reply])
        rig.expect_result(header)
    finally:
        rig.cluster.hub.unregister(b"router-engine")
        rig.settle()
        engine.close()


def test_1_connection_request_is_signed(rigs):
    from harness import process
    from harness.cluster import Cluster
    from harness.wire import Wire

    folder = process.new_folder()
    endpoints = process.ipc_endpoints(folder)
    cluster = Cluster(endpoints, Wire(b"a key"))
    running = process.start_yardmaster(endpoints, folder, b"a key")
    try:
        engine = cluster.engine(b"first")
        request = cluster.start([b"first"])
        assert request.faults == []
        assert request.header["msg_type"] == "connection_request"
        assert request.content == {}
        header = cluster.client().submit()
        assert engine.task().msg_id == header["msg_id"]
    finally:
        status = running.stop()
        cluster.close()
        process.remove_folder(folder)
    assert status == 0


@pytest.mark.parametrize("digest", ["sha256", "sha512", "sha1", "md5"])
def test_1_signature_schemes(rigs, digest):
    rigs(digest=digest).run_one()


@pytest.mark.parametrize("packer", ["json", "orjson", "msgpack"])
def test_1_packers(rigs, packer):
    rig = rigs(packer=packer)
    done = rig.run_one()
    header = rig.submit(after=["never-seen"])
    rig.expect_error(header)
    header = rig.submit(follow=[done], targets=[])
    rig.engine.answer(rig.engine.task())
    rig.expect_result(header)


def test_1_resubmit_from_the_hub(rig):
    """The hub's DEALER sends a task again with metadata {}; a new id, another sender."""
    hub = rig.cluster.client(identity=b"the-hubs-resubmit-stream")
    header = hub.submit({})
    rig.settle()
    for task in rig.engine.pending():
        rig.engine.answer(task)
    rig.expect_result(header, client=hub)
