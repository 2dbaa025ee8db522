"""The headers of calls, read and written.

A client sends nearly the same headers with each call, and HPACK makes the same bytes of them once
they are in the table that both sides keep. So what a block meant is remembered for as long as that
table does not change, and reading a call's headers is looking up its bytes.
https://www.rfc-editor.org/rfc/rfc7541 and
https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote

from hpack import Decoder, HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

from daemon.wire.frames import Code

TABLE_BYTES = 4_096  # what both sides may keep, without a setting
LIST_BYTES = 16_384  # of all headers of a call, as the protocol counts them
_REMEMBERED = 256  # blocks a connection
_UNITS = {"H": 3_600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}  # float: seconds
_DIGITS = 8  # of a timeout
_SIZE_MASK, _SIZE = 0xE0, 0x20  # how a block begins that changes the table's size


class Unreadable(Exception):
    """Headers that end the connection, since both sides' tables may differ from now on."""

    code = Code.COMPRESSION_ERROR


class TooLong(Unreadable):
    """More headers than anybody needs."""

    code = Code.ENHANCE_YOUR_CALM


class Malformed(Exception):
    """Headers that are no request; the stream ends."""


class Request(NamedTuple):
    """The headers of a call. `timeout` is in seconds, None for as long as it takes."""

    path: str
    method: str
    content_type: str
    metadata: Mapping[str, str]
    timeout: float | None  # float: seconds
    encoding: str


class _Table(HeaderTable):
    """Counts what came into it."""

    added = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.added += 1
        super().add(name, value)


class Reader:
    """Reads the header blocks of one connection, in the order in which they came."""

    def __init__(self) -> None:
        self._table = _Table()
        self._decoder = Decoder(max_header_list_size=LIST_BYTES)
        self._decoder.header_table = self._table
        self._decoder.max_allowed_table_size = TABLE_BYTES
        self._known: dict[bytes, Request] = {}  # as long as the table stays as it is

    def request(self, block: bytes) -> Request:
        """Raises Unreadable or Malformed."""
        known = self._known.get(block)
        if known is not None:
            return known
        added = self._table.added
        request = _request(self._decode(block))
        if self._table.added == added and block[0] & _SIZE_MASK != _SIZE:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[block] = request
        return request

    def trailers(self, block: bytes) -> None:
        """Reads what ends a request, for the table's sake. Raises Unreadable."""
        self._decode(block)

    def _decode(self, block: bytes) -> Iterable[tuple[bytes, bytes]]:
        added = self._table.added
        try:
            return self._decoder.decode(block, raw=True)
        except OversizedHeaderListError as error:
            raise TooLong("too many headers") from error
        except (HPACKError, UnicodeError, IndexError, ValueError) as error:
            raise Unreadable("headers cannot be read") from error
        finally:
            if self._table.added != added or (block[:1] and block[0] & _SIZE_MASK == _SIZE):
                self._known.clear()


def _request(pairs: Iterable[tuple[bytes, bytes]]) -> Request:
    pseudo: dict[str, str] = {}
    metadata: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        try:
            name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
        except UnicodeDecodeError:
            raise Malformed("a header's name is not ASCII") from None
        if name.startswith(":"):
            if metadata or name in pseudo or name not in _PSEUDO:
                raise Malformed(f"{name} is not where it may be")
            pseudo[name] = value
        elif name != name.lower() or name in _HOP_BY_HOP or (name == "te" and value != "trailers"):
            raise Malformed(f"{name} is not allowed")
        else:
            metadata[name] = f"{metadata[name]},{value}" if name in metadata else value
    if not all(pseudo.get(name) for name in (":method", ":scheme", ":path")):
        raise Malformed("no method, scheme or path")
    return Request(
        pseudo[":path"],
        pseudo[":method"],
        metadata.get("content-type", ""),
        metadata,
        _timeout(metadata.get("grpc-timeout")),
        metadata.get("grpc-encoding", "identity"),
    )


_PSEUDO = frozenset({":method", ":scheme", ":path", ":authority"})
_HOP_BY_HOP = frozenset({
    "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade",
})  # fmt: skip


def _timeout(text: str | None) -> float | None:  # float: seconds
    if text is None:
        return None
    digits, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
        raise Malformed(f"grpc-timeout {text!r} cannot be read")
    return int(digits) * _UNITS[unit]


def block(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Headers as literals that nobody's table remembers: the same bytes every time."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in pairs)


def _text(text: str) -> bytes:
    raw = text.encode("latin-1")
    return _length(len(raw)) + raw


def _length(size: int) -> bytes:
    """An integer with a prefix of seven bits. https://www.rfc-editor.org/rfc/rfc7541#section-5.1"""
    if size < 0x7F:
        return bytes((size,))
    made, size = [0x7F], size - 0x7F
    while size >= 0x80:
        made.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((*made, size))


_STATUS_200 = b"\x88"  # an entry of the static table
RESPONSE = _STATUS_200 + block([
    ("content-type", "application/grpc"),
    ("grpc-accept-encoding", "identity,gzip"),
])  # fmt: skip
GOOD = block([("grpc-status", "0")])


def ending(code: int, message: str, trailers: Iterable[tuple[str, str | bytes]] = ()) -> bytes:
    """How a call ended; values of names that end in `-bin` are bytes."""
    pairs = [("grpc-status", str(int(code)))]
    if message:
        pairs.append(("grpc-message", quote(message, safe=_PRINTABLE)))
    for name, value in trailers:
        text = value if isinstance(value, str) else base64.b64encode(value).decode()
        pairs.append((name, text))
    return block(pairs)


# What a message may have as it is: printable ASCII but for the percent sign.
_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def binary(value: str) -> bytes:
    """The value of metadata whose name ends in `-bin`. Raises ValueError."""
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def refused_by_http(status: int) -> bytes:
    """For who does not speak gRPC."""
    return block([(":status", str(status))])
