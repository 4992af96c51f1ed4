"""--journal: the hub's records, when the hub does not listen or reads slowly (README.md, "Journal")."""

from __future__ import annotations

import time

import pytest

from harness.lives import lives, task_of, task_of_fence


@pytest.fixture(params=["zmq", "native"])
def transport(request):
    return request.param


@pytest.mark.parametrize("lives_more", [0, 1])
def test_the_hub_is_told_what_it_could_not_hear(transport, lives_more):
    with lives(transport) as cluster:
        engine = cluster.engine(b"engine-a")
        cluster.start()
        client = cluster.client()
        msg_id = client.submit()["msg_id"]
        task = task_of(engine)
        cluster.see("tracktask", msg_id)
        cluster.kill()
        # Its client is gone and its hub does not listen: the journal alone knows how it ended.
        client.close()
        cluster.stop_listening()
        engine.answer(task)
        cluster.start()
        assert task_of_fence(engine)
        time.sleep(1.5)  # longer than it takes to believe that records have arrived
        for _ in range(lives_more):
            cluster.kill()
            cluster.start()
            assert task_of_fence(engine)
        cluster.listen()
        cluster.see("outtask", msg_id)


def test_a_hub_that_reads_slowly_is_told_everything(transport):
    with lives(transport) as cluster:
        cluster.stop_listening()
        cluster.listen(hwm=1)
        engine = cluster.engine(b"engine-a")
        cluster.start()
        client = cluster.client()
        ids = [client.submit()["msg_id"] for _ in range(40)]
        for _ in ids:
            # Far more than the sockets on the way to the hub take: the hub reads nothing now.
            engine.answer(task_of(engine), buffers=[b"x" * 1_000_000])
        for _ in ids:
            client.reply()
        time.sleep(1.5)
        cluster.kill()
        cluster.start()
        for msg_id in ids:
            cluster.see("outtask", msg_id)
