"""Wallets whose keys are elsewhere: web3signer's eth1 API, spoken over a real connection, and its
transactions on a real node."""

from pathlib import Path

import pytest
from eth_account import Account

from chains.evm.network import EvmNetwork
from chains.wallets.kdf import LIGHT
from chains.wallets.remote import RemoteAddress, RemoteSigner
from chains.wallets.store import WalletStore
from core.clock import ManualClock, SystemClock
from core.errors import Reason, Refused
from core.ports import FeeOptions, TransactionSigner
from tests.support.evm import ALICE, BOB, CAROL, KEYS, MemoryLog, anvil, network_info
from tests.support.web3signer import Web3Signer, web3signer

FEES = FeeOptions()


def store_with(directory: Path, *remotes: RemoteSigner) -> WalletStore:
    store = WalletStore(directory, ManualClock(), LIGHT)
    for remote in remotes:
        store.add_remote(remote)
    return store


def remote_of(service: Web3Signer, timeout: float = 5.0, **wallets: str) -> RemoteSigner:
    return RemoteSigner(RemoteAddress("hsm", service.url, wallets), timeout)


@pytest.mark.evm
@pytest.mark.parametrize("hardfork", ["prague", "berlin"])
async def test_a_transfer_is_signed_elsewhere_and_lands(tmp_path: Path, hardfork: str) -> None:
    """Of both kinds of transactions; what the service gets is the transaction itself."""
    log = MemoryLog()
    async with web3signer(KEYS[0]) as service, anvil("--hardfork", hardfork) as node:
        remote = remote_of(service, desk=ALICE)
        store = store_with(tmp_path, remote)
        assert isinstance(store, TransactionSigner)
        await remote.refresh()
        net = EvmNetwork(network_info(), [node.url], SystemClock(), store, log, poll=0.02)
        await net.start()
        try:
            sent = await net.transfer(ALICE, BOB, net.info.native, 7, "i", FEES)
            assert (await net.wait_included(sent.hash, 10)).succeeded
        finally:
            await net.stop()
            await remote.close()
        assert Account.recover_transaction(sent.raw) == ALICE
        assert len(service.asked) == 1
        assert (service.asked[0][0] == 2) is (hardfork == "prague")


async def test_its_keys_are_wallets_that_need_no_unlocking(tmp_path: Path) -> None:
    async with web3signer(KEYS[0], KEYS[1]) as service:
        remote = remote_of(service, desk=ALICE)
        store = store_with(tmp_path, remote)
        (named,) = store.list()  # before the service was asked
        assert (named.name, named.address, named.signer) == ("desk", ALICE, "hsm")
        assert named.problem
        assert store.addresses("evm") == []
        assert await remote.refresh()
        assert not await remote.refresh()
        wallets = {wallet.name: wallet for wallet in store.list()}
        assert set(wallets) == {"desk", f"hsm-{BOB[2:10].lower()}"}
        assert not any(wallet.problem or wallet.watch_only for wallet in wallets.values())
        assert set(store.addresses("evm")) == {ALICE, BOB}
        assert store.addresses("solana") == []
        service.add(KEYS[2])
        assert await remote.refresh()
        assert CAROL in store.addresses("evm")
        await remote.close()


async def test_a_key_of_the_store_is_the_stores(tmp_path: Path) -> None:
    async with web3signer(KEYS[0], KEYS[1]) as service:
        remote = remote_of(service, desk=ALICE, other=BOB)
        store = store_with(tmp_path, remote)
        await remote.refresh()
        await store.initialize("passphrase")
        with pytest.raises(Refused) as caught:
            await store.import_key("desk", "evm", KEYS[2])  # its name is taken
        assert caught.value.reason is Reason.WALLET_EXISTS
        with pytest.raises(Refused) as caught:
            await store.remove("desk")
        assert caught.value.reason is Reason.FIELD_INVALID
        with pytest.raises(Refused) as caught:
            await store.sign("evm", ALICE, bytes(32))  # it does not sign what it cannot see
        assert caught.value.reason is Reason.UNSUPPORTED_BY_VENUE
        await store.create("own", "evm")
        own = store.get("own").address
        payload = b"\x02\xc0"
        assert len(await store.sign_transaction("evm", own, payload)) == 65
        assert service.asked == []
        await store.sign_transaction("evm", ALICE, payload)
        assert service.asked == [payload]
        store.lock()
        await store.sign_transaction("evm", ALICE, payload)
        with pytest.raises(Refused) as caught:
            await store.sign_transaction("evm", own, payload)
        assert caught.value.reason is Reason.WALLETS_LOCKED
        await store.unlock("passphrase")
        await store.set_default("desk")
        assert store.default("evm") is not None
        await remote.close()


