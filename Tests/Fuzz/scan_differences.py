"""Where the header scan differs from ipyparallel on purpose. Used by scan_against_json.py.

Four tables, each row with a reason and an example that needs it:

    FRAMES   frames that json.loads takes, and we refuse
    REFUSED  values of a task's field that TaskScheduler.dispatch_submission takes, and we refuse
    TAKEN    values that make dispatch_submission raise (the client then waits for ever), and we
             take for a default
    HUB      contents of a hub message that are read another way

Whatever no row speaks of must come out alike.
"""

from __future__ import annotations

import json
import math
from typing import Any, Callable, Iterator, NamedTuple

ID_SIZE_MAX = 1024
RETRIES_MAX = 1_000_000_000


class Frame(NamedTuple):
    name: str
    reason: str
    applies: Callable[[bytes, Any], bool]  # the bytes; the document, objects as Pairs
    example: bytes


class Field(NamedTuple):
    name: str
    fields: tuple[str, ...]
    reason: str
    applies: Callable[[Any], bool]
    example: Any


class Pairs(list):
    """An object's entries, repeated keys and all."""


def walk(document: Any) -> Iterator[tuple[Any, int]]:
    """Every value and key, with the number of lists and objects that it stands in."""
    waiting = [(document, 0)]
    while waiting:
        value, depth = waiting.pop()
        yield value, depth
        if isinstance(value, Pairs):
            waiting += [(item, depth + 1) for pair in value for item in pair]
        elif isinstance(value, list):
            waiting += [(item, depth + 1) for item in value]


def any_value(test: Callable[[Any], bool]) -> Callable[[bytes, Any], bool]:
    return lambda frame, document: any(test(value) for value, _ in walk(document))


def is_not_utf8(frame: bytes, document: Any) -> bool:
    try:
        frame.decode("utf8")
    except UnicodeDecodeError:
        return True
    return False


def has_constant(frame: bytes, document: Any) -> bool:
    found: list[str] = []
    json.loads(frame.decode("utf8", "replace"), parse_constant=found.append)
    return bool(found)


def nests_deeply(frame: bytes, document: Any) -> bool:
    # simdjson counts lists and maps that hold something.
    return any(depth >= 1023 and isinstance(value, list) and value for value, depth in walk(document))


def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_surrogate(value: Any) -> bool:
    return isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value)


FRAMES = [
    Frame(
        "not UTF-8", "Session puts U+FFFD in place of what it cannot decode: ids would not be those that were sent",
        is_not_utf8, b'{"label": "\xff"}',
    ),
    Frame("NaN, Infinity", "they are not JSON, and Session refuses to send them", has_constant, b'{"timeout": NaN}'),
    Frame(
        "integers beyond 64 bits", "no field of a message has one; simdjson does not read them",
        any_value(lambda value: is_int(value) and not -(2**63) <= value < 2**64), b'{"x": 18446744073709551616}',
    ),
    Frame(
        "numbers beyond a double", "Python makes Infinity of them, which is refused as well",
        any_value(lambda value: isinstance(value, float) and math.isinf(value)), b'{"x": 1e999}',
    ),
    Frame(
        "lone surrogates", "they are no text: such an id could never be sent on",
        any_value(is_surrogate), b'{"x": "\\ud83d"}',
    ),
    Frame(
        "1,024 lists or maps in each other", "memory; Python's own limit is about 1,000, by the depth of its stack",
        nests_deeply, b'{"x": ' + b"[" * 1024 + b"]" * 1024 + b"}",
    ),
]  # fmt: skip


def is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value.encode()) > ID_SIZE_MAX


def has_long(value: Any) -> bool:
    return is_long(value) or (isinstance(value, list) and any(map(is_long, value)))


def has_long_dependency(value: Any) -> bool:
    return has_long(value.get("dependencies")) if isinstance(value, dict) else has_long(value)


def is_no_count(value: Any) -> bool:
    if isinstance(value, float):
        return not (0 <= value <= RETRIES_MAX and value == int(value))
    return is_int(value) and not 0 <= value <= RETRIES_MAX


def has_odd_switch(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    switches = [value[name] for name in ("all", "success", "failure") if name in value]
    return any(not isinstance(flag, (bool, int)) or flag not in (0, 1) for flag in switches)


REFUSED = [
    Field(
        "text or a map for targets", ("targets",), "letters and keys are no engines: the task would wait for ever",
        lambda value: isinstance(value, (str, dict)), "abc",
    ),
    Field(
        "names of more than 1,024 bytes", ("targets",), "no engine has one; memory",
        has_long, ["x" * 1025],
    ),
    Field(
        "ids of more than 1,024 bytes", ("after", "follow"), "no message has one; memory",
        has_long_dependency, ["x" * 1025],
    ),
    Field(
        "switches beside true, false, 0, 1", ("after", "follow"), "nobody can have meant them",
        has_odd_switch, {"all": "no"},
    ),
    Field(
        "a map for dependencies", ("after", "follow"), "its keys are no message ids",
        lambda value: isinstance(value, dict) and isinstance(value.get("dependencies"), dict), {"dependencies": {}},
    ),
    Field(
        "true and false for numbers", ("retries", "timeout"), "an answer to another question",
        lambda value: isinstance(value, bool), True,
    ),
    Field(
        "retries that are no count", ("retries",), "-1, 0.5 and 1e99 count nothing",
        is_no_count, -1,
    ),
    Field(
        "text for a timeout", ("timeout",), "float() reads it, even nan and inf",
        lambda value: isinstance(value, str), "5",
    ),
    Field(
        "an empty list or map for a timeout", ("timeout",), "it is no number; only its truth made it none",
        lambda value: value in ([], {}), [],
    ),
    Field(
        "a timeout below 0", ("timeout",), "it would have passed before the task came",
        lambda value: isinstance(value, (int, float)) and value < 0, -0.5,
    ),
]  # fmt: skip

TAKEN = [
    Field(
        "null", ("targets", "retries", "follow"), "the other fields take it for none",
        lambda value: value is None, None,
    ),
    Field(
        "false, 0 and empty text for follow", ("follow",), "after takes them for none",
        lambda value: value is False or value == "" or (not isinstance(value, bool) and value == 0), 0,
    ),
    Field(
        "null for dependencies", ("after", "follow"), "everywhere else null is none",
        lambda value: isinstance(value, dict) and value.get("dependencies", 0) is None, {"dependencies": None},
    ),
]  # fmt: skip


def repeats_engine(content: Pairs) -> bool:
    engines = dict(content).get("engines")
    return isinstance(engines, Pairs) and len(dict(engines)) < len(engines)


HUB = [
    Field(
        "an engine's number twice", ("engines",), "both are registered, not the last: no hub packs a dict so",
        repeats_engine, b'{"engines": {"0": "a", "0": "b"}}',
    ),
]  # fmt: skip
