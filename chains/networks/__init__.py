"""Every network as one entry of a table; adding an EVM network is adding an entry."""

from collections.abc import Mapping

from chains.networks.entry import NetworkEntry
from chains.networks.evm import EVM
from chains.networks.evm_tests import EVM_TESTS
from chains.networks.local import LOCAL
from chains.networks.solana import SOLANA

NETWORKS: Mapping[str, NetworkEntry] = {
    entry.info.id: entry for entry in (*EVM, *EVM_TESTS, *SOLANA, *LOCAL)
}

__all__ = ["NETWORKS", "NetworkEntry"]
