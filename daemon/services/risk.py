"""RiskService: limits, halts and leases."""

from cambist.v1 import risk_pb2 as pb
from daemon.access.scopes import Names
from daemon.codec import risk as codec
from daemon.codec.scalars import decimal, timestamp
from daemon.registry import Registry
from daemon.risk.office import RiskOffice
from daemon.rpc.paging import paginate


class RiskService:
    """Over the risk office."""

    def __init__(self, registry: Registry, office: RiskOffice) -> None:
        self._registry = registry
        self._office = office

    async def list_risk_limits(
        self, request: pb.ListRiskLimitsRequest
    ) -> pb.ListRiskLimitsResponse:
        """The limits in force, by rule."""
        page, token = paginate(
            sorted(self._office.limits, key=lambda one: (one.rule, str(one.scope), one.asset)),
            lambda one: f"{one.rule}/{one.scope}/{one.asset}",
            "limits",
            request.page_size,
            request.page_token,
        )
        return pb.ListRiskLimitsResponse(
            limits=[codec.limit(one, self._office.used(one)) for one in page],
            next_page_token=token,
        )

    async def tighten_risk_limit(
        self, request: pb.TightenRiskLimitRequest
    ) -> pb.TightenRiskLimitResponse:
        """Lower, or new; in force and durable when it returns."""
        bound = decimal(request.limit, "limit")
        limit = self._office.limits.tighten(request.name, codec.scope(request.scope), bound)
        self._office.keep()
        return pb.TightenRiskLimitResponse(limit=codec.limit(limit, self._office.used(limit)))

    async def halt(self, request: pb.HaltRequest) -> pb.HaltResponse:
        """In force at once; open orders are canceled afterwards where that is asked."""
        scope = codec.scope(request.scope)
        if scope.venue:
            self._registry.venue(scope.venue)
        reduce = request.mode == pb.HALT_MODE_REDUCE
        try:
            halt = self._office.halts.add(scope, reduce, request.reason)
        finally:  # it is in force even where the disk does not keep it
            if request.cancel_orders:
                await self._office.cancel(scope)
        return pb.HaltResponse(halt=codec.halt(halt))

    async def resume(self, request: pb.ResumeRequest) -> pb.ResumeResponse:
        """Ends a halt."""
        self._office.halts.end(request.halt_id)
        return pb.ResumeResponse()

    async def list_halts(self, request: pb.ListHaltsRequest) -> pb.ListHaltsResponse:
        """Oldest first."""
        page, token = paginate(
            sorted(self._office.halts, key=lambda one: int(one.id.partition("-")[2])),
            lambda one: f"{int(one.id.partition('-')[2]):020}",
            "halts",
            request.page_size,
            request.page_token,
        )
        return pb.ListHaltsResponse(halts=[codec.halt(one) for one in page], next_page_token=token)

    async def open_lease(self, request: pb.OpenLeaseRequest) -> pb.OpenLeaseResponse:
        """Covers the orders of its accounts."""
        for account in request.accounts:
            self._registry.account_venues(account)
        lease = self._office.leases.open(
            request.duration.ToNanoseconds(), tuple(dict.fromkeys(request.accounts))
        )
        return pb.OpenLeaseResponse(lease_id=lease.id, expire_time=timestamp(lease.expire_time))

    async def renew_lease(self, request: pb.RenewLeaseRequest) -> pb.RenewLeaseResponse:
        """For its whole length again."""
        lease = self._office.leases.renew(request.lease_id)
        return pb.RenewLeaseResponse(expire_time=timestamp(lease.expire_time))

    async def close_lease(self, request: pb.CloseLeaseRequest) -> pb.CloseLeaseResponse:
        """Orders stay."""
        self._office.leases.close(request.lease_id)
        return pb.CloseLeaseResponse()

    # What requests concern that name it by an id, for tokens.

    async def of_lease(self, request: pb.RenewLeaseRequest | pb.CloseLeaseRequest) -> Names:
        """The accounts of a lease."""
        for lease in self._office.leases:
            if lease.id == request.lease_id:
                return {"account": set(lease.accounts)}
        return {}

    async def of_halt(self, request: pb.ResumeRequest) -> Names:
        """What a halt concerns; what it leaves open stays so."""
        halt = self._office.halts.get(request.halt_id)
        if halt is None:
            return {}
        named = codec.scope_message(halt.scope)
        return {
            scope: {getattr(named, scope)}
            for scope in ("venue", "account", "instrument")
            if getattr(named, scope)
        }
