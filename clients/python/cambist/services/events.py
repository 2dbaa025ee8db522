"""The log of what happened: gapless, resumable, never dropped."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from cambist.convert import decode
from cambist.errors import ProtocolError
from cambist.services._base import Service
from cambist.streams import Reconnecting, Stream
from cambist.types import Event
from cambist.v1 import events_pb2 as v1
from cambist.v1.events_pb2_grpc import EventServiceStub

if TYPE_CHECKING:
    import grpc.aio

    from cambist.pages import Pages
    from cambist.rpc import Rpc

    StreamEvents = grpc.aio.UnaryStreamMultiCallable[
        v1.StreamEventsRequest, v1.StreamEventsResponse
    ]


class Events(Service):
    """Orders, fills, balances, positions and transactions, as they happened."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = EventServiceStub(rpc.channel)

    def list_events(
        self, *, after_sequence: int = 0, account: str = "", page_size: int = 0
    ) -> Pages[Event]:
        """Events of the log after a sequence, oldest first."""
        request = v1.ListEventsRequest(
            after_sequence=after_sequence, account=account, page_size=page_size
        )
        return self._pages(self._stub.ListEvents, request, "events", Event)

    def stream(
        self,
        *,
        resume_token: str = "",
        from_start: bool = False,
        after_sequence: int = 0,
        account: str = "",
    ) -> EventStream:
        """Events as they happen, each exactly once: after `resume_token`, from the log's first, or
        from now on. Connections that break on the way are resumed.

        Keep `stream.resume_token` to go on later, in another process too. Where the process may die
        in the middle of a batch, keep the last `event.sequence` as well, and give it back as
        `after_sequence`: what was delivered already is left out.
        """
        request = v1.StreamEventsRequest(
            resume_token=resume_token, from_start=from_start, account=account
        )
        return EventStream(self._rpc, self._stub.StreamEvents, request, after_sequence)


class EventStream(Stream[Event]):
    """Events, each exactly once.

    `resume_token` is where the stream can be taken up again; it moves on with the last event of
    each batch. `sequence` is that of the last event delivered.
    """

    def __init__(
        self, rpc: Rpc, method: StreamEvents, request: v1.StreamEventsRequest, after: int
    ) -> None:
        self.resume_token = request.resume_token
        self.sequence = after
        self._request = request
        # A filter leaves events out, so their numbers only have to grow.
        self._gapless = not request.account
        # The sequence before the first event of the next batch, None where it is not known.
        self._position: int | None = 0 if request.from_start else None
        self._source = Reconnecting(rpc, method, self._next_request)
        super().__init__()

    def _next_request(self) -> v1.StreamEventsRequest:
        request = v1.StreamEventsRequest()
        request.CopyFrom(self._request)
        if self.resume_token:
            request.resume_token = self.resume_token
            request.from_start = False
        return request

    async def _run(self) -> AsyncGenerator[Event, None]:
        try:
            while True:
                response = await self._source.read()
                if response is None:
                    continue
                events = response.events
                last = len(events) - 1
                for place, raw in enumerate(events):
                    self._check(raw.sequence)
                    if place == last:
                        self.resume_token = response.resume_token
                    if raw.sequence > self.sequence:
                        self.sequence = raw.sequence
                        yield decode(Event, raw)
                if response.resume_token:
                    self.resume_token = response.resume_token
        finally:
            self._source.cancel()

    def _check(self, sequence: int) -> None:
        before = self._position
        if before is not None:
            expected = sequence == before + 1 if self._gapless else sequence > before
            if not expected:
                raise ProtocolError(
                    f"event {sequence} came after event {before}: the log must have no gap and no "
                    "event twice; report this as a bug",
                    metadata={"sequence": str(sequence), "after": str(before)},
                )
        self._position = sequence
