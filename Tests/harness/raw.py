"""A ZMTP peer on a bare TCP socket, for what no libzmq peer does: stop half way, never read, leave
without a word, come by the thousand.

Used by Tests/Wire/test_8_overload.py. Speaks as a DEALER with mechanism NULL (RFC 37).
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

GREETING = b"\xff\0\0\0\0\0\0\0\0\x7f\3\0" + b"NULL".ljust(20, b"\0") + bytes(32)


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value


_READY = b"\5READY" + _property(b"Socket-Type", b"DEALER") + _property(b"Identity", b"")
HANDSHAKE = GREETING + bytes([4, len(_READY)]) + _READY


def frames_on_wire(frames: list[bytes]) -> bytes:
    wire = []
    for index, frame in enumerate(frames):
        more = index + 1 < len(frames)
        if len(frame) < 256:
            wire.append(bytes([more, len(frame)]))
        else:
            wire.append(bytes([2 | more]) + len(frame).to_bytes(8, "big"))
        wire.append(frame)
    return b"".join(wire)


class RawPeer:
    """Connected; says nothing by itself."""

    def __init__(self, url: str, receive_buffer: int | None = None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        address = urlsplit(url)
        self.socket.settimeout(20)
        self.socket.connect((address.hostname, address.port))

    def handshake(self) -> RawPeer:
        self.socket.sendall(HANDSHAKE)
        return self

    def send(self, frames: list[bytes]) -> None:
        self.socket.sendall(frames_on_wire(frames))

    def is_closed(self) -> bool:
        """Whether the other side has ended the connection; reads what has come."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1 << 16):
                pass
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        self.socket.close()
