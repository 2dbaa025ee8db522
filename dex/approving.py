"""Which ways there are to let a venue's contracts take a token, and what each would need."""

import asyncio
from collections.abc import Sequence

from chains.evm import erc20, permit2
from core.swaps import Approval, ApprovalMethod, ApprovalOffer
from core.tokens import Token
from dex.allowances import Allowances
from dex.network import PoolNetwork
from dex.permits import not_offered, permits_of
from dex.spec import FamilyName, PoolVenueSpec

BY_PERMIT2 = frozenset({ApprovalMethod.PERMIT2, ApprovalMethod.PERMIT2_UNLIMITED})
_ALWAYS = (ApprovalMethod.EXACT, ApprovalMethod.UNLIMITED)
_NO_PERMITS = "the exchange's router takes no permit with a swap"
_NO_PERMIT2 = "the exchange has no router that takes tokens by Permit2"


class Approving:
    """Of one venue's swaps. `allowances` are those of its router."""

    def __init__(self, spec: PoolVenueSpec, network: PoolNetwork, allowances: Allowances) -> None:
        self._spec = spec
        self._network = network
        self._allowances = allowances

    @property
    def universal_router(self) -> str:
        """Who takes tokens by Permit2; "" where nobody does."""
        return self._spec.deployment.universal_router

    async def offers(self, token: Token, owner: str) -> Sequence[ApprovalOffer]:
        """Every method, and why not where it is not offered; none for the native coin."""
        if token.is_native:
            return []
        by_token, by_permit2 = await asyncio.gather(
            self._why_no_permit(token, owner), self._why_no_permit2(token, owner)
        )
        return [
            *(ApprovalOffer(method) for method in _ALWAYS),
            ApprovalOffer(ApprovalMethod.EIP2612, by_token),
            *(
                ApprovalOffer(method, by_permit2)
                for method in ApprovalMethod
                if method in BY_PERMIT2
            ),
        ]

    async def required(
        self, token: Token, units: int, owner: str, method: ApprovalMethod
    ) -> Approval | None:
        """What the owner must allow for a swap of so much; None when that is there already.
        Refused with UNSUPPORTED_BY_VENUE for a method that is not offered."""
        if token.is_native:
            return None
        await self.check(token, owner, method)
        if method in BY_PERMIT2:
            allowances = permits_of(self._network).permit2
            if await self._has(allowances, owner, token, units):
                return Approval(token, self.universal_router, units, method, by_signature=True)
            most = erc20.MAX_UINT if method is ApprovalMethod.PERMIT2_UNLIMITED else units
            return Approval(token, permit2.ADDRESS, most, method)
        if await self._has(self._allowances, owner, token, units):
            return None
        spender = self._allowances.spender
        if method is ApprovalMethod.EIP2612:
            return Approval(token, spender, units, method, by_signature=True)
        most = erc20.MAX_UINT if method is ApprovalMethod.UNLIMITED else units
        return Approval(token, spender, most, method)

    async def check(self, token: Token, owner: str, method: ApprovalMethod) -> None:
        """Refused with UNSUPPORTED_BY_VENUE for a method that is not offered."""
        why = ""
        if method is ApprovalMethod.EIP2612:
            why = await self._why_no_permit(token, owner)
        elif method in BY_PERMIT2:
            why = await self._why_no_permit2(token, owner)
        if why:
            raise not_offered(method, token, why)

    async def _why_no_permit(self, token: Token, owner: str) -> str:
        if self._spec.protocol.family is not FamilyName.CONCENTRATED:
            return _NO_PERMITS
        found = await permits_of(self._network).of_token(token, owner)
        return found if isinstance(found, str) else ""

    async def _why_no_permit2(self, token: Token, owner: str) -> str:
        if not self.universal_router:
            return _NO_PERMIT2
        found = await permits_of(self._network).of_permit2(token, owner, self.universal_router)
        return found if isinstance(found, str) else ""

    async def _has(self, allowances: Allowances, owner: str, token: Token, units: int) -> bool:
        _, free = await allowances.read_free(owner, token)
        return free >= units
