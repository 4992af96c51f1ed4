#!/usr/bin/env python3
"""Compare the header scan with Python's json, and with what ipyparallel does with the fields.

    Tests/Fuzz/scan_against_json.py [--seed N] [--count N] [--only N] [CORPUS...]

The same bytes go to CScan (through scan_lines.c) and to json.loads as Session calls it; a task's
fields go to ipyparallel's own code. Same acceptance, same fields: scan_differences.py lists every
exception with its reason. The cases are the examples of that table, the corpus of scan_json (and
of the folders given, such as .build/fuzz/corpus/scan_json after a run of run.sh), random messages,
and mutations of all of these. Frames are mutated one at a time, mostly as text.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from ipyparallel.controller.dependency import Dependency
from scan_cases import KINDS, Case, examples, generate_cases, mutated, random_case, read_corpus
from scan_differences import FRAMES, HUB, REFUSED, TAKEN, Field, Pairs, has_odd_switch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCANNER = ROOT / ".build" / "fuzz" / "plain" / "scan_lines"
# As in scan.h.
STATUS = {
    "OK": 0, "BAD_HEADER": 1, "NO_MSG_ID": 2, "BAD_METADATA": 3, "BAD_TARGETS": 4, "BAD_RETRIES": 5,
    "BAD_TIMEOUT": 6, "BAD_AFTER": 7, "BAD_FOLLOW": 8, "TOO_MANY": 9, "BAD_PARENT": 10, "BAD_CONTENT": 11,
    "NO_NEITHER": 12, "LONG_MSG_ID": 13,
}  # fmt: skip
used: Counter[str] = Counter()


# What Python makes of it ---------------------------------------------------------------------------


def read(frame: bytes) -> Any:
    """json.loads as Session's unpacker calls it. ValueError, too, where a row of FRAMES applies."""
    text = frame.decode("utf8", "replace")
    value = json.loads(text)
    document = json.loads(text, object_pairs_hook=Pairs)
    for row in FRAMES:
        if row.applies(frame, document):
            used[row.name] += 1
            raise ValueError(row.reason)
    return value


def stock_dependency(value: Any) -> dict:
    made = Dependency(value)
    return {"ids": set(made), "all": bool(made.all), "success": bool(made.success), "failure": bool(made.failure)}


def stock_retries(value: Any) -> int:
    return value if value > 0 else 0


# As in TaskScheduler.dispatch_submission, whose exceptions leave the client waiting.
STOCK = {
    "targets": lambda value: [name.encode("utf8", "replace").decode() for name in value],
    "retries": stock_retries,
    "after": lambda value: stock_dependency(value if value else []),
    "follow": stock_dependency,
    "timeout": lambda value: float(value) if value else 0.0,
}
ABSENT = {"targets": [], "retries": 0, "after": None, "follow": [], "timeout": None}


def row_for(table: list[Field], name: str, value: Any) -> Field | None:
    return next((row for row in table if name in row.fields and row.applies(value)), None)


def has_neither(value: Any) -> bool:
    return isinstance(value, dict) and not value.get("success", True) and not value.get("failure", False)


def judge_field(name: str, value: Any) -> Any:
    """What the scan must make of it: ipyparallel's value, if no row says otherwise."""
    status = f"BAD_{name.upper()}"
    is_dependency = name in ("after", "follow")
    try:
        result, raised = STOCK[name](value), False
    except (TypeError, ValueError, AttributeError):
        result, raised = None, True
    refused, taken = row_for(REFUSED, name, value), row_for(TAKEN, name, value)
    if refused and not raised:
        used[refused.name] += 1
    if is_dependency and has_neither(value) and not has_odd_switch(value):
        raise generate_cases.Refused("NO_NEITHER")
    if refused:
        raise generate_cases.Refused(status)
    if taken:
        used[taken.name] += 1
        without = {**value, "dependencies": []} if isinstance(value, dict) else ABSENT[name]
        return STOCK[name](without)
    if raised:
        raise generate_cases.Refused(status)
    return result



def expected_task(header_frame: bytes, metadata_frame: bytes) -> dict:
    task: dict = {"status": "OK", "msg_id": ""}
    try:
        header = generate_cases.read_map(read, header_frame, "BAD_HEADER")
        task["msg_id"] = generate_cases.read_msg_id(header, "NO_MSG_ID")
        metadata = generate_cases.read_map(read, metadata_frame, "BAD_METADATA")
        # The 2011 dialect: SEMANTICS in README.md.
        source = metadata if any(name in metadata for name in generate_cases.FIELDS) else header
        for name in generate_cases.FIELDS:
            task[name] = judge_field(name, source.get(name, ABSENT[name]))
    except generate_cases.Refused as refused:
        task["status"] = str(refused)
    return task


