"""Bots trade while the daemon is killed again and again; then everything is held together.

The paper exchange's own file is what really happened; the journal, the event stream and the answers
to the bots must say exactly the same.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

import cambist
from cambist import Client, Event, FaultKind, Fill, Order, OrderStatus, Side
from cex.paper.markets import INITIAL_BALANCES
from cex.paper.store import Store
from core import orders as core_orders
from core.instruments import InstrumentKind
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.random_bot import RandomBot, alike, left_free
from tests.support.told import Told, told

KILLS = 8
SEEDS = os.environ.get("CAMBIST_CRASH_SEEDS", "1").split(",")  # more, to search longer
FINAL = {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
UNANSWERED = {OrderStatus.PENDING, OrderStatus.UNCONFIRMED}
MARKETS = (
    ("paper", "ETH-USDC", "0.01", "0.0001"),
    ("paper", "ETH-USDC", "0.01", "0.0001"),
    ("paper", "AVAX-USDC", "0.001", "0.01"),
    ("paper_perpetual", "ETH-USDT-PERP", "0.01", "0.001"),
)


class Calls:
    """How many calls were begun, to wait for the next ones."""

    def __init__(self) -> None:
        self.count = 0
        self._more = asyncio.Event()

    def one(self) -> None:
        self.count += 1
        self._more.set()

    async def more(self, number: int) -> None:
        goal = self.count + number
        async with asyncio.timeout(60):
            while self.count < goal:
                self._more.clear()
                await self._more.wait()


@dataclass
class Truth:
    """What the exchange's file says."""

    orders: dict[tuple[str, str], core_orders.Order]  # by account and client order id
    fills: list[core_orders.Fill]
    balances: dict[tuple[str, str], Decimal]
    positions: dict[str, Decimal]


@pytest.mark.parametrize("seed", [int(seed) for seed in SEEDS])
async def test_nothing_is_done_twice_and_nothing_is_lost(tmp_path: Path, seed: int) -> None:
    random, calls, ended = Random(seed), Calls(), asyncio.Event()
    async with running_daemon(tmp_path / "home") as daemon, connection(daemon) as watching:
        async with told(watching.events.stream(from_start=True)) as log:
            bots = [
                RandomBot(
                    f"bot{number}",
                    await connection(daemon),
                    venue,
                    venue,
                    instrument,
                    Decimal(tick),
                    Decimal(step),
                    Random(seed * 100 + number),
                    calls.one,
                )
                for number, (venue, instrument, tick, step) in enumerate(MARKETS)
            ]
            trading = asyncio.gather(*(bot.run(ended) for bot in bots))
            try:
                for number in range(KILLS):
                    await until_any(trading, calls.more(random.randint(5, 30)))
                    await misbehave(watching, random)
                    await until_any(trading, calls.more(random.randint(1, 30)))
                    await daemon.kill()
                    if number % 3 == 1:
                        await killed_while_it_starts(daemon, random)
                    await daemon.start()
                await until_any(trading, calls.more(20))
                await watching.sandbox.clear_faults()
            finally:
                ended.set()
            async with asyncio.timeout(60):
                await trading
            await everything_ends(watching, log)
            await answers_hold(bots, watching)
            orders = await watching.trading.list_orders(page_size=1000)
            fills = await watching.trading.list_fills(page_size=1000)
            balances = await watching.accounts.list_balances()
            positions = await watching.accounts.list_positions()
            events = await whole_log(watching, log)
            for bot in bots:
                await bot.client.close()
        assert await daemon.stop() == 0
        truth = read_truth(daemon.data_dir / "paper.sqlite")
    assert len(truth.fills) > 20, "too little happened for this test to say anything"
    requests = {request_id for bot in bots for request_id in bot.placed}
    one_order_a_request(orders, truth, requests)
    fills_are_facts(events, fills, orders, truth)
    the_log_is_monotone(events)
    assert truth.balances == {(one.venue, one.asset): one.total for one in balances}
    assert last_balances(events) == truth.balances
    assert truth.positions == {one.instrument: one.quantity for one in positions if one.quantity}
    money_adds_up(fills, truth)


def connection(daemon: RunningDaemon) -> "cambist.client.Connecting":
    return cambist.connect(daemon.connect, timeout=60, patience=60)


