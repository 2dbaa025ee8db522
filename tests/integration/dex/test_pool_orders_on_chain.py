"""Orders on real pools: what is told is what happened."""

import asyncio
from decimal import Decimal

import pytest

from core.errors import Reason, Refused
from core.money import from_units, to_units
from core.orders import Order, OrderRequest, OrderStatus, Side, TimeInForce
from tests.support.evm import BOB
from tests.support.pools import PoolWorld, Told, order, pool_world, trading

pytestmark = pytest.mark.evm

LOTS_OF_GAS = {"gasPrice": hex(500 * 10**9)}
USDC = 10**6


async def holdings(world: PoolWorld, *symbols: str) -> list[int]:
    return [await world.units(BOB, symbol) for symbol in symbols]


async def bought(world: PoolWorld, told: Told, quantity: str) -> None:
    """Gives BOB some WETH to sell."""
    async with trading(world, told) as account:
        request = order(Side.BUY, quantity)
        await account.place(request)
        assert (await told.end_of(request.client_order_id)).status is OrderStatus.FILLED


@pytest.mark.parametrize(
    ("venue", "instrument", "quantity"),
    [
        ("uniswap_v2", "WETH-USDC", "1.234567890123456789"),
        ("uniswap_v2", "WBTC-WETH", "0.00000123"),
        ("uniswap_v2", "WETH-DAI", "0.000001"),
        ("pangolin", "WAVAX-USDC", "98.765"),
    ],
)
async def test_execution_equals_the_quote_when_nothing_moved(
    venue: str, instrument: str, quantity: str
) -> None:
    async with pool_world() as world:
        told, where = Told(), world.venues[f"{venue}@ethereum_local"]
        base, quote = instrument.split("-")
        if quote == "WETH":
            await bought(world, told, "20")
        async with trading(world, told, where) as account:
            for side in (Side.BUY, Side.SELL):
                await world.synced(where)
                before = await holdings(world, base, quote)
                request = order(side, quantity, instrument=instrument, venue=where.info.id)
                placed = await account.place(request)
                assert placed.status is OrderStatus.OPEN
                end = await told.end_of(request.client_order_id)
                assert (end.status, end.filled_quantity) == (OrderStatus.FILLED, Decimal(quantity))
                fill = told.fills[-1]
                assert fill.venue_order_id == placed.venue_order_id
                assert fill.details["realised_price"] == fill.details["quoted_price"]
                after = await holdings(world, base, quote)
                sign = 1 if side is Side.BUY else -1
                base_token, quote_token = world.token(base), world.token(quote)
                traded = to_units(fill.quantity, base_token.decimals)
                paid = to_units(Decimal(fill.details["notional"]), quote_token.decimals)
                assert after == [before[0] + sign * traded, before[1] - sign * paid]
                assert end.filled_notional == from_units(paid, quote_token.decimals)


async def test_the_fee_of_a_fill_is_the_gas_that_was_paid() -> None:
    async with pool_world() as world:
        told = Told()
        async with trading(world, told) as account:
            await account.place(first := order(Side.BUY, "1"))
            await told.end_of(first.client_order_id)
            before = await world.units(BOB, "ETH")
            await world.approve("WETH", 10**18)
            approved = await world.units(BOB, "ETH")
            assert approved < before
            await account.place(second := order(Side.SELL, "1"))
            await told.end_of(second.client_order_id)
            fill = told.fills[-1]
            assert to_units(fill.fee, 18) == approved - await world.units(BOB, "ETH")
            assert fill.fee_asset == "ETH"


async def test_ioc_fills_as_far_as_the_book_goes_and_the_rest_expires() -> None:
    async with pool_world() as world:
        told, instrument = Told(), world.uniswap.instruments["WETH-USDC"]
        async with trading(world, told) as account:
            book = await world.uniswap.order_book(instrument, 5)
            shown = sum(map(Decimal, book.asks[1]), Decimal(0))
            request = order(Side.BUY, "50", book.asks[0][-1])
            await account.place(request)
            end = await told.end_of(request.client_order_id)
            assert (end.status, end.filled_quantity) == (OrderStatus.EXPIRED, shown)
            assert "IOC" in end.reason
            assert told.fills[0].quantity == shown
            assert told.fills[0].price < Decimal(book.asks[0][-1])
            # Now the book begins where the order's limit was.
            await world.synced(world.uniswap)
            after = await world.uniswap.order_book(instrument, 1)
            assert Decimal(after.asks[0][0]) > Decimal(book.asks[0][-1])


