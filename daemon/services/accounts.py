"""AccountService: what accounts hold, owe and pay."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from cambist.v1 import accounts_pb2 as pb
from core.accounts import Balance, MarginMode, PositionMode
from core.errors import CambistError, Reason, Refused
from core.ports import Account, Capability, Condition, Health, Leveraged, Moded, VenueKind
from daemon.accounts.roster import Roster
from daemon.codec import accounts as codec
from daemon.codec.scalars import decimal
from daemon.codec.venues import condition
from daemon.registry import Registry
from daemon.rpc.paging import decode_token, encode_token, page_size, paginate
from daemon.trading import Desk
from daemon.wallets import Wallets

Item = TypeVar("Item")


class AccountService:
    """Asks the accounts' venues. A venue that cannot be asked does not hide what the others say."""

    def __init__(self, registry: Registry, wallets: Wallets, desk: Desk, roster: Roster) -> None:
        self._registry = registry
        self._roster = roster
        self._wallets = wallets
        self._desk = desk

    async def list_accounts(self, request: pb.ListAccountsRequest) -> pb.ListAccountsResponse:
        """The accounts, by id."""
        ids = sorted({account for account, _ in self._registry.accounts})
        page, token = paginate(
            ids, lambda account: account, "accounts", request.page_size, request.page_token
        )
        return pb.ListAccountsResponse(
            accounts=[self._encode(account) for account in page], next_page_token=token
        )

    async def get_account(self, request: pb.GetAccountRequest) -> pb.GetAccountResponse:
        """One account."""
        self._registry.account_venues(request.account)
        return pb.GetAccountResponse(account=self._encode(request.account))

    async def add_account(self, request: pb.AddAccountRequest) -> pb.AddAccountResponse:
        """Takes the keys of an account; they do not come out again."""
        warnings = await self._roster.add(
            request.account, request.venue, request.credentials, request.paper
        )
        return pb.AddAccountResponse(account=self._encode(request.account), warnings=warnings)

    async def remove_account(self, request: pb.RemoveAccountRequest) -> pb.RemoveAccountResponse:
        """Forgets an account and its keys."""
        await self._roster.remove(request.account)
        return pb.RemoveAccountResponse()

    async def list_balances(self, request: pb.ListBalancesRequest) -> pb.ListBalancesResponse:
        """Balances at venues, and of wallets on their networks."""
        venue = request.venue
        networks = self._registry.networks
        asked: list[tuple[str, str, Callable[[], Awaitable[Sequence[Balance]]]]] = [
            (account.id, account.venue.info.id, account.balances)
            for account in self._accounts(request.account, "" if venue in networks else venue)
            if account.venue.info.kind is not VenueKind.POOL and venue not in networks
        ]
        asked += [
            (wallet, network, read)
            for wallet, network, read in self._wallets.readers(self._registry)
            if request.account in ("", wallet) and venue in ("", network)
        ]
        balances, unavailable = await _gather(asked)
        page, token = paginate(
            balances,
            lambda one: f"{one.account}/{one.venue}/{one.asset}/{one.token}",
            f"balances/{request.account}/{venue}",
            request.page_size,
            request.page_token,
        )
        return pb.ListBalancesResponse(
            balances=[codec.balance(one) for one in page],
            next_page_token=token,
            unavailable=unavailable,
        )

    async def list_positions(self, request: pb.ListPositionsRequest) -> pb.ListPositionsResponse:
        """Open perpetual positions."""
        asked = [
            (account.id, account.venue.info.id, account.positions)
            for account in self._accounts(request.account, request.venue)
            if account.venue.info.kind is VenueKind.PERPETUAL
        ]
        positions, unavailable = await _gather(asked)
        page, token = paginate(
            positions,
            lambda one: f"{one.account}/{one.venue}/{one.instrument}/{one.side.value}",
            f"positions/{request.account}/{request.venue}",
            request.page_size,
            request.page_token,
        )
        return pb.ListPositionsResponse(
            positions=[codec.position(one) for one in page],
            next_page_token=token,
            unavailable=unavailable,
        )

    async def get_fee_rates(self, request: pb.GetFeeRatesRequest) -> pb.GetFeeRatesResponse:
        """What trading costs."""
        account = self._registry.account(request.account, request.venue)
        instrument = self._registry.instrument(request.venue, request.instrument)
        return pb.GetFeeRatesResponse(
            fee_rates=codec.fee_rates(await account.fee_rates(instrument))
        )

    async def list_funding_payments(
        self, request: pb.ListFundingPaymentsRequest
    ) -> pb.ListFundingPaymentsResponse:
        """Paid and received, newest first, as far as the daemon has heard of it."""
        self._accounts(request.account, request.venue)
        scope = f"funding/{request.account}/{request.venue}/{request.instrument}"
        payments, position = await self._desk.list_funding_payments(
            account=request.account,
            venue=request.venue,
            instrument=request.instrument,
            size=page_size(request.page_size),
            before=decode_token(scope, request.page_token),
        )
        return pb.ListFundingPaymentsResponse(
            funding_payments=[codec.funding_payment(one) for one in payments],
            next_page_token=encode_token(scope, position) if position else "",
        )

    async def set_leverage(self, request: pb.SetLeverageRequest) -> pb.SetLeverageResponse:
        """Declares an instrument's leverage; declared again, it is no error."""
        account = self._registry.account(request.account, request.venue)
        instrument = self._registry.instrument(request.venue, request.instrument)
        if not isinstance(account, Leveraged):
            raise _nothing_to_set(request.venue, "leverage", Capability.LEVERAGE)
        await account.set_leverage(instrument, decimal(request.leverage, "leverage"))
        return pb.SetLeverageResponse()

    async def set_margin_mode(self, request: pb.SetMarginModeRequest) -> pb.SetMarginModeResponse:
        """Declares an instrument's margin mode; declared again, it is no error."""
        account = self._registry.account(request.account, request.venue)
        instrument = self._registry.instrument(request.venue, request.instrument)
        if not isinstance(account, Moded):
            raise _nothing_to_set(request.venue, "margin mode", Capability.MARGIN_MODE)
        await account.set_margin_mode(instrument, MarginMode(request.margin_mode))
        return pb.SetMarginModeResponse()

    async def set_position_mode(
        self, request: pb.SetPositionModeRequest
    ) -> pb.SetPositionModeResponse:
        """Declares the account's position mode; declared again, it is no error."""
        account = self._registry.account(request.account, request.venue)
        if not isinstance(account, Moded):
            raise _nothing_to_set(request.venue, "position mode", Capability.POSITION_MODE)
        await account.set_position_mode(PositionMode(request.position_mode))
        return pb.SetPositionModeResponse()

    def _accounts(self, account: str, venue: str) -> list[Account]:
        # A wallet is asked for by its name also where no pool venue makes an account of it: on
        # a chain without one, or when it is only watched.
        if account and not self._wallets.address(account):
            self._registry.account_venues(account)
        if venue:
            self._registry.venue(venue)
        return [
            one
            for (id_, where), one in self._registry.accounts.items()
            if account in ("", id_) and venue in ("", where)
        ]

    def _encode(self, account: str) -> pb.Account:
        parts = [one for (id_, _), one in self._registry.accounts.items() if id_ == account]
        return pb.Account(
            id=account,
            venues=sorted(one.venue.info.id for one in parts),
            paper=self._registry.is_paper(account),
            condition=condition(_worst(self._desk.condition(one) for one in parts)),
            address=self._wallets.address(account),
        )


