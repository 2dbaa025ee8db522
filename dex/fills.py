"""What a swap really did, from its receipt. Pure; a quote never gets in here as a fact."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from chains.evm.erc20 import TRANSFER_TOPIC
from chains.evm.model import Receipt
from core.money import from_units, text
from core.orders import Fill, Liquidity, Side
from core.tokens import Token
from core.transactions import Transaction
from dex.families.constant_product_abi import decode_transfer
from dex.families.curve import SwapLog
from dex.pools import PoolMarket
from dex.routing.plans import route_ends
from dex.swap_logs import decode, is_swap


@dataclass(frozen=True, slots=True)
class Realised:
    """What left the owner and what reached it, in units."""

    units_in: int
    units_out: int


def trade_id(hash: str, place: int) -> str:
    """`place` counts the pool's swaps within the transaction, so that the id is the same in
    whichever block the transaction ends up; a log's own index is not."""
    return f"{hash}:{place}"


def realised(
    receipt: Receipt, market: PoolMarket, owner: str, token_in: Token, token_out: Token
) -> Realised:
    """Amounts of a swap over one pool; ValueError when the receipt has no swap of it.

    The pool's Swap event tells what the pool received and sent. The tokens' Transfer events tell
    what left and reached the owner, which differs for a token that keeps a part of each transfer.
    Of the two the one that is worse for the owner counts, so that a token cannot invent a gain.
    A native side has no Transfer events of the owner; there the pool's figures are the owner's.
    """
    swap = _swap(receipt, market.address)
    zero_in = token_in.address == market.token0.address or (
        token_in.is_native and token_out.address == market.token1.address
    )
    return _owners(
        receipt, owner, token_in, token_out, _pool_in(swap, zero_in), _pool_out(swap, zero_in)
    )


def realised_route(
    receipt: Receipt, route: str, owner: str, token_in: Token, token_out: Token
) -> Realised:
    """The same of a swap over several pools: what the first ones received, the last ones sent.
    `route` as the transaction remembers it; ValueError when a swap of it is missing."""
    first, last = route_ends(route)
    pools_in = sum(_pool_in(_swap(receipt, pool), zero_in) for pool, zero_in in first)
    pools_out = sum(_pool_out(_swap(receipt, pool), zero_in) for pool, zero_in in last)
    return _owners(receipt, owner, token_in, token_out, pools_in, pools_out)


def _owners(
    receipt: Receipt, owner: str, token_in: Token, token_out: Token, pool_in: int, pool_out: int
) -> Realised:
    units_in, units_out = pool_in, pool_out
    if not token_in.is_native:
        units_in = max(pool_in, -_moved(receipt, owner, token_in))
    if not token_out.is_native:
        units_out = min(pool_out, _moved(receipt, owner, token_out))
    return Realised(units_in, units_out)


def _pool_in(swap: SwapLog, zero_in: bool) -> int:
    return swap.in0 if zero_in else swap.in1


def _pool_out(swap: SwapLog, zero_in: bool) -> int:
    return swap.out1 if zero_in else swap.out0


def _swap(receipt: Receipt, pool: str) -> SwapLog:
    for log in receipt.logs:
        if log.address == pool and is_swap(log.topics):
            return decode(log.topics, log.data)
    raise ValueError(f"receipt {receipt.hash} has no swap of pool {pool}")


def _moved(receipt: Receipt, owner: str, token: Token) -> int:
    """What reached the owner less what left it."""
    total = 0
    for log in receipt.logs:
        if log.address != token.address or not log.topics or log.topics[0] != TRANSFER_TOPIC:
            continue
        transfer = decode_transfer(log.topics, log.data)
        if transfer is not None:
            sender, recipient, units = transfer
            total += units * ((recipient == owner) - (sender == owner))
    return total


