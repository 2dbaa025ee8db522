"""Book updates as finished websocket frames; only the numbers are filled in when they are sent.

Two update ids a frame, ten digits each, so that a frame's length never changes.
"""

from collections.abc import Sequence

from bench.venue.recording import SYMBOL, Change, Row

FIRST_ID = 1_000_000_000
IDS_A_FRAME = 2
_TEXT_AND_FINAL = 0x81


def templates(cycle: Sequence[Change], stream: str = "") -> list[bytes]:
    """A frame a change, with places for the time (ms), the first and the last update id.

    `stream` names the stream where several are combined in one connection.
    """
    return [_framed(_payload(change, stream)) for change in cycle]


def ids(frame: int) -> tuple[int, int]:
    """The first and last update id of the n-th frame ever sent."""
    first = FIRST_ID + frame * IDS_A_FRAME
    return first, first + IDS_A_FRAME - 1


def blob(made: Sequence[bytes], frame: int, count: int, now: int) -> bytes:
    """`count` frames from the n-th on, at a time in ms."""
    size = len(made)
    parts = []
    first = FIRST_ID + frame * IDS_A_FRAME
    for place in range(frame, frame + count):
        parts.append(made[place % size] % (now, first, first + IDS_A_FRAME - 1))
        first += IDS_A_FRAME
    return b"".join(parts)


def _payload(change: Change, stream: str) -> bytes:
    update = (
        f'{{"e":"depthUpdate","E":%013d,"s":"{SYMBOL}","U":%010d,"u":%010d,'
        f'"b":{_rows(change.bids)},"a":{_rows(change.asks)}}}'
    )
    return (f'{{"stream":"{stream}","data":{update}}}' if stream else update).encode()


def _rows(rows: Sequence[Row]) -> str:
    return "[" + ",".join(f'["{price}","{quantity}"]' for price, quantity in rows) + "]"


def _framed(payload: bytes) -> bytes:
    size = len(payload % (0, 0, 0))
    if size < 126:
        header = bytes((_TEXT_AND_FINAL, size))
    else:
        header = bytes((_TEXT_AND_FINAL, 126)) + size.to_bytes(2, "big")
    return header.replace(b"%", b"%%") + payload
