"""--journal: a scheduler that is killed goes on where it was (README.md, "Journal").

Every test kills or ends a scheduler and starts another on the same addresses and folder; peers
stay and reconnect by themselves, as stock ones do.
"""

from __future__ import annotations

import time

import pytest
import zmq

from harness.lives import lives, task_of
from harness.process import PATIENCE_S, start_yardmaster, tcp_endpoints


@pytest.fixture(params=["zmq", "native"])
def transport(request):
    return request.param


@pytest.fixture(params=["always", "5", "off"])
def sync(request):
    return request.param


def test_waiting_tasks_run_in_the_next_life(transport, sync):
    with lives(transport, sync) as cluster:
        cluster.start()
        client = cluster.client()
        ids = [client.submit()["msg_id"] for _ in range(20)]
        for msg_id in ids:
            cluster.see("intask", msg_id)
        cluster.kill()
        engine = cluster.engine(b"engine-a")
        cluster.start()
        for msg_id in ids:
            task = task_of(engine)
            assert task.msg_id == msg_id
            engine.answer(task)
            cluster.see("outtask", msg_id)
        # The client is known again by its session as soon as it says anything.
        new = client.submit()["msg_id"]
        replies = [client.reply().parent_id for _ in ids]
        assert sorted(replies) == sorted(ids)
        task = task_of(engine)
        assert task.msg_id == new
        engine.answer(task)
        assert client.reply().parent_id == new
        assert client.pending() == []


@pytest.mark.parametrize("transport", ["zmq", "native", "lanes"])
def test_a_named_client_needs_to_say_nothing(transport):
    with lives(transport) as cluster:
        engine = cluster.engine(b"engine-a")
        cluster.start()
        client = cluster.client(identity=b"a-name-of-its-own")
        msg_id = client.submit()["msg_id"]
        task = task_of(engine)
        cluster.see("tracktask", msg_id)
        cluster.kill()
        engine.answer(task)
        cluster.start()
        assert client.reply().parent_id == msg_id
        cluster.see("outtask", msg_id)
        time.sleep(0.3)  # two more tries would have come
        assert client.pending() == []


def test_a_late_result_counts(transport):
    with lives(transport) as cluster:
        engine = cluster.engine(b"engine-a")
        cluster.start()
        client = cluster.client()
        first = client.submit()["msg_id"]
        task = task_of(engine)
        cluster.see("tracktask", first)
        cluster.kill()
        # Answered while nobody is there: the socket keeps it for the next scheduler.
        engine.answer(task, content={"status": "ok", "late": True})
        cluster.start()
        cluster.see("outtask", first)
        second = client.submit({"after": [first]})["msg_id"]
        reply = client.reply()
        assert reply.parent_id == first and reply.content["late"]
        task = task_of(engine)
        assert task.msg_id == second
        engine.answer(task)
        assert client.reply().parent_id == second


def test_a_task_that_an_engine_has_forgotten_runs_again(transport):
    with lives(transport) as cluster:
        engine = cluster.engine(b"engine-a")
        cluster.start()
        client = cluster.client(identity=b"client")
        msg_id = client.submit()["msg_id"]
        assert task_of(engine).msg_id == msg_id
        cluster.see("tracktask", msg_id)
        cluster.kill()
        cluster.start()
        # It answers the fence and not the task: what it had is gone.
        again = task_of(engine)
        assert again.msg_id == msg_id
        engine.answer(again)
        assert client.reply().parent_id == msg_id


@pytest.mark.parametrize("packer", ["json", "msgpack"])
@pytest.mark.parametrize("parent", [None, {"msg_id": "of-a-task", "more": {}}])
def test_what_is_sent_again_is_signed_anew(transport, packer, parent):
    """Sessions drop a signature that they have seen; all but the parent_header is as it was."""
    with lives(transport, "5", packer) as cluster:
        engine = cluster.engine(b"engine-a")
        cluster.start()
        client = cluster.client(identity=b"client")
        buffers = [b"b" * 20_000, b"", b"c"]
        sent = cluster.wire.message(
            "apply_request", {"a": 1}, parent, {"after": []}, buffers=buffers
        )
        client.send_raw(sent)
        first = task_of(engine)
        cluster.see("tracktask", first.msg_id)
        assert [first.message.idents[1:], first.message.frames] == [[], sent]
        signatures, parents = {first.message.frames[1]}, []
        for life in range(2, 4):
            cluster.kill()
            cluster.start()
            task = task_of(engine)
            again = task.message
            signatures.add(again.frames[1])
            assert len(signatures) == life and again.faults == []
            same = [0, 2, *range(4, len(sent))]
            assert [again.frames[at] for at in same] == [sent[at] for at in same]
            assert again.idents == [b"client"]
            parents.append({**again.parent})
            for name in ("resent", "date"):
                assert again.parent.pop(name)
            assert again.parent == (parent or {})
        assert parents[0] != parents[1]
        engine.answer(task)
        assert client.reply().parent_id == first.msg_id


