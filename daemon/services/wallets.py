"""WalletService: keys in encrypted keystores, and what is done with them."""

from cambist.v1 import chains_pb2
from cambist.v1 import wallets_pb2 as pb
from chains.wallets.catalogue import WalletInfo
from chains.wallets.store import StoreState
from core.errors import Reason, Refused
from core.money import parse
from core.ports import Memoing, Network
from daemon.accounts.roster import Roster
from daemon.approvals import Approvals
from daemon.codec import accounts as accounts_codec
from daemon.codec import chains as codec
from daemon.codec.chains import family, family_name, fee_options, units_of
from daemon.registry import Registry
from daemon.risk import RiskDesk
from daemon.rpc.paging import paginate
from daemon.rpc.rules import required
from daemon.tokens import Tokens
from daemon.wallets import Wallets

_STATES = {
    StoreState.NON_EXISTING: pb.WALLET_STATE_NONE,
    StoreState.LOCKED: pb.WALLET_STATE_LOCKED,
    StoreState.UNLOCKED: pb.WALLET_STATE_UNLOCKED,
}


class WalletService:
    """Keys go in and never come out; what they sign goes through the networks."""

    def __init__(
        self,
        registry: Registry,
        wallets: Wallets,
        tokens: Tokens,
        risk: RiskDesk,
        roster: Roster,
        approvals: Approvals,
    ) -> None:
        self._registry = registry
        self._risk = risk
        self._roster = roster
        self._approvals = approvals
        self._wallets = wallets
        self._tokens = tokens

    async def list_wallets(self, request: pb.ListWalletsRequest) -> pb.ListWalletsResponse:
        """The wallets, by name, and whether they are unlocked."""
        page, token = paginate(
            list(self._wallets.store.list()),
            lambda wallet: wallet.name,
            "wallets",
            request.page_size,
            request.page_token,
        )
        return pb.ListWalletsResponse(
            wallets=[_encode(wallet) for wallet in page],
            state=_STATES[self._wallets.store.state],
            next_page_token=token,
        )

    async def create_wallet(self, request: pb.CreateWalletRequest) -> pb.CreateWalletResponse:
        """A wallet with a new key."""
        made = await self._wallets.store.create(request.name, family_name(request.family))
        await self._wallets.refresh(self._registry)
        return pb.CreateWalletResponse(wallet=_encode(made))

    async def import_wallet(self, request: pb.ImportWalletRequest) -> pb.ImportWalletResponse:
        """A wallet of an existing key, or of an address to watch."""
        store, name, kind = self._wallets.store, request.name, family_name(request.family)
        match request.WhichOneof("source"):
            case "private_key":
                made = await store.import_key(name, kind, request.private_key)
            case "mnemonic":
                made = await store.import_mnemonic(
                    name, kind, request.mnemonic.phrase, request.mnemonic.derivation_path
                )
            case "keystore":
                made = await store.import_keystore(
                    name, request.keystore.json, request.keystore.passphrase
                )
            case "watch_address":
                made = await store.watch(name, kind, request.watch_address)
            case _:
                raise required("source")
        await self._wallets.refresh(self._registry)
        return pb.ImportWalletResponse(wallet=_encode(made))

    async def remove_wallet(self, request: pb.RemoveWalletRequest) -> pb.RemoveWalletResponse:
        """Deletes a wallet and its key."""
        await self._wallets.store.remove(request.name)
        await self._wallets.refresh(self._registry)
        return pb.RemoveWalletResponse()

    async def set_default_wallet(
        self, request: pb.SetDefaultWalletRequest
    ) -> pb.SetDefaultWalletResponse:
        """The default of its family."""
        await self._wallets.store.set_default(request.name)
        return pb.SetDefaultWalletResponse()

    async def unlock_wallets(self, request: pb.UnlockWalletsRequest) -> pb.UnlockWalletsResponse:
        """Decrypts the keys; the first passphrase ever given becomes the store's."""
        await self._wallets.unlock(request.passphrase)
        await self._wallets.refresh(self._registry)
        await self._roster.unlock()
        return pb.UnlockWalletsResponse()

    async def lock_wallets(self, request: pb.LockWalletsRequest) -> pb.LockWalletsResponse:
        """Forgets the decrypted keys."""
        self._wallets.store.lock()
        await self._roster.lock()
        return pb.LockWalletsResponse()

    async def list_wallet_balances(
        self, request: pb.ListWalletBalancesRequest
    ) -> pb.ListWalletBalancesResponse:
        """The native coin first, then tokens, in one read of the chain."""
        network = self._registry.network(request.network)
        name, address = self._wallets.resolve(network, request.wallet)
        if request.tokens:
            tokens = [await self._tokens.find(network, text) for text in request.tokens]
        else:
            tokens = list(self._tokens.list(request.network))
        balances = await self._wallets.balances(network, name, address, tokens)
        held = [one for one in balances if one.total or request.include_zero or request.tokens]
        page, token = paginate(
            held,
            lambda one: f"{'~' if one.token else ' '}{one.asset}/{one.token}",
            f"wallet-balances/{request.network}/{request.wallet}/{','.join(request.tokens)}",
            request.page_size,
            request.page_token,
        )
        return pb.ListWalletBalancesResponse(
            balances=[accounts_codec.balance(one) for one in page], next_page_token=token
        )

    async def transfer(self, request: pb.TransferRequest) -> pb.TransferResponse:
        """Sends coins or tokens."""
        network = self._registry.network(request.network)
        self._admit(network, request.wallet)
        sender = self._wallets.signing_address(network, request.wallet)
        if request.token:
            token = await self._tokens.find(network, request.token)
        else:
            token = network.info.native
        units = units_of(request.amount, token, "amount")
        to, intent, fees = request.to, request.request_id, fee_options(request.fees)
        if not request.memo:
            sent = await network.transfer(sender, to, token, units, intent, fees)
        elif isinstance(network, Memoing):
            sent = await network.transfer_with_memo(
                sender, to, token, units, intent, fees, request.memo
            )
        else:
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                f"{request.network}: its transfers carry no memo; leave it out",
                {"venue": request.network, "capability": "memo"},
            )
        return pb.TransferResponse(transaction=codec.transaction(sent))

    async def wrap(self, request: pb.WrapRequest) -> pb.WrapResponse:
        """Native coins into their wrapped token."""
        network = self._registry.network(request.network)
        self._admit(network, request.wallet)
        sender = self._wallets.signing_address(network, request.wallet)
        units = units_of(request.amount, network.info.native, "amount")
        sent = await network.wrap(sender, units, request.request_id, fee_options(request.fees))
        return pb.WrapResponse(transaction=codec.transaction(sent))

    async def unwrap(self, request: pb.UnwrapRequest) -> pb.UnwrapResponse:
        """The wrapped token into native coins."""
        network = self._registry.network(request.network)
        self._admit(network, request.wallet)
        sender = self._wallets.signing_address(network, request.wallet)
        units = units_of(request.amount, network.info.native, "amount")
        sent = await network.unwrap(sender, units, request.request_id, fee_options(request.fees))
        return pb.UnwrapResponse(transaction=codec.transaction(sent))

    async def approve(self, request: pb.ApproveRequest) -> pb.ApproveResponse:
        """Allows a venue exactly an amount of a token; zero takes it back."""
        venue = self._registry.swap_venue(request.venue)
        network = self._registry.network(venue.info.network)
        owner = self._wallets.signing_address(network, request.wallet)
        token = await self._tokens.find(network, request.token)
        units = 0 if not parse(request.amount) else units_of(request.amount, token, "amount")
        if units:
            self._admit(network, request.wallet, request.venue)
        sent = await venue.approve(
            *(owner, token, units, request.request_id, fee_options(request.fees)),
            spender=request.spender,
        )
        return pb.ApproveResponse(transaction=codec.transaction(sent))

    async def list_approvals(self, request: pb.ListApprovalsRequest) -> pb.ListApprovalsResponse:
        """Above zero: known tokens and those that were approved from here, to the contracts of the
        network's venues and to those that were approved from here."""
        network = self._registry.network(request.network)
        _, owner = self._wallets.resolve(network, request.wallet)
        found = await self._approvals.of(network, owner)
        page, token = paginate(
            found,
            lambda one: (
                f"{one.venue}/{one.amount.token.symbol}/{one.amount.token.address}/{one.spender}"
            ),
            f"approvals/{request.network}/{request.wallet}",
            request.page_size,
            request.page_token,
        )
        return pb.ListApprovalsResponse(allowances=page, next_page_token=token)

    def _admit(self, network: Network, wallet: str, venue: str = "") -> None:
        """Raises HALTED or PERMISSION_DENIED."""
        name, _ = self._wallets.resolve(network, wallet)
        self._risk.admit_transaction(name, venue)


def _encode(wallet: WalletInfo) -> pb.Wallet:
    unknown = chains_pb2.CHAIN_FAMILY_UNSPECIFIED  # the wallet's file is damaged
    return pb.Wallet(
        name=wallet.name,
        family=family(wallet.family) if wallet.family else unknown,
        address=wallet.address,
        watch_only=wallet.watch_only,
        is_default=wallet.is_default,
        signer=wallet.signer,
    )
