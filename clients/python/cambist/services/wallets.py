"""Wallets: keys in encrypted keystores, and what is done with them. Keys never come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cambist.convert import decode, text
from cambist.services._base import Service, fee_options, new_request_id
from cambist.types import (
    Allowance,
    Balance,
    ChainFamily,
    FeeStrategy,
    Transaction,
    Wallet,
    WalletState,
)
from cambist.v1 import chains_pb2
from cambist.v1 import wallets_pb2 as v1
from cambist.v1.wallets_pb2_grpc import WalletServiceStub

if TYPE_CHECKING:
    from cambist.convert import Amount
    from cambist.fees import FeeOptions
    from cambist.pages import Pages
    from cambist.rpc import Rpc


class Wallets(Service):
    """Wallets and what they send."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = WalletServiceStub(rpc.channel)

    def list_wallets(self, *, page_size: int = 0) -> Pages[Wallet]:
        """The wallets, by name."""
        request = v1.ListWalletsRequest(page_size=page_size)
        return self._pages(self._stub.ListWallets, request, "wallets", Wallet)

    async def get_state(self, *, timeout: float | None = None) -> WalletState:
        """Whether keys are decrypted."""
        request = v1.ListWalletsRequest(page_size=1)
        response = await self._rpc.call(self._stub.ListWallets, request, timeout)
        return WalletState(response.state)

    async def create_wallet(
        self,
        name: str,
        family: ChainFamily,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Wallet:
        """Makes a wallet with a new key."""
        request = v1.CreateWalletRequest(
            request_id=new_request_id(request_id), name=name, family=_family(family)
        )
        response = await self._rpc.call(self._stub.CreateWallet, request, timeout)
        return decode(Wallet, response.wallet)

    async def import_wallet(
        self,
        name: str,
        family: ChainFamily,
        *,
        private_key: str | None = None,
        mnemonic: str | None = None,
        derivation_path: str = "",
        keystore: str | None = None,
        keystore_passphrase: str = "",
        watch_address: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Wallet:
        """Makes a wallet of exactly one source: a private key, the words of BIP-39 (with a
        derivation path), a keystore's JSON (with its passphrase), or an address to watch.
        """
        sources = (private_key, mnemonic, keystore, watch_address)
        if sum(source is not None for source in sources) != 1:
            raise ValueError("give one of private_key, mnemonic, keystore, watch_address")
        request = v1.ImportWalletRequest(
            request_id=new_request_id(request_id), name=name, family=_family(family)
        )
        if private_key is not None:
            request.private_key = private_key
        elif mnemonic is not None:
            request.mnemonic.phrase = mnemonic
            request.mnemonic.derivation_path = derivation_path
        elif keystore is not None:
            request.keystore.json = keystore
            request.keystore.passphrase = keystore_passphrase
        elif watch_address is not None:
            request.watch_address = watch_address
        response = await self._rpc.call(self._stub.ImportWallet, request, timeout)
        return decode(Wallet, response.wallet)

    async def remove_wallet(
        self, name: str, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Deletes a wallet and its key."""
        request = v1.RemoveWalletRequest(request_id=new_request_id(request_id), name=name)
        await self._rpc.call(self._stub.RemoveWallet, request, timeout)

    async def set_default_wallet(
        self, name: str, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Makes a wallet the default of its family."""
        request = v1.SetDefaultWalletRequest(request_id=new_request_id(request_id), name=name)
        await self._rpc.call(self._stub.SetDefaultWallet, request, timeout)

    async def unlock_wallets(self, passphrase: str, *, timeout: float | None = None) -> None:
        """Decrypts the keys until the daemon stops. The first passphrase ever given sets it."""
        request = v1.UnlockWalletsRequest(passphrase=passphrase)
        await self._rpc.call(self._stub.UnlockWallets, request, timeout)

    async def lock_wallets(self, *, timeout: float | None = None) -> None:
        """Forgets the decrypted keys."""
        await self._rpc.call(self._stub.LockWallets, v1.LockWalletsRequest(), timeout)

    def list_wallet_balances(
        self,
        network: str,
        wallet: str,
        *,
        tokens: Sequence[str] = (),
        include_zero: bool = False,
        page_size: int = 0,
    ) -> Pages[Balance]:
        """The native coin and tokens of a wallet or of any address, in one read of the chain.

        `tokens` by address or symbol; all that are known on the network when empty.
        """
        request = v1.ListWalletBalancesRequest(
            network=network,
            wallet=wallet,
            tokens=tokens,
            include_zero=include_zero,
            page_size=page_size,
        )
        return self._pages(self._stub.ListWalletBalances, request, "balances", Balance)

    async def transfer(
        self,
        network: str,
        to: str,
        amount: Amount,
        *,
        wallet: str,
        token: str = "",
        strategy: FeeStrategy | FeeOptions | None = None,
        max_fee: Amount | None = None,
        memo: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Transaction:
        """Sends coins, or a token by address or symbol. The transaction is not final yet. `memo`
        is a note in it that everybody can read; on Solana only."""
        request = v1.TransferRequest(
            request_id=new_request_id(request_id),
            network=network,
            wallet=wallet,
            to=to,
            token=token,
            amount=text(amount),
            fees=fee_options(strategy, max_fee),
            memo=memo,
        )
        response = await self._rpc.call(self._stub.Transfer, request, timeout)
        return decode(Transaction, response.transaction)

    async def wrap(
        self,
        network: str,
        amount: Amount,
        *,
        wallet: str,
        strategy: FeeStrategy | FeeOptions | None = None,
        max_fee: Amount | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Transaction:
        """Turns native coins into their wrapped token."""
        request = v1.WrapRequest(
            request_id=new_request_id(request_id),
            network=network,
            wallet=wallet,
            amount=text(amount),
            fees=fee_options(strategy, max_fee),
        )
        response = await self._rpc.call(self._stub.Wrap, request, timeout)
        return decode(Transaction, response.transaction)

    async def unwrap(
        self,
        network: str,
        amount: Amount,
        *,
        wallet: str,
        strategy: FeeStrategy | FeeOptions | None = None,
        max_fee: Amount | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Transaction:
        """Turns the wrapped token into native coins."""
        request = v1.UnwrapRequest(
            request_id=new_request_id(request_id),
            network=network,
            wallet=wallet,
            amount=text(amount),
            fees=fee_options(strategy, max_fee),
        )
        response = await self._rpc.call(self._stub.Unwrap, request, timeout)
        return decode(Transaction, response.transaction)

    async def approve(
        self,
        venue: str,
        token: str,
        amount: Amount,
        *,
        wallet: str,
        spender: str = "",
        strategy: FeeStrategy | FeeOptions | None = None,
        max_fee: Amount | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Transaction:
        """Allows a pool venue to take an amount of a token; zero takes the allowance back.
        `spender` is which of its contracts, its router when left out."""
        request = v1.ApproveRequest(
            request_id=new_request_id(request_id),
            venue=venue,
            wallet=wallet,
            token=token,
            amount=text(amount),
            fees=fee_options(strategy, max_fee),
            spender=spender,
        )
        response = await self._rpc.call(self._stub.Approve, request, timeout)
        return decode(Transaction, response.transaction)

    def list_approvals(self, network: str, *, wallet: str, page_size: int = 0) -> Pages[Allowance]:
        """What venues may take of a wallet's tokens; only what is above zero."""
        request = v1.ListApprovalsRequest(network=network, wallet=wallet, page_size=page_size)
        return self._pages(self._stub.ListApprovals, request, "allowances", Allowance)


def _family(family: ChainFamily) -> chains_pb2.ChainFamily.ValueType:
    return chains_pb2.ChainFamily.ValueType(family.value)
