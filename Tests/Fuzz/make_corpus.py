#!/usr/bin/env python3
"""Write corpus/TARGET/NAME: what the fuzz targets begin with.

    Tests/Fuzz/make_corpus.py            needs the package `msgpack`
    Tests/Fuzz/make_corpus.py --check    exit 1 when a file is not what this script writes

Messages are those of an ipyparallel 9.2 cluster, as recorded from one; wire bytes are what libzmq
sends. Files named found-* are not ours: inputs that once broke something, kept for ever. The layout
of an input stands at the head of its target's C file.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import msgpack
from journal_cases import journal

FOLDER = Path(__file__).resolve().parent / "corpus"
SEPARATOR = b"\xc1\xc1"

# Messages ----------------------------------------------------------------------------------------

SESSION = "8ea740fd-85e6dbe4d8844ebf62e93b1d"
ENGINE = "72d4cfda-885938c59da7ad98fecfe90d"
OTHER_ENGINE = "a8a1fedf-8fdbc251bdf2141a38df7ab7"


def header(number: int, msg_type: str, **more) -> dict:
    return {
        "msg_id": f"{SESSION}_28251_{number}", "msg_type": msg_type, "username": "username",
        "session": SESSION, "date": "2026-11-23T06:58:16.811638Z", "version": "5.4", **more,
    }  # fmt: skip


def metadata(**more) -> dict:
    return {
        "after": [], "follow": [], "timeout": 0.0, "targets": [], "retries": 0, "label": None, **more,
    }  # fmt: skip


def ids(*numbers: int) -> list[str]:
    return [f"{SESSION}_28251_{number}" for number in numbers]


def dependency(*numbers: int, **more) -> dict:
    return {"all": True, "success": True, "failure": False, "dependencies": ids(*numbers), **more}


REPLY = {
    "date": "2026-11-23T06:58:16.830000Z", "dependencies_met": True, "engine": ENGINE,
    "is_broadcast": False, "is_coalescing": False, "original_msg_id": "", "started": "2026-11-23T06:58:16.820000Z",
    "status": "ok",
}  # fmt: skip
APPLY = header(12, "apply_request")

# Kind, then the frames that a scan of this kind takes: scan_print.h.
SCANS: dict[str, tuple[int, list]] = {
    "task": (0, [APPLY, metadata()]),
    "task-after": (0, [APPLY, metadata(after=ids(10, 11), follow=ids(11))]),
    "task-dependency": (0, [APPLY, metadata(after=dependency(1, 2, all=False, failure=True))]),
    "task-dependency-neither": (0, [APPLY, metadata(follow=dependency(1, success=False))]),
    "task-targets": (0, [APPLY, metadata(targets=[ENGINE, OTHER_ENGINE], retries=3, timeout=2.5)]),
    "task-one-id": (0, [APPLY, metadata(after=ids(1)[0], follow=None, timeout=None)]),
    "task-label": (0, [APPLY, metadata(label="ünïcode ☃ 😀")]),
    "task-resubmitted": (0, [APPLY, {}]),
    "task-2011": (0, [header(13, "apply_request", targets=[], retries=1, after=ids(3), timeout=1), {}]),
    "task-odd": (0, [header(14, "execute_request"), metadata(retries=1e9, timeout=2**64 - 1, after=0)]),
    "task-wrong": (0, [APPLY, metadata(retries=-1, targets="all", timeout="soon", after={"all": 2})]),
    # Refused after lists were read: what was kept of them is given back.
    "task-wrong-late": (0, [APPLY, metadata(targets=[ENGINE], after=ids(1, 2), follow=dependency(3), timeout=-1)]),
    "task-wrong-id": (0, [APPLY, metadata(targets=[ENGINE], after=[*ids(1, 2), 3])]),
    "task-long-id": (0, [APPLY, metadata(follow=[*ids(1), "x" * 1025])]),
    "reply": (1, [header(4, "apply_reply"), APPLY, REPLY]),
    "reply-error": (1, [header(5, "apply_reply"), APPLY, REPLY | {"status": "error"}]),
    "reply-unmet": (1, [header(6, "apply_reply"), APPLY, REPLY | {"dependencies_met": False}]),
    "reply-2011": (1, [header(7, "apply_reply", subheader={"status": "ok", "dependencies_met": []}), APPLY, {}]),
    "registration": (2, [header(8, "registration_notification"), {"id": 0, "uuid": ENGINE}]),
    "registration-2011": (2, [header(8, "unregistration_notification"), {"id": 0, "queue": ENGINE}]),
    "connection": (
        2,
        [header(9, "connection_reply"), {"status": "ok", "engines": {"0": ENGINE, "1": OTHER_ENGINE}}],
    ),
    "shutdown": (2, [header(9, "shutdown_notification"), {}]),
}


def scan_case(kind: int, frames: list[bytes], *changes: tuple[int, int, int]) -> bytes:
    frames = frames + [b""] * (3 - len(frames) if changes else 0)
    packed = b"".join(struct.pack(">BHB", *change) for change in changes)
    return bytes([kind]) + SEPARATOR.join(frames) + (SEPARATOR + packed if changes else b"")


def changed_cases(pack) -> dict[str, bytes]:
    """A message, and the next one, which differs in its id, its date, or in something that counts."""
    changes = {
        "id": [(0, 56, 0x39)], "quote": [(0, 56, 0x22)], "escape": [(0, 50, 0x5C)], "not-ascii": [(0, 90, 0xC3)],
        "name": [(0, 3, 0x4D)], "several": [(0, 56, 0x38), (0, 150, 0x31), (1, 12, 0x20), (1, 40, 0x31)],
        "brackets": [(1, 10, 0x7B), (1, 11, 0x7D)],
    }  # fmt: skip
    cases = {}
    for name in ("task", "reply", "task-resubmitted"):
        kind, values = SCANS[name]
        for what, bytes_changed in changes.items():
            cases[f"{name}-then-{what}"] = scan_case(kind, [pack(each) for each in values], *bytes_changed)
    return cases


def to_json(value) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def scan_json() -> dict[str, bytes]:
    cases = {name: scan_case(kind, [to_json(each) for each in frames]) for name, (kind, frames) in SCANS.items()}
    raw = {
        "escapes": b'{"targets": ["\\u00fc\\ud83d\\ude00\\n\\/\\\\"], "label": "\\ud83d"}',
        "repeated-keys": b'{"retries": 1, "retries": 2, "after": "a_1", "after": []}',
        "numbers": b'{"timeout": 1e-5, "retries": 2.0, "x": [-0, 0.1e+9, 18446744073709551616, 1e999]}',
        "constants": b'{"timeout": NaN, "x": [Infinity, -Infinity]}',
        "deep": b'{"x": ' + b"[" * 40 + b"]" * 40 + b"}",
        "not-utf8": b'{"label": "\xff\xc3"}',
        "mark": b'\xef\xbb\xbf{"retries": 1}',
    }
    cases |= changed_cases(to_json)
    # What a rule reads, letter by letter: "ok" becomes "no", an engine's name another.
    kind, frames = SCANS["reply"]
    packed = [to_json(each) for each in frames]
    at = packed[2].index(b'"ok"')
    cases["reply-then-status"] = scan_case(kind, packed, (2, at + 1, 0x6E), (2, at + 2, 0x6F))
    nested = to_json(APPLY | {"x": {"msg_id": APPLY["msg_id"]}})
    cases["task-then-nested-id"] = scan_case(0, [nested, b"{}"], (0, nested.rindex(b"_12") + 2, 0x39))
    kind, frames = SCANS["task-targets"]
    packed = [to_json(each) for each in frames]
    cases["task-then-target"] = scan_case(kind, packed, (1, packed[1].index(b"72d4"), 0x38))
    return cases | {f"raw-{name}": scan_case(0, [to_json(APPLY), frame]) for name, frame in raw.items()}


def scan_msgpack() -> dict[str, bytes]:
    cases = {name: scan_case(kind, [msgpack.packb(each) for each in frames]) for name, (kind, frames) in SCANS.items()}
    raw = {
        "huge-counts": b"\x81\xa5after\xdd\xff\xff\xff\xff",
        "binary-key": b"\x82\xc4\x07retries\x01\xa7retries\x02",
        "extension": b"\x81\xa1x\xd6\xff\x00\x00\x00\x00",
        "deep": b"\x81\xa1x" + b"\x91" * 31 + b"\xc0",
        "too-deep": b"\x81\xa1x" + b"\x91" * 33 + b"\xc0",
        "all-widths": b"\xde\x00\x05\xd9\x01a\xcc\x01\xda\x00\x01b\xcd\x00\x02\xdb\x00\x00\x00\x01c"
        b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff\xa7timeout\xca\x3f\x80\x00\x00\xa7retries\xd2\x00\x00\x00\x01",
    }
    kind, frames = SCANS["task"]
    cases["task-then-id"] = scan_case(kind, [msgpack.packb(each) for each in frames], (0, 40, 0x39), (1, 20, 0x31))
    return cases | {f"raw-{name}": scan_case(0, [msgpack.packb(APPLY), frame]) for name, frame in raw.items()}


# The wire ----------------------------------------------------------------------------------------


def greeting_bytes(mechanism: bytes = b"NULL", major: int = 3, minor: int = 1) -> bytes:
    # libzmq puts the length of an old peer's identity, and 1, into the padding.
    head = b"\xff" + bytes(7) + b"\x01\x7f" + bytes([major, minor])
    return head + mechanism.ljust(20, b"\0") + bytes(32)


def frame_bytes(body: bytes, more: bool = False, command: bool = False, long: bool = False) -> bytes:
    flags = more | command << 2
    if len(body) < 256 and not long:
        return bytes([flags, len(body)]) + body
    return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body


def properties(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"".join(bytes([len(name)]) + name + struct.pack(">I", len(value)) + value for name, value in pairs)


def command_body(name: bytes, data: bytes = b"") -> bytes:
    return bytes([len(name)]) + name + data


def ready(socket: bytes, identity: bytes = b"") -> bytes:
    return command_body(b"READY", properties((b"Socket-Type", socket), (b"Identity", identity)))


def multipart(*frames: bytes) -> bytes:
    last = len(frames) - 1
    return b"".join(frame_bytes(body, more=at < last) for at, body in enumerate(frames))


APPLY_MESSAGE = multipart(
    b"<IDS|MSG>", b"c0ffee" * 10, to_json(APPLY), b"{}", to_json(metadata()), b"{}", b"pickled", bytes(300)
)
PING = command_body(b"PING", b"\x00\x64context")


def greeting() -> dict[str, bytes]:
    return {
        "null": b"\0" + greeting_bytes(),
        "null-3.0": b"\0" + greeting_bytes(minor=0),
        "curve": b"\1" + greeting_bytes(b"CURVE"),
        "other-mechanism": b"\1" + greeting_bytes(b"NULL"),
        "zmtp-2.0": b"\0" + greeting_bytes(major=1),
        "zmtp-2.1": b"\0" + greeting_bytes(major=2),
        "zmtp-1": b"\0\xff\0\0\0\0\0\0\0\x05\0",
        "http": b"\0GET / HTTP/1.1\r\n\r\n",
        "tls": b"\0\x16\x03\x01\x02\x00",
    }


def frame() -> dict[str, bytes]:
    return {
        "message": APPLY_MESSAGE,
        "long-small": frame_bytes(b"small", long=True) + frame_bytes(b"", more=True),
        "command": frame_bytes(PING, command=True),
        "huge": b"\x02" + b"\x7f" + b"\xff" * 7,
        "too-huge": b"\x02" + b"\x80" + bytes(7),
        "reserved": b"\x08\x00",
    }


def command() -> dict[str, bytes]:
    return {
        "ready-dealer": ready(b"DEALER", ENGINE.encode()),
        "ready-sub": command_body(b"READY", properties((b"Socket-Type", b"SUB"))),
        "ping": PING,
        "subscribe": command_body(b"SUBSCRIBE", b"tracktask"),
        "cut": ready(b"ROUTER")[:-3],
        "empty-name": b"\0abc",
    }


def peer() -> dict[str, bytes]:
    handshake = greeting_bytes() + frame_bytes(ready(b"DEALER", ENGINE.encode()), command=True)
    router, dealer, pub, sub, bound, greeted, repeats = 0, 1, 2, 3, 4, 8, 16

    def case(options: int, data: bytes, largest: int = 0, allowed: int = 0, seed: int = 1) -> bytes:
        return bytes([options, largest, allowed, seed]) + data

    return {
        "router": case(router | bound, handshake + APPLY_MESSAGE * 2),
        "router-probe": case(router | bound | greeted, frame_bytes(b"") + APPLY_MESSAGE),
        "dealer": case(dealer | greeted, APPLY_MESSAGE + frame_bytes(PING, command=True) + APPLY_MESSAGE),
        "sub": case(sub | greeted, multipart(b"engine", to_json(APPLY))),
        "pub-3.1": case(pub | greeted, frame_bytes(command_body(b"SUBSCRIBE"), command=True)),
        "pub-3.0": case(pub | greeted, frame_bytes(b"\x01intask") + frame_bytes(b"\x00intask")),
        "pub-cancel": case(pub | bound | greeted, frame_bytes(command_body(b"CANCEL", b"x"), command=True)),
        "ping-within": case(
            router | bound | greeted, frame_bytes(b"a", more=True) + frame_bytes(PING, command=True) + frame_bytes(b"b")
        ),
        "wrong-type": case(pub | bound, greeting_bytes() + frame_bytes(ready(b"DEALER"), command=True)),
        "error": case(dealer, greeting_bytes() + frame_bytes(command_body(b"ERROR", b"\x02no"), command=True)),
        "largest": case(router | bound | greeted, APPLY_MESSAGE, largest=16),
        "refused": case(router | bound | greeted, APPLY_MESSAGE * 3, allowed=2),
        # 65,536 * 2 bytes in one frame, and one more behind it.
        "large-frame": case(
            router | bound | greeted | repeats, b"\x03" + struct.pack(">Q", 131072) + b"\xe5\xffab" + APPLY_MESSAGE
        ),
        # More frames than a message may have, then one that is taken.
        "many-frames": case(router | bound | greeted | repeats, b"\xe5\xff\x01\x00" + b"\x00\x00" + APPLY_MESSAGE),
        # Exactly as many as it may have.
        "all-frames": case(
            router | bound | greeted | repeats,
            b"\xe5\xfe\x01\x00" + b"\xe5\x7f\x01\x00" * 3 + b"\xe5\x7d\x01\x00" + b"\x00\x00" + APPLY_MESSAGE,
        ),
        "large-command": case(
            router | bound | greeted | repeats, b"\x06" + struct.pack(">Q", 65536) + b"\x07unknown" + b"\xe5\xbfab"
        ),
    }


def curve() -> dict[str, bytes]:
    def case(stage: int, how: int = 0, where: int = 0, by: int = 1, data: bytes = b"") -> bytes:
        return bytes([stage, how]) + struct.pack(">H", where) + bytes([by, 7, 4, 3]) + data

    ours = ready(b"DEALER", ENGINE.encode())[6:].ljust(56, b"\0") + b"a frame's bytes"
    cases = {"good": case(9, data=ours), "large-metadata": bytes([9, 0, 0, 0, 0, 1, 255, 255]) + bytes(4080)}
    for stage, name in enumerate(["hello", "welcome", "initiate", "ready", "to-server", "to-client"]):
        for how, what in enumerate(["flipped", "cut", "longer", "replaced"]):
            cases[f"{name}-{what}"] = case(stage, how, 40, data=ours)
    cases["initiate-error"] = case(1, 3, data=bytes(56) + command_body(b"ERROR", b"\x05denied"))
    return cases


def curve_stream() -> dict[str, bytes]:
    def message(*frames: bytes) -> bytes:
        last = len(frames) - 1
        return b"".join(bytes([len(body) // 3, at < last]) + body for at, body in enumerate(frames))

    messages = message(b"<IDS|MSG>", b"", b"abcdef") + message(bytes(765)) + message(b"", b"")
    cases = {"good": bytes([0, 0, 0, 0, 1]) + messages}
    for altered, to in ((1, "server"), (2, "client")):
        for where in (5, 100, 300, 700, 1000):
            cases[f"to-{to}-{where}"] = bytes([altered]) + struct.pack(">H", where) + b"\x01\x02" + messages
    return cases


# The rest ----------------------------------------------------------------------------------------


def keys() -> dict[str, bytes]:
    # The example of ZeroMQ's RFC 26, and the text of its RFC 32.
    public = b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
    secret = b"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
    return {
        "pair": SEPARATOR.join([public, secret, b"HelloWorld"]),
        "swapped": SEPARATOR.join([secret, public, b"\x86\x4f\xd2\x6f\xb5\x59\xf7\x5b"]),
        "short": SEPARATOR.join([public[:39], secret, b"#####"]),
        "not-z85": SEPARATOR.join([public[:39] + b'"', secret, b"%nSc0"]),
    }


def endpoint() -> dict[str, bytes]:
    urls = [
        "tcp://127.0.0.1:5555", "tcp://*:5555", "tcp://*:*", "tcp://[::1]:65535", "tcp://[fe80::1%eth0]:1",
        "tcp://host.example:00080", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536", "tcp://::1:5555", "tcp://host",
        "ipc:///run/yardmaster.sock", "ipc://@abstract", "ipc://@", "ipc://" + "x" * 107, "ipc://" + "x" * 108,
        "tcp://" + "h" * 255 + ":1", "tcp://[" + "1" * 255 + "]:1", "udp://host:1", "",
    ]  # fmt: skip
    return {f"{at:02}": url.encode() for at, url in enumerate(urls)}


def signature() -> dict[str, bytes]:
    key = b"a3f0c1d2-5b6e7f8091a2b3c4d5e6f708"
    signed = to_json(APPLY) + b"{}" + to_json(metadata()) + b"{}"
    cases = {
        f"scheme-{scheme}": bytes([scheme, len(key)]) + key + bytes([199, 2, 90, 5]) + signed for scheme in range(6)
    }
    return cases | {"no-key": bytes([0, 0, 9, 9, 9, 9]) + signed, "nothing-signed": b"\x00\x01kabcd"}


def intake() -> dict[str, bytes]:
    packed, key, signed, altered = 4, 8, 16, 32
    cases = {}
    for kind, name in enumerate(("task", "reply", "registration")):
        frames = SCANS[name][1]
        parent, content = (frames[1], {}) if kind == 1 else ({}, frames[1] if kind == 2 else {})
        parts = [frames[0], parent, frames[-1] if kind < 2 else {}, content]
        for what, options, pack in (("json", 0, to_json), ("msgpack", packed, msgpack.packb)):
            body = SEPARATOR.join([b"\0\x6b\x8b\x45\x67", *(pack(each) for each in parts)])
            cases[f"{name}-{what}"] = bytes([kind | options | key | signed]) + body
            cases[f"{name}-{what}-no-key"] = bytes([kind | options | signed]) + body
            cases[f"{name}-{what}-altered"] = bytes([kind | options | key | signed | altered]) + body
    cases["no-delimiter"] = b"\0" + SEPARATOR.join([b"id", b"{}", b"{}", b"{}", b"{}"])
    cases["too-few"] = b"\0" + SEPARATOR.join([b"id", b"<IDS|MSG>", b"", b"{}", b"{}", b"{}"])
    cases["odd-id"] = bytes([signed]) + SEPARATOR.join([b'{"msg_id": "\\\\"}', b"{}", b"{}", b"{}"])
    return cases


def names() -> dict[str, bytes]:
    runs = [text.encode() for text in ids(1, 2, 2, 3, 300, 70000, 999999999)]
    odd = [b"_1", b"a_01", b"a_1234567890", b"a_", b"_", b"a_0", b"a__1", b"p" * 257 + b"_1", b"\0\x6b\x8b\x45\x67"]
    return {
        "runs": b"\x01" + SEPARATOR.join(runs),
        "odd": b"\x02" + SEPARATOR.join(odd + [b""] + odd),
        "engines": b"\x03" + SEPARATOR.join([ENGINE.encode(), OTHER_ENGINE.encode()] * 3),
        "many": b"\x04" + SEPARATOR.join(b"s_%d" % number for number in range(60)),
    }


TARGETS = [
    greeting, frame, command, peer, curve, curve_stream, keys, endpoint, signature, names, intake, journal,
    scan_json, scan_msgpack,
]  # fmt: skip


def main() -> int:
    wrong = 0
    for target in TARGETS:
        folder = FOLDER / target.__name__
        written = target()
        if "--check" in sys.argv[1:]:
            kept = {path.name: path.read_bytes() for path in folder.glob("*") if not path.name.startswith("found-")}
            differ = {name for name in kept.keys() | written.keys() if kept.get(name) != written.get(name)}
            for name in sorted(differ):
                print(f"{folder / name}: is not what make_corpus.py writes; run it", file=sys.stderr)
                wrong += 1
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*"):
            if not path.name.startswith("found-") and path.name not in written:
                path.unlink()
        for name, data in written.items():
            (folder / name).write_bytes(data)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
