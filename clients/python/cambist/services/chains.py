"""Blockchains: networks, tokens, transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambist.convert import decode
from cambist.services._base import Service, fee_options, new_request_id
from cambist.types import FeeEstimate, FeeStrategy, Network, Token, Transaction
from cambist.v1 import chains_pb2 as v1
from cambist.v1.chains_pb2_grpc import ChainServiceStub

if TYPE_CHECKING:
    from cambist.convert import Amount
    from cambist.fees import FeeOptions
    from cambist.pages import Pages
    from cambist.rpc import Rpc


class Chains(Service):
    """Networks, their tokens and our transactions on them; the same for EVM and Solana."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = ChainServiceStub(rpc.channel)

    def list_networks(self, *, page_size: int = 0) -> Pages[Network]:
        """The networks, by id."""
        request = v1.ListNetworksRequest(page_size=page_size)
        return self._pages(self._stub.ListNetworks, request, "networks", Network)

    async def get_network(self, network: str, *, timeout: float | None = None) -> Network:
        """One network."""
        request = v1.GetNetworkRequest(network=network)
        response = await self._rpc.call(self._stub.GetNetwork, request, timeout)
        return decode(Network, response.network)

    def list_tokens(self, network: str, *, symbol: str = "", page_size: int = 0) -> Pages[Token]:
        """The tokens known on a network, by symbol."""
        request = v1.ListTokensRequest(network=network, symbol=symbol, page_size=page_size)
        return self._pages(self._stub.ListTokens, request, "tokens", Token)

    async def get_token(self, network: str, token: str, *, timeout: float | None = None) -> Token:
        """A token by its address, looked up on chain where it is unknown, or by a symbol that
        stands for one token only.
        """
        request = v1.GetTokenRequest(network=network, token=token)
        return decode(Token, (await self._rpc.call(self._stub.GetToken, request, timeout)).token)

    async def add_token(
        self,
        network: str,
        address: str,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Token:
        """Adds a token to the known ones, with what the chain says of it."""
        request = v1.AddTokenRequest(
            request_id=new_request_id(request_id), network=network, address=address
        )
        return decode(Token, (await self._rpc.call(self._stub.AddToken, request, timeout)).token)

    async def remove_token(
        self,
        network: str,
        address: str,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Removes a token that was added."""
        request = v1.RemoveTokenRequest(
            request_id=new_request_id(request_id), network=network, address=address
        )
        await self._rpc.call(self._stub.RemoveToken, request, timeout)

    async def get_transaction(
        self, network: str, hash: str, *, timeout: float | None = None
    ) -> Transaction:
        """A transaction, ours or anybody's."""
        request = v1.GetTransactionRequest(network=network, hash=hash)
        response = await self._rpc.call(self._stub.GetTransaction, request, timeout)
        return decode(Transaction, response.transaction)

    def list_transactions(
        self,
        *,
        network: str = "",
        address: str = "",
        pending_only: bool = False,
        page_size: int = 0,
    ) -> Pages[Transaction]:
        """Our transactions, newest first."""
        request = v1.ListTransactionsRequest(
            network=network, address=address, pending_only=pending_only, page_size=page_size
        )
        return self._pages(self._stub.ListTransactions, request, "transactions", Transaction)

    async def estimate_fees(
        self, network: str, *, timeout: float | None = None
    ) -> list[FeeEstimate]:
        """What a transaction would cost now, slow to fast."""
        request = v1.EstimateFeesRequest(network=network)
        response = await self._rpc.call(self._stub.EstimateFees, request, timeout)
        return [decode(FeeEstimate, estimate) for estimate in response.estimates]

    async def speed_up_transaction(
        self,
        network: str,
        hash: str,
        *,
        strategy: FeeStrategy | FeeOptions | None = None,
        max_fee: Amount | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Transaction:
        """Replaces a pending transaction by the same at a higher fee."""
        request = v1.SpeedUpTransactionRequest(
            request_id=new_request_id(request_id),
            network=network,
            hash=hash,
            fees=fee_options(strategy, max_fee),
        )
        response = await self._rpc.call(self._stub.SpeedUpTransaction, request, timeout)
        return decode(Transaction, response.transaction)

    async def cancel_transaction(
        self,
        network: str,
        hash: str,
        *,
        strategy: FeeStrategy | FeeOptions | None = None,
        max_fee: Amount | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Transaction:
        """Replaces a pending transaction by one that does nothing."""
        request = v1.CancelTransactionRequest(
            request_id=new_request_id(request_id),
            network=network,
            hash=hash,
            fees=fee_options(strategy, max_fee),
        )
        response = await self._rpc.call(self._stub.CancelTransaction, request, timeout)
        return decode(Transaction, response.transaction)
