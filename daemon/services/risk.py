"""RiskService: limits, halts and leases."""

from collections.abc import Callable
from functools import partial

from cambist.v1 import risk_pb2 as pb
from core.errors import Reason, Refused
from daemon.access.scopes import Names
from daemon.codec import risk as codec
from daemon.codec.scalars import decimal, timestamp
from daemon.registry import Registry, suggestion
from daemon.risk.office import RiskOffice
from daemon.risk.scope import Scope
from daemon.rpc.paging import paginate


class RiskService:
    """Over the risk office."""

    def __init__(
        self, registry: Registry, office: RiskOffice, is_root: Callable[[str], bool]
    ) -> None:
        self._registry = registry
        self._office = office
        self._is_root = is_root

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
        bound, scope = decimal(request.limit, "limit"), codec.scope(request.scope)
        self._check(scope)
        limit = self._office.limits.tighten(request.name, scope, bound)
        self._office.keep()
        return pb.TightenRiskLimitResponse(limit=codec.limit(limit, self._office.used(limit)))

    async def halt(self, request: pb.HaltRequest) -> pb.HaltResponse:
        """In force at once; open orders are canceled afterwards where that is asked."""
        scope = codec.scope(request.scope)
        self._check(scope)
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

    def _check(self, scope: Scope) -> None:
        """Raises what says that nothing has this name: who misspells what is to be halted must not
        believe that it is. What is not here for the moment (starting, locked) is let pass."""
        registry = self._registry
        for ask, missing in (
            (partial(registry.venue, scope.venue), scope.venue),
            (partial(registry.account_venues, scope.account), scope.account),
        ):
            try:
                if missing and missing not in registry.absent:
                    ask()
            except Refused as error:
                if error.reason is not Reason.SECRETS_LOCKED:
                    raise
        self._check_instrument(scope)
        if scope.token_root and not self._is_root(scope.token_root):
            raise Refused(
                Reason.TOKEN_ROOT_NOT_FOUND,
                f"no token has the root {scope.token_root[:80]!r}: 'cambist token list' shows them",
                {"root": scope.token_root[:80]},
            )

    def _check_instrument(self, scope: Scope) -> None:
        venues = self._registry.venues
        asked = [scope.venue] if scope.venue else list(venues)
        known = [dict(venues[one].instruments) if one in venues else {} for one in asked]
        if not scope.instrument or any(not one or scope.instrument in one for one in known):
            return
        names = {name for one in known for name in one}
        raise Refused(
            Reason.INSTRUMENT_NOT_FOUND,
            f"{scope.venue or 'no venue'} has {'no' if scope.venue else 'an'} instrument "
            f"{scope.instrument[:80]!r}{suggestion(scope.instrument, names)}",
            {"instrument": scope.instrument[:80]},
        )

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
