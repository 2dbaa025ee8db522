"""What is deployed and funded, as a list of transactions of one deployer. Pure.

All addresses follow from the deployer and its nonces, so they are known before anything is sent and
are the same on every local chain.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from chains.evm import erc20
from chains.evm.abi import WORD, address_word, selector, tail, uint_word
from chains.evm.codec import checksum, create_address, keccak, unhex
from chains.localnet import plan_v3
from chains.localnet.deployment import NETWORK, Contracts, V2Deployment
from core.tokens import Token

ETHER = 10**18
_DEPLOY_GAS = 6_000_000
_CALL_GAS = 500_000
_POOL_GAS = 4_000_000  # creates the pair as well

# symbol, name, decimals
TOKENS = (("USDC", "USD Coin", 6), ("DAI", "Dai Stablecoin", 18), ("WBTC", "Wrapped BTC", 8))
_UNIT = {"WETH": ETHER, "WAVAX": ETHER, "USDC": 10**6, "DAI": ETHER, "WBTC": 10**8}

# Whole units of each side: WETH at 3,000, WBTC at 60,000, WAVAX at 30.
UNISWAP_POOLS = (
    ("WETH", 1_000, "USDC", 3_000_000),
    ("WETH", 1_000, "DAI", 3_000_000),
    ("WBTC", 50, "WETH", 1_000),
)
PANGOLIN_POOLS = (("WAVAX", 50_000, "USDC", 1_500_000),)

# What a wallet of the sandbox gets, in whole units, besides 100 ETH.
ALLOWANCE_OF_A_WALLET = (
    ("USDC", 200_000),
    ("DAI", 200_000),
    ("WBTC", 2),
    ("WETH", 50),
    ("WAVAX", 1_000),
)
_WRAPPED = ("WETH", "WAVAX")  # made by a deposit, not minted
_V3_POOLS = (*plan_v3.UNISWAP_V3_POOLS, *plan_v3.PANCAKESWAP_V3_POOLS)
WALLET_ETHER = 100

# Pangolin's router names the init code hash of a pair that was compiled otherwise than the one in
# the same package; with it the router would look for pools where none are.
_PINNED = bytes.fromhex("40231f6b438bce0797c9ada29b718a87ea0a5cea3fe9a771abdd76bd41a3e545")


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of the deployer; `to` is "" for a creation."""

    to: str
    data: bytes
    value: int = 0
    gas: int = _CALL_GAS


@dataclass(slots=True)
class Plan:
    """Steps in the order of the deployer's nonces, and what they make."""

    contracts: Contracts
    steps: list[Step] = field(default_factory=list)


def repinned(router: bytes, init_code_hash: bytes) -> bytes:
    """Pangolin's router with the hash of the pair that is really deployed; ValueError if the
    pinned hash does not stand in it."""
    if _PINNED not in router:
        raise ValueError("the router does not pin the init code hash that it is known to pin")
    return router.replace(_PINNED, init_code_hash)


def pair_address(factory: str, one: str, other: str, init_code_hash: bytes) -> str:
    """Where a factory creates the pair of two tokens (CREATE2,
    https://eips.ethereum.org/EIPS/eip-1014)."""
    low, high = sorted((unhex(one), unhex(other)))
    salt = keccak(low + high)
    return checksum("0x" + keccak(b"\xff" + unhex(factory) + salt + init_code_hash)[12:].hex())


