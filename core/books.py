"""An order book in memory: exact for any decimal strings, without a Decimal per level.

Venues send prices and quantities as strings, and clients get strings. So a book keeps the canonical
strings, and orders its levels by integers: a price scaled by 10**60, computed once per price and
remembered, because the prices of a book recur. Sides are sorted lists with the best price last:
most changes happen there, where inserting and deleting in a list costs least.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from core.market import Levels

Rows = Iterable[tuple[str, str]]
"""Levels as venues send them: price and quantity, in any order; quantity zero removes."""

_SCALE = 60  # as many decimals as core.money.parse admits
# What makes a key of a price's digits, by the side's sign and the price's decimals.
_SCALES = {sign: [sign * 10**n for n in range(_SCALE, -1, -1)] for sign in (1, -1)}
# No leading zeros: two spellings of one price would be two levels.
_NUMBER = r"(?!0[0-9])[0-9]{1,60}+(?:\.[0-9]{1,60}+)?+"
_PLAIN = re.compile(_NUMBER, re.ASCII).fullmatch
_ALL_PLAIN = re.compile(rf"{_NUMBER}(?: {_NUMBER})*+", re.ASCII).fullmatch
_REMEMBERED = 50_000  # strings, so that a drifting market cannot fill the memory


def _trimmed(sent: str) -> str:
    return sent.rstrip("0").rstrip(".") if "." in sent else sent


def _canonical(sent: Sequence[str]) -> Sequence[str]:
    """Quantities, checked and trimmed all at once: remembering them would cost more than that."""
    together = " ".join(sent)
    if not (_ALL_PLAIN(together) and together.count(" ") == len(sent) - 1):
        raise ValueError(f"not a quantity: {next(q for q in sent if not _PLAIN(q))[:80]!r}")
    if "0 " in together or together[-1] == "0":
        return [text if text[-1] != "0" else _trimmed(text) for text in sent]
    return sent


class _Side:
    """One side; keys grow towards the best price, so ask keys are negative.

    What is remembered of prices are strings and integers, for which the garbage collector has no
    work.
    """

    __slots__ = ("_key_of", "_known", "_scales", "keys", "prices", "quantities")

    def __init__(self, sign: int) -> None:
        self._known: dict[str, str] = {}  # as sent -> canonical
        self._key_of: dict[str, int] = {}  # by canonical price
        self._scales = _SCALES[sign]
        self.keys: list[int] = []
        self.prices: list[str] = []  # canonical, in the order of the keys
        self.quantities: dict[str, str] = {}  # by canonical price

    def _learn(self, price: str) -> str:
        if not _PLAIN(price):
            raise ValueError(f"not a price: {price[:80]!r}")
        whole, _, fraction = price.partition(".")
        key = int(whole + fraction) * self._scales[len(fraction)]
        if key == 0:
            raise ValueError("a price of zero")
        text = self._known[price] = price if price[-1] != "0" else _trimmed(price)
        self._key_of[text] = key
        return text

    def _forget(self) -> None:
        self._known.clear()
        self._key_of.clear()

    def clear(self) -> None:
        self.keys.clear()
        self.prices.clear()
        self.quantities.clear()

    def load(self, prices: Sequence[str], sent: Sequence[str]) -> None:
        """Replaces everything."""
        if len(self._known) >= _REMEMBERED:
            self._forget()
        known, key_of = self._known, self._key_of.__getitem__
        try:
            texts = list(map(known.__getitem__, prices))
        except KeyError:
            texts = [known.get(price) or self._learn(price) for price in prices]
        found = _canonical(sent) if sent else sent
        quantities = dict(zip(texts, found, strict=True))
        if "0" in found:
            quantities = {text: left for text, left in quantities.items() if left != "0"}
        self.quantities = quantities
        self.prices = sorted(quantities, key=key_of)
        self.keys = list(map(key_of, self.prices))

    def apply(self, rows: Rows) -> Levels:
        """Sets and removes levels; what changed, canonical, in the order given."""
        changed: list[str] = []
        values: list[str] = []
        if not rows:
            return changed, values
        known, quantities = self._known, self.quantities
        if len(known) >= _REMEMBERED:
            self._forget()
        # What is written out here is called some hundred thousand times a second.
        for price, quantity in rows:
            text = known.get(price) or self._learn(price)
            if quantity != "0":  # which is often, and needs no look
                if not _PLAIN(quantity):
                    raise ValueError(f"not a quantity: {quantity[:80]!r}")
                if quantity[-1] == "0" and "." in quantity:
                    quantity = quantity.rstrip("0").rstrip(".")
            if quantity != "0":
                if text not in quantities:
                    key = self._key_of[text]
                    at = bisect_left(self.keys, key)
                    self.keys.insert(at, key)
                    self.prices.insert(at, text)
                quantities[text] = quantity
            elif quantities.pop(text, None) is not None:
                at = bisect_left(self.keys, self._key_of[text])
                del self.keys[at], self.prices[at]
            changed.append(text)
            values.append(quantity)
        return changed, values

    def beaten(self, rows: Sequence[tuple[str, str]], depth: int) -> list[tuple[str, str]]:
        """Rows that remove what is not among the best `depth` levels, and no worse than they."""
        best = {self._known.get(price) or self._learn(price) for price, _ in rows}
        worst = min(map(self._key_of.__getitem__, best), default=0)
        start = bisect_left(self.keys, worst) if rows and len(rows) >= depth else 0
        return [(price, "0") for price in self.prices[start:] if price not in best]

    def trim(self, depth: int) -> list[str]:
        excess = len(self.keys) - depth
        if excess <= 0:
            return []
        gone = self.prices[:excess]
        for price in gone:
            del self.quantities[price]
        del self.keys[:excess], self.prices[:excess]
        return gone

    def best(self) -> tuple[str, str] | None:
        if not self.prices:
            return None
        price = self.prices[-1]
        return price, self.quantities[price]

    def columns(self, depth: int) -> Levels:
        prices = self.prices[: -depth - 1 : -1] if depth else self.prices[::-1]
        return prices, list(map(self.quantities.__getitem__, prices))


class OrderBook:
    """The bids and asks of one instrument.

    Rows are venue strings, plain decimals without sign or exponent; ValueError for anything else,
    after which the book is to be loaded anew. Nothing here knows of sequences or checksums: what
    may be applied is the feed's business.
    """

    __slots__ = ("_asks", "_bids")

    def __init__(self) -> None:
        self._bids = _Side(1)
        self._asks = _Side(-1)

    def clear(self) -> None:
        """Forgets all levels."""
        self._bids.clear()
        self._asks.clear()

    def load(self, bids: Rows, asks: Rows) -> None:
        """Replaces the book."""
        for side, rows in ((self._bids, bids), (self._asks, asks)):
            side.load(*(list(zip(*rows, strict=True)) or ((), ())))

    def load_columns(
        self, bids: tuple[Sequence[str], Sequence[str]], asks: tuple[Sequence[str], Sequence[str]]
    ) -> None:
        """Replaces the book; prices and quantities as two columns a side."""
        self._bids.load(*bids)
        self._asks.load(*asks)

    def apply(self, bids: Rows, asks: Rows) -> tuple[Levels, Levels]:
        """Sets and removes levels; the same changes as canonical columns, "0" for removed."""
        return self._bids.apply(bids), self._asks.apply(asks)

    def apply_best(
        self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]], depth: int
    ) -> tuple[Levels, Levels]:
        """Replaces the best `depth` levels of each side, and leaves what lies deeper; a side that
        is given with fewer is whole. What changed, as from `apply`."""
        beaten = self._bids.beaten(bids, depth), self._asks.beaten(asks, depth)
        return self.apply([*beaten[0], *bids], [*beaten[1], *asks])

    def trim(self, depth: int) -> tuple[list[str], list[str]]:
        """Drops what lies deeper than `depth` levels, as some venues require; the prices dropped,
        bids and asks."""
        return self._bids.trim(depth), self._asks.trim(depth)

    @property
    def best_bid(self) -> tuple[str, str] | None:
        """Price and quantity of the highest bid."""
        return self._bids.best()

    @property
    def best_ask(self) -> tuple[str, str] | None:
        """Price and quantity of the lowest ask."""
        return self._asks.best()

    @property
    def crossed(self) -> bool:
        """Whether the highest bid is at or above the lowest ask: impossible in a sound book."""
        bids, asks = self._bids.keys, self._asks.keys
        return bool(bids and asks) and bids[-1] + asks[-1] >= 0

    def __len__(self) -> int:
        return len(self._bids.keys) + len(self._asks.keys)

    def snapshot(self, depth: int = 0) -> tuple[Levels, Levels]:
        """Copies of both sides, best price first, to `depth` levels a side; 0 means all."""
        return self._bids.columns(depth), self._asks.columns(depth)
