"""What a venue must know of a kind of pool, so that everything else is written once.

Mathematics and calldata are in dex.families, pure; a family puts them together with the reading of
its pools.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.errors import Reason
from core.liquidity import Liquidity
from dex.families.curve import Content, FeeRate
from dex.network import PoolNetwork
from dex.plans import RouterCall, SwapPlan
from dex.spec import FamilyName, PoolVenueSpec

if TYPE_CHECKING:
    from dex.allowances import Allowances
    from dex.pools import PoolMarket
    from dex.providing import Providing

BlockHash = Callable[[int], str | None]
# The end of a revert's words, what it is for a bot, and what it means.
RevertWords = tuple[tuple[str, Reason, str], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a factory has, or would have, a pool of two tokens. `spacing` of its ticks; `mark` is
    the end of its market's name where two tokens have several pools."""

    address: str
    fee: FeeRate
    spacing: int = 0
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a contract says of itself; `proof` asks its factory, which must answer with the
    contract's address."""

    factory: str
    token0: str
    token1: str
    proof: bytes
    place: Place


class StateReader(Protocol):
    """Reads pools as they are at the end of a block, by whatever means."""

    def rewind(self, block: int) -> None:
        """What was read of `block` and later blocks is void: the chain was reorganised."""
        ...

    async def read(self, markets: Sequence["PoolMarket"], block: int) -> Sequence[Content | str]:
        """The pools in order; why there is none, in words, in the place of a pool. Raises
        CambistError when the chain cannot be asked."""
        ...


class Family(Protocol):
    """One kind of pool."""

    @property
    def reverts(self) -> RevertWords: ...

    @property
    def gas_reserve(self) -> int:
        """What one pool's swap may cost above an estimate on the present state."""
        ...

    def reader(self, network: PoolNetwork, block_hash: BlockHash) -> StateReader: ...

    def places(self, spec: PoolVenueSpec, token_a: str, token_b: str) -> Sequence[Place]:
        """Everywhere the factory may have a pool of two tokens; nobody is asked."""
        ...

    def questions(self) -> Sequence[bytes]:
        """Calldata of what tells which pool an address is."""
        ...

    def claim(self, spec: PoolVenueSpec, address: str, answers: Sequence[bytes]) -> Claim:
        """What the answers to `questions` say; ValueError when no pool answers so."""
        ...

    def router_call(
        self, spec: PoolVenueSpec, plan: SwapPlan, first: Sequence[bytes] = ()
    ) -> RouterCall:
        """What is sent to the router; `first` are calls of its own that come before the swap.
        ValueError where it does one thing at a time."""
        ...

    def liquidity_spender(self, spec: PoolVenueSpec) -> str:
        """Who takes the tokens when liquidity is added."""
        ...

    def liquidity(self, parts: "Providing", allowances: "Allowances") -> Liquidity:
        """`allowances` are those of the spender."""
        ...


def family_of(spec: PoolVenueSpec) -> Family:
    """The family that a spec names; a daemon without such a venue does not import it."""
    if spec.protocol.family is FamilyName.CONCENTRATED:
        from dex.concentrated_family import ConcentratedFamily

        return ConcentratedFamily()
    from dex.constant_product_family import ConstantProductFamily

    return ConstantProductFamily()
