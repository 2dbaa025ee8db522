"""Limits, halts and leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cambist.convert import Amount, decode, from_timestamp, text, to_duration
from cambist.services._base import Service, new_request_id
from cambist.types import HaltMode, HaltRecord, Lease, RiskLimit, Scope
from cambist.v1 import risk_pb2 as v1
from cambist.v1.risk_pb2_grpc import RiskServiceStub

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from cambist.pages import Pages
    from cambist.rpc import Rpc

EVERYTHING = Scope()


class Risk(Service):
    """What may be sent at all, whoever asks."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = RiskServiceStub(rpc.channel)

    def list_risk_limits(self, *, page_size: int = 0) -> Pages[RiskLimit]:
        """The limits and how far each is used."""
        request = v1.ListRiskLimitsRequest(page_size=page_size)
        return self._pages(self._stub.ListRiskLimits, request, "limits", RiskLimit)

    async def tighten_risk_limit(
        self,
        name: str,
        limit: Amount,
        *,
        scope: Scope = EVERYTHING,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> RiskLimit:
        """Makes a limit tighter, or a new one; `RiskLimitExceeded` for a looser one."""
        request = v1.TightenRiskLimitRequest(
            request_id=new_request_id(request_id), name=name, scope=_scope(scope), limit=text(limit)
        )
        answer = await self._rpc.call(self._stub.TightenRiskLimit, request, timeout)
        return decode(RiskLimit, answer.limit)

    async def halt(
        self,
        *,
        scope: Scope = EVERYTHING,
        mode: HaltMode = HaltMode.ALL,
        cancel_orders: bool = False,
        reason: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> HaltRecord:
        """Stops new orders and transactions; cancels always pass."""
        request = v1.HaltRequest(
            request_id=new_request_id(request_id),
            scope=_scope(scope),
            mode=v1.HaltMode.ValueType(mode.value),
            cancel_orders=cancel_orders,
            reason=reason,
        )
        return decode(HaltRecord, (await self._rpc.call(self._stub.Halt, request, timeout)).halt)

    async def resume(
        self, halt_id: str, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Ends a halt."""
        request = v1.ResumeRequest(request_id=new_request_id(request_id), halt_id=halt_id)
        await self._rpc.call(self._stub.Resume, request, timeout)

    def list_halts(self, *, page_size: int = 0) -> Pages[HaltRecord]:
        """The halts in force, oldest first."""
        request = v1.ListHaltsRequest(page_size=page_size)
        return self._pages(self._stub.ListHalts, request, "halts", HaltRecord)

    async def open_lease(
        self,
        duration: timedelta,
        accounts: Sequence[str],
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Lease:
        """From now on the open orders of `accounts` are canceled when the lease is not renewed in
        time. `lease` does it all."""
        request = v1.OpenLeaseRequest(
            request_id=new_request_id(request_id),
            duration=to_duration(duration),
            accounts=accounts,
        )
        opened = await self._rpc.call(self._stub.OpenLease, request, timeout)
        return decode(Lease, opened)

    async def renew_lease(self, lease_id: str, *, timeout: float | None = None) -> datetime:
        """For its whole duration again; when it ends now."""
        request = v1.RenewLeaseRequest(lease_id=lease_id)
        renewed = await self._rpc.call(self._stub.RenewLease, request, timeout)
        return from_timestamp(renewed.expire_time)

    async def close_lease(
        self, lease_id: str, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Ends a lease without canceling anything."""
        request = v1.CloseLeaseRequest(request_id=new_request_id(request_id), lease_id=lease_id)
        await self._rpc.call(self._stub.CloseLease, request, timeout)

    @asynccontextmanager
    async def lease(self, duration: timedelta, accounts: Sequence[str]) -> AsyncIterator[Lease]:
        """While the block runs, open orders of `accounts` are canceled when this bot goes silent
        for `duration`. Renewed three times in that; closed at the end, and orders stay."""
        opened = await self.open_lease(duration, accounts)
        renewing = asyncio.create_task(self._renew(opened.lease_id, duration.total_seconds() / 3))
        try:
            yield opened
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self.close_lease(opened.lease_id)

    async def _renew(self, lease_id: str, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            await self.renew_lease(lease_id)


def _scope(scope: Scope) -> v1.Scope:
    return v1.Scope(
        venue=scope.venue,
        account=scope.account,
        instrument=scope.instrument,
        token_root=scope.token_root,
    )
