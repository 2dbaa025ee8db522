"""AccessService: tokens and the roots that they are made from."""

from collections.abc import Callable, Mapping

from cambist.v1 import access_pb2 as pb
from core.errors import Refused
from daemon.access.caller import CALLER
from daemon.access.guard import Guard
from daemon.access.tokens import Keyring, bake
from daemon.codec import access as codec
from daemon.rpc.paging import paginate
from daemon.rpc.rules import invalid


class AccessService:
    """`permissions` has each method with what it needs; `connect_string` makes one of a token."""

    def __init__(
        self,
        keyring: Keyring,
        guard: Guard,
        permissions: Mapping[str, str],
        connect_string: Callable[[str], str],
    ) -> None:
        self._keyring = keyring
        self._guard = guard
        self._permissions = permissions
        self._connect_string = connect_string

    async def bake_token(self, request: pb.BakeTokenRequest) -> pb.BakeTokenResponse:
        """A token of a root; it never allows more than the token of whoever asks for it."""
        wanted = codec.grant(request.grant)
        known = set(self._permissions.values())
        if unknown := sorted(wanted.permissions - known):
            raise invalid("grant.permissions", f"names {unknown[0]!r}, which no call needs")
        if unknown := sorted(wanted.methods - self._permissions.keys()):
            raise invalid("grant.methods", f"names {unknown[0]!r}, which is no call")
        try:
            token = bake(self._keyring.roots.take(request.root), wanted, _checks())
        except ValueError as error:
            raise invalid("grant", str(error)) from error
        return pb.BakeTokenResponse(token=token, connect_string=self._connect_string(token))

    async def inspect_token(self, request: pb.InspectTokenRequest) -> pb.InspectTokenResponse:
        """What a token allows, every narrowing included."""
        try:
            found = self._keyring.inspect(request.token)
        except Refused as error:  # not the caller's own token: a field that is wrong
            raise invalid("token", "is no token of this daemon") from error
        return pb.InspectTokenResponse(
            root=found.root.name,
            grant=codec.grant_message(found.grant),
            revoked=found.root.revoked,
            other_checks=found.others,
        )

    async def list_token_roots(
        self, request: pb.ListTokenRootsRequest
    ) -> pb.ListTokenRootsResponse:
        """All roots, revoked ones too."""
        page, token = paginate(
            list(self._keyring.roots),
            lambda root: f"{root.name}/{root.id:010}",
            "roots",
            request.page_size,
            request.page_token,
        )
        return pb.ListTokenRootsResponse(
            roots=[codec.root(one) for one in page], next_page_token=token
        )

    async def revoke_token_root(
        self, request: pb.RevokeTokenRootRequest
    ) -> pb.RevokeTokenRootResponse:
        """From now on no token of the root is accepted, and its streams end."""
        self._guard.end(self._keyring.roots.revoke(request.root))
        return pb.RevokeTokenRootResponse()

    async def list_permissions(
        self, request: pb.ListPermissionsRequest
    ) -> pb.ListPermissionsResponse:
        """Every call with the permission that it needs."""
        page, token = paginate(
            sorted(self._permissions.items()),
            lambda one: one[0],
            "permissions",
            request.page_size,
            request.page_token,
        )
        return pb.ListPermissionsResponse(
            permissions=[
                pb.MethodPermission(method=method, permission=name) for method, name in page
            ],
            next_page_token=token,
        )


def _checks() -> tuple[str, ...]:
    """The caller's own restrictions, which what it makes has as well. Checks only: they are what
    restricts; whatever else is in its blocks is about that token."""
    return tuple(
        line.strip().rstrip(";")
        for source in CALLER.get().checks
        for line in source.splitlines()
        if line.strip().startswith(("check ", "reject "))
    )
