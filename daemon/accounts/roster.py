"""The accounts that were added through the API: opened when the keys are unlocked, closed when they
are locked, checked before they are taken."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import structlog

from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from core.errors import CambistError, Reason, Refused
from core.ports import Account, Keyed, KeyPermissions
from daemon.accounts.keys import AccountKeys, Stored
from daemon.parts import Parts
from daemon.rpc.rules import invalid

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
KNOWN = {"api_key", "secret", "passphrase", "user"}
log = structlog.get_logger("accounts")


class Roster:
    """`parts` are the daemon's; `paper` makes a paper account on a venue's live book."""

    def __init__(
        self, parts: Parts, keys: AccountKeys, paper: Callable[[str, ExchangeVenue], Account]
    ) -> None:
        self._parts = parts
        self._keys = keys
        self._paper = paper
        self._problems: dict[str, str] = {}

    @property
    def problems(self) -> Mapping[str, str]:
        """Accounts that could not be opened, with the reason."""
        return self._problems

    async def add(
        self, account: str, venue: str, credentials: Mapping[str, str], paper: bool
    ) -> list[str]:
        """Takes an account; what its owner should know. Raises ACCOUNT_EXISTS (also for a key that
        another account or daemon has), SECRETS_LOCKED,
        VENUE_AUTHENTICATION_FAILED where the venue refuses the keys, or what else is wrong."""
        market = self._check(account, venue, credentials, paper)
        if paper:
            self._keys.save_paper(account, venue)
            await self._open(self._paper(account, market))
            return []
        made = _account(account, market, credentials)
        self._parts.key_locks.take(account, venue, credentials["api_key"])
        try:
            warnings = await _examine(made)
            await self._keys.save(account, venue, credentials)
        except BaseException:
            self._parts.key_locks.release(account, venue)
            raise
        await self._open(made)
        return warnings

    async def remove(self, account: str) -> None:
        """Forgets an account and its keys; what is open at the venue stays open there. Raises
        ACCOUNT_NOT_FOUND for one that was not added here."""
        venues = [one.venue for one in self._keys.list() if one.account == account]
        if not venues:
            self._parts.registry.account_venues(account)
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                f"account {account!r} is of the configuration, or a wallet: remove it there",
                {"account": account},
            )
        for venue in venues:
            await self._close(account, venue)
        self._keys.remove(account)

    async def unlock(self) -> None:
        """Opens what is there; an account that fails leaves the others be."""
        self._problems = {}
        for stored in self._keys.list():
            if (stored.account, stored.venue) in self._parts.registry.accounts:
                continue
            try:
                await self._open(await self._restore(stored))
            except CambistError as error:
                if error.reason is not Reason.SECRETS_LOCKED:
                    self._problems[stored.account] = error.message
                    log.warning("account not opened", account=stored.account, why=error.message)
        self._mark()

    async def lock(self) -> None:
        """Closes the accounts that need keys."""
        for stored in self._keys.list():
            if not stored.paper:
                await self._close(stored.account, stored.venue)
        self._mark()

    def _mark(self) -> None:
        """The registry names what is locked, so that an error says what to do."""
        registry = self._parts.registry
        registry.locked = {
            one.account
            for one in self._keys.list()
            if not one.paper and (one.account, one.venue) not in registry.accounts
        }

    def _check(
        self, account: str, venue: str, credentials: Mapping[str, str], paper: bool
    ) -> ExchangeVenue:
        if not _NAME.fullmatch(account):
            raise invalid("account", "must be 1 to 64 of a-z, 0-9, - and _", account)
        registry = self._parts.registry
        market = registry.venue(venue)
        if not isinstance(market, ExchangeVenue):
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                f"{venue} takes no accounts: a pool's are wallets, the sandbox has its own",
                {"venue": venue, "capability": "add_account"},
            )
        taken = {id for id, where in registry.accounts if where == venue}
        taken |= {one.account for one in self._keys.list() if one.venue == venue}
        if account in taken or self._parts.wallets.address(account):
            raise Refused(
                Reason.ACCOUNT_EXISTS,
                f"there is an account {account!r} on {venue} already",
                {"account": account},
            )
        if paper and credentials:
            raise invalid("credentials", "must be left out for a paper account")
        if not paper:
            if unknown := credentials.keys() - KNOWN:
                raise invalid("credentials", f"has {sorted(unknown)[0]!r}; known: {sorted(KNOWN)}")
            for name in ("api_key", "secret"):
                if not credentials.get(name):
                    raise invalid("credentials", f"must have {name}")
        return market

    async def _restore(self, stored: Stored) -> Account:
        if stored.problem:
            raise Refused(Reason.INTERNAL, f"its file is damaged: {stored.problem}")
        market = self._parts.registry.venue(stored.venue)
        if not isinstance(market, ExchangeVenue):
            raise Refused(Reason.UNSUPPORTED_BY_VENUE, f"{stored.venue} takes no accounts")
        if stored.paper:
            return self._paper(stored.account, market)
        credentials = await self._keys.open(stored)
        self._parts.key_locks.take(stored.account, stored.venue, credentials["api_key"])
        return _account(stored.account, market, credentials)

    async def _open(self, account: Account) -> None:
        await self._parts.add_account(account)

    async def _close(self, account: str, venue: str) -> None:
        found = self._parts.registry.accounts.pop((account, venue), None)
        if found is not None:
            await self._parts.desk.close(found)
            self._parts.key_locks.release(account, venue)


def _account(id: str, market: ExchangeVenue, credentials: Mapping[str, str]) -> Account:
    from cex.engine.accounts import exchange_account

    return exchange_account(id, market, Credentials(**credentials))


async def _examine(account: Account) -> list[str]:
    """Asks the venue with the keys. Raises where it refuses them; else what to warn of."""
    try:
        await account.balances()
    except CambistError as error:
        if error.reason is Reason.VENUE_AUTHENTICATION_FAILED:
            raise
        return [f"the keys could not be tried: {error.message}"]
    if not isinstance(account, Keyed):
        return list(_warnings(KeyPermissions()))
    try:
        return list(_warnings(await account.key_permissions()))
    except CambistError as error:
        if isinstance(error, Refused) and error.reason is Reason.VENUE_AUTHENTICATION_FAILED:
            raise  # no key at all
        # One that may trade need not be one that may ask: where permissions are by product, say.
        return [
            f"what this key may do was not told ({error.message}): make sure that it may not "
            "withdraw"
        ]


def _warnings(permissions: KeyPermissions) -> Iterable[str]:
    if permissions.withdraw:
        yield "this key may withdraw: make one that may not, and remove this one at the venue"
    elif permissions.withdraw is None:
        yield "the venue does not tell whether this key may withdraw: make sure that it may not"
    if permissions.trade is False:
        yield "this key may not trade: orders will be refused"
    if permissions.bound_to_address is False:
        yield "this key works from any address: bind it to this machine's where the venue can"


def paper_maker(parts: Parts) -> Callable[[str, ExchangeVenue], Account]:
    """Makes paper accounts, each with a file of its own."""

    def make(id: str, market: ExchangeVenue) -> Account:
        from cex.paper.clearing import Clearing
        from cex.paper.live_book import LiveBookAccount

        path = Path(parts.data_dir / f"paper-{id}-{market.info.id}.sqlite")
        return LiveBookAccount(id, market, Clearing(path, parts.clock), parts.clock, None)

    return make