def build(deployer: str, code: Callable[[str], bytes], ours: Callable[[str], bytes]) -> Plan:
    """The whole deployment. `code` gives the creation code of an artifact by name, `ours` that of
    a contract of the sandbox."""
    steps: list[Step] = []

    def create(init_code: bytes, gas: int = 0) -> str:
        steps.append(Step("", init_code, gas=gas or _DEPLOY_GAS))
        return create_address(deployer, len(steps) - 1)

    def call(to: str, data: bytes, gas: int) -> None:
        steps.append(Step(to, data, gas=gas or _CALL_GAS))

    tokens = {
        "WETH": Token(NETWORK, create(code("weth")), "WETH", 18, "Wrapped Ether"),
        "WAVAX": Token(NETWORK, create(code("wavax")), "WAVAX", 18, "Wrapped AVAX"),
    }
    for symbol, name, decimals in TOKENS:
        address = create(ours("SandboxToken") + _token_arguments(name, symbol, decimals))
        tokens[symbol] = Token(NETWORK, address, symbol, decimals, name)

    def exchange(prefix: str, wrapped: str, patched: bool) -> tuple[str, str, bytes]:
        init_code_hash = keccak(code(f"{prefix}_pair"))
        factory = create(code(f"{prefix}_factory") + address_word(deployer))
        router = code(f"{prefix}_router")
        if patched:
            router = repinned(router, init_code_hash)
        arguments = address_word(factory) + address_word(wrapped)
        return factory, create(router + arguments), init_code_hash

    uniswap = exchange("uniswap", tokens["WETH"].address, patched=False)
    pangolin = exchange("pangolin", tokens["WAVAX"].address, patched=True)

    for symbol in tokens:
        units = sum(_needed(symbol, pools) for pools in (UNISWAP_POOLS, PANGOLIN_POOLS))
        units += plan_v3.needed(symbol, _V3_POOLS) * _UNIT[symbol]
        if symbol in _WRAPPED:
            steps.append(Step(tokens[symbol].address, erc20.deposit(), units))
        else:
            steps.append(Step(tokens[symbol].address, _mint(deployer, units)))

    def fill(made: tuple[str, str, bytes], wrapped: str, pools: Pools) -> V2Deployment:
        factory, router, init_code_hash = made
        for symbol in sorted({symbol for pool in pools for symbol in (pool[0], pool[2])}):
            approval = erc20.approve(router, _needed(symbol, pools))
            steps.append(Step(tokens[symbol].address, approval))
        pairs = {}
        for one, one_units, other, other_units in pools:
            a, b = tokens[one].address, tokens[other].address
            amounts = one_units * _UNIT[one], other_units * _UNIT[other]
            steps.append(Step(router, _add_liquidity(a, b, *amounts, deployer), gas=_POOL_GAS))
            pairs[f"{one}-{other}"] = pair_address(factory, a, b, init_code_hash)
        return V2Deployment(
            factory, router, "0x" + init_code_hash.hex(), tokens[wrapped].address, pairs
        )

    v2 = fill(uniswap, "WETH", UNISWAP_POOLS), fill(pangolin, "WAVAX", PANGOLIN_POOLS)
    weth = tokens["WETH"].address
    uniswap_v3 = plan_v3.deploy_uniswap(create, call, code, weth, uniswap[0])
    pancakeswap_v3 = plan_v3.deploy_pancakeswap(create, code, ours, weth)
    contracts = Contracts(
        tuple(tokens.values()),
        *v2,
        plan_v3.fill(call, uniswap_v3, plan_v3.UNISWAP_V3_POOLS, tokens, deployer),
        plan_v3.fill(call, pancakeswap_v3, plan_v3.PANCAKESWAP_V3_POOLS, tokens, deployer),
    )
    return Plan(contracts, steps)


def funding(contracts: Contracts, wallet: str) -> list[Step]:
    """What gives a wallet its tokens."""
    steps = []
    for symbol, whole in ALLOWANCE_OF_A_WALLET:
        address, units = contracts.token(symbol).address, whole * _UNIT[symbol]
        if symbol in _WRAPPED:
            steps.append(Step(address, erc20.deposit(), units))
            steps.append(Step(address, erc20.transfer(wallet, units)))
        else:
            steps.append(Step(address, _mint(wallet, units)))
    return steps


Pools = tuple[tuple[str, int, str, int], ...]


def _needed(symbol: str, pools: Pools) -> int:
    whole = sum(
        (one_units if one == symbol else 0) + (other_units if other == symbol else 0)
        for one, one_units, other, other_units in pools
    )
    return whole * _UNIT[symbol]


def _token_arguments(name: str, symbol: str, decimals: int) -> bytes:
    first = tail(name.encode())
    heads = uint_word(3 * WORD) + uint_word(3 * WORD + len(first)) + uint_word(decimals)
    return heads + first + tail(symbol.encode())


def _mint(to: str, units: int) -> bytes:
    return selector("mint(address,uint256)") + address_word(to) + uint_word(units)


def _add_liquidity(a: str, b: str, a_units: int, b_units: int, to: str) -> bytes:
    head = selector("addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)")
    amounts = uint_word(a_units) + uint_word(b_units)
    tokens = address_word(a) + address_word(b)
    return head + tokens + amounts * 2 + address_word(to) + uint_word(erc20.MAX_UINT)
