"""Silence: a quiet market is no trouble, a connection on which nothing at all arrives is."""

from dataclasses import replace
from functools import partial

from cex.engine.market import ExchangeVenue
from cex.venues.binance import STREAM, VENUE
from core.clock import SECOND, ManualClock
from core.market import BookSnapshot, BookState, MarketEvent
from core.ports import Channel
from tests.support.binance_server import BinanceServer
from tests.support.local_exchange import LocalExchange, Socket

# The clock is turned by hand; how often the watch looks at it is real time, so it looks often.
WATCHFUL = replace(
    VENUE, streams={"public": replace(STREAM, quiet=SECOND // 20, silence=3600 * SECOND)}
)


async def test_a_quiet_connection_is_pinged_and_a_dead_one_replaced() -> None:
    clock = ManualClock()
    async with LocalExchange() as exchange:
        server = BinanceServer(exchange)
        market = ExchangeVenue(WATCHFUL, clock, server.hosts)
        await market.start()
        await exchange.until(market.loaded.is_set)
        told: list[MarketEvent] = []
        feed = await market.subscribe(Channel.BOOK, market.instruments["BTC-USDT"], told.append)

        def state() -> BookState:
            snapshot = feed.snapshot()
            assert isinstance(snapshot, BookSnapshot)
            return snapshot.state

        await exchange.until(lambda: state() is BookState.LIVE)
        socket = server.market_sockets[0]
        for hours in (1, 2, 3):  # without a change of the book, but with pongs
            clock.advance(3000 * SECOND)
            await exchange.until(partial(pinged, socket, hours), "a ping")
            await exchange.until(lambda: market_heard(market) == clock.monotonic(), "its pong")
        assert state() is BookState.LIVE
        socket.answers_pings = False
        clock.advance(3600 * SECOND)
        await exchange.until(
            lambda: any(isinstance(e, BookSnapshot) and e.state is BookState.STALE for e in told),
            "a stale book",
        )
        stale = next(e for e in told if isinstance(e, BookSnapshot) and e.state is BookState.STALE)
        assert "nothing was received for 3600 s" in stale.reason
        await exchange.until(lambda: state() is BookState.LIVE, "the book again")
        await market.stop()


def pinged(socket: Socket, times: int) -> bool:
    """Whether a client has pinged so often."""
    return socket.pings >= times


def market_heard(market: ExchangeVenue) -> int:
    """When the venue's only public connection last heard anything (monotonic ns)."""
    (connection,) = market._topics._connections["public"]
    return connection.connection.heard
