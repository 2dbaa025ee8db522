"""Structured data (EIP-712): by keystores, by a service elsewhere, and by one that signs otherwise.

Nothing is signed that the journal does not have.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest
from eth_account import Account

from chains.evm.network import EvmNetwork
from chains.evm.signing import signed_message
from chains.evm.typed_data import Domain, TypedData
from chains.wallets.kdf import LIGHT
from chains.wallets.remote import RemoteAddress, RemoteSigner
from chains.wallets.store import WalletStore
from core.clock import ManualClock, SystemClock
from core.errors import Reason, Refused
from core.ports import MessageSigner, SignatureLog
from core.swaps import ApprovalMethod
from tests.support.evm import ALICE, BOB, KEYS, KeySigner, MemoryLog, network_info
from tests.support.permits import ETHER, PERMIT_TOKEN, V3, permit_world
from tests.support.web3signer import Web3Signer, web3signer

TYPES = {"Mail": [("address", "to"), ("string", "text")]}


def mail(chain: int = 31337) -> TypedData:
    return TypedData(Domain(chain, ALICE, "Mailbox", "1"), "Mail", TYPES, {"to": BOB, "text": "x"})


async def store_over(directory: Path, service: Web3Signer) -> tuple[WalletStore, RemoteSigner]:
    remote = RemoteSigner(RemoteAddress("hsm", service.url, {}), 5.0)
    await remote.refresh()
    store = WalletStore(directory, ManualClock(), LIGHT)
    store.add_remote(remote)
    return store, remote


async def test_a_keystore_signs_as_eth_account_does(tmp_path: Path) -> None:
    store = WalletStore(tmp_path, ManualClock(), LIGHT)
    await store.initialize("passphrase")
    await store.import_key("desk", "evm", KEYS[0])
    assert isinstance(store, MessageSigner)
    theirs = Account.unsafe_sign_hash(mail().digest(), KEYS[0])
    assert await signed_message(store, ALICE, mail()) == (theirs.r, theirs.s, theirs.v - 27)
    # A transaction is no such message, and a message no transaction.
    for other in (b"\x02\xc0", b"", mail().preimage()[:-1], b"\x19\x00" + bytes(64)):
        with pytest.raises(Refused) as caught:
            await store.sign_typed_data(ALICE, other)
        assert caught.value.reason is Reason.FIELD_INVALID
    with pytest.raises(Refused) as caught:
        await store.sign_typed_data(BOB, mail().preimage())
    assert caught.value.reason is Reason.WALLET_NOT_FOUND
    store.lock()
    with pytest.raises(Refused) as caught:
        await store.sign_typed_data(ALICE, mail().preimage())
    assert caught.value.reason is Reason.WALLETS_LOCKED


async def test_a_service_elsewhere_signs_what_it_hashes(tmp_path: Path) -> None:
    async with web3signer(KEYS[0]) as service:
        store, remote = await store_over(tmp_path, service)
        theirs = Account.unsafe_sign_hash(mail().digest(), KEYS[0])
        assert await signed_message(store, ALICE, mail()) == (theirs.r, theirs.s, theirs.v - 27)
        assert service.asked == [mail().preimage()]
        await remote.close()


async def test_a_service_that_signs_otherwise_is_found_out(tmp_path: Path) -> None:
    async with web3signer(KEYS[0]) as service:
        store, remote = await store_over(tmp_path, service)
        service.prefix = b"\x19Ethereum Signed Message:\n66"
        with pytest.raises(Refused, match="use the exact approval") as caught:
            await signed_message(store, ALICE, mail())
        assert caught.value.reason is Reason.UNSUPPORTED_BY_VENUE
        service.status = 400  # one that wants to see a transaction
        with pytest.raises(Refused, match="use the exact approval") as caught:
            await signed_message(store, ALICE, mail())
        assert caught.value.reason is Reason.SIGNER_UNAVAILABLE
        await remote.close()


class FullLog(MemoryLog):
    """One whose disk is full."""

    async def signing(
        self, network: str, address: str, intent: str, message: str, details: Mapping[str, str]
    ) -> None:
        raise Refused(Reason.JOURNAL_UNAVAILABLE, "the disk is full")


async def test_what_cannot_be_journaled_or_is_of_another_chain_is_not_signed() -> None:
    signer, log = KeySigner(), FullLog()
    assert isinstance(log, SignatureLog)
    net = EvmNetwork(network_info(), ["http://127.0.0.1:9"], SystemClock(), signer, log)
    with pytest.raises(Refused) as caught:
        await net.sign_typed_data(ALICE, mail(), "i", "words", {})
    assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE
    with pytest.raises(Refused) as caught:
        await net.sign_typed_data(ALICE, mail(chain=1), "i", "words", {})
    assert caught.value.reason is Reason.FIELD_INVALID
    assert signer.signed == 0
    await net.stop()


@pytest.mark.evm
async def test_a_swap_with_a_permit_whose_key_is_elsewhere(tmp_path: Path) -> None:
    async with web3signer(KEYS[1]) as service:
        store, remote = await store_over(tmp_path, service)
        async with permit_world(signer=store) as world:
            tokens = world.token(PERMIT_TOKEN), world.token("USDC")
            permit = ApprovalMethod.EIP2612
            await world.swapped(world.venues[V3], tokens, ETHER, permit, "elsewhere")
            assert await world.permits_used() == 1
            assert service.asked[0][:2] == b"\x19\x01"
            assert len(service.asked) == 2
        await remote.close()