@pytest.mark.parametrize("tif", [TimeInForce.IOC, TimeInForce.FOK])
async def test_an_order_that_finds_nothing_expires_and_costs_nothing(tif: TimeInForce) -> None:
    async with pool_world() as world:
        async with trading(world, Told()) as account:
            request = order(Side.BUY, "1", "3009.5" if tif is TimeInForce.FOK else "3009", tif)
            before = await holdings(world, "ETH", "USDC")
            report = await account.place(request)
            assert report.status is OrderStatus.EXPIRED
            assert "nothing was sent" in report.reason
            assert report.filled_quantity == 0
            assert await holdings(world, "ETH", "USDC") == before
            assert not world.log.rows


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (order(Side.BUY, "1", "3100", TimeInForce.GTC), Reason.UNSUPPORTED_BY_VENUE),
        (order(Side.BUY, "1", "3100", TimeInForce.POST_ONLY), Reason.UNSUPPORTED_BY_VENUE),
        (order(Side.BUY, "100"), Reason.INSUFFICIENT_BALANCE),
        (order(Side.SELL, "1000"), Reason.INSUFFICIENT_BALANCE),
        (order(Side.BUY, "1000"), Reason.INSUFFICIENT_LIQUIDITY),
        (order(Side.BUY, "1", instrument="NO-SUCH"), Reason.INSTRUMENT_NOT_FOUND),
        (order(Side.BUY, "-1"), Reason.FIELD_INVALID),
        (order(Side.BUY, "0"), Reason.FIELD_INVALID),
        (order(Side.BUY, "1e40"), Reason.INSUFFICIENT_LIQUIDITY),
    ],
)
async def test_what_cannot_be_is_refused_by_check_and_place_and_nothing_is_sent(
    request_: OrderRequest, reason: Reason
) -> None:
    async with pool_world() as world:
        async with trading(world, Told()) as account:
            for call in (account.check, account.place):
                with pytest.raises(Refused) as refused:
                    await call(request_)
                assert refused.value.reason is reason
            assert not world.log.rows


async def test_a_swap_mined_in_between_is_told_as_it_was() -> None:
    async with pool_world() as world:
        told = Told()
        async with trading(world, told) as account:
            await world.approve("USDC", 20_000 * USDC)
            await world.node.automine(False)
            request = order(Side.BUY, "1", "3100")
            placed = await account.place(request)
            before = await holdings(world, "WETH", "USDC")
            await world.stranger_sells("USDC", "WETH", 30_000 * USDC, False, **LOTS_OF_GAS)
            await world.node.mine()
            end = await told.end_of(request.client_order_id)
            after = await holdings(world, "WETH", "USDC")
            (fill,) = told.fills
            paid = Decimal(before[1] - after[1]) / USDC
            assert (end.status, fill.quantity) == (OrderStatus.FILLED, Decimal(1))
            assert fill.venue_order_id == placed.venue_order_id
            assert Decimal(fill.details["notional"]) == paid == fill.price
            quoted, guaranteed = fill.details["quoted_price"], fill.details["guaranteed_price"]
            assert Decimal(quoted) < fill.price < Decimal(guaranteed) == Decimal(3100)


async def test_a_revert_is_told_with_its_reason_and_never_as_a_fill() -> None:
    async with pool_world() as world:
        told = Told()
        async with trading(world, told) as account:
            await world.approve("USDC", 20_000 * USDC)
            await world.node.automine(False)
            request = order(Side.BUY, "1", "3015")
            await account.place(request)
            gas, usdc = await holdings(world, "ETH", "USDC")
            await world.stranger_sells("USDC", "WETH", 30_000 * USDC, False, **LOTS_OF_GAS)
            await world.node.mine()
            end = await told.end_of(request.client_order_id)
            assert end.status is OrderStatus.EXPIRED
            assert end.filled_quantity == 0
            assert "EXCESSIVE_INPUT_AMOUNT" in end.reason
            assert "gas" in end.reason
            assert told.fills == []
            now = await holdings(world, "ETH", "USDC")
            assert now[0] < gas
            assert now[1] == usdc
            asked = await account.query(_order(request))
            assert asked is not None
            assert (asked.status, asked.reason) == (end.status, end.reason)
            assert await account.fills("WETH-USDC", 0) == []


