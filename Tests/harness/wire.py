"""Messages of the ipyparallel wire, built and read without a Session.

A Session checks what it sends; these tests must be able to send what no Session would. The frames
are `[routing ids...] <IDS|MSG> signature header parent_header metadata content buffers...`
(SEMANTICS.md section 1). Invariant: `Wire.parse` never raises on the scheduler's output; what is
wrong with a message is told in `Message.faults`.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
from dataclasses import dataclass, field
from typing import Any, Iterable

DELIMITER = b"<IDS|MSG>"
PARTS = 4  # header, parent header, metadata, content


@dataclass
class Message:
    """One received message: `idents` are the frames before the delimiter."""

    idents: list[bytes] = field(default_factory=list)
    header: dict = field(default_factory=dict)
    parent: dict = field(default_factory=dict)
    metadata: dict = field(default_factory=dict)
    content: Any = field(default_factory=dict)
    buffers: list[bytes] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)  # from the delimiter on
    faults: list[str] = field(default_factory=list)

    @property
    def msg_id(self) -> str:
        return self.header.get("msg_id", "")

    @property
    def parent_id(self) -> str:
        return self.parent.get("msg_id", "")


class Wire:
    """Packs, signs and reads messages with one key, one packer and one digest."""

    def __init__(
        self, key: bytes = b"a-key-for-tests", packer: str = "json", digest: str = "sha256"
    ):
        self.key = key
        self.packer = packer
        self.digest = digest
        self.session = "%08x-%08x" % (os.getpid(), int.from_bytes(os.urandom(4), "big"))
        self._numbers = itertools.count()

    def pack(self, value: Any) -> bytes:
        if self.packer == "msgpack":
            import msgpack

            return msgpack.packb(value)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf8")

    def unpack(self, data: bytes) -> Any:
        if self.packer == "msgpack":
            import msgpack

            return msgpack.unpackb(data)
        return json.loads(data)

    def sign(self, parts: Iterable[bytes]) -> bytes:
        if not self.key:
            return b""
        mac = hmac.new(self.key, digestmod=getattr(hashlib, self.digest))
        for part in parts:
            mac.update(part)
        return mac.hexdigest().encode()

    def new_id(self) -> str:
        """An id of the shape that clients use: session, process, number (sorts by submission)."""
        return f"{self.session}_{os.getpid()}_{next(self._numbers):06d}"

    def header(self, msg_type: str, msg_id: str | None = None) -> dict:
        return {
            "msg_id": self.new_id() if msg_id is None else msg_id,
            "msg_type": msg_type,
            "username": "tests",
            "session": self.session,
            "date": "2026-01-01T00:00:00.000000Z",
            "version": "5.4",
        }

    def raw(
        self, parts: list[bytes], buffers: Iterable[bytes] = (), signature: bytes | None = None
    ) -> list[bytes]:
        """Frames from four packed parts as they are; signed truthfully unless `signature` is
        given.
        """
        signature = self.sign(parts) if signature is None else signature
        return [DELIMITER, signature, *parts, *buffers]

    def message(
        self,
        msg_type: str,
        content: Any = None,
        parent: dict | None = None,
        metadata: Any = None,
        header: Any = None,
        buffers: Iterable[bytes] = (),
    ) -> list[bytes]:
        """Frames of a well-formed message, from the delimiter on."""
        parts = [
            self.pack(self.header(msg_type) if header is None else header),
            self.pack({} if parent is None else parent),
            self.pack({} if metadata is None else metadata),
            self.pack({} if content is None else content),
        ]
        return self.raw(parts, buffers)

    def parse(self, frames: list[bytes]) -> Message:
        """Reads frames with their routing ids; what does not fit is named in `faults`."""
        if DELIMITER not in frames:
            return Message(frames=frames, faults=["no delimiter"])
        at = frames.index(DELIMITER)
        message = Message(idents=frames[:at], frames=frames[at:])
        if len(frames) < at + 2 + PARTS:
            message.faults.append(f"{len(frames) - at} frames from the delimiter on")
            return message
        parts = frames[at + 2 : at + 2 + PARTS]
        if frames[at + 1] != self.sign(parts):
            message.faults.append("wrong signature")
        for name, part in zip(("header", "parent", "metadata", "content"), parts):
            try:
                setattr(message, name, self.unpack(part))
            except Exception as problem:
                message.faults.append(f"cannot unpack the {name}: {problem}")
        message.buffers = frames[at + 2 + PARTS :]
        return message


def fault_of_error_reply(message: Message, header: dict, enames: Iterable[str]) -> str | None:
    """What is wrong with an error reply of the scheduler's own, or None (SEMANTICS.md 5)."""
    content = message.content
    if message.faults:
        return "; ".join(message.faults)
    if message.header.get("msg_type") != "apply_reply":
        return f"msg_type {message.header.get('msg_type')!r}, not apply_reply"
    if message.parent != header:
        return f"parent header {message.parent!r} is not the task's {header!r}"
    if content.get("status") != "error":
        return f"status {content.get('status')!r}, not error"
    if content.get("ename") not in set(enames):
        return f"ename {content.get('ename')!r}"
    if not isinstance(content.get("evalue"), str):
        return f"evalue {content.get('evalue')!r} is not a string"
    traceback = content.get("traceback")
    if not isinstance(traceback, list) or not all(isinstance(line, str) for line in traceback):
        return f"traceback {traceback!r} is not a list of strings"
    if content.get("engine_info") != {}:
        return f"engine_info {content.get('engine_info')!r}, not {{}}"
    return None
