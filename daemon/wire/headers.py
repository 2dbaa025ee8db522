"""The headers of calls, read and written.

A client sends nearly the same headers with each call, and HPACK makes the same bytes of them once
they are in the table that both sides keep. So what a block meant is remembered for as long as that
table does not change, and reading a call's headers is looking up its bytes.
https://www.rfc-editor.org/rfc/rfc7541 and
https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

from hpack import Decoder, HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

from daemon.wire.frames import Code

TABLE_BYTES = 4_096  # what both sides may keep, without a setting
LIST_BYTES = 16_384  # of all headers of a call, as the protocol counts them
_PAIR_BYTES = 32  # what the protocol counts a pair for, beside its signs
_REMEMBERED_BYTES = 65_536  # a connection
_MESSAGE_BYTES = 2_048  # of a grpc-message
_ENDING_BYTES = 8_000  # of trailers, as the protocol counts them: clients take 8 KiB
_UNITS = {"H": 3_600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}  # float: seconds
_DIGITS = 8  # of a timeout
_SIZE_MASK, _SIZE = 0xE0, 0x20  # how a block begins that changes the table's size


Pairs = Sequence[tuple[bytes, bytes]]


class Unreadable(Exception):
    """Headers that end the connection, since both sides' tables may differ from now on."""

    code = Code.COMPRESSION_ERROR


class TooLong(Unreadable):
    """More headers than anybody needs."""

    code = Code.ENHANCE_YOUR_CALM


class Malformed(Exception):
    """Headers that are no request; the stream ends."""


class Request(NamedTuple):
    """The headers of a call. `timeout` is in seconds, None for as long as it takes; `length` is
    what content-length says; `fault` what is wrong with the call, if anything."""

    path: str
    method: str
    content_type: str
    metadata: Mapping[str, str]
    timeout: float | None  # float: seconds
    encoding: str
    length: int | None
    fault: str


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
        self._known_bytes = 0

    def request(self, block: bytes) -> Request:
        """Raises Unreadable or Malformed."""
        known = self._known.get(block)
        if known is not None:
            return known
        added = self._table.added
        pairs = self._decode(block)
        request = _request(pairs)
        if self._table.added == added and block[0] & _SIZE_MASK != _SIZE:
            self._remember(block, request, pairs)
        return request

    def trailers(self, block: bytes) -> None:
        """Reads what ends a request, for the table's sake. Raises Unreadable or Malformed."""
        pseudo, _ = _sorted(self._decode(block))
        if pseudo:
            raise Malformed("trailers are no request")

    def _remember(self, block: bytes, request: Request, pairs: Pairs) -> None:
        """A client's words could be long behind a few bytes: all that is kept is bounded."""
        size = len(block) + sum(len(name) + len(value) + _PAIR_BYTES for name, value in pairs)
        if self._known_bytes + size > _REMEMBERED_BYTES:
            self._forget()
        if size <= _REMEMBERED_BYTES:
            self._known[block] = request
            self._known_bytes += size

    def _forget(self) -> None:
        self._known.clear()
        self._known_bytes = 0

    def _decode(self, block: bytes) -> Pairs:
        added = self._table.added
        try:
            return list(self._decoder.decode(block, raw=True))
        except OversizedHeaderListError as error:
            raise TooLong("too many headers") from error
        except (HPACKError, UnicodeError, IndexError, ValueError) as error:
            raise Unreadable("headers cannot be read") from error
        finally:
            if self._table.added != added or (block[:1] and block[0] & _SIZE_MASK == _SIZE):
                self._forget()


def _request(pairs: Pairs) -> Request:
    pseudo, metadata = _sorted(pairs)
    if not all(pseudo.get(name) for name in (":method", ":scheme", ":path")):
        raise Malformed("no method, scheme or path")
    length = metadata.get("content-length")
    if length is not None and not (length.isascii() and length.isdigit() and len(length) < 20):
        raise Malformed("content-length is no number")
    timeout, fault = metadata.get("grpc-timeout"), ""
    seconds = _timeout(timeout) if timeout is not None else None
    if timeout is not None and seconds is None:
        fault = f"grpc-timeout {timeout[:20]!r} cannot be read"
    return Request(
        pseudo[":path"],
        pseudo[":method"],
        metadata.get("content-type", ""),
        MappingProxyType(metadata),
        seconds,
        metadata.get("grpc-encoding", "identity"),
        None if length is None else int(length),
        fault,
    )


def _sorted(pairs: Pairs) -> tuple[dict[str, str], dict[str, str]]:
    """What begins with a colon, and the rest. Raises Malformed.

    https://www.rfc-editor.org/rfc/rfc9113#section-8.2 and #section-8.3
    """
    pseudo: dict[str, str] = {}
    metadata: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = bytes(raw_name).decode("latin-1"), bytes(raw_value).decode("latin-1")
        if not _NAME(name) or not _VALUE(value):
            raise Malformed("a header has signs that it may not have")
        if name.startswith(":"):
            if metadata or name in pseudo or name not in _PSEUDO:
                raise Malformed(f"{name} is not where it may be")
            pseudo[name] = value
        elif name in _HOP_BY_HOP or (name == "te" and value != "trailers"):
            raise Malformed(f"{name} is not allowed")
        else:
            metadata[name] = f"{metadata[name]},{value}" if name in metadata else value
    return pseudo, metadata


_NAME = re.compile(r":?[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch  # a token without capitals
_VALUE = re.compile(r"(?![ \t])[^\x00\r\n]*(?<![ \t])").fullmatch
_PSEUDO = frozenset({":method", ":scheme", ":path", ":authority"})
_HOP_BY_HOP = frozenset({
    "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade",
})  # fmt: skip


def _timeout(text: str) -> float | None:  # float: seconds
    digits, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
        return None
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
    """How a call ended; values of names that end in `-bin` are bytes. What no client would take, as
    it is or in so many bytes, is left out."""
    pairs = [("grpc-status", str(int(code)))]
    if message:
        raw = message.encode("utf-8", "replace")[:_MESSAGE_BYTES]
        pairs.append(("grpc-message", quote(raw.decode("utf-8", "ignore"), safe=_PRINTABLE)))
    left = _ENDING_BYTES - sum(len(name) + len(value) + _PAIR_BYTES for name, value in pairs)
    for name, value in trailers:
        text = value if isinstance(value, str) else base64.b64encode(value).decode()
        left -= len(name) + len(text) + _PAIR_BYTES
        if left < 0:
            break
        if _NAME(name) and not name.startswith(":") and _TRAILER(text):
            pairs.append((name, text))
    return block(pairs)


# What a message may have as it is: printable ASCII but for the percent sign.
_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_TRAILER = re.compile(r"(?! )[ -~]*(?<! )").fullmatch


def binary(value: str) -> bytes:
    """The value of metadata whose name ends in `-bin`. Raises ValueError."""
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def refused_by_http(status: int, size: int) -> bytes:
    """For who does not speak gRPC; a text of so many bytes follows."""
    return block([
        (":status", str(status)),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(size)),
    ])  # fmt: skip
