"""Tokens of no decimals and of many, from the smallest unit to a million million: quotes are the
contracts', swaps and orders do what was quoted."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import pytest

from chains.evm.abi import selector, uint_at, uint_word
from chains.evm.codec import hexadecimal, unhex
from chains.nodes import NodeError
from core.errors import Reason, Refused
from core.market import BookState
from core.orders import OrderStatus, Side, TimeInForce
from core.ports import FeeOptions
from core.tokens import Token
from dex.families import concentrated_abi as abi
from dex.families.curve import Curve
from dex.pools import PoolMarket
from dex.venue import PoolVenue
from tests.support.evm import BOB, until
from tests.support.odd_tokens import make_pair, make_pool, make_token
from tests.support.pools import PoolWorld, Told, order, pool_world, trading

pytestmark = pytest.mark.evm

FEES = FeeOptions()
PERCENT = Decimal("0.01")
V2, V3 = "uniswap_v2@ethereum_local", "uniswap_v3@ethereum_local"
TRILLION = 10**12
SUPPLY = 10**33  # units; a pair of constant product holds 5 * 10**33 at the most
FEE = 3_000


@dataclass
class Odd:
    """A world with tokens of 0, 6, 18 and 30 decimals, and pools of each with another."""

    world: PoolWorld
    tokens: dict[int, Token]

    @property
    def pools(self) -> Sequence[tuple[PoolVenue, PoolMarket]]:
        mine = {token.address for token in self.tokens.values()}
        return [
            (venue, market)
            for venue in (self.world.venues[V2], self.world.venues[V3])
            for market in venue.directory
            if {market.token0.address, market.token1.address} <= mine
        ]

    async def units(self, token: Token) -> int:
        return (await self.world.net.balances(BOB, [token]))[0].units or 0


@asynccontextmanager
async def odd_world() -> AsyncIterator[Odd]:
    async with pool_world() as world:
        tokens = {
            decimals: await make_token(world, name, decimals, 20 * SUPPLY)
            for name, decimals in (("NIL", 0), ("SIX", 6), ("USUAL", 18), ("MANY", 30))
        }
        v2, v3 = world.venues[V2], world.venues[V3]
        # Units that are worth the same: a thousand million of a token without decimals, and so on.
        for one, other, units in (
            (0, 18, (10**9, 10**33)),
            (6, 30, (10**21, 10**33)),
            (0, 30, (10**12, 10**33)),
            (18, 6, (10**33, 10**21)),
        ):
            await make_pair(world, v2, tokens[one], tokens[other], units)
            await make_pool(world, v3, tokens[one], tokens[other], units, FEE)
            for venue in (v2, v3):
                for place in venue.family.places(
                    venue.spec, tokens[one].address, tokens[other].address
                ):
                    if place.fee.pips == FEE:
                        await world.synced(venue)
                        await venue.pool(place.address)
        for venue in (v2, v3):
            await world.synced(venue)
        yield Odd(world, tokens)


async def contracts_say(
    world: PoolWorld, venue: PoolVenue, market: PoolMarket, cases: Sequence[tuple[int, bool, bool]]
) -> list[int | None]:
    """What the router, or QuoterV2, makes of (units, token0 is sold, exact in); None for a
    revert."""
    state, calls = venue.states.live(market), []
    for units, zero_in, exact_in in cases:
        ends = (market.token0, market.token1) if zero_in else (market.token1, market.token0)
        if venue.spec.id == V3:
            to = venue.spec.deployment.quoter
            data = abi.quote_single(ends[0].address, ends[1].address, units, exact_in, FEE)
        else:
            to = venue.spec.deployment.router
            name = "getAmountOut" if exact_in else "getAmountIn"
            reserves = (state.reserve0, state.reserve1)[:: 1 if zero_in else -1]
            data = selector(f"{name}(uint256,uint256,uint256)")
            data += b"".join(map(uint_word, (units, *reserves)))
        calls.append(("eth_call", [{"to": to, "data": hexadecimal(data)}, "latest"]))
    answers = await world.node.rpc.batch(calls)
    return [None if isinstance(one, NodeError) else uint_at(unhex(one)) for one in answers]


def amount_or_none(curve: Curve, units: int, exact_in: bool) -> int | None:
    try:
        return curve.amount_out(units) if exact_in else curve.amount_in(units)
    except Refused:
        return None


async def test_quotes_are_the_contracts_at_every_size() -> None:
    randomness = random.Random(3)
    async with odd_world() as odd:
        assert len(odd.pools) == 8
        agreed = 0
        for venue, market in odd.pools:
            cases = [
                (
                    randomness.randrange(1, 10 ** randomness.randrange(1, 31)),
                    randomness.random() < 0.5,
                    randomness.random() < 0.5,
                )
                for _ in range(120)
            ]
            cases += [
                (units, *ways)
                for units in (1, 2, TRILLION, TRILLION * 10**18)
                for ways in ((True, True), (True, False), (False, True), (False, False))
            ]
            theirs = await contracts_say(odd.world, venue, market, cases)
            state = venue.states.live(market)
            for (units, zero_in, exact_in), their in zip(cases, theirs, strict=True):
                curve = state.content.curve(zero_in)
                mine = amount_or_none(curve, units, exact_in)
                if mine is None:
                    # A revert, nothing at all, or more than a pair of constant product can hold.
                    beyond = venue.spec.id == V2 and units + (their or 0) > 10**33
                    assert not their or beyond, (market.instrument.id, units, zero_in, exact_in)
                    continue
                assert mine == their, (market.instrument.id, units, zero_in, exact_in)
                agreed += 1
        assert agreed > 500


async def test_swaps_do_what_was_quoted_at_every_size() -> None:
    async with odd_world() as odd:
        world, told = odd.world, Told()
        # One unit alone would be the fee of a pool of concentrated liquidity.
        sizes = {0: (2, 250, 10**6), 6: (10**9, 10**18), 18: (1 + 10**24, 10**30), 30: (10**33,)}
        async with trading(world, told, world.venues[V2]), trading(world, told, world.venues[V3]):
            for number, (venue, market) in enumerate(odd.pools):
                for give, take in ((market.token0, market.token1), (market.token1, market.token0)):
                    for units in sizes[give.decimals]:
                        await world.synced(venue)
                        quote = await venue.quote(give, take, units, True, PERCENT)
                        before = await odd.units(give), await odd.units(take)
                        count = len(told.fills)
                        intent = f"{number}-{give.decimals}-{units}"
                        await venue.swap(quote, BOB, intent, 0, FEES)
                        await until(lambda n=count: len(told.fills) == n + 1)  # type: ignore[misc]
                        fill = told.fills[-1]
                        after = await odd.units(give), await odd.units(take)
                        assert before[0] - after[0] == quote.units_in == units
                        assert after[1] - before[1] == quote.units_out > 0
                        assert int(fill.details["units_in"]) == quote.units_in
                        assert int(fill.details["units_out"]) == quote.units_out
                        if fill.side is Side.SELL:
                            sold, got = give, take
                            amounts = quote.units_in, quote.units_out
                        else:
                            sold, got = take, give
                            amounts = quote.units_out, quote.units_in
                        assert fill.quantity == Decimal(amounts[0]).scaleb(-sold.decimals)
                        notional = Decimal(fill.details["notional"])
                        assert notional == Decimal(amounts[1]).scaleb(-got.decimals)


async def test_orders_and_books_of_tokens_without_decimals() -> None:
    async with odd_world() as odd:
        world, told = odd.world, Told()
        for venue, market in odd.pools:
            book = await venue.order_book(market.instrument, 20)
            assert book.state is BookState.LIVE
            for levels, worse in ((book.bids, -1), (book.asks, 1)):
                prices = [Decimal(price) for price in levels[0]]
                assert prices == sorted(prices, key=lambda price: worse * price)
                assert all(Decimal(quantity) > 0 for quantity in levels[1])
            assert len(book.bids[0]) > 0
            assert len(book.asks[0]) > 0
            ticker = await venue.ticker(market.instrument)
            assert ticker.bid_price is not None
            assert ticker.ask_price is not None
            assert 0 < ticker.bid_price < ticker.ask_price
        for id in (V2, V3):
            venue = world.venues[id]
            nil = odd.tokens[0].address
            market = next(
                one for where, one in odd.pools if where is venue and one.base.address == nil
            )
            name = market.instrument.id
            async with trading(world, told, venue) as account:
                with pytest.raises(Refused) as refused:
                    await account.place(order(Side.BUY, "0.5", instrument=name, venue=id))
                assert refused.value.reason is Reason.ORDER_RULE_BROKEN
                for side in (Side.BUY, Side.SELL):
                    await world.synced(venue)
                    before = await odd.units(market.base)
                    wanted = order(side, "7", None, TimeInForce.IOC, name, id)
                    await account.place(wanted)
                    end = await told.end_of(wanted.client_order_id)
                    after = await odd.units(market.base)
                    assert (end.status, end.filled_quantity) == (OrderStatus.FILLED, 7)
                    assert after - before == (7 if side is Side.BUY else -7)
