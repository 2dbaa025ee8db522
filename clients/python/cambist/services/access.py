"""Capability tokens."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from cambist.convert import decode, text, to_timestamp
from cambist.services._base import Service, new_request_id
from cambist.types import BakedToken, Grant, InspectedToken, MethodPermission, TokenRoot
from cambist.v1 import access_pb2 as v1
from cambist.v1.access_pb2_grpc import AccessServiceStub

if TYPE_CHECKING:
    from cambist.pages import Pages
    from cambist.rpc import Rpc

_CEILINGS = ("max_order_notional", "max_day_notional", "max_slippage")


class Access(Service):
    """Tokens, and the roots that they are made from: one a bot, so that one bot can be revoked."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = AccessServiceStub(rpc.channel)

    async def bake_token(
        self,
        root: str,
        grant: Grant,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> BakedToken:
        """A token of a root, which is made where there is none of the name. It never allows more
        than the token of whoever asks for it."""
        request = v1.BakeTokenRequest(
            request_id=new_request_id(request_id), root=root, grant=grant_message(grant)
        )
        baked = await self._rpc.call(self._stub.BakeToken, request, timeout)
        return decode(BakedToken, baked)

    async def inspect_token(self, token: str, *, timeout: float | None = None) -> InspectedToken:
        """What a token allows; `Unauthenticated` for one that is not of this daemon."""
        request = v1.InspectTokenRequest(token=token)
        found = await self._rpc.call(self._stub.InspectToken, request, timeout)
        return decode(InspectedToken, found)

    def list_token_roots(self, *, page_size: int = 0) -> Pages[TokenRoot]:
        """All roots by name, revoked ones too."""
        request = v1.ListTokenRootsRequest(page_size=page_size)
        return self._pages(self._stub.ListTokenRoots, request, "roots", TokenRoot)

    async def revoke_token_root(
        self, root: str, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Makes every token of a root worthless, and ends its streams."""
        request = v1.RevokeTokenRootRequest(request_id=new_request_id(request_id), root=root)
        await self._rpc.call(self._stub.RevokeTokenRoot, request, timeout)

    def list_permissions(self, *, page_size: int = 0) -> Pages[MethodPermission]:
        """Every call with the permission that it needs."""
        request = v1.ListPermissionsRequest(page_size=page_size)
        return self._pages(self._stub.ListPermissions, request, "permissions", MethodPermission)


def grant_message(grant: Grant) -> v1.Grant:
    """A grant in the contract's words."""
    message = v1.Grant(
        reduce_only=grant.reduce_only,
        paper_only=grant.paper_only,
        no_withdrawal=grant.no_withdrawal,
    )
    for name in _CEILINGS:
        bound = getattr(grant, name)
        if bound is not None:
            setattr(message, name, text(bound))
    for field in fields(grant):
        value = getattr(grant, field.name)
        if isinstance(value, tuple):
            getattr(message, field.name).extend(value)
    expiry = to_timestamp(grant.expire_time)
    if expiry is not None:
        message.expire_time.CopyFrom(expiry)
    return message
