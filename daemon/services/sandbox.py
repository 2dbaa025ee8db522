"""SandboxService: makes the paper exchange misbehave on purpose."""

from collections.abc import Callable

from cambist.v1 import sandbox_pb2 as pb
from cex.paper.faults import Fault, FaultKind, Faults
from core.errors import Reason, Refused
from daemon.codec.scalars import duration
from daemon.rpc.paging import paginate

_KINDS = {
    FaultKind[name.removeprefix("FAULT_KIND_")]: value
    for name, value in pb.FaultKind.items()
    if value
}
_DEFAULT_DELAY = 1_000_000_000


class SandboxService:
    """`faults` are the paper exchange's; None where there is none."""

    def __init__(self, faults: Callable[[], Faults | None]) -> None:
        self._faults = faults

    async def add_fault(self, request: pb.AddFaultRequest) -> pb.AddFaultResponse:
        """Switches a fault on."""
        asked = request.fault
        delay = asked.delay.ToNanoseconds() if asked.HasField("delay") else _DEFAULT_DELAY
        kind = next(kind for kind, value in _KINDS.items() if value == asked.kind)
        self._present().add(
            Fault(
                kind,
                asked.venue,
                asked.account,
                asked.operation,
                asked.instrument,
                asked.times or None,
                delay if kind is FaultKind.DELAY else 0,
                delay,
            )
        )
        return pb.AddFaultResponse()

    async def list_faults(self, request: pb.ListFaultsRequest) -> pb.ListFaultsResponse:
        """The faults that are on, oldest first."""
        page, token = paginate(
            list(self._present().active().items()),
            lambda one: f"{one[0]:020}",
            "faults",
            request.page_size,
            request.page_token,
        )
        return pb.ListFaultsResponse(
            faults=[_encode(fault) for _, fault in page], next_page_token=token
        )

    async def clear_faults(self, request: pb.ClearFaultsRequest) -> pb.ClearFaultsResponse:
        """Switches all off."""
        self._present().clear()
        return pb.ClearFaultsResponse()

    def _present(self) -> Faults:
        faults = self._faults()
        if faults is None:
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                "faults exist in the sandbox only: cambistd run --profile sandbox",
                {"capability": "faults"},
            )
        return faults


def _encode(fault: Fault) -> pb.Fault:
    return pb.Fault(
        kind=_KINDS[fault.kind],
        venue=fault.venue,
        account=fault.account,
        operation=fault.operation,
        instrument=fault.instrument,
        times=fault.times or 0,
        delay=duration(fault.delay or fault.retry_after),
    )
