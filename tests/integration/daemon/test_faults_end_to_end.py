"""A paper exchange that misbehaves, a daemon in a process of its own, and the real client."""

import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
import pytest_asyncio

import cambist
from cambist import BookState, Client, Event, FaultKind, Order, OrderStatus, Side
from tests.support.daemon import running_daemon
from tests.support.told import Told, fills, orders, told

pytestmark = pytest.mark.asyncio(loop_scope="module")

VENUE = ACCOUNT = "paper"
INSTRUMENT = "ETH-USDC"
FAR_BELOW = "1500"  # the market is at about 3060
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Bot:
    """A client, and everything that the event log tells it."""

    client: Client
    log: Told[Event]

    async def buy(self, request_id: str, price: str | None = FAR_BELOW) -> Order:
        """A limit order that rests, or with no price a market order."""
        return await self.client.trading.place_order(
            VENUE,
            INSTRUMENT,
            Side.BUY,
            "0.01",
            account=ACCOUNT,
            price=price,
            request_id=request_id,
        )

    async def status(self, request_id: str, *wanted: OrderStatus) -> Order:
        """The first that the log tells of the order with one of these statuses."""

        def look(events: Sequence[Event]) -> Order | None:
            told = orders(events, request_id)
            return next((order for order in told if order.status in wanted), None)

        return await self.log.until(look)

    async def notice(self, kind: str, after: int) -> int:
        """The sequence of the first notice of a kind after an event."""

        def look(events: Sequence[Event]) -> int | None:
            for event in events[after:]:  # the first has the sequence 1
                notice = event.account_notice
                if notice and (notice.kind, notice.account) == (kind, ACCOUNT):
                    return event.sequence
            return None

        return await self.log.until(look)

    @property
    def sequence(self) -> int:
        return self.log.values[-1].sequence if self.log.values else 0

    async def all_told(self) -> None:
        """Waits until the stream has told what the daemon had journaled when this was called."""
        newest = (await self.client.system.get_status()).event_sequence
        await self.log.until(lambda events: events[-1].sequence >= newest)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with running_daemon(tmp_path_factory.mktemp("faults")) as daemon:
        async with cambist.connect(daemon.connect) as client:
            yield client


@pytest_asyncio.fixture(loop_scope="module")
async def bot(client: Client) -> AsyncIterator[Bot]:
    async with told(client.events.stream(from_start=True)) as log:
        yield Bot(client, log)
        await client.sandbox.clear_faults()


@pytest.fixture
def request_id(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name}-{next(_numbers)}"


async def same_answer(bot: Bot, first: Order, price: str | None = FAR_BELOW) -> None:
    """The same request again: the same answer, and still only one order."""
    assert await bot.buy(first.request_id, price) == first
    mine = [one async for one in bot.client.trading.list_orders(account=ACCOUNT, page_size=1000)]
    assert [one.request_id for one in mine].count(first.request_id) == 1
    await bot.all_told()
    ids = {one.client_order_id for one in orders(bot.log.values, first.request_id)}
    assert ids == {first.client_order_id}


async def test_an_answer_is_lost_but_the_stream_tells(bot: Bot, request_id: str) -> None:
    await bot.client.sandbox.add_fault(
        FaultKind.TIMEOUT_AFTER_EFFECT, operation="place", instrument=INSTRUMENT, times=1
    )
    order = await bot.buy(request_id)
    assert order.status in (OrderStatus.UNCONFIRMED, OrderStatus.OPEN)
    await bot.status(request_id, OrderStatus.OPEN)
    await same_answer(bot, order)
    canceled = await bot.client.trading.cancel_order(order.client_order_id, account=ACCOUNT)
    assert canceled.status is OrderStatus.CANCELED


@pytest.mark.parametrize(
    ("price", "outcome"), [(FAR_BELOW, OrderStatus.OPEN), (None, OrderStatus.FILLED)]
)
async def test_an_answer_is_lost_and_the_stream_is_down(
    bot: Bot, request_id: str, price: str | None, outcome: OrderStatus
) -> None:
    await bot.client.sandbox.add_fault(FaultKind.DISCONNECT)
    await bot.client.sandbox.add_fault(FaultKind.TIMEOUT_AFTER_EFFECT, operation="place", times=1)
    order = await bot.buy(request_id, price)
    assert order.status is OrderStatus.UNCONFIRMED
    await bot.status(request_id, outcome)  # by asking: the account's stream is still down
    await same_answer(bot, order, price)
    now = await bot.client.trading.get_order(account=ACCOUNT, request_id=request_id)
    assert now.status is outcome
    if outcome is OrderStatus.FILLED:
        id = now.client_order_id
        await bot.log.until(lambda events: filled(events, id) == now.filled_quantity)


async def test_a_lost_request_is_rejected_by_proof_only(bot: Bot, request_id: str) -> None:
    await bot.client.sandbox.add_fault(FaultKind.TIMEOUT_WITHOUT_EFFECT, operation="place", times=1)
    # While the venue cannot be asked either, nothing is concluded.
    await bot.client.sandbox.add_fault(FaultKind.TIMEOUT_WITHOUT_EFFECT, operation="query", times=2)
    order = await bot.buy(request_id)
    assert order.status is OrderStatus.UNCONFIRMED
    rejected = await bot.status(request_id, OrderStatus.REJECTED)
    assert rejected.reason == "it never reached the venue"
    assert [fault async for fault in bot.client.sandbox.list_faults()] == []
    await same_answer(bot, order)
    told = [one.status for one in orders(bot.log.values, request_id)]
    assert told == [OrderStatus.PENDING, OrderStatus.UNCONFIRMED, OrderStatus.REJECTED]


