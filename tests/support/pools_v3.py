"""What strangers do to pools of concentrated liquidity in tests, past everything of ours."""

from chains.evm import erc20
from chains.evm.abi import address_word, selector, uint_at, uint_word
from chains.evm.codec import hexadecimal, quantity, unhex
from dex.families.concentrated_abi import int_word
from dex.families.concentrated_router import router_call
from dex.plans import SwapPlan
from dex.pools import PoolMarket
from dex.venue import PoolVenue
from tests.support.evm import CAROL
from tests.support.pools import FOR_EVER, PoolWorld

NANO = 1_000_000_000
GAS = quantity(3_000_000)


async def _approve(world: PoolWorld, token: str, spender: str) -> None:
    data = hexadecimal(erc20.approve(spender, erc20.MAX_UINT))
    await world.node.send({"from": CAROL, "to": token, "data": data, "gas": GAS})


def stranger_plan(market: PoolMarket, zero_in: bool, units: int, exact_in: bool = True) -> SwapPlan:
    tokens = (market.token0, market.token1) if zero_in else (market.token1, market.token0)
    return SwapPlan(
        sender=CAROL,
        token_in=tokens[0],
        token_out=tokens[1],
        exact_in=exact_in,
        exact=units,
        limit=0 if exact_in else 2**200,
        path=(tokens[0].address, tokens[1].address),
        intent="",
        deadline=FOR_EVER * NANO,
        fees=(market.fee.pips,),
    )


async def stranger_swaps(
    world: PoolWorld, venue: PoolVenue, market: PoolMarket, zero_in: bool, units: int
) -> str:
    """An exact-in swap of CAROL's; its hash, once it is in a block."""
    plan = stranger_plan(market, zero_in, units)
    await _approve(world, plan.path[0], venue.spec.deployment.router)
    receipt = await world.node.send(_wire(venue, plan))
    assert receipt["status"] == "0x1"
    return str(receipt["transactionHash"])


async def stranger_comes_first(
    world: PoolWorld, venue: PoolVenue, market: PoolMarket, zero_in: bool, units: int
) -> None:
    """The same, sent and not mined: it will stand before ours in the next block."""
    plan = stranger_plan(market, zero_in, units)
    first = {"gasPrice": quantity(500 * NANO)}
    data = hexadecimal(erc20.approve(venue.spec.deployment.router, erc20.MAX_UINT))
    approve = {"from": CAROL, "to": plan.path[0], "data": data, "gas": GAS}
    for wire in (approve, _wire(venue, plan)):
        await world.node.rpc.call("eth_sendTransaction", [wire | first])


def _wire(venue: PoolVenue, plan: SwapPlan) -> dict[str, str]:
    deployment = venue.spec.deployment
    data = hexadecimal(router_call(plan, deployment.router_kind).data)
    return {"from": CAROL, "to": deployment.router, "data": data, "gas": GAS}


async def stranger_adds(
    world: PoolWorld,
    venue: PoolVenue,
    market: PoolMarket,
    lower: int,
    upper: int,
    units: tuple[int, int],
) -> tuple[int, int]:
    """A position of CAROL's: its number and its liquidity."""
    manager = venue.spec.deployment.positions
    for token in (market.token0, market.token1):
        await _approve(world, token.address, manager)
    name = (
        "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
    )
    words = [address_word(market.token0.address), address_word(market.token1.address)]
    words += [uint_word(market.fee.pips), int_word(lower), int_word(upper)]
    words += [*map(uint_word, (*units, 0, 0)), address_word(CAROL), uint_word(FOR_EVER)]
    data = hexadecimal(selector(name) + b"".join(words))
    receipt = await world.node.send({"from": CAROL, "to": manager, "data": data, "gas": GAS})
    assert receipt["status"] == "0x1"
    # IncreaseLiquidity(uint256 indexed tokenId, uint128 liquidity, uint256, uint256), the last.
    log = receipt["logs"][-1]
    return int(log["topics"][1], 16), uint_at(unhex(log["data"]))


async def stranger_removes(world: PoolWorld, venue: PoolVenue, token: int, liquidity: int) -> None:
    """Liquidity of CAROL's position taken out, and not collected."""
    words = [uint_word(number) for number in (token, liquidity, 0, 0, FOR_EVER)]
    data = selector("decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))")
    manager = venue.spec.deployment.positions
    wire = {"from": CAROL, "to": manager, "data": hexadecimal(data + b"".join(words)), "gas": GAS}
    receipt = await world.node.send(wire)
    assert receipt["status"] == "0x1"
