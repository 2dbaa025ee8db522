"""Concentrated liquidity through a real daemon's API: quotes, a swap, an order, a position."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

import cambist
from cambist import (
    ApprovalMethod,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    Transaction,
    TransactionStatus,
)
from tests.support.evm import installed
from tests.support.sandbox import sandbox_daemon

pytestmark = pytest.mark.evm

ROUTER = "router@ethereum_local"
VENUE, POOL = "uniswap_v3@ethereum_local", "WETH-USDC:500"


async def in_a_block(client: cambist.Client, sent: Transaction) -> Transaction:
    async with asyncio.timeout(60):
        while sent.status in (
            TransactionStatus.SIGNED,
            TransactionStatus.BROADCAST,
            TransactionStatus.SEEN,
        ):
            await asyncio.sleep(0.02)
            sent = await client.chains.get_transaction(sent.network, sent.hash)
    assert sent.succeeded, sent
    return sent


async def use(address: str) -> None:
    async with cambist.connect(address) as client:
        venues = {venue.id async for venue in client.venues.list_venues()}
        assert {VENUE, "pancakeswap_v3@ethereum_local"} <= venues

        # A quote, and the swap that it promised.
        quote = await client.swaps.get_quote(VENUE, "ETH", "USDC", "0.5")
        swapped = await client.swaps.swap(quote, wallet="trader")
        assert swapped.transaction is not None
        await in_a_block(client, swapped.transaction)

        # The best route of the network, in several legs; quotes that follow the pools.
        stream = client.swaps.quotes(ROUTER, "WETH", "USDC", "400")
        best = await anext(aiter(stream))
        assert len(best.legs) > 1
        assert sum(leg.amount_out.amount for leg in best.legs) == best.amount_out.amount
        assert sum(leg.share for leg in best.legs) == 1
        assert best.gas_cost is not None
        assert f"at least {best.guaranteed.amount} USDC out" in best.plan
        small = await client.swaps.get_quote(ROUTER, "ETH", "USDC", "0.5")
        assert small.executor in venues
        swapped = await client.swaps.swap(small, wallet="trader")
        assert swapped.transaction is not None
        await in_a_block(client, swapped.transaction)
        async with asyncio.timeout(60):
            following = await anext(aiter(stream))
        assert following.block > best.block
        await stream.aclose()
        with pytest.raises(cambist.UnsupportedByVenue):
            await client.market.get_order_book(ROUTER, "WETH-USDC", depth=5)

        # Within a limit price: nothing, a part of it from a quote, and a part directly.
        sold = VENUE, "ETH", "USDC", "500"
        with pytest.raises(cambist.SlippageExceeded, match="let a part be traded"):
            await client.swaps.get_quote(*sold, limit_price="2990")
        with pytest.raises(cambist.FieldInvalid, match="limit_price"):
            await client.swaps.get_quote(*sold, partial=True)
        part = await client.swaps.get_quote(*sold, limit_price="2998.3", partial=True)
        assert part.asked_amount is not None
        assert 0 < part.amount_in.amount < part.asked_amount.amount == 500
        assert (part.limit_price, part.partial) == (Decimal("2998.3"), True)
        assert "of the 500 ETH that were asked for" in part.plan
        swapped = await client.swaps.swap(part, wallet="trader", request_id="part")
        assert swapped.transaction is not None
        await in_a_block(client, swapped.transaction)
        swapped = await client.swaps.swap_now(
            *sold, wallet="trader", limit_price="2997.9", partial=True, request_id="now"
        )
        assert swapped.transaction is not None
        await in_a_block(client, swapped.transaction)
        wanted = {"part": part, "now": swapped.quote}
        async with asyncio.timeout(60):
            while wanted:
                for fill in [one async for one in client.trading.list_fills(account="trader")]:
                    quoted = wanted.pop(fill.client_order_id, None)
                    if quoted is not None:
                        assert fill.quantity == quoted.amount_in.amount
                        assert fill.details["partial"] == "true"
                        assert fill.details["asked"] == "500"
                        assert fill.details["quoted_price"] == fill.details["realised_price"]
                await asyncio.sleep(0.02)

        # A permit in the place of an approval: one transaction, and the log says what was signed.
        asked = VENUE, "USDC", "WETH", "150"
        permit = ApprovalMethod.EIP2612
        quote = await client.swaps.get_quote(*asked, wallet="trader", approval=permit)
        needed = quote.required_approval
        assert needed is not None
        assert (needed.method, needed.by_signature, needed.amount.amount) == (permit, True, 150)
        assert "sign a permit of 150 USDC" in quote.plan
        offers = {one.method: one for one in quote.approvals}
        assert [method for method, one in offers.items() if one.offered] == [
            ApprovalMethod.EXACT,
            ApprovalMethod.UNLIMITED,
            permit,
        ]
        assert "no router" in offers[ApprovalMethod.PERMIT2].reason
        swapped = await client.swaps.swap(
            quote, wallet="trader", approval=permit, request_id="permit"
        )
        assert swapped.transaction is not None
        done = await in_a_block(client, swapped.transaction)
        assert done.details["permit_units"] == "150000000"
        about = []
        for event in await client.events.list_events(account="trader"):
            notice, change = event.account_notice, event.transaction
            if notice is not None and notice.details.get("intent") == "permit":
                about.append(notice.kind)
            elif change is not None and change.intent.startswith("permit"):
                about.append(change.purpose)
        assert about[:2] == ["signature", "swap"]
        assert set(about) == {"signature", "swap"}
        with pytest.raises(cambist.UnsupportedByVenue, match="use the exact approval"):
            await client.swaps.get_quote(*asked, wallet="trader", approval=ApprovalMethod.PERMIT2)

        # An order on the same pool, as on any book.
        book = await client.market.get_order_book(VENUE, POOL, depth=5)
        price = book.asks[2].price
        order = await client.trading.place_order(
            account="trader",
            venue=VENUE,
            instrument=POOL,
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=Decimal("0.25"),
            price=price,
            time_in_force=TimeInForce.IOC,
        )
        async with asyncio.timeout(60):
            while order.status not in (OrderStatus.FILLED, OrderStatus.EXPIRED):
                await asyncio.sleep(0.02)
                order = await client.trading.get_order(order.client_order_id, account="trader")
        assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, Decimal("0.25"))

        # A position, opened, shown, closed.
        liquidity = client.liquidity
        prices = Decimal(2_500), Decimal(3_500)
        would = await liquidity.quote_add_liquidity(VENUE, POOL, 1, 3_000, price_range=prices)
        assert would.liquidity > 0
        sent = await liquidity.add_liquidity(
            VENUE, POOL, 1, 3_000, wallet="trader", price_range=prices
        )
        await in_a_block(client, sent)
        (position,) = await liquidity.list_liquidity_positions(VENUE, "trader")
        assert position.in_range
        assert position.range is not None
        assert position.range.lower_price <= 2_500 < 3_500 <= position.range.upper_price
        assert {one.token.symbol for one in position.amounts} == {"WETH", "USDC"}
        half = await liquidity.quote_remove_liquidity(VENUE, position.id, "0.5")
        for one, whole in zip(half.amounts, position.amounts, strict=True):
            assert 0 < one.units <= whole.units // 2 + 1
        with pytest.raises(cambist.InvalidArgument):
            await liquidity.collect_fees(VENUE, position.id, wallet="trader")
        sent = await liquidity.remove_liquidity(VENUE, position.id, 1, wallet="trader")
        await in_a_block(client, sent)
        assert await liquidity.list_liquidity_positions(VENUE, "trader") == []
        with pytest.raises(cambist.PositionNotFound):
            await liquidity.get_liquidity_position(VENUE, position.id)


def test_a_pool_of_concentrated_liquidity_through_the_api(tmp_path: Path) -> None:
    installed()  # skips where there is no local chain
    with sandbox_daemon(tmp_path) as address:
        asyncio.run(use(address))
