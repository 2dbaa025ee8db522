"""SystemService: what the daemon is, how it is, how to stop it."""

from collections.abc import AsyncIterator, Callable

from cambist.v1 import system_pb2 as pb
from daemon.codec.scalars import timestamp
from daemon.codec.venues import condition
from daemon.lifecycle import Lifecycle, Status
from daemon.rpc.dispatcher import MAX_REQUEST
from daemon.rpc.paging import MAX_PAGE


class SystemService:
    """`identity` tells the daemon's version, profile and id; `shutdown` asks it to stop."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        version: str,
        profile: str,
        daemon_id: Callable[[], str],
        event_sequence: Callable[[], int],
        limits: pb.Limits,
        shutdown: Callable[[], None],
    ) -> None:
        self._lifecycle = lifecycle
        self._version = version
        self._profile = profile
        self._daemon_id = daemon_id
        self._event_sequence = event_sequence
        self._limits = limits
        self._shutdown = shutdown

    async def get_info(self, request: pb.GetInfoRequest) -> pb.GetInfoResponse:
        """Versions, profile and limits."""
        return pb.GetInfoResponse(
            version=self._version,
            api="cambist.v1",
            profile=self._profile,
            limits=self._limits,
            daemon_id=self._daemon_id(),
        )

    async def get_status(self, request: pb.GetStatusRequest) -> pb.GetStatusResponse:
        """The state of the daemon and of each part."""
        return pb.GetStatusResponse(status=self._encode(self._lifecycle.status()))

    async def stream_status(
        self, request: pb.StreamStatusRequest
    ) -> AsyncIterator[pb.StreamStatusResponse]:
        """The status now and at each change."""
        silence = self._limits.heartbeat_milliseconds / 1000  # float: asyncio takes seconds
        async for status in self._lifecycle.statuses(silence):
            encoded = None if status is None else self._encode(status)
            yield pb.StreamStatusResponse(status=encoded)

    async def shutdown(self, request: pb.ShutdownRequest) -> pb.ShutdownResponse:
        """Answers, then stops."""
        self._shutdown()
        return pb.ShutdownResponse()

    def _encode(self, status: Status) -> pb.Status:
        return pb.Status(
            state=pb.DaemonState.ValueType(status.state.value),
            components=[
                pb.Component(kind=part.kind, id=part.id, condition=condition(part.condition))
                for part in status.components
            ],
            start_time=timestamp(self._lifecycle.start_time),
            event_sequence=self._event_sequence(),
        )


def limits(max_events_behind: int, heartbeat: int, request_id_seconds: int) -> pb.Limits:
    """The bounds that the daemon publishes; `heartbeat` in nanoseconds."""
    return pb.Limits(
        max_request_bytes=MAX_REQUEST,
        max_page_size=MAX_PAGE,
        max_events_behind=max_events_behind,
        heartbeat_milliseconds=heartbeat // 1_000_000,
        request_id_seconds=request_id_seconds,
    )
