"""Paper accounts on a real venue: fills against its displayed book and its public trades."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cex.paper.clearing import Clearing
from cex.paper.live_book import LiveBookAccount
from cex.paper.rows import as_order
from core.accounts import FundingPayment
from core.clock import SECOND, ManualClock
from core.errors import CambistError, Reason, Refused, Rejected
from core.market import BookDelta, BookSnapshot, BookState, Funding, Trade
from core.orders import (
    Fill,
    Liquidity,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from core.ports import AccountReport, Channel, Health, VenueKind
from tests.support.hand_venue import HandVenue
from tests.support.paper import named, perpetual, request

Rows = list[tuple[str, str]]


class Stage:
    """A venue by hand and a paper account on it."""

    def __init__(self, kind: VenueKind = VenueKind.SPOT, path: Path | None = None) -> None:
        self.clock = ManualClock()
        self.venue = HandVenue(kind)
        self.clearing = Clearing(path, self.clock)
        self.heard: list[AccountReport] = []
        self.naps = 0
        self.account = LiveBookAccount(
            "a",
            self.venue,
            self.clearing,
            self.clock,
            {"USDC": Decimal(100_000), "ETH": Decimal(30)},
            live_timeout=SECOND // 20,
            sleep=self.nap,
        )

    async def nap(self, seconds: float) -> None:
        """Stands in for waiting: the venue is mended after the second time."""
        self.naps += 1
        if self.naps >= 2:
            self.venue.broken = None
        await asyncio.sleep(0)

    def order(
        self, id: str, side: Side, quantity: str, price: str | None, **changes: Any
    ) -> OrderRequest:
        place = {"account": "a", "venue": "hand", "instrument": self.venue.instrument.id}
        return request(id, side, quantity, price, **{**place, **changes})

    def book(self, bids: Rows, asks: Rows, state: BookState = BookState.LIVE) -> None:
        id = self.venue.instrument.id
        snapshot = BookSnapshot(id, state, columns(bids), columns(asks), reason="a gap")
        self.venue.send(Channel.BOOK, snapshot)

    def delta(self, bids: Rows, asks: Rows) -> None:
        delta = BookDelta(self.venue.instrument.id, columns(bids), columns(asks))
        self.venue.send(Channel.BOOK, delta)

    def trade(self, taker: Side, price: str, quantity: str) -> None:
        id = self.venue.instrument.id
        trade = Trade(id, "t", taker, Decimal(price), Decimal(quantity), self.clock.now())
        self.venue.send(Channel.TRADES, trade)

    def fills(self) -> list[tuple[Decimal, Decimal]]:
        return [(f.price, f.quantity) for f in self.heard if isinstance(f, Fill)]

    async def start(self) -> "Stage":
        """Starts, and brings a live book: bids 99 and 98, asks 101 and 102."""
        await self.account.start(self.heard.append)
        asked = asyncio.create_task(self.account.prepare(self.venue.instrument.id))
        await asyncio.wait_for(self.venue.read.wait(), 10)
        self.book([("99", "5"), ("98", "5")], [("101", "2"), ("102", "3")])
        await asked
        return self


def columns(rows: Rows) -> tuple[list[str], list[str]]:
    return [price for price, _ in rows], [quantity for _, quantity in rows]


@pytest.fixture
async def stage() -> Stage:
    return await Stage().start()


async def test_a_taker_walks_the_displayed_levels(stage: Stage) -> None:
    report = await stage.account.place(stage.order("1", Side.BUY, "3", None))
    assert (report.status, report.filled_notional) == (OrderStatus.FILLED, 2 * 101 + 102)
    assert stage.fills() == [(101, 2), (102, 1)]
    (fill,) = [f for f in stage.heard if isinstance(f, Fill) and f.price == 101]
    assert (fill.fee, fill.fee_asset, fill.liquidity) == (
        Decimal("0.002"),
        "ETH",
        Liquidity.TAKER,
    )


async def test_what_was_taken_is_gone_until_the_level_changes(stage: Stage) -> None:
    place = stage.account.place
    await place(stage.order("1", Side.BUY, "1.5", "101"))
    again = await place(stage.order("2", Side.BUY, "1", "101", time_in_force=TimeInForce.IOC))
    assert (again.status, again.filled_quantity) == (OrderStatus.EXPIRED, Decimal("0.5"))
    stage.book([("99", "5")], [("101", "2"), ("102", "3")])  # a snapshot with the same level
    none = await place(stage.order("3", Side.BUY, "1", "101", time_in_force=TimeInForce.IOC))
    assert none.filled_quantity == 0
    stage.delta([], [("101", "4")])
    some = await place(stage.order("4", Side.BUY, "5", "101", time_in_force=TimeInForce.IOC))
    assert some.filled_quantity == 4


async def test_fok_counts_only_what_is_there(stage: Stage) -> None:
    fok = TimeInForce.FOK
    killed = await stage.account.place(stage.order("1", Side.BUY, "2.5", "101", time_in_force=fok))
    assert (killed.status, killed.filled_quantity) == (OrderStatus.EXPIRED, 0)
    filled = await stage.account.place(stage.order("2", Side.BUY, "5", "102", time_in_force=fok))
    assert filled.status is OrderStatus.FILLED


async def test_a_resting_order_waits_behind_what_is_displayed(stage: Stage) -> None:
    await stage.account.place(stage.order("1", Side.BUY, "2", "99"))
    stage.trade(Side.SELL, "99", "4")  # of the 5 before it
    stage.delta([("99", "0.5")], [])  # a cancellation ahead is not credited
    assert stage.fills() == []
    stage.trade(Side.SELL, "99", "1.5")
    assert stage.fills() == [(99, Decimal("0.5"))]
    stage.trade(Side.BUY, "99", "10")  # a buyer takes asks: not our side
    assert stage.fills() == [(99, Decimal("0.5"))]
    stage.trade(Side.SELL, "99", "10")
    assert stage.fills() == [(99, Decimal("0.5")), (99, Decimal("1.5"))]
    assert {f.liquidity for f in stage.heard if isinstance(f, Fill)} == {Liquidity.MAKER}


async def test_a_trade_through_the_price_fills_no_more_than_it_traded(stage: Stage) -> None:
    await stage.account.place(stage.order("1", Side.BUY, "2", "99"))
    await stage.account.place(stage.order("2", Side.BUY, "2", "98.5"))
    stage.trade(Side.SELL, "98", "3")
    assert stage.fills() == [(99, 2), (Decimal("98.5"), 1)]


async def test_the_opposite_side_reaching_the_price_fills(stage: Stage) -> None:
    await stage.account.place(stage.order("1", Side.SELL, "3", "101.5"))
    stage.delta([("101.5", "1")], [])
    assert stage.fills() == [(Decimal("101.5"), 1)]
    stage.delta([("101", "7")], [])  # nothing new at or beyond the price
    assert stage.fills() == [(Decimal("101.5"), 1)]
    stage.delta([("103", "7")], [])
    assert stage.fills() == [(Decimal("101.5"), 1), (Decimal("101.5"), 2)]
    assert await stage.account.open_orders() == []


async def test_orders_are_refused_while_the_book_is_not_live(stage: Stage) -> None:
    await stage.account.place(stage.order("0", Side.BUY, "1", "99"))
    stage.book([], [], BookState.STALE)
    for ask in (
        stage.account.place(stage.order("1", Side.BUY, "1", "99")),
        stage.account.check(stage.order("1", Side.BUY, "1", "99")),
        stage.account.replace(named_order(stage), Decimal(2), Decimal(98), ""),
    ):
        with pytest.raises(Refused) as refused:
            await ask
        assert refused.value.reason is Reason.BOOK_NOT_LIVE
    assert (await stage.account.cancel(named("0"))).status is OrderStatus.CANCELED
    stage.book([("99", "5")], [("101", "2")])
    placed = await stage.account.place(stage.order("1", Side.BUY, "1", "99"))
    assert placed.status is OrderStatus.OPEN


def named_order(stage: Stage) -> Order:
    return as_order(stage.clearing.book("a").orders["0"])


async def test_the_rules_are_those_of_the_paper_exchange(stage: Stage) -> None:
    place = stage.account.place
    cases = [
        (stage.order("1", Side.BUY, "1", "99.001"), Reason.ORDER_RULE_BROKEN),
        (stage.order("2", Side.BUY, "2000", "99"), Reason.INSUFFICIENT_BALANCE),
        (
            stage.order("3", Side.BUY, "1", "101", time_in_force=TimeInForce.POST_ONLY),
            Reason.POST_ONLY_WOULD_TAKE,
        ),
    ]
    for order, reason in cases:
        with pytest.raises(Rejected) as rejected:
            await place(order)
        assert rejected.value.reason is reason
    await place(stage.order("4", Side.BUY, "1", "99"))
    with pytest.raises(Rejected) as again:
        await place(stage.order("4", Side.BUY, "1", "99"))
    assert again.value.metadata["venue_code"] == "DUPLICATE_CLIENT_ORDER_ID"
    stage.delta([("99", "0"), ("98", "0")], [])
    crossing = await place(stage.order("5", Side.SELL, "1", "99"))
    assert "self-trade" in crossing.reason
    with pytest.raises(Refused) as unknown:
        await place(stage.order("6", Side.BUY, "1", "99", instrument="BTC-USDC"))
    assert unknown.value.reason is Reason.INSTRUMENT_NOT_FOUND


async def test_replace_moves_to_the_end_unless_it_shrinks(stage: Stage) -> None:
    await stage.account.place(stage.order("0", Side.BUY, "2", "99"))
    number = stage.clearing.book("a").orders["0"].number
    market = stage.account._matcher._markets["ETH-USDC"]
    stage.trade(Side.SELL, "99", "3")
    assert market.ahead(number) == 2
    await stage.account.replace(named_order(stage), Decimal(1), Decimal(99), "")
    assert market.ahead(number) == 2
    await stage.account.replace(named_order(stage), Decimal(3), Decimal(99), "")
    assert market.ahead(number) == 5
    report = await stage.account.replace(named_order(stage), Decimal(3), Decimal(101), "")
    assert (report.status, report.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, 2)


async def test_a_stop_triggers_on_a_public_trade(stage: Stage) -> None:
    stop = stage.order(
        "1", Side.SELL, "2", None, type=OrderType.STOP_MARKET, trigger_price=Decimal(98)
    )
    await stage.account.place(stop)
    stage.trade(Side.SELL, "98.5", "1")
    assert stage.fills() == []
    stage.book([], [], BookState.STALE)
    stage.trade(Side.SELL, "98", "1")  # triggered, but there is no book to trade on
    assert stage.fills() == []
    stage.book([("97", "5")], [])
    assert stage.fills() == [(97, 2)]


async def test_feeds_end_when_nothing_needs_them(stage: Stage) -> None:
    await stage.account.place(stage.order("1", Side.BUY, "1", "99"))
    stage.clock.advance(100 * SECOND)
    stage.delta([("98", "1")], [])
    assert stage.venue.feeds[Channel.BOOK]
    await stage.account.cancel(named("1"))
    stage.delta([("98", "2")], [])
    assert stage.venue.feeds[Channel.BOOK]
    stage.clock.advance(100 * SECOND)
    stage.delta([("98", "3")], [])
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(stage.venue.feeds.values())
    with pytest.raises(Refused) as refused:  # a new book is asked for, and does not come
        await stage.account.place(stage.order("2", Side.BUY, "1", "99"))
    assert refused.value.reason is Reason.BOOK_NOT_LIVE


async def test_open_orders_are_followed_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    before = await Stage(path=path).start()
    await before.account.place(before.order("1", Side.BUY, "2", "99"))
    before.clearing.store.close()  # and nothing else: it was killed

    after = Stage(path=path)
    after.venue.broken = CambistError(Reason.VENUE_UNAVAILABLE, "not yet")
    await after.account.start(after.heard.append)
    assert [order.client_order_id for order in await after.account.open_orders()] == ["1"]
    assert after.clearing.book("a").ledger.available("USDC") == 100_000 - 198
    await asyncio.sleep(0)
    assert after.account.condition.health is Health.DEGRADED
    for _ in range(20):
        await asyncio.sleep(0)
    assert after.account.condition.health is Health.READY
    after.book([("99", "4")], [("101", "1")])
    after.trade(Side.SELL, "99", "5")  # four stand before it anew
    assert after.fills() == [(99, 1)]
    await after.account.stop()
    assert not any(after.venue.feeds.values())


async def test_a_perpetual_pays_funding_and_is_liquidated_at_the_venue_s_mark() -> None:
    stage = Stage(VenueKind.PERPETUAL)
    await stage.start()
    id = stage.venue.instrument.id

    def funding(mark: str, next_time: int) -> None:
        price = Decimal(mark)
        event = Funding(id, Decimal("0.001"), next_time, price, price)
        stage.venue.send(Channel.FUNDING, event)

    stage.delta([], [("101", "0"), ("102", "0"), ("100", "10000")])
    funding("100", stage.clock.now() + SECOND)
    await stage.account.place(
        perpetual("1", Side.BUY, "9000", "100", account="a", venue="hand", instrument=id)
    )
    (position,) = await stage.account.positions()
    assert (position.quantity, position.margin) == (9000, 90_000)
    stage.clock.advance(SECOND)
    funding("100", stage.clock.now() + SECOND)
    (payment,) = [r for r in stage.heard if isinstance(r, FundingPayment)]
    assert payment.amount == -900
    funding("95", stage.clock.now() + SECOND)
    assert len(await stage.account.positions()) == 1
    funding("89", stage.clock.now() + SECOND)
    assert await stage.account.positions() == []
    (closed,) = [r for r in stage.heard if isinstance(r, Fill) and r.details]
    assert (closed.price, closed.side) == (89, Side.SELL)
    assert stage.clearing.book("a").ledger.totals["USDC"] == 0


async def test_pool_venues_have_no_paper_accounts() -> None:
    with pytest.raises(Refused):
        LiveBookAccount(
            "a", HandVenue(VenueKind.POOL), Clearing(None, ManualClock()), ManualClock()
        )
