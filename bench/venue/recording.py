"""The book updates that the local server plays: from a recording where there is one, else made.

A recording ends, a benchmark goes on. So the changes are played forwards and then undone in reverse
order, for ever: every state of the book is one that the recording had, and none is crossed.
"""

import json
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Row = tuple[str, str]
"""Price and quantity as Binance spells them; quantity zero removes the level."""

SYMBOL, BASE, QUOTE = "NKNUSDT", "NKN", "USDT"
ABSENT = "0.00000000"  # as a quantity: the level goes
_DEPTH = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """The levels of one frame."""

    bids: tuple[Row, ...]
    asks: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """A book and a cycle of changes that ends where it began."""

    source: str
    bids: tuple[Row, ...]
    asks: tuple[Row, ...]
    cycle: tuple[Change, ...]

    def book_after(self, changes: int) -> tuple[list[Row], list[Row]]:
        """The book after so many changes, best price first."""
        sides = dict(self.bids), dict(self.asks)
        for change in self.cycle[: changes % len(self.cycle)]:
            _apply(sides[0], change.bids)
            _apply(sides[1], change.asks)
        bids = sorted(sides[0].items(), key=_price, reverse=True)
        return bids, sorted(sides[1].items(), key=_price)


def load() -> Recording:
    """The recording beside the repository where it is present, else made updates."""
    folder = Path(
        os.environ.get("CAMBIST_CORPUS") or Path(__file__).parents[3] / "shared" / "corpus"
    )
    path = folder / "captures" / "binance.jsonl.zst"
    return recorded(path) if path.exists() else made()


def recorded(path: Path) -> Recording:
    """The updates of one symbol in a recorded session."""
    bids: list[Row] = []
    asks: list[Row] = []
    last = 0
    changes: list[Change] = []
    for entry in _entries(path):
        if entry["t"] == "http" and f"depth?symbol={SYMBOL}&" in entry["url"]:
            book = json.loads(entry["data"])
            last, bids, asks = book["lastUpdateId"], _rows(book["bids"]), _rows(book["asks"])
        elif entry["t"] == "recv" and f'"{SYMBOL.lower()}@depth' in entry["data"]:
            frame = json.loads(entry["data"])["data"]
            if frame["U"] > last:
                changes.append(Change(tuple(_rows(frame["b"])), tuple(_rows(frame["a"]))))
    if not last or not changes:
        raise ValueError(f"{path.name} holds no book of {SYMBOL}")
    cycle = there_and_back(bids, asks, changes)
    return Recording("recorded frames", tuple(bids), tuple(asks), cycle)


def made(seed: int = 7, frames: int = 150) -> Recording:
    """Updates of the recording's shape: 1 to 5 levels a frame, most of them near the best."""
    chance = random.Random(seed)
    mid, tick = 35_270, 10  # units of 0.00001
    bids = [(mid - tick * (1 + n), _amount(chance)) for n in range(_DEPTH)]
    asks = [(mid + tick * (1 + n), _amount(chance)) for n in range(_DEPTH)]
    changes = []
    for _ in range(frames):
        sides: tuple[dict[str, str], dict[str, str]] = {}, {}
        for _ in range(chance.choices((1, 2, 3, 4, 5), (40, 25, 15, 12, 8))[0]):
            side = chance.randrange(2)
            away = min(int(chance.expovariate(0.08)), _DEPTH)
            price = mid + (1 + away) * (tick if side else -tick)
            gone = away > 0 and chance.random() < 0.25
            sides[side][_spelled(price)] = ABSENT if gone else _amount(chance)
        changes.append(Change(tuple(sides[0].items()), tuple(sides[1].items())))
    start = [(_spelled(p), q) for p, q in bids], [(_spelled(p), q) for p, q in asks]
    cycle = there_and_back(*start, changes)
    return Recording("made frames", tuple(start[0]), tuple(start[1]), cycle)


def there_and_back(
    bids: Iterable[Row], asks: Iterable[Row], changes: Sequence[Change]
) -> tuple[Change, ...]:
    """The changes, followed by what undoes each, the last one first."""
    sides = dict(bids), dict(asks)
    undo = [Change(_apply(sides[0], c.bids), _apply(sides[1], c.asks)) for c in changes]
    return (*changes, *reversed(undo))


def _apply(side: dict[str, str], rows: Iterable[Row]) -> tuple[Row, ...]:
    """Changes a side; the rows that would undo it."""
    before = []
    for price, quantity in rows:
        before.append((price, side.get(price, ABSENT)))
        if quantity == ABSENT:
            side.pop(price, None)
        else:
            side[price] = quantity
    return tuple(before)


def _price(row: Row) -> int:
    return int(row[0].replace(".", ""))  # all have eight decimals


def _rows(rows: Iterable[Sequence[str]]) -> list[Row]:
    return [(row[0], row[1]) for row in rows]


def _spelled(price: int) -> str:
    return f"{price // 100_000}.{price % 100_000:05}000"


def _amount(chance: random.Random) -> str:
    return f"{chance.randrange(1, 20_000)}.00000000"


def _entries(path: Path) -> Iterator[dict[str, str]]:
    import zstandard

    with path.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file).read().decode()
    for line in text.splitlines():
        yield json.loads(line)
