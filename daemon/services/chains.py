"""ChainService: networks, tokens, transactions."""

from cambist.v1 import chains_pb2 as pb
from core.errors import Reason, Refused
from core.ports import Network, Priced, Replaceable
from core.transactions import Transaction
from daemon.codec import chains as codec
from daemon.journal import Journal
from daemon.registry import Registry
from daemon.risk import RiskDesk
from daemon.rpc.paging import decode_token, encode_token, page_size, paginate
from daemon.tokens import Tokens
from daemon.wallets import Wallets


class ChainService:
    """Reads networks; our transactions come from the journal."""

    def __init__(
        self,
        registry: Registry,
        tokens: Tokens,
        journal: Journal,
        wallets: Wallets,
        risk: RiskDesk,
    ) -> None:
        self._registry = registry
        self._tokens = tokens
        self._journal = journal
        self._wallets = wallets
        self._risk = risk

    async def list_networks(self, request: pb.ListNetworksRequest) -> pb.ListNetworksResponse:
        """The networks, by id."""
        page, token = paginate(
            list(self._registry.networks.values()),
            lambda network: network.info.id,
            "networks",
            request.page_size,
            request.page_token,
        )
        return pb.ListNetworksResponse(
            networks=[codec.network(network) for network in page], next_page_token=token
        )

    async def get_network(self, request: pb.GetNetworkRequest) -> pb.GetNetworkResponse:
        """One network."""
        return pb.GetNetworkResponse(network=codec.network(self._registry.network(request.network)))

    async def list_tokens(self, request: pb.ListTokensRequest) -> pb.ListTokensResponse:
        """Known tokens, by symbol."""
        self._registry.network(request.network)
        found = [
            token
            for token in self._tokens.list(request.network)
            if request.symbol in ("", token.symbol)
        ]
        page, next_token = paginate(
            found,
            lambda token: f"{'~' if token.address else ' '}{token.symbol}/{token.address}",
            f"tokens/{request.network}/{request.symbol}",
            request.page_size,
            request.page_token,
        )
        return pb.ListTokensResponse(
            tokens=[codec.token(token) for token in page], next_page_token=next_token
        )

    async def get_token(self, request: pb.GetTokenRequest) -> pb.GetTokenResponse:
        """By address, also one that is not known yet; or by symbol."""
        network = self._registry.network(request.network)
        return pb.GetTokenResponse(
            token=codec.token(await self._tokens.find(network, request.token))
        )

    async def add_token(self, request: pb.AddTokenRequest) -> pb.AddTokenResponse:
        """Remembers what the chain says of a token."""
        network = self._registry.network(request.network)
        return pb.AddTokenResponse(
            token=codec.token(await self._tokens.add(network, request.address))
        )

    async def remove_token(self, request: pb.RemoveTokenRequest) -> pb.RemoveTokenResponse:
        """Forgets a token that was added."""
        self._tokens.remove(self._registry.network(request.network), request.address)
        return pb.RemoveTokenResponse()

    async def get_transaction(self, request: pb.GetTransactionRequest) -> pb.GetTransactionResponse:
        """Ours or anybody's."""
        network = self._registry.network(request.network)
        # What is final here needs no node, and only the journal knows what it was for.
        found = await self._journal.transactions.find(request.network, _hash(network, request.hash))
        if found is None or not found.is_final:
            found = await network.transaction(request.hash)
        return pb.GetTransactionResponse(transaction=self._encode(found))

    async def list_transactions(
        self, request: pb.ListTransactionsRequest
    ) -> pb.ListTransactionsResponse:
        """Ours, newest first."""
        if request.network:
            self._registry.network(request.network)
        scope = f"transactions/{request.network}/{request.address}/{request.pending_only}"
        size = page_size(request.page_size)
        before = decode_token(scope, request.page_token)
        found, position = await self._journal.transactions.list(
            network=request.network,
            address=request.address,
            pending_only=request.pending_only,
            size=size,
            before=before,
        )
        return pb.ListTransactionsResponse(
            transactions=[self._encode(one) for one in found],
            next_page_token=encode_token(scope, position) if position else "",
        )

    async def estimate_fees(self, request: pb.EstimateFeesRequest) -> pb.EstimateFeesResponse:
        """Slow, normal and fast, as the latest blocks were."""
        network = self._registry.network(request.network)
        if not isinstance(network, Priced):
            raise _unsupported(network, "fees", "it does not tell what transactions cost")
        return pb.EstimateFeesResponse(
            estimates=[codec.fee_estimate(one) for one in await network.estimate_fees()]
        )

    async def speed_up_transaction(
        self, request: pb.SpeedUpTransactionRequest
    ) -> pb.SpeedUpTransactionResponse:
        """The same once more at a higher price. What may not be sent may not be hurried."""
        network = self._replaceable(request.network)
        hash = _hash(self._registry.network(request.network), request.hash)
        known = await self._journal.transactions.get(request.network, hash)
        account = self._wallets.name_of(known.network, known.address)
        self._risk.admit_transaction(account, known.details.get("venue", ""))
        fees = codec.fee_options(request.fees, usual="fast")
        made = await network.speed_up(request.hash, request.request_id, fees)
        return pb.SpeedUpTransactionResponse(transaction=self._encode(made))

    async def cancel_transaction(
        self, request: pb.CancelTransactionRequest
    ) -> pb.CancelTransactionResponse:
        """Nothing in its place; also while trading is halted."""
        network = self._replaceable(request.network)
        fees = codec.fee_options(request.fees, usual="fast")
        made = await network.cancel(request.hash, request.request_id, fees)
        return pb.CancelTransactionResponse(transaction=self._encode(made))

    def _replaceable(self, id_: str) -> Replaceable:
        network = self._registry.network(id_)
        if not isinstance(network, Replaceable):
            raise _unsupported(network, "replace", "its transactions cannot be replaced")
        return network

    def _encode(self, transaction: Transaction) -> pb.Transaction:
        return codec.transaction(transaction, self._journal.transactions.infos)


def _hash(network: Network, text: str) -> str:
    """As the journal has it: hex has no case, base58 has."""
    return text.lower() if network.info.family == "evm" else text


def _unsupported(network: Network, capability: str, why: str) -> Refused:
    return Refused(
        Reason.UNSUPPORTED_BY_VENUE,
        f"{network.info.id}: {why}",
        {"venue": network.info.id, "capability": capability},
    )
