"""Fixtures of the tests over the wire: a running yardmaster with normal traffic beside the test.

`rig` is a factory, because tests differ in options. At the end of every test: the traffic got all
its answers once, the process is alive, and SIGTERM ends it with status 0. Names of tests carry the
section of SEMANTICS.md that they are about.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import process  # noqa: E402
from harness.cluster import Cluster  # noqa: E402
from harness.peers import Client, Engine  # noqa: E402
from harness.traffic import Traffic  # noqa: E402
from harness.wire import Message, Wire, fault_of_error_reply  # noqa: E402

KEY = b"the-key-of-the-wire-tests"
OWN_ERRORS = ("InvalidDependency", "ImpossibleDependency", "TaskTimeout", "EngineError")


class Rig:
    """A scheduler, its hub, a client, an engine `worker`, and traffic on an engine of its own."""

    def __init__(
        self, *options, packer="json", digest="sha256", key=KEY, hwm=1, ipc=False, environment=None,
        monitor_hwm=0, open_files=None,
    ):
        self.folder = process.new_folder()
        self.endpoints = process.ipc_endpoints(self.folder) if ipc else process.tcp_endpoints()
        self.wire = Wire(key, packer, digest)
        self.cluster = Cluster(self.endpoints, self.wire, monitor_hwm)
        options = ["--packer", packer, "--hwm", str(hwm), *options]
        if digest != "sha256":
            options += ["--signature-scheme", f"hmac-{digest}"]
        self.running = process.start_yardmaster(
            self.endpoints, self.folder, key, options, environment, open_files
        )
        self.traffic = Traffic(self.endpoints, self.wire)
        try:
            self.cluster.start()
            self.traffic.engine.wait_connected()
            self.traffic.client.wait_connected()
            self.cluster.cover_lanes(self.running.lanes())
            self.cluster.settle()
            self.cluster.hub.register(self.traffic.uuid)
            self.engine: Engine = self.cluster.add_engine("worker")
            self.client: Client = self.cluster.client()
            self.traffic.start()
        except BaseException as problem:
            log = self.running.log()
            self.clean_up()
            raise AssertionError(f"{problem}; the log is:\n{log[-4000:]}") from problem

    # what tests say

    def submit(self, client: Client | None = None, msg_id=None, buffers=(), **metadata) -> dict:
        """Submits a task, for `worker` unless `targets` is given; its header is the answer."""
        metadata.setdefault("targets", ["worker"])
        return (client or self.client).submit(metadata, msg_id, buffers)

    def settle(self) -> None:
        self.cluster.settle()

    def run_one(self, **metadata) -> str:
        """A whole task through `worker`: proof that the scheduler, the client and the engine are
        well.
        """
        header = self.submit(**metadata)
        task = self.engine.task()
        assert task.msg_id == header["msg_id"]
        self.engine.answer(task)
        self.expect_result(header)
        return header["msg_id"]

    def expect_result(
        self, header: dict, client: Client | None = None, status: str = "ok"
    ) -> Message:
        reply = (client or self.client).reply(what=f"the result of {header['msg_id']}")
        assert not reply.faults
        assert reply.parent_id == header["msg_id"], reply.content
        assert reply.content["status"] == status, reply.content
        return reply

    def expect_error(
        self, header: dict, ename="InvalidDependency", says="", client=None
    ) -> Message:
        """The next reply is an error that the scheduler made for this task, and says why."""
        import re

        reply = (client or self.client).reply(what=f"the error reply to {header['msg_id']!r:.60}")
        enames = OWN_ERRORS if ename is None else [ename]
        assert fault_of_error_reply(reply, header, enames) is None
        assert reply.parent_id == header["msg_id"]
        text = reply.content["evalue"] + " ".join(reply.content["traceback"])
        assert re.search(says, text, re.IGNORECASE), f"{text!r} does not say {says!r}"
        return reply

    def expect_silence(self) -> None:
        """After everything was handled: nothing for the client, nothing for the engine."""
        self.settle()
        assert [m.content for m in self.client.pending()] == []
        assert [t.msg_id for t in self.engine.pending()] == []

    def expect_drop(self, why: str) -> None:
        """Nothing came of it, and the log says so with the reason."""
        self.expect_silence()
        self.running.wait_for_log(why)
        self.run_one()

    def monitor_of(self, msg_id: str) -> list[str]:
        """The topics that the monitor has told of a task since the last call for it."""
        self.settle()
        told = [seen for seen in self.cluster.seen if seen.task == msg_id]
        for seen in told:
            self.cluster.seen.remove(seen)
        return [seen.topic for seen in told]

    def finish(self) -> None:
        """What must hold at the end of every test."""
        try:
            assert self.running.alive(), f"the scheduler died:\n{self.running.log()[-4000:]}"
            self.traffic.finish()
            status = self.running.stop()
            assert status == 0, f"exit status {status}:\n{self.running.log()[-4000:]}"
        finally:
            self.clean_up()

    def clean_up(self) -> None:
        self.traffic.abandon()
        self.running.stop()
        self.cluster.close()
        process.remove_folder(self.folder)


@pytest.fixture
def rigs():
    """Makes rigs with options, and ends them."""
    made: list[Rig] = []

    def make(*options, **keywords) -> Rig:
        made.append(Rig(*options, **keywords))
        return made[-1]

    yield make
    for rig in made:
        rig.finish()


@pytest.fixture
def rig(rigs) -> Rig:
    """The usual one: tcp, json, hwm 1."""
    return rigs()
