"""The daemon itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambist.convert import decode
from cambist.services._base import Service, new_request_id
from cambist.streams import Reconnecting, Values
from cambist.types import Info, Status
from cambist.v1 import system_pb2 as v1
from cambist.v1.system_pb2_grpc import SystemServiceStub

if TYPE_CHECKING:
    from cambist.rpc import Rpc


class System(Service):
    """What the daemon is, how it is, and its end."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = SystemServiceStub(rpc.channel)

    async def get_info(self, *, timeout: float | None = None) -> Info:
        """Versions, limits, profile."""
        response = await self._rpc.call(self._stub.GetInfo, v1.GetInfoRequest(), timeout)
        return decode(Info, response)

    async def get_status(self, *, timeout: float | None = None) -> Status:
        """How the daemon and each of its parts are now."""
        response = await self._rpc.call(self._stub.GetStatus, v1.GetStatusRequest(), timeout)
        return decode(Status, response.status)

    def status(self) -> Values[v1.StreamStatusResponse, Status]:
        """The status now and at each change."""
        source = Reconnecting(self._rpc, self._stub.StreamStatus, v1.StreamStatusRequest)
        return Values(source, _status)

    async def shutdown(
        self, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Stops the daemon gracefully."""
        request = v1.ShutdownRequest(request_id=new_request_id(request_id))
        await self._rpc.call(self._stub.Shutdown, request, timeout)


def _status(
    response: v1.StreamStatusResponse, _: Values[v1.StreamStatusResponse, Status]
) -> list[Status]:
    return [decode(Status, response.status)] if response.HasField("status") else []
