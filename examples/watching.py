"""What the bot sees: the exchange's book, the pool, and the log of what happened."""

import asyncio
from decimal import Decimal

from cambist import Client, Instrument, OrderBook
from examples.notebook import Notebook
from examples.placing import OrderWatch, patiently
from examples.planning import Settings
from examples.sizing import Market, Reserves


class Watcher:
    """Follows the streams while `follow` runs; `orders` knows the latest state of each order."""

    def __init__(self, client: Client, notebook: Notebook, settings: Settings) -> None:
        self._client = client
        self._notebook = notebook
        self._settings = settings
        self._book: OrderBook | None = None
        self._moved = asyncio.Event()
        self._told = asyncio.Event()
        self.orders = OrderWatch()

    async def follow_book(self) -> None:
        """The exchange's book, until it is cancelled."""
        settings = self._settings
        async for book in self._client.market.order_book(settings.exchange, settings.instrument):
            self._book = book
            self._moved.set()

    async def follow_events(self) -> None:
        """The log from its first event, or from where the bot was killed; the client makes sure
        that none is missing.
        """
        notebook = self._notebook
        stream = self._client.events.stream(
            resume_token=notebook.resume_token,
            from_start=not notebook.resume_token,
            after_sequence=notebook.last_sequence,
        )
        async for event in stream:
            if event.order is not None:
                self.orders.saw(event.order)
            notebook.events_seen += 1
            notebook.last_sequence = event.sequence
            notebook.resume_token = stream.resume_token
            self._told.set()

    async def catch_up(self) -> None:
        """Waits until the stream has told all that has happened."""
        newest = (await self._client.system.get_status()).event_sequence
        while self._notebook.last_sequence < newest:
            self._told.clear()
            await self._told.wait()
        self._notebook.save()

    async def market(self, on_exchange: Instrument, taker_fee: Decimal) -> Market:
        """Both sides as they are now; waits while the book is not live."""
        settings = self._settings
        while self._book is None or not self._book.is_live or self._book.mid is None:
            self._moved.clear()
            await self._moved.wait()
        pool = await patiently(
            lambda: self._client.swaps.get_pool(settings.pool_venue, settings.pool_instrument)
        )
        held = {amount.token.symbol: amount for amount in pool.reserves}
        base, quote = settings.pool_instrument.split("-")
        return Market(
            bids=self._book.bids[:],
            asks=self._book.asks[:],
            pool=Reserves(
                held[base].units,
                held[quote].units,
                pool.fee,
                held[base].token.decimals,
                held[quote].token.decimals,
            ),
            taker_fee=taker_fee,
            step=on_exchange.quantity_step,
        )
