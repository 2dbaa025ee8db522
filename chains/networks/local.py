"""The sandbox's own chains."""

from chains.networks.entry import ETHER, NetworkEntry, evm, solana
from core.clock import MILLISECOND

LOCAL: tuple[NetworkEntry, ...] = (
    evm(
        "ethereum_local",
        "Local Ethereum",
        31337,
        ETHER,
        None,  # deployed anew with every sandbox: chains.localnet tells
        250 * MILLISECOND,
        0,  # blocks come with transactions only, so nothing may wait for later blocks
        "",
        (),
        testnet=True,
    ),
    solana("solana_local", "Local Solana", "", (), testnet=True),
)
