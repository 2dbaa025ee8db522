"""How the peers keep a book from a venue's frames, in process, without a connection."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import ccxt.pro
from order_book import OrderBook

from bench.venue_frames import BookFrames, plain
from core.instruments import InstrumentKind
from core.ports import Channel

try:  # as ccxt does
    import orjson

    _loads: Callable[[str], Any] = orjson.loads
except ImportError:
    _loads = json.loads


class CannotFollow(Exception):
    """The peer does not read these frames."""


class CcxtBook:
    """ccxt.pro's own handler of the venue's frames, and the JSON decoder that it uses."""

    def __init__(self, frames: BookFrames, checksum: bool = True) -> None:
        """`checksum`: whether it computes the venue's, where there is one."""
        told = json.loads((frames.venue.folder / "venue.json").read_text()).get("ccxt", {})
        name = told.get("id") or frames.venue.id.partition("_")[0]
        self._exchange = getattr(ccxt.pro, name)(
            {"options": {"watchOrderBook": {"checksum": checksum}}}
        )
        self._frames = frames
        self._symbol = self._list_market()
        self.key = ""
        stream = frames.spec.streams[frames.spec.channels[Channel.BOOK].stream]
        path = stream.path if isinstance(stream.path, str) else ""
        self._client = self._exchange.client(frames.spec.hosts[stream.host] + path)
        self._client.subscriptions = _Anything()

    def _list_market(self) -> str:
        one = self._frames.instrument
        contract = one.kind is InstrumentKind.PERPETUAL
        symbol = f"{one.base}/{one.quote}" + (f":{one.settle}" if contract else "")
        market = self._exchange.safe_market_structure(
            {
                "id": one.venue_symbol,
                "symbol": symbol,
                "base": one.base,
                "quote": one.quote,
                "settle": one.settle if contract else None,
                "baseId": one.base,
                "quoteId": one.quote,
                "settleId": one.settle if contract else None,
                "type": "swap" if contract else "spot",
                "spot": not contract,
                "swap": contract,
                "contract": contract,
                "linear": contract,
                "inverse": False,
                "contractSize": float(one.contract_size),
                "active": True,
                "precision": {
                    "amount": float(one.quantity_step),
                    "price": float(one.price_tick),
                },
                "info": {"wsname": f"{one.base}/{one.quote}", "name": one.venue_symbol},
            }
        )
        self._exchange.set_markets([market])
        return symbol

    async def begin(self) -> None:
        """The book before the first change, whatever was before."""
        exchange, frames = self._exchange, self._frames
        exchange.orderbooks.pop(self._symbol, None)
        for frame in frames.opening:
            exchange.handle_message(self._client, plain(frame))
        if self._symbol not in exchange.orderbooks:
            sync = frames.begun()
            bids, asks = sync.book.snapshot()
            book = exchange.order_book(
                {
                    "bids": [[float(p), float(q)] for p, q in zip(*bids, strict=True)],
                    "asks": [[float(p), float(q)] for p, q in zip(*asks, strict=True)],
                    "nonce": sync.sequence or None,
                    "timestamp": 1,
                    "datetime": None,
                    "symbol": self._symbol,
                }
            )
            exchange.orderbooks[self._symbol] = book

    def follow(self, frames: Sequence[bytes]) -> Callable[[], None]:
        """What is to be timed: all frames, as they come off the socket."""
        handle, client = self._exchange.handle_message, self._client
        bare = _bare(frames)

        def run() -> None:
            for text in bare:
                handle(client, _loads(text))

        return run

    def watch(self, frames: Sequence[bytes]) -> Callable[[], Awaitable[None]]:
        """The same until a bot has each update from `watch_order_book`: that waits on a future and
        cuts the book to its depth."""
        handle, client = self._exchange.handle_message, self._client
        bare, key = _bare(frames), self.key

        async def run() -> None:
            for text in bare:
                future = client.future(key)
                handle(client, _loads(text))
                if future.done():
                    (await future).limit()

        return run

    def learn(self, frames: Sequence[bytes]) -> None:
        """Finds out under which key the updates are told; takes the frames with it."""
        resolve = self._client.resolve
        keys: Counter[str] = Counter()

        def noted(result: Any, key: str) -> Any:
            keys[key] += 1
            return resolve(result, key)

        self._client.resolve = noted
        self.follow(frames)()
        self._client.resolve = resolve
        if not keys:
            raise CannotFollow("it tells of no update")
        self.key = keys.most_common(1)[0][0]

    def best(self) -> tuple[Decimal, Decimal]:
        """Its best prices, to be held against ours."""
        book = self._exchange.orderbooks.get(self._symbol)
        if not book or not book["bids"] or not book["asks"]:
            raise CannotFollow("it has no book")
        return Decimal(str(book["bids"][0][0])), Decimal(str(book["asks"][0][0]))

    async def close(self) -> None:
        """Leaves nothing behind."""
        await self._exchange.close()


def _bare(frames: Sequence[bytes]) -> list[str]:
    return [json.dumps(plain(frame), separators=(",", ":")) for frame in frames]


class _Anything(dict[str, Any]):
    """Subscriptions that were all asked for."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> dict[str, Any]:
        return {}


class FeedBook:
    """cryptofeed's order book (PyPI `order-book`, C), as its handlers use it: the frame decoded
    with decimals, each level set or deleted under a Decimal price. Where in the frame the levels
    are is given beforehand, which flatters it."""

    def __init__(self, frames: BookFrames) -> None:
        try:
            from yapic import json as decoder
        except ImportError:
            decoder = json
        self._loads = decoder.loads
        sync = frames.begun()
        bids, asks = sync.book.snapshot()
        self._book = OrderBook()
        self._book.bids = {Decimal(p): Decimal(q) for p, q in zip(*bids, strict=True)}
        self._book.asks = {Decimal(p): Decimal(q) for p, q in zip(*asks, strict=True)}

    def follow(self, frames: Sequence[bytes], rows: Sequence[Any]) -> Callable[[], None]:
        """What is to be timed; `rows` are the levels of each frame, whole or changed."""
        loads, sides = self._loads, (self._book.bids, self._book.asks)
        texts = [frame.decode() for frame in frames]

        def run() -> None:
            for text, (whole, levels) in zip(texts, rows, strict=True):
                loads(text, parse_float=Decimal)
                if whole:
                    self._book.bids = {Decimal(p): Decimal(q) for p, q in levels[0]}
                    self._book.asks = {Decimal(p): Decimal(q) for p, q in levels[1]}
                    continue
                for side, changed in zip(sides, levels, strict=True):
                    for price, quantity in changed:
                        key, size = Decimal(price), Decimal(quantity)
                        if size:
                            side[key] = size
                        elif key in side:
                            del side[key]

        return run
