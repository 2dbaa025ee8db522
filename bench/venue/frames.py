"""Book updates as finished websocket frames; only the numbers are filled in when they are sent.

Two update ids a frame, ten digits each, so that a frame's length never changes. The decimals of
quantities differ from cycle to cycle: quantities that came again and again would flatter whoever
remembers them. Zero stays zero, because it removes a level.
"""

from collections.abc import Sequence

from bench.venue.recording import ABSENT, SYMBOL, Change, Row

FIRST_ID = 1_000_000_000
IDS_A_FRAME = 2
_TEXT_AND_FINAL = 0x81
_DECIMALS = b"########"


class Frames:
    """A cycle of changes as frames, for ever; `stream` names it where several are combined."""

    def __init__(self, cycle: Sequence[Change], stream: str = "") -> None:
        self._templates = [_framed(_payload(change, stream)) for change in cycle]
        self._cycle = -1
        self._filled: list[bytes] = []

    def blob(self, frame: int, count: int, now: int) -> bytes:
        """`count` frames from the n-th ever on, at a time in ms."""
        size = len(self._templates)
        parts = []
        first = ids(frame)[0]
        for place in range(frame, frame + count):
            cycle, offset = divmod(place, size)
            if cycle != self._cycle:
                self._fill(cycle)
            parts.append(self._filled[offset] % (now, first, first + IDS_A_FRAME - 1))
            first += IDS_A_FRAME
        return b"".join(parts)

    def _fill(self, cycle: int) -> None:
        decimals = b"%08d" % (cycle * 7919 % 10**8)
        self._filled = [template.replace(_DECIMALS, decimals) for template in self._templates]
        self._cycle = cycle


def ids(frame: int) -> tuple[int, int]:
    """The first and last update id of the n-th frame ever sent."""
    first = FIRST_ID + frame * IDS_A_FRAME
    return first, first + IDS_A_FRAME - 1


def _payload(change: Change, stream: str) -> bytes:
    update = (
        f'{{"e":"depthUpdate","E":%013d,"s":"{SYMBOL}","U":%010d,"u":%010d,'
        f'"b":{_rows(change.bids)},"a":{_rows(change.asks)}}}'
    )
    return (f'{{"stream":"{stream}","data":{update}}}' if stream else update).encode()


def _rows(rows: Sequence[Row]) -> str:
    return "[" + ",".join(f'["{price}","{_varied(quantity)}"]' for price, quantity in rows) + "]"


def _varied(quantity: str) -> str:
    if quantity == ABSENT:
        return quantity
    return quantity.partition(".")[0] + "." + _DECIMALS.decode()


def _framed(payload: bytes) -> bytes:
    size = len(payload % (0, 0, 0))
    if size < 126:
        header = bytes((_TEXT_AND_FINAL, size))
    else:
        header = bytes((_TEXT_AND_FINAL, 126)) + size.to_bytes(2, "big")
    return header.replace(b"%", b"%%") + payload
