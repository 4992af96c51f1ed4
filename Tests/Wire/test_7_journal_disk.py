"""--journal: a disk that is full, fails, is read-only or gone, with traffic beside it.

The answer is one line that says what and what to do, and exit status 74: a scheduler that cannot write
down could keep no promise. What it had promised is found by the next start. A write that fails with EIO
is tried in CJournalTests, where the kernel can be made to answer so.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess

import pytest

from harness.lives import lives, task_of
from harness.peers import Silence
from harness.process import start_yardmaster


@pytest.fixture(params=["zmq", "native"])
def transport(request):
    return request.param


@pytest.fixture(params=["5", "always"])
def sync(request):
    return request.param


def options_of(folder, options: list[str]) -> list[str]:
    """The same options with another folder for the journal."""
    at = options.index("--journal") + 1
    return [*options[:at], str(folder), *options[at + 1 :]]


def submit_until_it_ends(cluster, client) -> str:
    """The log of a scheduler that has to end with 74 under traffic."""
    for _ in range(400):
        if not cluster.scheduler.alive():
            break
        client.submit(buffers=[b"x" * 10_000])
        take_records(cluster, 5)
    assert cluster.scheduler.wait() == 74, cluster.scheduler.log()
    take_records(cluster, 200)
    return cluster.scheduler.log()


def one_alone(cluster, client) -> None:
    """On a busy machine the first that come together may be too many for the disk."""
    cluster.see("intask", client.submit()["msg_id"])


def take_records(cluster, patience_ms: int) -> None:
    while cluster.hub.monitor.poll(patience_ms):
        seen = cluster.hub.seen()
        cluster.seen.append((seen.topic, seen.task))


def everything_accepted_ends(cluster, client) -> None:
    """A start after the fault: whatever the hub had heard of runs and is recorded."""
    accepted = [msg_id for topic, msg_id in cluster.seen if topic == "intask"]
    assert accepted
    engine = cluster.engine(b"engine-a")
    cluster.start()
    waiting = set(accepted) - {msg_id for topic, msg_id in cluster.seen if topic == "outtask"}
    while waiting:
        try:
            task = task_of(engine)
        except Silence as silence:
            raise AssertionError(
                f"{silence}; open are {sorted(waiting)}; the log is:\n{cluster.scheduler.log()}"
            ) from silence
        engine.answer(task)
        cluster.see("outtask", task.msg_id)
        waiting.discard(task.msg_id)


def test_a_file_as_large_as_allowed(transport, sync):
    with lives(transport, sync) as cluster:
        cluster.start()
        resource.prlimit(cluster.scheduler.pid, resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))
        client = cluster.client()
        one_alone(cluster, client)
        log = submit_until_it_ends(cluster, client)
        assert log.count("File too large; make room there and start again") == 1
        everything_accepted_ends(cluster, client)


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small disk of its own needs root and mount")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk(transport, sync, small_disk):
    with lives(transport, sync) as cluster:
        cluster.options = options_of(small_disk / "journal", cluster.options)
        cluster.start()
        client = cluster.client()
        one_alone(cluster, client)
        log = submit_until_it_ends(cluster, client)
        assert log.count("No space left on device; make room there and start again") == 1
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        everything_accepted_ends(cluster, client)


def test_a_disk_that_became_read_only(transport, small_disk):
    with lives(transport) as cluster:
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        options = options_of(small_disk / "journal", cluster.options)
        cluster.scheduler = start_yardmaster(
            cluster.endpoints, cluster.folder, cluster.wire.key, options
        )
        assert cluster.scheduler.wait() == 74
        assert "Read-only file system; give a folder that can be" in cluster.scheduler.log()


def test_a_folder_that_is_deleted(transport, sync):
    with lives(transport, sync) as cluster:
        cluster.start()
        client = cluster.client()
        for _ in range(5):
            cluster.see("intask", client.submit()["msg_id"])
        shutil.rmtree(cluster.folder / "journal")
        known = len(cluster.seen)
        log = submit_until_it_ends(cluster, client)
        assert log.count("It was deleted while the scheduler ran") == 1
        # Nothing was accepted any more.
        assert [topic for topic, _ in cluster.seen[known:]] == []
