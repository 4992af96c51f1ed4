"""What the fuzz target `journal` begins with: files as CSources/CJournal/include/journal_format.h
says, sound ones, torn ones and damaged ones. Used by make_corpus.py.
"""

from __future__ import annotations

import struct

ACCEPTED, REFUSED, ASSIGNED, RETURNED, FINISHED, DELIVERED, FENCES, COMMIT, IDS, IN_BASE, END = range(1, 12)


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def journal_file(*records: tuple, kind: int = 1) -> bytes:
    """A file of records (type, task, payload, flags), numbered from 1."""
    journal_id = bytes(range(1, 17))
    head = struct.pack("<8sIIQQ16sQI", b"YMJOURNL", 1, kind, 1, 1, journal_id, 0, 0)
    file = head + struct.pack("<I", crc32c(head))
    for sequence, (record_type, task, payload, *flags) in enumerate(records, 1):
        fields = (record_type, flags[0] if flags else 0, 0, len(payload), sequence, task)
        record = struct.pack("<BBHQQI", *fields) + journal_id[:4] + payload + bytes(-len(payload) % 8)
        file += struct.pack("<I", crc32c(record)) + record
    return file


def journal_message(name: bytes, task_id: bytes, *frames: bytes) -> bytes:
    sizes = b"".join(struct.pack("<Q", len(each)) for each in frames)
    return struct.pack("<HHI", len(name), len(frames), len(task_id)) + sizes + name + task_id + b"".join(frames)


def journal() -> dict[str, bytes]:
    mended, base = 1, 2
    engine, other, none = b"72d4cfda-885938c59da7ad98fecfe90d", b"a8a1fedf-8fdbc251bdf2141a38df7ab7", 0xFFFFFFFF
    prefix = b"8ea740fd-85e6dbe4d8844ebf62e93b1d_28251"
    names = [b"%s_%d" % (prefix, number) for number in range(3)]
    client = b"\0\x6b\x8b\x45\x67"
    tasks = [(ACCEPTED, n, journal_message(client, name, b"{}", b"code")) for n, name in enumerate(names)]
    life = [
        *tasks,
        (FENCES, none, engine),
        (ASSIGNED, 0, engine),
        (RETURNED, 0, engine, 1),
        (ASSIGNED, 0, other),
        (FINISHED, 0, journal_message(other, client, b"{}"), 4 | 8),
        (DELIVERED, 0, b""),
        (ASSIGNED, 1, engine),
        (REFUSED, 3, journal_message(client, b"odd-id")),
        (COMMIT, none, struct.pack("<QQ", 11, 3)),
    ]
    # Three ids, each with its prefix, step and fate: completed, failed, failed nowhere or waiting.
    page = struct.pack("<II", 3, 1) + bytes([len(prefix)]) + prefix + b"\1\0\1\1\0\2\1\0"
    first, last = (IN_BASE, none, engine), (END, none, b"")
    compacted = [first, (IDS, 0, page + b"\3"), last]
    waiting = [first, (IDS, 0, page + b"\0"), tasks[2], last]
    whole = journal_file(*life)
    return {
        "life": b"\0" + whole, "life-mended": bytes([mended]) + whole,
        "torn": b"\0" + whole[:-20], "damaged": b"\0" + whole[:80] + b"\xff" + whole[81:],
        "base": b"\0" + journal_file(*compacted, kind=2),
        "base-mended": bytes([mended | base]) + journal_file(*compacted, kind=2),
        "base-live": bytes([mended | base]) + journal_file(*waiting, kind=2),
        "unknown-task": bytes([mended]) + journal_file((ASSIGNED, 7, engine)),
        "empty": b"\0" + journal_file(), "nothing": b"",
    }  # fmt: skip
