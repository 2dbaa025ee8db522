"""Solana clusters: https://solana.com/docs/references/clusters"""

from chains.networks.entry import NetworkEntry, solana

SOLANA: tuple[NetworkEntry, ...] = (
    solana(
        "solana",
        "Solana",
        "https://explorer.solana.com",
        (
            "https://api.mainnet-beta.solana.com",
            "https://solana-rpc.publicnode.com",
            "wss://api.mainnet-beta.solana.com",
            "wss://solana-rpc.publicnode.com",
        ),
    ),
    solana(
        "solana_devnet",
        "Solana Devnet",
        "https://explorer.solana.com/?cluster=devnet",
        ("https://api.devnet.solana.com", "wss://api.devnet.solana.com"),
        testnet=True,
    ),
)
