"""The name of a pool's market, from its two tokens; the same on every machine and in every run.

The quote is the token that people count in: the one that stands earlier in RANKING; where neither
does, or both are the same, the contract's token1. Only a token of the token list is ranked, since
anybody may deploy a token called USDC, and only a pool of two such tokens gets the bare name
BASE-QUOTE. Every other pool's name ends with its address, so that a stranger cannot take a name
that somebody trades by: `WETH-USDC:0x1234…`.
"""

from core.tokens import Token

# Dollars before euros before coins; the wider used first. Symbols in upper case.
RANKING = (
    *("USDC", "USDT", "USDT.E", "USDC.E", "DAI", "DAI.E", "BUSD", "TUSD", "USDP", "FRAX", "EURC"),
    *("WETH", "WETH.E", "ETH", "WAVAX", "AVAX", "WONE", "WPOL", "WBNB", "WBTC", "WBTC.E"),
)
_RANK = {symbol: len(RANKING) - place for place, symbol in enumerate(RANKING)}

_ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+_$")
_LONGEST = 24


def symbol(token: Token) -> str:
    """A token's symbol, with only what a name may have; its address if nothing is left."""
    plain = "".join(letter for letter in token.symbol[:_LONGEST] if letter in _ALLOWED)
    return plain or token.address


def base_is_token0(token0: Token, token1: Token, listed0: bool, listed1: bool) -> bool:
    """Whether token0 is the base, and token1 the quote."""
    rank0 = _RANK.get(token0.symbol.upper(), 0) if listed0 else 0
    rank1 = _RANK.get(token1.symbol.upper(), 0) if listed1 else 0
    return rank1 >= rank0


def instrument_id(base: Token, quote: Token, pool: str, both_listed: bool, mark: str = "") -> str:
    """BASE-QUOTE; behind it the pool's address where a token is not of the list, else its mark (its
    fee in millionths, `WETH-USDC:500`) where two tokens have several pools."""
    name = f"{symbol(base)}-{symbol(quote)}"
    if not both_listed:
        return f"{name}:{pool}"
    return f"{name}:{mark}" if mark else name