def fill(
    transaction: Transaction,
    receipt: Receipt,
    market: PoolMarket,
    tokens: tuple[Token, Token],
    native: Token,
    venue: str,
    account: str,
    event_time: int,
) -> Fill:
    """The fill of a swap that succeeded. `tokens` are what goes in and what comes out.

    `fee` is the gas, in the native coin: the pool's fee is part of the price already.
    """
    token_in, token_out = tokens
    route = transaction.details.get("way", "")
    real = (
        realised_route(receipt, route, transaction.address, token_in, token_out)
        if route
        else realised(receipt, market, transaction.address, token_in, token_out)
    )
    side = Side.BUY if token_out.address == market.base.address else Side.SELL
    if market.base.address not in (token_in.address, token_out.address):  # base is the native side
        side = Side.BUY if token_out.is_native else Side.SELL
    base_units, quote_units = (
        (real.units_out, real.units_in) if side is Side.BUY else (real.units_in, real.units_out)
    )
    quantity = from_units(base_units, market.base.decimals)
    notional = from_units(quote_units, market.quote.decimals)
    gas = from_units(receipt.fee, native.decimals)
    return Fill(
        trade_id=trade_id(transaction.hash, 0),
        venue=venue,
        account=account,
        instrument=market.instrument.id,
        client_order_id=transaction.intent,
        venue_order_id=transaction.hash,
        side=side,
        price=_price(notional, quantity, market),
        quantity=quantity,
        fee=gas,
        fee_asset=native.symbol,
        liquidity=Liquidity.TAKER,
        event_time=event_time,
        details={
            **_promised(transaction.details, side, market),
            "realised_price": text(_price(notional, quantity, market)),
            "notional": text(notional),
            **_asked(transaction.details, real, token_in, token_out),
            "units_in": str(real.units_in),
            "units_out": str(real.units_out),
            "gas_fee": text(gas),
            "gas_asset": native.symbol,
            "gas_used": str(receipt.gas_used),
            **_pools(route, market),
            "block": str(receipt.block),
            "transaction": transaction.hash,
        },
    )


def _asked(
    details: Mapping[str, str], real: Realised, token_in: Token, token_out: Token
) -> dict[str, str]:
    """Of a swap within a limit: what was asked for, and whether less than that was traded. Orders
    tell that themselves."""
    if "asked" not in details:
        return {}
    asked = int(details["asked"])
    exact_in = details["exact_in"] == "1"
    token, traded = (token_in, real.units_in) if exact_in else (token_out, real.units_out)
    return {
        "limit_price": details["limit_price"],
        "asked": text(from_units(asked, token.decimals)),
        "partial": "true" if traded < asked else "false",
    }


def _pools(route: str, market: PoolMarket) -> dict[str, str]:
    if route:
        return {"way": route}
    return {"pool": market.address, "pool_fee": text(market.fee.fraction)}


def _promised(details: Mapping[str, str], side: Side, market: PoolMarket) -> dict[str, str]:
    """The prices that were quoted and guaranteed when the swap was sent."""
    known = all(key in details for key in ("quoted_in", "quoted_out", "guaranteed", "exact_in"))
    if not known:
        return {}
    quoted_in, quoted_out = int(details["quoted_in"]), int(details["quoted_out"])
    guaranteed = int(details["guaranteed"])
    worst_in, worst_out = (
        (quoted_in, guaranteed) if details["exact_in"] == "1" else (guaranteed, quoted_out)
    )
    return {
        "quoted_price": _unit_price(quoted_in, quoted_out, side, market),
        "guaranteed_price": _unit_price(worst_in, worst_out, side, market),
        "quoted_block": details.get("quoted_block", ""),
    }


def _unit_price(units_in: int, units_out: int, side: Side, market: PoolMarket) -> str:
    base, quote = (units_out, units_in) if side is Side.BUY else (units_in, units_out)
    quantity = from_units(base, market.base.decimals)
    return text(_price(from_units(quote, market.quote.decimals), quantity, market))


def _price(notional: Decimal, quantity: Decimal, market: PoolMarket) -> Decimal:
    """Rounded to the instrument's decimals; the exact amounts stand beside it."""
    if quantity == 0:
        return Decimal(0)
    return (notional / quantity).quantize(market.instrument.price_tick, ROUND_HALF_EVEN)