async def test_a_rate_limit_says_when_to_try_again(bot: Bot, request_id: str) -> None:
    await bot.client.sandbox.add_fault(
        FaultKind.RATE_LIMIT, operation="place", times=2, delay=timedelta(seconds=2.5)
    )
    for _ in range(2):
        with pytest.raises(cambist.RateLimited) as caught:
            await bot.buy(request_id)
        assert caught.value.retry_after == timedelta(seconds=2.5)
        assert caught.value.retryable
        assert caught.value.metadata["outcome"] == "NOT_SENT"
    order = await bot.buy(request_id)
    assert order.status is OrderStatus.OPEN
    assert await bot.buy(request_id) == order
    open_orders = await bot.client.trading.list_orders(account=ACCOUNT, open_only=True)
    assert [one.request_id for one in open_orders].count(request_id) == 1


async def test_a_rate_limited_cancel_leaves_the_order_as_it_is(bot: Bot, request_id: str) -> None:
    order = await bot.buy(request_id)
    await bot.client.sandbox.add_fault(FaultKind.RATE_LIMIT, operation="cancel", times=1)
    cancel = bot.client.trading.cancel_order
    with pytest.raises(cambist.RateLimited):
        await cancel(order.client_order_id, account=ACCOUNT, request_id=f"{request_id}-c")
    still = await bot.client.trading.get_order(order.client_order_id, account=ACCOUNT)
    assert (still.status, still.cancel_requested) == (OrderStatus.OPEN, False)
    gone = await cancel(order.client_order_id, account=ACCOUNT, request_id=f"{request_id}-c")
    assert gone.status is OrderStatus.CANCELED


async def test_a_fill_that_was_not_told_is_found_once(bot: Bot, request_id: str) -> None:
    await bot.client.sandbox.add_fault(FaultKind.DROP_FILL, account=ACCOUNT, times=1)
    order = await bot.buy(request_id, price=None)
    assert order.status is OrderStatus.FILLED
    await complete(bot, order)


async def test_what_happened_while_the_stream_was_down_is_found_once(
    bot: Bot, request_id: str
) -> None:
    await bot.client.sandbox.add_fault(FaultKind.DISCONNECT, account=ACCOUNT)
    down = await bot.notice("disconnected", after=0)
    order = await bot.buy(request_id, price=None)
    await bot.client.sandbox.clear_faults()
    await bot.notice("connected", after=down)
    await complete(bot, order)
    # A second round finds nothing new.
    before = bot.sequence
    await bot.client.sandbox.add_fault(FaultKind.DISCONNECT, account=ACCOUNT)
    await bot.client.sandbox.clear_faults()
    await bot.notice("connected", after=before)
    await complete(bot, order)


async def test_what_is_told_twice_is_one_event(bot: Bot, request_id: str) -> None:
    await bot.client.sandbox.add_fault(FaultKind.DUPLICATE_REPORT, account=ACCOUNT)
    order = await bot.buy(request_id, price=None)
    await complete(bot, order)
    told = orders(bot.log.values, request_id)
    assert len({(one.status, one.filled_quantity) for one in told}) == len(told)


async def test_a_book_that_misses_a_change_says_so_and_heals(bot: Bot) -> None:
    async with told(states(bot.client)) as book:
        await book.until(lambda states: states[-1:] == [BookState.LIVE])
        await bot.client.sandbox.add_fault(
            FaultKind.SKIP_SEQUENCE, venue=VENUE, instrument=INSTRUMENT, times=1
        )
        await book.until(lambda states: BookState.STALE in states)
        await book.until(lambda states: states[-1] is BookState.LIVE)
        assert book.values == [BookState.LIVE, BookState.STALE, BookState.LIVE]


async def test_a_fault_that_cannot_strike_is_a_mistake(bot: Bot) -> None:
    add = bot.client.sandbox.add_fault
    with pytest.raises(cambist.FieldInvalid, match="cancel_all"):
        await add(FaultKind.DELAY, operation="plaec")
    with pytest.raises(cambist.VenueNotFound, match="did you mean 'paper'"):
        await add(FaultKind.DELAY, venue="papr")
    with pytest.raises(cambist.AccountNotFound):
        await add(FaultKind.DELAY, account="nobody")
    with pytest.raises(cambist.InstrumentNotFound):
        await add(FaultKind.DELAY, venue=VENUE, instrument="ETH-USDX")
    with pytest.raises(cambist.FieldInvalid, match="delay"):
        await add(FaultKind.DELAY, delay=timedelta(days=365_000))
    assert await bot.client.sandbox.list_faults() == []


async def states(client: Client) -> AsyncGenerator[BookState, None]:
    """The states of a book, each as often as it changes."""
    last = None
    async with client.market.order_book(VENUE, INSTRUMENT) as books:
        async for book in books:
            if book.state is not last:
                last = book.state
                yield last


def filled(events: Sequence[Event], client_order_id: str) -> Decimal:
    return sum((fill.quantity for fill in fills(events, client_order_id)), Decimal(0))


async def complete(bot: Bot, order: Order) -> None:
    """Each fill of a filled order is in the log once, and in the list of fills."""
    id = order.client_order_id
    await bot.log.until(lambda events: filled(events, id) >= order.spec.quantity)
    await bot.all_told()
    log = fills(bot.log.values, id)
    assert sum(fill.quantity for fill in log) == order.spec.quantity
    assert len({fill.trade_id for fill in log}) == len(log)
    listed = await bot.client.trading.list_fills(account=ACCOUNT, client_order_id=id)
    assert sorted(one.trade_id for one in listed) == sorted(one.trade_id for one in log)
    now = await bot.client.trading.get_order(id, account=ACCOUNT)
    assert (now.status, now.filled_quantity) == (OrderStatus.FILLED, order.spec.quantity)
