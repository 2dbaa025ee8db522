"""How an account's positions are kept: what an order, or a change of leverage, must say of it."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from cex.engine import commands
from cex.engine.commands import Command
from cex.engine.spec import VenueSpec
from core.accounts import MarginMode, Position, PositionMode, PositionSide
from core.errors import CambistError, Reason, Refused
from core.instruments import Instrument
from core.orders import OrderRequest, Side

# Rejections that tell nothing of the modes.
_CLEAR = (Reason.POST_ONLY_WOULD_TAKE, Reason.INSUFFICIENT_BALANCE, Reason.ORDER_RULE_BROKEN)


class Modes:
    """The modes of one account, asked for when they are first needed.

    A margin mode that the venue reads from each order (VenueSpec.margin_by_order) is remembered
    here, and learned from positions; it is CROSS until then.
    """

    def __init__(self, spec: VenueSpec, call: Callable[[Command[Any]], Awaitable[Any]]) -> None:
        self._spec = spec
        self._call = call
        self._position: PositionMode | None = None
        self._margins: dict[str, MarginMode] = {}

    async def of(self, request: OrderRequest) -> tuple[PositionSide, MarginMode]:
        """The position that an order is of, and its margin. Raises Refused when it cannot be
        found out."""
        try:
            mode = await self._mode()
        except CambistError as error:
            raise Refused(error.reason, error.message, error.metadata, error.retry_after) from None
        margin = self._margins.get(request.instrument, MarginMode.CROSS)
        if mode is PositionMode.ONE_WAY:
            return PositionSide.NET, margin
        long = (request.side is Side.BUY) is not request.reduce_only
        return (PositionSide.LONG if long else PositionSide.SHORT), margin

    def doubt(self, reason: Reason) -> None:
        """The venue rejected an order: the mode may have been changed elsewhere."""
        if reason not in _CLEAR:
            self._position = None

    def seen(self, position: Position) -> None:
        """A position tells its margin mode."""
        if self._spec.margin_by_order and position.quantity and position.margin_mode is not None:
            self._margins[position.instrument] = position.margin_mode

    async def set_margin(self, instrument: Instrument, mode: MarginMode) -> None:
        """See core.ports.Moded."""
        if commands.GetLeverage in self._spec.operations:
            leverage, _ = await self._declared(instrument)
            await self._call(commands.SetLeverage(instrument, leverage, margin=mode))
        elif not self._spec.margin_by_order:
            await self._call(commands.SetMarginMode(instrument, mode))
        self._margins[instrument.id] = mode

    async def set_position(self, mode: PositionMode) -> None:
        """See core.ports.Moded."""
        self._position = None
        await self._call(commands.SetPositionMode(mode))
        self._position = mode

    async def set_leverage(self, instrument: Instrument, leverage: Decimal) -> None:
        """See core.ports.Leveraged. Where each side has its own, both are set."""
        margin = self._margins.get(instrument.id, MarginMode.CROSS)
        if commands.GetLeverage in self._spec.operations:
            _, margin = await self._declared(instrument)
        sides = [PositionSide.NET]
        by_side = self._spec.leverage_by_side and margin is MarginMode.ISOLATED
        if by_side and await self._mode() is PositionMode.HEDGE:
            sides = [PositionSide.LONG, PositionSide.SHORT]
        for side in sides:
            await self._call(commands.SetLeverage(instrument, leverage, side, margin))

    async def _declared(self, instrument: Instrument) -> tuple[Decimal, MarginMode]:
        """What is declared now. Raises Refused when it cannot be found out."""
        try:
            told: tuple[Decimal, MarginMode] = await self._call(commands.GetLeverage(instrument))
        except CambistError as error:
            raise Refused(error.reason, error.message, error.metadata, error.retry_after) from None
        return told

    async def _mode(self) -> PositionMode:
        if commands.GetPositionMode not in self._spec.operations:
            return PositionMode.ONE_WAY
        if self._position is None:
            self._position = await self._call(commands.GetPositionMode())
        return self._position
