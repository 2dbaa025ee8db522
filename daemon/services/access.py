"""AccessService: tokens and the roots that they are made from."""

from collections.abc import Callable, Mapping

from cambist.v1 import access_pb2 as pb
from core.errors import Reason, Refused
from daemon.access.caller import CALLER
from daemon.access.grant import checks, handed_on
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
            raise invalid(
                "grant.permissions",
                f"names {unknown[0]!r}, which no call needs: see 'cambist token permissions'",
            )
        if unknown := sorted(wanted.methods - self._permissions.keys()):
            raise invalid(
                "grant.methods",
                f"names {unknown[0]!r}, which is no call: see 'cambist token permissions'",
            )
        inherited = _inherited(request.root)
        try:
            checks(wanted)  # before a root is made for it
            token = bake(self._keyring.roots.take(request.root), wanted, inherited)
        except ValueError as error:
            raise invalid("grant", str(error)) from error
        return pb.BakeTokenResponse(token=token, connect_string=self._connect_string(token))

    async def inspect_token(self, request: pb.InspectTokenRequest) -> pb.InspectTokenResponse:
        """What a token allows, every narrowing included."""
        try:
            found = self._keyring.inspect(request.token)
        except Refused as error:  # not the caller's own token: a field that is wrong
            raise invalid(
                "token", "is no token of this daemon: ask the daemon that made it"
            ) from error
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
        roots = self._keyring.roots
        before = roots.named(request.root)
        try:
            roots.revoke(request.root)
        finally:  # they are worthless even where the disk does not keep it
            if before is not None:
                self._guard.end(before)
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


def _inherited(root: str) -> list[str]:
    """The caller's own restrictions, which what it makes has as well. What a restricted token makes
    is of its own root: revoking that ends all of it, and what is counted for a root (a day's
    notional, a limit) is counted together."""
    caller = CALLER.get()
    try:
        inherited = handed_on(caller.checks)
    except ValueError as error:
        raise Refused(
            Reason.PERMISSION_DENIED,
            f"this token of {caller.root!r} cannot make others: {error}; 'cambist token attenuate' "
            "narrows it without the daemon",
            {"permission": "BakeToken", "root": caller.root},
        ) from error
    if inherited and root != caller.root:
        raise Refused(
            Reason.PERMISSION_DENIED,
            f"this token of {caller.root!r} is restricted, so it makes tokens of the root "
            f"{caller.root!r} only: name that one, or use a token without restrictions",
            {"permission": "BakeToken", "root": caller.root},
        )
    return inherited
