"""One budget and one ban for all products of a host, and how it shows."""

from dataclasses import replace
from decimal import Decimal

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.gate import Gates
from cex.engine.market import ExchangeVenue
from cex.engine.spec import Pool
from cex.venues.binance import VENUE
from core.clock import SECOND, SystemClock
from core.errors import CambistError, Reason, Refused, Unconfirmed
from core.orders import OrderStatus
from core.ports import Channel, Health, RateLimitUsage
from tests.integration.cex.conftest import REQUEST
from tests.support.binance_server import BinanceServer, error
from tests.support.local_exchange import Answer, LocalExchange

POOLS = tuple(replace(pool, shared=True) for pool in VENUE.pools)
SISTER = replace(VENUE, id="binance_sister", name="Binance sister", pools=POOLS)
SPOT = replace(VENUE, pools=POOLS)


def told(venue: ExchangeVenue) -> dict[tuple[str, str], RateLimitUsage]:
    return {(use.name, use.scope): use for use in venue.rate_limits()}


@pytest.mark.parametrize("way", ["403", "418", "429"])
async def test_a_ban_silences_all_products_of_the_host(way: str) -> None:
    answers = {
        "403": Answer(b"<html>Forbidden</html>", 403, {"Retry-After": "7"}),
        "418": error(-1003, "Way too much request weight used.", 418, retry_after="7"),
        "429": error(-1003, "Too much request weight used.", 429, retry_after="7"),
    }
    async with LocalExchange() as exchange:
        server, gates = BinanceServer(exchange), Gates()
        venues = [
            ExchangeVenue(spec, SystemClock(), server.hosts, gates) for spec in (SPOT, SISTER)
        ]
        accounts = [
            ExchangeAccount(f"of {venue.spec.id}", venue, Credentials("the-api-key", "secret"))
            for venue in venues
        ]
        for venue in venues:
            await venue.start()
            await exchange.until(venue.loaded.is_set, "the instruments")
        spot, sister = accounts
        assert (await spot.place(REQUEST)).status is OrderStatus.OPEN
        assert (
            await sister.place(replace(REQUEST, client_order_id="B"))
        ).status is OrderStatus.OPEN
        for venue in venues:
            assert told(venue)["orders_10s", f"account:of {venue.spec.id}"].used == 2
        server.place_mode = lambda order: answers[way]
        with pytest.raises(Unconfirmed) as caught:
            await spot.place(replace(REQUEST, client_order_id="C"))
        assert caught.value.retry_after == 7 * SECOND
        sent = len(exchange.requests)
        for account, venue in zip(accounts, venues, strict=True):
            with pytest.raises(Refused) as refused:
                await account.place(replace(REQUEST, client_order_id="D", price=Decimal(98)))
            assert refused.value.reason is Reason.RATE_LIMITED
            assert 0 < (refused.value.retry_after or 0) < 8 * SECOND  # by their clocks
            assert venue.condition.health is Health.DOWN
            assert "send nothing" in venue.condition.reason
            assert all(use.blocked_until for use in told(venue).values())
        assert len(exchange.requests) == sent
        for venue in venues:
            await venue.stop()


async def test_connections_are_metered_too() -> None:
    pools = [p for p in VENUE.pools if p.name != "connections"]
    spec = replace(VENUE, pools=(*pools, Pool("connections", 1, 3600 * SECOND)))
    async with LocalExchange() as exchange:
        server = BinanceServer(exchange)
        venue = ExchangeVenue(spec, SystemClock(), server.hosts)
        await venue.start()
        await exchange.until(venue.loaded.is_set, "the instruments")
        instrument = venue.instruments["BTC-USDT"]
        await venue.subscribe(Channel.BOOK, instrument, lambda event: None)
        await exchange.until(lambda: server.market_sockets, "the stream")
        server.market_sockets[0].drop()
        await exchange.until(lambda: "rate limit" in venue.condition.reason, "the refusal")
        assert venue.condition.health is Health.DEGRADED
        assert told(venue)["connections", "ip"].used == 1
        assert server.market_sockets == []
        await venue.stop()


async def test_a_refusal_by_the_venue_itself_is_no_ban() -> None:
    async with LocalExchange() as exchange:
        server = BinanceServer(exchange)
        venue = ExchangeVenue(VENUE, SystemClock(), server.hosts)
        account = ExchangeAccount("main", venue, Credentials("the-api-key", "secret"))
        await venue.start()
        await exchange.until(venue.loaded.is_set, "the instruments")
        exchange.on("GET /api/v3/account", lambda seen: error(-2015, "Invalid API-key.", 403))
        with pytest.raises(CambistError) as caught:
            await account.balances()
        assert caught.value.reason is Reason.VENUE_AUTHENTICATION_FAILED
        assert (await account.place(REQUEST)).status is OrderStatus.OPEN
        await venue.stop()
