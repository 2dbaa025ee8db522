"""Pools that somebody asks for: known ones from memory, others from the factory."""

import asyncio
import itertools
import logging

from chains.evm.abi import address_at
from chains.evm.model import Call, CallError
from core.errors import CambistError, Reason, Refused
from core.tokens import Token
from dex.families.constant_product_abi import get_pair, pair_questions
from dex.lookup import TokenLookup
from dex.network import PoolNetwork
from dex.pool_state import PoolStates
from dex.pools import PoolDirectory, PoolMarket, PoolState
from dex.refusals import invalid
from dex.spec import PoolVenueSpec

_log = logging.getLogger(__name__)

# Each pool that is followed is a part of every block's read. The table's own pools are few.
MAX_POOLS = 1_000
_PAUSES = (1, 2, 5, 10, 30, 60)  # s between tries to load the table's pools; then the last for ever


class PoolFinder:
    """Finds pools by address, by instrument and by tokens, and starts to follow them."""

    def __init__(
        self,
        spec: PoolVenueSpec,
        network: PoolNetwork,
        directory: PoolDirectory,
        lookup: TokenLookup,
        states: PoolStates,
    ) -> None:
        self._spec = spec
        self._network = network
        self._directory = directory
        self._lookup = lookup
        self._states = states
        self._unloaded: list[tuple[str, str]] = []
        self._loading: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Takes in the table's pools; those whose tokens are in no list follow once the chain
        has told what their tokens are."""
        for token_a, token_b in self._spec.deployment.pools:
            first, second = self._directory.listed_at(token_a), self._directory.listed_at(token_b)
            if first is None or second is None:
                self._unloaded.append((token_a, token_b))
            else:
                self._follow(first, second)
        if self._unloaded:
            self._loading = asyncio.create_task(self._load())

    async def stop(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
            self._loading = None

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

    def of_tokens(self, token_a: Token, token_b: Token) -> PoolMarket:
        """Where the pool of two tokens is, if there is one."""
        if token_a.address == token_b.address:
            raise invalid(
                "token_out",
                token_b.symbol,
                f"{token_a.symbol} against itself has no pool: wrap or unwrap it instead",
            )
        return self._directory.candidate(token_a, token_b)

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
        factory, token0, token1 = await self._ask(address, *pair_questions())
        if factory != self._spec.deployment.factory:
            raise self._no_pool(address, f"its factory is {factory}")
        (pair,) = await self._ask(factory, get_pair(token0, token1))
        if pair != address:
            raise self._no_pool(address, "the factory does not know it")
        first, second = await self._lookup.at(token0), await self._lookup.at(token1)
        market = self._directory.candidate(first, second, address)
        await self.state(market)
        return market

    async def _ask(self, contract: str, *questions: bytes) -> list[str]:
        """Addresses that a contract answers with."""
        found = []
        for answer in await self._network.multicall([Call(contract, data) for data in questions]):
            if isinstance(answer, CallError) or len(answer) != 32:
                raise self._no_pool(contract, "it does not answer as a pair does")
            found.append(address_at(answer))
        return found

    async def _load(self) -> None:
        for turn in itertools.count():
            for pair in list(self._unloaded):
                try:
                    self._follow(*[await self._lookup.at(address) for address in pair])
                except CambistError as error:
                    _log.info("pool %s of %s not loaded: %s", pair, self._spec.id, error.message)
                    continue
                self._unloaded.remove(pair)
            if not self._unloaded:
                return
            await asyncio.sleep(_PAUSES[min(turn, len(_PAUSES) - 1)])

    def _follow(self, token_a: Token, token_b: Token) -> None:
        self._states.track(self._directory.add(self._directory.candidate(token_a, token_b)))

    def _no_pool(self, address: str, why: str) -> Refused:
        return Refused(
            Reason.POOL_NOT_FOUND,
            f"{address} is not a pool of {self._spec.id}: {why}",
            {"venue": self._spec.id, "pool": address},
        )
