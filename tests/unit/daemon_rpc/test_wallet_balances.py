"""A wallet is asked for by its name, also where no pool venue makes an account of it."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import cast

import pytest

from cambist.v1 import accounts_pb2 as pb
from core.accounts import Balance
from core.errors import Reason, Refused
from daemon.accounts.roster import Roster
from daemon.registry import Registry
from daemon.services.accounts import AccountService
from daemon.trading import Desk
from daemon.wallets import Wallets


class OneWallet:
    """As daemon.wallets.Wallets: a wallet on a chain that has no pool venue."""

    def address(self, name: str) -> str:
        return "6dr5pik59sMj" if name == "phantom" else ""

    def readers(
        self, registry: Registry
    ) -> list[tuple[str, str, Callable[[], Awaitable[list[Balance]]]]]:
        async def read() -> list[Balance]:
            return [Balance("phantom", "solana_local", "SOL", Decimal(100), Decimal(100))]

        return [("phantom", "solana_local", read)]


@pytest.fixture
def service() -> AccountService:
    return AccountService(
        Registry(), cast(Wallets, OneWallet()), cast(Desk, None), cast(Roster, None)
    )


async def test_what_a_wallet_without_a_venue_holds(service: AccountService) -> None:
    answer = await service.list_balances(pb.ListBalancesRequest(account="phantom"))
    assert [(one.asset, one.total) for one in answer.balances] == [("SOL", "100")]
    positions = await service.list_positions(pb.ListPositionsRequest(account="phantom"))
    assert not positions.positions


async def test_a_name_that_is_neither_is_refused(service: AccountService) -> None:
    with pytest.raises(Refused) as caught:
        await service.list_balances(pb.ListBalancesRequest(account="phantasm"))
    assert caught.value.reason is Reason.ACCOUNT_NOT_FOUND
