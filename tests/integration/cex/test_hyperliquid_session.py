"""Hyperliquid's ways through the engine, against a local server: one path for all questions, signed
actions by REST and by the account's socket, books that are always whole, names instead of numbers.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.accounts import exchange_account
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.venues.hyperliquid_perpetual import VENUE
from core.accounts import MarginMode
from core.clock import SECOND, SystemClock
from core.errors import Reason, Refused, Rejected, Unconfirmed
from core.market import BookDelta, BookSnapshot, BookState, Funding, Ticker
from core.orders import (
    Fill,
    Order,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from core.ports import AccountReport, CancelTimer, Channel, StreamState
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
NAME = "0x000000000000000000000000000000a1"
REQUEST = OrderRequest(
    NAME, "main", "hyperliquid_perpetual", "BTC-USDC-PERP", Side.BUY, OrderType.LIMIT,
    Decimal("0.2"), Decimal("99.5"))  # fmt: skip
META = {"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 50}]}
CONTEXT = {
    "dayNtlVlm": "1000.0", "prevDayPx": "98.0", "markPx": "100.1", "oraclePx": "100.0",
    "funding": "0.0000125", "openInterest": "5.0", "dayBaseVlm": "10.0"}  # fmt: skip


def levels(*rows: str) -> list[dict[str, Any]]:
    return [{"px": p, "sz": q, "n": 1} for p, q in (row.split("x") for row in rows)]


def frame(channel: str, data: Any) -> bytes:
    return json.dumps({"channel": channel, "data": data}, separators=(",", ":")).encode()


def book(number: int, bids: Any, asks: Any, **more: Any) -> bytes:
    return frame("l2Book", {"coin": "BTC", "time": number, "levels": [bids, asks], **more})


def ok(*statuses: Any, kind: str = "order") -> dict[str, Any]:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": list(statuses)}}}


@dataclass
class Hyperliquid:
    """The scripted venue, and what the engine made of it."""

    exchange: LocalExchange
    market: ExchangeVenue
    account: ExchangeAccount
    reports: list[AccountReport] = field(default_factory=list)
    replies: dict[str, Any] = field(default_factory=dict)  # to actions, by type
    infos: dict[str, Any] = field(default_factory=dict)
    actions: list[dict[str, Any]] = field(default_factory=list)  # as they arrived, by either way
    deaf: bool = False  # does not answer what comes over a socket
    silent_topics: tuple[str, ...] = ()

    def info(self, seen: Seen) -> Answer:
        asked = json.loads(seen.body)
        told = self.infos.get(asked["type"], Answer(b"null", 500))
        if isinstance(told, Answer):
            return told
        return Answer(json.dumps(told(asked) if callable(told) else told).encode())

    def act(self, seen: Seen) -> Answer:
        self.actions.append(json.loads(seen.body))
        told = self.replies[self.actions[-1]["action"]["type"]]
        return told if isinstance(told, Answer) else Answer(json.dumps(told).encode())

    def answer(self, socket: Socket, payload: bytes) -> None:
        said = json.loads(payload)
        if said["method"] == "ping":
            socket.send(b'{"channel":"pong"}')
        elif said["method"] == "post":
            self.actions.append(said["request"]["payload"])
            told = self.replies[self.actions[-1]["action"]["type"]]
            response = told if "payload" in told else {"type": "action", "payload": told}
            if not self.deaf:
                socket.send(frame("post", {"id": said["id"], "response": response}))
        else:
            topic = said["subscription"]
            if topic["type"] not in self.silent_topics and not topic.get("fast"):
                socket.send(frame("subscriptionResponse", said))
            if said["method"] == "subscribe" and topic["type"] == "l2Book" and "fast" not in topic:
                socket.send(book(1000, levels("99.5x1", "99.4x2"), levels("100.5x2", "100.6x1")))

    def push(self, *frames: bytes) -> None:
        """To all sockets."""
        for socket in self.exchange.sockets:
            socket.send(*frames)


@pytest.fixture
async def venue() -> AsyncIterator[Hyperliquid]:
    async with LocalExchange() as exchange:
        spec = replace(
            VENUE,
            streams={
                name: replace(stream, quiet=SECOND // 20) for name, stream in VENUE.streams.items()
            },
        )
        hosts = {"rest": exchange.http, "stream": exchange.ws}
        market = ExchangeVenue(spec, SystemClock(), hosts)
        account = ExchangeAccount("main", market, Credentials(ADDRESS, KEY))
        made = Hyperliquid(exchange, market, account)
        made.infos = {
            "exchangeStatus": lambda asked: {"time": time.time_ns() // 1_000_000},
            "meta": META,
            "metaAndAssetCtxs": [META, [CONTEXT]],
            "l2Book": json.loads(book(999, levels("99.5x1"), levels("100.5x2")))["data"],
        }
        exchange.on("POST /info", made.info)
        exchange.on("POST /exchange", made.act)
        exchange.on_frame = made.answer
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        yield made
        await account.stop()
        await market.stop()


async def connect(venue: Hyperliquid) -> None:
    await venue.account.start(venue.reports.append)
    await venue.exchange.until(
        lambda: [r.connected for r in venue.reports if isinstance(r, StreamState)][-1:] == [True],
        "the account stream",
    )


# -- the market ------------------------------------------------------------------------------------


async def test_a_book_is_whole_with_every_message_and_its_best_levels_come_faster(
    venue: Hyperliquid,
) -> None:
    told: list[Any] = []
    instrument = venue.market.instruments["BTC-USDC-PERP"]
    feed = await venue.market.subscribe(Channel.BOOK, instrument, told.append)
    await venue.exchange.until(lambda: told and told[-1].state is BookState.LIVE, "the book")
    # Only what is not confirmed by the venue may come: the fast book is more than was promised.
    best = [levels(*(f"99.{n}x1" for n in range(9, 4, -1))), levels("100.1x3")]
    venue.push(
        book(1100, *best, fast=True),
        book(1050, levels("1x1"), levels("2x1")),  # late
        book(1060, levels("1x1"), levels("2x1"), fast=True),  # late
    )
    await venue.exchange.until(lambda: isinstance(told[-1], BookDelta), "the best levels")
    venue.push(book(1200, levels("99.7x1"), levels("100x1")))
    await venue.exchange.until(lambda: isinstance(told[-1], BookSnapshot), "the next book")
    assert [type(event).__name__ for event in told[-2:]] == ["BookDelta", "BookSnapshot"]
    delta, whole = told[-2:]
    assert delta.bids == (["99.9", "99.8", "99.7", "99.6", "99.5"], ["1"] * 5)
    assert delta.asks == (["100.6", "100.5", "100.1"], ["0", "0", "3"])
    assert whole.bids == (["99.7"], ["1"])
    assert whole.event_time == 1200 * 1_000_000
    await feed.close()


async def test_a_book_is_stale_while_the_connection_is_gone(venue: Hyperliquid) -> None:
    told: list[Any] = []
    instrument = venue.market.instruments["BTC-USDC-PERP"]
    feed = await venue.market.subscribe(Channel.BOOK, instrument, told.append)
    await venue.exchange.until(lambda: told and told[-1].state is BookState.LIVE, "the book")
    for socket in list(venue.exchange.sockets):
        socket.drop()
    await venue.exchange.until(
        lambda: BookState.STALE in [event.state for event in told if hasattr(event, "state")],
        "the stale book",
    )
    await venue.exchange.until(lambda: told[-1].state is BookState.LIVE, "the book again")
    await feed.close()


async def test_ticker_and_funding_share_a_topic(venue: Hyperliquid) -> None:
    instrument = venue.market.instruments["BTC-USDC-PERP"]
    told: list[Any] = []
    feeds = [
        await venue.market.subscribe(channel, instrument, told.append)
        for channel in (Channel.TICKER, Channel.FUNDING)
    ]
    await venue.exchange.until(
        lambda: sum("activeAssetCtx" in str(s.frames) for s in venue.exchange.sockets) == 2,
        "both subscriptions",
    )
    best = {"coin": "BTC", "time": 5, "bbo": [levels("99x1")[0], None]}
    venue.push(frame("activeAssetCtx", {"coin": "BTC", "ctx": CONTEXT}), frame("bbo", best))
    await venue.exchange.until(
        lambda: (
            any(isinstance(e, Ticker) and e.bid_price for e in told)
            and any(isinstance(e, Funding) for e in told)
        ),
        "both",
    )
    ticker = [event for event in told if isinstance(event, Ticker)][-1]
    assert (ticker.bid_price, ticker.open_price) == (Decimal(99), Decimal(98))
    (funding,) = [event for event in told if isinstance(event, Funding)]
    assert funding.index_price == Decimal(100)
    hour = 3600 * SECOND
    assert funding.next_time % hour == 0
    assert 0 < funding.next_time - time.time_ns() <= hour
    for feed in feeds:
        await feed.close()


async def test_a_ticker_by_rest_has_prices_and_statistics(venue: Hyperliquid) -> None:
    ticker = await venue.market.ticker(venue.market.instruments["BTC-USDC-PERP"])
    assert (ticker.bid_price, ticker.ask_price) == (Decimal("99.5"), Decimal("100.5"))
    assert (ticker.open_price, ticker.volume) == (Decimal(98), Decimal(10))


# -- actions ---------------------------------------------------------------------------------------


async def test_a_burst_of_actions_has_numbers_of_its_own_each_and_is_signed_by_the_key(
    venue: Hyperliquid,
) -> None:
    sdk = pytest.importorskip("hyperliquid.utils.signing")
    venue.replies["order"] = ok({"resting": {"oid": 5}})
    requests = [replace(REQUEST, client_order_id=f"0x{n:032x}") for n in range(20)]
    reports = await asyncio.gather(*(venue.account.place(request) for request in requests))
    assert {report.client_order_id for report in reports} == {r.client_order_id for r in requests}
    nonces = [action["nonce"] for action in venue.actions]
    assert len(set(nonces)) == 20
    assert {nonce % 2 for nonce in nonces} == {1}  # the others are the spot venue's
    now = time.time_ns() // 1_000_000
    for action in venue.actions:
        assert abs(action["nonce"] - now) < 60_000
        signed = sdk.recover_agent_or_user_from_l1_action(
            action["action"], action["signature"], None, action["nonce"], action["expiresAfter"],
            True,
        )  # fmt: skip
        assert signed.lower() == ADDRESS


async def test_while_the_account_is_connected_orders_go_over_its_socket(
    venue: Hyperliquid,
) -> None:
    await connect(venue)
    venue.replies = {
        "order": ok({"resting": {"oid": 5, "cloid": NAME}}),
        "cancelByCloid": ok("success", kind="cancel"),
    }
    report = await venue.account.place(REQUEST)
    assert (report.status, report.venue_order_id) == (OrderStatus.OPEN, "5")
    canceled = await venue.account.cancel(Order(REQUEST, OrderStatus.OPEN, "5"))
    assert canceled.status is OrderStatus.CANCELED
    assert len(venue.actions) == 2
    assert not venue.exchange.asked("POST /exchange")


async def test_an_order_that_was_sent_over_the_socket_and_not_answered_is_not_sent_again(
    venue: Hyperliquid,
) -> None:
    await connect(venue)
    venue.deaf = True
    venue.replies["order"] = ok({"resting": {"oid": 5}})
    placing = asyncio.ensure_future(venue.account.place(REQUEST))
    await venue.exchange.until(lambda: venue.actions, "the order")
    for socket in list(venue.exchange.sockets):
        socket.drop()
    with pytest.raises(Unconfirmed):
        await placing
    assert len(venue.actions) == 1
    assert not venue.exchange.asked("POST /exchange")


async def test_an_error_over_the_socket_proves_nothing(venue: Hyperliquid) -> None:
    await connect(venue)
    venue.replies["order"] = {"type": "error", "payload": "Internal error"}
    with pytest.raises(Unconfirmed):
        await venue.account.place(REQUEST)
    assert len(venue.actions) == 1


async def test_an_order_that_timed_out_and_was_taken_is_found_by_its_name(
    venue: Hyperliquid,
) -> None:
    venue.replies["order"] = Answer(drop=True)
    with pytest.raises(Unconfirmed):
        await venue.account.place(REQUEST)
    row = {
        "coin": "BTC", "side": "B", "limitPx": "99.5", "sz": "0.2", "oid": 7, "timestamp": 5,
        "origSz": "0.2", "cloid": NAME}  # fmt: skip
    order = Order(REQUEST, OrderStatus.UNCONFIRMED)
    venue.infos["orderStatus"] = {
        "status": "order", "order": {"order": row, "status": "open", "statusTimestamp": 6}
    }  # fmt: skip
    report = await venue.account.query(order)
    assert report is not None
    assert (report.status, report.venue_order_id) == (OrderStatus.OPEN, "7")
    assert json.loads(venue.exchange.asked("POST /info")[-1].body)["oid"] == NAME
    venue.infos["orderStatus"] = {"status": "unknownOid"}
    assert await venue.account.query(order) is None
    # It cannot come to life once it has expired.
    told = venue.actions[0]
    lives = told["expiresAfter"] * 1_000_000 - time.time_ns()
    assert lives < venue.account.settle_time


async def test_a_market_order_is_a_limit_that_trades_at_once(venue: Hyperliquid) -> None:
    venue.replies["order"] = ok({"filled": {"totalSz": "0.2", "avgPx": "100.5", "oid": 5}})
    market = replace(
        REQUEST, type=OrderType.MARKET, price=None, max_slippage=Decimal("0.01234"),
        time_in_force=TimeInForce.IOC,
    )  # fmt: skip
    report = await venue.account.place(market)
    assert report.status is OrderStatus.FILLED
    (order,) = venue.actions[0]["action"]["orders"]
    assert order["p"] == "101.7"  # 100.5 and 1.234 %: no more than that, in five digits
    assert order["t"] == {"limit": {"tif": "Ioc"}}


async def test_a_price_with_too_many_digits_is_refused_before_it_is_sent(
    venue: Hyperliquid,
) -> None:
    for price, allowed in (("99.5", True), ("12345.6", False), ("123456", True)):
        request = replace(REQUEST, price=Decimal(price), quantity=Decimal("0.2"))
        if allowed:
            await venue.account.check(request)
        else:
            with pytest.raises(Refused) as caught:
                await venue.account.check(request)
            assert caught.value.reason is Reason.ORDER_RULE_BROKEN
    assert not venue.actions


async def test_a_replacement_is_another_order_and_the_old_one_is_canceled(
    venue: Hyperliquid,
) -> None:
    await connect(venue)
    new = "0x000000000000000000000000000000b2"
    venue.replies["batchModify"] = ok({"resting": {"oid": 9, "cloid": new}})
    order = Order(REQUEST, OrderStatus.PARTIALLY_FILLED, "5", Decimal("0.04"))
    report = await venue.account.replace(order, Decimal("0.3"), Decimal("98"), new)
    assert (report.client_order_id, report.venue_order_id) == (new, "9")
    (change,) = venue.actions[0]["action"]["modifies"]
    assert change["oid"] == NAME
    assert (change["order"]["s"], change["order"]["p"], change["order"]["c"]) == ("0.26", "98", new)
    old = [r for r in venue.reports if isinstance(r, OrderReport) and r.client_order_id == NAME]
    assert [report.status for report in old] == [OrderStatus.CANCELED]
    # The venue's own words about both follow, and change nothing.
    venue.replies["batchModify"] = ok({"error": "Cannot modify canceled or filled order"})
    with pytest.raises(Rejected) as caught:
        await venue.account.replace(order, Decimal("0.3"), Decimal("97"), new)
    assert caught.value.reason is Reason.ORDER_FINAL


async def test_all_open_orders_are_canceled_by_their_numbers(venue: Hyperliquid) -> None:
    row = {
        "coin": "BTC", "side": "B", "limitPx": "99.5", "sz": "0.2", "oid": 7, "timestamp": 5,
        "origSz": "0.2", "cloid": NAME, "orderType": "Limit", "tif": "Gtc", "triggerPx": "0.0",
        "isTrigger": False, "reduceOnly": False}  # fmt: skip
    others = [{**row, "coin": "@107", "oid": 8}, {**row, "coin": "xyz:TSLA", "oid": 9}]
    venue.infos["frontendOpenOrders"] = [row, *others, {**row, "oid": 10, "cloid": None}]
    venue.replies["cancel"] = ok("success", "success", kind="cancel")
    canceled = await venue.account.cancel_all(None)
    assert [report.venue_order_id for report in canceled] == ["7", "10"]
    assert venue.actions[0]["action"]["cancels"] == [{"a": 0, "o": 7}, {"a": 0, "o": 10}]


async def test_what_the_stream_tells(venue: Hyperliquid) -> None:
    """A fill may come before its order; what was there before we came is not told again."""
    await connect(venue)
    fill = {
        "coin": "BTC", "px": "99.5", "sz": "0.2", "side": "B", "time": 5, "startPosition": "-0.2",
        "dir": "Buy", "closedPnl": "0.0", "hash": "0x1", "oid": 7, "crossed": True, "fee": "0.01",
        "tid": 3, "feeToken": "USDC", "cloid": NAME}  # fmt: skip
    row = {
        "coin": "BTC", "side": "B", "limitPx": "99.5", "sz": "0.0", "oid": 7, "timestamp": 5,
        "origSz": "0.2", "cloid": NAME}  # fmt: skip
    other = {**fill, "coin": "PURR/USDC", "tid": 4}
    before = {"isSnapshot": True, "user": ADDRESS, "fills": [{**fill, "tid": 1}]}
    venue.push(
        frame("userFills", before),
        frame("userFills", {"user": ADDRESS, "fills": [fill, other]}),
        frame("orderUpdates", [{"order": row, "status": "filled", "statusTimestamp": 6}]),
    )
    await venue.exchange.until(
        lambda: any(isinstance(r, OrderReport) for r in venue.reports), "the order"
    )
    (told,) = [r for r in venue.reports if isinstance(r, Fill)]
    assert (told.trade_id, told.client_order_id) == ("3", NAME)
    (report,) = [r for r in venue.reports if isinstance(r, OrderReport)]
    assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, Decimal("0.2"))
    kinds = [type(r).__name__ for r in venue.reports]
    assert kinds == ["StreamState", "Fill", "Position", "OrderReport"]


async def test_an_account_lives_without_the_topics_that_can_be_asked_for(
    venue: Hyperliquid,
) -> None:
    venue.silent_topics = ("userFundings", "clearinghouseState")
    await connect(venue)


async def test_an_account_that_used_up_its_actions_can_still_cancel(venue: Hyperliquid) -> None:
    words = "Too many cumulative requests sent (37986 > 10436) for cumulative volume traded $437."
    venue.replies = {
        "order": {"status": "err", "response": words},
        "cancelByCloid": ok("success", kind="cancel"),
    }
    with pytest.raises(Unconfirmed) as caught:
        await venue.account.place(REQUEST)
    assert caught.value.retry_after == 10 * SECOND
    with pytest.raises(Refused) as refused:
        await venue.account.place(REQUEST)
    assert refused.value.reason is Reason.RATE_LIMITED
    await venue.account.cancel(Order(REQUEST, OrderStatus.OPEN, "5"))
    assert [action["action"]["type"] for action in venue.actions] == ["order", "cancelByCloid"]


async def test_a_key_that_is_none_is_refused_and_not_shown(venue: Hyperliquid) -> None:
    account = ExchangeAccount("other", venue.market, Credentials(ADDRESS, "0xsecretsecret"))
    with pytest.raises(Refused) as caught:
        await account.place(REQUEST)
    assert caught.value.reason is Reason.VENUE_AUTHENTICATION_FAILED
    assert "secretsecret" not in str(caught.value)
    assert not venue.actions


async def test_leverage_and_margin_mode_are_declared_together(venue: Hyperliquid) -> None:
    """So that declaring one asks for the other first."""
    instrument = venue.market.instruments["BTC-USDC-PERP"]
    declared = {"type": "cross", "value": 20}
    venue.infos["activeAssetData"] = lambda asked: {
        "user": asked["user"],
        "coin": asked["coin"],
        "leverage": declared,
    }
    venue.replies["updateLeverage"] = {"status": "ok", "response": {"type": "default"}}
    await venue.account.set_margin_mode(instrument, MarginMode.ISOLATED)
    declared = {"type": "isolated", "value": 20, "rawUsd": "0.0"}
    await venue.account.set_leverage(instrument, Decimal(5))
    told = {"type": "updateLeverage", "asset": 0, "isCross": False}
    assert [action["action"] for action in venue.actions] == [
        {**told, "leverage": 20},
        {**told, "leverage": 5},
    ]
    with pytest.raises(Refused) as caught:
        await venue.account.set_leverage(instrument, Decimal("2.5"))
    assert caught.value.reason is Reason.FIELD_INVALID
    del venue.infos["activeAssetData"]  # the venue does not answer: nothing is declared blindly
    with pytest.raises(Refused):
        await venue.account.set_margin_mode(instrument, MarginMode.CROSS)
    assert len(venue.actions) == 2


async def test_the_venue_cancels_all_by_itself_when_it_does_not_hear_from_us(
    venue: Hyperliquid,
) -> None:
    account = exchange_account("main", venue.market, Credentials(ADDRESS, KEY))
    assert isinstance(account, CancelTimer)
    assert not isinstance(venue.account, CancelTimer)
    venue.replies["scheduleCancel"] = {"status": "ok", "response": {"type": "default"}}
    now = time.time_ns() // 1_000_000
    for timeout in (60, 1, 0):
        await account.cancel_all_after(timeout * SECOND)
    late, soon, never = [action["action"] for action in venue.actions]
    assert 59_000 < late["time"] - now < 90_000
    assert 5_000 < soon["time"] - now < 36_000
    assert never == {"type": "scheduleCancel"}
    venue.replies["scheduleCancel"] = {"status": "err", "response": "not for you"}
    with pytest.raises(Unconfirmed):
        await account.cancel_all_after(60 * SECOND)
