"""Messages as they travel: a prefix that says whether a message is compressed, and its length.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import zlib

from daemon.wire.status import CallFailed, Status

PREFIX_BYTES = 5
IDENTITY, GZIP = "identity", "gzip"
_PLAIN, _COMPRESSED = 0, 1
_GZIP_FORMAT = 31  # zlib's word for a gzip header and the largest window


class TooLarge(Exception):
    """A message that is not read to its end."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes")
        self.size = size


def framed(message: bytes) -> bytes:
    """A message with its prefix."""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def length_of(received: bytearray, largest: int) -> int:
    """Bytes of the first message with its prefix; 0 while that is not known. Raises TooLarge."""
    if len(received) < PREFIX_BYTES:
        return 0
    size = int.from_bytes(received[1:PREFIX_BYTES], "big")
    if size > largest:
        raise TooLarge(size)
    return PREFIX_BYTES + size


def message_in(received: bytearray, largest: int, encoding: str) -> bytes | None:
    """Takes the first message out of what came; None while it is not whole. `largest` is in bytes,
    `encoding` what grpc-encoding says. Raises TooLarge and CallFailed."""
    end = length_of(received, largest)
    if not end or len(received) < end:
        return None
    message, compressed = bytes(received[PREFIX_BYTES:end]), received[0]
    del received[:end]
    if compressed == _PLAIN:
        return message
    if compressed != _COMPRESSED or encoding != GZIP:
        raise CallFailed(
            Status.INTERNAL, "a message says that it is compressed, and grpc-encoding does not"
        )
    return _inflated(message, largest)


def _inflated(message: bytes, largest: int) -> bytes:
    engine = zlib.decompressobj(_GZIP_FORMAT)
    try:
        plain = engine.decompress(message, largest + 1)
    except zlib.error:
        raise CallFailed(Status.INTERNAL, "the request is not what its compression says") from None
    if len(plain) > largest:
        raise TooLarge(len(plain) + len(engine.unconsumed_tail))
    if not engine.eof or engine.unused_data:
        raise CallFailed(Status.INTERNAL, "the compressed request is not whole, or goes on")
    return plain
