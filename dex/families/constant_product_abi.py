"""Calldata, logs and pool addresses of Uniswap V2 and its forks.

Source: https://docs.uniswap.org/contracts/v2/reference/smart-contracts/router-02, /pair, /factory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chains.evm.abi import address_at, address_word, selector, uint_at, uint_word
from chains.evm.codec import checksum, keccak, unhex
from dex.families.curve import SwapLog

MAX_UINT = 2**256 - 1

SYNC_TOPIC = bytes.fromhex("1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1")
SWAP_TOPIC = bytes.fromhex("d78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822")


@dataclass(frozen=True, slots=True)
class SwapCall:
    """One of the router's swaps.

    `exact` is the fixed amount; `limit` the least out (exact in) or the most in (exact out). In
    `path` the native coin is its wrapped token. `deadline` is in seconds; the router reverts with
    EXPIRED in a block later than that.

    `measured` (exact in only) asks for the variant that enforces the least amount on what the
    recipient has more of afterwards, not on what the pool computed: with it a token that keeps a
    part of each transfer cannot undercut the guarantee. It costs some gas.
    """

    exact_in: bool
    native_in: bool
    native_out: bool
    exact: int
    limit: int
    path: tuple[str, ...]
    recipient: str
    deadline: int
    measured: bool = False

    @property
    def value(self) -> int:
        """The native coins that the transaction carries; the router returns what is left."""
        if not self.native_in:
            return 0
        return self.exact if self.exact_in else self.limit

    def calldata(self, native: str) -> bytes:
        """`native` is the fork's word for the native coin in its function names: ETH, AVAX."""
        source = native if self.native_in else "Tokens"
        target = native if self.native_out else "Tokens"
        exact, other = ("Exact", "") if self.exact_in else ("", "Exact")
        # With native in, what is paid travels as value; one number is left for the data.
        if self.native_in:
            amounts = [self.limit if self.exact_in else self.exact]
        else:
            amounts = [self.exact, self.limit]
        types = ",".join(["uint256"] * len(amounts) + ["address[]", "address", "uint256"])
        variant = "SupportingFeeOnTransferTokens" if self.measured and self.exact_in else ""
        name = f"swap{exact}{source}For{other}{target}{variant}({types})"
        offset = uint_word(32 * (len(amounts) + 3))
        return b"".join(
            [
                selector(name),
                *(uint_word(amount) for amount in amounts),
                offset,
                address_word(self.recipient),
                uint_word(self.deadline),
                uint_word(len(self.path)),
                *(address_word(token) for token in self.path),
            ]
        )


def get_reserves() -> bytes:
    """Calldata of the pair's getReserves."""
    return selector("getReserves()")


def decode_reserves(data: bytes) -> tuple[int, int]:
    """The reserves, in the pair's token order; ValueError when the answer is not a pair's."""
    if len(data) != 96:
        raise ValueError(f"a pair answers getReserves with 96 bytes, not {len(data)}")
    return uint_at(data, 0), uint_at(data, 1)


def pair_questions() -> tuple[bytes, bytes, bytes]:
    """Calldata of what tells whether an address is a pair: factory, token0, token1."""
    return selector("factory()"), selector("token0()"), selector("token1()")


def get_pair(token_a: str, token_b: str) -> bytes:
    """Calldata of the factory's getPair; the zero address is "there is none"."""
    return selector("getPair(address,address)") + address_word(token_a) + address_word(token_b)


def sort_tokens(token_a: str, token_b: str) -> tuple[str, str]:
    """The contract's order: by the address as a number."""
    return (token_a, token_b) if unhex(token_a) < unhex(token_b) else (token_b, token_a)


def pair_address(factory: str, init_code_hash: bytes, token_a: str, token_b: str) -> str:
    """Where the factory's CREATE2 puts the pair of two tokens; known without asking the chain.

    https://docs.uniswap.org/contracts/v2/guides/smart-contract-integration/getting-pair-addresses
    """
    token0, token1 = sort_tokens(token_a, token_b)
    salt = keccak(unhex(token0) + unhex(token1))
    return checksum("0x" + keccak(b"\xff" + unhex(factory) + salt + init_code_hash)[12:].hex())


def decode_swap(topics: Sequence[bytes], data: bytes) -> SwapLog:
    """From a Swap event's topics and data; ValueError when malformed."""
    if len(topics) != 3 or len(data) != 128:
        raise ValueError("not a Swap event")
    in0, in1, out0, out1 = (uint_at(data, i) for i in range(4))
    return SwapLog(in0, in1, out0, out1, address_at(topics[2]))


def decode_transfer(topics: Sequence[bytes], data: bytes) -> tuple[str, str, int] | None:
    """Sender, recipient and units of an ERC-20 Transfer; None for the ERC-721 event of that name,
    which indexes the number too."""
    if len(topics) != 3 or len(data) != 32:
        return None
    return address_at(topics[1]), address_at(topics[2]), uint_at(data)
