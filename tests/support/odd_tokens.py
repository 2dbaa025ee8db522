"""Tokens of any decimals on a local chain, and pools of them."""

from decimal import Decimal

from chains.evm import erc20
from chains.evm.abi import WORD, address_word, selector, tail, uint_word
from chains.evm.codec import checksum, hexadecimal, quantity
from chains.localnet import plan_v3
from chains.localnet.deploy import DEPLOYER
from chains.localnet.packages import sandbox_code
from core.tokens import Token
from dex.venue import PoolVenue
from tests.support.evm import BOB, CAROL
from tests.support.pools import FOR_EVER, PoolWorld

_GAS = quantity(9_000_000)
_MAX_TICK = 887_272


async def _call(world: PoolWorld, to: str, data: bytes, sender: str = CAROL) -> None:
    wire = {"from": sender, "to": to, "data": hexadecimal(data), "gas": _GAS}
    assert (await world.node.send(wire))["status"] == "0x1", (to, data[:4].hex())


async def make_token(world: PoolWorld, symbol: str, decimals: int, units: int) -> Token:
    """A token of which BOB and CAROL have so many units each."""
    name = tail(symbol.encode())
    arguments = uint_word(3 * WORD) + uint_word(3 * WORD + len(name)) + uint_word(decimals)
    code = sandbox_code("SandboxToken") + arguments + name + name
    made = await world.node.send({"from": CAROL, "data": hexadecimal(code), "gas": _GAS})
    assert made["status"] == "0x1"
    token = await world.net.token(checksum(str(made["contractAddress"])))
    assert (token.symbol, token.decimals) == (symbol, decimals)
    for owner in (BOB, CAROL):
        mint = selector("mint(address,uint256)") + address_word(owner) + uint_word(units)
        await _call(world, token.address, mint)
    return token


async def make_pair(
    world: PoolWorld, venue: PoolVenue, one: Token, other: Token, units: tuple[int, int]
) -> None:
    """A pool of constant product with CAROL's tokens."""
    router = venue.spec.deployment.router
    for token, most in zip((one, other), units, strict=True):
        await _call(world, token.address, erc20.approve(router, most))
    words = [address_word(one.address), address_word(other.address), *map(uint_word, units)]
    words += [uint_word(1), uint_word(1), address_word(CAROL), uint_word(FOR_EVER)]
    name = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
    await _call(world, router, selector(name) + b"".join(words))


async def make_pool(
    world: PoolWorld,
    venue: PoolVenue,
    one: Token,
    other: Token,
    units: tuple[int, int],
    fee: int,
) -> None:
    """A pool of concentrated liquidity at the price of these units, over all prices, and with as
    much again near its price."""
    deployment = venue.spec.deployment
    spacing = dict(venue.spec.protocol.tiers)[fee]
    flip = int(one.address, 16) > int(other.address, 16)
    token0, token1 = (other, one) if flip else (one, other)
    units0, units1 = units[::-1] if flip else units
    words = address_word(token0.address) + address_word(token1.address) + uint_word(fee)
    await _call(world, deployment.factory, selector("createPool(address,address,uint24)") + words)
    places = venue.family.places(venue.spec, token0.address, token1.address)
    address = next(place.address for place in places if place.fee.pips == fee)
    root = plan_v3.first_sqrt_price(units0, units1)
    await _call(world, address, selector("initialize(uint160)") + uint_word(root))
    if deployment.deployer != deployment.factory:
        none = address_word(address) + bytes(64)
        name = "setFeeProtocol(address,uint32,uint32)"
        await world.node.rpc.call("anvil_impersonateAccount", [DEPLOYER])
        await _call(world, deployment.factory, selector(name) + none, DEPLOYER)
    for token, most in ((token0, units0), (token1, units1)):
        await _call(world, token.address, erc20.approve(deployment.positions, 3 * most))
    last = _MAX_TICK // spacing
    centre = plan_v3.tick_of(units1, units0) // spacing
    for lower, upper in ((-last, last), (centre - 5, centre + 5)):
        name = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,"
        name += "uint256))"
        mint = words + _int_word(lower * spacing) + _int_word(upper * spacing)
        mint += b"".join(map(uint_word, (units0, units1, 0, 0)))
        await _call(
            world,
            deployment.positions,
            selector(name) + mint + address_word(CAROL) + uint_word(FOR_EVER),
        )


def _int_word(value: int) -> bytes:
    return value.to_bytes(WORD, "big", signed=True)


def whole(token: Token, units: int) -> Decimal:
    """Units as whole tokens."""
    return Decimal(units).scaleb(-token.decimals)