def test_an_engine_that_answers_no_fence_has_its_time(transport):
    with lives(transport) as cluster:
        engine = cluster.engine(b"engine-a")
        cluster.start()
        client = cluster.client(identity=b"client")
        msg_id = client.submit()["msg_id"]
        assert task_of(engine, answers_fences=False).msg_id == msg_id
        cluster.see("tracktask", msg_id)
        cluster.kill()
        cluster.start()
        again = task_of(engine, answers_fences=False)
        assert again.msg_id == msg_id
        engine.answer(again)
        assert client.reply().parent_id == msg_id


def test_a_fence_that_is_lost_is_sent_again(transport):
    with lives(transport) as cluster:
        engine = cluster.engine(b"engine-a")
        cluster.start()
        client = cluster.client(identity=b"client")
        msg_id = client.submit()["msg_id"]
        engine.answer(engine.task())  # from now on it is known to answer fences
        assert task_of(engine).msg_id == msg_id
        cluster.see("tracktask", msg_id)
        cluster.kill()
        cluster.start()
        # Its link breaks with the fence on it, and the task it had is gone, too.
        assert engine.task().message.header["msg_type"] == "kernel_info_request"
        engine.close()
        cluster.engines.remove(engine)
        again = cluster.engine(b"engine-a")
        task = task_of(again)
        assert task.msg_id == msg_id
        again.answer(task)
        assert client.reply().parent_id == msg_id


def test_an_engine_that_is_gone_passes_its_task_on(transport):
    with lives(transport) as cluster:
        engine = cluster.engine(b"engine-a")
        cluster.start()
        client = cluster.client(identity=b"client")
        msg_id = client.submit({"retries": 0})["msg_id"]
        assert task_of(engine).msg_id == msg_id
        cluster.see("tracktask", msg_id)
        cluster.kill()
        cluster.engines.clear()
        other = cluster.engine(b"engine-b")
        cluster.start()
        task = task_of(other)
        assert task.msg_id == msg_id
        other.answer(task)
        reply = client.reply()
        assert (reply.parent_id, reply.content["status"]) == (msg_id, "ok")


def test_dependencies_on_ids_of_a_former_life(transport):
    with lives(transport) as cluster:
        engines = [cluster.engine(b"engine-a"), cluster.engine(b"engine-b")]
        cluster.start()
        client = cluster.client()
        good = client.submit({"targets": ["engine-b"]})["msg_id"]
        engines[1].answer(task_of(engines[1]))
        assert client.reply().parent_id == good
        bad = client.submit({"targets": ["engine-a"]})["msg_id"]
        engines[0].answer(task_of(engines[0]), status="error")
        assert client.reply().parent_id == bad
        waits = client.submit({"after": [good], "follow": [good], "targets": ["engine-b"]})
        task = task_of(engines[1])
        dependent = client.submit({"after": [waits["msg_id"]]})["msg_id"]
        cluster.see("intask", dependent)
        cluster.kill()
        cluster.start()
        # It ran on engine-b; `follow` holds over the restart, a failed id stays failed.
        assert client.submit({"after": [bad]})
        reply = client.reply()
        assert reply.content["ename"] == "ImpossibleDependency"
        follower = client.submit({"follow": [good]})["msg_id"]
        engines[1].answer(task)
        order = []
        for _ in range(2):
            for engine in engines:
                while engine.socket.poll(300):
                    got = engine.task()
                    if got.message.header["msg_type"] == "kernel_info_request":
                        engine.answer(got)
                        continue
                    order.append((got.msg_id, got.engine))
                    engine.answer(got)
        assert (follower, b"engine-b") in order
        assert dependent in [msg_id for msg_id, _ in order]
        answered = sorted(client.reply().parent_id for _ in range(3))
        assert answered == sorted([waits["msg_id"], follower, dependent])
        # And an id that was known is refused again.
        client.submit(msg_id=good)
        assert "known already" in client.reply().content["evalue"]


