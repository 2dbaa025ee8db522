"""A desk over a real journal file and a model venue, that can crash and come back."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from cambist.v1 import events_pb2 as pb
from core.errors import Reason, Refused
from core.instruments import Instrument
from core.ports import Account
from daemon.journal import Journal, SqliteStore
from daemon.journal.store import Row, StoreError
from daemon.trading import Desk, DeskSettings
from tests.support.model_venue import ModelAccount, ModelVenue

# Nothing waits for time: what would be asked later is asked in the loop's next round.
EAGER = DeskSettings(
    resolve_delay=0,
    resolve_max_delay=0,
    reconcile_interval=3600,
    reconcile_pause=0,
    retry_delay=0,
    retry_max_delay=0,
)


class FrailStore(SqliteStore):
    """A store that fails when it is told to, or dies for good at a certain write."""

    def __init__(self, path: Path, died: Callable[[], None] = lambda: None) -> None:
        super().__init__(path, "normal")
        self._died = died
        self.failing = ""
        self.writes = 0
        self.die_before: int | None = None
        self.die_after: int | None = None
        self.dead = False

    def write(self, rows: Sequence[Row]) -> None:
        self.writes += 1
        if self.writes == self.die_before:
            self.die()
        self._check()
        super().write(rows)
        if self.writes == self.die_after:
            self.die()

    def die(self) -> None:
        """From now on nothing is written, and `died` is told in the same moment."""
        self.dead = True
        self._died()

    def probe(self) -> None:
        self._check()
        super().probe()

    def _check(self) -> None:
        if self.dead:
            raise StoreError("the process is dead")
        if self.failing:
            raise StoreError(self.failing)


class Names:
    """A Directory of whatever accounts a test has."""

    def __init__(self) -> None:
        self.accounts: dict[tuple[str, str], Account] = {}

    def account(self, account: str, venue: str) -> Account:
        found = self.accounts.get((account, venue))
        if found is None:
            raise Refused(Reason.ACCOUNT_NOT_FOUND, f"no account {account!r} on {venue}")
        return found

    def instrument(self, venue: str, instrument: str) -> Instrument:
        for (_, where), account in self.accounts.items():
            if where == venue and instrument in account.venue.instruments:
                return account.venue.instruments[instrument]
        raise Refused(Reason.INSTRUMENT_NOT_FOUND, f"{venue} has no {instrument!r}")


class World:
    """One daemon's heart with its venue."""

    def __init__(
        self, path: Path, venue: ModelVenue | None = None, settings: DeskSettings = EAGER
    ) -> None:
        self.path = path
        self.venue = venue or ModelVenue()
        self.settings = settings

    async def start(
        self,
        die_before: int | None = None,
        die_after: int | None = None,
        account: ModelAccount | None = None,
    ) -> None:
        """Opens the journal and the desk; they may die at the n-th write from here."""
        self._loop = asyncio.get_running_loop()
        self.died = asyncio.Event()
        self.venue.killed = False
        self.store = FrailStore(self.path, self._died)
        self.journal = Journal(self.store, self.venue.clock, retry_delay=0.001)
        await self.journal.open()
        self.store.writes, self.store.die_before, self.store.die_after = 0, die_before, die_after
        self.names = Names()
        self.desk = Desk(self.journal, self.names, self.venue.clock, self.settings)
        await self.desk.start()
        self.account = account or ModelAccount(self.venue)
        await self.add(self.account)

    def _died(self) -> None:
        self.venue.killed = True
        self._loop.call_soon_threadsafe(self.died.set)

    async def add(self, account: Account) -> None:
        """One more account."""
        self.names.accounts[account.id, account.venue.info.id] = account
        await self.desk.open(account)

    async def ready(self) -> None:
        """Until trading is open."""
        await self.until(lambda: self.desk.condition(self.account).health.name == "READY")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Until a condition holds; fails when it does not in 20 s."""
        async with asyncio.timeout(20):
            while not condition():
                await self.quiet(1)

    async def quiet(self, rounds: int = 20) -> None:
        """Lets everything that can go on go on."""
        for _ in range(rounds):
            await asyncio.sleep(0)
            if not self.store.dead and not self.store.failing:
                await self.journal.append(fact=True)

    async def stop(self) -> None:
        """An orderly end."""
        await self.desk.stop()
        await self.journal.close()

    async def crash(self) -> None:
        """SIGKILL: nothing more is written or sent, whatever was under way."""
        self.store.die()
        self.venue.outbox.clear()  # told to nobody
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
        await self.journal.close()

    async def events(self) -> list[pb.Event]:
        """The whole log."""
        rows = await self.journal.read(lambda store: store.events(0, 1_000_000), after_writes=True)
        return [pb.Event.FromString(row.data) for row in rows]
