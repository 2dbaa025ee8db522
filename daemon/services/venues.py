"""VenueService: venues, their instruments, their rate limits."""

from cambist.v1 import venues_pb2 as pb
from core.ports import Metered
from daemon.codec import venues as codec
from daemon.registry import Registry
from daemon.rpc.paging import paginate


class VenueService:
    """Reads the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def list_venues(self, request: pb.ListVenuesRequest) -> pb.ListVenuesResponse:
        """All venues, by id."""
        venues = list(self._registry.venues.values())
        page, token = paginate(
            venues, lambda venue: venue.info.id, "venues", request.page_size, request.page_token
        )
        return pb.ListVenuesResponse(
            venues=[codec.venue(venue) for venue in page], next_page_token=token
        )

    async def get_venue(self, request: pb.GetVenueRequest) -> pb.GetVenueResponse:
        """One venue."""
        return pb.GetVenueResponse(venue=codec.venue(self._registry.venue(request.venue)))

    async def list_instruments(
        self, request: pb.ListInstrumentsRequest
    ) -> pb.ListInstrumentsResponse:
        """Instruments of one venue or all, by venue and id."""
        registry = self._registry
        venues = [registry.venue(request.venue)] if request.venue else registry.venues.values()
        found = [
            instrument
            for venue in venues
            for instrument in venue.instruments.values()
            if request.base in ("", instrument.base) and request.quote in ("", instrument.quote)
        ]
        page, token = paginate(
            found,
            lambda instrument: f"{instrument.venue}/{instrument.id}",
            f"instruments/{request.venue}/{request.base}/{request.quote}",
            request.page_size,
            request.page_token,
        )
        return pb.ListInstrumentsResponse(
            instruments=[codec.instrument(instrument) for instrument in page],
            next_page_token=token,
        )

    async def list_rate_limits(
        self, request: pb.ListRateLimitsRequest
    ) -> pb.ListRateLimitsResponse:
        """What is used of each limit that a venue meters; venues without any have none."""
        registry = self._registry
        venues = [registry.venue(request.venue)] if request.venue else registry.venues.values()
        found = [
            codec.rate_limit(venue.info.id, usage)
            for venue in venues
            if isinstance(venue, Metered)
            for usage in venue.rate_limits()
        ]
        page, token = paginate(
            found,
            lambda one: f"{one.venue}/{one.scope}/{one.name}",
            f"rate-limits/{request.venue}",
            request.page_size,
            request.page_token,
        )
        return pb.ListRateLimitsResponse(rate_limits=page, next_page_token=token)

    async def get_instrument(self, request: pb.GetInstrumentRequest) -> pb.GetInstrumentResponse:
        """One instrument."""
        found = self._registry.instrument(request.venue, request.instrument)
        return pb.GetInstrumentResponse(instrument=codec.instrument(found))