def expected_hub(header_frame: bytes, content_frame: bytes) -> dict:
    hub: dict = {"status": "OK", "msg_type": "", "uuid": "", "engines": [], "status_text": ""}
    try:
        msg_type = generate_cases.read_map(read, header_frame, "BAD_HEADER").get("msg_type")
        if not isinstance(msg_type, str) or not msg_type:
            raise generate_cases.Refused("BAD_HEADER")
        hub["msg_type"] = msg_type
        content = generate_cases.read_map(read, content_frame, "BAD_CONTENT")
        uuid = content.get("uuid", content.get("queue"))  # queue: 2011
        hub["uuid"] = uuid if isinstance(uuid, str) else ""
        text = content.get("status")
        hub["status_text"] = text if isinstance(text, str) else ""
        if msg_type in ("registration_notification", "unregistration_notification") and not hub["uuid"]:
            raise generate_cases.Refused("BAD_CONTENT")
        engines = content.get("engines")
        engines = {} if engines is None else engines
        if not isinstance(engines, dict):
            raise generate_cases.Refused("BAD_CONTENT")
        uuids = list(engines.values())
        pairs = json.loads(content_frame, object_pairs_hook=Pairs)
        for row in HUB:
            if row.applies(pairs):
                used[row.name] += 1
                uuids = [each for _, each in dict(pairs)["engines"]]
        if not all(isinstance(each, str) and each for each in uuids):
            raise generate_cases.Refused("BAD_CONTENT")
        hub["engines"] = uuids
    except generate_cases.Refused as refused:
        hub["status"] = str(refused)
    return hub


def expected(case: Case) -> dict:
    kind, frames = case
    if kind == 0:
        return expected_task(*frames)
    return generate_cases.expected_reply(read, *frames) if kind == 1 else expected_hub(*frames)


# What the scan makes of it ------------------------------------------------------------------------


def scan(cases: list[Case]) -> list[dict]:
    stream = bytearray()
    for kind, frames in cases:
        stream += bytes([0, kind])
        for frame in frames:
            stream += struct.pack("<I", len(frame)) + frame
    done = subprocess.run([str(SCANNER)], input=bytes(stream), capture_output=True, check=False)
    lines = done.stdout.decode().splitlines()
    if done.returncode != 0 or len(lines) != len(cases):
        at = f"ended with {done.returncode} in case {len(lines)} of {len(cases)}"
        sys.exit(f"scan_lines {at}: {done.stderr.decode()[-2000:]}")
    return [json.loads(line) for line in lines]


def text(value: str) -> str:
    return bytes.fromhex(value).decode()


def dependency_of(line: dict) -> dict:
    flags = {name: bool(line[name]) for name in ("all", "success", "failure")}
    return {"ids": {text(each) for each in line["ids"]}, **flags}


def as_expected(kind: int, line: dict) -> dict:
    """A line of scan_print.h in the form of the expectations."""
    names = {number: name for name, number in STATUS.items()}
    result: dict = {"status": names[line["status"]]}
    if kind == 0:
        result["msg_id"] = text(line["msg_id"])
        if result["status"] == "OK":
            result |= {"targets": [text(each) for each in line["targets"]], "retries": line["retries"]}
            result |= {name: dependency_of(line[name]) for name in ("after", "follow")}
            result["timeout"] = float.fromhex(line["timeout"])
    elif kind == 1:
        result |= {name: bool(line[name]) for name in ("ok", "met", "has_status")} | {"msg_id": text(line["msg_id"])}
    else:
        result |= {name: text(line[name]) for name in ("msg_type", "uuid", "status_text")}
        result["engines"] = [text(each) for each in line["engines"]]
    return result


def comparable(kind: int, value: dict) -> dict:
    """Fields of what was refused are nobody's business; engines come in the order of the bytes."""
    if value["status"] != "OK":
        return {name: value[name] for name in ("status", "msg_id", "msg_type") if name in value}
    return value | {"engines": sorted(value["engines"])} if kind == 2 else value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--count", type=int, default=6000, help="mutations")
    parser.add_argument("--only", type=int, help="this case alone, and what came of it")
    parser.add_argument("corpus", type=Path, nargs="*")
    options = parser.parse_args()
    # Its limit is not what is compared; see FRAMES.
    sys.setrecursionlimit(20_000)
    folders = " ".join(map(str, options.corpus))
    again = f"Tests/Fuzz/scan_against_json.py --seed {options.seed} --count {options.count} {folders}".rstrip()
    print(f"scan against json: {again}")

    rng = random.Random(options.seed)
    cases = examples() + read_corpus(HERE / "corpus" / "scan_json")
    for folder in options.corpus:
        cases += read_corpus(folder)
    cases += [random_case(rng) for _ in range(options.count // 4)]
    cases += [mutated(rng, rng.choice(cases)) for _ in range(options.count)]
    if options.only is not None:
        cases = [cases[options.only]]

    wrong = 0
    statuses: Counter[str] = Counter()
    for number, (case, line) in enumerate(zip(cases, scan(cases))):
        wanted = comparable(case[0], expected(case))
        got = comparable(case[0], as_expected(case[0], line))
        statuses[f"{KINDS[case[0]]} {wanted['status']}"] += 1
        if wanted != got or options.only is not None:
            print(f"case {number}, {KINDS[case[0]]} {case[1]}\n  Python: {wanted}\n  scan:   {got}")
            print(f"  replay: {again} --only {options.only if options.only is not None else number}")
        wrong += wanted != got
    if options.only is None:
        unused = [row.name for row in [*FRAMES, *REFUSED, *TAKEN, *HUB] if not used[row.name]]
        for name in unused:
            print(f"scan_differences.py: \"{name}\": nothing differs there; remove the row")
        wrong += len(unused)
    print(f"scan against json: {len(cases)} cases, {wrong} wrong;", dict(sorted(statuses.items())))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
