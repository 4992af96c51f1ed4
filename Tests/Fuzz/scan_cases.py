"""The frames that scan_against_json.py compares: examples, corpora, random messages, mutations."""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path

from scan_differences import FRAMES, HUB, REFUSED, TAKEN

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "CScanTests"))
import generate_cases  # noqa: E402

KINDS = ("task", "reply", "hub")
FRAME_COUNTS = (2, 3, 2)
Case = tuple[int, list[bytes]]  # the kind's number; the frames


def read_corpus(folder: Path) -> list[Case]:
    cases = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        kind = data[0] % len(KINDS) if data else 0
        frames = (data[1:].split(b"\xc1\xc1") + [b"", b"", b""])[: FRAME_COUNTS[kind]]
        cases.append((kind, frames))
    return cases


def examples() -> list[Case]:
    header = b'{"msg_id": "a_1", "msg_type": "registration_notification"}'
    cases: list[Case] = [(0, [header, row.example]) for row in FRAMES]
    cases += [(2, [header.replace(b"registration_notification", b"connection_reply"), row.example]) for row in HUB]
    for row in REFUSED + TAKEN:
        cases += [(0, [header, json.dumps({name: row.example}).encode()]) for name in row.fields]
    for depth in (1021, 1022, 1023, 1024, 1025):
        for inner in (b"", b"0", b'{"a":1}'):
            deep = b"[" * depth + inner + b"]" * depth
            cases.append((2, [header, b'{"uuid": "u", "x": ' + deep + b"}"]))
    return cases


def random_case(rng: random.Random) -> Case:
    kind = rng.choice([0, 0, 1, 2])
    if kind == 2:
        uuid = rng.choice([*generate_cases.TEXTS, *generate_cases.ODD])
        values: list = [
            {"msg_type": rng.choice(["registration_notification", "connection_reply", *generate_cases.ODD])},
            {rng.choice(["uuid", "queue", "engines", "status"]): uuid, "engines": rng.choice([{"0": uuid}, None, {}])},
        ]
    else:
        values = generate_cases.some_task(rng) if kind == 0 else generate_cases.some_reply(rng)
    return kind, [generate_cases.write_json(rng, value) for value in values]


PIECES = [
    b"\xef\xbb\xbf", b"\\u0000", b"\\udc00", b"\\ud83d\\ude00", b"\\u00E9", b"\\/", b"\\x", b"\x7f", b"\x0b",
    b"\xc2\xa0", b"-0", b"-0.0", b"01", b"1.", b".5", b"+1", b"1E+2", b"1e-400", b"4.9e-324", b"0.1e1000",
    b"1" * 30, b"1" * 5000, b"9007199254740993", b"9223372036854775807", b"-9223372036854775809",
    b"18446744073709551615", b"Infinity", b"true", b"false", b"nul", b"tru", b"'", b"//", b"{}", b"[]", b'""',
    b'"retries":', b'"timeout":', b'"after":', b'"dependencies":', b'"failure":', b'"status":"ok"',
    b'"msg_id":"b_2",', b"[" * 40, b"]" * 40, b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe2\x82",
]  # fmt: skip


TOKEN = re.compile(rb'-?\d[\d.eE+-]*|"(?:[^"\\]|\\.)*"|true|false|null|\[\]|\{\}')
TOKENS = [
    b"NaN", b"Infinity", b"-Infinity", b"-0", b"-0.0", b"1e999", b"-1e999", b"1e-999", b"5e-324", b"1E+2",
    b"0.5", b"2.0", b"1e9", b"1000000001", b"9223372036854775807", b"9223372036854775808",
    b"18446744073709551615", b"18446744073709551616", b"-9223372036854775809", b"9007199254740993", b"true",
    b"false", b"null", b"0", b"1", b"-1", b'""', b'"1"', b'"nan"', b'"\\ud83d"', b'"\\ud83d\\ude00"',
    b'"\\ude00\\ud83d"', b'"\\u0000"', b'"\xf0\x9f\x98\x80"', b'"\xff"', b"[]", b"{}", b"[[]]",
    b'["a_1", "a_1"]', b'["a_1", 1]', b'{"dependencies": ["b_2"], "all": 0}', b'{"dependencies": null}',
    b'{"success": 0, "failure": 2}', b'"' + b"x" * 1024 + b'"', b'"' + b"x" * 1025 + b'"',
    b'["' + b"\xc3\xbc" * 513 + b'"]', b"[" * 1030 + b"]" * 1030,
]  # fmt: skip


def with_token(rng: random.Random, frame: bytes) -> bytes:
    """Another value in place of one, so that the frame is mostly still a document."""
    found = list(TOKEN.finditer(frame))
    if not found:
        return frame + rng.choice(TOKENS)
    at = rng.choice(found)
    return frame[: at.start()] + rng.choice(TOKENS) + frame[at.end() :]


def mutated(rng: random.Random, case: Case) -> Case:
    kind, frames = case[0], list(case[1])
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(len(frames))
        frame = frames[at]
        how = rng.random()
        if how < 0.2 and frame:  # of the same size: frames alike may be compared instead of parsed
            place = rng.randrange(len(frame))
            frames[at] = frame[:place] + bytes([rng.choice(b'a1"\\,:{}[] \x7f\xc3')]) + frame[place + 1 :]
        elif how < 0.5:
            frames[at] = with_token(rng, frame)
        elif how < 0.75:
            place = rng.randrange(len(frame) + 1)
            frames[at] = frame[:place] + rng.choice(PIECES) + frame[place + rng.choice([0, 0, 1, 4]) :]
        else:
            frames[at] = generate_cases.mutate_json(rng, frame)
    return kind, frames
