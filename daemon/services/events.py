"""EventService: the log of what happened, in pages or as a stream that loses nothing."""

from collections.abc import AsyncIterator

from cambist.v1 import events_pb2 as pb
from core.clock import SECOND
from daemon.journal import Journal
from daemon.registry import Registry
from daemon.rpc.paging import decode_token, encode_token, page_size
from daemon.rpc.rules import invalid
from daemon.streams.events import EventStream

_RESUME_TOKEN_TAG = b"\x12"  # field 2 of StreamEventsResponse, length-delimited


class EventService:
    """Reads the journal; a stream's events were encoded once, when they happened."""

    def __init__(
        self, registry: Registry, journal: Journal, stream: EventStream, heartbeat: int
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._stream = stream
        self._heartbeat = heartbeat / SECOND  # float: asyncio timeouts are in seconds

    async def list_events(self, request: pb.ListEventsRequest) -> pb.ListEventsResponse:
        """Events after a sequence, oldest first."""
        self._check_account(request.account)
        scope = f"events/{request.account}"
        after = decode_token(scope, request.page_token)
        position = int(after) if after else request.after_sequence
        if position > self._journal.sequence:
            raise invalid("after_sequence", f"is beyond the last event, {self._journal.sequence}")
        size = page_size(request.page_size)
        rows = await self._journal.read(
            lambda store: store.events(position, size + 1, request.account)
        )
        page = rows[:size]
        return pb.ListEventsResponse(
            events=[pb.Event.FromString(row.data) for row in page],
            next_page_token=encode_token(scope, str(page[-1].sequence)) if len(rows) > size else "",
        )

    async def stream_events(self, request: pb.StreamEventsRequest) -> AsyncIterator[bytes]:
        """Events as they happen; each message carries the token to go on after it."""
        self._check_account(request.account)
        if request.resume_token and request.from_start:
            raise invalid("from_start", "cannot be together with resume_token")
        reader = self._stream.reader(
            resume_token=request.resume_token,
            from_start=request.from_start,
            account=request.account,
        )
        # The first message tells where the stream begins, before anything has happened.
        yield _token(reader.resume_token)
        while True:
            chunk = await reader.next(self._heartbeat)
            if chunk is None:
                yield _token(reader.resume_token)
            else:
                yield chunk.data + _token(chunk.resume_token)

    def _check_account(self, account: str) -> None:
        if account:
            self._registry.account_venues(account)


def _token(token: str) -> bytes:
    raw = token.encode()
    return _RESUME_TOKEN_TAG + bytes((len(raw),)) + raw
