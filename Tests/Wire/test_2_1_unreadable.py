"""SEMANTICS.md 2.1: what cannot be read is logged with the reason, counted and dropped."""

from __future__ import annotations

import json

import pytest
from harness.wire import DELIMITER

GOOD = [b'{"msg_id":"good","msg_type":"apply_request"}', b"{}", b"{}", b"{}"]

FRAMES = {
    "two_empty_frames": [b"", b""],
    "no_delimiter": [b"hello", b"world"],
    "half_a_delimiter": [b"<IDS|", b"MSG>", b"", *GOOD],
    "delimiter_only": [DELIMITER],
    "signature_only": [DELIMITER, b"0" * 64],
    "too_few_frames": [DELIMITER, b"0" * 64, *GOOD[:3]],
    "a_thousand_frames_without_delimiter": [b"x"] * 1000,
}


@pytest.mark.parametrize("name", FRAMES)
def test_2_1_bad_frames(rig, name):
    rig.client.send_raw(FRAMES[name])
    rig.expect_drop("(?i)delimiter|frames")


def test_2_1_one_empty_frame(rig):
    """What a socket with PROBE_ROUTER sends on connecting: nothing comes of it."""
    rig.client.send_raw([b""])
    rig.expect_silence()
    rig.run_one()


SIGNATURES = {
    "wrong": b"0" * 64,
    "empty": b"",
    "short": b"ab",
    "long": b"0" * 10_000,
    "not_hex": b"\xff" * 64,
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_2_1_wrong_signature(rig, name):
    rig.client.send_raw(rig.wire.raw(GOOD, signature=SIGNATURES[name]))
    rig.expect_drop("(?i)signature")


def test_2_1_signature_of_another_key(rig):
    from harness.wire import Wire

    rig.client.send_raw(Wire(b"another key").raw(GOOD))
    rig.expect_drop("(?i)signature")


def test_2_1_log_names_the_routing_id(rig):
    client = rig.cluster.client(identity=b"a-named-client")
    client.send_raw([b"hello"])
    rig.settle()
    rig.running.wait_for_log("a-named-client")


HEADERS = {
    "truncated": b'{"msg_id":"cut',
    "empty": b"",
    "null": b"null",
    "list": b'["msg_id","x"]',
    "number": b"42",
    "string": b'"msg_id"',
    "bad_utf8": b'{"msg_id":"\xff\xfe","msg_type":"apply_request"}',
    "zero_bytes": b"\x00" * 100,
    "trailing_garbage": b'{"msg_id":"x"} and more',
    "no_msg_id": b'{"msg_type":"apply_request"}',
    "msg_id_null": b'{"msg_id":null,"msg_type":"apply_request"}',
    "msg_id_number": b'{"msg_id":17,"msg_type":"apply_request"}',
    "msg_id_list": b'{"msg_id":["a"],"msg_type":"apply_request"}',
    "msg_id_map": b'{"msg_id":{"a":1},"msg_type":"apply_request"}',
    "msg_id_bool": b'{"msg_id":true,"msg_type":"apply_request"}',
    "msg_id_empty": b'{"msg_id":"","msg_type":"apply_request"}',
    "deep": b'{"msg_type":"apply_request","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("name", HEADERS)
def test_2_1_unreadable_header(rig, name):
    rig.client.send_raw(rig.wire.raw([HEADERS[name], *GOOD[1:]]))
    rig.expect_drop("(?i)header|msg_id|json")


def test_2_1_msg_id_of_a_megabyte(rig):
    """It runs, or it is refused, or it is dropped as what cannot be an id: never in silence."""
    header = rig.wire.header("apply_request", "m" * 1_000_000)
    rig.client.submit({"targets": ["worker"]}, header=header)
    rig.settle()
    tasks, replies = rig.engine.pending(), rig.client.pending()
    if tasks:
        rig.engine.answer(tasks[0])
        rig.expect_result(header)
    elif replies:
        assert replies[0].content["ename"] == "InvalidDependency"
    else:
        rig.expect_drop("(?i)msg_id")
    rig.run_one()


def test_2_1_drops_are_counted_and_not_all_logged(rig):
    for _ in range(5_000):
        rig.client.send_raw([b"flood"])
    rig.expect_error(rig.submit(after=["the end of the flood"]))
    rig.expect_silence()
    assert rig.running.log().count("\n") < 1_000
    rig.run_one()


def test_2_1_drops_change_nothing(rig):
    """A known id in a message with a wrong signature does not touch its task."""
    header = rig.submit()
    task = rig.engine.task()
    parts = [json.dumps(header).encode(), b"{}", b"{}", b"{}"]
    rig.client.send_raw(rig.wire.raw(parts, signature=b"0" * 64))
    rig.expect_silence()
    rig.engine.answer(task)
    rig.expect_result(header)


def test_2_1_no_key_checks_nothing(rigs):
    rig = rigs(key=b"")
    header = rig.wire.header("apply_request")
    parts = [rig.wire.pack(header), b"{}", rig.wire.pack({"targets": ["worker"]}), b"{}"]
    rig.client.send_raw(rig.wire.raw(parts, signature=b"what ever"))
    rig.engine.answer(rig.engine.task())
    rig.expect_result(header)


def test_2_1_raw_bytes_that_are_no_zmtp(rig):
    """Strangers on the ports: a web client, noise, a hang-up."""
    import socket

    for url in (rig.endpoints.client, rig.endpoints.engine):
        port = int(url.rsplit(":", 1)[1])
        for data in (b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 256, b"\xff", b""):
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                stranger.sendall(data)
    rig.expect_silence()
    rig.run_one()


@pytest.mark.parametrize("kind", ["PUB", "SUB", "PUSH", "PULL", "PAIR", "REP"])
def test_2_1_sockets_of_the_wrong_type(rig, kind):
    import zmq

    for url in (rig.endpoints.client, rig.endpoints.engine):
        stranger = rig.cluster.context.socket(getattr(zmq, kind))
        stranger.linger = 0
        if kind == "SUB":
            stranger.subscribe(b"")
        stranger.connect(url)
        if kind in ("PUB", "PUSH", "PAIR"):
            try:
                stranger.send(b"hello", zmq.NOBLOCK)
            except zmq.Again:
                pass
        rig.settle()
        stranger.close()
    rig.expect_silence()
    rig.run_one()