async def test_a_swap_past_its_deadline_reverts_and_says_so() -> None:
    async with pool_world() as world:
        told = Told()
        async with trading(world, told) as account:
            await world.approve("USDC", 20_000 * USDC)
            await world.node.automine(False)
            await account.place(request := order(Side.BUY, "1", "3100"))
            await world.node.rpc.call("evm_increaseTime", [hex(121)])
            await world.node.mine()
            end = await told.end_of(request.client_order_id)
            assert end.status is OrderStatus.EXPIRED
            assert "EXPIRED" in end.reason


async def test_approvals_are_exact_and_nothing_is_left_of_them() -> None:
    async with pool_world() as world:
        told = Told()
        router = world.uniswap.spec.deployment.router
        async with trading(world, told) as account:
            await account.place(buy := order(Side.BUY, "2"))
            await told.end_of(buy.client_order_id)
            await account.place(sell := order(Side.SELL, "2"))
            await told.end_of(sell.client_order_id)
            assert await world.allowance(BOB, "WETH", router) == 0
            left = await world.allowance(BOB, "USDC", router)
            paid, most = int(told.fills[0].details["units_in"]), 2 * 3015 * USDC
            guaranteed = to_units(Decimal(told.fills[0].details["guaranteed_price"]) * 2, 6)
            assert left == guaranteed - paid < most // 100
            purposes = [(row.intent, row.purpose) for row in world.log.rows.values()]
            assert purposes == [
                (f"{buy.client_order_id}/approve", "approve"),
                (buy.client_order_id, "swap"),
                (f"{sell.client_order_id}/approve", "approve"),
                (sell.client_order_id, "swap"),
            ]


async def test_sixteen_orders_of_one_wallet_at_a_time_all_fill() -> None:
    async with pool_world() as world:
        told = Told()
        async with trading(world, told) as account:
            requests = [order(Side.BUY, "0.1", "3200") for _ in range(16)]
            reports = await asyncio.gather(*(account.place(one) for one in requests))
            assert {report.status for report in reports} == {OrderStatus.OPEN}
            for request in requests:
                end = await told.end_of(request.client_order_id)
                assert end.status is OrderStatus.FILLED
            assert len({fill.trade_id for fill in told.fills}) == 16
            assert await world.gained(BOB, "WETH") == 16 * 10**17
            approvals = [row for row in world.log.rows.values() if row.purpose == "approve"]
            assert len(approvals) < 8  # one for all who wait at a moment


async def test_the_same_order_twice_is_one_transaction() -> None:
    async with pool_world() as world:
        told = Told()
        async with trading(world, told) as account:
            request = order(Side.BUY, "1")
            first = await account.place(request)
            end = await told.end_of(request.client_order_id)
            again = await account.place(request)
            assert again.venue_order_id == first.venue_order_id
            assert again.status is end.status is OrderStatus.FILLED
            assert await world.gained(BOB, "WETH") == 10**18
            both = [account.place(twin := order(Side.BUY, "1")), account.place(twin)]
            answers = await asyncio.gather(*both, return_exceptions=True)
            assert sum(isinstance(answer, Refused) for answer in answers) == 1
            await told.end_of(twin.client_order_id)
            assert await world.gained(BOB, "WETH") == 2 * 10**18


async def test_market_slippage_that_the_bot_names_is_kept() -> None:
    async with pool_world() as world:
        told = Told()
        async with trading(world, told) as account:
            request = order(Side.BUY, "50", max_slippage=Decimal("0.002"))
            await account.place(request)
            end = await told.end_of(request.client_order_id)
            assert end.status is OrderStatus.EXPIRED
            assert end.filled_quantity is not None
            assert Decimal(0) < end.filled_quantity < Decimal(1)
            assert told.fills[0].price < Decimal("3009.03") * Decimal("1.002")


def _order(request: OrderRequest) -> Order:
    return Order(request)
