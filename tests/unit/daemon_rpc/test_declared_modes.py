"""Margin and position modes through the service: for accounts that have them, refused else."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import pytest

from cambist.v1 import accounts_pb2 as pb
from core.accounts import MarginMode, PositionMode
from core.errors import Reason, Refused
from core.instruments import Instrument
from daemon.services.accounts import AccountService
from tests.support.model_venue import INSTRUMENT


@dataclass
class Declared:
    """An account that can be told everything."""

    told: list[Any] = field(default_factory=list)

    async def set_leverage(self, instrument: Instrument, leverage: Decimal) -> None:
        self.told.append((instrument.id, leverage))

    async def set_margin_mode(self, instrument: Instrument, mode: MarginMode) -> None:
        self.told.append((instrument.id, mode))

    async def set_position_mode(self, mode: PositionMode) -> None:
        self.told.append(mode)


class Names:
    """A registry with one account."""

    def __init__(self, account: object) -> None:
        self._account = account

    def account(self, account: str, venue: str) -> object:
        return self._account

    def instrument(self, venue: str, instrument: str) -> Instrument:
        return INSTRUMENT


def service(account: object) -> AccountService:
    nobody = cast(Any, None)
    return AccountService(cast(Any, Names(account)), nobody, nobody, nobody)


async def test_modes_reach_the_account() -> None:
    account = Declared()
    served = service(account)
    await served.set_margin_mode(pb.SetMarginModeRequest(margin_mode=pb.MARGIN_MODE_ISOLATED))
    await served.set_margin_mode(pb.SetMarginModeRequest(margin_mode=pb.MARGIN_MODE_CROSS))
    await served.set_position_mode(pb.SetPositionModeRequest(position_mode=pb.POSITION_MODE_HEDGE))
    await served.set_leverage(pb.SetLeverageRequest(leverage="7.5"))
    assert account.told == [
        ("BTC-USDT", MarginMode.ISOLATED),
        ("BTC-USDT", MarginMode.CROSS),
        PositionMode.HEDGE,
        ("BTC-USDT", Decimal("7.5")),
    ]


async def test_a_venue_without_them_says_so() -> None:
    served = service(object())
    calls = {
        "margin_mode": served.set_margin_mode(pb.SetMarginModeRequest(venue="model")),
        "position_mode": served.set_position_mode(pb.SetPositionModeRequest(venue="model")),
        "leverage": served.set_leverage(pb.SetLeverageRequest(venue="model")),
    }
    for capability, call in calls.items():
        with pytest.raises(Refused) as caught:
            await call
        assert caught.value.reason is Reason.UNSUPPORTED_BY_VENUE
        assert caught.value.metadata == {"venue": "model", "capability": capability}


def test_the_contracts_words_are_cores() -> None:
    for kind, known, prefix in (
        (pb.MarginMode, MarginMode, "MARGIN_MODE_"),
        (pb.PositionMode, PositionMode, "POSITION_MODE_"),
    ):
        words = {name.removeprefix(prefix): number for name, number in kind.items() if number}
        assert words == {mode.name: mode.value for mode in known}
