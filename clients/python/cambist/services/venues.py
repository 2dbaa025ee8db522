"""Venues and their instruments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambist.convert import decode
from cambist.services._base import Service
from cambist.types import Instrument, RateLimit, Venue
from cambist.v1 import venues_pb2 as v1
from cambist.v1.venues_pb2_grpc import VenueServiceStub

if TYPE_CHECKING:
    from cambist.pages import Pages
    from cambist.rpc import Rpc


class Venues(Service):
    """What can be traded where."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = VenueServiceStub(rpc.channel)

    def list_venues(self, *, page_size: int = 0) -> Pages[Venue]:
        """All venues with capabilities, standing and condition, by id."""
        request = v1.ListVenuesRequest(page_size=page_size)
        return self._pages(self._stub.ListVenues, request, "venues", Venue)

    async def get_venue(self, venue: str, *, timeout: float | None = None) -> Venue:
        """One venue."""
        request = v1.GetVenueRequest(venue=venue)
        return decode(Venue, (await self._rpc.call(self._stub.GetVenue, request, timeout)).venue)

    def list_instruments(
        self, venue: str = "", *, base: str = "", quote: str = "", page_size: int = 0
    ) -> Pages[Instrument]:
        """Instruments of a venue, or of all, by venue and id."""
        request = v1.ListInstrumentsRequest(
            venue=venue, base=base, quote=quote, page_size=page_size
        )
        return self._pages(self._stub.ListInstruments, request, "instruments", Instrument)

    async def get_instrument(
        self, venue: str, instrument: str, *, timeout: float | None = None
    ) -> Instrument:
        """One instrument."""
        request = v1.GetInstrumentRequest(venue=venue, instrument=instrument)
        response = await self._rpc.call(self._stub.GetInstrument, request, timeout)
        return decode(Instrument, response.instrument)

    def list_rate_limits(self, venue: str = "", *, page_size: int = 0) -> Pages[RateLimit]:
        """How much of each rate limit is used."""
        request = v1.ListRateLimitsRequest(venue=venue, page_size=page_size)
        return self._pages(self._stub.ListRateLimits, request, "rate_limits", RateLimit)
