"""Pools that somebody asks for: known ones from memory, others from the factory."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from chains.evm.abi import address_at
from chains.evm.model import Call, CallError
from core.errors import CambistError, Reason, Refused
from core.tokens import Token
from dex.family import Family
from dex.lookup import TokenLookup
from dex.network import PoolNetwork
from dex.pool_state import PoolStates
from dex.pools import PoolDirectory, PoolMarket, PoolState
from dex.spec import PoolVenueSpec

_log = logging.getLogger(__name__)

# Each pool that is followed is a part of every block's read. The table's own pools are few.
MAX_POOLS = 1_000
_FORGET = 50  # blocks until a pool that was not there is asked for again
_MOST_ABSENT = 4_096
_PAUSES = (1, 2, 5, 10, 30, 60)  # s between tries to load the table's pools; then the last for ever


class PoolFinder:
    """Finds pools by address, by instrument and by tokens, and starts to follow them."""

    def __init__(
        self,
        spec: PoolVenueSpec,
        family: Family,
        network: PoolNetwork,
        directory: PoolDirectory,
        lookup: TokenLookup,
        states: PoolStates,
    ) -> None:
        self._spec = spec
        self._family = family
        self._network = network
        self._directory = directory
        self._lookup = lookup
        self._states = states
        self._unloaded: list[tuple[str, str, *tuple[int, ...]]] = []
        self._absent: dict[str, int] = {}
        self._scouted: dict[tuple[str, str], int] = {}
        self._scouts: set[asyncio.Task[None]] = set()
        self._loading: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Takes in the table's pools; those whose tokens are in no list follow once the chain
        has told what their tokens are."""
        for pair in self._spec.deployment.pools:
            first, second = (self._directory.listed_at(address) for address in pair[:2])
            if first is None or second is None:
                self._unloaded.append(pair)
            else:
                self._follow(first, second, pair[2:])
        if self._unloaded:
            self._loading = asyncio.create_task(self._load())

    async def stop(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
            self._loading = None
        scouts = list(self._scouts)
        for scout in scouts:
            scout.cancel()
        await asyncio.gather(*scouts, return_exceptions=True)

    def of_instrument(self, id: str) -> PoolMarket:
        """The pool of an instrument; Refused with INSTRUMENT_NOT_FOUND."""
        market = self._directory.of_instrument(id)
        if market is None:
            raise Refused(
                Reason.INSTRUMENT_NOT_FOUND,
                f"{self._spec.id} has no instrument {id[:80]!r}; a pool that is not listed is "
                "known once it was asked for by its address",
                {"venue": self._spec.id, "instrument": id[:80]},
            )
        return market

    async def at(self, text: str) -> PoolMarket:
        """The pool of an address, asking the chain if it was never heard of."""
        address = self._lookup.address(text, "pool")
        return self._directory.at(address) or await self._discover(address)

    async def scout(
        self, token_a: Token, token_b: Token, hubs: Callable[[], Sequence[str]], again: bool = False
    ) -> None:
        """Makes the pools known that may lie on a way between two tokens, by way of `hubs` too. The
        chain is asked the first time; later, and now and then, behind the caller's back. `again`:
        now, whatever was not there before. Raises CambistError when it cannot be asked."""
        pair = token_a.address, token_b.address
        height = self._network.height
        last = self._scouted.get(pair)
        if last is not None and (height == last or (height - last < _FORGET and not again)):
            return
        look = self._look(token_a, token_b, hubs(), again)
        if last is None or again:
            await look
            if len(self._scouted) >= _MOST_ABSENT:
                self._scouted.clear()
            self._scouted[pair] = height
            return
        self._scouted[pair] = height
        task = asyncio.create_task(self._quietly(look))
        self._scouts.add(task)
        task.add_done_callback(self._scouts.discard)

    async def _look(self, token_a: Token, token_b: Token, hubs: Sequence[str], again: bool) -> None:
        """Takes in those pools between the tokens, and between each of them and a hub, that are
        there."""
        pairs = [(token_a, token_b)]
        for hub in hubs:
            if hub not in (token_a.address, token_b.address):
                middle = await self._lookup.at(hub)
                pairs += [(token_a, middle), (middle, token_b)]
        unknown = {
            market.address: market
            for pair in pairs
            for market in self._directory.candidates(*pair)
            if self._states.known(market.address) is None
            and (again or not self._is_absent(market.address))
        }
        markets = list(unknown.values())
        if not markets:
            return
        height = self._network.height
        for market, state in zip(markets, await self._states.read_all(markets), strict=True):
            if state is None:
                self._note_absent(market.address, height)
            elif len(self._directory) < MAX_POOLS:
                self._directory.add(market)

    async def _quietly(self, look: Coroutine[Any, Any, None]) -> None:
        try:
            await look
        except CambistError as error:
            _log.info("no new pools of %s looked for: %s", self._spec.id, error.message)

    def _is_absent(self, address: str) -> bool:
        return self._network.height - self._absent.get(address, -_FORGET) < _FORGET

    def _note_absent(self, address: str, height: int) -> None:
        self._absent[address] = height
        if len(self._absent) > _MOST_ABSENT:
            del self._absent[next(iter(self._absent))]

    async def state(self, market: PoolMarket) -> PoolState:
        """From memory; read once from the chain, and followed, when the pool is new."""
        if self._states.known(market.address) is None:
            if self._directory.at(market.address) is None and len(self._directory) >= MAX_POOLS:
                raise Refused(
                    Reason.RATE_LIMITED,
                    f"{MAX_POOLS} pools of {self._spec.id} are followed, and that is the most; "
                    "restart the daemon to forget those that nobody needs",
                    {"scope": f"pools of {self._spec.id}", "limit": str(MAX_POOLS)},
                )
            if await self._states.read(market) is None:
                raise Refused(
                    Reason.POOL_NOT_FOUND,
                    f"{self._spec.id} has no pool of {market.base.symbol} and "
                    f"{market.quote.symbol}",
                    {"venue": self._spec.id, "pool": market.address},
                )
            self._directory.add(market)
        return self._states.live(market)

    async def _discover(self, address: str) -> PoolMarket:
        answers = await self._ask(address, *self._family.questions())
        try:
            claim = self._family.claim(self._spec, address, answers)
        except ValueError as error:
            raise self._no_pool(address, str(error)) from error
        if claim.factory != self._spec.deployment.factory:
            raise self._no_pool(address, f"its factory is {claim.factory}")
        (proof,) = await self._ask(claim.factory, claim.proof)
        if address_at(proof) != address:
            raise self._no_pool(address, "the factory does not know it")
        first, second = await self._lookup.at(claim.token0), await self._lookup.at(claim.token1)
        market = self._directory.market(first, second, claim.place)
        await self.state(market)
        return market

    async def _ask(self, contract: str, *questions: bytes) -> list[bytes]:
        """Single words that a contract answers with."""
        found = []
        for answer in await self._network.multicall([Call(contract, data) for data in questions]):
            if isinstance(answer, CallError) or len(answer) != 32:
                raise self._no_pool(contract, "it does not answer as a pool does")
            found.append(answer)
        return found

    async def _load(self) -> None:
        for turn in itertools.count():
            for pair in list(self._unloaded):
                try:
                    first, second = [await self._lookup.at(address) for address in pair[:2]]
                except CambistError as error:
                    _log.info("pool %s of %s not loaded: %s", pair, self._spec.id, error.message)
                    continue
                self._follow(first, second, pair[2:])
                self._unloaded.remove(pair)
            if not self._unloaded:
                return
            await asyncio.sleep(_PAUSES[min(turn, len(_PAUSES) - 1)])

    def _follow(self, token_a: Token, token_b: Token, fees: tuple[int, ...]) -> None:
        for market in self._directory.candidates(token_a, token_b):
            if not fees or market.fee.pips in fees:
                self._states.track(self._directory.add(market))

    def _no_pool(self, address: str, why: str) -> Refused:
        return Refused(
            Reason.POOL_NOT_FOUND,
            f"{address} is not a pool of {self._spec.id}: {why}",
            {"venue": self._spec.id, "pool": address},
        )
