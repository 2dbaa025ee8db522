"""The part of the plan that deploys exchanges of concentrated liquidity: pure, as plan.py.

PancakeSwap publishes its factory and its pool with bytecode, but neither its deployer nor its
periphery. The sandbox has its own deployer (SandboxPoolDeployer) and Uniswap's periphery, pinned to
PancakeSwap's pools and behind a translation of the callbacks' names (SandboxCallbacks).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt

from chains.evm import erc20
from chains.evm.abi import address_word, selector, uint_word
from chains.evm.codec import checksum, keccak, unhex
from chains.localnet.deployment import V3Deployment
from core.tokens import Token

_BIG_GAS = 7_000_000  # contracts as large as can be
_POOL_GAS = 6_000_000
_MINT_GAS = 1_500_000
_MAX_TICK = 887_272

# Init code hash of Uniswap's pool, which its periphery pins.
_PINNED = bytes.fromhex("e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54")
# The position manager's `_nextId` and `_nextPoolId`, both 1, as its constructor stores them.
_NEXT_SLOT, _NEXT_VALUE = 13, 1 << 176 | 1


@dataclass(frozen=True, slots=True)
class Position:
    """Liquidity between two distances from the pool's first price, in tick spacings; None is as
    far as it goes. Amounts are the most of each token, in whole units."""

    below: int | None
    above: int | None
    one: int
    other: int


@dataclass(frozen=True, slots=True)
class V3Pool:
    """A pool of `one` and `other`; `price` whole units of `other` for one; `fee` in millionths."""

    one: str
    other: str
    fee: int
    spacing: int
    price: int
    positions: tuple[Position, ...]

    @property
    def name(self) -> str:
        return f"{self.one}-{self.other}:{self.fee}"


_EVERYWHERE = None
UNISWAP_V3_POOLS = (
    V3Pool(
        *("WETH", "USDC", 500, 10, 3_000),
        (
            Position(_EVERYWHERE, _EVERYWHERE, 100, 300_000),
            Position(-20, 20, 200, 600_000),
            Position(-60, 60, 300, 900_000),
            Position(-300, -40, 0, 400_000),
            Position(35, 280, 130, 0),
            Position(-7, 3, 40, 120_000),
        ),
    ),
    V3Pool(
        *("WETH", "USDC", 3_000, 60, 3_000),
        (
            Position(_EVERYWHERE, _EVERYWHERE, 300, 900_000),
            Position(-10, 12, 150, 450_000),
            Position(-50, -20, 0, 200_000),
            Position(25, 60, 70, 0),
        ),
    ),
    V3Pool(
        *("USDC", "DAI", 100, 1, 1),
        (
            Position(-10, 10, 2_000_000, 2_000_000),
            Position(-400, 400, 500_000, 500_000),
        ),
    ),
    V3Pool(
        *("WETH", "DAI", 10_000, 200, 3_000),
        (
            Position(_EVERYWHERE, _EVERYWHERE, 50, 150_000),
            Position(-3, 3, 50, 150_000),
        ),
    ),
    V3Pool(
        *("WBTC", "WETH", 3_000, 60, 20),
        (
            Position(_EVERYWHERE, _EVERYWHERE, 10, 200),
            Position(-15, 15, 20, 400),
        ),
    ),
)
PANCAKESWAP_V3_POOLS = (
    V3Pool(
        *("WETH", "USDC", 500, 10, 3_000),
        (
            Position(_EVERYWHERE, _EVERYWHERE, 60, 180_000),
            Position(-25, 25, 100, 300_000),
            Position(-90, -10, 0, 100_000),
        ),
    ),
    V3Pool(
        *("WETH", "USDC", 2_500, 50, 3_000),
        (
            Position(_EVERYWHERE, _EVERYWHERE, 100, 300_000),
            Position(-12, 14, 60, 180_000),
        ),
    ),
    V3Pool(*("USDC", "DAI", 100, 1, 1), (Position(-50, 50, 400_000, 400_000),)),
)

Create = Callable[[bytes, int], str]  # creation code, gas -> address
Call = Callable[[str, bytes, int], None]  # to, data, gas
Code = Callable[[str], bytes]


def needed(symbol: str, pools: Sequence[V3Pool]) -> int:
    """Whole units of a token that all positions may take."""
    total = 0
    for pool in pools:
        total += sum(position.one for position in pool.positions if pool.one == symbol)
        total += sum(position.other for position in pool.positions if pool.other == symbol)
    return total


def pool_address(deployer: str, init_code_hash: bytes, one: str, other: str, fee: int) -> str:
    """Where a deployer creates a pool (CREATE2, https://eips.ethereum.org/EIPS/eip-1014)."""
    low, high = sorted((one, other), key=unhex)
    salt = keccak(address_word(low) + address_word(high) + uint_word(fee))
    return checksum("0x" + keccak(b"\xff" + unhex(deployer) + salt + init_code_hash)[12:].hex())


def first_sqrt_price(units0: int, units1: int) -> int:
    """The sqrt price, times 2**96, at which so much of token0 is worth so much of token1."""
    return isqrt((units1 << 192) // units0)


def deploy_uniswap(
    create: Create, call: Call, code: Code, wrapped: str, pair_factory: str
) -> V3Deployment:
    """Factory, quoter, position manager, and the router that passes pools of both kinds; no pool
    yet. `pair_factory` is that of Uniswap V2."""
    factory = create(code("uniswap_v3_factory"), _BIG_GAS)
    call(factory, selector("enableFeeAmount(uint24,int24)") + uint_word(100) + uint_word(1), 0)
    arguments = address_word(factory) + address_word(wrapped)
    quoter = create(code("uniswap_v3_quoter") + arguments, _BIG_GAS)
    positions = create(code("uniswap_v3_positions") + arguments + bytes(32), _BIG_GAS)
    known = b"".join(map(address_word, (pair_factory, factory, positions, wrapped)))
    router = create(code("uniswap_router_02") + known, _BIG_GAS)
    hash = "0x" + keccak(code("uniswap_v3_pool")).hex()
    return V3Deployment(factory, factory, router, quoter, positions, hash, wrapped, {})


def deploy_pancakeswap(create: Create, code: Code, ours: Code, wrapped: str) -> V3Deployment:
    """The same for PancakeSwap; `ours` gives the creation code of the sandbox's contracts."""
    pool = code("pancakeswap_v3_pool")
    init_code_hash = keccak(pool)
    holder = create(_holder(pool), _BIG_GAS)
    deployer = create(ours("SandboxPoolDeployer") + address_word(holder), 0)
    factory = create(code("pancakeswap_v3_factory") + address_word(deployer), _BIG_GAS)
    # Of the factory the periphery wants to know no more than where its pools are.
    arguments = address_word(deployer) + address_word(wrapped)

    def periphery(name: str, more: bytes = b"", slot: int = 0, value: int = 0) -> str:
        found = code(name)
        if _PINNED not in found:
            raise ValueError(f"{name} does not pin the init code hash that it is known to pin")
        pinned = found.replace(_PINNED, init_code_hash) + arguments + more
        words = uint_word(slot) + uint_word(value)
        target = create(pinned, _BIG_GAS)
        return create(ours("SandboxCallbacks") + address_word(target) + words, 0)

    router = periphery("uniswap_v3_router")
    quoter = periphery("uniswap_v3_quoter")
    positions = periphery("uniswap_v3_positions", bytes(32), _NEXT_SLOT, _NEXT_VALUE)
    hash = "0x" + init_code_hash.hex()
    return V3Deployment(factory, deployer, router, quoter, positions, hash, wrapped, {})


def fill(
    call: Call, made: V3Deployment, pools: Sequence[V3Pool], tokens: dict[str, Token], owner: str
) -> V3Deployment:
    """Creates, initialises and funds pools; `owner` sends, and gets the positions."""
    for symbol in sorted({symbol for pool in pools for symbol in (pool.one, pool.other)}):
        token = tokens[symbol]
        units = needed(symbol, pools) * int(10**token.decimals)
        call(token.address, erc20.approve(made.positions, units), 0)
    addresses = {}
    for pool in pools:
        one, other = tokens[pool.one], tokens[pool.other]
        words = address_word(one.address) + address_word(other.address) + uint_word(pool.fee)
        call(made.factory, selector("createPool(address,address,uint24)") + words, _POOL_GAS)
        hash = bytes.fromhex(made.init_code_hash.removeprefix("0x"))
        address = pool_address(made.deployer, hash, one.address, other.address, pool.fee)
        is_0 = unhex(one.address) < unhex(other.address)
        one_unit, other_unit = int(10**one.decimals), int(10**other.decimals) * pool.price
        ends = (one_unit, other_unit) if is_0 else (other_unit, one_unit)
        price = uint_word(first_sqrt_price(*ends))
        call(address, selector("initialize(uint160)") + price, _MINT_GAS)
        if made.deployer != made.factory:
            # Uniswap's periphery cannot read PancakeSwap's slot0 but with a protocol fee of zero.
            none = address_word(address) + bytes(64)
            name = "setFeeProtocol(address,uint32,uint32)"
            call(made.factory, selector(name) + none, 0)
        for position in pool.positions:
            call(made.positions, _mint(pool, position, one, other, owner), _MINT_GAS)
        addresses[pool.name] = address
    return V3Deployment(
        *(made.factory, made.deployer, made.router, made.quoter, made.positions),
        *(made.init_code_hash, made.wrapped, addresses),
    )


def _mint(pool: V3Pool, position: Position, one: Token, other: Token, owner: str) -> bytes:
    """The position manager's mint, of as much as the amounts are enough for."""
    units = position.one * int(10**one.decimals), position.other * int(10**other.decimals)
    is_0 = unhex(one.address) < unhex(other.address)
    ratio = int(10**other.decimals) * pool.price, int(10**one.decimals)
    centre = tick_of(*ratio) // pool.spacing
    last = _MAX_TICK // pool.spacing
    lower = -last if position.below is None else centre + position.below
    upper = last if position.above is None else centre + position.above
    if not is_0:
        lower, upper, units = -upper, -lower, units[::-1]
    token0, token1 = (one, other) if is_0 else (other, one)
    name = (
        "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
    )
    words = [address_word(token0.address), address_word(token1.address), uint_word(pool.fee)]
    words += [uint_word(tick * pool.spacing % 2**256) for tick in (lower, upper)]
    words += [*map(uint_word, (*units, 0, 0)), address_word(owner), uint_word(erc20.MAX_UINT)]
    return selector(name) + b"".join(words)


def tick_of(units1: int, units0: int) -> int:
    """The tick of a price, token1 units for token0 units, by repeated squaring: 1.0001**tick in
    integers, to 256 bits. Exact enough for a sandbox; dex.families has the contract's own."""
    one = 1 << 256
    price = units1 * one // units0
    if price < one:
        return -tick_of(units0, units1) - 1
    powers = [one + one // 10_000]
    while powers[-1] <= price:
        powers.append(powers[-1] * powers[-1] >> 256)
    tick, reached = 0, one
    for exponent in reversed(range(len(powers))):
        if reached * powers[exponent] >> 256 <= price:
            reached = reached * powers[exponent] >> 256
            tick += 1 << exponent
    return tick


def _holder(data: bytes) -> bytes:
    """Creation code of a contract whose code is `data`."""
    return b"\x61" + len(data).to_bytes(2, "big") + bytes.fromhex("80600a3d393df3") + data