def test_retries_that_were_used_up_stay_used_up(transport):
    with lives(transport) as cluster:
        engines = [cluster.engine(b"engine-a"), cluster.engine(b"engine-b")]
        cluster.start()
        client = cluster.client(identity=b"client")
        msg_id = client.submit({"retries": 1, "targets": ["engine-a", "engine-b"]})["msg_id"]
        poller = {engine.socket: engine for engine in engines}

        def next_task():
            while True:
                ready = dict(zmq_poll(list(poller)))
                for socket in ready:
                    task = poller[socket].task()
                    if task.message.header["msg_type"] == "kernel_info_request":
                        poller[socket].answer(task)
                    else:
                        return poller[socket], task

        first, task = next_task()
        first.answer(task, status="error")
        second, task = next_task()
        assert second is not first
        cluster.see("tracktask", msg_id)
        cluster.kill()
        second.answer(task, status="error")
        cluster.start()
        assert client.reply().content["status"] == "error"


def zmq_poll(sockets):
    poller = zmq.Poller()
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    ready = poller.poll(PATIENCE_S * 1000)
    assert ready, "no engine got anything"
    return ready


def test_sigterm_loses_nothing(transport, sync):
    with lives(transport, sync) as cluster:
        engine = cluster.engine(b"engine-a")
        cluster.start()
        client = cluster.client(identity=b"client")
        ids = [client.submit()["msg_id"] for _ in range(30)]
        running = task_of(engine)
        for msg_id in ids:
            cluster.see("intask", msg_id)
        began = time.monotonic()
        assert cluster.scheduler.stop() == 0
        assert time.monotonic() - began < 2, "the limit that the command line promises"
        cluster.wait_lost()
        assert "29 still waiting, 1 still running (kept in the journal)" in cluster.scheduler.log()
        engine.answer(running)
        cluster.start()
        for _ in ids[1:]:
            engine.answer(task_of(engine))
        assert sorted(client.reply().parent_id for _ in ids) == sorted(ids)


def test_sigterm_loses_nothing_that_came_too_early(sync):
    """The hub does not listen to the monitor yet, so nobody is read: the scheduler ends then."""
    with lives("native", sync) as cluster:
        cluster.start()
        client = cluster.client(identity=b"client")
        client.wait_connected()
        first = client.submit()["msg_id"]
        cluster.see("intask", first)
        assert cluster.scheduler.stop() == 0
        cluster.stop_listening()
        cluster.scheduler = start_yardmaster(
            cluster.endpoints, cluster.folder, cluster.wire.key, cluster.options
        )
        cluster.hub.accept()
        client.wait_connected()
        ids = [first, *(client.submit()["msg_id"] for _ in range(100))]
        assert cluster.scheduler.stop() == 0
        engine = cluster.engine(b"engine-a")
        cluster.listen()
        cluster.start()
        for _ in ids:
            engine.answer(task_of(engine))
        assert sorted(client.reply().parent_id for _ in ids) == sorted(ids)


def test_a_damaged_journal_is_told_in_one_line(transport):
    with lives(transport, "always") as cluster:
        cluster.start()
        client = cluster.client()
        for _ in range(3):
            cluster.see("intask", client.submit()["msg_id"])
        cluster.kill()
        segment = next((cluster.folder / "journal").glob("*.log"))
        damaged = bytearray(segment.read_bytes())
        damaged[80] ^= 1
        segment.write_bytes(damaged)
        cluster.scheduler = start_yardmaster(
            cluster.endpoints, cluster.folder, cluster.wire.key, cluster.options
        )
        assert cluster.scheduler.wait() == 74
        log = cluster.scheduler.log()
        assert "is damaged" in log and "Nothing was changed" in log and "truncate -s 64" in log


def test_a_second_scheduler_is_refused(transport):
    with lives(transport) as cluster:
        cluster.start()
        (cluster.folder / "other").mkdir()
        other = start_yardmaster(
            tcp_endpoints(), cluster.folder / "other", cluster.wire.key, cluster.options
        )
        assert other.wait() == 74
        assert f"in use by another scheduler (process {cluster.scheduler.pid})" in other.log()
