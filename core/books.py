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
# No leading zeros: two spellings of one price would be two levels.
_NUMBER = r"(?:0|[1-9][0-9]{0,59})(?:\.[0-9]{1,60})?"
_PLAIN = re.compile(_NUMBER, re.ASCII).fullmatch
_ALL_PLAIN = re.compile(rf"{_NUMBER}(?: {_NUMBER})*", re.ASCII).fullmatch
_REMEMBERED = 50_000  # strings, so that a drifting market cannot fill the memory


def _trimmed(sent: str) -> str:
    return sent.rstrip("0").rstrip(".") if "." in sent else sent


def _refused(sent: str) -> ValueError:
    return ValueError(f"not a quantity: {sent[:80]!r}")


class _Side:
    """One side; keys grow towards the best price, so ask keys are negative."""

    __slots__ = ("_known", "_sign", "keys", "prices", "quantities")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._known: dict[str, tuple[int, str]] = {}  # as sent -> key, canonical
        self.keys: list[int] = []
        self.prices: list[str] = []  # canonical, in the order of the keys
        self.quantities: dict[str, str] = {}  # by canonical price

    def _learn(self, price: str) -> tuple[int, str]:
        if not _PLAIN(price):
            raise ValueError(f"not a price: {price[:80]!r}")
        whole, _, fraction = price.partition(".")
        key = int(whole + fraction.ljust(_SCALE, "0"))
        if key == 0:
            raise ValueError("a price of zero")
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        entry = self._known[price] = (self._sign * key, _trimmed(price))
        return entry

    def clear(self) -> None:
        self.keys.clear()
        self.prices.clear()
        self.quantities.clear()

    def load(self, rows: Rows) -> None:
        """Replaces everything; sorts once."""
        self.clear()
        levels: dict[int, str] = {}
        for price, sent in rows:
            if not _PLAIN(sent):
                raise _refused(sent)
            quantity = sent if sent[-1] != "0" else _trimmed(sent)
            key, text = self._known.get(price) or self._learn(price)
            if quantity != "0":
                levels[key] = text
                self.quantities[text] = quantity
            elif levels.pop(key, None) is not None:
                del self.quantities[text]
        self.keys = sorted(levels)
        self.prices = [levels[key] for key in self.keys]

    def load_columns(self, prices: Sequence[str], sent: Sequence[str]) -> None:
        """Replaces everything. Half the cost of `load` for a side as most venues send one: the
        best price first, no level twice, none empty."""
        # All at once: where each message is a whole book, quantities seldom recur.
        together = " ".join(sent)
        if not (_ALL_PLAIN(together) and together.count(" ") == len(sent) - 1):
            return self.load(zip(prices, sent, strict=True))
        found = sent
        if "0 " in together or together[-1] == "0":
            found = [text if text[-1] != "0" else _trimmed(text) for text in sent]
        known = self._known
        try:
            entries = [known[price] for price in prices]
        except KeyError:
            entries = [known.get(price) or self._learn(price) for price in prices]
        keys, texts = map(list, zip(*entries, strict=True))
        keys.reverse()
        quantities = dict(zip(texts, found, strict=True))
        if "0" in found or keys != sorted(keys) or len(quantities) != len(keys):
            return self.load(zip(prices, sent, strict=True))
        texts.reverse()
        self.keys, self.prices, self.quantities = keys, texts, quantities
        return None

    def apply(self, rows: Rows) -> Levels:
        """Sets and removes levels; what changed, canonical, in the order given."""
        known, quantities = self._known, self.quantities
        changed: list[str] = []
        values: list[str] = []
        # Quantities seldom recur, so that remembering them costs more than checking each. What is
        # written out here is called some hundred thousand times a second.
        for price, quantity in rows:
            key, text = known.get(price) or self._learn(price)
            if quantity != "0":  # which is often, and needs no look
                if not _PLAIN(quantity):
                    raise _refused(quantity)
                if quantity[-1] == "0" and "." in quantity:
                    quantity = quantity.rstrip("0").rstrip(".")
            if quantity != "0":
                if text not in quantities:
                    at = bisect_left(self.keys, key)
                    self.keys.insert(at, key)
                    self.prices.insert(at, text)
                quantities[text] = quantity
            elif quantities.pop(text, None) is not None:
                at = bisect_left(self.keys, key)
                del self.keys[at], self.prices[at]
            changed.append(text)
            values.append(quantity)
        return changed, values

    def beaten(self, rows: Sequence[tuple[str, str]], depth: int) -> list[tuple[str, str]]:
        """Rows that remove what is not among the best `depth` levels, and no worse than they."""
        entries = [self._known.get(price) or self._learn(price) for price, _ in rows]
        start = bisect_left(self.keys, min(entries)[0]) if rows and len(rows) >= depth else 0
        # By their texts: of a number this long the hash is computed each time.
        best = {text for _, text in entries}
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
        prices = self.prices[-depth:] if depth else self.prices[:]
        prices.reverse()
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
        self._bids.load(bids)
        self._asks.load(asks)

    def load_columns(
        self, bids: tuple[Sequence[str], Sequence[str]], asks: tuple[Sequence[str], Sequence[str]]
    ) -> None:
        """Replaces the book; prices and quantities as two columns a side."""
        self._bids.load_columns(*bids)
        self._asks.load_columns(*asks)

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
