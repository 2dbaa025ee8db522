"""A swap that is to be sent, whichever kind of pool it goes through."""

from dataclasses import dataclass, field, replace

from core.tokens import Token


@dataclass(frozen=True, slots=True)
class SwapPlan:
    """A swap to be sent. `limit` is the least out (exact in) or the most in (exact out).

    `deadline` in ns. `path` has token addresses with the native coin wrapped, `fees` the fee of
    each pool between two of them, in millionths. `details` are kept with the transaction, and have
    the quoted amounts.

    `price_limit`, where it is not 0, is the pool's own measure of the worst price of a unit: the
    swap ends there, and what was traded by then is traded, whatever `limit` says of the whole.

    `measured` (exact in, constant product) asks for the least amount to be enforced on what
    arrives, for tokens that keep a part of each transfer.
    """

    sender: str
    token_in: Token
    token_out: Token
    exact_in: bool
    exact: int
    limit: int
    path: tuple[str, ...]
    intent: str
    deadline: int
    measured: bool = False
    details: dict[str, str] = field(default_factory=dict)
    fees: tuple[int, ...] = ()
    price_limit: int = 0

    @property
    def most_in(self) -> int:
        """What the swap may take from the wallet."""
        return self.exact if self.exact_in else self.limit

    @property
    def needed(self) -> int:
        """What the swap takes at the quoted price."""
        return int(self.details["quoted_in"])

    def limited_to(self, most_in: int) -> "SwapPlan":
        """The same exact-out swap, for which at most so much may be taken."""
        return replace(self, limit=most_in, details={**self.details, "guaranteed": str(most_in)})


@dataclass(frozen=True, slots=True)
class RouterCall:
    """What is sent to the router: calldata, and native coins with it."""

    data: bytes
    value: int
