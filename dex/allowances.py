"""What wallets allow the router to take: exactly what the swaps under way need, and no more.

Many swaps of one wallet share one allowance, and an approval replaces the one before. So approvals
of a token are made one after the other, each for everything that waits at that moment, and what a
swap that is on its way will take is never counted as free.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chains.evm import erc20
from chains.evm.abi import uint_at
from chains.evm.model import Call, CallError, TransactionPlan
from core.errors import CambistError, Reason, Refused, Unconfirmed
from core.money import from_units, text
from core.ports import FeeOptions
from core.tokens import Token
from core.transactions import Transaction, TransactionStatus
from dex.network import PoolNetwork, Unsubscribe
from dex.refusals import invalid

APPROVE = "approve"
_GAS_RESERVE = 17_100  # an allowance that is zero by then costs more to set than one that is not
_INCLUSION_TIMEOUT = 180.0  # float: seconds, as asyncio counts

# While it has one of these, a transaction has not taken its tokens yet.
WAITING = frozenset(
    {
        TransactionStatus.SIGNED,
        TransactionStatus.BROADCAST,
        TransactionStatus.SEEN,
        TransactionStatus.REORGANISED,
    }
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a swap that was sent will take, in units."""

    intent: str
    units: int


@dataclass(slots=True)
class _Book:
    """One wallet's allowance of one token, in units."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: dict[str, int] = field(default_factory=dict)  # by intent: waiting for an approval
    held: dict[str, int] = field(default_factory=dict)  # by intent: covered, not sent yet
    sent: dict[str, Claim] = field(default_factory=dict)  # by hash: sent, not in a block yet
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # something is held no more

    def claims(self) -> dict[str, int]:
        """By intent: what is held, and what swaps under way will take."""
        return {**{one.intent: one.units for one in self.sent.values()}, **self.held}

    def let_go(self, intent: str) -> int | None:
        """Ends a hold; what was held."""
        units = self.held.pop(intent, None)
        self.changed.set()
        return units


@dataclass(frozen=True, slots=True)
class Granted:
    """What a swap may take; `covered`: the allowance is there, and no permit is needed."""

    units: int
    covered: bool


class Allowances:
    """The allowances of one spender on one network."""

    def __init__(self, network: PoolNetwork, spender: str) -> None:
        self._network = network
        self.spender = spender
        self._books: dict[tuple[str, str], _Book] = {}
        self._unsubscribe: Unsubscribe | None = None

    def start(self) -> None:
        self._unsubscribe = self._network.on_transaction(self._on_transaction)

    def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    async def read(self, owner: str, token: Token) -> tuple[int, int]:
        """The owner's balance and the spender's allowance, in one round trip."""
        answers = await self._network.multicall(
            [
                Call(token.address, erc20.balance_of(owner)),
                Call(token.address, erc20.allowance(owner, self.spender)),
            ]
        )
        balance, allowance = (_number(token, answer) for answer in answers)
        return balance, allowance

    async def read_free(self, owner: str, token: Token) -> tuple[int, int]:
        """The balance, and what is left of the allowance once the swaps under way have taken
        theirs.

        A swap that gets into a block while the chain is being asked may be in the answer or not: it
        counts as under way.
        """
        before = self._book(owner, token).claims()
        balance, allowance = await self.read(owner, token)
        return balance, self.free(owner, token, allowance, before)

    def free(
        self, owner: str, token: Token, allowance: int, before: Mapping[str, int] | None = None
    ) -> int:
        """What is left of an allowance; `before` are the claims of when it was asked for."""
        claims = {**(before or {}), **self._book(owner, token).claims()}
        return allowance - sum(claims.values())

    async def check_balance(self, owner: str, token: Token, units: int) -> None:
        """Refused with INSUFFICIENT_BALANCE when the owner has less than `units`."""
        balance, _ = await self.read(owner, token)
        afford(token, balance, units)

    async def hold(
        self,
        owner: str,
        token: Token,
        units: int,
        needed: int,
        intent: str,
        fees: FeeOptions,
        name: str = "approve",
        unlimited: bool = False,
    ) -> int:
        """Returns once the spender may take `units` for this intent; approves where it must.

        `needed` is what the swap takes at the present price; `units` is what it may take at worst,
        and is cut to the balance, which is returned as what was held. Raises Refused when the
        balance is too low, or the approval cannot be sent, failed, or was not included in time: the
        swap that asked was not sent then. After `hold`, and whatever came of it, call `release`.
        `name` tells the approvals of one intent apart, where it takes several tokens. `unlimited`:
        where it must approve it approves everything, once and for all.
        """
        book = self._book(owner, token)
        balance, free = await self.read_free(owner, token)
        afford(token, balance, needed)
        units = min(units, balance)
        # Nobody approves just now, so the allowance stays what it is until this is noted.
        idle = not book.turn.locked() and not book.wanted
        if idle and free >= units:
            book.held[intent] = units
            return units
        book.wanted[intent] = units
        try:
            async with book.turn:
                before = book.claims()
                _, allowance = await self.read(owner, token)
                if self.free(owner, token, allowance, before) < units:
                    total = sum(book.wanted.values()) + sum(book.held.values())
                    total = erc20.MAX_UINT if unlimited else total
                    label = f"{intent}/{name}"
                    await self._approve_and_wait(owner, token, total, allowance, label, fees)
                book.held[intent] = units
        finally:
            book.wanted.pop(intent, None)
        return units

    @asynccontextmanager
    async def permitting(
        self, owner: str, token: Token, units: int, needed: int, intent: str
    ) -> AsyncIterator[Granted]:
        """For a transaction that is sent within and may bring a permit. `units` and `needed` as in
        `hold`.

        A permit sets the allowance anew, as an approval does. So it begins once nobody holds a part
        of the present one, and until its transaction is in a block nothing counts as free.
        """
        book = self._book(owner, token)
        async with book.turn:
            await self._unheld(book, token)
            balance, free = await self.read_free(owner, token)
            afford(token, balance, needed)
            units = min(units, balance)
            covered = free >= units
            book.held[intent] = units if covered else erc20.MAX_UINT
            try:
                yield Granted(units, covered)
            finally:
                book.let_go(intent)

    async def _unheld(self, book: _Book, token: Token) -> None:
        try:
            async with asyncio.timeout(_INCLUSION_TIMEOUT):
                while book.held:
                    book.changed.clear()
                    await book.changed.wait()
        except TimeoutError as error:
            raise Refused(
                Reason.ALLOWANCE_TOO_LOW,
                f"other swaps of the wallet are about to use its allowance of {token.symbol}, which"
                " a permit would end: nothing was sent; send it again later",
                {"token": token.address, "spender": self.spender},
            ) from error

    def release(self, owner: str, token: Token, intent: str) -> None:
        """Ends a hold. What was signed by then is counted as sent, whoever still waits for it."""
        self._book(owner, token).let_go(intent)

    def restore(self, owner: str, token: str, transaction: Transaction, units: int) -> None:
        """A swap that was sent before a restart and is not in a block yet."""
        if transaction.status in WAITING:
            book = self._books.setdefault((owner, token), _Book())
            book.sent[transaction.hash] = Claim(transaction.intent, units)

    async def approve(
        self, owner: str, token: Token, units: int, intent: str, fees: FeeOptions
    ) -> Transaction:
        """Sends an approval of exactly `units`."""
        if not 0 <= units <= erc20.MAX_UINT:
            raise invalid(
                "amount", units, "the amount to approve must be from 0 to 2 ** 256 - 1 units"
            )
        return await self._network.send(self._plan(owner, token, units, intent), fees)

    async def _approve_and_wait(
        self, owner: str, token: Token, units: int, present: int, label: str, fees: FeeOptions
    ) -> None:
        plan = self._plan(owner, token, units, label)
        if present > 0 and await self._must_reset(plan):
            reset = self._plan(owner, token, 0, f"{label}-reset")
            await self._included(await self._network.send(reset, fees))
        await self._included(await self._network.send(plan, fees))

    async def _must_reset(self, plan: TransactionPlan) -> bool:
        """Whether a token (USDT is one) changes an allowance by way of zero only."""
        try:
            await self._network.simulate(plan)
        except CambistError as error:
            if error.reason is not Reason.SIMULATION_FAILED:
                raise
            return True
        return False

    async def _included(self, approval: Transaction) -> None:
        details = approval.details
        metadata = {
            "token": details.get("token", ""),
            "spender": self.spender,
            "needed": details.get("units", ""),
            "hash": approval.hash,
        }
        try:
            done = await self._network.wait_included(approval.hash, _INCLUSION_TIMEOUT)
        except Unconfirmed as error:
            raise Refused(
                Reason.ALLOWANCE_TOO_LOW,
                f"the approval {approval.hash} is not in a block yet, so the swap was not sent; "
                "send it again when the approval is included",
                metadata,
            ) from error
        if not done.succeeded:
            raise Refused(
                Reason.ALLOWANCE_TOO_LOW,
                f"the approval {approval.hash} did not take effect ({done.reason or done.status}), "
                "so the swap was not sent",
                metadata,
            )

    def _plan(self, owner: str, token: Token, units: int, intent: str) -> TransactionPlan:
        details = {"token": token.address, "spender": self.spender, "units": str(units)}
        data = erc20.approve(self.spender, units)
        return TransactionPlan(
            owner, token.address, data, 0, intent, APPROVE, details, gas_reserve=_GAS_RESERVE
        )

    def _on_transaction(self, transaction: Transaction) -> None:
        if transaction.purpose == APPROVE:
            return
        for (owner, _), book in self._books.items():
            if owner != transaction.address:
                continue
            units = book.let_go(transaction.intent)
            if transaction.status not in WAITING:
                book.sent.pop(transaction.hash, None)
            elif units is not None:
                book.sent[transaction.hash] = Claim(transaction.intent, units)

    def _book(self, owner: str, token: Token) -> _Book:
        return self._books.setdefault((owner, token.address), _Book())


def afford(token: Token, balance: int, units: int) -> None:
    """Refused with INSUFFICIENT_BALANCE when there is less than is taken."""
    if balance < units:
        has, needs = (text(from_units(n, token.decimals)) for n in (balance, units))
        raise Refused(
            Reason.INSUFFICIENT_BALANCE,
            f"the wallet has {has} {token.symbol}, the swap takes {needs}",
            {"asset": token.symbol, "available": has, "needed": needs},
        )


def _number(token: Token, answer: bytes | CallError) -> int:
    if isinstance(answer, CallError) or len(answer) < 32:
        raise Refused(
            Reason.TOKEN_NOT_FOUND,
            f"{token.address} does not answer as a token does; check the address",
            {"network": token.network, "token": token.address},
        )
    return uint_at(answer)
