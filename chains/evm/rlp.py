"""Recursive length prefix.

https://ethereum.org/en/developers/docs/data-structures-and-encoding/rlp/
"""

from collections.abc import Sequence

Item = bytes | int | Sequence["Item"]
Decoded = bytes | list["Decoded"]

_DEEPEST = 16  # lists within lists: more is nobody's transaction


def encode(item: Item) -> bytes:
    """The encoding of bytes, of an integer (big-endian, without leading zeros), or of a list."""
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else _prefix(len(item), 0x80) + item
    body = b"".join(encode(part) for part in item)
    return _prefix(len(body), 0xC0) + body


def decode(data: bytes) -> Decoded:
    """What was encoded, all of it; ValueError for anything else than a canonical encoding."""
    item, end = _item(data, 0, 0)
    if end != len(data):
        raise ValueError("more bytes than one item of RLP")
    return item


def _item(data: bytes, at: int, depth: int) -> tuple[Decoded, int]:
    """The item that begins at a place, and where it ends."""
    if at >= len(data) or depth > _DEEPEST:
        raise ValueError("RLP ends too early, or is too deep")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    offset = 0x80 if first < 0xC0 else 0xC0
    start, length = at + 1, first - offset
    if length > 55:
        size = length - 55
        head = data[start : start + size]
        start, length = start + size, int.from_bytes(head, "big")
        if len(head) < size or head[0] == 0 or length < 56:
            raise ValueError("a length in RLP that is not canonical")
    end = start + length
    if end > len(data):
        raise ValueError("RLP ends too early")
    if offset == 0x80:
        if length == 1 and data[start] < 0x80:
            raise ValueError("a byte in RLP that is not canonical")
        return data[start:end], end
    items: list[Decoded] = []
    while start < end:
        item, start = _item(data, start, depth + 1)
        items.append(item)
    if start != end:
        raise ValueError("an item of RLP that is longer than its list")
    return items, end


def _prefix(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size
