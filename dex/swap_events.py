"""Everybody's swaps of the pools that somebody watches, from the pools' Swap events."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from chains.evm.model import Log
from core.clock import Clock
from core.errors import CambistError
from core.market import Trade
from core.money import from_units
from core.orders import Side
from dex.fills import trade_id
from dex.network import PoolNetwork, Unsubscribe
from dex.pool_state import PoolStates, Refresh
from dex.pools import PoolMarket
from dex.swap_logs import SWAP_TOPICS, decode

_log = logging.getLogger(__name__)
_REMEMBERED = 8_192  # trade ids, so that a reorganisation tells no trade twice

TradeCallback = Callable[[Trade], None]


class SwapEvents:
    """Reads Swap events block by block, one request a block, while there is a subscriber."""

    def __init__(self, network: PoolNetwork, states: PoolStates, clock: Clock) -> None:
        self._network = network
        self._states = states
        self._clock = clock
        self._sinks: dict[str, list[TradeCallback]] = {}
        self._markets: dict[str, PoolMarket] = {}
        self._told: OrderedDict[str, None] = OrderedDict()
        self._last: dict[str, Decimal] = {}
        self._next = 0  # the first block not read yet
        self._until = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Unsubscribe | None = None

    def start(self) -> None:
        self._unsubscribe = self._states.subscribe(self._on_refresh)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._unsubscribe = self._task = None

    def subscribe(self, market: PoolMarket, sink: TradeCallback) -> Unsubscribe:
        """Trades of a pool from the next block on. A swap whose block is reorganised away is not
        taken back: a public trade is news, not a fact to account with."""
        if not self._sinks:
            self._next = max(self._states.block, self._network.height) + 1
        self._markets[market.address] = market
        self._sinks.setdefault(market.address, []).append(sink)

        def unsubscribe() -> None:
            sinks = self._sinks.get(market.address, [])
            if sink in sinks:
                sinks.remove(sink)
            if not sinks:
                self._sinks.pop(market.address, None)

        return unsubscribe

    def last_price(self, address: str) -> Decimal | None:
        """The price of the last swap that was seen, while somebody watches."""
        return self._last.get(address)

    async def recent(self, market: PoolMarket, limit: int, blocks: int) -> Sequence[Trade]:
        """The last `limit` trades of the last `blocks` blocks, oldest first."""
        head = self._network.height
        logs = await self._network.logs(
            max(head - blocks + 1, 0), head, [market.address], [SWAP_TOPICS]
        )
        return self._trades(logs, {market.address: market})[-limit:]

    def _on_refresh(self, refresh: Refresh) -> None:
        if not self._sinks or not refresh.live:
            return
        self._next = min(self._next, refresh.first)  # lower after a reorganisation
        self._until = refresh.block
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            until, addresses = self._until, list(self._sinks)
            if not addresses or self._next > until:
                continue
            try:
                logs = await self._network.logs(self._next, until, addresses, [SWAP_TOPICS])
            except CambistError as error:
                _log.warning("swaps up to block %d not read yet: %s", until, error.message)
                continue  # the next block's read covers these too
            self._next = until + 1
            for trade, address in zip(
                self._trades(logs, self._markets), (log.address for log in logs), strict=True
            ):
                self._tell(trade, address)

    def _trades(self, logs: Sequence[Log], markets: dict[str, PoolMarket]) -> list[Trade]:
        seen: dict[tuple[str, str], int] = {}
        trades = []
        for log in logs:
            key = (log.transaction, log.address)
            seen[key] = seen.get(key, -1) + 1
            time = self._states.block_time(log.block) or 0
            trades.append(trade(log, markets[log.address], seen[key], time, self._clock.now()))
        return trades

    def _tell(self, trade: Trade, address: str) -> None:
        key = f"{address}:{trade.trade_id}"
        if key in self._told:
            return
        self._told[key] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        self._last[address] = trade.price
        for sink in list(self._sinks.get(address, ())):
            try:
                sink(trade)
            except Exception:  # noqa: BLE001  one listener's bug must not stop the others
                _log.exception("a trade sink failed")


def trade(log: Log, market: PoolMarket, place: int, event_time: int, now: int) -> Trade:
    """A Swap event as a public trade; ValueError when malformed."""
    swap = decode(log.topics, log.data)
    if market.base_is_0:
        base, quote = (swap.in0, swap.out0), (swap.in1, swap.out1)
    else:
        base, quote = (swap.in1, swap.out1), (swap.in0, swap.out0)
    # Both sides may go in or come out (flash swaps): what counts is the difference.
    base_change, quote_change = base[0] - base[1], quote[0] - quote[1]
    quantity = from_units(abs(base_change), market.base.decimals)
    notional = from_units(abs(quote_change), market.quote.decimals)
    price = Decimal(0)
    if quantity:
        price = (notional / quantity).quantize(market.instrument.price_tick, ROUND_HALF_EVEN)
    return Trade(
        instrument=market.instrument.id,
        trade_id=trade_id(log.transaction, place),
        side=Side.SELL if base_change > 0 else Side.BUY,
        price=price,
        quantity=quantity,
        event_time=event_time,
        receive_time=now,
    )
