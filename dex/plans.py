"""A swap that is to be sent, whichever kind of pool it goes through."""

from dataclasses import dataclass, field, replace

from core.tokens import Token


@dataclass(frozen=True, slots=True)
class Segment:
    """Pools of one kind in a row: as the fields of that name in SwapPlan.

    `by_reserves`: of constant product, where the router reaches both kinds.
    """

    path: tuple[str, ...]
    fees: tuple[int, ...]
    by_reserves: bool = False


@dataclass(frozen=True, slots=True)
class PlanLeg:
    """A part of a swap that goes its own way. Several segments (exact in only) follow one another:
    what leaves one is what enters the next. Amounts as the fields of that name in SwapPlan."""

    exact: int
    limit: int
    segments: tuple[Segment, ...]


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

    `split`, where it is not empty, has the legs of a swap that goes by several ways, or by another
    kind of pool than the router's own; `exact` and `limit` are then their sums, and `path` and
    `fees` are of no account.
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
    split: tuple[PlanLeg, ...] = ()

    @property
    def legs(self) -> tuple[PlanLeg, ...]:
        """Each way with its amounts."""
        whole = PlanLeg(self.exact, self.limit, (Segment(self.path, self.fees),))
        return self.split or (whole,)

    @property
    def hops(self) -> int:
        """How many pools it passes."""
        return sum(len(one.path) - 1 for leg in self.legs for one in leg.segments)

    @property
    def most_in(self) -> int:
        """What the swap may take from the wallet."""
        return self.exact if self.exact_in else self.limit

    @property
    def needed(self) -> int:
        """What the swap takes at the quoted price."""
        return int(self.details["quoted_in"])

    def limited_to(self, most_in: int) -> "SwapPlan":
        """The same exact-out swap, for which at most so much may be taken; what is missing is taken
        from its legs in proportion: they have the same slippage."""
        if most_in >= self.limit:
            return self
        details = {**self.details, "guaranteed": str(most_in)}
        split = tuple(replace(leg, limit=leg.limit * most_in // self.limit) for leg in self.split)
        return replace(self, limit=most_in, split=split, details=details)


@dataclass(frozen=True, slots=True)
class RouterCall:
    """What is sent to the router: calldata, and native coins with it."""

    data: bytes
    value: int
