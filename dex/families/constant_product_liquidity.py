"""Shares of constant-product pools. Pure.

Source: UniswapV2Pair's mint, burn and _mintFee, and UniswapV2Router02's addLiquidity, in
https://docs.uniswap.org/contracts/v2/reference/smart-contracts/pair.
"""

from dataclasses import dataclass
from math import isqrt

from chains.evm.abi import address_word, selector, uint_word
from chains.evm.eip2612 import vrs

_LOCKED = 1_000  # of the first shares of a pool, for ever


@dataclass(frozen=True, slots=True)
class Shares:
    """What a pair's record says: reserves at its last change, what it holds now, how many shares
    there are. `last_k` is 0 where the protocol takes no part of the fees."""

    reserve0: int
    reserve1: int
    balance0: int
    balance1: int
    supply: int
    last_k: int
    fee_share: tuple[int, int, int] = (1, 5, 1)

    @property
    def supply_then(self) -> int:
        """The shares there are once the protocol has taken its part, as any change makes it do."""
        if not self.last_k:
            return self.supply
        root, last = isqrt(self.reserve0 * self.reserve1), isqrt(self.last_k)
        if root <= last:
            return self.supply
        over, under, rest = self.fee_share
        return self.supply + self.supply * over * (root - last) // (root * under + last * rest)

    def worth(self, shares: int) -> tuple[int, int]:
        """What burning shares gives."""
        supply = self.supply_then
        if not supply:
            return 0, 0
        return shares * self.balance0 // supply, shares * self.balance1 // supply

    def fitting(self, units0: int, units1: int) -> tuple[int, int]:
        """As much of two amounts as the router takes: in the ratio of the reserves."""
        if not (self.reserve0 or self.reserve1):
            return units0, units1
        fitting1 = units0 * self.reserve1 // self.reserve0
        if fitting1 <= units1:
            return units0, fitting1
        return units1 * self.reserve0 // self.reserve1, units1

    def made(self, units0: int, units1: int) -> int:
        """The shares that two amounts make."""
        supply = self.supply_then
        if not supply:
            return max(isqrt(units0 * units1) - _LOCKED, 0)
        return min(units0 * supply // self.reserve0, units1 * supply // self.reserve1)


def pair_questions() -> tuple[bytes, ...]:
    """Calldata to the pair: reserves, supply, k at the last change of liquidity."""
    return selector("getReserves()"), selector("totalSupply()"), selector("kLast()")


def fee_to() -> bytes:
    """Calldata to the factory: who gets the protocol's part; zero is nobody."""
    return selector("feeTo()")


def add(
    token0: str,
    token1: str,
    most: tuple[int, int],
    least: tuple[int, int],
    owner: str,
    deadline: int,
) -> bytes:
    """The router's addLiquidity; `deadline` in seconds."""
    name = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
    words = [address_word(token0), address_word(token1), *map(uint_word, (*most, *least))]
    return selector(name) + b"".join([*words, address_word(owner), uint_word(deadline)])


def remove(
    token0: str,
    token1: str,
    shares: int,
    least: tuple[int, int],
    owner: str,
    deadline: int,
    permit: tuple[int, int, int] | None = None,
) -> bytes:
    """The router's removeLiquidity, or removeLiquidityWithPermit with the signature (r, s, parity)
    of a permit for exactly these shares; `deadline`, of both, in seconds."""
    words = [address_word(token0), address_word(token1), *map(uint_word, (shares, *least))]
    words += [address_word(owner), uint_word(deadline)]
    types = "address,address,uint256,uint256,uint256,address,uint256"
    if permit is None:
        return selector(f"removeLiquidity({types})") + b"".join(words)
    words += [uint_word(0), vrs(permit)]  # 0: not for everything
    name = f"removeLiquidityWithPermit({types},bool,uint8,bytes32,bytes32)"
    return selector(name) + b"".join(words)
