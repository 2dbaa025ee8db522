"""The whole way of an order without gRPC: a desk with its journal, the engine, and a venue made of
fixtures (tests.support.scripted_venue)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from cambist.v1 import events_pb2 as pb
from cex.engine.account import ExchangeAccount
from cex.engine.commands import Command
from cex.engine.market import ExchangeVenue
from core.clock import ManualClock
from core.orders import Fill, Order, OrderStatus
from daemon.journal import Journal, SqliteStore
from daemon.trading import Desk, DeskSettings
from daemon.trading.state import OrderState
from tests.support.desks import Names
from tests.support.scripted_venue import ScriptedVenue

BOUND = 30.0  # float: seconds that a test waits for anything, asyncio's unit
# Short enough to wait for, long enough not to ask without a break.
BRISK = DeskSettings(
    resolve_delay=0.01,
    resolve_max_delay=0.05,
    reconcile_interval=3600,
    reconcile_pause=0.01,
    retry_delay=0.01,
    retry_max_delay=0.05,
)
ACCOUNT = "main"


@dataclass
class Stage:
    """What a test plays with. `clock` only moves when it is told to."""

    server: ScriptedVenue
    clock: ManualClock
    market: ExchangeVenue
    account: ExchangeAccount
    journal: Journal
    desk: Desk

    async def place(self, request_id: str = "request-1") -> OrderState:
        """Places a limit order."""
        return await self.desk.place(request_id, self.server.templates.request())

    async def order(self) -> OrderState:
        """The one order that there is."""
        states, _ = await self.desk.list_orders()
        (state,) = states
        return state

    async def fills(self) -> list[Fill]:
        """All fills that the journal has."""
        found, _ = await self.desk.list_fills()
        return list(found)

    async def events(self) -> list[pb.Event]:
        """The whole log."""
        rows = await self.journal.read(lambda store: store.events(0, 1_000_000), after_writes=True)
        return [pb.Event.FromString(row.data) for row in rows]

    async def cancel(self, name: str, request_id: str = "cancel-1") -> OrderState:
        """Asks the venue to end an order."""
        return await self.desk.cancel(request_id, ACCOUNT, name)

    def silence_over(self) -> int:
        """Turns the clock to when the venue may be asked again, and says by how much (ns)."""
        now = self.market.offset.now()
        until = max([now, *(use.blocked_until for use in self.market.rate_limits())])
        self.clock.advance(until - now + 1)
        self.market.limiter.dispatch()  # who waits for the budget sleeps by the real clock
        return until - now

    async def asked_again(self, kind: type[Command[Any]], times: int = 2) -> None:
        """Waits until the venue was asked so often more."""
        wanted = len(self.server.asked(kind)) + times
        await self.until(lambda: len(self.server.asked(kind)) >= wanted, f"{kind.__name__} again")

    async def until_fills(self, count: int) -> None:
        """Waits until the journal has so many; never more."""
        async with asyncio.timeout(BOUND):
            while len(await self.fills()) != count:
                await self._turn()

    async def until_state(self, holds: Callable[[Order], bool]) -> None:
        """Waits until something holds of the order."""
        async with asyncio.timeout(BOUND):
            while not holds((await self.order()).order):
                await self._turn()

    async def until_states(self, *statuses: OrderStatus) -> None:
        """Waits until the orders have these statuses."""
        async with asyncio.timeout(BOUND):
            while True:
                states, _ = await self.desk.list_orders()
                if [state.order.status for state in states] == list(statuses):
                    return
                await self._turn()

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Waits until something holds, with a bound."""
        try:
            async with asyncio.timeout(BOUND):
                while not condition():
                    await self._turn()
        except TimeoutError:
            raise AssertionError(f"waited {BOUND} s in vain for {what}") from None

    async def _turn(self) -> None:
        assert not self.server.problems, self.server.problems
        await asyncio.sleep(0.005)

    async def becomes(self, status: OrderStatus) -> OrderState:
        """Waits until the order has a status; it must not be final with another before."""
        async with asyncio.timeout(BOUND):
            while True:
                state = await self.order()
                if state.order.status is status:
                    return state
                assert not state.order.is_final, f"{state.order.status}: {state.order.reason}"
                await self._turn()

    async def ready(self) -> None:
        """Waits until the stream stands, all is reconciled and trading is open."""
        await self.until(
            lambda: self.desk.condition(self.account).health.name == "READY", "trading to open"
        )

    async def settled(self) -> None:
        """Waits until whatever was told has been taken in: what is told after it has been."""
        before = len(await self.events())
        for _ in range(5):
            await asyncio.sleep(0.01)
            now = len(await self.events())
            if now == before:
                return
            before = now

    async def never_understated(self) -> None:
        """Holds the log against the venue: whenever the venue could still trade an order, we said
        that so much of it was open."""
        order = (await self.order()).order
        resting = self.server.orders.get(order.client_order_id)
        if resting is not None and resting.status.name in ("OPEN", "PARTIALLY_FILLED"):
            assert order.remaining_quantity >= resting.request.quantity - resting.filled
        counted = sum((fill.quantity for fill in await self.fills()), Decimal(0))
        assert counted <= order.request.quantity


@asynccontextmanager
async def staged(
    name: str,
    folder: Path,
    line: bool = False,
    timeout: float = 10,  # float: asyncio's unit
) -> AsyncIterator[Stage]:
    """A venue by its fixture folder, and an account that trades on it; `line`: over the socket that
    takes orders. `timeout` (seconds) is the engine's, for a request by REST."""
    async with ScriptedVenue(name, line) as server:
        clock = ManualClock(server.venue.moment.now)
        market = server.market(clock)
        market.http._timeout = timeout
        account = ExchangeAccount(ACCOUNT, market, server.credentials)
        journal = Journal(SqliteStore(folder / "journal.sqlite", "normal"), clock)
        await journal.open()
        names = Names()
        names.accounts[ACCOUNT, server.spec.id] = account
        desk = Desk(journal, names, clock, BRISK)
        await desk.start()
        stage = Stage(server, clock, market, account, journal, desk)
        try:
            await market.start()
            await stage.until(market.loaded.is_set, "the instruments")
            await desk.open(account)
            await stage.ready()
            yield stage
        finally:
            await desk.stop()
            await market.stop()
            await journal.close()
