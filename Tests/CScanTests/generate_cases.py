#!/usr/bin/env python3
"""Write cases.jsonl: frames, and what a scan must make of them, judged by Python's own parsers.

    python3 Tests/CScanTests/generate_cases.py        needs the package `msgpack`

A few hundred seeded random headers and metadata, as they are and mutated byte by byte, in JSON and
in msgpack. json.loads or msgpack.unpackb says what each frame holds; the rules for the fields are
written here a second time, on Python objects. The output does not change from run to run.

Deliberate differences, where Python accepts a frame and a scan refuses it:
  - JSON that is not UTF-8 (Session's unpacker replaces what it cannot decode);
  - NaN, Infinity, -Infinity; numbers beyond a double; integers beyond 64 bits;
  - escapes of lone surrogates;
  - true and false for `retries` and `timeout`.
Not generated, because Python looks deeper: msgpack timestamps that make no date; frames that nest
deeper than 32 (msgpack) or 1024 (JSON), which the Swift tests have.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any, Callable

import msgpack

ID_SIZE_MAX = 1024
RETRIES_MAX = 1_000_000_000
FIELDS = ("targets", "retries", "after", "follow", "timeout")
EMPTY = {"ids": [], "all": True, "success": True, "failure": False}


class Refused(Exception):
    """A frame or a field that a scan does not accept; carries the status."""


# Parsing ---------------------------------------------------------------------------------------


def no_constant(name: str) -> None:
    raise ValueError(name)


def small_int(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**64:
        raise ValueError("beyond 64 bits")
    return value


def finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("beyond a double")
    return value


def read_json(frame: bytes) -> Any:
    text = frame.decode("utf8")
    value = json.loads(
        text, parse_constant=no_constant, parse_int=small_int, parse_float=finite
    )
    check_surrogates(json.loads(text, object_pairs_hook=list))  # in dropped values too
    return value


def check_surrogates(value: Any) -> None:
    if isinstance(value, str):
        value.encode("utf8")  # UnicodeEncodeError is a ValueError
    elif isinstance(value, (list, tuple)):
        for item in value:
            check_surrogates(item)


def read_msgpack(frame: bytes) -> Any:
    return msgpack.unpackb(frame)


def read_map(read: Callable[[bytes], Any], frame: bytes, status: str) -> dict:
    try:
        value = read(frame)
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException):
        raise Refused(status) from None
    if not isinstance(value, dict):
        raise Refused(status)
    return value


# The rules, on Python objects -------------------------------------------------------------------


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def judge_strings(value: list, status: str) -> list[str]:
    for item in value:
        if not isinstance(item, str) or len(item.encode()) > ID_SIZE_MAX:
            raise Refused(status)
    return value


def judge_retries(value: Any) -> int:
    if value is None:
        return 0
    if not is_number(value) or not 0 <= value <= RETRIES_MAX or value != int(value):
        raise Refused("BAD_RETRIES")
    return int(value)


def judge_timeout(value: Any) -> float:
    if value is None:
        return 0.0
    if not is_number(value) or not value >= 0 or math.isinf(value):
        raise Refused("BAD_TIMEOUT")
    return abs(float(value))


def judge_ids(value: Any, status: str) -> list[str]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise Refused(status)
    return judge_strings(value, status)


def judge_dependency(value: Any, status: str) -> dict:
    if value is None or value is False or value == "" or (is_number(value) and value == 0):
        return EMPTY
    if not isinstance(value, dict):
        return EMPTY | {"ids": judge_ids(value, status)}
    result = dict(EMPTY)
    for name in ("all", "success", "failure"):
        flag = value.get(name, result[name])
        if type(flag) not in (bool, int) or flag not in (0, 1):
            raise Refused(status)
        result[name] = bool(flag)
    if not result["success"] and not result["failure"]:
        raise Refused("NO_NEITHER")
    ids = value.get("dependencies")
    return result | {"ids": [] if ids is None else judge_ids(ids, status)}


def judge_fields(fields: dict, task: dict) -> None:
    targets = fields.get("targets")
    if targets is not None:
        if not isinstance(targets, list):
            raise Refused("BAD_TARGETS")
        targets = judge_strings(targets, "BAD_TARGETS")
    retries = judge_retries(fields.get("retries"))
    after = judge_dependency(fields.get("after"), "BAD_AFTER")
    follow = judge_dependency(fields.get("follow"), "BAD_FOLLOW")
    timeout = judge_timeout(fields.get("timeout"))
    task |= {"targets": targets or [], "retries": retries, "timeout": timeout}
    task |= {"after": after, "follow": follow}


def read_msg_id(header: dict, status: str) -> str:
    msg_id = header.get("msg_id")
    if not isinstance(msg_id, str) or not msg_id:
        raise Refused(status)
    if len(msg_id.encode()) > ID_SIZE_MAX:
        # A task can be answered all the same; a reply about such a task is about none.
        raise Refused("LONG_MSG_ID" if status == "NO_MSG_ID" else status)
    return msg_id


def expected_task(read, header_frame: bytes, metadata_frame: bytes) -> dict:
    task: dict = {"status": "OK", "msg_id": ""}
    try:
        header = read_map(read, header_frame, "BAD_HEADER")
        task["msg_id"] = read_msg_id(header, "NO_MSG_ID")
        metadata = read_map(read, metadata_frame, "BAD_METADATA")
        judge_fields(metadata if any(name in metadata for name in FIELDS) else header, task)
    except Refused as refused:
        task["status"] = str(refused)
    return task


def expected_reply(read, header_frame: bytes, parent_frame: bytes, metadata_frame: bytes) -> dict:
    names = ("status", "dependencies_met")
    reply = {"status": "OK", "msg_id": "", "ok": False, "met": False, "has_status": False}
    try:
        header = read_map(read, header_frame, "BAD_HEADER")
        parent = read_map(read, parent_frame, "BAD_PARENT")
        reply["msg_id"] = read_msg_id(parent, "BAD_PARENT")
        fields = read_map(read, metadata_frame, "BAD_METADATA")
        if not any(name in fields for name in names):
            fields = header
            if not any(name in fields for name in names):
                subheader = header.get("subheader")
                fields = subheader if isinstance(subheader, dict) else {}
        status = fields.get("status")
        reply["has_status"] = isinstance(status, str)
        reply["ok"] = status == "ok"
        reply["met"] = bool(fields.get("dependencies_met", True))
    except Refused as refused:
        reply["status"] = str(refused)
    return reply


# Random documents -------------------------------------------------------------------------------

TEXTS = ["", "a_1", "8ea740fd-85e6dbe4d8844ebf62e93b1d_28251_14", "ü☃😀", "a\0b", 'q"\\/\n', "x" * 1025]
ODD = [None, True, False, 0, 1, -1, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 0.0, -0.0, 1.0, 0.5, 1e300,
       -1e-300, 10**9, 10**9 + 1, 1e9, "", "1", [], {}, [[]], {"a": 1}]  # fmt: skip


def some_ids(rng: random.Random) -> list:
    ids: list = [rng.choice(TEXTS[:-1]) for _ in range(rng.randrange(4))]
    if rng.random() < 0.1:
        ids.append(rng.choice(ODD + TEXTS))
    return ids


def some_dependency(rng: random.Random) -> Any:
    kind = rng.random()
    if kind < 0.15:
        return rng.choice(ODD)
    if kind < 0.25:
        return rng.choice(TEXTS)
    if kind < 0.5:
        return some_ids(rng)
    value: dict = {}
    for name in ("dependencies", "all", "success", "failure", "other"):
        if rng.random() < 0.7:
            value[name] = rng.choice([True, True, False, 0, 1])
    if rng.random() < 0.2:
        value[rng.choice(["all", "success", "failure"])] = rng.choice(ODD)
    if "dependencies" in value:
        value["dependencies"] = rng.choice([some_ids(rng), some_ids(rng), rng.choice(ODD + TEXTS)])
    return value


def some_fields(rng: random.Random) -> dict:
    odd = rng.random() < 0.3
    good = {
        "targets": lambda: some_ids(rng),
        "retries": lambda: rng.choice([0, 1, 3, 2.0]),
        "after": lambda: some_dependency(rng),
        "follow": lambda: some_dependency(rng),
        "timeout": lambda: rng.choice([0, 0.0, 2.5, 10, None, rng.choice(ODD)]),
        "label": lambda: rng.choice([*ODD, *TEXTS]),
    }
    fields = {
        name: rng.choice(ODD) if odd and rng.random() < 0.3 else make()
        for name, make in good.items()
        if rng.random() < 0.7
    }
    items = list(fields.items())
    rng.shuffle(items)
    return dict(items)


def some_task(rng: random.Random) -> list:
    header: Any = {"msg_id": rng.choice(TEXTS[1:6]), "msg_type": "apply_request", "version": "5.4"}
    if rng.random() < 0.1:
        header["msg_id"] = rng.choice(ODD + TEXTS)
    if rng.random() < 0.3:  # the 2011 dialect
        header |= some_fields(rng)
    metadata: Any = some_fields(rng) if rng.random() < 0.85 else rng.choice([{}, {"label": 1}])
    if rng.random() < 0.03:
        metadata = rng.choice(ODD)
    return [header, metadata]


def some_reply(rng: random.Random) -> list:
    def fields() -> dict:
        result: dict = {"engine": "72d4cfda"}
        if rng.random() < 0.6:
            result["status"] = rng.choice(["ok", "error", "aborted", "ok", *ODD])
        if rng.random() < 0.6:
            result["dependencies_met"] = rng.choice([True, False, *ODD])
        return result

    header: Any = {"msg_id": "r_1", "msg_type": "apply_reply"}
    if rng.random() < 0.3:
        header |= fields()
    if rng.random() < 0.3:
        header["subheader"] = rng.choice([fields(), fields(), rng.choice(ODD)])
    parent = rng.choice([{"msg_id": "t_1"}] * 8 + [{"msg_id": rng.choice(ODD + TEXTS)}, {}])
    return [header, parent, rng.choice([fields(), fields(), fields(), {}, rng.choice(ODD)])]


# Encoding and mutating --------------------------------------------------------------------------


def write_json(rng: random.Random, value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    if text[0] == "{" and len(text) > 2 and rng.random() < 0.15:  # the same key twice
        name = rng.choice(list(value))
        text = "{" + json.dumps(name) + ": " + json.dumps(rng.choice(ODD)) + ", " + text[1:]
    return text.encode()


def mutate_json(rng: random.Random, frame: bytes) -> bytes:
    bits = [b"NaN", b"-Infinity", b"1e999", b"18446744073709551616", b"\\ud83d", b"\\u00e9", b"\xff",
            b"\xc3", b'"', b"{", b"}", b"[", b"]", b",", b":", b" ", b"\0", b"-", b"0", b"1e2", b"null",
            b"\\", b"\t"]  # fmt: skip
    at = rng.randrange(len(frame) + 1)
    kind = rng.random()
    if kind < 0.3:
        return frame[:at] + frame[at + rng.randrange(1, 3) :]
    if kind < 0.7:
        return frame[:at] + rng.choice(bits) + frame[at:]
    return frame[:at] + rng.choice(bits) + frame[at + rng.randrange(1, 4) :]


def mutate_msgpack(rng: random.Random, frame: bytes) -> bytes:
    at = rng.randrange(len(frame))
    kind = rng.random()
    if kind < 0.2:
        return frame[:at]
    if kind < 0.3:
        return frame + rng.randbytes(1)
    return frame[:at] + bytes([rng.choice([rng.randrange(256), frame[at] ^ 1])]) + frame[at + 1 :]


def has_timestamp(frames: list[bytes]) -> bool:
    """Whether a frame may hold extension type -1, whose content Python checks."""
    heads = (b"\xc7", b"\xc8", b"\xc9", b"\xd4", b"\xd5", b"\xd6", b"\xd7", b"\xd8")
    return any(head in frame and b"\xff" in frame for frame in frames for head in heads)


def case(rng: random.Random, packer: str, kind: str) -> dict:
    values = some_task(rng) if kind == "task" else some_reply(rng)
    if packer == "json":
        frames, read = [write_json(rng, value) for value in values], read_json
    else:
        frames, read = [msgpack.packb(value) for value in values], read_msgpack
    if rng.random() < 0.4:
        at = rng.randrange(len(frames))
        frames[at] = (mutate_json if packer == "json" else mutate_msgpack)(rng, frames[at])
        if packer == "msgpack" and has_timestamp(frames):
            return case(rng, packer, kind)
    expected = (expected_task if kind == "task" else expected_reply)(read, *frames)
    return {"packer": packer, "frames": [frame.hex() for frame in frames], kind: expected}


def main() -> None:
    rng = random.Random(20110912)
    cases = [
        case(rng, packer, kind)
        for packer in ("json", "msgpack")
        for kind, count in (("task", 300), ("reply", 100))
        for _ in range(count)
    ]
    lines = [json.dumps(each, separators=(",", ":")) + "\n" for each in cases]
    Path(__file__).with_name("cases.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main()
