"""Accounts: credentials on a venue, or a wallet on a pool venue."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cambist.convert import decode, text
from cambist.pages import Pages
from cambist.services._base import Service, new_request_id
from cambist.types import (
    Account,
    Balance,
    FeeRates,
    FundingPayment,
    MarginMode,
    Position,
    PositionMode,
    UnavailableAccount,
)
from cambist.v1 import accounts_pb2 as v1
from cambist.v1.accounts_pb2_grpc import AccountServiceStub

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cambist.convert import Amount
    from cambist.pages import Fetch
    from cambist.rpc import Rpc

T = TypeVar("T")


class Holdings(Pages[T]):
    """Balances or positions. After they were read, `unavailable` names the accounts that could not
    be asked: what these have is missing from the list.
    """

    def __init__(self, fetch: Fetch[T], unavailable: list[UnavailableAccount]) -> None:
        super().__init__(fetch)
        self.unavailable = unavailable


class Accounts(Service):
    """What accounts hold, owe and pay."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = AccountServiceStub(rpc.channel)

    def list_accounts(self, *, page_size: int = 0) -> Pages[Account]:
        """The accounts, by id."""
        request = v1.ListAccountsRequest(page_size=page_size)
        return self._pages(self._stub.ListAccounts, request, "accounts", Account)

    async def get_account(self, account: str, *, timeout: float | None = None) -> Account:
        """One account."""
        request = v1.GetAccountRequest(account=account)
        response = await self._rpc.call(self._stub.GetAccount, request, timeout)
        return decode(Account, response.account)

    async def add_account(
        self,
        account: str,
        venue: str,
        credentials: Mapping[str, str] | None = None,
        *,
        paper: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> tuple[Account, list[str]]:
        """Adds an account; gives it with what its owner should know, such as a key that may
        withdraw.

        `credentials` by the venue's names ("api_key", "secret", "passphrase"): they never come
        out again. `paper` fills orders against the live book with pretended money.
        """
        request = v1.AddAccountRequest(
            request_id=new_request_id(request_id),
            account=account,
            venue=venue,
            credentials=credentials or {},
            paper=paper,
        )
        response = await self._rpc.call(self._stub.AddAccount, request, timeout)
        return decode(Account, response.account), list(response.warnings)

    async def remove_account(
        self, account: str, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Forgets an account and its credentials."""
        request = v1.RemoveAccountRequest(request_id=new_request_id(request_id), account=account)
        await self._rpc.call(self._stub.RemoveAccount, request, timeout)

    def list_balances(
        self, *, account: str = "", venue: str = "", page_size: int = 0
    ) -> Holdings[Balance]:
        """What accounts hold, by account, venue (a wallet's network) and asset."""
        unavailable: list[UnavailableAccount] = []

        async def fetch(token: str) -> tuple[list[Balance], str]:
            request = v1.ListBalancesRequest(
                account=account, venue=venue, page_size=page_size, page_token=token
            )
            response = await self._rpc.call(self._stub.ListBalances, request)
            if not token:
                unavailable[:] = [decode(UnavailableAccount, one) for one in response.unavailable]
            return [decode(Balance, one) for one in response.balances], response.next_page_token

        return Holdings(fetch, unavailable)

    def list_positions(
        self, *, account: str = "", venue: str = "", page_size: int = 0
    ) -> Holdings[Position]:
        """Open perpetual positions."""
        unavailable: list[UnavailableAccount] = []

        async def fetch(token: str) -> tuple[list[Position], str]:
            request = v1.ListPositionsRequest(
                account=account, venue=venue, page_size=page_size, page_token=token
            )
            response = await self._rpc.call(self._stub.ListPositions, request)
            if not token:
                unavailable[:] = [decode(UnavailableAccount, one) for one in response.unavailable]
            return [decode(Position, one) for one in response.positions], response.next_page_token

        return Holdings(fetch, unavailable)

    async def get_fee_rates(
        self, venue: str, instrument: str, *, account: str, timeout: float | None = None
    ) -> FeeRates:
        """What trading an instrument costs."""
        request = v1.GetFeeRatesRequest(account=account, venue=venue, instrument=instrument)
        response = await self._rpc.call(self._stub.GetFeeRates, request, timeout)
        return decode(FeeRates, response.fee_rates)

    def list_funding_payments(
        self, *, account: str = "", venue: str = "", instrument: str = "", page_size: int = 0
    ) -> Pages[FundingPayment]:
        """Funding paid and received, newest first."""
        request = v1.ListFundingPaymentsRequest(
            account=account, venue=venue, instrument=instrument, page_size=page_size
        )
        return self._pages(
            self._stub.ListFundingPayments, request, "funding_payments", FundingPayment
        )

    async def set_leverage(
        self,
        venue: str,
        instrument: str,
        leverage: Amount,
        *,
        account: str,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Declares an instrument's leverage."""
        request = v1.SetLeverageRequest(
            request_id=new_request_id(request_id),
            account=account,
            venue=venue,
            instrument=instrument,
            leverage=text(leverage),
        )
        await self._rpc.call(self._stub.SetLeverage, request, timeout)

    async def set_margin_mode(
        self,
        venue: str,
        instrument: str,
        margin_mode: MarginMode,
        *,
        account: str,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Declares an instrument's margin mode."""
        request = v1.SetMarginModeRequest(
            request_id=new_request_id(request_id),
            account=account,
            venue=venue,
            instrument=instrument,
            margin_mode=v1.MarginMode.ValueType(margin_mode.value),
        )
        await self._rpc.call(self._stub.SetMarginMode, request, timeout)

    async def set_position_mode(
        self,
        venue: str,
        position_mode: PositionMode,
        *,
        account: str,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Declares an account's position mode."""
        request = v1.SetPositionModeRequest(
            request_id=new_request_id(request_id),
            account=account,
            venue=venue,
            position_mode=v1.PositionMode.ValueType(position_mode.value),
        )
        await self._rpc.call(self._stub.SetPositionMode, request, timeout)
