"""Calldata, logs and pool addresses of Uniswap V3 and its forks.

Source: https://docs.uniswap.org/contracts/v3/reference/core/UniswapV3Pool, and for the routers
https://docs.uniswap.org/contracts/v3/reference/periphery/SwapRouter and
https://github.com/Uniswap/swap-router-contracts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chains.evm.abi import WORD, address_at, address_word, bytes_array, selector, uint_at, uint_word
from chains.evm.codec import checksum, keccak, unhex
from dex.families.concentrated_math_ticks import TickLiquidity

_WRAP = 2**256
_HALF = 2**255


def event_topic(signature: str) -> bytes:
    """The first topic of an event."""
    return keccak(signature.encode())


# keccak of Swap(address,address,int256,int256,uint160,uint128,int24), and so on; a test computes
# them anew. PancakeSwap's Swap has two more numbers behind, its protocol fees.
SWAP_TOPIC = bytes.fromhex("c42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67")
PANCAKE_SWAP_TOPIC = bytes.fromhex(
    "19b47279256b2a23a1665c810c8d55a1758940ee09377d4f8d26497a3577dc83"
)
MINT_TOPIC = bytes.fromhex("7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde")
BURN_TOPIC = bytes.fromhex("0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c")
INITIALIZE_TOPIC = bytes.fromhex("98636036cb66a9c19a37435efc1e90142190214e8abeb821bdba3f2990dd4c95")
SWAP_TOPICS = (SWAP_TOPIC, PANCAKE_SWAP_TOPIC)
# What changes what a pool would quote. Flash, Collect and SetFeeProtocol concern only who gets the
# fees.
STATE_TOPICS = (*SWAP_TOPICS, MINT_TOPIC, BURN_TOPIC, INITIALIZE_TOPIC)


def signed_at(data: bytes, index: int = 0) -> int:
    """A two's complement integer of any width in the word `index`."""
    return signed(uint_at(data, index))


def signed(word: int) -> int:
    """Two's complement."""
    return word - _WRAP if word >= _HALF else word


def int_word(value: int) -> bytes:
    """The opposite of `signed_at`."""
    return uint_word(value % _WRAP)


# -- a pool's state


def slot0() -> bytes:
    return selector("slot0()")


def liquidity() -> bytes:
    return selector("liquidity()")


def tick_bitmap(word: int) -> bytes:
    return selector("tickBitmap(int16)") + int_word(word)


def ticks(tick: int) -> bytes:
    return selector("ticks(int24)") + int_word(tick)


def decode_slot0(data: bytes) -> tuple[int, int]:
    """Sqrt price and tick; ValueError when the answer is not a pool's."""
    if len(data) != 7 * WORD:
        raise ValueError(f"a pool answers slot0 with {7 * WORD} bytes, not {len(data)}")
    return uint_at(data), signed_at(data, 1)


def decode_uint(data: bytes) -> int:
    """A single number."""
    if len(data) != WORD:
        raise ValueError(f"not a number: {len(data)} bytes")
    return uint_at(data)


def decode_tick(data: bytes) -> TickLiquidity:
    """What begins and ends at a tick."""
    if len(data) != 8 * WORD:
        raise ValueError(f"a pool answers ticks with {8 * WORD} bytes, not {len(data)}")
    return TickLiquidity(uint_at(data), signed_at(data, 1))


def pool_questions() -> tuple[bytes, ...]:
    """Calldata of what tells which pool an address is: factory, tokens, fee, tick spacing."""
    names = ("factory()", "token0()", "token1()", "fee()", "tickSpacing()")
    return tuple(selector(name) for name in names)


def get_pool(token_a: str, token_b: str, fee: int) -> bytes:
    """Calldata of the factory's getPool; the zero address is "there is none"."""
    head = selector("getPool(address,address,uint24)")
    return head + address_word(token_a) + address_word(token_b) + uint_word(fee)


def pool_address(deployer: str, init_code_hash: bytes, token0: str, token1: str, fee: int) -> str:
    """Where CREATE2 puts the pool of two sorted tokens and a fee; known without asking the chain.
    `deployer` is the factory, or what the factory has its pools made by."""
    salt = keccak(address_word(token0) + address_word(token1) + uint_word(fee))
    return checksum("0x" + keccak(b"\xff" + unhex(deployer) + salt + init_code_hash)[12:].hex())


# -- a pool's events


@dataclass(frozen=True, slots=True)
class PoolSwap:
    """A Swap event: what went in (positive) and came out (negative), and the pool after it."""

    amount0: int
    amount1: int
    sqrt_price: int
    liquidity: int
    tick: int
    recipient: str


def decode_swap(topics: Sequence[bytes], data: bytes) -> PoolSwap:
    """From a Swap event's topics and data; ValueError when malformed."""
    words = 7 if topics and topics[0] == PANCAKE_SWAP_TOPIC else 5
    if len(topics) != 3 or len(data) != words * WORD:
        raise ValueError("not a Swap event of a pool of concentrated liquidity")
    return PoolSwap(
        amount0=signed_at(data),
        amount1=signed_at(data, 1),
        sqrt_price=uint_at(data, 2),
        liquidity=uint_at(data, 3),
        tick=signed_at(data, 4),
        recipient=address_at(topics[2]),
    )


def decode_change(topics: Sequence[bytes], data: bytes) -> tuple[int, int, int]:
    """Lower tick, upper tick and the change of liquidity, from a Mint or Burn event."""
    is_mint = bool(topics) and topics[0] == MINT_TOPIC
    if len(topics) != 4 or len(data) != (4 if is_mint else 3) * WORD:
        raise ValueError("not a Mint or Burn event of a pool of concentrated liquidity")
    units = uint_at(data, 1 if is_mint else 0)
    return signed_at(topics[2]), signed_at(topics[3]), units if is_mint else -units


def decode_initialize(data: bytes) -> tuple[int, int]:
    """Sqrt price and tick."""
    if len(data) != 2 * WORD:
        raise ValueError("not an Initialize event of a pool")
    return uint_at(data), signed_at(data, 1)


# -- the quoter


def quote_single(
    token_in: str, token_out: str, units: int, exact_in: bool, fee: int, sqrt_limit: int = 0
) -> bytes:
    """Calldata of QuoterV2's quoteExactInputSingle or quoteExactOutputSingle."""
    name = "quoteExactInputSingle" if exact_in else "quoteExactOutputSingle"
    return b"".join(
        [
            selector(f"{name}((address,address,uint256,uint24,uint160))"),
            address_word(token_in),
            address_word(token_out),
            *map(uint_word, (units, fee, sqrt_limit)),
        ]
    )


@dataclass(frozen=True, slots=True)
class QuoterAnswer:
    """What QuoterV2 tells of a swap over one pool."""

    amount: int
    sqrt_price: int
    crossed: int
    gas: int


def decode_quote(data: bytes) -> QuoterAnswer:
    """ValueError when it is no such answer."""
    if len(data) != 4 * WORD:
        raise ValueError("not an answer of QuoterV2")
    return QuoterAnswer(*(uint_at(data, index) for index in range(4)))


# -- the routers

MULTICALL = "multicall(bytes[])"
MULTICALL_UNTIL = "multicall(uint256,bytes[])"


def batch(calls: Sequence[bytes], deadline: int | None) -> bytes:
    """Several calls of a router in one; with a deadline (seconds) in the second router's manner."""
    array = bytes_array(calls)
    if deadline is None:
        return selector(MULTICALL) + uint_word(WORD) + array
    return selector(MULTICALL_UNTIL) + uint_word(deadline) + uint_word(2 * WORD) + array
