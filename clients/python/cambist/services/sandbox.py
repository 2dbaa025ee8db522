"""The sandbox's paper exchange, made to misbehave: a bot meets its faults before real venues'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambist.convert import to_duration
from cambist.services._base import Service, new_request_id
from cambist.types import Fault, FaultKind
from cambist.v1 import sandbox_pb2 as v1
from cambist.v1.sandbox_pb2_grpc import SandboxServiceStub

if TYPE_CHECKING:
    from datetime import timedelta

    from cambist.pages import Pages
    from cambist.rpc import Rpc


class Sandbox(Service):
    """Faults of the paper exchange; `UnsupportedByVenue` outside the sandbox profile."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = SandboxServiceStub(rpc.channel)

    async def add_fault(
        self,
        kind: FaultKind,
        *,
        venue: str = "",
        account: str = "",
        operation: str = "",
        instrument: str = "",
        times: int = 0,
        delay: timedelta | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Switches a fault on, for everything that the empty filters leave in.

        `operation` is a command or a question: "place", "cancel", "replace", "query", "fills" and
        so on. `times` is how often it strikes, 0 until `clear_faults`. `delay` is how long a
        DELAY is, or after how long a RATE_LIMIT says that one may try again; one second if None.
        """
        fault = v1.Fault(
            kind=v1.FaultKind.ValueType(kind.value),
            venue=venue,
            account=account,
            operation=operation,
            instrument=instrument,
            times=times,
            delay=None if delay is None else to_duration(delay),
        )
        request = v1.AddFaultRequest(request_id=new_request_id(request_id), fault=fault)
        await self._rpc.call(self._stub.AddFault, request, timeout)

    def list_faults(self, *, page_size: int = 0) -> Pages[Fault]:
        """The faults that are on, oldest first; `times` is what is left."""
        request = v1.ListFaultsRequest(page_size=page_size)
        return self._pages(self._stub.ListFaults, request, "faults", Fault)

    async def clear_faults(
        self, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Switches all faults off."""
        request = v1.ClearFaultsRequest(request_id=new_request_id(request_id))
        await self._rpc.call(self._stub.ClearFaults, request, timeout)
