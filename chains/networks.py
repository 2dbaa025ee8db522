"""Every network as one entry of a table; adding an EVM network is adding an entry.

Sources: chain ids, public RPC urls, native coins and explorers from the chain registry
(github.com/ethereum-lists/chains) and the networks' own documentation (docs.avax.network,
docs.harmony.one, ethereum.org, solana.com/docs); wrapped coins from the networks' token lists (see
chains/tokens/SOURCES.md). Urls are public and need no key; a configuration file may replace them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from core.clock import MILLISECOND, SECOND
from core.ports import NetworkInfo
from core.tokens import Token


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """What a network is and where its nodes are. `urls` may hold http(s) and ws(s)."""

    info: NetworkInfo
    urls: tuple[str, ...]


def _evm(
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
) -> NetworkEntry:
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
    return NetworkEntry(info, urls)


def _solana(
    id: str, name: str, explorer: str, urls: tuple[str, ...], testnet: bool = False
) -> NetworkEntry:
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


_ETHER = ("ETH", "Ether")
_AVAX = ("AVAX", "Avalanche")
_ONE = ("ONE", "Harmony")

_ENTRIES = (
    _evm(
        "ethereum",
        "Ethereum",
        1,
        _ETHER,
        ("WETH", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
        12 * SECOND,
        64,  # two epochs: the protocol's own finality
        "https://etherscan.io",
        (
            "https://ethereum-rpc.publicnode.com",
            "https://eth.drpc.org",
            "https://1rpc.io/eth",
            "wss://ethereum-rpc.publicnode.com",
        ),
    ),
    _evm(
        "sepolia",
        "Ethereum Sepolia",
        11155111,
        _ETHER,
        ("WETH", "0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14"),
        12 * SECOND,
        64,
        "https://sepolia.etherscan.io",
        (
            "https://ethereum-sepolia-rpc.publicnode.com",
            "https://sepolia.drpc.org",
            "https://sepolia.gateway.tenderly.co",
            "wss://ethereum-sepolia-rpc.publicnode.com",
        ),
        testnet=True,
    ),
    _evm(
        "avalanche",
        "Avalanche C-Chain",
        43114,
        _AVAX,
        ("WAVAX", "0xB31f66AA3C1e785363F0875A1B74E27b85FD66c7"),
        1_500 * MILLISECOND,
        1,  # a block that a node shows as accepted is final
        "https://snowtrace.io",
        (
            "https://api.avax.network/ext/bc/C/rpc",
            "https://avalanche-c-chain-rpc.publicnode.com",
            "https://1rpc.io/avax/c",
            "wss://avalanche-c-chain-rpc.publicnode.com",
        ),
    ),
    _evm(
        "fuji",
        "Avalanche Fuji",
        43113,
        _AVAX,
        ("WAVAX", "0xd00ae08403B9bbb9124bB305C09058E32C39A48c"),
        1_500 * MILLISECOND,
        1,
        "https://testnet.snowtrace.io",
        (
            "https://api.avax-test.network/ext/bc/C/rpc",
            "https://avalanche-fuji-c-chain-rpc.publicnode.com",
        ),
        testnet=True,
    ),
    _evm(
        "harmony",
        "Harmony",
        1666600000,
        _ONE,
        ("WONE", "0xcF664087a5bB0237a0BAd6742852ec6c8d69A27a"),
        2 * SECOND,
        5,
        "https://explorer.harmony.one",
        ("https://api.harmony.one", "https://api.s0.t.hmny.io", "https://1rpc.io/one"),
    ),
    _evm(
        "harmony_testnet",
        "Harmony Testnet",
        1666700000,
        _ONE,
        ("WONE", "0x7466d7d0C21Fa05F32F5a0Fa27e12bdC06348Ce2"),
        2 * SECOND,
        5,
        "https://explorer.testnet.harmony.one",
        ("https://api.s0.b.hmny.io",),
        testnet=True,
    ),
    _evm(
        "ethereum_local",
        "Local Ethereum",
        31337,
        _ETHER,
        None,  # deployed anew with every sandbox: chains.localnet tells
        250 * MILLISECOND,
        0,  # blocks come with transactions only, so nothing may wait for later blocks
        "",
        (),
        testnet=True,
    ),
    _solana(
        "solana",
        "Solana",
        "https://explorer.solana.com",
        ("https://api.mainnet-beta.solana.com", "https://solana-rpc.publicnode.com"),
    ),
    _solana(
        "solana_devnet",
        "Solana Devnet",
        "https://explorer.solana.com/?cluster=devnet",
        ("https://api.devnet.solana.com",),
        testnet=True,
    ),
    _solana("solana_local", "Local Solana", "", (), testnet=True),
)

NETWORKS: Mapping[str, NetworkEntry] = {entry.info.id: entry for entry in _ENTRIES}
