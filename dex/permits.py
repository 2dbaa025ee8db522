"""Signatures in the place of approvals: by the token itself (EIP-2612), and by Permit2.

Each is for one amount, one spender, until the swap's own deadline. It is journaled before it is
made, and what it allows stays with the transaction that brings it.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from weakref import WeakKeyDictionary, proxy

from chains.evm import eip2612, permit2
from chains.evm.eip2612 import Permitting
from chains.evm.model import Call
from chains.evm.permit2 import PermitSingle
from chains.evm.typed_data import TypedData
from core.errors import Reason, Refused
from core.money import units_text
from core.swaps import ApprovalMethod
from core.tokens import Token
from dex.allowances import Allowances
from dex.network import PoolNetwork
from dex.permit_turns import PERMIT_OF, PermitTurns

_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Grant:
    """What is to be allowed. `deadline` in ns; `purpose` is what for, in a word."""

    owner: str
    token: Token
    spender: str
    units: int
    deadline: int
    intent: str
    purpose: str = "swap"

    @property
    def seconds(self) -> int:
        """The deadline as contracts take it."""
        return self.deadline // _NANO


@dataclass(frozen=True, slots=True)
class Signed:
    """A permit. `details` are for its transaction; `data` is the call of the token's, or the input
    of Permit2's."""

    signature: tuple[int, int, int]
    data: bytes
    details: dict[str, str] = field(default_factory=dict)


class Permits:
    """Those of one network; `permits_of` gives the one that all venues share, since the counts that
    permits have are the tokens'."""

    def __init__(self, network: PoolNetwork) -> None:
        self._network = network
        self.turns = PermitTurns(network)
        self.permit2 = Allowances(network, permit2.ADDRESS)
        self.permit2.start()

    async def of_token(self, token: Token, owner: str) -> Permitting | str:
        """Whether a token takes permits; why not, in words. The chain is asked."""
        calls = [Call(token.address, data) for data in eip2612.questions(owner)]
        answers = await self._network.multicall(calls)
        return eip2612.read(self._network.info.chain_id, token.address, answers)

    async def of_permit2(self, token: Token, owner: str, spender: str) -> int | str:
        """The next nonce of a permit; why there is no Permit2, in words."""
        calls = [
            Call(permit2.ADDRESS, data) for data in permit2.questions(owner, token.address, spender)
        ]
        return permit2.read(self._network.info.chain_id, await self._network.multicall(calls))

    @asynccontextmanager
    async def by_token(self, grant: Grant) -> AsyncIterator[Signed]:
        """The token's permit, for a transaction that is sent within. Refused with
        UNSUPPORTED_BY_VENUE where the token takes none."""
        key = f"{grant.owner}:{grant.token.address}"
        async with self.turns.turn(key):
            found = await self.of_token(grant.token, grant.owner)
            if isinstance(found, str):
                raise not_offered(ApprovalMethod.EIP2612, grant.token, found)
            message = found.message(grant.owner, grant.spender, grant.units, grant.seconds)
            details = _details(grant, ApprovalMethod.EIP2612, found.nonce, key)
            signature = await self._sign(grant, message, details)
            data = eip2612.self_permit(grant.token.address, grant.units, grant.seconds, signature)
            yield Signed(signature, data, details)

    @asynccontextmanager
    async def by_permit2(self, grant: Grant) -> AsyncIterator[Signed]:
        """Permit2's permit. Refused with UNSUPPORTED_BY_VENUE where Permit2 is not deployed, and
        for an amount that it cannot count."""
        key = f"{grant.owner}:{grant.token.address}:{permit2.ADDRESS}:{grant.spender}"
        async with self.turns.turn(key):
            nonce = await self.of_permit2(grant.token, grant.owner, grant.spender)
            if isinstance(nonce, str):
                raise not_offered(ApprovalMethod.PERMIT2, grant.token, nonce)
            if grant.units > permit2.MAX_AMOUNT:
                why = "Permit2 counts no more than 2 ** 160 - 1 units"
                raise not_offered(ApprovalMethod.PERMIT2, grant.token, why)
            permit = PermitSingle(
                grant.token.address, grant.units, nonce, grant.spender, grant.seconds
            )
            details = _details(grant, ApprovalMethod.PERMIT2, nonce, key)
            message = permit.message(self._network.info.chain_id)
            signature = await self._sign(grant, message, details)
            yield Signed(signature, permit2.permit_input(permit, signature), details)

    async def _sign(
        self, grant: Grant, message: TypedData, details: Mapping[str, str]
    ) -> tuple[int, int, int]:
        amount = units_text(grant.units, grant.token.decimals)
        until = datetime.fromtimestamp(grant.seconds, UTC).isoformat()
        words = (
            f"signs a permit: {grant.spender} may take {amount} {grant.token.symbol} until "
            f"{until}, for the {grant.purpose} {grant.intent}"
        )
        facts = {**details, "token": grant.token.address, "purpose": grant.purpose}
        facts.pop(PERMIT_OF)
        return await self._network.sign_typed_data(grant.owner, message, grant.intent, words, facts)


_shared: WeakKeyDictionary[PoolNetwork, Permits] = WeakKeyDictionary()


def permits_of(network: PoolNetwork) -> Permits:
    """The permits of a network, the same for all that trade there."""
    found = _shared.get(network)
    if found is None:
        # By a proxy: what is kept by the network must not keep the network.
        found = _shared[network] = Permits(proxy(network))
    return found


def not_offered(method: ApprovalMethod, token: Token, why: str) -> Refused:
    """UNSUPPORTED_BY_VENUE, with the way out."""
    return Refused(
        Reason.UNSUPPORTED_BY_VENUE,
        f"{method.value} is not offered for {token.symbol or token.address}: {why}; use the exact "
        "approval",
        {"capability": method.value, "token": token.address},
    )


def _details(grant: Grant, method: ApprovalMethod, nonce: int, key: str) -> dict[str, str]:
    return {
        "permit": method.value,
        "permit_spender": grant.spender,
        "permit_units": str(grant.units),
        "permit_deadline": str(grant.seconds),
        "permit_nonce": str(nonce),
        PERMIT_OF: key,
    }
