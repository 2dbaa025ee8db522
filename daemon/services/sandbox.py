"""SandboxService: makes the paper exchange misbehave on purpose."""

from collections.abc import Callable

from cambist.v1 import sandbox_pb2 as pb
from cex.paper.faults import OPERATIONS, Fault, FaultKind, Faults
from core.errors import Reason, Refused
from daemon.codec.scalars import duration
from daemon.registry import Registry
from daemon.rpc.paging import paginate
from daemon.rpc.rules import invalid

_KINDS = {
    FaultKind[name.removeprefix("FAULT_KIND_")]: value
    for name, value in pb.FaultKind.items()
    if value
}
_DEFAULT_DELAY = 1_000_000_000
_LONGEST = 86_400  # seconds
_MOST = 100  # faults at once: each is looked at in every command


class SandboxService:
    """`faults` are the paper exchange's; None where there is none."""

    def __init__(self, registry: Registry, faults: Callable[[], Faults | None]) -> None:
        self._registry = registry
        self._faults = faults

    async def add_fault(self, request: pb.AddFaultRequest) -> pb.AddFaultResponse:
        """Switches a fault on."""
        faults = self._present()
        asked = request.fault
        self._check(asked)
        if len(faults.active()) >= _MOST:
            raise invalid("fault", f"is one too many: {_MOST} are on; 'cambist sandbox heal'")
        delay = asked.delay.ToNanoseconds() if asked.HasField("delay") else _DEFAULT_DELAY
        kind = next(kind for kind, value in _KINDS.items() if value == asked.kind)
        faults.add(
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

    def _check(self, asked: pb.Fault) -> None:
        """A fault that could never strike is a mistake; the error names it."""
        if asked.operation and asked.operation not in OPERATIONS:
            raise invalid(
                "fault.operation", f"must be one of {', '.join(OPERATIONS)}", asked.operation
            )
        if asked.delay.seconds > _LONGEST:
            raise invalid("fault.delay", f"must be at most {_LONGEST} seconds")
        if asked.venue:
            self._registry.venue(asked.venue)
        if asked.account:
            self._registry.account_venues(asked.account)
        if asked.venue and asked.instrument:
            self._registry.instrument(asked.venue, asked.instrument)

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
