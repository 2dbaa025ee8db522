"""Streams of books, and how the events of the others are unpacked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

from cambist.book import BookUpdates, OrderBook
from cambist.convert import decode
from cambist.streams import Reconnecting, Stream, Values
from cambist.types import BookState
from cambist.v1 import market_data_pb2 as v1

T = TypeVar("T")
Source = Reconnecting[v1.StreamOrderBookRequest, v1.StreamOrderBookResponse]

LOST = "the connection to the daemon is lost"
GAP = "an update is missing"


class BookStream(Stream[OrderBook]):
    """The live book after each batch of updates."""

    def __init__(self, source: Source, book: OrderBook) -> None:
        self.book = book
        self._source = source
        super().__init__()

    async def _run(self) -> AsyncGenerator[OrderBook, None]:
        book, source = self.book, self._source
        apply = book.apply
        try:
            while True:
                response = await source.read()
                if response is None:
                    book.lose(LOST)
                else:
                    for update in response.events:
                        if not apply(update):
                            # The daemon should not skip one; a new snapshot is the way back.
                            book.lose(GAP)
                            source.cancel()
                            break
                yield book
        finally:
            source.cancel()


class BookUpdateStream(Stream[BookUpdates]):
    """Batches of updates. A lost connection shows as a heartbeat whose state is STALE."""

    def __init__(self, source: Source) -> None:
        self._source = source
        super().__init__()

    async def _run(self) -> AsyncGenerator[BookUpdates, None]:
        try:
            while True:
                response = await self._source.read()
                yield BookUpdates(_lost() if response is None else response)
        finally:
            self._source.cancel()


def _lost() -> v1.StreamOrderBookResponse:
    update = v1.OrderBook(
        kind=v1.EVENT_KIND_HEARTBEAT,
        state=v1.BookState.ValueType(BookState.STALE.value),
        reason=LOST,
    )
    return v1.StreamOrderBookResponse(events=[update])


def unpacker(field: str, cls: type[T], *, whole: bool) -> Callable[[Any, Values[Any, T]], list[T]]:
    """Takes the values out of a response's events.

    `whole`: every value is the whole state, so a snapshot means nothing was lost. Otherwise a
    snapshot after the first event means that something was left out.
    """

    def unpack(response: Any, stream: Values[Any, T]) -> list[T]:
        values = []
        for event in response.events:
            if event.kind == v1.EVENT_KIND_SNAPSHOT and not whole and stream.started:
                stream.gaps += 1
            stream.started = True
            if event.HasField(field):
                values.append(decode(cls, getattr(event, field)))
        return values

    return unpack
