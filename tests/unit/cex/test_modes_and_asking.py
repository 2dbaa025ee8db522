"""Position and margin modes, and questions that a stream's message only hints at."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cex.engine import commands
from cex.engine.asking import Asking
from cex.engine.commands import Command
from cex.engine.modes import Modes
from cex.engine.spec import Operation, VenueSpec
from cex.engine.user_stream import Joined
from core.accounts import MarginMode, Position, PositionMode, PositionSide
from core.clock import SECOND
from core.errors import CambistError, Reason, Refused
from core.orders import OrderRequest, OrderType, Side
from core.ports import AccountReport, StreamState
from tests.support.cex_fixtures import load


def request(side: Side, reduce_only: bool) -> OrderRequest:
    return OrderRequest("C", "main", "venue", "BTC-USDT-PERP", side, OrderType.MARKET, Decimal(1),
                        reduce_only=reduce_only)  # fmt: skip


class Venue:
    """Answers what is asked, and remembers it."""

    def __init__(self, mode: PositionMode = PositionMode.ONE_WAY) -> None:
        self.mode: PositionMode | CambistError = mode
        self.asked: list[Command[Any]] = []

    async def call(self, command: Command[Any]) -> Any:
        self.asked.append(command)
        if isinstance(command, commands.GetPositionMode):
            if isinstance(self.mode, CambistError):
                raise self.mode
            return self.mode
        if isinstance(command, commands.SetPositionMode):
            self.mode = command.mode
        return None


def spec(**changed: Any) -> VenueSpec:
    base = load("bybit_perpetual").spec
    asks: Operation[Any, Any] = Operation(
        "GET", "/mode", dict, lambda raw, command, scope: PositionMode.ONE_WAY
    )
    operations = {**base.operations, commands.GetPositionMode: asks}
    return replace(base, operations=operations, **changed)


@pytest.mark.parametrize(
    ("side", "reduce_only", "position"),
    [
        (Side.BUY, False, PositionSide.LONG),
        (Side.SELL, True, PositionSide.LONG),
        (Side.SELL, False, PositionSide.SHORT),
        (Side.BUY, True, PositionSide.SHORT),
    ],
)
async def test_in_hedge_mode_an_order_is_of_one_position(
    side: Side, reduce_only: bool, position: PositionSide
) -> None:
    modes = Modes(spec(), Venue(PositionMode.HEDGE).call)
    assert await modes.of(request(side, reduce_only)) == (position, MarginMode.CROSS)


async def test_the_mode_is_asked_for_once_and_again_after_a_doubt() -> None:
    venue = Venue()
    modes = Modes(spec(), venue.call)
    for _ in range(3):
        assert await modes.of(request(Side.BUY, False)) == (PositionSide.NET, MarginMode.CROSS)
    assert venue.asked == [commands.GetPositionMode()]
    venue.mode = PositionMode.HEDGE  # in the venue's own program, say
    modes.doubt(Reason.ORDER_REJECTED)
    assert (await modes.of(request(Side.BUY, False)))[0] is PositionSide.LONG
    await modes.set_position(PositionMode.ONE_WAY)
    assert (await modes.of(request(Side.BUY, False)))[0] is PositionSide.NET
    assert len(venue.asked) == 3


async def test_an_order_is_refused_while_the_mode_is_not_known() -> None:
    venue = Venue()
    venue.mode = CambistError(Reason.VENUE_UNAVAILABLE, "try again", {}, 5)
    with pytest.raises(Refused) as caught:
        await Modes(spec(), venue.call).of(request(Side.BUY, False))
    assert (caught.value.reason, caught.value.retry_after) == (Reason.VENUE_UNAVAILABLE, 5)


async def test_a_margin_mode_that_is_the_orders_is_remembered_and_learned_from_positions() -> None:
    venue = Venue()
    modes = Modes(spec(margin_by_order=True, leverage_by_side=True), venue.call)
    instrument = load("bybit_perpetual").instruments["BTC-USDT-PERP"]
    held = Position("main", "venue", instrument.id, PositionSide.NET, Decimal(1), Decimal(5),
                    margin_mode=MarginMode.ISOLATED)  # fmt: skip
    modes.seen(replace(held, quantity=Decimal(0)))
    assert (await modes.of(request(Side.BUY, False)))[1] is MarginMode.CROSS
    modes.seen(held)
    assert (await modes.of(request(Side.BUY, False)))[1] is MarginMode.ISOLATED
    await modes.set_margin(instrument, MarginMode.CROSS)
    assert (await modes.of(request(Side.BUY, False)))[1] is MarginMode.CROSS
    assert venue.asked == [commands.GetPositionMode()]  # nothing was declared
    venue.mode = PositionMode.HEDGE
    modes.doubt(Reason.ORDER_REJECTED)
    await modes.set_margin(instrument, MarginMode.ISOLATED)
    await modes.set_leverage(instrument, Decimal(3))
    assert venue.asked[2:] == [
        commands.SetLeverage(instrument, Decimal(3), side, MarginMode.ISOLATED)
        for side in (PositionSide.LONG, PositionSide.SHORT)
    ]


async def test_what_is_hinted_at_meanwhile_is_asked_once_more() -> None:
    gate, asked = asyncio.Event(), 0
    told: list[AccountReport] = []
    answer = StreamState("main", True)

    async def ask(command: Command[Any]) -> Sequence[AccountReport]:
        nonlocal asked
        asked += 1
        await gate.wait()
        return [answer]

    failures: list[CambistError] = []
    asking = Asking(ask, told.append, failures.append)
    for _ in range(5):
        asking.want(commands.GetBalances())
    await asyncio.sleep(0)
    assert asked == 1
    gate.set()
    async with asyncio.timeout(10):
        while len(told) < 2:  # noqa: ASYNC110 - bounded
            await asyncio.sleep(0)
    assert (asked, told, failures) == (2, [answer, answer], [])


async def test_questions_of_a_kind_keep_their_distance() -> None:
    asked: list[Command[Any]] = []

    async def ask(command: Command[Any]) -> Sequence[AccountReport]:
        asked.append(command)
        return []

    asking = Asking(ask, lambda value: None, lambda error: None, pause=SECOND // 20)
    began = time.monotonic_ns()
    async with asyncio.timeout(10):
        while len(asked) < 3:
            asking.want(commands.GetBalances())
            await asyncio.sleep(0)
    assert time.monotonic_ns() - began >= SECOND // 10
    asking.stop()


async def test_a_question_that_fails_is_told_and_may_be_asked_again() -> None:
    failures: list[CambistError] = []

    async def ask(command: Command[Any]) -> Sequence[AccountReport]:
        raise CambistError(Reason.VENUE_UNAVAILABLE, "no")

    told: list[AccountReport] = []
    asking = Asking(ask, told.append, failures.append)
    async with asyncio.timeout(10):
        for expected in (1, 2):
            asking.want(commands.GetBalances())
            while len(failures) < expected:  # noqa: ASYNC110 - bounded
                await asyncio.sleep(0)
            await asyncio.sleep(0)
    assert not told
    asking.stop()


def test_several_connections_are_told_of_as_one() -> None:
    told: list[AccountReport] = []
    joined = Joined(2, told.append)
    first, second = joined.of(0), joined.of(1)
    up, down = StreamState("main", True), StreamState("main", False, "lost")
    first(up)
    assert told == []
    second(up)
    assert told == [up]
    second(down)
    first(down)
    assert told == [up, down]
    first(up)
    assert told == [up, down]
    second(up)
    assert told == [up, down, up]
    second(up)  # said once more
    assert told == [up, down, up]
