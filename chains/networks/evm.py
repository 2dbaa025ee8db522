"""EVM networks.

Sources: chain ids, public RPC urls, native coins and explorers from the chain registry
(github.com/ethereum-lists/chains) and the networks' own documentation (docs.avax.network,
docs.harmony.one, ethereum.org, docs.polygon.technology, docs.arbitrum.io, docs.base.org,
docs.optimism.io, docs.bnbchain.org, docs.celo.org); wrapped coins from the networks' token lists
(see chains/tokens/SOURCES.md). Urls are public and need no key; a configuration file may replace
them.
"""

from chains.networks.entry import AVAX, BNB, CELO, ETHER, ONE, OP_WETH, POL, NetworkEntry, evm
from core.clock import MILLISECOND, SECOND

EVM: tuple[NetworkEntry, ...] = (
    evm(
        "ethereum",
        "Ethereum",
        1,
        ETHER,
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
        # docs.flashbots.net (Flashbots Protect), docs.cow.fi (MEV Blocker)
        private_urls=("https://rpc.flashbots.net/fast", "https://rpc.mevblocker.io/noreverts"),
    ),
    evm(
        "avalanche",
        "Avalanche C-Chain",
        43114,
        AVAX,
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
    evm(
        "harmony",
        "Harmony",
        1666600000,
        ONE,
        ("WONE", "0xcF664087a5bB0237a0BAd6742852ec6c8d69A27a"),
        2 * SECOND,
        5,
        "https://explorer.harmony.one",
        ("https://api.harmony.one", "https://api.s0.t.hmny.io", "https://1rpc.io/one"),
    ),
    evm(
        "polygon",
        "Polygon PoS",
        137,
        POL,
        ("WPOL", "0x0d500B1d8E8eF31E21C99d1Db9A6444d3ADf1270"),
        2 * SECOND,
        32,  # milestones make blocks final within seconds; some more, as they once stood still
        "https://polygonscan.com",
        (
            "https://polygon-bor-rpc.publicnode.com",
            "https://polygon.drpc.org",
            "https://1rpc.io/matic",
            "https://polygon-rpc.com",
            "wss://polygon-bor-rpc.publicnode.com",
        ),
    ),
    evm(
        "arbitrum",
        "Arbitrum One",
        42161,
        ETHER,
        ("WETH", "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"),
        250 * MILLISECOND,
        240,  # a minute of the sequencer's word; Ethereum's own finality takes a quarter of an hour
        "https://arbiscan.io",
        (
            "https://arb1.arbitrum.io/rpc",
            "https://arbitrum-one-rpc.publicnode.com",
            "https://arbitrum.drpc.org",
            "https://1rpc.io/arb",
            "wss://arbitrum-one-rpc.publicnode.com",
        ),
    ),
    evm(
        "base",
        "Base",
        8453,
        ETHER,
        OP_WETH,
        2 * SECOND,
        30,  # a minute of the sequencer's word, as above
        "https://basescan.org",
        (
            "https://mainnet.base.org",
            "https://base-rpc.publicnode.com",
            "https://base.drpc.org",
            "https://1rpc.io/base",
            "wss://base-rpc.publicnode.com",
        ),
    ),
    evm(
        "optimism",
        "OP Mainnet",
        10,
        ETHER,
        OP_WETH,
        2 * SECOND,
        30,
        "https://optimistic.etherscan.io",
        (
            "https://mainnet.optimism.io",
            "https://optimism-rpc.publicnode.com",
            "https://optimism.drpc.org",
            "https://1rpc.io/op",
            "wss://optimism-rpc.publicnode.com",
        ),
    ),
    evm(
        "bnb",
        "BNB Smart Chain",
        56,
        BNB,
        ("WBNB", "0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c"),
        450 * MILLISECOND,  # since the Fermi hard fork, BEP-619
        15,  # final after two votes (BEP-126); 15 are enough also where the votes are missing
        "https://bscscan.com",
        (
            "https://bsc-dataseed.bnbchain.org",
            "https://bsc-rpc.publicnode.com",
            "https://bsc.drpc.org",
            "https://1rpc.io/bnb",
            "wss://bsc-rpc.publicnode.com",
        ),
    ),
    evm(
        "celo",
        "Celo",
        42220,
        CELO,
        None,  # the coin is a token itself, at an address of the list: there is nothing to wrap
        1 * SECOND,
        60,
        "https://celoscan.io",
        (
            "https://forno.celo.org",
            "https://celo-rpc.publicnode.com",
            "https://celo.drpc.org",
            "https://1rpc.io/celo",
        ),
    ),
)
