"""Frames of HTTP/2: their numbers and how they are written.

https://www.rfc-editor.org/rfc/rfc9113#section-4 and #section-6
"""

import struct
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

HEAD = struct.Struct(">HBBBL")  # the upper and the lower part of the length, kind, flags, stream
HEAD_BYTES = HEAD.size
_FOUR = struct.Struct(">L")
_SETTING = struct.Struct(">HL")
_GOAWAY = struct.Struct(">LL")

# Kinds. What is not among them is ignored.
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9

# Flags; ACK and END_STREAM share a bit.
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x1, 0x4, 0x8, 0x20

# Settings.
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS = 1, 2, 3
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 4, 5, 6

FRAME_BYTES = 16_384  # the largest frame that needs no setting
LARGEST_FRAME_BYTES = (1 << 24) - 1
WINDOW = 65_535  # of a new connection and, without a setting, of a new stream
LARGEST_WINDOW = (1 << 31) - 1
PRIORITY_BYTES = 5


class Code(IntEnum):
    """Why a stream or a connection ends. https://www.rfc-editor.org/rfc/rfc9113#section-7"""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class Broken(Exception):
    """The client does not speak the protocol, or does so to do harm: its connection ends."""

    def __init__(self, code: Code, words: str) -> None:
        super().__init__(words)
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame; the payload is no longer than the peer takes."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    """What the peer has to keep to."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in values.items()))


def settings_of(payload: bytes) -> list[tuple[int, int]]:
    """The pairs of a SETTINGS frame whose length is a multiple of six."""
    return list(_SETTING.iter_unpack(payload))


def window_update(stream: int, more: int) -> bytes:
    """Room for so many more bytes."""
    return frame(WINDOW_UPDATE, 0, stream, _FOUR.pack(more))


def reset(stream: int, code: Code) -> bytes:
    """The end of a stream."""
    return frame(RST_STREAM, 0, stream, _FOUR.pack(code))


def goaway(last: int, code: Code, words: str) -> bytes:
    """The end of a connection; streams above `last` were not looked at."""
    return frame(GOAWAY, 0, 0, _GOAWAY.pack(last, code) + words.encode())


def number(payload: bytes, name: str) -> int:
    """The 31 bits of a RST_STREAM or a WINDOW_UPDATE. Raises Broken."""
    if len(payload) != _FOUR.size:
        raise Broken(Code.FRAME_SIZE_ERROR, f"{name} has four bytes")
    found: int = _FOUR.unpack(payload)[0]
    return found & LARGEST_WINDOW


def unpadded(flags: int, payload: bytes) -> bytes:
    """What a DATA or HEADERS frame has but for its padding. Raises Broken."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Broken(Code.PROTOCOL_ERROR, "more padding than frame")
    return payload[1 : len(payload) - payload[0]]


def unprioritised(flags: int, stream: int, payload: bytes) -> bytes:
    """What a HEADERS frame has but for its priority, which is not used. Raises Broken."""
    if not flags & PRIORITISED:
        return payload
    if len(payload) < PRIORITY_BYTES:
        raise Broken(Code.FRAME_SIZE_ERROR, "a priority has five bytes")
    if depends_on(payload) == stream:
        raise Broken(Code.PROTOCOL_ERROR, "a stream cannot depend on itself")
    return payload[PRIORITY_BYTES:]


def depends_on(priority: bytes) -> int:
    """The stream that a priority names."""
    found: int = _FOUR.unpack_from(priority)[0]
    return found & LARGEST_WINDOW