def _nothing_to_set(venue: str, what: str, capability: Capability) -> Refused:
    return Refused(
        Reason.UNSUPPORTED_BY_VENUE,
        f"{venue} has no {what} to set",
        {"venue": venue, "capability": capability.value},
    )


def _worst(conditions: Iterable[Condition]) -> Condition:
    order = (Health.READY, Health.STARTING, Health.DEGRADED, Health.DOWN)
    return max(conditions, key=lambda condition: order.index(condition.health))


async def _gather(
    asked: Iterable[tuple[str, str, Callable[[], Awaitable[Sequence[Item]]]]],
) -> tuple[list[Item], list[pb.UnavailableAccount]]:
    """All at once; who could not answer is named with the reason."""
    questions = list(asked)

    async def ask(question: Callable[[], Awaitable[Sequence[Item]]]) -> Sequence[Item]:
        return await question()

    answers = await asyncio.gather(
        *(ask(question) for _, _, question in questions), return_exceptions=True
    )
    found: list[Item] = []
    unavailable: list[pb.UnavailableAccount] = []
    for (account, venue, _), answer in zip(questions, answers, strict=True):
        if isinstance(answer, CambistError):
            unavailable.append(
                pb.UnavailableAccount(
                    account=account, venue=venue, reason=answer.reason, message=answer.message
                )
            )
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found += answer
    return found, unavailable
