"""What a wallet holds, and what a fill changed of it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from core.accounts import Balance
from core.errors import CambistError
from core.tokens import Token
from dex.pools import PoolMarket
from dex.venue import PoolVenue

_log = logging.getLogger(__name__)


class Holdings:
    """The balances of one address, as those of the account `account`."""

    def __init__(self, account: str, venue: PoolVenue, address: str) -> None:
        self._account = account
        self._venue = venue
        self._address = address
        self._changed: dict[str, Token] = {}
        self._traded = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, tell: Callable[[Balance], None]) -> None:
        self._task = asyncio.create_task(self._report(tell))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def read(self) -> Sequence[Balance]:
        """The native coin and every token of the list and of the venue's pools, in one read."""
        tokens = {"": self._venue.network.info.native}
        for token in self._venue.directory.listed():
            tokens.setdefault(token.address, token)
        for market in self._venue.directory:
            for token in (market.token0, market.token1):
                tokens.setdefault(token.address, token)
        return await self._read(list(tokens.values()))

    def traded(self, market: PoolMarket) -> None:
        """A fill of a pool was told: its tokens and the gas are to be read again."""
        self._changed |= {token.address: token for token in (market.token0, market.token1)}
        self._traded.set()

    async def _read(self, tokens: Sequence[Token]) -> Sequence[Balance]:
        found = await self._venue.network.balances(self._address, tokens)
        return [replace(balance, account=self._account) for balance in found]

    async def _report(self, tell: Callable[[Balance], None]) -> None:
        """One read for all fills of a moment."""
        while True:
            await self._traded.wait()
            self._traded.clear()
            tokens, self._changed = self._changed, {}
            native = self._venue.network.info.native
            try:
                for balance in await self._read([native, *tokens.values()]):
                    tell(balance)
            except CambistError as error:
                _log.info("balances of %s not read after a fill: %s", self._account, error.message)