async def until_any(
    trading: "asyncio.Future[list[None]]", waiting: Coroutine[Any, Any, None]
) -> None:
    """Waits; a bot that fails ends the test at once."""
    task = asyncio.create_task(waiting)
    both: set[asyncio.Future[Any]] = {trading, task}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        await trading
    await task


async def misbehave(client: Client, random: Random) -> None:
    """The venue has its moods as well."""
    kind = random.choice(
        [
            FaultKind.TIMEOUT_AFTER_EFFECT,
            FaultKind.TIMEOUT_WITHOUT_EFFECT,
            FaultKind.DROP_FILL,
            FaultKind.DUPLICATE_REPORT,
            FaultKind.DISCONNECT,
            FaultKind.RATE_LIMIT,
        ]
    )
    await client.sandbox.add_fault(
        kind, times=random.randint(2, 12), delay=timedelta(milliseconds=20)
    )


async def killed_while_it_starts(daemon: RunningDaemon, random: Random) -> None:
    try:
        async with asyncio.timeout(random.uniform(0.1, 1.0)):
            await daemon.start()
    except TimeoutError:
        pass  # it was not ready yet
    await daemon.kill()


async def everything_ends(client: Client, log: Told[Event]) -> None:
    """No order stays in doubt; then all are canceled, and the last fills are told."""

    async def settled(statuses: set[OrderStatus]) -> None:
        async with asyncio.timeout(30):
            while True:
                left = await client.trading.list_orders(open_only=True, page_size=1000)
                if not [one for one in left if one.status in statuses]:
                    return
                await asyncio.sleep(0.1)

    await settled(UNANSWERED)
    for venue in ("paper", "paper_perpetual"):
        await client.trading.cancel_all_orders(venue, account=venue)
    await settled(set(OrderStatus) - FINAL)

    orders = await client.trading.list_orders(page_size=1000)
    filled = {one.client_order_id: one.filled_quantity for one in orders if one.filled_quantity}
    await log.until(lambda events: by_order(events) == filled, 30)


async def answers_hold(bots: Sequence[RandomBot], client: Client) -> None:
    """Each answer agrees with the order as it is now, and is given again."""
    for bot in bots:
        assert set(bot.answers) == set(bot.placed)
        for request_id, answer in bot.answers.items():
            if not left_free(answer):
                assert alike(await bot.again(request_id), answer)
            if isinstance(answer, cambist.Error):
                await never_live(client, bot.account, request_id)
                continue
            now = await client.trading.get_order(account=bot.account, request_id=request_id)
            assert now.client_order_id == answer.client_order_id
            assert now.request_id == answer.request_id == request_id
            assert now.filled_quantity >= answer.filled_quantity
            if answer.status in FINAL:
                assert (now.status, now.filled_quantity) == (answer.status, answer.filled_quantity)
            if now.client_order_id not in bot.replaced:
                assert now.spec == answer.spec


async def never_live(client: Client, account: str, request_id: str) -> None:
    try:
        now = await client.trading.get_order(account=account, request_id=request_id)
    except cambist.OrderNotFound:
        return
    assert (now.status, now.filled_quantity) == (OrderStatus.REJECTED, 0), now


async def whole_log(client: Client, log: Told[Event]) -> list[Event]:
    """What one stream told over all restarts: without a gap, and as the pages tell it."""
    listed = await client.events.list_events(page_size=1000)
    await log.until(lambda events: len(events) >= len(listed))
    events = log.values[: len(listed)]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events == listed
    return events


def read_truth(path: Path) -> Truth:
    store = Store(path)
    try:
        rows = store._db.execute("SELECT account, client_order_id FROM orders").fetchall()
        truth = Truth({}, [], {}, {})
        for account, id in rows:
            found = store.order(account, id)
            assert found is not None
            request = found.request
            truth.orders[account, id] = core_orders.Order(
                request, found.status, str(found.number), found.filled
            )
        for account, _, _ in store.accounts():
            for instrument in {instrument for _, instrument, _, _ in MARKETS}:
                truth.fills += store.fills(account, instrument, 0)
            for asset, total in store.balances(account).items():
                truth.balances[account, asset] = total
            for holding in store.holdings(account).values():
                if holding.quantity:
                    truth.positions[holding.instrument] = holding.quantity
        return truth
    finally:
        store.close()


