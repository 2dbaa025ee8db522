"""Accounts at venues that cancel all orders by themselves when they do not hear from us."""

from cex.engine import checks, commands
from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue


class TimedAccount(ExchangeAccount):
    """An account with a timer at the venue; implements core.ports.CancelTimer as well."""

    async def cancel_all_after(self, timeout: int) -> None:
        """See core.ports.CancelTimer. Sent at most once: raises Refused, Rejected or
        Unconfirmed."""
        checks.clock(self._spec, self._market.offset)
        command = commands.CancelAfter(timeout, self._market.offset.now())
        await self._market.caller.call(command, self._scope, self._credentials)


def exchange_account(id: str, market: ExchangeVenue, credentials: Credentials) -> ExchangeAccount:
    """An account that can do what its venue can. Raises Refused as ExchangeAccount does."""
    timed = commands.CancelAfter in market.spec.operations
    return (TimedAccount if timed else ExchangeAccount)(id, market, credentials)
