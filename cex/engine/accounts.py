"""Accounts, each able to do what its venue can."""

from cex.engine import commands
from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.keyed import KeyedAccount
from cex.engine.market import ExchangeVenue
from cex.engine.timed import TimedAccount


class _TimedKeyedAccount(TimedAccount, KeyedAccount):
    """Both."""


_KINDS: dict[tuple[bool, bool], type[ExchangeAccount]] = {
    (False, False): ExchangeAccount,
    (False, True): KeyedAccount,
    (True, False): TimedAccount,
    (True, True): _TimedKeyedAccount,
}


def exchange_account(id: str, market: ExchangeVenue, credentials: Credentials) -> ExchangeAccount:
    """An account that can do what its venue can. Raises Refused as ExchangeAccount does."""
    spec = market.spec
    timed = commands.CancelAfter in spec.operations
    keyed = commands.GetKeyPermissions in spec.operations or spec.key_permissions is not None
    return _KINDS[timed, keyed](id, market, credentials)
