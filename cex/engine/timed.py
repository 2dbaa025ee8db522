"""Accounts at venues that cancel all orders by themselves when they do not hear from us."""

from cex.engine import checks, commands
from cex.engine.account import ExchangeAccount
from core.instruments import Instrument


class TimedAccount(ExchangeAccount):
    """An account with a timer at the venue; implements core.ports.CancelTimer as well."""

    _timed: frozenset[str] = frozenset()  # instruments with a timer, where each has its own

    async def cancel_all_after(self, timeout: int) -> None:
        """See core.ports.CancelTimer. Sent at most once: raises Refused, Rejected or Unconfirmed.

        Where each instrument has its own timer, those are wound that have open orders now: one of
        another instrument is under a timer from the next call on.
        """
        checks.clock(self._spec, self._market.offset)
        if not self._spec.timer_by_instrument:
            await self._wind(timeout, None)
            return
        names = self._timed | {order.request.instrument for order in await self.open_orders()}
        self._timed = names
        for name in sorted(names):
            await self._wind(timeout, self._market.instrument(name))
        if not timeout:
            self._timed = frozenset()

    async def _wind(self, timeout: int, instrument: Instrument | None) -> None:
        command = commands.CancelAfter(timeout, self._market.offset.now(), instrument)
        await self._market.caller.call(command, self._scope, self._credentials)
