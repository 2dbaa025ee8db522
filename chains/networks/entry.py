"""What an entry of the table of networks is."""

from dataclasses import dataclass

from core.clock import MILLISECOND
from core.ports import NetworkInfo
from core.tokens import Token


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """What a network is and where its nodes are. `urls` may hold http(s) and ws(s); `private_urls`
    take transactions and show them to block builders only."""

    info: NetworkInfo
    urls: tuple[str, ...]
    private_urls: tuple[str, ...] = ()


def evm(
    id: str,
    name: str,
    chain_id: int,
    native: tuple[str, str],  # symbol, name
    wrapped: tuple[str, str] | None,  # symbol, address
    block_time: int,
    finality_depth: int,
    explorer: str,
    urls: tuple[str, ...],
    testnet: bool = False,
    private_urls: tuple[str, ...] = (),
) -> NetworkEntry:
    """An EVM network; times in ns, `finality_depth` in blocks."""
    coin = Token(id, "", native[0], 18, native[1])
    wrap = wrapped and Token(id, wrapped[1], wrapped[0], 18, f"Wrapped {native[1]}")
    info = NetworkInfo(
        id=id,
        name=name,
        family="evm",
        chain_id=chain_id,
        native=coin,
        wrapped=wrap or None,
        testnet=testnet,
        explorer=explorer,
        block_time=block_time,
        finality_depth=finality_depth,
    )
    return NetworkEntry(info, urls, private_urls)


def solana(
    id: str, name: str, explorer: str, urls: tuple[str, ...], testnet: bool = False
) -> NetworkEntry:
    """A Solana cluster."""
    info = NetworkInfo(
        id=id,
        name=name,
        family="solana",
        chain_id=0,
        native=Token(id, "", "SOL", 9, "Solana"),
        # The native mint, the same on every cluster.
        wrapped=Token(id, "So11111111111111111111111111111111111111112", "WSOL", 9, "Wrapped SOL"),
        testnet=testnet,
        explorer=explorer,
        block_time=400 * MILLISECOND,
        # A block with 31 confirmed blocks on top is rooted.
        finality_depth=32,
    )
    return NetworkEntry(info, urls)


ETHER = ("ETH", "Ether")
AVAX = ("AVAX", "Avalanche")
ONE = ("ONE", "Harmony")
POL = ("POL", "Polygon Ecosystem Token")
BNB = ("BNB", "BNB")
CELO = ("CELO", "Celo")
# The OP stack has it at the same place on every chain.
OP_WETH = ("WETH", "0x4200000000000000000000000000000000000006")