def one_order_a_request(orders: Sequence[Order], truth: Truth, requests: set[str]) -> None:
    """At most one order a request reached the exchange, and none that nobody asked for."""
    ours = {(one.spec.account, one.client_order_id): one for one in orders}
    assert len(ours) == len(orders)
    assert not [one for one in orders if one.external]
    assert set(truth.orders) <= set(ours)
    reached = Counter(ours[key].request_id for key in truth.orders)
    assert set(reached) <= requests
    assert max(reached.values()) == 1
    for key, order in ours.items():
        there = truth.orders.get(key)
        if there is None:
            assert (order.status, order.filled_quantity) == (OrderStatus.REJECTED, 0), order
            continue
        assert order.venue_order_id == there.venue_order_id
        assert order.status.name == there.status.name, (order, there)
        assert order.filled_quantity == there.filled_quantity
        assert order.spec.quantity == there.request.quantity
        assert order.spec.price == there.request.price


def fills_are_facts(
    events: Sequence[Event], fills: Sequence[Fill], orders: Sequence[Order], truth: Truth
) -> None:
    """The log, the list and the exchange have the same fills, each once."""
    in_log = [event.fill for event in events if event.fill]
    assert len({(one.account, one.trade_id) for one in in_log}) == len(in_log)
    assert (
        sorted(map(facts, in_log)) == sorted(map(facts, fills)) == sorted(map(facts, truth.fills))
    )
    sums = by_order(events)
    for order in orders:
        assert sums.pop(order.client_order_id, 0) == order.filled_quantity
    assert sums == {}


def by_order(events: Sequence[Event]) -> dict[str, Decimal]:
    """How much the fills in the log make of each order."""
    sums: dict[str, Decimal] = {}
    for event in events:
        if event.fill:
            id = event.fill.client_order_id
            sums[id] = sums.get(id, Decimal(0)) + event.fill.quantity
    return sums


def facts(fill: Fill | core_orders.Fill) -> tuple[str, ...]:
    side, liquidity = fill.side.name, fill.liquidity.name
    numbers = (str(number.normalize()) for number in (fill.price, fill.quantity, fill.fee))
    where = (fill.account, fill.instrument, fill.client_order_id, fill.venue_order_id)
    return (fill.trade_id, *where, side, *numbers, fill.fee_asset, liquidity)


RANK = {status: rank for rank, status in enumerate(list(OrderStatus)[:5])}


def the_log_is_monotone(events: Sequence[Event]) -> None:
    """No order goes back."""
    last: dict[str, Order] = {}
    for event in events:
        if event.order:
            now = event.order
            before = last.get(now.client_order_id)
            if before:
                assert before.status not in FINAL or now.status in FINAL, (before, now)
                assert RANK.get(now.status, 9) >= RANK.get(before.status, 0), (before, now)
                assert now.filled_quantity >= before.filled_quantity
            last[now.client_order_id] = now
    filled = {id: one.filled_quantity for id, one in last.items() if one.filled_quantity}
    assert filled == by_order(events)


def last_balances(events: Sequence[Event]) -> dict[tuple[str, str], Decimal]:
    found = {}
    for event in events:
        if event.balance:
            found[event.balance.venue, event.balance.asset] = event.balance.total
    return found


def money_adds_up(fills: Sequence[Fill], truth: Truth) -> None:
    """Spot: what an account began with and its fills, fees included, are what it has."""
    totals = dict(INITIAL_BALANCES[InstrumentKind.SPOT])
    position = Decimal(0)
    for fill in fills:
        sign = 1 if fill.side is Side.BUY else -1
        if fill.venue == "paper":
            base, quote = fill.instrument.split("-")
            totals[base] += sign * fill.quantity
            totals[quote] -= sign * fill.quantity * fill.price
            totals[fill.fee_asset] -= fill.fee
        else:
            position += sign * fill.quantity
    assert totals == {
        asset: total for (venue, asset), total in truth.balances.items() if venue == "paper"
    }
    assert position == truth.positions.get("ETH-USDT-PERP", 0)