@pytest.mark.parametrize(
    "body", ["", "no", "0x12", "null", "[1]", "0x" + "zz" * 65, "x" * 2_000_000]
)
async def test_an_answer_that_is_no_signature_signs_nothing(tmp_path: Path, body: str) -> None:
    async with web3signer(KEYS[0]) as service:
        remote = remote_of(service)
        await remote.refresh()
        service.body = body
        with pytest.raises(Refused) as caught:
            await remote.sign_transaction(ALICE, b"\x02\xc0")
        assert caught.value.reason is Reason.SIGNER_UNAVAILABLE
        await remote.close()


@pytest.mark.evm
async def test_a_signature_by_another_key_never_leaves(tmp_path: Path) -> None:
    log = MemoryLog()
    async with web3signer(KEYS[0], KEYS[1]) as service, anvil() as node:
        remote = remote_of(service)
        await remote.refresh()
        first, second = list(service.keys)
        service.keys[first], service.keys[second] = service.keys[second], service.keys[first]
        store = store_with(tmp_path, remote)
        net = EvmNetwork(network_info(), [node.url], SystemClock(), store, log, poll=0.02)
        await net.start()
        try:
            with pytest.raises(Refused) as caught:
                await net.transfer(ALICE, BOB, net.info.native, 7, "i", FEES)
            assert caught.value.reason is Reason.INTERNAL
            assert log.rows == {}
            service.status = 500  # and a service that fails leaves the nonce free
            with pytest.raises(Refused) as caught:
                await net.transfer(ALICE, BOB, net.info.native, 7, "i", FEES)
            assert caught.value.reason is Reason.SIGNER_UNAVAILABLE
            assert log.rows == {}
            service.status = 200
            service.keys[first], service.keys[second] = service.keys[second], service.keys[first]
            sent = await net.transfer(ALICE, BOB, net.info.native, 7, "i", FEES)
            assert sent.nonce == 0
            assert (await net.wait_included(sent.hash, 10)).succeeded
        finally:
            await net.stop()
            await remote.close()


async def test_a_service_that_is_away_or_talks_nonsense_says_so() -> None:
    gone = RemoteSigner(
        RemoteAddress("hsm", "http://user:secret@127.0.0.1:9", {"desk": ALICE}), 1.0
    )
    with pytest.raises(Refused) as caught:
        await gone.refresh()
    assert caught.value.reason is Reason.SIGNER_UNAVAILABLE
    assert "secret" not in caught.value.message
    assert gone.wallets()[0].problem == caught.value.message
    with pytest.raises(Refused) as caught:
        await gone.sign_transaction(ALICE, b"\x02")
    assert caught.value.reason is Reason.WALLET_NOT_FOUND
    await gone.close()
    async with web3signer(KEYS[0]) as service:
        remote = remote_of(service)
        service.status = 503
        with pytest.raises(Refused):
            await remote.refresh()
        service.status = 200
        service.keys["0x12"] = service.keys[next(iter(service.keys))]
        with pytest.raises(Refused):
            await remote.refresh()
        assert remote.addresses() == []
        await remote.close()


@pytest.mark.parametrize("name", ["", "HSM", "a" * 21, "a b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        RemoteSigner(RemoteAddress(name, "http://127.0.0.1:9000"))


def test_an_address_with_a_typing_error_is_refused() -> None:
    with pytest.raises(ValueError):
        RemoteSigner(RemoteAddress("hsm", "http://127.0.0.1:9000", {"desk": ALICE.swapcase()}))
