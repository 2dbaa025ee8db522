"""What a venue tells of itself, kept fresh in the background: its clock and its instruments."""

import asyncio
from collections.abc import Mapping

from cex.engine import commands, wire
from cex.engine.caller import Caller
from cex.engine.clock_offset import ClockOffset
from cex.engine.condition import Conditions
from cex.engine.spec import Scope, VenueSpec
from core.clock import SECOND, Clock
from core.errors import CambistError, Reason, Refused
from core.instruments import Instrument
from core.ports import Health

_REFRESH = 30 * 60 * SECOND  # instruments
_RESYNCHRONIZE = 10 * 60 * SECOND  # the clock
_RETRY = 5 * SECOND
_RELOAD = 60 * SECOND  # at most so often when a payload names an unknown instrument


class Reference:
    """The clock and the instruments of one venue. `run` is a task that never ends."""

    def __init__(
        self,
        spec: VenueSpec,
        caller: Caller,
        offset: ClockOffset,
        conditions: Conditions,
        clock: Clock,
    ) -> None:
        self.loaded = asyncio.Event()
        self.instruments: Mapping[str, Instrument] = {}  # by our id
        self._spec = spec
        self._caller = caller
        self._offset = offset
        self._conditions = conditions
        self._clock = clock
        self._by_symbol: dict[str, Instrument] = {}
        self._wanted = False  # somebody met an instrument that is not listed here
        self._read = 0  # monotonic ns of the last reading

    async def run(self) -> None:
        """Reads both, again and again; failures show in the conditions."""
        self._conditions.set("instruments", Health.STARTING, "loading instruments")
        due_clock = due_instruments = 0
        while True:
            now = self._clock.monotonic()
            pause = _RETRY
            try:
                if now >= due_clock:
                    await self.synchronize()
                    due_clock = self._clock.monotonic() + _RESYNCHRONIZE
                wanted = self._wanted and now - self._read >= _RELOAD
                if now >= due_instruments or wanted:
                    await self._load()
                    due_instruments = self._clock.monotonic() + _REFRESH
            except CambistError as error:
                health = Health.DEGRADED if self.instruments else Health.DOWN
                self._conditions.set("instruments", health, error.message)
                pause = max(_RETRY, min(error.retry_after or 0, _REFRESH))
            await asyncio.sleep(pause / SECOND)  # float: asyncio's unit

    async def synchronize(self) -> None:
        """Measures the venue's clock."""
        if commands.ServerTime not in self._spec.operations:
            return
        await self._caller.synchronize()

    def scope(self, account: str = "") -> Scope:
        """What parsers get besides the payload."""
        return self._caller.scope_of(account, self.by_symbol)

    def by_symbol(self, symbol: str) -> Instrument:
        """The instrument of a venue's symbol, or of its second name; raises UnknownSymbol, and has
        the list read again."""
        try:
            return self._by_symbol[symbol]
        except KeyError:
            self._wanted = True
            raise wire.UnknownSymbol(f"unknown symbol {symbol[:60]!r}") from None

    def instrument(self, instrument_id: str) -> Instrument:
        """By our id; raises Refused."""
        instrument = self.instruments.get(instrument_id)
        if instrument is not None:
            return instrument
        if not self.instruments:
            raise Refused(
                Reason.STARTING_UP,
                f"the instruments of {self._spec.name} are not loaded yet: try again soon",
                {"venue": self._spec.id},
            )
        raise Refused(
            Reason.INSTRUMENT_NOT_FOUND,
            f"{self._spec.name} does not list {instrument_id}",
            {"venue": self._spec.id, "instrument": instrument_id},
        )

    async def _load(self) -> None:
        self._wanted = False
        self._read = self._clock.monotonic()
        found = await self._caller.pages(commands.ListInstruments(), self.scope())
        self._by_symbol = {
            **{instrument.venue_code: instrument for instrument in found if instrument.venue_code},
            **{instrument.venue_symbol: instrument for instrument in found},
        }
        self.instruments = {instrument.id: instrument for instrument in found}
        self._conditions.set("instruments", Health.READY)
        self.loaded.set()
