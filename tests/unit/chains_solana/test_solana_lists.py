"""The bundled tokens of Solana, and where an explorer shows a transaction."""

import pytest

from chains.networks import NETWORKS
from chains.solana import base58
from chains.tokens import TokenRegistry, bundled
from core.transactions import Transaction, TransactionStatus
from daemon.codec import chains as codec


@pytest.mark.parametrize("network", ["solana", "solana_devnet"])
def test_listed_tokens_are_mints_with_names_of_their_own(network: str) -> None:
    tokens = bundled(network)
    assert tokens
    assert all(len(base58.decode(token.address)) == 32 for token in tokens)
    assert all(0 <= token.decimals <= 9 and token.name for token in tokens)
    assert len({token.address for token in tokens}) == len(tokens)
    registry = TokenRegistry(NETWORKS[network].info)
    for token in tokens:
        assert registry.find(token.symbol) == token
        assert registry.find(token.address) == token
    # Another spelling is another address: base58 has case.
    assert registry.by_address(tokens[0].address.lower()) is None


@pytest.mark.parametrize(
    ("network", "url"),
    [
        ("solana", "https://explorer.solana.com/tx/abc"),
        ("solana_devnet", "https://explorer.solana.com/tx/abc?cluster=devnet"),
        ("ethereum", "https://etherscan.io/tx/abc"),
    ],
)
def test_an_explorer_shows_a_transaction_of_its_cluster(network: str, url: str) -> None:
    infos = {id: entry.info for id, entry in NETWORKS.items()}
    sent = Transaction(network, "a", "i", "transfer", "abc", b"", TransactionStatus.SEEN)
    assert codec.transaction(sent, infos).explorer_url == url
