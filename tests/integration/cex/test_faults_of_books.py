"""Books of every venue of the fixtures on streams that misbehave: what is told as live is right."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from cex.engine import commands
from cex.engine.market import ExchangeVenue
from cex.engine.spec import Start
from core.clock import SystemClock
from core.market import BookState
from core.ports import Channel, Health
from tests.support.book_venue import BookVenue, Reader
from tests.support.cex_fixtures import names
from tests.support.local_exchange import Answer, Socket


@dataclass
class Books:
    """A venue, the engine, and a reader of its book."""

    server: BookVenue
    market: ExchangeVenue
    reader: Reader

    async def subscribe(self) -> None:
        """Asks for the book."""
        instrument = self.server.book.instrument
        self.reader.feed = await self.market.subscribe(Channel.BOOK, instrument, self.reader)

    async def right(self) -> None:
        """Waits until the reader has the venue's book, live; what is lost is mended by itself."""
        until = self.server.exchange.until
        await until(lambda: self.reader.holds(self.server), "the venue's book")

    async def live(self) -> None:
        """Subscribes, and waits for the book. A change is under way when it is asked for by REST,
        as on any busy market."""
        await self.subscribe()
        await self.server.exchange.until(lambda: self.server.subscribed, "the subscription")
        self.server.change()
        await self.right()


@pytest.fixture(params=names())
async def books(request: pytest.FixtureRequest) -> AsyncIterator[Books]:
    async with BookVenue(request.param) as server:
        market = server.market(SystemClock())
        await market.start()
        await server.exchange.until(market.loaded.is_set, "the instruments")
        yield Books(server, market, Reader())
        await market.stop()


async def test_a_book_follows_the_stream(books: Books) -> None:
    await books.live()
    for _ in range(50):
        books.server.change()
    await books.right()
    if books.server.book.start is not Start.WHOLE:
        assert books.reader.states.count(BookState.LIVE) == 1
        assert books.reader.changes >= 50
    assert books.market.condition.health is Health.READY


async def test_frames_that_come_twice_and_out_of_order(books: Books) -> None:
    await books.live()
    server = books.server
    first, second = server.change(tell=False), server.change(tell=False)
    server.tell(first, first, second, first, second)
    await books.right()
    early, late = server.change(tell=False), server.change(tell=False)
    server.tell(late, early)
    await server.exchange.until(lambda: settled(books), "what comes of it")
    server.change()
    await books.right()


async def test_a_frame_that_is_lost(books: Books) -> None:
    await books.live()
    books.server.change(tell=False)
    books.server.change()
    books.server.change()
    await books.right()
    if books.server.book.start is not Start.WHOLE:
        assert BookState.SYNCING in books.reader.states[books.reader.states.index(BookState.LIVE) :]


async def test_a_reconnect_in_the_middle_of_a_snapshot(books: Books) -> None:
    server = books.server
    dropped: list[object] = []

    def drop_first(socket: Socket) -> list[bytes]:
        if dropped or server.book.start is Start.REST:
            return server.book.opening()
        dropped.append(socket)
        socket.drop()
        return []

    def drop_meanwhile(command: commands.GetBook) -> Answer:
        answer = Answer(server.book.snapshot())
        if not dropped:
            dropped.append(command)
            server.drop()
            server.change(tell=False)
        return answer

    server.opens = drop_first
    server.meets[commands.GetBook] = drop_meanwhile
    await books.subscribe()
    await server.exchange.until(lambda: len(server.subscribed) == 2, "the subscription, again")
    server.change()
    await books.right()
    assert dropped
    for _ in range(5):
        server.change()
    await books.right()


async def test_a_connection_that_is_lost(books: Books) -> None:
    await books.live()
    server = books.server
    server.drop()
    server.change(tell=False)
    await server.exchange.until(
        lambda: BookState.STALE in books.reader.states, "the word that it is stale"
    )
    await server.exchange.until(lambda: len(server.subscribed) == 2, "the subscription, again")
    server.change()
    await books.right()


async def test_a_book_by_rest_that_fails_for_a_while(books: Books) -> None:
    server = books.server
    if server.book.start is not Start.REST:
        pytest.skip("its book begins on the stream")
    left = [Answer(b"<html>", 502), Answer(drop=True), Answer(b"{", 200), Answer(b"{}", 500)]
    server.meets[commands.GetBook] = lambda command: (
        left.pop() if left else Answer(server.book.snapshot())
    )
    await books.live()
    assert not left


def settled(books: Books) -> bool:
    """Whether frames in the wrong order were ignored, or the book is begun anew."""
    return (
        books.reader.holds(books.server)
        or len(books.server.subscribed) > 1
        or bool(len(books.server.asked(commands.GetBook)) > 1)
    )
