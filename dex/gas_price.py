"""What a unit of gas costs, from memory: the latest base fee, and a tip asked for now and then."""

import asyncio
import logging

from core.clock import Clock
from core.errors import CambistError
from core.money import to_units
from core.ports import Priced
from dex.network import PoolNetwork
from dex.pool_state import PoolStates

_log = logging.getLogger(__name__)
_NORMAL = "normal"
_OLD = 30_000_000_000  # ns


class GasPrice:
    """Reading it never waits; a reading of an old price has a new one fetched in the background."""

    def __init__(self, network: PoolNetwork, states: PoolStates, clock: Clock) -> None:
        self._network = network
        self._states = states
        self._clock = clock
        self._tip = 0  # beside the base fee; the whole price where there is no base fee
        self._asked: int | None = None
        self._task: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    @property
    def wei(self) -> int:
        """What a transaction would probably pay for a unit of gas; 0 while nothing is known."""
        now = self._clock.now()
        if self._asked is None or now - self._asked > _OLD:
            self._asked = now
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._ask())
        return self._states.base_fee + self._tip

    async def _ask(self) -> None:
        if not isinstance(self._network, Priced):
            return
        try:
            estimates = await self._network.estimate_fees()
        except CambistError as error:
            _log.info("what gas costs is not known: %s", error.message)
            return
        normal = next((one for one in estimates if one.strategy == _NORMAL), None)
        if normal is None:
            return
        price = normal.unit_price if normal.priority_price is None else normal.priority_price
        self._tip = to_units(price, self._network.info.native.decimals)
